/* Command lines. Either a value that borrows from line or arena, or an answer
 * that can be sent as it is. */
#include "tests/fuzz/fuzz.h"

#include "smtp/command.h"

static void check_refusal(const struct smtp_refusal *r)
{
    size_t len = strlen(r->text);

    assert(r->code == 452 || r->code == 500 || r->code == 501 || r->code == 550 || r->code == 553 || r->code == 555);
    assert(r->status[0] - '0' == r->code / 100);
    assert(len > 0);
    for (size_t i = 0; i < len; i++)
        assert(r->text[i] >= ' ' && r->text[i] <= '~');
}

static void check_command(const struct smtp_command *c, struct slice line)
{
    assert(c->verb > VERB_UNKNOWN && c->verb < VERB_COUNT);
    assert(slice_starts_nocase(line, slice_of(verb_name(c->verb))));
    for (size_t i = 0; i < line.len; i++)
        assert((unsigned char)line.at[i] < 0x7f && (line.at[i] >= ' ' || line.at[i] == '\t'));
    if (c->verb == VERB_EHLO || c->verb == VERB_HELO)
        assert(c->client_name.len > 0 && c->client_name.len <= DOMAIN_MAX);
    if (c->verb == VERB_MAIL || c->verb == VERB_RCPT)
        assert(c->path.is_null || c->path.local.len > 0);
    if (c->verb == VERB_RCPT)
        assert(!c->path.is_null && !c->has_size && !c->has_body && !c->requiretls);
    if (!c->has_size)
        assert(c->size == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice line = slice(data, size);
    auto_arena struct arena arena;
    struct smtp_refusal refusal = { 0 };
    struct smtp_command command;

    arena_init(&arena, 4096);
    if (command_parse(line, &arena, &command, &refusal))
        check_command(&command, line);
    else
        check_refusal(&refusal);
    return 0;
}

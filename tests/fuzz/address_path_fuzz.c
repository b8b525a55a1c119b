/* Paths and mailboxes. What is accepted is canonical: its own text is accepted
 * again and means the same, and it can stand in a command line. */
#include "tests/fuzz/fuzz.h"

#include "smtp/address.h"

static void check(const struct mailbox *m, struct arena *arena)
{
    struct slice text = mailbox_text(m, arena);
    struct mailbox again;
    struct slice path;

    assert(!arena->failed);
    for (size_t i = 0; i < text.len; i++)
        assert(text.at[i] >= ' ' && text.at[i] <= '~');
    path = arena_text(arena, "<%.*s>", SLICE_ARGS(text));
    assert(path_length(path) == path.len);
    assert(path_parse(path, true, true, arena, &again, NULL));
    assert(slice_equal(m->local, again.local) && slice_equal(m->domain, again.domain));
    assert(m->is_null == again.is_null && m->is_literal == again.is_literal);
    if (!m->is_null && !slice_empty(m->domain)) {
        assert(mailbox_parse(text, arena, &again, NULL));
        assert(slice_equal(m->local, again.local) && slice_equal(m->domain, again.domain));
        assert(m->is_literal ? literal_is_valid(m->domain) : domain_is_valid(m->domain, true));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice(data, size);
    auto_arena struct arena arena;
    struct error why = { 0 };
    struct mailbox m;

    arena_init(&arena, 64 * 1024);
    if (path_parse(input, true, true, &arena, &m, &why)) {
        assert(path_length(input) == size);
        check(&m, &arena);
    } else {
        assert(why.code == E_MALFORMED && why.text[0]);
    }
    if (mailbox_parse(input, &arena, &m, &why))
        check(&m, &arena);
    assert(path_length(input) <= size);
    return 0;
}

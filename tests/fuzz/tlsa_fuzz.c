/* The first byte is a setting; then come TLSA records, each with its length in
 * two bytes. No usable one is weaker than another, and none is lost. */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "policy/dane.h"

enum { RECORDS_MAX = 100 };

static void check_usable(const struct tlsa *t, const struct dane_settings *settings)
{
    assert(t->usage == 2 || t->usage == 3);
    assert(t->selector <= 1 && t->matching <= (settings->sha512_off ? 1 : 2));
    assert(t->matching != 1 || t->data.len == 32);
    assert(t->matching != 2 || t->data.len == 64);
    assert(t->matching != 0 || (t->selector ? tls_is_public_key(t->data) : tls_is_certificate(t->data)));
}

static void check_text(const struct tlsa *t)
{
    char text[TLSA_TEXT_MAX];

    memset(text, 'x', sizeof text);
    assert(tlsa_text(t, text) == text && strlen(text) < sizeof text);
    for (const char *c = text; *c; c++)
        assert(*c >= ' ' && *c <= '~');
}

/* A record is set aside as weaker exactly if a usable one of its kind is stronger. */
static void check_agility(const struct dane_records *r, const struct dane_record *weak)
{
    bool stronger = false;

    for (size_t i = 0; i < r->usable_count; i++)
        if (r->usable[i].usage == weak->tlsa.usage && r->usable[i].selector == weak->tlsa.selector)
            stronger |= r->usable[i].matching > weak->tlsa.matching && weak->tlsa.matching > 0;
    assert(stronger == (weak->use == RECORD_WEAKER));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_over(slice(data, size));
    struct dane_settings settings = { .sha512_off = cursor_u8(&in) & 1 };
    struct slice rdata[RECORDS_MAX];
    struct dane_records r;
    size_t count = 0, used = 0;
    auto_arena struct arena arena;

    while (in.rest.len && count < RECORDS_MAX) {
        uint16_t len = cursor_u16(&in);

        rdata[count++] = slice_first(in.rest, len);
        in.rest = slice_after(in.rest, len);
    }
    arena_init(&arena, 64 * 1024);
    if (!dane_records_judge(rdata, count, &settings, &arena, &r, NULL))
        __builtin_trap();
    assert(r.count == count);
    for (size_t i = 0; i < count; i++) {
        check_text(&r.all[i].tlsa);
        if (r.all[i].use == RECORD_USED)
            assert(r.usable[used++].data.at == rdata[i].at + 3);
        if (r.all[i].use == RECORD_USED || r.all[i].use == RECORD_WEAKER) {
            check_usable(&r.all[i].tlsa, &settings);
            check_agility(&r, &r.all[i]);
        }
    }
    assert(used == r.usable_count);
    return 0;
}

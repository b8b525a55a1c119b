/* The input is the RDATA of a TXT record, alone and cut in two. */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "dns/text.h"

/* The strings of `rdata`, one after the other, are `text`. */
static void check_text(struct slice rdata, struct slice text)
{
    struct cursor in = cursor_over(rdata);

    while (in.rest.len > 0) {
        struct slice part = cursor_bytes(&in, cursor_u8(&in));

        assert(!in.failed && slice_equal(slice_first(text, part.len), part));
        text = slice_after(text, part.len);
    }
    assert(text.len == 0 && text.at[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice(data, size);
    struct slice records[] = { input, slice_first(input, size / 2), slice_after(input, size / 2) };
    const struct dns_answer answer = { .status = DNS_FOUND, .records = records, .count = 3 };
    struct text_records texts = { .count = 77 };
    size_t next = 0;
    auto_arena struct arena arena;

    arena_init(&arena, 256 * 1024);
    if (!text_records_from(&answer, &arena, &texts)) {
        assert(texts.count == 77 && size > 100 * 1024);
        return 0;
    }
    assert(texts.count <= 3);
    for (size_t i = 0; i < 3 && next < texts.count; i++) {
        struct cursor in = cursor_over(records[i]);

        while (in.rest.len > 0 && !in.failed)
            cursor_bytes(&in, cursor_u8(&in));
        if (!in.failed && records[i].len > 0)
            check_text(records[i], texts.at[next++]);
    }
    assert(next == texts.count);
    return 0;
}

/* What is read as the place of a body is written as the same text, or as a
 * shorter one where neighbours were joined, and finds each byte. */
#include "tests/fuzz/fuzz.h"

#include "queue/engine/extents.h"

static void check_text(const struct extents *e, struct slice read)
{
    struct extents again;
    auto_buf struct buf text = { 0 }, second = { 0 };

    buf_init(&text, read.len);
    buf_init(&second, read.len);
    extents_text(e, &text);
    assert(!text.failed);
    assert(extents_parse(buf_slice(&text), &again, NULL));
    extents_text(&again, &second);
    assert(slice_equal(buf_slice(&text), buf_slice(&second)));
    assert(extents_length(e) == extents_length(&again));
    extents_done(&again);
}

static void check_find(const struct extents *e)
{
    uint64_t at = 0, length = extents_length(e);

    for (size_t i = 0; i < e->count; i++) {
        struct extent first = extents_find(e, at), last = extents_find(e, at + e->at[i].length - 1);

        assert(first.segment == e->at[i].segment && first.offset == e->at[i].offset);
        assert(first.length == e->at[i].length && last.length == 1);
        at += e->at[i].length;
    }
    assert(at == length && extents_find(e, length).length == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice(data, size);
    struct extents e;

    if (!extents_parse(text, &e, NULL))
        return 0;
    assert(e.count > 0);
    check_text(&e, text);
    check_find(&e);
    extents_done(&e);
    return 0;
}

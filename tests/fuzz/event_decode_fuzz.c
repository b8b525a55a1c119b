/* An event as the store keeps it. What decodes is written as the same bytes, is joined with itself, and becomes JSON that
 * another library reads. */
#include "tests/fuzz/fuzz.h"

#include "event/event.h"

#include <jansson.h>

static void check_json(const struct event *e)
{
    auto_buf struct buf out = { 0 };
    json_t *root;

    buf_init(&out, EVENT_JSON_MAX);
    event_json(e, e->relay, &out);
    assert(!out.failed);
    root = json_loadb(buf_slice(&out).at, buf_len(&out), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert(root && json_object_size(root) == 10);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event e, more;
    char key[EVENT_KEY_MAX];
    auto_buf struct buf out = { 0 };
    auto_arena struct arena arena;

    arena_init(&arena, 4096);
    if (!event_decode(slice(data, size), &arena, &e))
        return 0;
    buf_init(&out, EVENT_BYTES_MAX);
    event_encode(&e, &out);
    assert(!out.failed && slice_equal(buf_slice(&out), slice(data, size)));
    assert(slice_starts(slice_of(event_key(&e, key)), slice_of(event_kind_name(e.kind))));
    check_json(&e);
    more = e;
    event_join(&more, &e);
    assert(more.count > e.count || e.count == INT64_MAX);
    assert(more.first == e.first && more.last == e.last && more.subject == e.subject);
    return 0;
}

/* What Postfix, or anybody, sends over socketmap. A request is read the same whole and in two pieces, what is read says
 * where it ends, and its key names the same thing when it is read again. */
#include "tests/fuzz/fuzz.h"

#include "postfix/map_key.h"
#include "postfix/request.h"

static void check_key(struct slice text)
{
    struct map_key key, again;

    map_key_parse(text, 25, &key);
    assert((key.kind == MAP_KEY_UNCLEAR) == (key.why != NULL));
    if (key.kind == MAP_KEY_NOTHING || key.kind == MAP_KEY_UNCLEAR)
        return;
    assert(key.port != 0 && key.name[0] != '.' && strlen(key.name) > 0 && strlen(key.name) < sizeof key.name);
    map_key_parse(slice_of(key.name), key.port, &again);
    assert(again.port == key.port && strcmp(again.name, key.name) == 0);
    assert(again.kind == (key.kind == MAP_KEY_ADDRESS ? MAP_KEY_ADDRESS : MAP_KEY_DOMAIN));
}

static void check_again(const struct map_request *r)
{
    auto_buf struct buf text = { 0 };
    struct map_request again;
    size_t used;

    buf_init(&text, 2 * SOCKETMAP_REQUEST_MAX);
    buf_text(&text, "%zu:", r->map.len + 1 + r->key.len);
    buf_add(&text, r->map);
    buf_byte(&text, ' ');
    buf_add(&text, r->key);
    buf_byte(&text, ',');
    assert(socketmap_read(buf_slice(&text), &again, &used) == REQUEST_WHOLE && used == buf_len(&text));
    assert(slice_equal(again.map, r->map) && slice_equal(again.key, r->key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice(data, size);

    for (;;) {
        struct map_request r;
        size_t used = 0;
        enum request_state state = socketmap_read(in, &r, &used);

        if (state != REQUEST_WHOLE) {
            assert(state == REQUEST_BAD || in.len < SOCKETMAP_REQUEST_MAX + 8);
            return 0;
        }
        assert(used > 0 && used <= in.len && in.at[used - 1] == ',');
        assert(socketmap_read(slice_first(in, used - 1), &r, &used) == REQUEST_PART);
        assert(socketmap_read(slice_first(in, used), &r, &used) == REQUEST_WHOLE);
        check_again(&r);
        check_key(r.key);
        in = slice_after(in, used);
    }
}

/* Lines of tcp_table. A key that was decoded is read the same when it is encoded anew, and every reply is one line. */
#include "tests/fuzz/fuzz.h"

#include "postfix/request.h"

static void check_reply(enum map_status status, struct slice text)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, 2 * TCP_TABLE_LINE_MAX);
    tcp_table_put(&out, status, text);
    assert(!out.failed && buf_len(&out) <= TCP_TABLE_LINE_MAX);
    assert(slice_find(buf_slice(&out), '\n') == buf_len(&out) - 1);
    assert(buf_slice(&out).at[3] == ' ');
}

/* What 200 says is the key encoded: asked for, it gives the key. */
static void check_again(struct slice key)
{
    static char decoded[TCP_TABLE_LINE_MAX];
    auto_buf struct buf out = { 0 }, line = { 0 };
    struct map_request again;
    size_t used;

    buf_init(&out, 2 * TCP_TABLE_LINE_MAX);
    buf_init(&line, 2 * TCP_TABLE_LINE_MAX);
    tcp_table_put(&out, MAP_FOUND, key);
    if (!slice_starts(buf_slice(&out), SLICE("200 ")))
        return;     /* too long */
    buf_text(&line, "get ");
    buf_add(&line, slice_after(buf_slice(&out), 4));
    assert(tcp_table_read(buf_slice(&line), decoded, &again, &used) == REQUEST_WHOLE && again.understood);
    assert(slice_equal(again.key, key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char decoded[TCP_TABLE_LINE_MAX];
    struct slice in = slice(data, size);

    for (int status = MAP_FOUND; status <= MAP_WRONG; status++)
        check_reply((enum map_status)status, in);
    for (;;) {
        struct map_request r;
        size_t used = 0;
        enum request_state state = tcp_table_read(in, decoded, &r, &used);

        if (state != REQUEST_WHOLE) {
            assert(state == REQUEST_BAD || in.len < TCP_TABLE_LINE_MAX);
            return 0;
        }
        assert(used > 0 && used <= TCP_TABLE_LINE_MAX && in.at[used - 1] == '\n');
        if (r.understood)
            check_again(r.key);
        in = slice_after(in, used);
    }
}

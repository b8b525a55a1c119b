/* Whatever is escaped is one printable line, and JSON gives it back. */
#include "tests/fuzz/fuzz.h"

#include "base/escape.h"

#include <jansson.h>

static void check_line(struct slice s, size_t room)
{
    char text[300];

    if (room > sizeof text || room == 0)
        room = sizeof text;
    escape_line(s, text, room);
    assert(strlen(text) < room);
    for (const char *c = text; *c; c++)
        assert(*c >= ' ' && *c < 0x7f);
}

static void check_json(struct slice s)
{
    auto_buf struct buf out = { 0 };
    json_t *value;

    buf_init(&out, 6 * s.len + 2);      /* \u0000 is the longest that one byte can become */
    escape_json(&out, s);
    assert(!out.failed);
    for (size_t i = 0; i < buf_len(&out); i++)
        assert((unsigned char)buf_slice(&out).at[i] >= ' ');
    value = json_loadb(buf_slice(&out).at, buf_len(&out), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert(json_is_string(value));
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    check_line(slice(data + 1, size - 1), data[0]);
    check_json(slice(data, size));
    return 0;
}

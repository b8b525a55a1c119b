#include "fact/key.h"

void key_put_text(struct buf *out, const char *text)
{
    struct slice s = slice_first(slice_of(text), KEY_TEXT_MAX);

    buf_u8(out, (uint8_t)s.len);
    buf_add(out, s);
}

static struct slice get(struct cursor *in)
{
    struct slice text = cursor_bytes(in, cursor_u8(in));

    if (slice_find(text, '\0') != text.len)
        in->failed = true;
    return in->failed ? slice("", 0) : text;
}

const char *key_get_text(struct cursor *in, struct arena *arena)
{
    return arena_string(arena, get(in));
}

void key_get_text_into(struct cursor *in, char *to, size_t size)
{
    struct slice text = get(in);

    if (text.len >= size) {
        in->failed = true;
        text = slice("", 0);
    }
    memcpy(to, text.at, text.len);
    to[text.len] = '\0';
}

unsigned key_get_one_of(struct cursor *in, unsigned last)
{
    unsigned value = cursor_u8(in);

    if (value > last)
        in->failed = true;
    return in->failed ? 0 : value;
}

bool key_ended(const struct cursor *in, const struct arena *arena)
{
    return cursor_ended(in) && !arena->failed;
}

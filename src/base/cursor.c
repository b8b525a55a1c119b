#include "base/cursor.h"

struct cursor cursor_over(struct slice s)
{
    return (struct cursor){ s, false };
}

struct slice cursor_bytes(struct cursor *in, size_t n)
{
    struct slice head = slice_first(in->rest, n);

    if (in->failed || n > in->rest.len) {
        in->failed = true;
        return slice("", 0);
    }
    in->rest = slice_after(in->rest, n);
    return head;
}

static uint64_t number(struct cursor *in, size_t width)
{
    struct slice s = cursor_bytes(in, width);
    uint64_t v = 0;

    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | (uint8_t)s.at[i];
    return v;
}

uint8_t cursor_u8(struct cursor *in)
{
    return (uint8_t)number(in, 1);
}

uint16_t cursor_u16(struct cursor *in)
{
    return (uint16_t)number(in, 2);
}

uint32_t cursor_u32(struct cursor *in)
{
    return (uint32_t)number(in, 4);
}

uint64_t cursor_u64(struct cursor *in)
{
    return number(in, 8);
}

struct slice cursor_block(struct cursor *in)
{
    uint32_t len = cursor_u32(in);

    return cursor_bytes(in, len);
}

struct slice cursor_rest(struct cursor *in)
{
    return cursor_bytes(in, in->rest.len);
}

int cursor_peek(const struct cursor *in)
{
    return !in->failed && in->rest.len ? (unsigned char)in->rest.at[0] : -1;
}

bool cursor_skip(struct cursor *in, char byte)
{
    if (cursor_peek(in) != (unsigned char)byte)
        return false;
    in->rest = slice_after(in->rest, 1);
    return true;
}

bool cursor_skip_nocase(struct cursor *in, struct slice word)
{
    if (in->failed || !slice_starts_nocase(in->rest, word))
        return false;
    in->rest = slice_after(in->rest, word.len);
    return true;
}

struct slice cursor_while(struct cursor *in, bool (*belongs)(char c))
{
    size_t n = 0;

    while (n < in->rest.len && belongs(in->rest.at[n]))
        n++;
    return cursor_bytes(in, n);
}

struct slice cursor_until(struct cursor *in, char byte)
{
    return cursor_bytes(in, slice_find(in->rest, byte));
}

bool cursor_ended(const struct cursor *in)
{
    return !in->failed && in->rest.len == 0;
}

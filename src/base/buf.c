#include "base/buf.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
    free(b->memory);
    *b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
    b->failed = false;
}

void buf_release(struct buf *b)
{
    free(b->memory);
    *b = (struct buf){ .max = b->max };
}

char *buf_room(struct buf *b, size_t n)
{
    size_t held = buf_len(b);

    if (b->failed || n > b->max - held) {
        b->failed = true;
        return NULL;
    }
    if (n > b->capacity - b->end && b->start > 0) {
        memmove(b->memory, b->memory + b->start, held);
        b->start = 0;
        b->end = held;
    }
    if (n > b->capacity - b->end || !b->memory) {
        size_t wanted = b->capacity ? b->capacity : 64;

        while (wanted < held + n && wanted <= b->max / 2)
            wanted *= 2;
        if (wanted < held + n || wanted > b->max)
            wanted = b->max;
        b->memory = memory_grow(b->memory, wanted, 1);
        b->capacity = wanted;
    }
    return b->memory + b->end;
}

void buf_grew(struct buf *b, size_t n)
{
    assert(n <= b->capacity - b->end);
    b->end += n;
}

void buf_add(struct buf *b, struct slice s)
{
    char *room;

    if (s.len == 0)
        return;
    room = buf_room(b, s.len);
    if (room) {
        memcpy(room, s.at, s.len);
        buf_grew(b, s.len);
    }
}

void buf_byte(struct buf *b, char c)
{
    buf_add(b, slice(&c, 1));
}

void buf_vtext(struct buf *b, const char *format, va_list args)
{
    va_list again;
    char small[256];
    int len;

    va_copy(again, args);
    len = vsnprintf(small, sizeof small, format, args);
    if (len < 0 || (size_t)len > b->max - buf_len(b)) {
        b->failed = true;
    } else if ((size_t)len < sizeof small) {
        buf_add(b, slice(small, (size_t)len));
    } else {
        auto_free char *text = memory_new((size_t)len + 1);

        vsnprintf(text, (size_t)len + 1, format, again);
        buf_add(b, slice(text, (size_t)len));
    }
    va_end(again);
}

void buf_text(struct buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vtext(b, format, args);
    va_end(args);
}

void buf_take(struct buf *b, size_t n)
{
    if (n >= buf_len(b))
        b->start = b->end = 0;
    else
        b->start += n;
}

void buf_u8(struct buf *b, uint8_t v)
{
    buf_byte(b, (char)v);
}

void buf_u16(struct buf *b, uint16_t v)
{
    const char bytes[] = { (char)(v >> 8), (char)v };

    buf_add(b, slice(bytes, sizeof bytes));
}

void buf_u32(struct buf *b, uint32_t v)
{
    const char bytes[] = { (char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v };

    buf_add(b, slice(bytes, sizeof bytes));
}

void buf_u64(struct buf *b, uint64_t v)
{
    const char bytes[] = { (char)(v >> 56), (char)(v >> 48), (char)(v >> 40), (char)(v >> 32),
                           (char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v };

    buf_add(b, slice(bytes, sizeof bytes));
}

void buf_block(struct buf *b, struct slice s)
{
    if (s.len > UINT32_MAX)
        b->failed = true;
    else if (buf_room(b, sizeof(uint32_t) + s.len)) {       /* both or neither */
        buf_u32(b, (uint32_t)s.len);
        buf_add(b, s);
    }
}

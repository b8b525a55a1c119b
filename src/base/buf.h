/* base/buf.h - bytes that are being put together, with an upper bound.
 *
 * A buf is born with its maximum and remembers failure: appends past the
 * maximum do nothing but set `failed`, so a caller checks once, at the end.
 * Bytes leave at the front and arrive at the back; a slice of a buf is valid
 * until the next call that appends to or releases the buf. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

#include <stdarg.h>

struct buf {
    char *memory;
    size_t start, end;      /* the bytes held are memory[start..end) */
    size_t capacity;
    size_t max;             /* most bytes ever held at once */
    bool failed;            /* something did not fit */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);           /* releases; a zeroed buf is fine */
void buf_clear(struct buf *b);          /* no bytes, not failed; memory is kept */
void buf_release(struct buf *b);        /* as clear, and gives the memory back */

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return slice(b->memory ? b->memory + b->start : "", b->end - b->start);
}

void buf_add(struct buf *b, struct slice s);
void buf_byte(struct buf *b, char c);
void buf_text(struct buf *b, const char *format, ...) printf_like(2, 3);
void buf_vtext(struct buf *b, const char *format, va_list args) printf_like(2, 0);

/* Drop `n` bytes (at most all) from the front. */
void buf_take(struct buf *b, size_t n);

/* Room for `n` more bytes to be written in place, NULL when that would pass
 * the maximum; then buf_grew says how many were. */
char *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);

/* Network byte order; the reading side is base/cursor.h. */
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_block(struct buf *b, struct slice s);      /* u32 length, then the bytes */

#define auto_buf __attribute__((cleanup(buf_done)))

#endif

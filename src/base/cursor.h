/* base/cursor.h - reading bytes in order without checking each step.
 *
 * A cursor that is asked for more than is left fails, stays failed, and
 * gives zeros and empty slices from then on, so a parser checks `failed`
 * once, at its end. Slices borrow from what the cursor reads. */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/slice.h"

struct cursor {
    struct slice rest;
    bool failed;
};

struct cursor cursor_over(struct slice s);

/* Binary, network byte order. */
uint8_t cursor_u8(struct cursor *in);
uint16_t cursor_u16(struct cursor *in);
uint32_t cursor_u32(struct cursor *in);
uint64_t cursor_u64(struct cursor *in);
struct slice cursor_bytes(struct cursor *in, size_t n);
struct slice cursor_block(struct cursor *in);           /* u32 length, then the bytes */
struct slice cursor_rest(struct cursor *in);            /* everything left, perhaps nothing */

/* Text. The first two report whether it was there; they never fail the cursor. */
bool cursor_skip(struct cursor *in, char byte);
bool cursor_skip_nocase(struct cursor *in, struct slice word);
struct slice cursor_while(struct cursor *in, bool (*belongs)(char c));
struct slice cursor_until(struct cursor *in, char byte);    /* up to, not including; all when absent */
int cursor_peek(const struct cursor *in);                   /* next byte 0..255, -1 at the end */

/* True when nothing failed and nothing is left. */
bool cursor_ended(const struct cursor *in);

#endif

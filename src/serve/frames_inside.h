/* serve/frames_inside.h - what the sources of the frames share: the parts of which frames are made.
 *
 *     frames.c        messages, leases, what became of them, and the operator's questions
 *     frames_notes.c  notes, tallies and questions about them
 */
#ifndef SERVE_FRAMES_INSIDE_H
#define SERVE_FRAMES_INSIDE_H

#include "base/cursor.h"
#include "serve/frames.h"

static inline void put_text(struct buf *out, const char *text)
{
    buf_block(out, slice_of(text));
}

static inline void put_time(struct buf *out, time_ms t)
{
    buf_u64(out, (uint64_t)t);
}

static inline time_ms get_time(struct cursor *in)
{
    return (time_ms)cursor_u64(in);
}

/* A string without NUL inside, so that it means the same to everybody. */
static inline const char *get_text(struct cursor *in, struct arena *a)
{
    struct slice text = cursor_block(in);

    if (slice_find(text, '\0') != text.len)
        in->failed = true;
    return arena_string(a, text);
}

/* A number up to `most`. */
static inline uint8_t get_choice(struct cursor *in, uint8_t most)
{
    uint8_t v = cursor_u8(in);

    if (v > most)
        in->failed = true;
    return v;
}

static inline bool get_truth(struct cursor *in)
{
    return get_choice(in, 1) == 1;
}

/* Everything was read, nothing is left, and it fitted the arena (which may be NULL). */
static inline bool complete(const struct cursor *in, const struct arena *a)
{
    return cursor_ended(in) && !(a && a->failed);
}

#endif

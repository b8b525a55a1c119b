/* base/arena.h - memory with one lifetime, e.g. that of an SMTP transaction.
 *
 * Everything taken from an arena goes at once, at arena_reset. Bounded: past
 * `max_bytes` allocations return NULL (slices: `failed` is set and the empty
 * slice returned). */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;     /* newest first */
    size_t used, max_bytes;
    bool failed;
};

void arena_init(struct arena *a, size_t max_bytes);
void arena_done(struct arena *a);       /* a zeroed arena is fine */
void arena_reset(struct arena *a);      /* empties; keeps nothing but the bound */

void *arena_take(struct arena *a, size_t size) must_check;      /* zeroed, aligned; NULL past the bound */
struct slice arena_copy(struct arena *a, struct slice s);
struct slice arena_text(struct arena *a, const char *format, ...) printf_like(2, 3);

/* A C string; "" past the bound. */
const char *arena_string(struct arena *a, struct slice s);

#define auto_arena __attribute__((cleanup(arena_done)))

#endif

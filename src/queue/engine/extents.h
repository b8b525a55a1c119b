/* queue/engine/extents.h - where the bytes of a body are, as a person can read it.
 *
 * "12:0:8192 12:65536:300": 8192 bytes at the beginning of segment 12, then
 * 300 of the same segment from offset 65536. The order is that of the body. */
#ifndef QUEUE_ENGINE_EXTENTS_H
#define QUEUE_ENGINE_EXTENTS_H

#include "base/buf.h"
#include "base/error.h"

struct extent {
    uint32_t segment;           /* from 1 */
    uint64_t offset, length;
};

struct extents {
    struct extent *at;
    size_t count, capacity;
};

void extents_done(struct extents *e);       /* zeroed is fine, and is what remains */

/* Behind the others; joins the last one when it continues it. */
void extents_add(struct extents *e, struct extent more);

/* Before the others. */
void extents_precede(struct extents *e, struct extent first);

uint64_t extents_length(const struct extents *e);

void extents_text(const struct extents *e, struct buf *out);

/* E_STORAGE for anything extents_text would not have written, but for
 * neighbours it would have joined; not even empty text is an extent. */
bool extents_parse(struct slice text, struct extents *out, struct error *why) must_check;

/* What is left of the piece with the body's byte `offset`; length 0 behind the end. */
struct extent extents_find(const struct extents *e, uint64_t offset);

#endif

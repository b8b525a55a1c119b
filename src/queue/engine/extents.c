#include "queue/engine/extents.h"

#include "base/memory.h"

#include <inttypes.h>

void extents_done(struct extents *e)
{
    free(e->at);
    *e = (struct extents){ 0 };
}

static void make_room(struct extents *e)
{
    if (e->count < e->capacity)
        return;
    e->capacity = e->capacity ? e->capacity * 2 : 1;        /* one is what nearly all have */
    e->at = memory_grow(e->at, e->capacity, sizeof *e->at);
}

void extents_add(struct extents *e, struct extent more)
{
    struct extent *last = e->count ? &e->at[e->count - 1] : NULL;

    if (more.length == 0)
        return;
    if (last && last->segment == more.segment && last->offset + last->length == more.offset) {
        last->length += more.length;
        return;
    }
    make_room(e);
    e->at[e->count++] = more;
}

void extents_precede(struct extents *e, struct extent first)
{
    if (first.length == 0)
        return;
    make_room(e);
    memmove(e->at + 1, e->at, e->count++ * sizeof *e->at);
    e->at[0] = first;
}

uint64_t extents_length(const struct extents *e)
{
    uint64_t length = 0;

    for (size_t i = 0; i < e->count; i++)
        length += e->at[i].length;
    return length;
}

void extents_text(const struct extents *e, struct buf *out)
{
    for (size_t i = 0; i < e->count; i++)
        buf_text(out, "%s%" PRIu32 ":%" PRIu64 ":%" PRIu64, i ? " " : "", e->at[i].segment, e->at[i].offset,
                 e->at[i].length);
}

/* As printf writes it: no leading zero. */
static bool number_parse(struct slice text, uint64_t max, uint64_t *number)
{
    if (text.len > 1 && text.at[0] == '0')
        return false;
    return slice_to_number(text, max, number);
}

static bool extent_parse(struct slice word, struct extent *out)
{
    struct slice segment = slice_cut(&word, ':'), offset = slice_cut(&word, ':');
    uint64_t number;

    if (!number_parse(segment, UINT32_MAX, &number) || number == 0)
        return false;
    out->segment = (uint32_t)number;
    return number_parse(offset, INT64_MAX, &out->offset) && number_parse(word, INT64_MAX, &out->length) &&
           out->length > 0 && out->length <= INT64_MAX - out->offset;
}

bool extents_parse(struct slice text, struct extents *out, struct error *why)
{
    struct extents found = { 0 };
    uint64_t total = 0;

    do {
        struct slice word = slice_cut(&text, ' ');
        struct extent one;

        if (!extent_parse(word, &one) || one.length > INT64_MAX - total) {
            extents_done(&found);
            return fail(why, E_STORAGE, "not a place of a body: %.*s", (int)(word.len < 60 ? word.len : 60), word.at);
        }
        total += one.length;
        extents_add(&found, one);
    } while (text.at);
    *out = found;
    return true;
}

struct extent extents_find(const struct extents *e, uint64_t offset)
{
    for (size_t i = 0; i < e->count; i++) {
        struct extent piece = e->at[i];

        if (offset < piece.length)
            return (struct extent){ piece.segment, piece.offset + offset, piece.length - offset };
        offset -= piece.length;
    }
    return (struct extent){ 0 };
}

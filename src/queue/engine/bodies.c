#include "queue/engine/sqlite.h"

#include "base/memory.h"

#include <assert.h>

/* A group with no more small bodies than this keeps them in the database:
 * one sync instead of two (1,276 messages a second against 753). */
enum { INLINE_MOST = 2 };

bool bodies_has_room(struct engine *e, uint64_t minimum_free, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    struct statvfs about;
    uint64_t unit, least;

    if (io.statvfs(s->directory, &about) != 0)
        return io_fail(why, "free space");
    unit = about.f_frsize ? about.f_frsize : about.f_bsize;
    least = about.f_blocks * unit / 8;
    if (least > minimum_free)
        least = minimum_free;
    if (about.f_bavail * unit < least)
        return fail(why, E_STORAGE_FULL, "only %llu bytes are free, %llu are kept",
                    (unsigned long long)(about.f_bavail * unit), (unsigned long long)least);
    return true;
}

/* --- drafts: loop -------------------------------------------------------- */

static struct place *place_of(struct draft *d)
{
    if (!d->place)
        d->place = NEW(struct place);
    return d->place;
}

/* These bytes now belong to the draft, and their segment has a user more. */
static void occupy(struct sqlite *s, struct draft *d, struct extent piece)
{
    struct extents *mine = &place_of(d)->extents;
    size_t before = mine->count;
    struct extents added = { .at = &piece, .count = 1 };

    extents_add(mine, piece);
    if (mine->count > before)
        segments_use(&s->segments, &added);
}

/* Bytes that go to disk before their group. */
static bool write_early(struct sqlite *s, struct slice bytes, struct extent *piece, struct error *why)
{
    struct iovec part = { (char *)bytes.at, bytes.len };
    int fd;

    if (!segments_reserve(&s->segments, bytes.len, piece, why))
        return false;
    fd = segments_fd(&s->segments, piece->segment, why);
    return (fd >= 0 && io_write(fd, &part, 1, piece->offset, why)) ||
           blame(why, "segment %u", (unsigned)piece->segment);
}

bool bodies_spill(struct engine *e, struct draft *d, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    struct slice bytes = buf_slice(&d->memory);
    struct extent piece;

    if (bytes.len == 0)
        return true;
    if (!write_early(s, bytes, &piece, why))
        return false;
    occupy(s, d, piece);
    d->spilled = true;
    buf_clear(&d->memory);
    return true;
}

bool bodies_precede(struct engine *e, struct draft *d, struct slice bytes, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    struct extent piece;
    struct extents added = { .at = &piece, .count = 1 };

    assert(d->spilled);
    if (bytes.len == 0)
        return true;
    if (!write_early(s, bytes, &piece, why))
        return false;
    extents_precede(&d->place->extents, piece);
    segments_use(&s->segments, &added);
    return true;
}

/* Its bytes, if any were written, are dead: nothing stored points at them. */
static void forget_place(struct sqlite *s, struct draft *d)
{
    if (!d->place)
        return;
    segments_unuse(&s->segments, &d->place->extents);
    extents_done(&d->place->extents);
    free(d->place);
    d->place = NULL;
}

void bodies_drop(struct engine *e, struct draft *d)
{
    forget_place(sqlite_of(e), d);
    buf_done(&d->memory);
}

/* --- the plan: loop -------------------------------------------------------- */

static bool plan_sync(struct sqlite *s, uint32_t number, struct error *why)
{
    struct plan *p = &s->plan;
    int fd;

    for (size_t i = 0; i < p->sync_count; i++)
        if (p->syncs[i].segment == number)
            return true;
    fd = segments_fd(&s->segments, number, why);
    if (fd < 0)
        return false;
    p->syncs = memory_grow(p->syncs, p->sync_count + 1, sizeof *p->syncs);
    p->syncs[p->sync_count++] = (struct plan_sync){ .segment = number, .fd = fd };
    p->sync_directory |= !segments_find(&s->segments, number)->named;
    return true;
}

bool bodies_plan_sync(struct sqlite *s, const struct extents *e, struct error *why)
{
    for (size_t i = 0; i < e->count; i++)
        if (!plan_sync(s, e->at[i].segment, why))
            return false;
    return true;
}

/* Spilled drafts are in place already; they need their sync. */
static bool plan_spilled(struct sqlite *s, struct draft **drafts, size_t count, struct error *why)
{
    for (size_t i = 0; i < count; i++) {
        struct draft *d = drafts[i];

        if (!d->spilled)
            continue;
        d->lost = segments_has_spoiled(&s->segments, &d->place->extents);
        if (!d->lost && !bodies_plan_sync(s, &d->place->extents, why))
            return false;
    }
    return true;
}

/* All that is in memory goes out as one run of bytes. */
static bool plan_run(struct sqlite *s, struct draft **drafts, size_t count, uint64_t bytes, struct error *why)
{
    struct plan *p = &s->plan;
    struct extent run;
    struct extents all = { .at = &run, .count = 1 };

    if (!segments_reserve(&s->segments, bytes, &run, why) || !bodies_plan_sync(s, &all, why))
        return false;
    p->fd = segments_fd(&s->segments, run.segment, why);
    p->offset = run.offset;
    p->parts = memory_array(count, sizeof *p->parts);
    for (size_t i = 0; i < count; i++) {
        struct slice body = buf_slice(&drafts[i]->memory);

        if (drafts[i]->spilled || body.len == 0)
            continue;
        occupy(s, drafts[i], (struct extent){ run.segment, run.offset, body.len });
        p->parts[p->part_count++] = (struct iovec){ (char *)body.at, body.len };
        run.offset += body.len;
    }
    return p->fd >= 0;
}

void bodies_plan(struct engine *e, struct draft **drafts, size_t count)
{
    struct sqlite *s = sqlite_of(e);
    size_t in_memory = 0;
    uint64_t bytes = 0;
    bool planned;

    for (size_t i = 0; i < count; i++) {
        assert(drafts[i]->spilled || !drafts[i]->place);
        in_memory += !drafts[i]->spilled;
        bytes += drafts[i]->spilled ? 0 : buf_len(&drafts[i]->memory);
    }
    housekeeping_plan(s);
    planned = plan_spilled(s, drafts, count, &s->plan.trouble);
    /* A sync that has to be made anyway may as well serve the small ones. */
    if (planned && bytes > 0 &&
        (in_memory > INLINE_MOST || s->plan.sync_count > 0 || bytes > INLINE_MOST * (uint64_t)DRAFT_MEMORY_MAX))
        planned = plan_run(s, drafts, count, bytes, &s->plan.trouble);
    if (!planned)
        blame(&s->plan.trouble, "no place for a body");
}

/* --- the group: apply ------------------------------------------------------ */

bool bodies_write(struct engine *e, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    struct plan *p = &s->plan;
    bool synced = true;

    if (p->trouble.code != E_NONE) {
        *why = p->trouble;
        return false;
    }
    housekeeping_copy(s);
    if (p->part_count && !io_write(p->fd, p->parts, p->part_count, p->offset, why))
        return blame(why, "segments");
    if (p->sync_directory && io.sync_directory(s->segments.directory) != 0)
        return io_fail(why, "sync of segments");
    p->directory_synced = p->sync_directory;
    for (size_t i = 0; i < p->sync_count; i++)
        if (io.datasync(p->syncs[i].fd) != 0) {
            p->syncs[i].failed = true;
            synced = io_fail(why, "sync of segment %u", (unsigned)p->syncs[i].segment);
        }
    p->written = synced;
    return synced;
}

/* --- the books afterwards: loop --------------------------------------------- */

static void book_freed(struct sqlite *s)
{
    struct slice lines = buf_slice(&s->plan.freed);

    while (lines.len) {
        struct slice place = slice_cut(&lines, '\n'), size = slice_cut(&place, ' ');
        struct extents was;
        uint64_t bytes;

        if (slice_to_number(size, INT64_MAX, &bytes))
            s->body_bytes -= bytes < s->body_bytes ? bytes : s->body_bytes;
        if (!slice_equal(place, SLICE(BODY_INLINE)) && extents_parse(place, &was, NULL)) {
            segments_drop_live(&s->segments, &was);
            extents_done(&was);
        }
    }
}

static void book_draft(struct sqlite *s, struct draft *d)
{
    if (d->stored) {
        s->body_bytes += d->size;
        if (d->place)
            segments_add_live(&s->segments, &d->place->extents);
    }
    /* A spilled draft that was not stored is dropped by the queue; one from
     * memory may be planned again, elsewhere. */
    if (d->stored || !d->spilled)
        forget_place(s, d);
}

static void book_syncs(struct sqlite *s)
{
    for (size_t i = 0; i < s->plan.sync_count; i++) {
        struct plan_sync *sync = &s->plan.syncs[i];
        struct segment *one = segments_find(&s->segments, sync->segment);

        /* After a failed sync the kernel calls the pages clean: what was not
         * stored before must be taken as lost. */
        if (sync->failed)
            segments_spoil(&s->segments, sync->segment);
        else if (one)
            one->named |= s->plan.directory_synced;
    }
}

void bodies_applied(struct engine *e, struct draft **drafts, size_t count)
{
    struct sqlite *s = sqlite_of(e);
    struct plan *p = &s->plan;
    struct buf freed = p->freed;

    if (p->committed)
        book_freed(s);
    for (size_t i = 0; i < count; i++)
        book_draft(s, drafts[i]);
    book_syncs(s);
    housekeeping_applied(s);
    free(p->parts);
    free(p->syncs);
    buf_clear(&freed);
    *p = (struct plan){ .freed = freed };
}

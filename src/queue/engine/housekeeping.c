#include "queue/engine/sqlite.h"

#include "base/log.h"
#include "base/memory.h"

#include <sys/uio.h>

/* So much for one group, so that mail does not wait long behind it. */
enum {
    SWEEP_ROWS = 5000,                  /* looked at in one call of tend */
    MOVE_BYTES = 4 * 1024 * 1024,
    MOVE_MOST = 500,
    COPY_CHUNK = 256 * 1024,
};

static void move_done(struct move *m)
{
    free(m->was);
    extents_done(&m->from);
    extents_done(&m->to);
}

static void moves_free(struct move *moves, size_t count)
{
    for (size_t i = 0; i < count; i++)
        move_done(&moves[i]);
    free(moves);
}

/* --- looking for work: loop ---------------------------------------------- */

static void collect_dead(struct sqlite *s, bool idle)
{
    struct segment *one;

    while ((one = segments_take_dead(&s->segments, idle))) {
        s->dead = memory_grow(s->dead, s->dead_count + 1, sizeof *s->dead);
        s->dead[s->dead_count++] = one;
    }
}

static bool touches(const struct extents *e, uint32_t segment)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->at[i].segment == segment)
            return true;
    return false;
}

/* Notes a message that has bytes in the sparse segment; returns how many bytes it has. */
static uint64_t consider(struct sqlite *s, sqlite3_stmt *row)
{
    const char *place = (const char *)sqlite3_column_text(row, 1);
    struct move found = { .id = (message_id)sqlite3_column_int64(row, 0), .leaves = s->sparse };

    if (strcmp(place, BODY_INLINE) == 0 || !extents_parse(slice_of(place), &found.from, NULL))
        return 0;
    if (!touches(&found.from, s->sparse)) {
        extents_done(&found.from);
        return 0;
    }
    found.was = memory_text(slice_of(place));
    s->moves = memory_grow(s->moves, s->move_count + 1, sizeof *s->moves);
    s->moves[s->move_count++] = found;
    return extents_length(&found.from);
}

/* Walks on through the messages; at the end of them the segment has been emptied. */
static void sweep(struct sqlite *s)
{
    struct error why = { 0 };
    sqlite3_stmt *statement =
        sqlite_bind(s, SQL_PLACES, &why, "ii", (int64_t)s->swept, (int64_t)SWEEP_ROWS);
    uint64_t bytes = 0;
    size_t rows = 0;

    while (statement && sqlite_step(s, statement, &why)) {
        s->swept = (message_id)sqlite3_column_int64(statement, 0);
        bytes += consider(s, statement);
        rows++;
        if (bytes >= MOVE_BYTES || s->move_count >= MOVE_MOST) {
            sqlite_done(statement);
            return;
        }
    }
    if (why.code != E_NONE)
        log_say(LOG_LEVEL_WARNING, "queue.compact", &why, "cannot look for nearly dead bodies");
    if (why.code != E_NONE || rows < SWEEP_ROWS)
        s->sparse = 0;
}

bool housekeeping_tend(struct engine *e)
{
    struct sqlite *s = sqlite_of(e);

    collect_dead(s, true);
    if (s->move_count == 0 && s->plan.move_count == 0) {
        if (s->sparse == 0) {
            s->sparse = segments_sparse(&s->segments);
            s->swept = 0;
        }
        if (s->sparse)
            sweep(s);
    }
    return s->dead_count > 0 || s->move_count > 0;
}

/* --- with the next group: loop --------------------------------------------- */

/* Where it goes: new room for what leaves, the old place for the rest. */
static bool plan_target(struct sqlite *s, struct move *m, struct error *why)
{
    bool found = true;

    for (size_t i = 0; found && i < m->from.count; i++) {
        struct extent piece = m->from.at[i];

        if (piece.segment == m->leaves)
            found = segments_reserve(&s->segments, piece.length, &piece, why);
        if (found)
            extents_add(&m->to, piece);
    }
    segments_use(&s->segments, &m->to);
    return found;
}

/* The copying, once both sides have users and their descriptors stay open. */
static bool plan_copies(struct sqlite *s, struct move *m, struct error *why)
{
    struct plan *p = &s->plan;
    uint64_t at = 0;

    for (size_t i = 0; i < m->from.count; at += m->from.at[i++].length) {
        struct extent from = m->from.at[i], to = extents_find(&m->to, at);
        struct plan_copy copy = { .move = m, .from = from.offset, .to = to.offset, .length = from.length };

        if (from.segment != m->leaves)
            continue;
        copy.from_fd = segments_fd(&s->segments, from.segment, why);
        copy.to_fd = copy.from_fd < 0 ? -1 : segments_fd(&s->segments, to.segment, why);
        if (copy.to_fd < 0)
            return false;
        p->copies = memory_grow(p->copies, p->copy_count + 1, sizeof *p->copies);
        p->copies[p->copy_count++] = copy;
    }
    return bodies_plan_sync(s, &m->to, why);
}

static void plan_move(struct sqlite *s, struct move *m)
{
    struct error why = { 0 };

    segments_use(&s->segments, &m->from);
    m->copied = plan_target(s, m, &why) && plan_copies(s, m, &why);
    if (!m->copied)
        log_say(LOG_LEVEL_WARNING, "queue.compact", &why, "a body stays in a nearly dead segment");
}

void housekeeping_plan(struct sqlite *s)
{
    struct plan *p = &s->plan;

    p->dead = s->dead;
    p->dead_count = s->dead_count;
    s->dead = NULL;
    s->dead_count = 0;
    p->moves = s->moves;
    p->move_count = s->move_count;
    s->moves = NULL;
    s->move_count = 0;
    for (size_t i = 0; i < p->move_count; i++)
        plan_move(s, &p->moves[i]);
}

/* --- during the group: apply ------------------------------------------------ */

static bool copy(const struct plan_copy *c, char *chunk)
{
    for (uint64_t done = 0; done < c->length;) {
        uint64_t left = c->length - done;
        struct iovec part = { chunk, left < COPY_CHUNK ? (size_t)left : COPY_CHUNK };
        size_t size = part.iov_len;

        if (!io_read(c->from_fd, chunk, size, c->from + done, NULL) ||
            !io_write(c->to_fd, &part, 1, c->to + done, NULL))
            return false;
        done += size;
    }
    return true;
}

/* One that fails stays where it is; mail does not suffer from it. */
void housekeeping_copy(struct sqlite *s)
{
    struct plan *p = &s->plan;
    auto_free char *chunk = p->copy_count ? memory_new(COPY_CHUNK) : NULL;

    for (size_t i = 0; i < p->copy_count; i++) {
        struct move *m = p->copies[i].move;

        m->copied = m->copied && copy(&p->copies[i], chunk);
    }
}

static bool move_row(struct sqlite *s, const struct move *m)
{
    auto_buf struct buf place;

    buf_init(&place, SIZE_MAX / 2);
    extents_text(&m->to, &place);
    buf_byte(&place, '\0');
    return sqlite_run(s, sqlite_bind(s, SQL_MOVE, NULL, "itt", (int64_t)m->id, buf_slice(&place).at, m->was), NULL);
}

/* A message that went in this very group, or was moved before, is left alone:
 * its place is no longer what it was. A failure may have ended the
 * transaction; then the group is tried again without moves. */
void housekeeping_rows(struct sqlite *s)
{
    struct plan *p = &s->plan;

    for (size_t i = 0; i < p->move_count; i++)
        p->moves[i].moved = false;
    for (size_t i = 0; p->written && i < p->move_count; i++) {
        struct move *m = &p->moves[i];

        if (!m->copied)
            continue;
        if (!move_row(s, m)) {
            p->written = false;
            return;
        }
        m->moved = sqlite3_changes(s->writer) > 0;
    }
}

/* Keeps (Q8): the deletion of all that pointed here is on stable storage. */
void housekeeping_unlink(struct sqlite *s)
{
    struct plan *p = &s->plan;

    for (size_t i = 0; i < p->dead_count; i++)
        segments_remove(s->segments.directory, p->dead[i]);
    p->dead_count = 0;
}

/* --- afterwards: loop --------------------------------------------------------- */

void housekeeping_applied(struct sqlite *s)
{
    struct plan *p = &s->plan;

    for (size_t i = 0; i < p->move_count; i++) {
        struct move *m = &p->moves[i];

        if (p->committed && m->moved) {
            segments_drop_live(&s->segments, &m->from);
            segments_add_live(&s->segments, &m->to);
        }
        segments_unuse(&s->segments, &m->from);
        segments_unuse(&s->segments, &m->to);
    }
    moves_free(p->moves, p->move_count);
    free(p->copies);
    for (size_t i = 0; i < p->dead_count; i++) {        /* no commit: the next group takes them */
        s->dead = memory_grow(s->dead, s->dead_count + 1, sizeof *s->dead);
        s->dead[s->dead_count++] = p->dead[i];
    }
    free(p->dead);
    collect_dead(s, false);
}

void housekeeping_close(struct sqlite *s)
{
    for (size_t i = 0; i < s->dead_count; i++)
        segments_remove(s->segments.directory, s->dead[i]);
    free(s->dead);
    moves_free(s->moves, s->move_count);
}

/* queue/engine/sqlite.h - what the sources of the SQLite engine share.
 *
 * Rows are in queue.db, small bodies of small groups too, all other bodies in
 * segments/. Two connections: `writer` belongs to the thread that applies a
 * group, `reader` to the loop; write-ahead logging lets them work at once.
 *
 *     sqlite.c        open, migrate, transactions, errors
 *     rows.c          what a group changes
 *     reading.c       what the loop reads
 *     notes.c         what is kept beside the mail: notes and tallies
 *     bodies.c        from memory to stable storage
 *     housekeeping.c  dead and nearly dead segments
 */
#ifndef QUEUE_ENGINE_SQLITE_H
#define QUEUE_ENGINE_SQLITE_H

#include "queue/engine.h"
#include "queue/engine/io.h"
#include "queue/engine/segments.h"

#include <sqlite3.h>

#define BODY_INLINE "inline"        /* message.body of those in table body */

enum statement {
    /* writer */
    SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_MARK, SQL_KEEP, SQL_UNDO,
    SQL_PUT_MESSAGE, SQL_PUT_RECIPIENT, SQL_PUT_BODY,
    SQL_END_RECIPIENT, SQL_DEFER_RECIPIENT, SQL_TELL_DELAY, SQL_FINISH, SQL_DROP_BODY,
    SQL_PICK, SQL_RETRY, SQL_HOLD, SQL_REMOVE_RECIPIENTS, SQL_REMOVE_BODIES, SQL_REMOVE_MESSAGES, SQL_MOVE,
    SQL_PUT_NOTE, SQL_REMOVE_NOTE, SQL_FORGET_NOTES, SQL_ADD_TALLY, SQL_NEW_TALLY, SQL_COUNT_TALLIES, SQL_FORGET_TALLIES,
    WRITER_STATEMENTS,
    /* reader */
    SQL_LOAD_MESSAGES = WRITER_STATEMENTS, SQL_LOAD_RECIPIENTS, SQL_ROWS, SQL_ROWS_OF_ONE, SQL_PLACE, SQL_BODY,
    SQL_PLACES, SQL_OLDEST, SQL_FIND_NOTE, SQL_LIST_NOTES, SQL_DUE_NOTES, SQL_LIST_TALLIES, SQL_FIND_TALLIES,
    ALL_STATEMENTS
};

struct place {
    struct extents extents;
};

/* A body that leaves a nearly dead segment. */
struct move {
    message_id id;
    char *was;                  /* message.body as it was seen; if it is another by now, nothing moves */
    uint32_t leaves;            /* the segment; pieces in others stay */
    struct extents from, to;
    bool copied, moved;
};

/* Descriptors for the apply thread, fixed by the loop. */
struct plan_sync {
    uint32_t segment;
    int fd;
    bool failed;
};
struct plan_copy {
    struct move *move;
    int from_fd, to_fd;
    uint64_t from, to, length;
};

struct plan {
    struct error trouble;       /* of planning: nothing can be written */
    struct iovec *parts;        /* bodies from memory, one run of bytes */
    size_t part_count;
    int fd;
    uint64_t offset;
    struct plan_sync *syncs;
    size_t sync_count;
    bool sync_directory;
    struct move *moves;
    size_t move_count;
    struct plan_copy *copies;
    size_t copy_count;
    struct segment **dead;      /* to be unlinked */
    size_t dead_count;
    bool written, committed, directory_synced;
    struct buf freed;           /* "size place\n" of each message that went */
    size_t freed_mark;
};

struct sqlite {
    struct engine engine;
    int directory, lock;
    char *path;                 /* of queue.db */
    sqlite3 *writer, *reader;
    sqlite3_stmt *prepared[ALL_STATEMENTS];
    bool writer_sick, reader_sick;      /* to be opened anew */
    struct segments segments;
    struct plan plan;           /* of the group that is out */
    uint64_t body_bytes;
    /* housekeeping */
    struct segment **dead;      /* out of the books, not yet unlinked */
    size_t dead_count;
    struct move *moves;         /* for the next group */
    size_t move_count;
    uint32_t sparse;            /* the segment that is being emptied, 0 for none */
    message_id swept;           /* up to here */
};

static inline struct sqlite *sqlite_of(struct engine *e)
{
    return (struct sqlite *)e;
}

/* --- sqlite.c ------------------------------------------------------------ */

/* A statement with its parameters: one letter for each, i (int64_t), t (const
 * char *) or b (struct slice, a blob). Text and blobs are borrowed until the
 * statement is done. NULL when the connection cannot be had. */
sqlite3_stmt *sqlite_bind(struct sqlite *s, enum statement which, struct error *why, const char *types, ...);

/* To the end; for statements without rows. Takes sqlite_bind's result, even NULL. */
bool sqlite_run(struct sqlite *s, sqlite3_stmt *statement, struct error *why) must_check;

/* The next row; false at the end and on failure, when why->code is set (so it
 * must not be NULL). The statement is then done. */
bool sqlite_step(struct sqlite *s, sqlite3_stmt *statement, struct error *why) must_check;
void sqlite_done(sqlite3_stmt *statement);

/* --- rows.c --------------------------------------------------------------- */
bool rows_put(struct engine *e, const struct envelope *envelope, const struct draft *body, struct error *why);
bool rows_settle(struct engine *e, message_id id, const char *destination, const struct settlement *s,
                 time_ms attempted, bool *touched, struct error *why);
bool rows_tell_delay(struct engine *e, message_id id, struct error *why);
bool rows_finish(struct engine *e, message_id id, bool *gone, struct error *why);
bool rows_pick(struct engine *e, message_id from, message_id to, size_t limit, message_id *ids, size_t *count,
               struct error *why);
bool rows_operate(struct engine *e, enum queue_act act, message_id from, message_id to, time_ms now,
                  uint64_t *removed, struct error *why);

/* --- reading.c ------------------------------------------------------------ */
bool reading_load(struct engine *e, void (*each)(void *arg, const struct engine_due *due), void *arg,
                  struct error *why);
bool reading_rows(struct engine *e, message_id after, int64_t number, message_id last, size_t limit, engine_each *each,
                  void *arg, struct error *why);
struct engine_body *reading_body_open(struct engine *e, message_id id, struct error *why);
bool reading_body_read(struct engine *e, struct engine_body *b, uint64_t offset, char *into, size_t size, size_t *got,
                       struct error *why);
void reading_body_close(struct engine *e, struct engine_body *b);
void reading_figures(struct engine *e, struct engine_figures *out);

/* --- notes.c -------------------------------------------------------------- */
bool notes_define(sqlite3 *db);                     /* the SQL function that its statements use */
bool notes_put(struct engine *e, const struct note *n, struct error *why);
bool notes_forget(struct engine *e, uint8_t kind, time_ms now, size_t limit, size_t *count, struct error *why);
bool notes_find(struct engine *e, uint8_t kind, const char *key, note_each *each, void *arg, struct error *why);
bool notes_list(struct engine *e, uint8_t kind, const char *after, size_t limit, note_each *each, void *arg,
                struct error *why);
bool notes_due(struct engine *e, uint8_t kind, unsigned slot, unsigned slots, time_ms now, size_t limit,
               note_each *each, void *arg, struct error *why);
bool tallies_add(struct engine *e, const struct tally *t, bool *found, struct error *why);
bool tallies_new(struct engine *e, const struct tally *t, struct error *why);
bool tallies_count(struct engine *e, uint32_t day, uint8_t first, uint64_t *count, struct error *why);
bool tallies_forget(struct engine *e, uint32_t day, size_t limit, size_t *count, struct error *why);
bool tallies_list(struct engine *e, uint32_t day, struct slice after, size_t limit, engine_each_tally *each, void *arg,
                  struct error *why);
bool tallies_find(struct engine *e, uint32_t day, struct slice prefix, struct slice after, size_t limit,
                  engine_each_tally *each, void *arg, struct error *why);

/* --- bodies.c ------------------------------------------------------------- */
bool bodies_has_room(struct engine *e, uint64_t minimum_free, struct error *why);
bool bodies_spill(struct engine *e, struct draft *d, struct error *why);
bool bodies_precede(struct engine *e, struct draft *d, struct slice bytes, struct error *why);
void bodies_drop(struct engine *e, struct draft *d);
void bodies_plan(struct engine *e, struct draft **drafts, size_t count);
bool bodies_write(struct engine *e, struct error *why);
void bodies_applied(struct engine *e, struct draft **drafts, size_t count);

/* The plan syncs each segment of these once. */
bool bodies_plan_sync(struct sqlite *s, const struct extents *e, struct error *why) must_check;

/* --- housekeeping.c -------------------------------------------------------- */
bool housekeeping_tend(struct engine *e);
void housekeeping_plan(struct sqlite *s);
void housekeeping_copy(struct sqlite *s);           /* apply, before the syncs */
void housekeeping_rows(struct sqlite *s);           /* apply, before COMMIT */
void housekeeping_unlink(struct sqlite *s);         /* apply, after COMMIT */
void housekeeping_applied(struct sqlite *s);
void housekeeping_close(struct sqlite *s);

#endif

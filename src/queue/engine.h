/* queue/engine.h - what the queue asks of a store of rows and bodies.
 *
 * The queue proper knows messages, deliveries and leases; an engine knows
 * where they are kept. There is one (engine/sqlite.c); another, for several
 * machines over one database, implements the same functions and passes the
 * same tests.
 *
 * Threads: functions are called by one of two, never by both at once but for
 * what is said here.
 *
 *     loop     everything but the group part; also while a group is applied
 *     apply    the group part, between plan() and applied(): whatever thread
 *              calls group_apply
 */
#ifndef QUEUE_ENGINE_H
#define QUEUE_ENGINE_H

#include "base/buf.h"
#include "queue/queue.h"

struct engine;
struct engine_body;         /* a stored body, open for reading */
struct place;               /* where an engine has put bytes that are not stored yet */

enum { DRAFT_MEMORY_MAX = 32 * 1024 };

/* A body that is not stored yet. While it is small its bytes are in `memory`;
 * once it has outgrown that they are with the engine. */
struct draft {
    struct buf memory;
    uint64_t size;
    struct place *place;    /* the engine's */
    bool spilled;           /* the bytes are at `place` only */
    bool lost;              /* the disk failed under it: it cannot be stored. Set by plan() */
    bool stored;            /* put() was called for it and committed. Set by the queue before applied() */
};

/* One recipient and its message, as stored. Valid during the call. */
struct engine_row {
    struct queue_view view;     /* `leased` is not the engine's to know */
    time_ms first_attempt;
    bool delay_told;
};
typedef void engine_each(void *arg, const struct engine_row *row);
typedef void engine_each_tally(void *arg, const struct tally *t);

/* One recipient, as much as the schedule needs of it. */
struct engine_due {
    message_id id;
    bool held;
    const char *destination;
    time_ms due;
};

struct engine_figures {
    uint64_t body_bytes, segment_bytes;
    time_ms oldest_arrival;
};

/* Fallible functions return false and say why: E_STORAGE_FULL, E_STORAGE;
 * E_USAGE when only the one request is at fault (an id that exists already);
 * E_NOT_FOUND. */
struct engine_class {
    void (*close)(struct engine *e);

    /* --- bodies on their way in; loop --------------------------------- */

    /* E_STORAGE_FULL when less than `minimum_free` bytes are free, or less
     * than an eighth of the file system where that is smaller. */
    bool (*has_room)(struct engine *e, uint64_t minimum_free, struct error *why);

    /* Takes the bytes out of d->memory; what it keeps goes behind what it has. And bytes that go before all of that. */
    bool (*spill)(struct engine *e, struct draft *d, struct error *why);
    bool (*precede)(struct engine *e, struct draft *d, struct slice bytes, struct error *why);
    void (*drop)(struct engine *e, struct draft *d);    /* releases d->place and d->memory */

    /* --- a group ------------------------------------------------------- */

    /* Loop: these drafts are to be stored by the coming group. Decides where. */
    void (*plan)(struct engine *e, struct draft **drafts, size_t count);

    /* Apply, in this order. `write` puts the planned bodies on stable storage;
     * when it fails the rows of messages without a body may still go on. A
     * failed commit needs a rollback as well. */
    bool (*write)(struct engine *e, struct error *why);
    bool (*begin)(struct engine *e, struct error *why);
    bool (*commit)(struct engine *e, struct error *why);
    void (*rollback)(struct engine *e);

    /* Apply: a part of the transaction that can be undone alone. undo() fails
     * when the whole transaction is gone. */
    bool (*mark)(struct engine *e, struct error *why);
    bool (*keep)(struct engine *e, struct error *why);
    bool (*undo)(struct engine *e);

    /* Apply: a message with all its recipients, due at its arrival. */
    bool (*put)(struct engine *e, const struct envelope *envelope, const struct draft *body, struct error *why);

    /* Apply: a recipient goes, or waits again. Nothing happens, and `touched`
     * is false, when it is not there or goes elsewhere than to `destination`.
     * `attempted`: when the attempt began; 0: none was made. */
    bool (*settle)(struct engine *e, message_id id, const char *destination, const struct settlement *s,
                   time_ms attempted, bool *touched, struct error *why);
    bool (*tell_delay)(struct engine *e, message_id id, struct error *why);

    /* Apply: the message goes if no recipient is left. */
    bool (*finish)(struct engine *e, message_id id, bool *gone, struct error *why);

    /* Apply: the first `limit` ids within [from, to]; and an act on all messages
     * within, which may make `removed` recipients go. */
    bool (*pick)(struct engine *e, message_id from, message_id to, size_t limit, message_id *ids, size_t *count,
                 struct error *why);
    bool (*operate)(struct engine *e, enum queue_act act, message_id from, message_id to, time_ms now,
                    uint64_t *removed, struct error *why);

    /* Apply: a note in place of the one with its kind and key; an empty value removes it. And up to `limit` of a kind that
     * are due by `now` go. */
    bool (*put_note)(struct engine *e, const struct note *n, struct error *why);
    bool (*forget_notes)(struct engine *e, uint8_t kind, time_ms now, size_t limit, size_t *count, struct error *why);

    /* Apply: adds to what is counted under this key; nothing happens, and `found` is false, when nothing is. Begins to
     * count under a key that was not found. Counts the keys of a day with this first byte. And up to `limit` of days
     * before `day` go. */
    bool (*add_tally)(struct engine *e, const struct tally *t, bool *found, struct error *why);
    bool (*new_tally)(struct engine *e, const struct tally *t, struct error *why);
    bool (*count_tallies)(struct engine *e, uint32_t day, uint8_t first, uint64_t *count, struct error *why);
    bool (*forget_tallies)(struct engine *e, uint32_t day, size_t limit, size_t *count, struct error *why);

    /* Loop: the group is over. The drafts are those of plan(). */
    void (*applied)(struct engine *e, struct draft **drafts, size_t count);

    /* Loop: look for housekeeping. True: it waits for a group, even an empty one. */
    bool (*tend)(struct engine *e);

    /* --- reading; loop -------------------------------------------------- */

    /* Every recipient, message by message. Once, right after opening. */
    bool (*load)(struct engine *e, void (*each)(void *arg, const struct engine_due *due), void *arg,
                 struct error *why);

    /* Up to `limit` rows in order, those behind (after, number) and not above message `last`. */
    bool (*rows)(struct engine *e, message_id after, int64_t number, message_id last, size_t limit, engine_each *each,
                 void *arg, struct error *why);

    /* A stored body stays readable until closed, even when its message goes. */
    struct engine_body *(*body_open)(struct engine *e, message_id id, struct error *why);
    bool (*body_read)(struct engine *e, struct engine_body *b, uint64_t offset, char *into, size_t size, size_t *got,
                      struct error *why);
    void (*body_close)(struct engine *e, struct engine_body *b);    /* NULL is fine */

    /* The one note with this key, or none; up to `limit` of a kind by key, those
     * behind `after`; up to `limit` by due time, those due by `now` whose key
     * belongs to `slot` of `slots` (schedule_slot), or to any (QUEUE_ALL_SLOTS). The cost of each is that of
     * what it gives, and for the last of what is due to other slots. */
    bool (*find_note)(struct engine *e, uint8_t kind, const char *key, note_each *each, void *arg, struct error *why);
    bool (*list_notes)(struct engine *e, uint8_t kind, const char *after, size_t limit, note_each *each, void *arg,
                       struct error *why);
    bool (*due_notes)(struct engine *e, uint8_t kind, unsigned slot, unsigned slots, time_ms now, size_t limit,
                      note_each *each, void *arg, struct error *why);

    /* Up to `limit` in the order of day and key, those behind (day, after). */
    bool (*list_tallies)(struct engine *e, uint32_t day, struct slice after, size_t limit, engine_each_tally *each,
                         void *arg, struct error *why);

    /* Up to `limit` of one day by key, those that begin with `prefix` and stand behind `after`; costs what it gives. */
    bool (*find_tallies)(struct engine *e, uint32_t day, struct slice prefix, struct slice after, size_t limit,
                         engine_each_tally *each, void *arg, struct error *why);

    void (*figures)(struct engine *e, struct engine_figures *out);
};

struct engine {
    const struct engine_class *class;
};

/* SQLite and segment files below one directory, which it locks. */
struct engine *engine_sqlite_open(const char *directory, struct error *why) must_check;

#endif

#include "serve/scribe.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/fiber.h"

#include <assert.h>

enum {
    PATIENCE_MS = 5000,
    GATHER_MS = 1000,
    PENDING_MAX = 4 * 1024 * 1024,      /* frames that wait for a store */
    TALLY_BUCKETS = 256,
    MS_PER_DAY = 24 * 60 * 60 * 1000,
};

/* A question that a fiber waits for, on that fiber's stack. */
struct question {
    uint64_t ticket;
    struct fiber *asker;
    struct arena *arena;
    int answer;
    struct slice value;             /* of a recall */
    struct note *notes;             /* of those that are due; NULL for a recall */
    size_t count;
    bool done;
    struct question *next;
};

struct count {
    uint32_t day;
    struct slice key;
    uint64_t count;
    struct count *next;
};

struct scribe {
    void (*changed)(void *self, uint8_t kind, const char *key);
    void *self;
    struct channel *store;
    uint64_t links;                 /* stores there have been: a new one may have the old one's address */
    uint64_t changes;               /* notes that others have changed */
    uint64_t last_ticket;
    struct question *questions;
    struct buf pending;             /* notes as blocks, while there is no store */
    struct timer *gather;
    struct arena keys;              /* of the counts */
    struct count *buckets[TALLY_BUCKETS];
    size_t counted;
};

static void send_counts(void *owner);

struct scribe *scribe_new(void (*changed)(void *self, uint8_t kind, const char *key), void *self)
{
    struct scribe *n = NEW(struct scribe);

    n->changed = changed;
    n->self = self;
    buf_init(&n->pending, PENDING_MAX);
    arena_init(&n->keys, 2 * FRAME_TALLIES_MAX * TALLY_KEY_MAX);
    n->gather = timer_new(send_counts, n);
    return n;
}

void scribe_free(struct scribe *n)
{
    if (!n)
        return;
    assert(!n->questions);
    timer_free(n->gather);
    arena_done(&n->keys);
    buf_done(&n->pending);
    free(n);
}

/* --- questions ----------------------------------------------------------------- */

static struct question *find_question(struct scribe *n, uint64_t ticket)
{
    struct question *q = n->questions;

    while (q && q->ticket != ticket)
        q = q->next;
    return q;
}

static void answered(struct question *q)
{
    q->done = true;
    fiber_wake(q->asker);
}

static void forget_question(struct scribe *n, struct question *q)
{
    struct question **at = &n->questions;

    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
}

/* Puts the question and waits for its answer; a store that is being replaced is waited for as well. */
static void ask(struct scribe *n, struct question *q, enum frame_type type, struct slice frame)
{
    time_ms deadline = clock_now() + PATIENCE_MS;
    enum wake wake = FIBER_WOKEN;
    uint64_t asked = 0;

    q->asker = fiber_current();
    q->next = n->questions;
    n->questions = q;
    while (!q->done && wake == FIBER_WOKEN) {
        if (n->store && asked != n->links) {
            channel_send(n->store, (uint8_t)type, frame);
            asked = n->links;
        }
        wake = fiber_wait(deadline);
    }
    forget_question(n, q);
}

static int recall_once(struct scribe *n, uint8_t kind, const char *key, struct arena *arena, struct slice *value)
{
    struct question q = { .ticket = ++n->last_ticket, .arena = arena, .answer = RECALL_UNKNOWN };
    const struct frame_recall recall = { q.ticket, kind, key };
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 1024);
    frame_put_recall(&frame, &recall);
    if (frame.failed)
        return RECALL_NONE;     /* no key that could be kept */
    ask(n, &q, FRAME_RECALL, buf_slice(&frame));
    if (q.answer == RECALL_FOUND)
        *value = q.value;
    return q.answer;
}

/* Behind an answer may stand, in the same read, that somebody has changed what it says: then it is asked for again. */
int scribe_recall(struct scribe *n, uint8_t kind, const char *key, struct arena *arena, struct slice *value)
{
    enum { TRIES = 3 };
    int answer = RECALL_UNKNOWN;

    for (int i = 0; i < TRIES; i++) {
        uint64_t changes = n->changes;

        answer = recall_once(n, kind, key, arena, value);
        if (answer == RECALL_UNKNOWN || changes == n->changes)
            break;
    }
    return answer;
}

size_t scribe_due(struct scribe *n, uint8_t kind, struct arena *arena, struct note out[FRAME_NOTES_MOST])
{
    struct question q = { .ticket = ++n->last_ticket, .arena = arena, .notes = out };
    const struct frame_notes_due due = { q.ticket, kind, clock_wall(), FRAME_NOTES_MOST };
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 64);
    frame_put_notes_due(&frame, &due);
    ask(n, &q, FRAME_NOTES_DUE, buf_slice(&frame));
    return q.count;
}

static bool take_recalled(struct scribe *n, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct frame_recalled f;
    struct question *q;

    arena_init(&arena, 4096);
    if (!frame_get_recalled(body, &arena, &f))
        return false;
    q = find_question(n, f.ticket);
    if (!q || q->done)
        return true;            /* it gave up waiting */
    if (q->notes)
        return false;
    q->answer = f.answer;
    q->value = arena_copy(q->arena, f.note.value);
    if (q->arena->failed)
        q->answer = RECALL_UNKNOWN;
    answered(q);
    return true;
}

static bool take_due_note(struct scribe *n, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct frame_recalled f;
    struct question *q;

    arena_init(&arena, 4096);
    if (!frame_get_recalled(body, &arena, &f) || f.answer != RECALL_FOUND)
        return false;
    q = find_question(n, f.ticket);
    if (!q || q->done)
        return true;
    if (!q->notes || q->count >= FRAME_NOTES_MOST)
        return false;
    q->notes[q->count] = f.note;
    q->notes[q->count].key = arena_string(q->arena, slice_of(f.note.key));
    q->notes[q->count].value = arena_copy(q->arena, f.note.value);
    q->count += !q->arena->failed;
    return true;
}

static bool take_due_end(struct scribe *n, struct slice body)
{
    struct question *q;
    uint64_t ticket;

    if (!frame_get_ticket(body, &ticket))
        return false;
    q = find_question(n, ticket);
    if (q && !q->done)
        answered(q);
    return true;
}

static bool take_changed(struct scribe *n, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct frame_note_key f;

    arena_init(&arena, 4096);
    if (!frame_get_note_key(body, &arena, &f))
        return false;
    n->changes++;
    n->changed(n->self, f.kind, f.key);
    return true;
}

bool scribe_takes(struct scribe *n, uint8_t type, struct slice body, bool *good)
{
    switch (type) {
    case FRAME_RECALLED: *good = take_recalled(n, body); return true;
    case FRAME_DUE_NOTE: *good = take_due_note(n, body); return true;
    case FRAME_DUE_END: *good = take_due_end(n, body); return true;
    case FRAME_NOTES_CHANGED: *good = take_changed(n, body); return true;
    default: return false;
    }
}

/* --- keeping --------------------------------------------------------------------- */

void scribe_keep(struct scribe *n, const struct note *note)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 2 * NOTE_VALUE_MAX);
    frame_put_note(&frame, note);
    if (frame.failed)
        return;
    if (n->store) {
        channel_send(n->store, FRAME_NOTE, buf_slice(&frame));
        return;
    }
    if (buf_len(&n->pending) + buf_len(&frame) + 4 > PENDING_MAX) {
        log_say(LOG_LEVEL_WARNING, "notes.dropped", NULL, "the store has been away for long: a note of %s is lost",
                note->key);
        return;
    }
    buf_block(&n->pending, buf_slice(&frame));
}

static void send_pending(struct scribe *n)
{
    while (buf_len(&n->pending) > 0) {
        struct slice all = buf_slice(&n->pending);
        uint32_t len = (uint32_t)(uint8_t)all.at[0] << 24 | (uint32_t)(uint8_t)all.at[1] << 16 |
                       (uint32_t)(uint8_t)all.at[2] << 8 | (uint8_t)all.at[3];

        channel_send(n->store, FRAME_NOTE, slice(all.at + 4, len));
        buf_take(&n->pending, 4 + len);
    }
}

void scribe_link(struct scribe *n, struct channel *store)
{
    n->store = store;
    if (!store)
        return;
    n->links++;
    send_pending(n);
    send_counts(n);
    for (struct question *q = n->questions; q; q = q->next)
        if (!q->done) {
            q->count = 0;
            fiber_wake(q->asker);       /* to ask anew */
        }
}

/* --- counting ----------------------------------------------------------------------- */

static void forget_counts(struct scribe *n)
{
    memset(n->buckets, 0, sizeof n->buckets);
    n->counted = 0;
    arena_reset(&n->keys);
}

static void send_counts(void *owner)
{
    struct scribe *n = owner;
    struct tally tallies[FRAME_TALLIES_MAX];
    struct frame_tallies f = { tallies, 0 };
    auto_buf struct buf frame = { 0 };

    timer_stop(n->gather);
    for (size_t i = 0; i < TALLY_BUCKETS; i++)
        for (const struct count *c = n->buckets[i]; c; c = c->next)
            tallies[f.count++] = (struct tally){ c->day, c->key, c->count };
    if (n->store && f.count > 0) {
        buf_init(&frame, CHANNEL_FRAME_MAX);
        frame_put_tallies(&frame, &f);
        channel_send(n->store, FRAME_TALLY, buf_slice(&frame));
    }
    if (n->store || n->counted >= FRAME_TALLIES_MAX)
        forget_counts(n);
}

static struct count **bucket_of(struct scribe *n, struct slice key)
{
    return &n->buckets[slice_hash(key) % TALLY_BUCKETS];
}

void scribe_flush(struct scribe *n)
{
    send_counts(n);
}

void scribe_count(struct scribe *n, struct slice key, uint64_t count)
{
    uint32_t day = (uint32_t)(clock_wall() / MS_PER_DAY);
    struct count **bucket = bucket_of(n, key), *c = *bucket;

    while (c && !(c->day == day && slice_equal(c->key, key)))
        c = c->next;
    if (c) {
        c->count += count;
        return;
    }
    if (n->counted == FRAME_TALLIES_MAX)
        send_counts(n);
    c = arena_take(&n->keys, sizeof *c);
    if (!c || key.len > TALLY_KEY_MAX)
        return;
    *c = (struct count){ day, arena_copy(&n->keys, key), count, *bucket };
    *bucket = c;
    if (n->counted++ == 0)
        timer_set(n->gather, loop_now() + GATHER_MS);
}

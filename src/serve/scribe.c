#include "serve/scribe_inside.h"

#include "base/log.h"
#include "base/memory.h"

#include <assert.h>

enum {
    GATHER_MS = 1000,
    PENDING_MAX = 4 * 1024 * 1024,      /* frames that wait for a store */
    MS_PER_DAY = 24 * 60 * 60 * 1000,
};

static void send_counts(void *owner);

struct scribe *scribe_new(void (*changed)(void *self, uint8_t kind, const char *key), void *self)
{
    struct scribe *n = NEW(struct scribe);

    n->changed = changed;
    n->self = self;
    buf_init(&n->pending, PENDING_MAX);
    arena_init(&n->keys, FRAME_TALLIES_MAX * (2 * TALLY_KEY_MAX + 256));
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

/* --- what the store says ----------------------------------------------------------- */

static bool take_recalled(struct scribe *n, uint8_t type, struct slice body)
{
    uint64_t ticket;

    return frame_get_ticket(slice_first(body, sizeof ticket), &ticket) && question_told(n, ticket, type, body);
}

static bool take_told(struct scribe *n, struct slice body)
{
    struct frame_ticketed f;

    return frame_get_ticketed(body, &f) && question_told(n, f.ticket, f.type, f.body);
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
    case FRAME_RECALLED:
    case FRAME_DUE_NOTE:
    case FRAME_DUE_END:
    case FRAME_ACCEPTED:
        *good = take_recalled(n, type, body);
        return true;
    case FRAME_TOLD:
        *good = take_told(n, body);
        return true;
    case FRAME_NOTES_CHANGED:
        *good = take_changed(n, body);
        return true;
    default:
        return false;
    }
}

/* --- keeping --------------------------------------------------------------------- */

void scribe_keep(struct scribe *n, const struct note *note)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 2 * NOTE_VALUE_MAX);
    if (!note_is_sensible(note, NULL))
        return;
    frame_put_note(&frame, note);
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
        if (!q->done)
            fiber_wake(q->asker);       /* to ask anew */
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
            tallies[f.count++] = (struct tally){ c->day, c->key, c->count, c->rest };
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

static void count_new(struct scribe *n, uint32_t day, struct slice key, struct slice rest, uint64_t count)
{
    struct count **bucket = bucket_of(n, key), *c;

    if (n->counted == FRAME_TALLIES_MAX)
        send_counts(n);
    c = arena_take(&n->keys, sizeof *c);
    if (!c)
        return;
    *c = (struct count){ day, arena_copy(&n->keys, key), arena_copy(&n->keys, rest), count, *bucket };
    *bucket = c;
    if (n->counted++ == 0)
        timer_set(n->gather, loop_now() + GATHER_MS);
}

void scribe_count(struct scribe *n, struct slice key, struct slice rest, uint64_t count)
{
    uint32_t day = (uint32_t)(clock_wall() / MS_PER_DAY);
    struct count *c = *bucket_of(n, key);

    if (key.len == 0 || key.len > TALLY_KEY_MAX || rest.len > TALLY_KEY_MAX)
        return;
    while (c && !(c->day == day && slice_equal(c->key, key)))
        c = c->next;
    if (c)
        c->count += count;
    else if (count > 0)
        count_new(n, day, key, rest, count);
}

#include "serve/bell.h"

#include "base/memory.h"

enum {
    GATHER_MS = 60 * 1000,
    LOOK_MS = 1000,                 /* what is gathered is looked at so often */
    QUIET_MS = 60 * 60 * 1000,      /* after so long it is a new story, counted from one */
    RUNG_MAX = 1000,                /* stories at once: what is forgotten for another was written */
    BUCKETS = 64,
};

/* A story: events of one kind about one subject. */
struct rung {
    char key[EVENT_KEY_MAX];
    struct buf bytes;               /* all of them since it began, joined and encoded */
    time_ms heard, written;         /* the last one; clock_now */
    bool dirty;                     /* more came since */
    struct rung *next;
};

struct bell {
    struct scribe *scribe;
    unsigned wanted;
    struct rung *buckets[BUCKETS];
    size_t count;
    struct timer *gather;
    bool gathering;                 /* something is dirty, and the timer set */
};

static void write_gathered(void *owner);

struct bell *bell_new(struct scribe *n, unsigned wanted)
{
    struct bell *b = NEW(struct bell);

    b->scribe = n;
    b->wanted = wanted;
    b->gather = timer_new(write_gathered, b);
    return b;
}

bool bell_wants(const struct bell *b, enum event_kind kind)
{
    return b && (b->wanted >> kind & 1);
}

/* --- writing ------------------------------------------------------------------- */

static void write_note(struct bell *b, struct rung *r)
{
    scribe_keep(b->scribe, &(struct note){ NOTE_EVENT, r->key, clock_wall(), buf_slice(&r->bytes) });
    r->written = loop_now();
    r->dirty = false;
}

/* Once a minute, and the first at once. */
static void write_or_wait(struct bell *b, struct rung *r)
{
    if (!r->dirty)
        return;
    if (r->written == 0 || r->written + GATHER_MS <= loop_now()) {
        write_note(b, r);
    } else if (!b->gathering) {
        timer_set(b->gather, loop_now() + LOOK_MS);
        b->gathering = true;
    }
}

static void write_gathered(void *owner)
{
    struct bell *b = owner;

    b->gathering = false;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct rung *r = b->buckets[i]; r; r = r->next)
            write_or_wait(b, r);
}

/* --- stories -------------------------------------------------------------------- */

static struct rung **place_of(struct bell *b, const char *key)
{
    struct rung **at = &b->buckets[slice_hash(slice_of(key)) % BUCKETS];

    while (*at && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    return at;
}

static void forget(struct bell *b, struct rung *r)
{
    if (r->dirty)
        write_note(b, r);
    *place_of(b, r->key) = r->next;
    b->count--;
    buf_done(&r->bytes);
    free(r);
}

static void forget_oldest(struct bell *b)
{
    struct rung *oldest = NULL;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct rung *r = b->buckets[i]; r; r = r->next)
            if (!oldest || r->heard < oldest->heard)
                oldest = r;
    forget(b, oldest);
}

static struct rung *story_of(struct bell *b, const struct event *e)
{
    char key[EVENT_KEY_MAX];
    struct rung *r = *place_of(b, event_key(e, key));

    if (r)
        return r;
    if (b->count == RUNG_MAX)
        forget_oldest(b);
    r = NEW(struct rung);
    memcpy(r->key, key, sizeof key);
    buf_init(&r->bytes, EVENT_BYTES_MAX);
    *place_of(b, key) = r;
    b->count++;
    return r;
}

static void join(struct rung *r, const struct event *more)
{
    auto_arena struct arena arena = { 0 };
    struct event all = *more;

    arena_init(&arena, 2 * EVENT_BYTES_MAX);
    if (loop_now() < r->heard + QUIET_MS && event_decode(buf_slice(&r->bytes), &arena, &all))
        event_join(&all, more);
    buf_clear(&r->bytes);
    event_encode(&all, &r->bytes);
    r->heard = loop_now();
}

void bell_ring(struct bell *b, const struct event *e)
{
    struct event one = *e;
    struct rung *r;

    if (!bell_wants(b, e->kind))
        return;
    one.first = one.last = clock_wall();
    one.count = e->count ? e->count : 1;
    r = story_of(b, &one);
    join(r, &one);
    r->dirty = true;
    write_or_wait(b, r);
}

void bell_flush(struct bell *b)
{
    for (size_t i = 0; b && i < BUCKETS; i++)
        for (struct rung *r = b->buckets[i]; r; r = r->next)
            if (r->dirty)
                write_note(b, r);
}

void bell_free(struct bell *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (b->buckets[i])
            forget(b, b->buckets[i]);
    timer_free(b->gather);
    free(b);
}

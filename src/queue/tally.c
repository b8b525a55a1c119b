#include "queue/inside.h"

#include "base/log.h"
#include "base/memory.h"

#include <assert.h>

/* Between two flushes; reached only when the disk takes nothing for long. */
enum { GATHERED_BYTES_MAX = 32 * 1024 * 1024 };

/* So many old ones go with one group, so that mail does not wait for a million rows. */
enum { PIECE = 10000 };

struct counted {
    struct table_link link;
    struct counted *next;
    uint32_t day;
    uint64_t count;
    struct slice key, rest;
};

void tallies_init(struct tallies *t)
{
    *t = (struct tallies){ 0 };
    arena_init(&t->memory, GATHERED_BYTES_MAX);
}

void tallies_done(struct tallies *t)
{
    table_done(&t->table);
    arena_done(&t->memory);
}

/* --- gathering ------------------------------------------------------------- */

static uint64_t hash_of(uint32_t day, struct slice key)
{
    return slice_hash(key) + day;
}

static struct counted *find(const struct tallies *all, const struct tally *t)
{
    struct table_link *link = table_find(&all->table, hash_of(t->day, t->key));

    for (; link; link = table_next(link)) {
        struct counted *c = TABLE_OF(struct counted, link, link);

        if (c->day == t->day && slice_equal(c->key, t->key))
            return c;
    }
    return NULL;
}

static struct counted *add(struct tallies *all, const struct tally *t)
{
    struct counted *c = arena_take(&all->memory, sizeof *c);
    struct slice key = arena_copy(&all->memory, t->key), rest = arena_copy(&all->memory, t->rest);

    if (all->memory.failed)
        return NULL;
    c->link.key = hash_of(t->day, t->key);
    c->day = t->day;
    c->key = key;
    c->rest = rest;
    c->next = all->first;
    all->first = c;
    table_add(&all->table, &c->link);
    return c;
}

void queue_tally(struct queue *q, const struct tally *t)
{
    struct tallies *all = &q->tallies;
    struct counted *c = find(all, t);

    assert(t->key.len > 0 && t->key.len <= TALLY_KEY_MAX && t->rest.len <= TALLY_KEY_MAX);
    if (!c)
        c = add(all, t);
    if (c) {
        c->count = t->count < INT64_MAX - c->count ? c->count + t->count : INT64_MAX;
    } else if (!all->overflow) {
        log_say(LOG_LEVEL_ERROR, "queue.tallies", NULL, "too much waits to be stored: some is not counted");
        all->overflow = true;
    }
}

/* --- writing ------------------------------------------------------------------ */

struct tally_member {
    struct member member;
    struct counted *first;
    struct crowds *crowds;          /* the queue's */
    struct crowds added;            /* to them by the last apply: no more than it has room for is known */
};

static struct crowd *crowd_find(struct crowds *all, uint32_t day, uint8_t kind)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->at[i].day == day && all->at[i].kind == kind)
            return &all->at[i];
    return NULL;
}

/* With too many of them all are forgotten; they are counted again when needed. */
static struct crowd *crowd_new(struct crowds *all, uint32_t day, uint8_t kind, uint64_t keys)
{
    if (all->count == sizeof all->at / sizeof *all->at)
        all->count = 0;
    all->at[all->count] = (struct crowd){ day, kind, keys };
    return &all->at[all->count++];
}

static void note_added(struct crowds *added, uint32_t day, uint8_t kind)
{
    struct crowd *c = crowd_find(added, day, kind);

    if (!c)
        c = crowd_new(added, day, kind, 0);
    c->keys++;
}

/* What was added has been rolled back. */
static void take_back(struct tally_member *t)
{
    for (size_t i = 0; i < t->added.count; i++) {
        const struct crowd *gone = &t->added.at[i];
        struct crowd *c = crowd_find(t->crowds, gone->day, gone->kind);

        if (c)
            c->keys -= gone->keys < c->keys ? gone->keys : c->keys;
    }
    t->added.count = 0;
}

/* Under this key, unless it would be one more than `most`. */
static bool count_under(struct tally_member *t, struct engine *e, const struct tally *tally, uint64_t most,
                        bool *counted, struct error *why)
{
    uint8_t kind = (uint8_t)tally->key.at[0];
    struct crowd *crowd;
    uint64_t keys;

    if (!e->class->add_tally(e, tally, counted, why))
        return false;
    if (*counted)
        return true;
    crowd = crowd_find(t->crowds, tally->day, kind);
    if (!crowd) {
        if (!e->class->count_tallies(e, tally->day, kind, &keys, why))
            return false;
        crowd = crowd_new(t->crowds, tally->day, kind, keys);
    }
    if (crowd->keys >= most)
        return true;
    *counted = true;
    crowd->keys++;
    note_added(&t->added, tally->day, kind);
    return e->class->new_tally(e, tally, why);
}

/* A rest may find its place even when the keys have taken theirs. */
static bool count_one(struct tally_member *t, struct engine *e, const struct counted *c, struct error *why)
{
    enum { RESTS = TALLY_KEYS_MAX / 10 };
    bool counted = false;

    if (!count_under(t, e, &(struct tally){ .day = c->day, .key = c->key, .count = c->count }, TALLY_KEYS_MAX, &counted,
                     why))
        return false;
    return counted || slice_empty(c->rest) ||
           count_under(t, e, &(struct tally){ .day = c->day, .key = c->rest, .count = c->count },
                       TALLY_KEYS_MAX + RESTS, &counted, why);
}

static bool tally_apply(struct member *m, struct engine *e, struct error *why)
{
    struct tally_member *t = (struct tally_member *)m;

    take_back(t);
    for (const struct counted *c = t->first; c; c = c->next)
        if (!count_one(t, e, c, why))
            return false;
    return true;
}

/* What was not stored counts on. */
static void tally_applied(struct queue *q, struct member *m)
{
    struct tally_member *t = (struct tally_member *)m;

    kept_report(q, m->done, &m->why);
    if (m->done)
        return;
    take_back(t);
    for (const struct counted *c = t->first; c; c = c->next)
        queue_tally(q, &(struct tally){ c->day, c->key, c->count, c->rest });
}

static void nobody_asked(void *arg, bool done, const struct error *why)
{
}

static const struct member_kind tally_kind = {
    .apply = tally_apply,
    .applied = tally_applied,
};

void queue_tally_flush(struct queue *q)
{
    struct tallies *all = &q->tallies;
    struct tally_member *t;

    if (!all->first)
        return;
    t = (struct tally_member *)member_new(sizeof *t, &tally_kind, nobody_asked, NULL);
    t->first = all->first;
    t->crowds = &q->crowds;
    t->member.memory = all->memory;
    table_done(&all->table);
    tallies_init(all);
    member_join(q, &t->member);
}

/* --- reading --------------------------------------------------------------------- */

struct listing {
    uint32_t *day;
    struct buf *after;
    void (*each)(void *arg, const struct tally *t);
    void *arg;
    size_t count;
};

static void list_one(void *arg, const struct tally *t)
{
    struct listing *l = arg;

    l->count++;
    *l->day = t->day;
    buf_clear(l->after);
    buf_add(l->after, t->key);
    l->each(l->arg, t);
}

size_t queue_tally_list(struct queue *q, uint32_t *day, struct buf *after, size_t limit,
                        void (*each)(void *arg, const struct tally *t), void *arg)
{
    struct listing l = { .day = day, .after = after, .each = each, .arg = arg };
    auto_buf struct buf from;
    struct error why = { 0 };

    buf_init(&from, TALLY_KEY_MAX);     /* the place moves while it is compared with */
    buf_add(&from, buf_slice(after));
    if (!q->engine->class->list_tallies(q->engine, *day, buf_slice(&from), limit, list_one, &l, &why))
        log_say(LOG_LEVEL_ERROR, "queue.read", &why, "the tallies cannot be listed");
    return l.count;
}

size_t queue_tally_find(struct queue *q, uint32_t day, struct slice prefix, struct buf *after, size_t limit,
                        void (*each)(void *arg, const struct tally *t), void *arg)
{
    struct listing l = { .day = &day, .after = after, .each = each, .arg = arg };
    auto_buf struct buf from;
    struct error why = { 0 };

    buf_init(&from, TALLY_KEY_MAX);
    buf_add(&from, buf_slice(after));
    if (!q->engine->class->find_tallies(q->engine, day, prefix, buf_slice(&from), limit, list_one, &l, &why))
        log_say(LOG_LEVEL_ERROR, "queue.read", &why, "the tallies cannot be found");
    return l.count;
}

/* --- forgetting ---------------------------------------------------------------------- */

struct forget_member {
    struct member member;
    uint32_t day;
    size_t count;
};

static bool forget_apply(struct member *m, struct engine *e, struct error *why)
{
    struct forget_member *f = (struct forget_member *)m;

    return e->class->forget_tallies(e, f->day, PIECE, &f->count, why);
}

static void forget_applied(struct queue *q, struct member *m)
{
    if (m->done)
        q->crowds.count = 0;
    m->again = m->done && ((struct forget_member *)m)->count == PIECE;
}

static const struct member_kind forget_kind = {
    .apply = forget_apply,
    .applied = forget_applied,
};

void queue_tally_forget(struct queue *q, uint32_t day)
{
    struct forget_member *f = (struct forget_member *)member_new(sizeof *f, &forget_kind, nobody_asked, NULL);

    f->day = day;
    member_join(q, &f->member);
}

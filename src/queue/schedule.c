#include "queue/schedule.h"

#include "base/memory.h"
#include "queue/table.h"

#include <assert.h>

struct destination {
    struct table_link link;             /* by the hash of its name */
    struct destination *before, *behind;    /* in its slot's round */
    struct delivery *first, *last;      /* READY, in line */
    size_t deliveries;                  /* that go here; without any it is forgotten */
    unsigned slot, taken;
    bool in_round;                      /* it has something in line and may have more out */
    char name[];
};

struct round {
    struct destination *first, *last;   /* whose turn is next comes first */
};

struct schedule {
    struct table destinations;
    struct round *rounds;               /* one for each slot */
    unsigned slots, per_destination;
    struct delivery **heap;             /* the earliest at 0 */
    size_t waiting, capacity;
    size_t ready;
    size_t in_rounds;                   /* destinations, over all slots */
};

enum { ONE_BY_ONE_MOST = 256 };         /* due at the same time; more are swept out of the heap together */

struct schedule *schedule_new(unsigned slots, unsigned per_destination)
{
    struct schedule *s = NEW(struct schedule);

    assert(slots > 0 && per_destination > 0);
    s->slots = slots;
    s->per_destination = per_destination;
    s->rounds = memory_array(slots, sizeof *s->rounds);
    return s;
}

void schedule_free(struct schedule *s)
{
    struct table_link *link;
    size_t bucket = 0;

    if (!s)
        return;
    while ((link = table_take_any(&s->destinations, &bucket)))
        free(TABLE_OF(struct destination, link, link));
    table_done(&s->destinations);
    free(s->rounds);
    free(s->heap);
    free(s);
}

/* --- rounds: destinations that take turns ------------------------------ */

static void round_leave(struct schedule *s, struct destination *to)
{
    struct round *r = &s->rounds[to->slot];

    if (!to->in_round)
        return;
    *(to->before ? &to->before->behind : &r->first) = to->behind;
    *(to->behind ? &to->behind->before : &r->last) = to->before;
    to->in_round = false;
    s->in_rounds--;
}

static void round_join(struct schedule *s, struct destination *to)
{
    struct round *r = &s->rounds[to->slot];

    to->before = r->last;
    to->behind = NULL;
    *(r->last ? &r->last->behind : &r->first) = to;
    r->last = to;
    to->in_round = true;
    s->in_rounds++;
}

/* After its line or its number of deliveries out has changed. */
static void round_update(struct schedule *s, struct destination *to)
{
    bool belongs = to->first && to->taken < s->per_destination;

    if (belongs && !to->in_round)
        round_join(s, to);
    else if (!belongs)
        round_leave(s, to);
}

/* --- lines: READY deliveries of one destination ------------------------ */

static void line_join(struct schedule *s, struct delivery *d)
{
    struct destination *to = d->destination;

    d->before = to->last;
    d->behind = NULL;
    *(to->last ? &to->last->behind : &to->first) = d;
    to->last = d;
    d->state = DELIVERY_READY;
    s->ready++;
    round_update(s, to);
}

static void line_leave(struct schedule *s, struct delivery *d)
{
    struct destination *to = d->destination;

    *(d->before ? &d->before->behind : &to->first) = d->behind;
    *(d->behind ? &d->behind->before : &to->last) = d->before;
    s->ready--;
    round_update(s, to);
}

/* --- heap: WAITING deliveries ------------------------------------------ */

static void heap_put(struct schedule *s, size_t at, struct delivery *d)
{
    s->heap[at] = d;
    d->place = (uint32_t)at & 0x3fffffff;
}

static void heap_up(struct schedule *s, size_t at, struct delivery *d)
{
    while (at > 0 && s->heap[(at - 1) / 2]->due > d->due) {
        heap_put(s, at, s->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(s, at, d);
}

static void heap_down(struct schedule *s, size_t at, struct delivery *d)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < s->waiting && s->heap[child + 1]->due < s->heap[child]->due)
            child++;
        if (child >= s->waiting || s->heap[child]->due >= d->due)
            break;
        heap_put(s, at, s->heap[child]);
        at = child;
    }
    heap_put(s, at, d);
}

static void heap_join(struct schedule *s, struct delivery *d)
{
    if (s->waiting == s->capacity) {
        s->capacity = s->capacity ? s->capacity + s->capacity / 2 : 64;
        s->heap = memory_grow(s->heap, s->capacity, sizeof(struct delivery *));
    }
    d->state = DELIVERY_WAITING;
    heap_up(s, s->waiting++, d);
}

static void heap_leave(struct schedule *s, struct delivery *d)
{
    size_t at = d->place;
    struct delivery *last = s->heap[--s->waiting];

    if (last == d)
        return;
    if (at > 0 && s->heap[(at - 1) / 2]->due > last->due)
        heap_up(s, at, last);
    else
        heap_down(s, at, last);
}

/* After a long standstill nearly all is due: one walk through the heap
 * costs less than taking its top a million times. */
static void sweep(struct schedule *s, time_ms now)
{
    size_t all = s->waiting;

    s->waiting = 0;
    for (size_t i = 0; i < all; i++) {
        struct delivery *d = s->heap[i];

        if (d->due <= now)
            line_join(s, d);
        else
            heap_put(s, s->waiting++, d);
    }
    for (size_t i = s->waiting / 2; i-- > 0;)
        heap_down(s, i, s->heap[i]);
}

static void advance(struct schedule *s, time_ms now)
{
    for (int i = 0; i < ONE_BY_ONE_MOST; i++) {
        struct delivery *d = s->waiting ? s->heap[0] : NULL;

        if (!d || d->due > now)
            return;
        heap_leave(s, d);
        line_join(s, d);
    }
    sweep(s, now);
}

/* --- deliveries -------------------------------------------------------- */

static unsigned slot_of(uint64_t hash, unsigned slots)
{
    return (unsigned)(hash % slots);
}

unsigned schedule_slot(struct slice destination, unsigned slots)
{
    return slot_of(slice_hash(destination), slots);
}

static struct destination *destination_named(struct schedule *s, const char *name)
{
    struct slice text = slice_of(name);
    uint64_t hash = slice_hash(text);
    struct destination *to;

    for (struct table_link *link = table_find(&s->destinations, hash); link; link = table_next(link)) {
        to = TABLE_OF(struct destination, link, link);
        if (strcmp(to->name, name) == 0)
            return to;
    }
    to = memory_new(sizeof *to + text.len + 1);
    memcpy(to->name, text.at, text.len);
    to->slot = slot_of(hash, s->slots);
    to->link.key = hash;
    table_add(&s->destinations, &to->link);
    return to;
}

struct delivery *schedule_delivery(struct schedule *s, const char *destination)
{
    struct delivery *d = NEW(struct delivery);

    d->destination = destination_named(s, destination);
    d->destination->deliveries++;
    d->state = DELIVERY_HELD;
    return d;
}

/* Out of the heap, the line, or somebody's hands. */
static void leave(struct schedule *s, struct delivery *d)
{
    switch ((enum delivery_state)d->state) {
    case DELIVERY_HELD:
        break;
    case DELIVERY_WAITING:
        heap_leave(s, d);
        break;
    case DELIVERY_READY:
        line_leave(s, d);
        break;
    case DELIVERY_TAKEN:
        d->destination->taken--;
        round_update(s, d->destination);
        break;
    }
    d->state = DELIVERY_HELD;
}

void schedule_forget(struct schedule *s, struct delivery *d)
{
    struct destination *to = d->destination;

    leave(s, d);
    free(d);
    if (--to->deliveries > 0)
        return;
    table_remove(&s->destinations, &to->link);
    free(to);
}

void schedule_at(struct schedule *s, struct delivery *d, time_ms due)
{
    leave(s, d);
    d->due = due;
    if (due <= 0)
        line_join(s, d);        /* at once, whatever the time is */
    else
        heap_join(s, d);
}

void schedule_hold(struct schedule *s, struct delivery *d)
{
    leave(s, d);
}

void schedule_claim(struct schedule *s, struct delivery *d)
{
    assert(d->state != DELIVERY_TAKEN);
    leave(s, d);
    d->state = DELIVERY_TAKEN;
    d->destination->taken++;
    round_update(s, d->destination);
}

struct delivery *schedule_take(struct schedule *s, time_ms now, unsigned slot)
{
    struct destination *to;
    struct delivery *d;

    assert(slot < s->slots);
    advance(s, now);
    to = s->rounds[slot].first;
    if (!to)
        return NULL;
    d = to->first;
    schedule_claim(s, d);
    if (to->in_round) {         /* its turn is over */
        round_leave(s, to);
        round_join(s, to);
    }
    return d;
}

time_ms schedule_next(const struct schedule *s)
{
    if (s->in_rounds)
        return 0;
    return s->waiting ? s->heap[0]->due : TIME_NEVER;
}

size_t schedule_ready(const struct schedule *s)
{
    return s->ready;
}

const char *schedule_destination(const struct delivery *d)
{
    return d->destination->name;
}

#include "queue/inside.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

struct loading {
    struct queue *q;
    struct message *last;
};

static void load_one(void *arg, const struct engine_due *due)
{
    struct loading *l = arg;

    message_load(l->q, due, &l->last);
}

static bool lease_numbers(struct queue *q, struct error *why)
{
    if (getrandom(&q->last_lease, sizeof q->last_lease, 0) != (ssize_t)sizeof q->last_lease)
        return fail_errno(why, E_SYSTEM, "random number");
    return true;
}

struct queue *queue_over(struct engine *e, const struct queue_settings *s, struct error *why)
{
    struct queue *q = NEW(struct queue);
    struct loading l = { .q = q };

    q->engine = e;
    q->minimum_free = s->minimum_free;
    q->waiting_end = &q->waiting;
    q->slots = s->slots ? s->slots : 1;
    q->schedule = schedule_new(q->slots, s->per_destination ? s->per_destination : 1);
    tallies_init(&q->tallies);
    if (lease_numbers(q, why) && e->class->load(e, load_one, &l, why))
        return q;
    queue_close(q);
    return NULL;
}

struct queue *queue_open(const struct queue_settings *s, struct error *why)
{
    struct engine *e = engine_sqlite_open(s->directory, why);

    return e ? queue_over(e, s, why) : NULL;
}

/* Whoever waits for an answer gets one. */
static void cancel_waiting(struct queue *q)
{
    struct error why = { 0 };

    fail(&why, E_CANCELLED, "the queue is closing");
    while (q->waiting) {
        struct member *m = q->waiting;

        q->waiting = m->next;
        if (!q->waiting)
            q->waiting_end = &q->waiting;
        m->done = false;
        m->why = why;
        member_finish(q, m);
    }
}

/* The schedule goes as a whole: its deliveries need not leave it one by one. */
static void free_message(struct queue *q, struct message *m)
{
    struct delivery *next;

    for (struct delivery *d = m->deliveries; d; d = next) {
        next = d->sibling;
        free(d);
    }
    fresh_forget(q, m);
    free(m);
}

/* Leases first: they alone know of messages that were removed. */
static void free_all(struct queue *q)
{
    struct table_link *link;
    size_t bucket = 0;

    while ((link = table_take_any(&q->leases, &bucket))) {
        struct loan *l = TABLE_OF(struct loan, link, link);
        struct delivery *d = l->delivery;

        q->engine->class->body_close(q->engine, l->body);
        free(l);
        if (d->message->removed)
            message_end_delivery(q, d);
    }
    bucket = 0;
    while ((link = table_take_any(&q->messages, &bucket)))
        free_message(q, TABLE_OF(struct message, link, link));
    table_done(&q->leases);
    table_done(&q->messages);
}

void queue_close(struct queue *q)
{
    if (!q)
        return;
    assert(!q->out);
    cancel_waiting(q);
    free_all(q);
    table_done(&q->notes);
    tallies_done(&q->tallies);
    schedule_free(q->schedule);
    q->engine->class->close(q->engine);
    free(q);
}

void queue_tend(struct queue *q, time_ms now)
{
    q->now = now;
    if (q->engine->class->tend(q->engine) || q->waiting)
        q->group_wanted = true;
}

void queue_figures(const struct queue *q, struct queue_figures *out)
{
    struct engine_figures stored;

    q->engine->class->figures(q->engine, &stored);
    *out = (struct queue_figures){
        .messages = q->messages.count,
        .recipients = q->recipients,
        .due = schedule_ready(q->schedule),
        .leased = q->leases.count,
        .held = q->held,
        .body_bytes = stored.body_bytes,
        .segment_bytes = stored.segment_bytes,
        .oldest_arrival = stored.oldest_arrival,
        .groups = q->groups,
        .group_members = q->members,
    };
}

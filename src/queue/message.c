#include "queue/inside.h"

#include "base/log.h"
#include "base/memory.h"

enum { TRY_LATER = MINUTES(5) };

struct message *message_find(const struct queue *q, message_id id)
{
    struct table_link *link = table_find(&q->messages, id);

    return link ? TABLE_OF(struct message, link, link) : NULL;
}

struct delivery *message_delivery(const struct message *m, const char *destination)
{
    struct delivery *d = m->deliveries;

    while (d && strcmp(schedule_destination(d), destination) != 0)
        d = d->sibling;
    return d;
}

static struct message *message_new(struct queue *q, message_id id)
{
    struct message *m = NEW(struct message);

    m->link.key = id;
    table_add(&q->messages, &m->link);
    return m;
}

static struct delivery *delivery_new(struct queue *q, struct message *m, const char *destination)
{
    struct delivery *d = schedule_delivery(q->schedule, destination);

    d->message = m;
    d->sibling = m->deliveries;
    m->deliveries = d;
    return d;
}

void message_wait(struct queue *q, struct delivery *d, time_ms due)
{
    d->due = due;
    if (d->message->held)
        schedule_hold(q->schedule, d);
    else
        schedule_at(q->schedule, d, due);
}

/* One more recipient; a delivery goes out when its first one is due. */
static void count_recipient(struct queue *q, struct message *m, const char *destination, time_ms due)
{
    struct delivery *d = message_delivery(m, destination);

    if (!d)
        d = delivery_new(q, m, destination);
    if (d->recipients++ == 0 || due < d->due)
        message_wait(q, d, due);
}

struct message *message_enlist(struct queue *q, const struct envelope *e)
{
    struct message *m = message_new(q, e->id);

    for (size_t i = 0; i < e->count; i++)
        count_recipient(q, m, e->recipients[i].destination, 0);
    q->recipients += e->count;
    return m;
}

void message_load(struct queue *q, const struct engine_due *due, struct message **last)
{
    if (!*last || (*last)->link.key != due->id) {
        *last = message_new(q, due->id);
        (*last)->held = due->held;
        q->held += due->held;
    }
    count_recipient(q, *last, due->destination, due->due);
    q->recipients++;
}

static void message_free(struct queue *q, struct message *m)
{
    fresh_forget(q, m);
    if (!m->removed) {
        table_remove(&q->messages, &m->link);
        q->held -= m->held;
    }
    free(m);
}

void message_end_delivery(struct queue *q, struct delivery *d)
{
    struct message *m = d->message;
    struct delivery **at = &m->deliveries;

    while (*at != d)
        at = &(*at)->sibling;
    *at = d->sibling;
    schedule_forget(q->schedule, d);
    if (!m->deliveries)
        message_free(q, m);
}

/* Those not under way; true when that was all, and the message has gone too. */
static bool end_idle_deliveries(struct queue *q, struct message *m)
{
    struct delivery *next;

    for (struct delivery *d = m->deliveries; d; d = next) {
        bool last = m->deliveries == d && !d->sibling;

        next = d->sibling;
        if (d->state == DELIVERY_TAKEN)
            continue;
        message_end_delivery(q, d);
        if (last)
            return true;
    }
    return false;
}

void message_delist(struct queue *q, struct message *m)
{
    if (m->removed || end_idle_deliveries(q, m))
        return;
    table_remove(&q->messages, &m->link);
    q->held -= m->held;
    fresh_forget(q, m);
    m->removed = true;
}

/* --- what the engine says -------------------------------------------------- */

struct resync {
    struct queue *q;
    struct message *m;
};

static void resync_row(void *arg, const struct engine_row *row)
{
    struct resync *r = arg;
    const char *destination = row->view.envelope.recipients->destination;
    struct delivery *d = message_delivery(r->m, destination);

    if (d && d->state == DELIVERY_TAKEN)
        return;
    /* The first row of a delivery that was here before: begin to count. */
    if (d && d->recipients == RECIPIENTS_UNKNOWN) {
        d->recipients = 1;
        message_wait(r->q, d, row->view.due);
    } else {
        count_recipient(r->q, r->m, destination, row->view.due);
    }
}

static void end_empty_deliveries(struct queue *q, struct message *m)
{
    struct delivery *next;
    bool last = false;

    for (struct delivery *d = m->deliveries; d && !last; d = next) {
        next = d->sibling;
        last = m->deliveries == d && !next;
        if (d->state != DELIVERY_TAKEN && d->recipients == RECIPIENTS_UNKNOWN)
            message_end_delivery(q, d);
    }
}

void message_resync(struct queue *q, struct message *m)
{
    struct resync r = { q, m };
    struct error why = { 0 };
    bool read;

    fresh_forget(q, m);
    for (struct delivery *d = m->deliveries; d; d = d->sibling)
        d->recipients = RECIPIENTS_UNKNOWN;
    read = q->engine->class->rows(q->engine, m->link.key, -1, m->link.key, SIZE_MAX, resync_row, &r, &why);
    if (read) {
        end_empty_deliveries(q, m);
        return;
    }
    log_say(LOG_LEVEL_ERROR, "queue.read", &why, "a message cannot be read, and is tried again later");
    for (struct delivery *d = m->deliveries; d; d = d->sibling)
        if (d->state != DELIVERY_TAKEN)
            message_wait(q, d, q->now + TRY_LATER);
}

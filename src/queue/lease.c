#include "queue/inside.h"

#include "base/log.h"
#include "base/memory.h"

enum { TRY_LATER = MINUTES(5) };

struct loan *loan_find(const struct queue *q, uint64_t number)
{
    struct table_link *link = table_find(&q->leases, number);

    return link ? TABLE_OF(struct loan, link, link) : NULL;
}

void loan_end(struct queue *q, struct loan *l)
{
    table_remove(&q->leases, &l->link);
    q->engine->class->body_close(q->engine, l->body);
    free(l);
}

static struct loan *loan_begin(struct queue *q, struct delivery *d, uint32_t recipients, time_ms since)
{
    struct loan *l = NEW(struct loan);

    if (++q->last_lease == 0)
        q->last_lease = 1;
    l->link.key = q->last_lease;
    l->delivery = d;
    l->recipients = recipients;
    l->since = since;
    table_add(&q->leases, &l->link);
    return l;
}

/* --- from memory --------------------------------------------------------- */

/* Nothing was deferred yet, or it would not be fresh: all recipients are due. */
static void fill_fresh(const struct fresh *f, const struct delivery *d, struct arena *arena, struct lease *out)
{
    const struct envelope *e = &f->envelope;
    struct queue_recipient *mine = arena_take(arena, d->recipients * sizeof *mine);
    size_t count = 0;

    for (size_t i = 0; mine && i < e->count && count < d->recipients; i++) {
        if (strcmp(e->recipients[i].destination, out->destination) != 0)
            continue;
        mine[count++] = (struct queue_recipient){
            .number = e->recipients[i].number,
            .address = arena_string(arena, slice_of(e->recipients[i].address)),
            .destination = out->destination,
        };
    }
    out->envelope = *e;
    out->envelope.sender = arena_string(arena, slice_of(e->sender));
    out->envelope.origin = arena_string(arena, slice_of(e->origin));
    out->envelope.recipients = mine;
    out->envelope.count = count;
    out->body = arena_copy(arena, buf_slice(&f->body));
}

/* --- from the engine ------------------------------------------------------- */

struct filling {
    struct arena *arena;
    struct lease *out;
    time_ms now, next;              /* the first due time of those that are not due */
    struct queue_recipient *mine;
    size_t count, capacity;
    uint32_t all;                   /* of this destination, due or not */
};

static void fill_recipient(struct filling *f, const struct engine_row *row)
{
    struct lease *out = f->out;

    if (f->count == f->capacity) {
        f->capacity = f->capacity ? f->capacity * 2 : 8;
        f->mine = memory_grow(f->mine, f->capacity, sizeof *f->mine);
    }
    f->mine[f->count++] = (struct queue_recipient){
        .number = row->view.envelope.recipients->number,
        .address = arena_string(f->arena, slice_of(row->view.envelope.recipients->address)),
        .destination = out->destination,
    };
    if (row->view.attempts > out->attempts)
        out->attempts = row->view.attempts;
    if (row->first_attempt && (!out->first_attempt || row->first_attempt < out->first_attempt))
        out->first_attempt = row->first_attempt;
}

static void fill_row(void *arg, const struct engine_row *row)
{
    struct filling *f = arg;
    const struct envelope *e = &row->view.envelope;

    if (strcmp(e->recipients->destination, f->out->destination) != 0)
        return;
    f->all++;
    if (row->view.due > f->now) {
        if (row->view.due < f->next)
            f->next = row->view.due;
        return;
    }
    if (f->count == 0) {
        f->out->envelope = *e;
        f->out->envelope.sender = arena_string(f->arena, slice_of(e->sender));
        f->out->envelope.origin = arena_string(f->arena, slice_of(e->origin));
        f->out->delay_told = row->delay_told;
    }
    fill_recipient(f, row);
}

/* A small body comes along; a large one stays open, so that the lease can read
 * it to its end whatever happens to the message. */
static bool fill_body(struct queue *q, struct loan *l, struct arena *arena, struct lease *out, struct error *why)
{
    const struct engine_class *class = q->engine->class;
    struct engine_body *b = class->body_open(q->engine, out->envelope.id, why);
    size_t size = (size_t)out->envelope.size, got = 0;
    char *into;
    bool read;

    if (!b) {
        if (why->code == E_NOT_FOUND)       /* the recipients were there a moment ago: the body must be */
            why->code = E_STORAGE;
        return false;
    }
    if (out->envelope.size > LEASE_BODY_MAX) {
        l->body = b;
        return true;
    }
    into = arena_take(arena, size + 1);
    read = into ? class->body_read(q->engine, b, 0, into, size, &got, why)
                : fail(why, E_LIMIT, "the lease does not fit into its arena");
    class->body_close(q->engine, b);
    if (read && got < size)
        read = fail(why, E_STORAGE, "only %zu of %zu bytes of the body are there", got, size);
    if (read)
        out->body = slice(into, size);
    return read;
}

/* False with E_NOT_FOUND when there is no such delivery any more. When none of
 * its recipients is due, out->envelope.count is 0 and *next says when. */
static bool fill_stored(struct queue *q, struct loan *l, time_ms now, struct arena *arena, struct lease *out,
                        time_ms *next, struct error *why)
{
    struct delivery *d = l->delivery;
    message_id id = d->message->link.key;
    struct filling f = { .arena = arena, .out = out, .now = now, .next = TIME_NEVER };
    struct queue_recipient *mine;
    bool read = q->engine->class->rows(q->engine, id, -1, id, SIZE_MAX, fill_row, &f, why);

    mine = arena_take(arena, f.count * sizeof *mine + 1);
    if (mine && f.count)
        memcpy(mine, f.mine, f.count * sizeof *mine);
    free(f.mine);
    if (!read)
        return false;
    if (f.all == 0)
        return fail(why, E_NOT_FOUND, "no such delivery");
    d->recipients = f.all;
    l->recipients = (uint32_t)f.count;
    out->envelope.recipients = mine;
    out->envelope.count = f.count;
    *next = f.next;
    return f.count == 0 || fill_body(q, l, arena, out, why);
}

/* --- leasing ----------------------------------------------------------------- */

/* It cannot be leased now. */
static void put_back(struct queue *q, struct delivery *d, time_ms due, const struct error *why)
{
    char id[MESSAGE_ID_TEXT];

    message_id_text(d->message->link.key, id);
    if (why->code == E_NONE) {
        message_wait(q, d, due);
    } else if (why->code == E_NOT_FOUND) {
        log_say(LOG_LEVEL_ERROR, "queue.read", why, "message %s has been taken out of the database", id);
        message_end_delivery(q, d);
    } else {
        log_say(LOG_LEVEL_ERROR, "queue.read", why, "message %s cannot be read, and is tried again later", id);
        message_wait(q, d, q->now + TRY_LATER);
    }
}

static bool fill(struct queue *q, struct loan *l, time_ms now, struct arena *arena, struct lease *out, time_ms *next,
                 struct error *why)
{
    struct delivery *d = l->delivery;

    *out = (struct lease){ .number = l->link.key,
                           .destination = arena_string(arena, slice_of(schedule_destination(d))) };
    if (arena->failed)
        return fail(why, E_LIMIT, "the lease does not fit into its arena");
    if (d->message->fresh)
        fill_fresh(d->message->fresh, d, arena, out);
    else if (!fill_stored(q, l, now, arena, out, next, why))
        return false;
    return !arena->failed || fail(why, E_LIMIT, "the lease does not fit into its arena");
}

bool queue_lease(struct queue *q, time_ms now, unsigned slot, struct arena *arena, struct lease *out)
{
    struct delivery *d;

    q->now = now;
    while ((d = schedule_take(q->schedule, now, slot))) {
        struct loan *l = loan_begin(q, d, d->recipients, now);
        struct error why = { 0 };
        struct lease filled;
        time_ms next = TIME_NEVER;

        if (fill(q, l, now, arena, &filled, &next, &why) && filled.envelope.count > 0) {
            *out = filled;
            return true;
        }
        loan_end(q, l);
        put_back(q, d, next, &why);
    }
    return false;
}

time_ms queue_next_due(const struct queue *q)
{
    return schedule_next(q->schedule);
}

bool queue_read(struct queue *q, uint64_t lease, uint64_t offset, char *into, size_t size, size_t *got,
                struct error *why)
{
    struct loan *l = loan_find(q, lease);

    if (!l)
        return fail(why, E_NOT_FOUND, "no such lease");
    if (!l->body)
        l->body = q->engine->class->body_open(q->engine, l->delivery->message->link.key, why);
    return l->body && q->engine->class->body_read(q->engine, l->body, offset, into, size, got, why);
}

void queue_revoke(struct queue *q, uint64_t lease, time_ms due)
{
    struct loan *l = loan_find(q, lease);
    struct delivery *d;

    if (!l || l->settling)      /* its settlement decides */
        return;
    d = l->delivery;
    loan_end(q, l);
    if (d->message->removed)
        message_end_delivery(q, d);
    else
        message_wait(q, d, due);
}

/* Which of the recipients the deliverer works on is not known: all of them
 * count as in the lease, and the settlement tells. */
bool queue_resume(struct queue *q, message_id id, const char *destination, unsigned slot, uint64_t *lease)
{
    struct message *m = message_find(q, id);
    struct delivery *d = m ? message_delivery(m, destination) : NULL;

    if (!d || d->state == DELIVERY_TAKEN)
        return false;
    schedule_claim(q->schedule, d);
    *lease = loan_begin(q, d, d->recipients, 0)->link.key;
    return true;
}

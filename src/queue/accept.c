#include "queue/inside.h"

#include "base/memory.h"

struct incoming {
    struct queue *q;
    struct draft draft;
    struct error why;               /* of the first failure: the message cannot be accepted any more */
};

struct incoming *incoming_new(struct queue *q)
{
    struct incoming *in = NEW(struct incoming);

    in->q = q;
    buf_init(&in->draft.memory, DRAFT_MEMORY_MAX);
    return in;
}

void incoming_drop(struct incoming *in)
{
    if (!in)
        return;
    in->q->engine->class->drop(in->q->engine, &in->draft);
    free(in);
}

static bool spill(struct incoming *in)
{
    struct engine *e = in->q->engine;

    return (e->class->has_room(e, in->q->minimum_free, &in->why) || in->why.code != E_STORAGE_FULL) &&
           e->class->spill(e, &in->draft, &in->why);
}

bool incoming_add(struct incoming *in, struct slice bytes, struct error *why)
{
    in->draft.size += bytes.len;
    while (in->why.code == E_NONE && bytes.len) {
        size_t room = DRAFT_MEMORY_MAX - buf_len(&in->draft.memory);
        struct slice now = slice_first(bytes, room);

        buf_add(&in->draft.memory, now);
        bytes = slice_after(bytes, now.len);
        if (bytes.len && spill(in))
            in->why.code = E_NONE;
    }
    if (in->why.code == E_NONE)
        return true;
    if (why)
        *why = in->why;
    return false;
}

/* --- envelopes -------------------------------------------------------------- */

bool envelope_check(const struct envelope *e, struct error *why)
{
    if (e->id == 0 || e->id > INT64_MAX)
        return fail(why, E_USAGE, "a message needs an id");
    if (e->count == 0)
        return fail(why, E_USAGE, "a message needs a recipient");
    if (e->head.len > ENVELOPE_HEAD_MAX)
        return fail(why, E_USAGE, "the head of a message has %zu bytes", e->head.len);
    return true;
}

struct envelope member_envelope(struct member *m, const struct envelope *e)
{
    struct queue_recipient *recipients = arena_take(&m->memory, e->count * sizeof *recipients);
    struct envelope own = *e;

    for (size_t i = 0; i < e->count; i++)
        recipients[i] = (struct queue_recipient){
            .number = e->recipients[i].number,
            .address = arena_string(&m->memory, slice_of(e->recipients[i].address)),
            .destination = arena_string(&m->memory, slice_of(e->recipients[i].destination)),
        };
    own.sender = arena_string(&m->memory, slice_of(e->sender));
    own.origin = arena_string(&m->memory, slice_of(e->origin));
    own.recipients = recipients;
    own.size = m->draft.size;
    own.head = slice("", 0);
    return own;
}

void member_enlist(struct queue *q, struct member *m, const struct envelope *e)
{
    struct message *stored = message_enlist(q, e);

    if (!m->draft.spilled && m->draft.size <= LEASE_BODY_MAX)
        fresh_keep(q, stored, e, &m->memory, &m->draft.memory);
}

/* --- accepting ---------------------------------------------------------------- */

struct accept {
    struct member member;
    struct envelope envelope;
};

static bool accept_apply(struct member *m, struct engine *e, struct error *why)
{
    struct accept *a = (struct accept *)m;

    m->draft.stored = e->class->put(e, &a->envelope, &m->draft, why);
    if (m->draft.stored)
        return true;
    /* A repeated id is our own clock's fault, not the client's: it may try again. */
    if (why->code == E_USAGE)
        why->code = E_STORAGE;
    return false;
}

static void accept_applied(struct queue *q, struct member *m)
{
    struct accept *a = (struct accept *)m;

    if (m->done)
        member_enlist(q, m, &a->envelope);
}

static const struct member_kind accept_kind = {
    .apply = accept_apply,
    .applied = accept_applied,
    .brings_mail = true,
};

/* What is left in memory joins what has gone to disk, and the head comes before all of it. */
static bool complete_draft(struct engine *e, struct draft *d, struct slice head, struct error *why)
{
    struct buf whole;

    d->size += head.len;
    if (d->spilled)
        return e->class->spill(e, d, why) && e->class->precede(e, d, head, why);
    if (head.len == 0)
        return true;
    buf_init(&whole, SIZE_MAX / 2);
    buf_add(&whole, head);
    buf_add(&whole, buf_slice(&d->memory));
    buf_done(&d->memory);
    d->memory = whole;
    return true;
}

void queue_accept(struct queue *q, struct incoming *in, const struct envelope *e, queue_answer *answer, void *arg)
{
    struct accept *a = (struct accept *)member_new(sizeof *a, &accept_kind, answer, arg);
    struct error why = in->why;

    a->member.draft = in->draft;
    a->member.has_draft = true;
    if (why.code == E_NONE && envelope_check(e, &why) &&
        !complete_draft(q->engine, &a->member.draft, e->head, &why))
        blame(&why, "end of the message");
    if (why.code == E_NONE)
        a->envelope = member_envelope(&a->member, e);
    else
        member_refuse(&a->member, &why);
    free(in);
    member_join(q, &a->member);
}

#include "queue/inside.h"

#include "base/memory.h"

struct settle_member {
    struct member member;
    uint64_t lease;
    message_id id;
    const char *destination;
    struct settlement *recipients;
    bool *touched;                  /* of each: it was there */
    size_t count;
    time_ms attempted;              /* 0: no attempt was made */
    bool delay_told;
    struct envelope consequence;
    bool gone;                      /* the message has no recipient left */
};

/* --- apply thread ------------------------------------------------------------ */

/* Keeps (Q5): the consequence exists exactly when the settlement does. When
 * none of the recipients was there any more (an operator removed the message),
 * nothing was settled and nothing follows. */
static bool apply_consequence(struct settle_member *s, struct engine *e, bool settled, struct error *why)
{
    if (!s->member.has_draft || !settled)
        return true;
    if (!e->class->put(e, &s->consequence, &s->member.draft, why))
        return blame(why, "consequence");
    s->member.draft.stored = true;
    return true;
}

static bool settle_apply(struct member *m, struct engine *e, struct error *why)
{
    struct settle_member *s = (struct settle_member *)m;
    bool settled = false;

    for (size_t i = 0; i < s->count; i++) {
        if (!e->class->settle(e, s->id, s->destination, &s->recipients[i], s->attempted, &s->touched[i], why))
            return false;
        settled |= s->touched[i];
    }
    if (s->delay_told && !e->class->tell_delay(e, s->id, why))
        return false;
    return apply_consequence(s, e, settled, why) && e->class->finish(e, s->id, &s->gone, why);
}

/* --- in memory ------------------------------------------------------------------ */

struct outcome {
    uint32_t settled, deferred;
    time_ms due;                    /* the earliest of the deferred */
    bool moved;                     /* one goes elsewhere now */
};

static struct outcome outcome_of(const struct settle_member *s)
{
    struct outcome o = { .due = TIME_NEVER };

    for (size_t i = 0; i < s->count; i++) {
        const struct settlement *now = &s->recipients[i];

        if (!s->touched[i])
            continue;
        o.settled++;
        if (now->state != SETTLE_DEFERRED)
            continue;
        o.deferred++;
        o.moved |= now->destination && strcmp(now->destination, s->destination) != 0;
        if (now->due < o.due)
            o.due = now->due;
    }
    return o;
}

/* Nearly always the lease had all recipients of its delivery, each got its
 * result, and none goes elsewhere: then memory knows what the engine knows. */
static void end_delivery(struct queue *q, struct delivery *d, const struct settle_member *s, const struct outcome *o,
                         bool whole)
{
    if (!whole || o->moved || o->settled != d->recipients) {
        /* No longer under way, whatever comes of it. */
        message_wait(q, d, TIME_NEVER);
        message_resync(q, d->message);
    } else if (o->deferred == 0) {
        message_end_delivery(q, d);
    } else {
        d->recipients = o->deferred;
        message_wait(q, d, o->due);
    }
}

static void settle_applied(struct queue *q, struct member *m)
{
    struct settle_member *s = (struct settle_member *)m;
    struct loan *l = loan_find(q, s->lease);
    struct outcome o = outcome_of(s);
    struct delivery *d;
    bool whole;

    if (!m->done) {
        if (l)
            l->settling = false;        /* the deliverer may say it again */
        return;
    }
    q->recipients -= o.settled - o.deferred;
    if (m->draft.stored)
        member_enlist(q, m, &s->consequence);
    if (!l)
        return;
    d = l->delivery;
    whole = l->recipients == d->recipients;
    if (o.deferred || s->delay_told)
        fresh_forget(q, d->message);
    loan_end(q, l);
    if (s->gone || d->message->removed)
        message_end_delivery(q, d);
    else
        end_delivery(q, d, s, &o, whole);
}

/* --- settling ----------------------------------------------------------------- */

static const struct member_kind settle_kind = {
    .apply = settle_apply,
    .applied = settle_applied,
    .insists = true,
};

static void copy_recipients(struct settle_member *s, const struct settle *from)
{
    struct arena *memory = &s->member.memory;

    s->count = from->count;
    s->recipients = arena_take(memory, from->count * sizeof *s->recipients + 1);
    s->touched = arena_take(memory, from->count * sizeof *s->touched + 1);
    for (size_t i = 0; i < from->count; i++) {
        const struct settlement *one = &from->recipients[i];

        s->recipients[i] = *one;
        s->recipients[i].status = arena_string(memory, slice_of(one->status));
        s->recipients[i].why = arena_string(memory, slice_of(one->why));
        if (one->destination)
            s->recipients[i].destination = arena_string(memory, slice_of(one->destination));
    }
}

static void copy_consequence(struct settle_member *s, const struct consequence *from, struct error *why)
{
    struct member *m = &s->member;

    if (!from || !envelope_check(from->envelope, why))
        return;
    buf_add(&m->draft.memory, from->body);
    m->draft.size = from->body.len;
    m->has_draft = true;
    s->consequence = member_envelope(m, from->envelope);
}

void queue_settle(struct queue *q, const struct settle *from, queue_answer *answer, void *arg)
{
    struct settle_member *s = (struct settle_member *)member_new(sizeof *s, &settle_kind, answer, arg);
    struct loan *l = loan_find(q, from->lease);
    struct error why = { 0 };

    if (l && !l->settling) {
        const struct delivery *d = l->delivery;
        time_ms began = l->since > 0 ? l->since : q->now;

        l->settling = true;
        s->lease = from->lease;
        s->id = d->message->link.key;
        s->destination = arena_string(&s->member.memory, slice_of(schedule_destination(d)));
        s->attempted = !from->attempted ? 0 : began > 0 ? began : 1;
        s->delay_told = from->delay_told;
        copy_recipients(s, from);
        copy_consequence(s, from->consequence, &why);
    } else {
        fail(&why, E_NOT_FOUND, "no such lease");
    }
    if (why.code != E_NONE)
        member_refuse(&s->member, &why);
    member_join(q, &s->member);
}

#include "queue/inside.h"

#include "base/memory.h"

/* An act on a whole queue goes a piece with each group, so that mail does not
 * wait for a million rows. */
enum { PIECE = 10000 };

struct operate_member {
    struct member member;
    enum queue_act act;
    message_id from, to;
    time_ms now;
    message_id *ids;                /* this piece */
    size_t limit, count;
    uint64_t found, removed;
};

static bool operate_apply(struct member *m, struct engine *e, struct error *why)
{
    struct operate_member *o = (struct operate_member *)m;

    o->removed = 0;
    if (!e->class->pick(e, o->from, o->to, o->limit, o->ids, &o->count, why))
        return false;
    return o->count == 0 ||
           e->class->operate(e, o->act, o->ids[0], o->ids[o->count - 1], o->now, &o->removed, why);
}

static void hold(struct queue *q, struct message *m, bool held)
{
    q->held += (size_t)held - (size_t)m->held;
    m->held = held;
}

/* Deliveries under way go on; what is theirs to know they learn at the end. */
static void reschedule(struct queue *q, struct message *m, time_ms due)
{
    for (struct delivery *d = m->deliveries; d; d = d->sibling)
        if (d->state != DELIVERY_TAKEN)
            message_wait(q, d, due);
}

static void take_effect(struct queue *q, const struct operate_member *o, struct message *m)
{
    switch (o->act) {
    case ACT_RETRY:
        reschedule(q, m, o->now);
        break;
    case ACT_HOLD:
        hold(q, m, true);
        reschedule(q, m, o->now);
        break;
    case ACT_RELEASE:
        hold(q, m, false);
        reschedule(q, m, o->now);
        break;
    case ACT_REMOVE:
        message_delist(q, m);
        break;
    }
}

static void operate_applied(struct queue *q, struct member *m)
{
    struct operate_member *o = (struct operate_member *)m;

    if (!m->done)
        return;
    for (size_t i = 0; i < o->count; i++) {
        struct message *one = message_find(q, o->ids[i]);

        if (one)
            take_effect(q, o, one);
    }
    q->recipients -= o->removed;
    o->found += o->count;
    if (o->count == o->limit && o->ids[o->count - 1] < o->to) {
        o->from = o->ids[o->count - 1] + 1;
        m->again = true;
    } else if (o->found == 0) {
        m->done = fail(&m->why, E_NOT_FOUND, "no such message");
    }
}

static const struct member_kind operate_kind = {
    .apply = operate_apply,
    .applied = operate_applied,
};

void queue_operate(struct queue *q, enum queue_act act, message_id id, time_ms now, queue_answer *answer, void *arg)
{
    struct operate_member *o = (struct operate_member *)member_new(sizeof *o, &operate_kind, answer, arg);
    struct error why;

    o->act = act;
    o->now = now;
    o->from = id;
    o->to = id ? id : INT64_MAX;
    o->limit = id ? 1 : PIECE;
    o->ids = arena_take(&o->member.memory, o->limit * sizeof *o->ids);
    if (id == 0 && act == ACT_REMOVE) {
        fail(&why, E_USAGE, "messages are removed one by one");
        member_refuse(&o->member, &why);
    } else if (id > INT64_MAX) {
        fail(&why, E_NOT_FOUND, "no such message");
        member_refuse(&o->member, &why);
    }
    member_join(q, &o->member);
}

#include "queue/inside.h"

#include "base/log.h"
#include "base/memory.h"

#include <assert.h>

struct group {
    struct engine *engine;
    struct member *members;
    size_t count;
    struct draft **drafts;          /* of the members that have one and were not refused */
    size_t draft_count;
};

/* --- members ------------------------------------------------------------- */

struct member *member_new(size_t size, const struct member_kind *kind, queue_answer *answer, void *arg)
{
    struct member *m = memory_new(size);

    m->kind = kind;
    m->answer = answer;
    m->arg = arg;
    arena_init(&m->memory, SIZE_MAX / 2);
    buf_init(&m->draft.memory, SIZE_MAX / 2);
    return m;
}

void member_refuse(struct member *m, const struct error *why)
{
    m->refused = true;
    m->why = *why;
}

void member_join(struct queue *q, struct member *m)
{
    m->next = NULL;
    *q->waiting_end = m;
    q->waiting_end = &m->next;
    q->group_wanted = true;
}

void member_finish(struct queue *q, struct member *m)
{
    m->answer(m->arg, m->done, m->done ? NULL : &m->why);
    q->engine->class->drop(q->engine, &m->draft);
    arena_done(&m->memory);
    free(m);
}

/* --- gathering: loop ------------------------------------------------------- */

static void refuse_mail(struct queue *q, struct group *g)
{
    struct error why = { 0 };

    if (q->engine->class->has_room(q->engine, q->minimum_free, &why) || why.code != E_STORAGE_FULL)
        return;
    for (struct member *m = g->members; m; m = m->next)
        if (m->kind->brings_mail && !m->refused)
            member_refuse(m, &why);
}

static void gather_drafts(struct group *g)
{
    g->drafts = memory_array(g->count, sizeof *g->drafts);
    for (struct member *m = g->members; m; m = m->next)
        if (m->has_draft && !m->refused)
            g->drafts[g->draft_count++] = &m->draft;
}

struct group *queue_group(struct queue *q)
{
    struct group *g;

    if (q->out || !q->group_wanted)
        return NULL;
    g = NEW(struct group);
    g->engine = q->engine;
    g->members = q->waiting;
    q->waiting = NULL;
    q->waiting_end = &q->waiting;
    q->group_wanted = false;
    for (struct member *m = g->members; m; m = m->next)
        g->count++;
    refuse_mail(q, g);
    gather_drafts(g);
    q->engine->class->plan(q->engine, g->drafts, g->draft_count);
    q->out = g;
    q->groups++;
    q->members += g->count;
    return g;
}

/* --- applying: any thread ---------------------------------------------------- */

enum manner {
    TOGETHER,               /* as nearly always: any failure undoes all */
    ONE_BY_ONE,             /* each can fail alone (Q7) */
    WITHOUT_MAIL,           /* there is no space: what was delivered must still be recorded */
};

static bool takes_part(const struct member *m, enum manner manner)
{
    return !m->refused && !(manner == WITHOUT_MAIL && m->has_draft);
}

/* What an earlier attempt did has been undone. */
static bool apply(struct engine *e, struct member *m, struct error *why)
{
    m->draft.stored = false;
    m->done = m->kind->apply(m, e, why);
    m->draft.stored &= m->done;
    return m->done;
}

/* False when the whole transaction is lost. */
static bool apply_alone(struct engine *e, struct member *m, struct error *why)
{
    if (!e->class->mark(e, why))
        return false;
    if (apply(e, m, &m->why))
        return e->class->keep(e, why);
    *why = m->why;
    return e->class->undo(e);
}

static bool apply_all(struct group *g, enum manner manner, struct error *why)
{
    for (struct member *m = g->members; m; m = m->next) {
        if (!takes_part(m, manner))
            continue;
        if (!(manner == TOGETHER ? apply(g->engine, m, why) : apply_alone(g->engine, m, why)))
            return false;
    }
    return true;
}

static bool attempt(struct group *g, enum manner manner, struct error *why)
{
    struct engine *e = g->engine;

    if (e->class->begin(e, why) && apply_all(g, manner, why) && e->class->commit(e, why))
        return true;
    e->class->rollback(e);
    for (struct member *m = g->members; m; m = m->next) {
        if (takes_part(m, manner) && (m->done || m->why.code == E_NONE))
            m->why = *why;      /* it was not at fault itself */
        m->done = m->draft.stored = false;
    }
    return false;
}

static void rows(struct group *g)
{
    struct error why = { 0 };

    for (enum manner manner = TOGETHER; manner <= WITHOUT_MAIL; manner++) {
        for (struct member *m = g->members; m; m = m->next)
            if (takes_part(m, manner))
                m->why.code = E_NONE;
        if (attempt(g, manner, &why))
            return;
    }
}

/* Without their bodies on stable storage no rows are written (Q3). */
static void bodies(struct group *g)
{
    struct error lost = { 0 }, why = { 0 };
    bool written = g->engine->class->write(g->engine, &why);

    fail(&lost, E_STORAGE, "the disk failed under the message's body");
    for (struct member *m = g->members; m; m = m->next)
        if (m->has_draft && !m->refused && (m->draft.lost || !written))
            member_refuse(m, m->draft.lost ? &lost : &why);
}

void group_apply(struct group *g)
{
    bodies(g);
    rows(g);
}

/* --- afterwards: loop --------------------------------------------------------- */

static bool insists(const struct member *m)
{
    return m->kind->insists && !m->done && (m->why.code == E_STORAGE || m->why.code == E_STORAGE_FULL);
}

/* Said when it begins and when it is over, not each time. */
static void report_trouble(struct queue *q, const struct group *g)
{
    const struct member *first = g->members;
    size_t tried = 0;

    while (first && !insists(first)) {
        tried += first->kind->insists && first->done;
        first = first->next;
    }
    if (first && !q->in_trouble)
        log_say(LOG_LEVEL_ERROR, "queue.storage", &first->why, "results of deliveries wait to be stored");
    else if (!first && tried && q->in_trouble)
        log_say(LOG_LEVEL_INFO, "queue.storage", NULL, "results of deliveries are stored again");
    q->in_trouble = first || (q->in_trouble && !tried);
}

/* Effects in memory come first and all of them, so that an answer that asks
 * for the next lease finds everything in its place. */
static void take_effect(struct queue *q, struct group *g)
{
    q->engine->class->applied(q->engine, g->drafts, g->draft_count);
    for (struct member *m = g->members; m; m = m->next)
        if (!insists(m))
            m->kind->applied(q, m);
}

/* Those that insist stand before all that came meanwhile, in their old order. */
static void wait_first(struct queue *q, struct member *kept, struct member **end)
{
    *end = q->waiting;
    if (!q->waiting)
        q->waiting_end = end;
    q->waiting = kept;
}

void queue_applied(struct queue *q, struct group *g)
{
    struct member *kept = NULL, **kept_end = &kept, *next;

    assert(g == q->out);
    take_effect(q, g);
    report_trouble(q, g);
    q->out = NULL;
    for (struct member *m = g->members; m; m = next) {
        next = m->next;
        if (insists(m)) {
            m->refused = false;
            *kept_end = m;
            kept_end = &m->next;
        } else if (m->again) {
            m->again = m->done = false;
            member_join(q, m);
        } else {
            member_finish(q, m);
        }
    }
    if (kept)
        wait_first(q, kept, kept_end);
    free(g->drafts);
    free(g);
}

void queue_commit(struct queue *q)
{
    struct group *g;

    while ((g = queue_group(q))) {
        group_apply(g);
        queue_applied(q, g);
    }
}

#include "https/https.h"

#include "base/memory.h"
#include "https/fetch.h"
#include "https/media_type.h"
#include "https/multi.h"
#include "run/fiber.h"

#include <assert.h>

enum { CONNECT_DEFAULT_MS = 10000, TOGETHER_DEFAULT = 16 };

enum state {
    WAITING,            /* for its turn; in https.waiting */
    RUNNING,            /* in curl's hands */
    ENDED,              /* its fiber takes it from here */
    ABANDONED,          /* nobody waits for it any more; in https.abandoned */
};

/* Not on the stack of its fiber, which may leave before curl is told so. */
struct job {
    struct https *owner;
    struct fetch fetch;
    enum state state;
    struct gate gate;               /* its fiber */
    struct job *next, **where;      /* in one of the two lists */
};

struct https {
    struct multi *multi;
    char *ca_file;                  /* NULL: curl's own idea */
    time_ms connect;
    unsigned together;
    unsigned running;               /* abandoned ones are, until curl is told */
    struct job *waiting, **waiting_end;
    struct job *abandoned;
    struct soon work;               /* curl is called on the loop's stack only */
};

/* --- lists --------------------------------------------------------------------- */

static void enlist(struct job *j, struct job **where)
{
    j->next = *where;
    j->where = where;
    if (j->next)
        j->next->where = &j->next;
    *where = j;
}

static void delist(struct job *j)
{
    *j->where = j->next;
    if (j->next)
        j->next->where = j->where;
    else if (j->owner->waiting_end == &j->next)
        j->owner->waiting_end = j->where;
}

/* --- on the loop --------------------------------------------------------------- */

static void job_free(struct job *j)
{
    fetch_done(&j->fetch);
    free(j);
}

static void job_end(struct job *j)
{
    j->state = ENDED;
    gate_open_all(&j->gate);
}

static void start_next(struct https *h)
{
    struct job *j = h->waiting;

    delist(j);
    if (fetch_start(&j->fetch, h->multi, h->ca_file, h->connect, j)) {
        j->state = RUNNING;
        h->running++;
    } else {
        job_end(j);
    }
}

static void bury_abandoned(struct https *h)
{
    for (struct job *j; (j = h->abandoned) != NULL;) {
        delist(j);
        fetch_stop(&j->fetch);
        job_free(j);
        h->running--;
    }
}

static void work(void *owner)
{
    struct https *h = owner;

    bury_abandoned(h);
    while (h->waiting && h->running < h->together)
        start_next(h);
}

static void transfer_ended(void *transfer, CURLcode code)
{
    struct job *j = transfer;
    struct https *h = j->owner;

    if (j->state == ABANDONED)      /* in this very turn: the work ahead sees to it */
        return;
    if (!fetch_ended(&j->fetch, code))
        return;
    h->running--;
    job_end(j);
    soon_add(&h->work);
}

/* --- on a fiber ---------------------------------------------------------------- */

static struct job *enqueue(struct https *h, const struct fetch *f)
{
    struct job *j = NEW(struct job);

    *j = (struct job){ .owner = h, .fetch = *f };
    enlist(j, h->waiting_end);
    h->waiting_end = &j->next;
    soon_add(&h->work);
    return j;
}

static void abandon(struct job *j)
{
    struct https *h = j->owner;

    if (j->state == WAITING) {
        delist(j);
        job_free(j);
        return;
    }
    j->state = ABANDONED;
    enlist(j, &h->abandoned);
    soon_add(&h->work);
}

static bool take_answer(struct job *j, struct arena *arena, struct https_reply *out, struct error *why)
{
    const struct fetch *f = &j->fetch;
    struct media_type type = { "", "" };
    struct slice body;

    if (f->status == 0) {
        if (why)
            *why = f->why;
        return false;
    }
    if (f->content_type)
        type = media_type_parse(slice_of(f->content_type), arena);
    body = arena_copy(arena, buf_slice(&f->body));
    if (arena->failed)
        return fail(why, E_STS_FETCH, "%s: no memory is left for %zu bytes of answer", f->host, buf_len(&f->body));
    *out = (struct https_reply){ .status = f->status, .media_type = type.name, .charset = type.charset, .body = body };
    return true;
}

static bool finish(struct job *j, time_ms deadline, struct arena *arena, struct https_reply *out, struct error *why)
{
    enum wake wake = FIBER_WOKEN;
    bool answered;

    while (j->state != ENDED && wake == FIBER_WOKEN)
        wake = gate_wait(&j->gate, deadline);
    if (j->state == ENDED) {
        answered = take_answer(j, arena, out, why);
        job_free(j);
        return answered;
    }
    if (wake == FIBER_CANCELLED)
        fail(why, E_CANCELLED, "%s: given up while waiting for an answer", j->fetch.host);
    else
        fetch_too_late(&j->fetch, why);
    abandon(j);
    return false;
}

bool https_get(struct https *h, const struct https_request *r, struct arena *arena, struct https_reply *out,
               struct error *why)
{
    struct fetch f;

    return fetch_init(&f, r, why) && finish(enqueue(h, &f), r->deadline, arena, out, why);
}

bool https_post(struct https *h, const struct https_post *p, struct arena *arena, struct https_reply *out,
                struct error *why)
{
    struct fetch f;

    return fetch_init_post(&f, p, why) && finish(enqueue(h, &f), p->to.deadline, arena, out, why);
}

/* --- one for the process ------------------------------------------------------- */

struct https *https_new(const struct https_settings *s, struct error *why)
{
    struct https *h;

    if (s->ca_file && access(s->ca_file, R_OK) != 0) {
        fail_errno(why, E_SYSTEM, "CA bundle %s", s->ca_file);
        return NULL;
    }
    h = NEW(struct https);
    h->multi = multi_new(transfer_ended, why);
    if (!h->multi) {
        free(h);
        return NULL;
    }
    h->ca_file = s->ca_file ? memory_text(slice_of(s->ca_file)) : NULL;
    h->connect = s->connect > 0 ? s->connect : CONNECT_DEFAULT_MS;
    h->together = s->together > 0 ? s->together : TOGETHER_DEFAULT;
    h->waiting_end = &h->waiting;
    h->work = (struct soon){ .run = work, .owner = h };
    return h;
}

void https_free(struct https *h)
{
    if (!h)
        return;
    bury_abandoned(h);
    assert(!h->waiting && h->running == 0);
    soon_remove(&h->work);
    multi_free(h->multi);
    free(h->ca_file);
    free(h);
}

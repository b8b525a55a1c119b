#include "run/fiber.h"

#include "base/memory.h"
#include "run/annotate.h"
#include "run/context.h"
#include "run/loop_internal.h"
#include "run/stack.h"

#include <assert.h>

enum state {
    READY,          /* in the queue; `how` says how its wait ended */
    RUNNING,
    PARKED,
    FINISHED,
};

struct fiber {
    const char *name;
    void (*run)(void *arg);
    void *arg;
    struct stack *stack;
    struct context context;
    struct annotation annotation;
    enum state state;
    enum wake how;
    time_ms deadline;           /* of the present wait */
    bool cancelled;
    bool listening;             /* in fiber_wait */
    bool woken;                 /* by a fiber_wake that came while it was not */
    struct fiber *behind;       /* in the queue of the ready */
    struct fiber *next, **where;/* in the list of all */
};

static void run_ready(void *owner);

static struct {
    struct fiber *current;
    struct fiber *ready, **ready_end;
    struct soon turn;                   /* runs the ready ones */
    struct fiber *all;                  /* for debuggers */
    size_t count;
    struct context loop;
    struct annotation loop_annotation;
} fibers = { .ready_end = &fibers.ready, .turn = { .run = run_ready } };

/* --- switching --------------------------------------------------------- */

static void leave(struct fiber *f)
{
    annotate_leaving(&f->annotation, &fibers.loop_annotation, f->state == FINISHED);
    context_switch(&f->context, &fibers.loop);
    annotate_arrived(&f->annotation, NULL);
}

static void fiber_main(void)
{
    struct fiber *f = fibers.current;

    annotate_arrived(&f->annotation, &fibers.loop_annotation);
    f->run(f->arg);
    f->state = FINISHED;
    leave(f);
    abort();
}

static void bury(struct fiber *f)
{
    if (f->stack->timer_set_to != TIME_NEVER) {
        timer_stop(f->stack->timer);
        f->stack->timer_set_to = TIME_NEVER;
    }
    stack_give(f->stack);
    annotate_fiber_done(&f->annotation);
    *f->where = f->next;
    if (f->next)
        f->next->where = f->where;
    fibers.count--;
    free(f);
}

static void resume(struct fiber *f)
{
    f->state = RUNNING;
    fibers.current = f;
    annotate_leaving(&fibers.loop_annotation, &f->annotation, false);
    context_switch(&fibers.loop, &f->context);
    annotate_arrived(&fibers.loop_annotation, NULL);
    fibers.current = NULL;
    if (f->state == FINISHED)
        bury(f);
}

/* Those who are made ready meanwhile come with the next round, so that two
 * who keep waking each other do not keep others waiting. */
static void run_ready(void *owner)
{
    struct fiber *f = fibers.ready;

    fibers.ready = NULL;
    fibers.ready_end = &fibers.ready;
    while (f) {
        struct fiber *behind = f->behind;

        resume(f);
        f = behind;
    }
}

static void make_ready(struct fiber *f, enum wake how)
{
    f->state = READY;
    f->how = how;
    f->behind = NULL;
    *fibers.ready_end = f;
    fibers.ready_end = &f->behind;
    soon_add_first(&fibers.turn);
}

/* --- waiting ----------------------------------------------------------- */

/* Ends the wait of `f`; false when it is over already. */
static bool unpark(struct fiber *f, enum wake how)
{
    if (f->state != PARKED)
        return false;
    make_ready(f, how);
    return true;
}

static void arm(struct stack *s, time_ms deadline)
{
    s->timer_set_to = deadline;
    timer_set(s->timer, deadline);
}

/* May come early: a timer is left running when a wait ends, since the next
 * wait mostly has the same deadline or a later one. */
static void alarm_rang(void *owner)
{
    struct stack *s = owner;
    struct fiber *f = s->user;

    s->timer_set_to = TIME_NEVER;
    if (f->state != PARKED || f->deadline == TIME_NEVER)
        return;
    if (f->deadline <= loop_now())
        unpark(f, FIBER_TIMED_OUT);
    else
        arm(s, f->deadline);
}

static enum wake park(time_ms deadline)
{
    struct fiber *f = fibers.current;
    struct stack *s = f->stack;

    f->state = PARKED;
    f->deadline = deadline;
    if (deadline < s->timer_set_to) {
        if (!s->timer)
            s->timer = timer_new(alarm_rang, s);
        arm(s, deadline);
    }
    leave(f);
    return f->how;
}

static struct fiber *waiting_fiber(void)
{
    assert(fibers.current && "only a fiber can wait");
    return fibers.current;
}

/* --- the public face --------------------------------------------------- */

struct fiber *fiber_start(const char *name, void (*run)(void *arg), void *arg)
{
    struct fiber *f = NEW(struct fiber);
    struct stack *s = stack_take();

    *f = (struct fiber){ .name = name, .run = run, .arg = arg, .stack = s, .deadline = TIME_NEVER };
    s->user = f;
    context_make(&f->context, s->bottom, s->size, fiber_main);
    annotate_fiber(&f->annotation, s->bottom, s->size);
    f->next = fibers.all;
    f->where = &fibers.all;
    if (f->next)
        f->next->where = &f->next;
    fibers.all = f;
    fibers.count++;
    make_ready(f, FIBER_WOKEN);
    return f;
}

struct fiber *fiber_current(void)
{
    return fibers.current;
}

void fiber_wake(struct fiber *f)
{
    if (f->listening && unpark(f, FIBER_WOKEN))
        return;
    /* Woken and not yet run: this wake adds nothing to the other. */
    if (f->listening && f->state == READY && f->how == FIBER_WOKEN)
        return;
    f->woken = true;
}

void fiber_cancel(struct fiber *f)
{
    f->cancelled = true;
    unpark(f, FIBER_CANCELLED);
}

bool fiber_is_cancelled(void)
{
    return waiting_fiber()->cancelled;
}

enum wake fiber_wait(time_ms deadline)
{
    struct fiber *f = waiting_fiber();
    enum wake how;

    if (f->cancelled)
        return FIBER_CANCELLED;
    if (f->woken) {
        f->woken = false;
        return FIBER_WOKEN;
    }
    f->listening = true;
    how = park(deadline);
    f->listening = false;
    return how;
}

enum wake fiber_sleep_until(time_ms deadline)
{
    return waiting_fiber()->cancelled ? FIBER_CANCELLED : park(deadline);
}

/* --- descriptors ------------------------------------------------------- */

struct fiber_watch {
    struct watch *watch;
    struct fiber *waiter;
    int got;
};

static void is_ready(void *owner, int events)
{
    struct fiber_watch *w = owner;

    w->got = events;
    watch_set(w->watch, 0);
    unpark(w->waiter, FIBER_WOKEN);
}

struct fiber_watch *fiber_watch_new(int fd)
{
    struct fiber_watch *w = NEW(struct fiber_watch);

    w->watch = watch_new(fd, is_ready, w);
    return w;
}

void fiber_watch_free(struct fiber_watch *w)
{
    if (!w)
        return;
    assert(!w->waiter);
    watch_free(w->watch);
    free(w);
}

enum wake fiber_wait_ready(struct fiber_watch *w, int events, time_ms deadline, int *ready)
{
    struct fiber *f = waiting_fiber();
    enum wake how;

    assert(!w->waiter);
    if (f->cancelled)
        return FIBER_CANCELLED;
    w->waiter = f;
    w->got = 0;
    watch_set(w->watch, events);
    how = park(deadline);
    watch_set(w->watch, 0);
    w->waiter = NULL;
    if (how == FIBER_WOKEN && ready)
        *ready = w->got;
    return how;
}

/* --- worker threads ---------------------------------------------------- */

struct errand {
    void (*job)(void *arg);
    void *arg;
    struct fiber *waiter;
    bool done;
};

static void errand_run(void *arg)
{
    struct errand *e = arg;

    e->job(e->arg);
}

static void errand_done(void *arg)
{
    struct errand *e = arg;

    e->done = true;
    unpark(e->waiter, FIBER_WOKEN);
}

void fiber_work(void (*job)(void *arg), void *arg)
{
    struct errand e = { job, arg, waiting_fiber(), false };

    loop_work(errand_run, errand_done, &e);
    while (!e.done)             /* a cancellation ends one park, and must not end this */
        (void)park(TIME_NEVER);
}

/* --- gates ------------------------------------------------------------- */

struct gate_waiter {
    struct fiber *fiber;
    struct gate_waiter *next, **where;      /* NULL once let through */
};

static void gate_leave(struct gate *g, struct gate_waiter *w)
{
    *w->where = w->next;
    if (w->next)
        w->next->where = w->where;
    else
        g->last = w->where;
    w->where = NULL;
}

enum wake gate_wait(struct gate *g, time_ms deadline)
{
    struct gate_waiter w = { .fiber = waiting_fiber() };
    enum wake how;

    if (w.fiber->cancelled)
        return FIBER_CANCELLED;
    w.where = g->last ? g->last : &g->first;
    *w.where = &w;
    g->last = &w.next;
    how = park(deadline);
    if (w.where)                /* else the gate may be gone by now */
        gate_leave(g, &w);
    return how;
}

void gate_open_one(struct gate *g)
{
    /* One whose wait has already ended otherwise must not take the turn of the next. */
    for (struct gate_waiter *w; (w = g->first) != NULL;) {
        gate_leave(g, w);
        if (unpark(w->fiber, FIBER_WOKEN))
            return;
    }
}

void gate_open_all(struct gate *g)
{
    for (struct gate_waiter *w; (w = g->first) != NULL;) {
        gate_leave(g, w);
        unpark(w->fiber, FIBER_WOKEN);
    }
}

bool gate_is_empty(const struct gate *g)
{
    return !g->first;
}

/* --- figures ----------------------------------------------------------- */

size_t fiber_count(void)
{
    return fibers.count;
}

size_t fiber_deepest(void)
{
    size_t deepest = stack_deepest(NULL);

    for (const struct fiber *f = fibers.all; f; f = f->next)
        deepest = stack_deepest(f->stack);
    return deepest;
}

void fiber_loop_closes(void)
{
    assert(fibers.count == 0);
    stack_pool_empty();
}

/* The parent's fibers stay in `all`, where leak checkers find them, but count
 * no more: they run in the parent. */
void fiber_loop_forked(void)
{
    assert(!fibers.current && "fork on the loop: a child has no use for a fiber's stack");
    fibers.ready = NULL;
    fibers.ready_end = &fibers.ready;
    fibers.turn.where = NULL;
    fibers.turn.next = NULL;
    fibers.count = 0;
    stack_pool_empty();
}

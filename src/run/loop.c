#include "run/loop.h"

#include "base/memory.h"
#include "run/loop_internal.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>

/* A soon may queue another; after so many rounds descriptors get their turn,
 * so that two which keep queueing each other starve nobody. */
enum { SOON_ROUNDS = 64 };

struct loop {
    uv_loop_t uv;
    uv_prepare_t before_sleep;
    struct soon *soons, **soons_end;
    struct soon *round;             /* taken from `soons`, being run */
    bool stopping;
    bool acted;                     /* something ran in this turn: do not sleep in it */
    bool firing;                    /* inside a timer's callback */
    bool workers_made;
    uint64_t tick;                  /* libuv's time when `now` was read */
    time_ms now;
    struct loop *forgotten;         /* the parent's, after a fork */
};

static struct loop *loop;

/* After a fork the parent's loop is kept, never used: its address tells our
 * own handles from those that the parent made. */
static struct loop *forgotten;

static void must(int result, const char *call)
{
    if (result >= 0)
        return;
    fprintf(stderr, "postern: %s: %s\n", call, uv_strerror(result));
    abort();
}

/* --- soon -------------------------------------------------------------- */

static void soon_link(struct soon *s, struct soon **where)
{
    s->where = where;
    s->next = *where;
    if (s->next)
        s->next->where = &s->next;
    else
        loop->soons_end = &s->next;
    *where = s;
}

void soon_add(struct soon *s)
{
    if (!s->where)
        soon_link(s, loop->soons_end);
}

void soon_add_first(struct soon *s)
{
    if (!s->where)
        soon_link(s, &loop->soons);
}

void soon_remove(struct soon *s)
{
    if (!s->where)
        return;
    *s->where = s->next;
    if (s->next)
        s->next->where = s->where;
    else if (loop && loop->soons_end == &s->next)
        loop->soons_end = s->where;
    s->where = NULL;
    s->next = NULL;
}

static void run_soons(void)
{
    for (int round = 0; loop->soons && round < SOON_ROUNDS; round++) {
        loop->acted = true;
        loop->round = loop->soons;
        loop->round->where = &loop->round;
        loop->soons = NULL;
        loop->soons_end = &loop->soons;
        while (loop->round) {
            struct soon *s = loop->round;

            soon_remove(s);
            s->run(s->owner);
        }
    }
}

/* --- the loop ---------------------------------------------------------- */

/* Timers that were due on entry have run, the poll comes next. It must not
 * sleep on work that waits, nor hide from loop_turn's caller that something
 * happened. uv_stop makes this one poll return at once. */
static void before_sleep(uv_prepare_t *prepare)
{
    run_soons();
    if (loop->acted || loop->soons || loop->stopping)
        uv_stop(&loop->uv);
}

void loop_open(void)
{
    assert(!loop);
    loop = NEW(struct loop);
    loop->soons_end = &loop->soons;
    must(uv_loop_init(&loop->uv), "uv_loop_init");
    must(uv_prepare_init(&loop->uv, &loop->before_sleep), "uv_prepare_init");
    must(uv_prepare_start(&loop->before_sleep, before_sleep), "uv_prepare_start");
}

void loop_turn(bool wait)
{
    loop->tick = 0;
    loop->acted = false;
    run_soons();
    uv_run(&loop->uv, wait && !loop->acted ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    run_soons();
}

void loop_run(void)
{
    while (!loop->stopping)
        loop_turn(true);
    loop->stopping = false;
}

void loop_stop(void)
{
    loop->stopping = true;
}

static void count_open(uv_handle_t *handle, void *left)
{
    if (!uv_is_closing(handle))
        ++*(int *)left;
}

void loop_close(void)
{
    int left = 0;

    assert(!loop->soons);
    fiber_loop_closes();
    uv_close((uv_handle_t *)&loop->before_sleep, NULL);
    uv_walk(&loop->uv, count_open, &left);
    assert(left == 0 && "a watch or timer outlives the loop");
    if (left == 0) {
        uv_run(&loop->uv, UV_RUN_DEFAULT);      /* the closing ones, and jobs under way */
        must(uv_loop_close(&loop->uv), "uv_loop_close");
        free(loop);
    }
    loop = NULL;
}

/* The epoll set is one object with two names, ours and the parent's: an
 * epoll_ctl here would change what the parent hears of. Closing our name for
 * it changes nothing. So nothing is unregistered, and libuv's structures are
 * left as they are; its other descriptors go in process_begin_child. */
void loop_forked(void)
{
    if (loop) {
        close(uv_backend_fd(&loop->uv));
        loop->forgotten = forgotten;
        forgotten = loop;
        loop = NULL;
    }
    signal_loop_forked();
    fiber_loop_forked();
}

static bool is_the_parents(const uv_loop_t *made_on)
{
    return !loop || made_on != &loop->uv;
}

time_ms loop_now(void)
{
    if (uv_now(&loop->uv) != loop->tick) {
        uv_update_time(&loop->uv);
        loop->tick = uv_now(&loop->uv);
        loop->now = clock_now();
    }
    return loop->now;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle->data);
}

/* --- timers ------------------------------------------------------------ */

struct timer {
    uv_timer_t uv;
    time_ms deadline;
    void (*fire)(void *owner);
    void *owner;
};

struct timer *timer_new(void (*fire)(void *owner), void *owner)
{
    struct timer *t = NEW(struct timer);

    t->fire = fire;
    t->owner = owner;
    must(uv_timer_init(&loop->uv, &t->uv), "uv_timer_init");
    t->uv.data = t;
    return t;
}

static void timer_due(uv_timer_t *uv);

static void timer_arm(struct timer *t)
{
    time_ms now = loop_now();
    uint64_t left = t->deadline > now ? (uint64_t)(t->deadline - now) : 0;

    /* libuv runs timers until none is due: one that always is would hold it. */
    if (left == 0 && loop->firing)
        left = 1;
    must(uv_timer_start(&t->uv, timer_due, left, 0), "uv_timer_start");
}

static void timer_due(uv_timer_t *uv)
{
    struct timer *t = uv->data;

    if (t->deadline > loop_now()) {     /* libuv's clock may lag by a tick */
        timer_arm(t);
        return;
    }
    loop->acted = true;
    loop->firing = true;
    t->fire(t->owner);
    loop->firing = false;
}

void timer_set(struct timer *t, time_ms deadline)
{
    assert(!is_the_parents(t->uv.loop));
    t->deadline = deadline;
    if (deadline == TIME_NEVER)
        timer_stop(t);
    else
        timer_arm(t);
}

void timer_stop(struct timer *t)
{
    uv_timer_stop(&t->uv);
}

void timer_free(struct timer *t)
{
    if (!t)
        return;
    if (is_the_parents(t->uv.loop))
        free(t);
    else
        uv_close((uv_handle_t *)&t->uv, free_handle);
}

/* --- file descriptors -------------------------------------------------- */

_Static_assert((int)WATCH_READ == (int)UV_READABLE && (int)WATCH_WRITE == (int)UV_WRITABLE,
               "events are passed through as they are");

struct watch {
    uv_poll_t uv;
    int wanted;         /* what the owner wants to hear of now */
    int asked;          /* what the kernel was asked for: may be more */
    void (*ready)(void *owner, int events);
    void *owner;
};

struct watch *watch_new(int fd, void (*ready)(void *owner, int events), void *owner)
{
    struct watch *w = NEW(struct watch);

    w->ready = ready;
    w->owner = owner;
    must(uv_poll_init(&loop->uv, &w->uv, fd), "uv_poll_init");
    w->uv.data = w;
    return w;
}

static void watch_ready(uv_poll_t *uv, int status, int events);

static void watch_ask(struct watch *w, int events)
{
    w->asked = events;
    if (events)
        must(uv_poll_start(&w->uv, events, watch_ready), "uv_poll_start");
    else
        uv_poll_stop(&w->uv);
}

/* A change costs libuv two system calls, and a dialogue changes its mind at
 * each wait; so wanting less is only noted. The kernel is told when it next
 * reports what nobody wants. */
static void watch_ready(uv_poll_t *uv, int status, int events)
{
    struct watch *w = uv->data;

    if (status < 0) {           /* an error on the descriptor: its owner finds it by reading or writing */
        events = w->wanted;
        watch_ask(w, w->wanted);
    } else if (events & ~w->wanted) {
        watch_ask(w, w->wanted);
    }
    if (events & w->wanted) {
        loop->acted = true;
        w->ready(w->owner, events & w->wanted);
    }
}

void watch_set(struct watch *w, int events)
{
    assert(!is_the_parents(w->uv.loop));
    w->wanted = events;
    if (events & ~w->asked)
        watch_ask(w, events);
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    if (is_the_parents(w->uv.loop))
        free(w);
    else
        uv_close((uv_handle_t *)&w->uv, free_handle);
}

/* --- work for a thread ------------------------------------------------- */

struct job {
    uv_work_t uv;
    void (*job)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void job_run(uv_work_t *uv)
{
    struct job *j = uv->data;

    j->job(j->arg);
}

static void job_done(uv_work_t *uv, int status)
{
    struct job *j = uv->data;
    void (*done)(void *arg) = j->done;
    void *arg = j->arg;

    free(j);
    loop->acted = true;
    done(arg);
}

void loop_work(void (*job)(void *arg), void (*done)(void *arg), void *arg)
{
    struct job *j = NEW(struct job);
    sigset_t all, before;

    *j = (struct job){ .job = job, .done = done, .arg = arg };
    j->uv.data = j;
    /* The first job makes the threads. Signals are for the loop's thread: a
     * system call in a job need not expect EINTR. */
    sigfillset(&all);
    if (!loop->workers_made)
        pthread_sigmask(SIG_BLOCK, &all, &before);
    must(uv_queue_work(&loop->uv, &j->uv, job_run, job_done), "uv_queue_work");
    if (!loop->workers_made)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    loop->workers_made = true;
}

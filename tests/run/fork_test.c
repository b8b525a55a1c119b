/* What a loop shares with other threads and processes: signals, jobs, forks. */
#include "run/loop.h"

#include "tests/run/forked.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Stands in front of the C library's, to see that a registration needs no mending. */
static int epoll_ctls;

int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    epoll_ctls++;
    return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
}

static void make_pair(int fds[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
}

static void close_pair(int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static int calls, fired;

static void count_calls(void *owner, int events)
{
    calls++;
}

static void count_fired(void *owner)
{
    fired++;
}

/* --- signals ----------------------------------------------------------- */

static int heard[NSIG];
static struct signal_watch *first_signal, *second_signal;

static void hear(void *owner, int number)
{
    heard[number]++;
}

TEST(signals_arrive_on_the_loop)
{
    loop_open();
    memset(heard, 0, sizeof heard);
    first_signal = signal_watch_new(SIGHUP, hear, NULL);
    second_signal = signal_watch_new(SIGUSR1, hear, NULL);
    raise(SIGHUP);
    CHECK_EQUAL(heard[SIGHUP], 0);
    loop_turn(true);
    CHECK_EQUAL(heard[SIGHUP], 1);
    CHECK_EQUAL(heard[SIGUSR1], 0);
    raise(SIGUSR1);
    raise(SIGHUP);
    raise(SIGHUP);                  /* as with the kernel, two may become one */
    loop_turn(true);
    loop_turn(false);
    CHECK_EQUAL(heard[SIGHUP], 2);
    CHECK_EQUAL(heard[SIGUSR1], 1);
    signal_watch_free(first_signal);
    raise(SIGUSR1);
    loop_turn(true);
    CHECK_EQUAL(heard[SIGUSR1], 2);
    signal_watch_free(second_signal);
    signal_watch_free(NULL);
    loop_close();
}

static void free_all_signals(void *owner, int number)
{
    heard[number]++;
    signal_watch_free(first_signal);
    signal_watch_free(second_signal);
}

TEST(a_signal_watch_may_free_itself_and_its_neighbour)
{
    loop_open();
    memset(heard, 0, sizeof heard);
    first_signal = signal_watch_new(SIGUSR1, free_all_signals, NULL);
    second_signal = signal_watch_new(SIGUSR1, free_all_signals, NULL);
    raise(SIGUSR1);
    loop_turn(true);
    CHECK_EQUAL(heard[SIGUSR1], 1);
    loop_close();
}

static bool dies_of_usr1(void *arg)
{
    raise(SIGUSR1);
    return true;
}

TEST(without_a_watch_a_signal_does_what_it_does_by_default)
{
    int status;

    loop_open();
    signal_watch_free(signal_watch_new(SIGUSR1, hear, NULL));
    status = forked_ended(forked(dies_of_usr1, NULL));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    loop_close();
}

/* --- worker threads ---------------------------------------------------- */

static pthread_t worked_on;
static bool signals_blocked;

static void work(void *arg)
{
    sigset_t mask;

    worked_on = pthread_self();
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    signals_blocked = sigismember(&mask, SIGTERM) == 1;
    ++*(int *)arg;
}

static void worked(void *arg)
{
    CHECK(!pthread_equal(worked_on, pthread_self()));
    *(int *)arg += 10;
}

TEST(work_is_done_on_a_thread_and_reported_on_the_loop)
{
    int steps = 0;

    loop_open();
    loop_work(work, worked, &steps);
    while (steps < 11)
        loop_turn(true);
    CHECK_EQUAL(steps, 11);
    CHECK(signals_blocked);
    loop_work(work, worked, &steps);
    loop_close();                   /* waits for it */
    CHECK_EQUAL(steps, 22);
}

/* --- fork -------------------------------------------------------------- */

struct family {
    int shared[2];          /* watched by the parent before the fork */
    struct watch *watch;
    struct timer *timer;
    struct signal_watch *signal;
};

static bool child_has_a_loop_of_its_own(void *arg)
{
    struct family *f = arg;
    int fds[2], steps = 0;
    struct watch *w;
    struct timer *t;
    struct signal_watch *s;

    /* Freeing what the parent made, and watching the very same descriptor,
     * must not reach the parent's registrations. */
    watch_free(f->watch);
    timer_free(f->timer);
    signal_watch_free(f->signal);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        return false;
    loop_open();
    w = watch_new(f->shared[0], count_calls, NULL);
    watch_set(w, WATCH_WRITE);
    calls = 0;
    loop_turn(true);
    if (calls != 1)
        return false;
    watch_free(w);

    fired = 0;
    t = timer_new(count_fired, NULL);
    timer_set(t, loop_now() + 5);
    while (fired == 0)
        loop_turn(true);
    timer_free(t);

    heard[SIGUSR1] = 0;
    s = signal_watch_new(SIGUSR1, hear, NULL);
    raise(SIGUSR1);
    while (heard[SIGUSR1] == 0)
        loop_turn(true);
    signal_watch_free(s);

    loop_work(work, worked, &steps);
    while (steps < 11)
        loop_turn(true);
    close_pair(fds);
    loop_close();
    return true;
}

TEST(after_a_fork_parent_and_child_have_loops_that_do_not_meet)
{
    struct family f;
    int steps = 0;
    pid_t child;

    loop_open();
    make_pair(f.shared);
    memset(heard, 0, sizeof heard);
    f.watch = watch_new(f.shared[0], count_calls, NULL);
    watch_set(f.watch, WATCH_READ);
    f.timer = timer_new(count_fired, NULL);
    f.signal = signal_watch_new(SIGUSR1, hear, NULL);
    loop_work(work, worked, &steps);        /* so there are threads to lose */
    while (steps < 11)
        loop_turn(true);

    child = forked(child_has_a_loop_of_its_own, &f);
    CHECK(forked_was_well(child));

    calls = 0;
    loop_turn(false);
    CHECK_EQUAL(calls, 0);
    CHECK_EQUAL(heard[SIGUSR1], 0);         /* the child's own, not ours */
    epoll_ctls = 0;
    CHECK(write(f.shared[1], "x", 1) == 1);
    loop_turn(true);
    CHECK_EQUAL(calls, 1);                  /* still registered, and nothing had to be mended */
    CHECK_EQUAL(epoll_ctls, 0);
    fired = 0;
    timer_set(f.timer, loop_now() + 5);
    while (fired == 0) {
        watch_set(f.watch, 0);
        loop_turn(true);
    }
    raise(SIGUSR1);
    while (heard[SIGUSR1] == 0)
        loop_turn(true);

    watch_free(f.watch);
    timer_free(f.timer);
    signal_watch_free(f.signal);
    close_pair(f.shared);
    loop_close();
}

static bool child_loop_within_callback;

static void fork_in_callback(void *owner, int events)
{
    struct family none = { .shared = { *(int *)owner } };
    pid_t child = forked(child_has_a_loop_of_its_own, &none);

    child_loop_within_callback = forked_was_well(child);
    loop_stop();
}

TEST(a_fork_may_happen_inside_a_callback)
{
    int fds[2];
    struct watch *w;

    loop_open();
    make_pair(fds);
    w = watch_new(fds[0], fork_in_callback, &fds[0]);
    watch_set(w, WATCH_WRITE);
    loop_run();
    CHECK(child_loop_within_callback);
    watch_free(w);
    close_pair(fds);
    loop_close();
}

static bool grandchild_too(void *arg)
{
    pid_t grandchild;
    struct error why;
    int status;

    loop_open();
    grandchild = process_fork(&why);
    if (grandchild == 0) {
        struct family none = { .shared = { *(int *)arg } };

        _exit(child_has_a_loop_of_its_own(&none) ? CHILD_WELL : CHILD_ILL);
    }
    loop_turn(false);
    loop_close();
    return waitpid(grandchild, &status, 0) == grandchild && WIFEXITED(status) && WEXITSTATUS(status) == CHILD_WELL;
}

TEST(a_child_may_fork_again)
{
    int fds[2];

    loop_open();
    make_pair(fds);
    CHECK(forked_was_well(forked(grandchild_too, &fds[0])));
    close_pair(fds);
    loop_close();
}

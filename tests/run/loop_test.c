#include "run/loop.h"

#include "tests/test.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Stands in front of the C library's, to count what a watch costs. */
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

/* --- soon -------------------------------------------------------------- */

#define MARK(letter) ((void *)(letter))     /* for run_note */

static char written[64];

static void note(const char *mark)
{
    strncat(written, mark, sizeof written - strlen(written) - 1);
}

static void run_note(void *owner)
{
    note(owner);
}

TEST(soons_run_in_the_order_in_which_they_were_added)
{
    struct soon a = { run_note, MARK("a") }, b = { run_note, MARK("b") }, c = { run_note, MARK("c") };

    loop_open();
    written[0] = '\0';
    soon_add(&a);
    soon_add(&b);
    soon_add(&c);
    soon_add(&a);           /* already queued */
    loop_turn(true);        /* and does not wait for anything else */
    CHECK_TEXT(written, "abc");
    loop_turn(false);
    CHECK_TEXT(written, "abc");
    soon_add(&a);
    loop_turn(false);
    CHECK_TEXT(written, "abca");
    loop_close();
}

TEST(a_removed_soon_does_not_run)
{
    struct soon a = { run_note, MARK("a") }, b = { run_note, MARK("b") }, c = { run_note, MARK("c") };

    loop_open();
    written[0] = '\0';
    soon_remove(&a);        /* never added */
    soon_add(&a);
    soon_add(&b);
    soon_add(&c);
    soon_remove(&c);
    soon_remove(&a);
    soon_add(&a);
    loop_turn(false);
    CHECK_TEXT(written, "ba");
    loop_close();
}

static struct soon remover, victim, survivor;

static void remove_victim(void *owner)
{
    soon_remove(&victim);
    soon_remove(&survivor);
    soon_add(&survivor);
}

TEST(a_soon_may_remove_others_of_its_round)
{
    loop_open();
    written[0] = '\0';
    remover = (struct soon){ remove_victim };
    victim = (struct soon){ run_note, MARK("v") };
    survivor = (struct soon){ run_note, MARK("s") };
    soon_add(&remover);
    soon_add(&survivor);
    soon_add(&victim);
    loop_turn(false);
    CHECK_TEXT(written, "s");
    loop_close();
}

static struct soon chain;
static int chain_left;

static void next_in_chain(void *owner)
{
    if (--chain_left > 0)
        soon_add(&chain);
    else
        loop_stop();
}

TEST(soons_queued_by_soons_run_before_the_loop_sleeps)
{
    loop_open();
    chain = (struct soon){ next_in_chain };
    chain_left = 10;
    soon_add(&chain);
    loop_turn(true);
    CHECK_EQUAL(chain_left, 0);
    loop_run();                 /* that loop_stop came in a mere turn: it counts here */
    chain_left = 10000;         /* more than the rounds of one turn */
    soon_add(&chain);
    loop_run();
    CHECK_EQUAL(chain_left, 0);
    loop_close();
}

static void read_one(void *owner, int events)
{
    char byte;

    if (read(*(int *)owner, &byte, 1) == 1)
        note("r");
    chain_left = 1;
}

static void requeue_for_ever(void *owner)
{
    if (chain_left != 1)
        soon_add(&chain);
}

TEST(soons_without_end_do_not_starve_descriptors)
{
    int fds[2];
    struct watch *w;

    loop_open();
    make_pair(fds);
    written[0] = '\0';
    w = watch_new(fds[0], read_one, &fds[0]);
    watch_set(w, WATCH_READ);
    chain = (struct soon){ requeue_for_ever };
    chain_left = 0;
    soon_add(&chain);
    CHECK(write(fds[1], "x", 1) == 1);
    loop_turn(true);
    CHECK_TEXT(written, "r");
    watch_free(w);
    close_pair(fds);
    loop_close();
}

static void add_soon_a(void *owner, int events)
{
    soon_add(owner);
}

TEST(a_soon_added_by_a_callback_runs_in_the_same_turn)
{
    struct soon a = { run_note, MARK("a") };
    int fds[2];
    struct watch *w;

    loop_open();
    make_pair(fds);
    written[0] = '\0';
    w = watch_new(fds[0], add_soon_a, &a);
    watch_set(w, WATCH_WRITE);
    loop_turn(true);
    CHECK_TEXT(written, "a");
    watch_free(w);
    close_pair(fds);
    loop_close();
}

/* --- timers ------------------------------------------------------------ */

TEST(timers_fire_in_order_and_never_early)
{
    struct timer *a, *b, *c;
    time_ms start;

    loop_open();
    written[0] = '\0';
    a = timer_new(run_note, MARK("a"));
    b = timer_new(run_note, MARK("b"));
    c = timer_new(run_note, MARK("c"));
    start = clock_now();
    timer_set(a, start + 400);      /* far apart: valgrind on a busy machine is slow */
    timer_set(b, start + 200);
    timer_set(c, start - 1000);
    while (strlen(written) < 3)
        loop_turn(true);
    CHECK_TEXT(written, "cba");
    CHECK(clock_now() >= start + 400);
    CHECK(loop_now() >= start + 400);
    timer_free(a);
    timer_free(b);
    timer_free(c);
    timer_free(NULL);
    loop_close();
}

TEST(a_timer_moves_and_stops)
{
    struct timer *a, *b, *stop;
    time_ms start;

    loop_open();
    written[0] = '\0';
    a = timer_new(run_note, MARK("a"));
    b = timer_new(run_note, MARK("b"));
    stop = timer_new((void (*)(void *))loop_stop, NULL);
    start = clock_now();
    timer_set(a, start + 5);
    timer_set(a, TIME_NEVER);
    timer_set(b, start + HOURS(5));
    timer_set(b, start + 10);
    timer_set(stop, start + 20);
    timer_stop(a);
    loop_run();
    CHECK_TEXT(written, "b");
    timer_free(a);
    timer_free(b);
    timer_free(stop);
    loop_close();
}

static struct timer *self;

static void fire_and_free(void *owner)
{
    note("f");
    timer_free(self);
    self = NULL;
}

static void fire_again(void *owner)
{
    note(".");
    timer_set(self, loop_now());
}

TEST(a_timer_may_free_itself)
{
    loop_open();
    written[0] = '\0';
    self = timer_new(fire_and_free, NULL);
    timer_set(self, loop_now());
    while (self)
        loop_turn(true);
    loop_turn(false);
    CHECK_TEXT(written, "f");
    loop_close();
}

TEST(a_timer_that_is_always_due_leaves_time_for_others)
{
    loop_open();
    written[0] = '\0';
    self = timer_new(fire_again, NULL);
    timer_set(self, loop_now());
    for (int i = 0; i < 5; i++)
        loop_turn(true);
    CHECK(strlen(written) >= 1 && strlen(written) <= 10);
    timer_free(self);
    loop_close();
}

TEST(loop_now_follows_the_clock)
{
    loop_open();
    loop_turn(false);
    CHECK(loop_now() <= clock_now() && loop_now() > clock_now() - 1000);
    clock_freeze(0);
    clock_advance(HOURS(1));
    loop_turn(false);
    CHECK_EQUAL(loop_now(), clock_now());
    clock_thaw();
    loop_close();
}

/* --- descriptors ------------------------------------------------------- */

static int last_events, calls;

static void count_events(void *owner, int events)
{
    last_events = events;
    calls++;
}

TEST(a_watch_is_level_triggered_and_hears_only_what_it_asked_for)
{
    int fds[2];
    struct watch *w;

    loop_open();
    make_pair(fds);
    calls = 0;
    w = watch_new(fds[0], count_events, NULL);
    watch_set(w, WATCH_READ);
    loop_turn(false);
    CHECK_EQUAL(calls, 0);          /* writable, but that was not asked */
    CHECK(write(fds[1], "x", 1) == 1);
    loop_turn(true);
    loop_turn(true);
    CHECK_EQUAL(calls, 2);
    CHECK_EQUAL(last_events, WATCH_READ);
    watch_set(w, WATCH_READ | WATCH_WRITE);
    loop_turn(true);
    CHECK_EQUAL(last_events, WATCH_READ | WATCH_WRITE);
    watch_set(w, WATCH_WRITE);
    loop_turn(true);
    CHECK_EQUAL(last_events, WATCH_WRITE);
    CHECK_EQUAL(calls, 4);
    watch_set(w, 0);
    loop_turn(false);
    loop_turn(false);
    CHECK_EQUAL(calls, 4);
    watch_free(w);
    watch_free(NULL);
    close_pair(fds);
    loop_close();
}

TEST(changing_ones_mind_costs_no_system_call)
{
    int fds[2];
    struct watch *w;

    loop_open();
    make_pair(fds);
    w = watch_new(fds[0], count_events, NULL);
    watch_set(w, WATCH_READ);
    CHECK(write(fds[1], "x", 1) == 1);
    calls = 0;
    loop_turn(true);
    epoll_ctls = 0;
    for (int i = 0; i < 100; i++) {
        watch_set(w, 0);
        watch_set(w, WATCH_READ);
        loop_turn(true);
    }
    CHECK_EQUAL(calls, 101);
    CHECK_EQUAL(epoll_ctls, 0);

    watch_set(w, 0);                /* what nobody wants is heard of once */
    for (int i = 0; i < 10; i++)
        loop_turn(false);
    CHECK_EQUAL(calls, 101);
    CHECK_EQUAL(epoll_ctls, 1);
    watch_set(w, WATCH_READ);       /* and again when it is wanted again */
    loop_turn(true);
    CHECK_EQUAL(calls, 102);
    watch_free(w);
    close_pair(fds);
    loop_close();
}

TEST(a_peer_that_hangs_up_wakes_every_kind_of_watch)
{
    for (int events = WATCH_READ; events <= (WATCH_READ | WATCH_WRITE); events++) {
        int fds[2];
        struct watch *w;

        loop_open();
        make_pair(fds);
        calls = 0;
        w = watch_new(fds[0], count_events, NULL);
        watch_set(w, events);
        close(fds[1]);
        loop_turn(true);
        loop_turn(true);
        CHECK_EQUAL(calls, 2);
        CHECK(last_events & events);
        watch_set(w, 0);
        epoll_ctls = 0;
        for (int i = 0; i < 5; i++)     /* a hangup cannot be masked: it must not keep the loop awake */
            loop_turn(false);
        CHECK_EQUAL(calls, 2);
        CHECK(epoll_ctls <= 2);
        watch_free(w);
        close(fds[0]);
        loop_close();
    }
}

TEST(an_error_on_the_descriptor_is_reported_as_long_as_it_is_wanted)
{
    int fds[2];
    struct watch *w;

    loop_open();
    CHECK(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    calls = 0;
    w = watch_new(fds[1], count_events, NULL);
    watch_set(w, WATCH_WRITE);
    close(fds[0]);                  /* POLLERR from now on */
    loop_turn(true);
    loop_turn(true);
    CHECK_EQUAL(calls, 2);
    CHECK_EQUAL(last_events, WATCH_WRITE);
    watch_set(w, 0);
    loop_turn(false);
    loop_turn(false);
    CHECK_EQUAL(calls, 2);
    watch_free(w);
    close(fds[1]);
    loop_close();
}

static struct watch *self_watch, *other_watch;

static void free_both(void *owner, int events)
{
    calls++;
    watch_free(self_watch);
    watch_free(other_watch);
    self_watch = other_watch = NULL;
}

TEST(a_watch_may_free_itself_and_one_that_is_also_ready)
{
    int fds[2];

    loop_open();
    make_pair(fds);
    calls = 0;
    self_watch = watch_new(fds[0], free_both, NULL);
    other_watch = watch_new(fds[1], free_both, NULL);
    watch_set(self_watch, WATCH_WRITE);
    watch_set(other_watch, WATCH_WRITE);
    loop_turn(true);
    loop_turn(false);
    CHECK_EQUAL(calls, 1);
    close_pair(fds);
    loop_close();
}

TEST(a_descriptor_number_may_be_watched_again_at_once)
{
    int fds[2], again[2];
    struct watch *w;

    loop_open();
    make_pair(fds);
    w = watch_new(fds[0], free_both, NULL);
    watch_set(w, WATCH_READ);
    loop_turn(false);
    watch_free(w);
    close_pair(fds);
    make_pair(again);
    CHECK_EQUAL(again[0], fds[0]);
    calls = 0;
    w = watch_new(again[0], count_events, NULL);
    watch_set(w, WATCH_READ);
    CHECK(write(again[1], "x", 1) == 1);
    loop_turn(true);
    CHECK_EQUAL(calls, 1);
    watch_free(w);
    close_pair(again);
    loop_close();
}

TEST(a_loop_can_be_opened_again)
{
    for (int i = 0; i < 3; i++) {
        loop_open();
        loop_turn(false);
        loop_close();
    }
}

/* Built twice: as the machine has it, and with swapcontext and FIBER_DEPTH. */
#include "run/fiber.h"

#include "tests/run/forked.h"
#include "tests/run/notes.h"

#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Stands in front of the C library's, to count what a wait costs. */
static int epoll_ctls;

int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    epoll_ctls++;
    return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
}

/* --- starting and waking ------------------------------------------------ */

static void note_mark(void *mark)
{
    note(*(char *)mark);
}

TEST(fibers_first_run_in_the_next_turn_and_in_order)
{
    begin();
    fiber_start("a", note_mark, (char[]){ "a" });
    fiber_start("b", note_mark, (char[]){ "b" });
    CHECK_TEXT(written, "");
    CHECK_EQUAL(fiber_count(), 2);
    CHECK(!fiber_current());
    loop_turn(true);
    CHECK_TEXT(written, "ab");
    CHECK_EQUAL(fiber_count(), 0);
    end();
}

static void wait_once(void *unused)
{
    note('<');
    note_how(fiber_wait(TIME_NEVER));
}

TEST(a_wake_ends_a_wait)
{
    struct fiber *f;

    begin();
    f = fiber_start("waits", wait_once, NULL);
    loop_turn(false);
    loop_turn(false);
    CHECK_TEXT(written, "<");
    fiber_wake(f);
    CHECK_TEXT(written, "<");       /* soon, not now */
    loop_turn(true);
    CHECK_TEXT(written, "<w");
    end();
}

static void wait_thrice(void *unused)
{
    time_ms soon = clock_now() + 50;

    note_how(fiber_wait(soon));
    note_how(fiber_wait(soon));
    note_how(fiber_sleep_until(soon));
}

TEST(a_wake_is_remembered_once)
{
    struct fiber *f;

    begin();
    f = fiber_start("waits", wait_thrice, NULL);
    fiber_wake(f);
    fiber_wake(f);
    run_all();
    CHECK_TEXT(written, "wtt");
    end();
}

TEST(two_wakes_of_one_wait_count_as_one)
{
    struct fiber *f;

    begin();
    f = fiber_start("waits", wait_thrice, NULL);
    loop_turn(false);
    fiber_wake(f);
    fiber_wake(f);
    run_all();
    CHECK_TEXT(written, "wtt");
    end();
}

static void sleep_then_wait(void *unused)
{
    note_how(fiber_sleep_until(clock_now() + 10));
    note_how(fiber_wait(TIME_NEVER));
}

TEST(a_wake_does_not_disturb_other_waits_but_is_kept)
{
    struct fiber *f;

    begin();
    f = fiber_start("sleeps", sleep_then_wait, NULL);
    loop_turn(false);
    fiber_wake(f);
    loop_turn(false);
    CHECK_TEXT(written, "");
    run_all();
    CHECK_TEXT(written, "tw");
    end();
}

static struct fiber *many[5000];
static size_t order[5000], order_len;

static void wait_and_log(void *arg)
{
    if (fiber_wait(TIME_NEVER) == FIBER_WOKEN)
        order[order_len++] = (size_t)((struct fiber **)arg - many);
}

TEST(thousands_of_fibers_wake_in_the_order_of_their_wakes)
{
    enum { COUNT = 5000, STEP = 7 };      /* no common divisor */

    begin();
    order_len = 0;
    for (size_t i = 0; i < COUNT; i++)
        many[i] = fiber_start("one of many", wait_and_log, &many[i]);
    loop_turn(true);
    CHECK_EQUAL(fiber_count(), COUNT);
    for (size_t i = 0; i < COUNT; i++)
        fiber_wake(many[i * STEP % COUNT]);
    loop_turn(true);
    CHECK_EQUAL(fiber_count(), 0);
    CHECK_EQUAL(order_len, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_EQUAL(order[i], i * STEP % COUNT);
    end();
}

static struct fiber *ping, *pong;
static bool game_over;

static void wake_for_ever(void *arg)
{
    struct fiber **other = arg;

    while (fiber_wait(TIME_NEVER) == FIBER_WOKEN)
        if (!game_over)
            fiber_wake(*other);
}

static void end_game(void *unused)
{
    (void)fiber_sleep_until(clock_now() + 5);
    game_over = true;
}

TEST(fibers_that_keep_waking_each_other_do_not_starve_timers)
{
    begin();
    game_over = false;
    ping = fiber_start("ping", wake_for_ever, &pong);
    pong = fiber_start("pong", wake_for_ever, &ping);
    fiber_start("referee", end_game, NULL);
    fiber_wake(ping);
    while (!game_over)
        loop_turn(true);
    fiber_cancel(ping);
    fiber_cancel(pong);
    end();
}

/* --- time --------------------------------------------------------------- */

static void wait_with_deadlines(void *unused)
{
    time_ms start = clock_now();

    note_how(fiber_wait(start + 10));
    note(clock_now() >= start + 10 ? '+' : '-');
    fiber_wake(fiber_current());
    note_how(fiber_wait(start + HOURS(1)));
    note_how(fiber_wait(start + 20));           /* earlier than the one before */
    note(clock_now() >= start + 20 ? '+' : '-');
    note_how(fiber_wait(start));                /* long past */
    note_how(fiber_sleep_until(start + 30));
    note(clock_now() >= start + 30 && clock_now() < start + 5000 ? '+' : '-');
}

TEST(deadlines_end_waits_and_never_early)
{
    begin();
    fiber_start("waits", wait_with_deadlines, NULL);
    run_all();
    CHECK_TEXT(written, "t+wt+tt+");
    end();
}

static void wait_long_then_short(void *deadlines)
{
    note_how(fiber_wait(((time_ms *)deadlines)[0]));
    note_how(fiber_wait(((time_ms *)deadlines)[1]));
    note(clock_now() >= ((time_ms *)deadlines)[1] ? '+' : '-');
}

TEST(a_timer_left_from_an_earlier_wait_does_not_end_a_later_one)
{
    time_ms deadlines[2];
    struct fiber *f;

    begin();
    deadlines[0] = clock_now() + 50;
    deadlines[1] = clock_now() + 100;
    f = fiber_start("waits", wait_long_then_short, deadlines);
    loop_turn(false);
    fiber_wake(f);
    run_all();
    CHECK_TEXT(written, "wt+");
    end();
}

/* --- cancelling --------------------------------------------------------- */

static int sockets[2];
static struct gate gate;

static void wait_in_every_way(void *unused)
{
    struct fiber_watch *w = fiber_watch_new(sockets[0]);
    int ready = 99;

    note_how(fiber_wait(TIME_NEVER));
    note_how(fiber_sleep_until(TIME_NEVER));
    note_how(fiber_wait_ready(w, WATCH_READ | WATCH_WRITE, TIME_NEVER, &ready));
    note_how(gate_wait(&gate, TIME_NEVER));
    note(ready == 99 ? '.' : '!');
    note(fiber_is_cancelled() ? '.' : '!');
    fiber_watch_free(w);
}

static void make_sockets(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets) == 0);
}

static void close_sockets(void)
{
    close(sockets[0]);
    close(sockets[1]);
}

TEST(a_fiber_cancelled_before_it_starts_runs_and_finds_every_wait_cancelled)
{
    struct fiber *f;

    begin();
    make_sockets();
    f = fiber_start("doomed", wait_in_every_way, NULL);
    fiber_wake(f);          /* does not help */
    fiber_cancel(f);
    run_all();
    CHECK_TEXT(written, "cccc..");
    CHECK(gate_is_empty(&gate));
    close_sockets();
    end();
}

static void sleep_for_ever(void *unused)
{
    note_how(fiber_sleep_until(TIME_NEVER));
    note_how(fiber_wait(TIME_NEVER));
}

static void read_for_ever(void *unused)
{
    struct fiber_watch *w = fiber_watch_new(sockets[0]);

    note_how(fiber_wait_ready(w, WATCH_READ, TIME_NEVER, NULL));
    note_how(fiber_wait_ready(w, WATCH_READ, TIME_NEVER, NULL));
    fiber_watch_free(w);
}

static void stand_at_gate(void *unused)
{
    note_how(gate_wait(&gate, TIME_NEVER));
    note_how(gate_wait(&gate, TIME_NEVER));
}

static void wait_twice(void *unused)
{
    note_how(fiber_wait(TIME_NEVER));
    note_how(fiber_wait(TIME_NEVER));
}

TEST(cancelling_ends_every_kind_of_wait_for_ever)
{
    void (*const kinds[])(void *) = { wait_twice, sleep_for_ever, read_for_ever, stand_at_gate };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct fiber *f;

        begin();
        make_sockets();
        f = fiber_start("waits", kinds[i], NULL);
        loop_turn(false);
        loop_turn(false);
        CHECK_TEXT(written, "");
        fiber_cancel(f);
        fiber_cancel(f);
        CHECK_TEXT(written, "");
        run_all();
        CHECK_TEXT(written, "cc");
        CHECK(gate_is_empty(&gate));
        close_sockets();
        end();
    }
}

static void cancel_itself(void *unused)
{
    fiber_cancel(fiber_current());
    note(fiber_is_cancelled() ? 'y' : 'n');
    note_how(fiber_wait(TIME_NEVER));
}

TEST(a_fiber_may_cancel_itself)
{
    begin();
    fiber_start("suicidal", cancel_itself, NULL);
    run_all();
    CHECK_TEXT(written, "yc");
    end();
}

TEST(a_wait_that_was_over_keeps_its_result_when_cancelled_afterwards)
{
    struct fiber *f;

    begin();
    f = fiber_start("woken", wait_twice, NULL);
    loop_turn(false);
    fiber_wake(f);
    fiber_cancel(f);
    run_all();
    CHECK_TEXT(written, "wc");
    end();
}

/* --- descriptors -------------------------------------------------------- */

static void wait_for_bytes(void *unused)
{
    struct fiber_watch *w = fiber_watch_new(sockets[0]);
    int ready = 0;
    char byte;

    note_how(fiber_wait_ready(w, WATCH_READ, clock_now() + 5, &ready));
    note_how(fiber_wait_ready(w, WATCH_READ, clock_now() + 5000, &ready));
    note((char)('0' + ready));
    note(read(sockets[0], &byte, 1) == 1 ? byte : '!');
    note_how(fiber_wait_ready(w, WATCH_READ | WATCH_WRITE, TIME_NEVER, &ready));
    note((char)('0' + ready));
    fiber_watch_free(w);
    fiber_watch_free(NULL);
}

static void send_later(void *unused)
{
    (void)fiber_sleep_until(clock_now() + 15);
    note(write(sockets[1], "x", 1) == 1 ? '>' : '!');
}

TEST(a_fiber_waits_until_its_descriptor_is_ready)
{
    begin();
    make_sockets();
    fiber_start("reads", wait_for_bytes, NULL);
    fiber_start("writes", send_later, NULL);
    run_all();
    CHECK_TEXT(written, "t>w1xw2");
    close_sockets();
    end();
}

static void echo(void *arg)
{
    int fd = sockets[arg != NULL];
    struct fiber_watch *w = fiber_watch_new(fd);
    char byte = 'b';

    for (int i = 0; i < 1000; i++) {
        if (i == 10 && arg)
            epoll_ctls = 0;             /* both are registered by now */
        if (i == 990 && arg)
            note((char)('0' + (epoll_ctls < 9 ? epoll_ctls : 9)));
        if (arg && write(fd, &byte, 1) != 1)
            note('!');
        while (read(fd, &byte, 1) != 1)
            if (fiber_wait_ready(w, WATCH_READ, loop_now() + 5000, NULL) != FIBER_WOKEN)
                note('!');
        if (!arg && write(fd, &byte, 1) != 1)
            note('!');
    }
    note('.');
    fiber_watch_free(w);
}

TEST(waiting_again_and_again_with_a_deadline_changes_no_registration)
{
    begin();
    make_sockets();
    fiber_start("echo", echo, NULL);
    fiber_start("shout", echo, sockets);
    run_all();
    CHECK_TEXT(written, "0..");
    close_sockets();
    end();
}

/* --- worker threads ----------------------------------------------------- */

static atomic_bool ticked;

static void slow_job(void *result)
{
    while (!atomic_load(&ticked))
        usleep(1000);
    *(int *)result = 42;
}

static void have_work_done(void *unused)
{
    int result = 0;

    fiber_work(slow_job, &result);
    note(result == 42 ? '+' : '-');
    note_how(fiber_wait(clock_now()));
}

static void tick(void *unused)
{
    (void)fiber_sleep_until(clock_now() + 10);
    note('.');
    atomic_store(&ticked, true);
}

TEST(others_run_while_a_job_is_done)
{
    begin();
    atomic_store(&ticked, false);
    fiber_start("works", have_work_done, NULL);
    fiber_start("ticks", tick, NULL);
    run_all();
    CHECK_TEXT(written, ".+t");
    end();
}

TEST(a_job_is_waited_for_even_when_cancelled)
{
    struct fiber *f;

    begin();
    atomic_store(&ticked, false);
    f = fiber_start("works", have_work_done, NULL);
    loop_turn(true);
    fiber_cancel(f);
    loop_turn(true);
    fiber_cancel(f);
    fiber_wake(f);
    loop_turn(true);
    CHECK_TEXT(written, "");
    atomic_store(&ticked, true);
    run_all();
    CHECK_TEXT(written, "+c");
    end();
}

/* --- forks -------------------------------------------------------------- */

static bool child_runs_fibers_of_its_own(void *unused)
{
    if (fiber_count() != 0)
        return false;
    begin();
    fiber_start("child's", note_mark, (char[]){ "k" });
    end();
    return strcmp(written, "k") == 0;
}

TEST(after_a_fork_each_side_has_its_own_fibers)
{
    struct fiber *f;

    begin();
    f = fiber_start("parent's", wait_once, NULL);
    loop_turn(true);
    fiber_start("also the parent's", note_mark, (char[]){ "p" });
    CHECK(forked_was_well(forked(child_runs_fibers_of_its_own, NULL)));
    CHECK_EQUAL(fiber_count(), 2);
    fiber_wake(f);
    run_all();
    CHECK_TEXT(written, "<pw");
    end();
}

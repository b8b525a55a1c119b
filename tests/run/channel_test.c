#include "run/channel.h"

#include "tests/run/side.h"

#include <sys/syscall.h>
#include <sys/wait.h>

/* Stands in front of the C library's, to count system calls. */
static int sends;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    sends++;
    return syscall(SYS_sendmsg, fd, message, flags);
}

static struct side a, b;

static void begin(void)
{
    int fds[2];

    loop_open();
    make_pair(fds);
    side_open(&a, fds[0]);
    side_open(&b, fds[1]);
}

static void end(void)
{
    side_done(&a);
    side_done(&b);
    loop_close();
}

static char pattern[CHANNEL_FRAME_MAX];

/* --- frames ------------------------------------------------------------- */

TEST(frames_of_every_size_arrive_whole_and_in_order)
{
    static const size_t sizes[] = { 0, 1, 5, 6, 7, 4096, 65535, 65536, 256 * 1024 - 7, 256 * 1024 - 6, 256 * 1024,
                                    CHANNEL_FRAME_MAX - 1, CHANNEL_FRAME_MAX, 0, 3 };

    begin();
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i * 31 + (i >> 8));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        channel_send(a.channel, (uint8_t)i, slice(pattern, sizes[i]));
        while (b.frames <= (int)i)
            loop_turn(true);
        CHECK_EQUAL(b.type, i);
        CHECK(slice_equal(buf_slice(&b.body), slice(pattern, sizes[i])));
    }
    CHECK_EQUAL(a.frames, 0);
    CHECK_EQUAL(b.closed, 0);
    end();
}

TEST(large_and_small_frames_mix_in_both_directions)
{
    begin();
    for (int i = 0; i < 40; i++) {
        channel_send(a.channel, 1, slice(pattern, i % 3 ? (size_t)i : CHANNEL_FRAME_MAX / 8 * (size_t)(i % 9)));
        channel_send(b.channel, 2, slice(pattern, (size_t)i * 1000));
    }
    while (a.frames < 40 || b.frames < 40)
        loop_turn(true);
    CHECK_EQUAL(a.frames, 40);
    CHECK_EQUAL(b.frames, 40);
    CHECK_EQUAL(a.bytes, 1000 * (39 * 40 / 2));
    CHECK_EQUAL(channel_backlog(a.channel), 0);
    CHECK_EQUAL(channel_backlog(b.channel), 0);
    end();
}

TEST(frames_of_one_turn_leave_in_one_system_call)
{
    begin();
    sends = 0;
    for (int i = 0; i < 1000; i++)
        channel_send(a.channel, 7, SLICE("ten bytes."));
    CHECK_EQUAL(sends, 0);
    CHECK_EQUAL(channel_backlog(a.channel), 1000 * 16);
    loop_turn(false);
    CHECK_EQUAL(sends, 1);
    turns(2);
    CHECK_EQUAL(b.frames, 1000);
    CHECK_EQUAL(sends, 1);
    end();
}

static void send_one(void *unused)
{
    channel_send(a.channel, 1, SLICE("from a fiber"));
}

TEST(frames_of_many_fibers_leave_together)
{
    begin();
    sends = 0;
    channel_send(a.channel, 1, SLICE("queued before the fibers run"));
    for (int i = 0; i < 100; i++)
        fiber_start("sends", send_one, NULL);
    loop_turn(false);
    CHECK_EQUAL(sends, 1);
    turns(2);
    CHECK_EQUAL(b.frames, 101);
    end();
}

TEST(nothing_comes_before_channel_start)
{
    static const struct channel_events events = { side_frame, side_closed };
    int fds[2];

    loop_open();
    make_pair(fds);
    side_open(&a, fds[0]);
    b = (struct side){ 0 };
    buf_init(&b.body, 100);
    b.channel = channel_new(fds[1], &events, &b);
    channel_send(a.channel, 1, SLICE("x"));
    channel_send(b.channel, 2, SLICE("y"));     /* sending needs no start */
    turns(3);
    CHECK_EQUAL(b.frames, 0);
    CHECK_EQUAL(a.frames, 1);
    channel_start(b.channel);
    loop_turn(true);
    CHECK_EQUAL(b.frames, 1);
    end();
}

/* --- pauses ------------------------------------------------------------- */

TEST(a_paused_channel_holds_frames_back_even_in_the_middle_of_a_batch)
{
    begin();
    b.will = WILL_PAUSE;
    for (int i = 0; i < 3; i++)
        channel_send(a.channel, (uint8_t)i, SLICE("x"));
    turns(3);
    CHECK_EQUAL(b.frames, 1);
    channel_send(a.channel, 3, SLICE("x"));
    turns(2);
    CHECK_EQUAL(b.frames, 1);
    channel_pause(b.channel, false);
    CHECK_EQUAL(b.frames, 1);               /* never from within the call */
    turns(2);
    CHECK_EQUAL(b.frames, 2);
    b.will = WILL_TAKE;
    channel_pause(b.channel, false);
    channel_pause(b.channel, true);         /* changed its mind */
    turns(2);
    CHECK_EQUAL(b.frames, 2);
    channel_pause(b.channel, false);
    turns(3);
    CHECK_EQUAL(b.frames, 4);
    CHECK_EQUAL(b.type, 3);
    end();
}

TEST(a_pause_with_a_full_buffer_loses_nothing)
{
    begin();
    channel_pause(b.channel, true);
    for (int i = 0; i < 1000; i++)
        channel_send(a.channel, 9, slice(pattern, 1018));
    turns(3);
    CHECK(channel_backlog(a.channel) > 0);
    b.will = WILL_PAUSE;
    for (int i = 1; i <= 1000; i++) {
        channel_pause(b.channel, false);
        while (b.frames < i)
            loop_turn(true);
        CHECK_EQUAL(b.frames, i);
    }
    CHECK_EQUAL(channel_backlog(a.channel), 0);
    end();
}

/* --- back-pressure ------------------------------------------------------ */

enum { BULK = 64 * 1024, BULK_COUNT = 100 };

static enum { UNKNOWN, ROOM, NO_ROOM } room;
static size_t most;
static time_ms room_deadline;

static void send_bulk(void *unused)
{
    for (int i = 0; i < BULK_COUNT; i++) {
        if (!channel_wait_room(a.channel, TIME_NEVER))
            return;
        channel_send(a.channel, 5, slice(pattern, BULK));
        if (channel_backlog(a.channel) > most)
            most = channel_backlog(a.channel);
    }
    room = ROOM;
}

TEST(bulk_senders_wait_for_room)
{
    begin();
    room = UNKNOWN;
    most = 0;
    channel_pause(b.channel, true);
    fiber_start("sends", send_bulk, NULL);
    turns(5);
    CHECK(room == UNKNOWN);
    CHECK(channel_backlog(a.channel) >= CHANNEL_BACKLOG_HIGH);
    channel_pause(b.channel, false);
    while (b.frames < BULK_COUNT)
        loop_turn(true);
    CHECK(room == ROOM);
    CHECK(most < CHANNEL_BACKLOG_HIGH + BULK + 100);
    CHECK_EQUAL(b.bytes, (uint64_t)BULK * BULK_COUNT);
    end();
}

static void wait_for_room(void *unused)
{
    room = channel_wait_room(a.channel, room_deadline) ? ROOM : NO_ROOM;
}

static struct fiber *fill_and_wait(bool with_deadline)
{
    struct fiber *f;

    room = UNKNOWN;
    channel_pause(b.channel, true);
    while (channel_backlog(a.channel) < CHANNEL_BACKLOG_HIGH + 1024 * 1024)
        channel_send(a.channel, 5, slice(pattern, BULK));
    room_deadline = with_deadline ? clock_now() + 100 : TIME_NEVER;
    f = fiber_start("waits for room", wait_for_room, NULL);
    turns(2);
    CHECK(room == UNKNOWN);
    return f;
}

TEST(waiting_for_room_ends_at_the_deadline_and_when_cancelled)
{
    struct fiber *f;

    begin();
    fill_and_wait(true);
    while (room == UNKNOWN)
        loop_turn(true);
    CHECK(room == NO_ROOM);
    f = fill_and_wait(false);
    fiber_cancel(f);
    turns(1);
    CHECK(room == NO_ROOM);
    end();
}

TEST(waiting_for_room_ends_when_the_peer_goes)
{
    begin();
    fill_and_wait(false);
    side_done(&b);
    b = (struct side){ 0 };
    while (room == UNKNOWN)
        loop_turn(true);
    CHECK(room == NO_ROOM);
    CHECK_EQUAL(a.closed, 1);
    end();
}

TEST(waiting_for_room_ends_when_the_channel_is_freed)
{
    begin();
    fill_and_wait(false);
    channel_free(a.channel);
    a.channel = NULL;
    turns(1);
    CHECK(room == NO_ROOM);
    end();
}

TEST(a_peer_that_takes_nothing_is_given_up_in_the_end)
{
    size_t sent = 0;

    begin();
    channel_pause(b.channel, true);
    while (a.closed == 0 && sent < 200) {
        channel_send(a.channel, 5, slice(pattern, CHANNEL_FRAME_MAX));
        CHECK_EQUAL(a.closed, 0);           /* never from within channel_send */
        sent++;
        if (sent > 60)
            turns(1);
    }
    CHECK(sent > 60 && sent < 80);
    CHECK_EQUAL(a.closed, 1);
    CHECK_EQUAL(a.why.code, E_LIMIT);
    end();
}

/* --- ends --------------------------------------------------------------- */

TEST(the_end_of_the_peer_is_told_once)
{
    begin();
    a.keeps_when_closed = true;
    side_done(&b);
    b = (struct side){ 0 };
    turns(3);
    CHECK_EQUAL(a.closed, 1);
    CHECK_EQUAL(a.why.code, E_CLOSED);
    channel_send(a.channel, 1, SLICE("dropped"));
    CHECK_EQUAL(channel_backlog(a.channel), 0);
    channel_pause(a.channel, true);
    channel_pause(a.channel, false);
    channel_drain(a.channel, TIME_NEVER);
    turns(3);
    CHECK_EQUAL(a.closed, 1);
    end();
}

TEST(last_words_of_a_dead_peer_are_heard_although_sending_failed_first)
{
    begin();
    for (int i = 0; i < 20; i++)
        channel_send(b.channel, 3, SLICE("committed"));
    side_done(&b);                          /* sends what waits, and is gone */
    b = (struct side){ 0 };
    channel_send(a.channel, 1, SLICE("are you there?"));
    CHECK_EQUAL(a.closed, 0);
    turns(3);
    CHECK_EQUAL(a.frames, 20);
    CHECK_EQUAL(a.closed, 1);
    CHECK_EQUAL(a.why.code, E_CLOSED);
    end();
}

TEST(channel_free_sends_what_waits)
{
    begin();
    channel_send(a.channel, 4, SLICE("farewell"));
    channel_free(a.channel);
    a.channel = NULL;
    turns(3);
    CHECK_EQUAL(b.frames, 1);
    CHECK_SLICE(buf_slice(&b.body), "farewell");
    CHECK_EQUAL(b.closed, 1);
    CHECK_EQUAL(a.closed, 0);               /* who frees need not be told */
    end();
}

TEST(a_channel_may_be_freed_inside_its_frame_callback)
{
    begin();
    b.will = WILL_FREE;
    channel_send(a.channel, 1, SLICE("one"));
    channel_send(a.channel, 2, SLICE("two"));
    turns(3);
    CHECK_EQUAL(b.frames, 1);
    CHECK_EQUAL(b.closed, 0);
    CHECK_EQUAL(a.closed, 1);
    end();
}

TEST(a_channel_may_be_freed_by_a_last_word)
{
    begin();
    a.will = WILL_FREE;
    channel_send(b.channel, 3, SLICE("one"));
    channel_send(b.channel, 3, SLICE("two"));
    side_done(&b);
    b = (struct side){ 0 };
    channel_send(a.channel, 1, SLICE("are you there?"));
    turns(3);
    CHECK_EQUAL(a.frames, 1);
    CHECK_EQUAL(a.closed, 0);
    end();
}

TEST(a_refused_frame_closes_the_channel)
{
    begin();
    b.will = WILL_REFUSE;
    channel_send(a.channel, 66, SLICE("one"));
    channel_send(a.channel, 67, SLICE("two"));
    turns(3);
    CHECK_EQUAL(b.frames, 1);
    CHECK_EQUAL(b.closed, 1);
    CHECK_EQUAL(b.why.code, E_PROTOCOL);
    CHECK(strstr(b.why.text, "66"));
    CHECK_EQUAL(a.closed, 1);
    end();
}

/* --- before exit -------------------------------------------------------- */

TEST(drain_writes_out_what_waits)
{
    enum { COUNT = 50 };
    pid_t child;
    int fds[2], heard = 0;

    loop_open();
    make_pair(fds);
    child = fork();
    if (child == 0) {
        loop_forked();
        close(fds[0]);
        loop_open();
        side_open(&b, fds[1]);
        while (b.closed == 0)
            loop_turn(true);
        _exit(b.frames);
    }
    close(fds[1]);
    side_open(&a, fds[0]);
    for (int i = 0; i < COUNT; i++)
        channel_send(a.channel, 1, slice(pattern, BULK));
    channel_drain(a.channel, clock_now() + 20000);
    CHECK_EQUAL(channel_backlog(a.channel), 0);
    side_done(&a);
    CHECK(waitpid(child, &heard, 0) == child);
    CHECK(WIFEXITED(heard) && WEXITSTATUS(heard) == COUNT);
    loop_close();
}

TEST(drain_gives_up_at_its_deadline)
{
    time_ms start;

    begin();
    for (int i = 0; i < 50; i++)
        channel_send(a.channel, 1, slice(pattern, BULK));
    start = clock_now();
    channel_drain(a.channel, start + 20);
    CHECK(clock_now() >= start + 20 && clock_now() < start + 5000);
    CHECK(channel_backlog(a.channel) > 0);
    end();
}

TEST(a_pair_is_close_on_exec_and_does_not_block)
{
    int fds[2];

    make_pair(fds);
    for (int i = 0; i < 2; i++) {
        CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        CHECK(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        close(fds[i]);
    }
}

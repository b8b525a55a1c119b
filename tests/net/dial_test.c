#include "tests/net/loopback.h"

#include "base/memory.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

/* One dial on a fiber. */
struct call {
    struct address to[4];
    size_t count;
    struct dial_settings settings;
    bool connected;
    size_t used;
    struct address peer, local;
    time_ms took;
    struct error why;
};

static void run_call(void *arg)
{
    struct call *call = arg;
    time_ms start = clock_now();
    struct conn *c;

    call->used = 99;
    c = dial(call->to, call->count, &call->settings, &call->used, &call->why);
    call->took = clock_now() - start;
    call->connected = c != NULL;
    if (c) {
        call->peer = *conn_peer(c);
        call->local = *conn_local(c);
        conn_close(c);
    }
}

static void place(struct call *call)
{
    loopback_start(run_call, call);
    loopback_run();
}

static struct call call_for(struct address first, struct address second)
{
    return (struct call){ .to = { first, second }, .count = second.family ? 2 : 1,
                          .settings = { .connect_timeout = SECONDS(10), .stagger = SECONDS(5) } };
}

static const struct address nobody;

/* A port that refuses: it was ours a moment ago. */
static struct address refusing(void)
{
    struct address where;

    close(loopback_listen(1, &where));
    return where;
}

/* A port that never answers: its queue is full, so the kernel drops what else comes. */
struct black_hole {
    struct address where;
    int listening, fillers[16];
    size_t filled;
    struct call *call;          /* who is to be relieved */
    bool relieved;
};

static struct black_hole dig(void)
{
    struct black_hole hole = { 0 };
    struct sockaddr_storage name;
    socklen_t len;

    hole.listening = loopback_listen(0, &hole.where);
    len = address_to(&hole.where, &name);
    while (hole.filled < 16) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct pollfd ready = { .fd = fd, .events = POLLOUT };

        hole.fillers[hole.filled++] = fd;
        CHECK(connect(fd, (struct sockaddr *)&name, len) == 0 || errno == EINPROGRESS);
        if (poll(&ready, 1, 100) == 0)
            return hole;
    }
    fail_msg("%s", "the backlog never fills");
    return hole;
}

static void fill_in(struct black_hole *hole)
{
    close(hole->listening);
    for (size_t i = 0; i < hole->filled; i++)
        close(hole->fillers[i]);
}

TEST(the_first_address_that_answers_is_used)
{
    struct address where;
    int fd;
    struct call call;

    loopback_open();
    fd = loopback_listen(5, &where);
    call = call_for(where, refusing());
    place(&call);
    CHECK_OK(call.connected, &call.why);
    CHECK_EQUAL(call.used, 0);
    CHECK(address_same_ip(&call.peer, &where) && call.peer.port == where.port);
    close(fd);
    loopback_close();
}

TEST(when_the_first_refuses_the_second_is_tried_at_once)
{
    struct address where;
    int fd;
    struct call call;

    loopback_open();
    fd = loopback_listen(5, &where);
    call = call_for(refusing(), where);
    place(&call);
    CHECK_OK(call.connected, &call.why);
    CHECK_EQUAL(call.used, 1);
    CHECK_EQUAL(call.peer.port, where.port);
    CHECK(call.took < 2000);    /* far below the stagger */
    close(fd);
    loopback_close();
}

TEST(when_the_first_is_silent_the_second_is_tried_after_the_stagger)
{
    struct address where;
    struct black_hole hole;
    int fd;
    struct call call;

    loopback_open();
    hole = dig();
    fd = loopback_listen(5, &where);
    call = call_for(hole.where, where);
    call.settings.stagger = 150;
    place(&call);
    CHECK_OK(call.connected, &call.why);
    CHECK_EQUAL(call.used, 1);
    CHECK(call.took >= 145 && call.took < 2000);
    close(fd);
    fill_in(&hole);
    loopback_close();
}

/* Empties the queue after a while: the kernel's next try gets through. */
static void relieve(void *arg)
{
    struct black_hole *hole = arg;

    fiber_sleep_until(clock_now() + 300);
    while (!hole->relieved) {
        int fd = accept(hole->listening, NULL, NULL);

        if (fd >= 0)
            close(fd);
        fiber_sleep_until(clock_now() + 20);
    }
}

static void run_call_and_tell(void *arg)
{
    struct black_hole *hole = arg;

    run_call(hole->call);
    hole->relieved = true;
}

TEST(an_early_attempt_may_still_win_while_a_later_one_waits)
{
    struct black_hole hole, other;
    struct call call;

    loopback_open();
    hole = dig();
    other = dig();
    call = call_for(hole.where, other.where);
    call.settings.stagger = 50;
    hole.call = &call;
    loopback_start(relieve, &hole);
    loopback_start(run_call_and_tell, &hole);
    loopback_run();
    CHECK_OK(call.connected, &call.why);
    CHECK_EQUAL(call.used, 0);
    CHECK(call.took >= 300);
    fill_in(&hole);
    fill_in(&other);
    loopback_close();
}

TEST(when_all_fail_each_tells_its_own_reason)
{
    struct black_hole hole;
    struct address refuses;
    char hole_text[ADDRESS_TEXT_MAX], refuses_text[ADDRESS_TEXT_MAX], wanted[300];
    struct call call;

    loopback_open();
    hole = dig();
    refuses = refusing();
    call = call_for(hole.where, refuses);
    call.settings = (struct dial_settings){ .connect_timeout = 200, .stagger = 50 };
    place(&call);
    CHECK(!call.connected);
    CHECK_EQUAL(call.used, 99);
    CHECK_EQUAL(call.why.code, E_CONNECT);
    snprintf(wanted, sizeof wanted, "%s: no answer within 0.2 s; %s: Connection refused",
             address_text(&hole.where, hole_text), address_text(&refuses, refuses_text));
    CHECK_TEXT(call.why.text, wanted);
    CHECK(call.took >= 195 && call.took < 2000);
    fill_in(&hole);
    loopback_close();
}

TEST(each_address_has_its_own_time)
{
    struct black_hole hole, other;
    struct call call;

    loopback_open();
    hole = dig();
    other = dig();
    call = call_for(hole.where, other.where);
    call.settings = (struct dial_settings){ .connect_timeout = 150, .stagger = 100 };
    place(&call);
    CHECK(!call.connected);
    CHECK(call.took >= 245 && call.took < 2000);
    fill_in(&hole);
    fill_in(&other);
    loopback_close();
}

TEST(an_attempt_that_fails_does_not_let_the_next_wait_for_the_stagger)
{
    struct address where;
    struct black_hole hole;
    struct call call;
    int fd;

    loopback_open();
    hole = dig();
    fd = loopback_listen(5, &where);
    call = call_for(hole.where, hole.where);
    call.to[2] = where;
    call.count = 3;
    call.settings = (struct dial_settings){ .connect_timeout = 700, .stagger = 600 };
    place(&call);
    CHECK_OK(call.connected, &call.why);
    CHECK_EQUAL(call.used, 2);
    CHECK(call.took >= 695 && call.took < 1150);    /* at 700, when the first is given up, not at 1200 */
    close(fd);
    fill_in(&hole);
    loopback_close();
}

TEST(a_dial_without_addresses_fails)
{
    struct call call = { .settings = { SECONDS(1), SECONDS(1) } };

    loopback_open();
    place(&call);
    CHECK(!call.connected);
    CHECK_EQUAL(call.why.code, E_CONNECT);
    loopback_close();
}

static void cancel_soon(void *arg)
{
    fiber_sleep_until(clock_now() + 50);
    fiber_cancel(arg);
}

TEST(a_cancelled_dial_ends_at_once)
{
    struct black_hole hole;
    struct call call;

    loopback_open();
    hole = dig();
    call = call_for(hole.where, hole.where);
    call.settings.stagger = 10;
    loopback_start(cancel_soon, loopback_start(run_call, &call));
    loopback_run();
    CHECK(!call.connected);
    CHECK_EQUAL(call.why.code, E_CANCELLED);
    CHECK(call.took < 2000);
    fill_in(&hole);
    loopback_close();
}

TEST(the_source_address_is_the_one_that_was_set)
{
    struct address where;
    int fd;
    struct call call;

    loopback_open();
    fd = loopback_listen(5, &where);
    call = call_for(where, nobody);
    CHECK(address_parse_ip(SLICE("127.0.0.2"), &call.settings.local4));
    place(&call);
    CHECK_OK(call.connected, &call.why);
    CHECK(address_same_ip(&call.local, &call.settings.local4));

    CHECK(address_parse_ip(SLICE("192.0.2.1"), &call.settings.local4));
    place(&call);
    CHECK(!call.connected);
    CHECK(strstr(call.why.text, "source address"));
    close(fd);
    loopback_close();
}

TEST(ipv6_is_dialled_beside_ipv4)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    struct address where;
    struct call call;
    int fd;

    CHECK(address_parse(SLICE("[::1]:0"), &where, NULL));
    fd = listen_on(&where, 5, NULL);
    if (fd < 0)
        skip();     /* no IPv6 here */
    getsockname(fd, (struct sockaddr *)&name, &len);
    loopback_open();
    call = call_for(refusing(), address_from((struct sockaddr *)&name));
    CHECK(address_parse_ip(SLICE("127.0.0.2"), &call.settings.local4));     /* for IPv4 only */
    place(&call);
    CHECK_OK(call.connected, &call.why);
    CHECK_EQUAL(call.used, 1);
    CHECK_EQUAL(call.peer.family, AF_INET6);
    loopback_close();
    close(fd);
}

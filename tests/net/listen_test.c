#include "tests/net/loopback.h"

#include "base/log.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

struct door {
    struct address where;
    int fd;
    struct listener *listener;
    size_t arrived;
    size_t free_after;          /* free the listener within its own callback; 0 never */
    size_t pause_after;
    struct address last;
    bool well_made;             /* every descriptor was non-blocking and close-on-exec */
};

static void arrive(void *owner, int fd, const struct address *peer)
{
    struct door *d = owner;

    d->arrived++;
    d->last = *peer;
    d->well_made = d->well_made && (fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    if (d->arrived == d->free_after) {
        listener_free(d->listener);
        d->listener = NULL;
    }
    if (d->arrived == d->pause_after)
        listener_pause(d->listener, true);
}

static void open_door(struct door *d)
{
    loopback_open();
    d->well_made = true;
    d->fd = loopback_listen(100, &d->where);
    d->listener = listener_new(d->fd, arrive, d);
}

static void close_door(struct door *d)
{
    listener_free(d->listener);
    close(d->fd);
    loopback_close();
}

static int knock(const struct door *d)
{
    struct sockaddr_storage name;
    socklen_t len = address_to(&d->where, &name);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&name, len) == 0);
    return fd;
}

static void some_turns(void)
{
    for (int i = 0; i < 50; i++)
        loop_turn(false);
}

TEST(connections_are_handed_over_with_their_peer)
{
    struct door d = { 0 };
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    struct address ours;
    int fd;

    open_door(&d);
    fd = knock(&d);
    while (d.arrived < 1)
        loop_turn(true);
    getsockname(fd, (struct sockaddr *)&name, &len);
    ours = address_from((struct sockaddr *)&name);
    CHECK(address_same_ip(&d.last, &ours));
    CHECK_EQUAL(d.last.port, ours.port);
    CHECK(d.well_made);
    close(fd);
    close_door(&d);
}

TEST(a_crowd_is_let_in_over_several_turns)
{
    struct door d = { 0 };
    int fds[60];

    open_door(&d);
    for (size_t i = 0; i < 60; i++)
        fds[i] = knock(&d);
    loop_turn(true);
    CHECK(d.arrived > 0 && d.arrived < 60);     /* others get their turn */
    while (d.arrived < 60)
        loop_turn(true);
    for (size_t i = 0; i < 60; i++)
        close(fds[i]);
    close_door(&d);
}

TEST(a_paused_listener_lets_nobody_in)
{
    struct door d = { 0 };
    int fd;

    open_door(&d);
    listener_pause(d.listener, true);
    fd = knock(&d);
    some_turns();
    CHECK_EQUAL(d.arrived, 0);
    listener_pause(d.listener, false);
    while (d.arrived < 1)
        loop_turn(true);
    close(fd);
    close_door(&d);
}

TEST(a_listener_may_be_paused_or_freed_by_whom_it_calls)
{
    struct door d = { .pause_after = 2, .free_after = 4 };
    int fds[6];

    open_door(&d);
    for (size_t i = 0; i < 6; i++)
        fds[i] = knock(&d);
    some_turns();
    CHECK_EQUAL(d.arrived, 2);
    listener_pause(d.listener, false);
    some_turns();
    CHECK_EQUAL(d.arrived, 4);
    CHECK(d.listener == NULL);
    for (size_t i = 0; i < 6; i++)
        close(fds[i]);
    close_door(&d);
}

static void do_nothing(void *owner)
{
}

TEST(out_of_descriptors_it_rests_for_a_second_and_then_goes_on)
{
    struct door d = { 0 };
    struct rlimit before, none;
    struct timer *clock;
    time_ms start;
    int fd, turns = 0;

    log_setup((struct log_settings){ .least = LOG_LEVEL_ERROR });
    open_door(&d);
    clock = timer_new(do_nothing, NULL);
    fd = knock(&d);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)fd + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    start = clock_now();
    timer_set(clock, start + 300);
    while (clock_now() < start + 300) {
        loop_turn(true);
        turns++;
    }
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK_EQUAL(d.arrived, 0);
    CHECK(turns < 20);      /* no busy loop */
    while (d.arrived < 1)
        loop_turn(true);
    CHECK(clock_now() - start >= 990 && clock_now() - start < 5000);
    timer_free(clock);
    close(fd);
    close_door(&d);
    log_setup((struct log_settings){ .least = LOG_LEVEL_INFO });
}

TEST(an_address_that_cannot_be_listened_on_is_named)
{
    struct address where;
    struct error why;
    char text[ADDRESS_TEXT_MAX], wanted[200];
    int fd;

    fd = loopback_listen(5, &where);
    CHECK_EQUAL(listen_on(&where, 5, &why), -1);
    CHECK_EQUAL(why.code, E_SYSTEM);
    snprintf(wanted, sizeof wanted, "cannot listen on %s: Address already in use", address_text(&where, text));
    CHECK_TEXT(why.text, wanted);
    close(fd);
    CHECK(address_parse(SLICE("192.0.2.1:0"), &where, NULL));
    CHECK_EQUAL(listen_on(&where, 5, &why), -1);
    CHECK_EQUAL(listen_on(&(struct address){ 0 }, 5, &why), -1);
}

TEST(ipv4_and_ipv6_share_a_port)
{
    struct address four, six;
    int fd4, fd6;

    fd4 = loopback_listen(5, &four);
    CHECK(address_parse(SLICE("[::]:0"), &six, NULL));
    six.port = four.port;
    fd6 = listen_on(&six, 5, NULL);
    if (fd6 < 0) {
        close(fd4);
        skip();     /* no IPv6 here */
    }
    close(fd4);
    CHECK(address_parse(SLICE("0.0.0.0:0"), &four, NULL));
    four.port = six.port;
    fd4 = listen_on(&four, 5, NULL);
    CHECK(fd4 >= 0);
    close(fd4);
    close(fd6);
}

#include "tests/net/loopback.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- in clear ---------------------------------------------------------- */

static void greet(struct conn *c)
{
    struct error why = { 0 };

    conn_deadline(c, in(SECONDS(10)));
    HOLDS(conn_peer(c)->family == AF_INET && conn_peer(c)->port > 0);
    HOLDS(conn_local(c)->port > 0 && conn_local(c)->port != conn_peer(c)->port);
    HOLDS(conn_tls(c) == NULL);
    conn_text(c, "220 mx.example.org\r\n");
    HOLDS(hears(c, "NOOP"));
    HOLDS(hears(c, "QUIT"));
    conn_text(c, "250 ok\r\n221 bye\r\n");
    HOLDS_OK(conn_flush(c, &why), &why);
    ends_with(c, E_CLOSED);
    conn_close(c);
}

static void be_greeted(struct conn *c)
{
    conn_deadline(c, in(SECONDS(10)));
    HOLDS(hears(c, "220 mx.example.org"));
    conn_text(c, "NOOP\r\nQUIT\r\n");
    HOLDS(hears(c, "250 ok"));
    HOLDS(hears(c, "221 bye"));
    conn_close(c);
}

TEST(lines_go_both_ways)
{
    loopback_talk(greet, be_greeted);
}

TEST(megabytes_arrive_whole)
{
    loopback_talk(pour_much, drink_much);
    loopback_talk(drink_much, pour_much);
}

static void wait_in_vain(struct conn *c)
{
    time_ms start = clock_now();

    conn_deadline(c, in(60));
    ends_with(c, E_TIMEOUT);
    HOLDS(clock_now() - start >= 55 && clock_now() - start < 2000);
    conn_deadline(c, in(SECONDS(10)));
    conn_text(c, "421 too slow\r\n");       /* the connection is still good */
    ends_with(c, E_CLOSED);
    conn_close(c);
}

static void be_silent(struct conn *c)
{
    HOLDS(hears(c, "421 too slow"));
    conn_close(c);
}

TEST(a_silent_peer_is_given_up_at_the_deadline)
{
    loopback_talk(wait_in_vain, be_silent);
}

TEST(two_peers_that_only_write_are_freed_by_their_deadlines)
{
    loopback_talk(write_without_reading, write_without_reading);
}

static void find_closed(struct conn *c)
{
    ends_with(c, E_CLOSED);
    conn_close(c);
}

static void find_reset_and_write(struct conn *c)
{
    struct error why = { 0 };

    ends_with(c, E_CLOSED);
    for (int i = 0; i < 3; i++) {
        conn_text(c, "250 nobody hears this\r\n");
        (void)!conn_flush(c, &why);     /* must not raise SIGPIPE */
    }
    HOLDS(why.code == E_CLOSED);
    conn_close(c);
}

TEST(a_reset_connection_is_closed_and_raises_no_signal)
{
    int ends[2];

    loopback_open();
    loopback_pair(ends);
    setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
    close(ends[1]);
    loopback_serve(ends[0], find_reset_and_write);
    loopback_close();
}

TEST(an_end_in_clear_is_a_closed_connection)
{
    int ends[2];

    loopback_open();
    loopback_pair(ends);
    close(ends[1]);
    loopback_serve(ends[0], find_closed);
    loopback_close();
}

static struct fiber *waiting;

static void wait_until_cancelled(struct conn *c)
{
    struct error why = { 0 };

    waiting = fiber_current();
    ends_with(c, E_CANCELLED);
    pour(c, 0, 64 * 1024 * 1024);
    HOLDS(!conn_flush(c, &why));
    HOLDS_OK(why.code == E_CANCELLED, &why);
    conn_close(c);
}

static void cancel_the_other(struct conn *c)
{
    fiber_sleep_until(in(30));
    fiber_cancel(waiting);
    fiber_sleep_until(in(30));
    conn_close(c);
}

TEST(a_cancelled_fiber_waits_for_nobody)
{
    loopback_talk(wait_until_cancelled, cancel_the_other);
}

static void note_turn(void *arg)
{
    *(bool *)arg = true;
}

static void read_all_at_once(struct conn *c)
{
    bool others_ran = false;

    loopback_start(note_turn, &others_ran);
    conn_deadline(c, in(SECONDS(10)));
    while (conn_more(c, NULL))
        conn_consume(c, conn_unread(c));
    HOLDS(others_ran);
    HOLDS(conn_bytes_in(c) > 1500000);
    conn_close(c);
}

TEST(a_peer_with_much_to_say_does_not_stop_the_others)
{
    int ends[2], held = 0;
    static char bytes[2 * 1000 * 1000];

    loopback_open();
    loopback_pair(ends);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 8 * 1000 * 1000 }, sizeof(int));
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &(int){ 8 * 1000 * 1000 }, sizeof(int));
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    for (ssize_t sent = 0, n; sent < (ssize_t)sizeof bytes; sent += n)
        if ((n = write(ends[1], bytes + sent, sizeof bytes - (size_t)sent)) < 0)
            break;
    usleep(20000);
    ioctl(ends[0], FIONREAD, &held);
    if (held < 1500000) {   /* only root may have such buffers */
        close(ends[0]);
        close(ends[1]);
        loopback_close();
        skip();
    }
    close(ends[1]);
    loopback_serve(ends[0], read_all_at_once);
    loopback_close();
}

static void refuse(struct conn *c)
{
    struct error why = { 0 };

    conn_text(c, "554 go away\r");
    HOLDS_OK(conn_flush(c, &why), &why);
    conn_close(c);
}

TEST(what_was_said_last_survives_a_close_with_unread_input)
{
    int ends[2];
    char text[100] = "";

    loopback_open();
    loopback_pair(ends);
    CHECK(write(ends[1], "MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\n", 39) == 39);
    loopback_serve(ends[0], refuse);
    CHECK(read(ends[1], text, sizeof text - 1) == 12);
    CHECK_TEXT(text, "554 go away\r");
    CHECK_EQUAL(read(ends[1], text, sizeof text), 0);       /* an end, not a reset */
    close(ends[1]);
    loopback_close();
}

#include "tests/net/loopback.h"

#include <netinet/in.h>
#include <unistd.h>

static bool secure_server(struct conn *c)
{
    struct error why = { 0 };

    conn_deadline(c, in(SECONDS(10)));
    return HOLDS_OK(conn_start_tls(c, loopback_tls_server(), NULL, &why), &why);
}

static bool secure_client(struct conn *c)
{
    struct error why = { 0 };

    conn_deadline(c, in(SECONDS(10)));
    return HOLDS_OK(conn_start_tls(c, NULL, loopback_tls_want(), &why), &why);
}

static void starttls_server(struct conn *c)
{
    HOLDS(hears(c, "STARTTLS"));
    conn_text(c, "220 go\r\n");
    if (secure_server(c)) {
        HOLDS(conn_tls(c)->version == TLS_1_3);
        HOLDS(strcmp(conn_tls(c)->server_name, "mx.example.org") == 0);
        conn_text(c, "250 under TLS\r\n");
        HOLDS(hears(c, "QUIT"));
        ends_with(c, E_CLOSED);         /* close_notify came: orderly */
    }
    conn_close(c);
}

static void starttls_client(struct conn *c)
{
    conn_text(c, "STARTTLS\r\n");
    HOLDS(hears(c, "220 go"));
    if (secure_client(c)) {
        HOLDS(conn_tls(c)->version == TLS_1_3);
        HOLDS(conn_tls(c)->name_matches);
        HOLDS(conn_tls(c)->trust == TLS_TRUST_PKIX);
        HOLDS(hears(c, "250 under TLS"));
        conn_text(c, "QUIT\r\n");
        HOLDS(conn_flush(c, NULL));
    }
    conn_close(c);
}

TEST(tls_starts_in_the_middle_of_a_dialogue)
{
    loopback_talk(starttls_server, starttls_client);
}

static void pour_under_tls(struct conn *c)
{
    if (secure_server(c))
        pour_much(c);
    else
        conn_abort(c);
}

static void drink_under_tls(struct conn *c)
{
    if (secure_client(c))
        drink_much(c);
    else
        conn_abort(c);
}

TEST(megabytes_arrive_whole_under_tls)
{
    loopback_talk(pour_under_tls, drink_under_tls);
}

static void write_without_reading_under_tls_server(struct conn *c)
{
    if (secure_server(c))
        write_without_reading(c);
}

static void write_without_reading_under_tls_client(struct conn *c)
{
    if (secure_client(c))
        write_without_reading(c);
}

TEST(two_peers_that_only_write_under_tls_are_freed_by_their_deadlines)
{
    loopback_talk(write_without_reading_under_tls_server, write_without_reading_under_tls_client);
}

static void expect_truncation(struct conn *c)
{
    if (secure_server(c)) {
        HOLDS(hears(c, "MAIL FROM:<>"));
        ends_with(c, E_TLS_TRUNCATED);
    }
    conn_close(c);
}

static void cut_off(struct conn *c)
{
    if (secure_client(c)) {
        conn_text(c, "MAIL FROM:<>\r\n");
        HOLDS(conn_flush(c, NULL));
    }
    conn_abort(c);
}

TEST(an_end_without_close_notify_is_truncation)     /* STARTTLS-015 */
{
    loopback_talk(expect_truncation, cut_off);
}

static void time_out_handshake(struct conn *c)
{
    struct error why = { 0 };

    conn_deadline(c, in(60));
    HOLDS(!conn_start_tls(c, loopback_tls_server(), NULL, &why));
    HOLDS_OK(why.code == E_TIMEOUT, &why);
    HOLDS(conn_tls(c) == NULL);
    conn_close(c);
}

TEST(a_stalled_handshake_ends_at_the_deadline)      /* STARTTLS-014 */
{
    int ends[2];

    loopback_open();
    loopback_pair(ends);
    CHECK(write(ends[1], "\x16\x03\x01\x02", 4) == 4);      /* the beginning of a record */
    loopback_serve(ends[0], time_out_handshake);
    close(ends[1]);
    loopback_close();
}

static void fail_handshake(struct conn *c)
{
    struct error why = { 0 };

    conn_deadline(c, in(SECONDS(10)));
    HOLDS(!conn_start_tls(c, loopback_tls_server(), NULL, &why));
    HOLDS_OK(why.code == E_TLS_HANDSHAKE, &why);
    conn_text(c, "454 in clear\r\n");
    HOLDS(!conn_flush(c, &why));
    HOLDS(why.code == E_TLS_HANDSHAKE);
    conn_close(c);
}

TEST(garbage_for_a_handshake_gets_an_alert_and_no_clear_reply)      /* STARTTLS-013 */
{
    int ends[2];
    char reply[200];
    ssize_t len;

    loopback_open();
    loopback_pair(ends);
    CHECK(write(ends[1], "EHLO client.example.org\r\n", 25) == 25);
    loopback_serve(ends[0], fail_handshake);
    len = read(ends[1], reply, sizeof reply);
    CHECK(len <= 7 && (len < 1 || reply[0] == 21));     /* one alert record, if anything */
    close(ends[1]);
    loopback_close();
}

TEST(a_peer_that_leaves_or_resets_during_the_handshake_failed_it)
{
    for (int reset = 0; reset < 2; reset++) {
        int ends[2];

        loopback_open();
        loopback_pair(ends);
        CHECK(write(ends[1], "\x16\x03\x01\x02\x00\x01\x00", 7) == 7);
        if (reset)
            setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
        close(ends[1]);
        loopback_serve(ends[0], fail_handshake);
        loopback_close();
    }
}

static void refuse_injection(struct conn *c)
{
    struct error why = { 0 };

    conn_deadline(c, in(SECONDS(10)));
    HOLDS(hears(c, "STARTTLS"));
    conn_text(c, "220 go\r\n");
    HOLDS(!conn_start_tls(c, loopback_tls_server(), NULL, &why));
    HOLDS_OK(why.code == E_STARTTLS_INJECTED, &why);
    conn_close(c);
}

TEST(a_command_behind_starttls_is_never_answered)   /* STARTTLS-010, P3 */
{
    int ends[2];
    char reply[200] = "";

    loopback_open();
    loopback_pair(ends);
    CHECK(write(ends[1], "STARTTLS\r\nNOOP\r\n", 16) == 16);
    loopback_serve(ends[0], refuse_injection);
    CHECK(read(ends[1], reply, sizeof reply - 1) == 8);
    CHECK_TEXT(reply, "220 go\r\n");
    CHECK(read(ends[1], reply, sizeof reply - 1) <= 0);     /* then the connection is gone */
    close(ends[1]);
    loopback_close();
}

static int raw_peer;

/* The injected command is in the kernel's buffer when TLS starts: OpenSSL sees it, nobody else. */
static void fail_on_late_injection(struct conn *c)
{
    struct error why = { 0 };

    conn_deadline(c, in(SECONDS(10)));
    HOLDS(hears(c, "STARTTLS"));
    HOLDS(write(raw_peer, "NOOP\r\n", 6) == 6);
    conn_text(c, "220 go\r\n");
    HOLDS(!conn_start_tls(c, loopback_tls_server(), NULL, &why));
    HOLDS_OK(why.code == E_TLS_HANDSHAKE, &why);
    conn_close(c);
}

TEST(a_command_in_a_later_segment_fails_the_handshake)      /* STARTTLS-010, P3 */
{
    int ends[2];
    char reply[200] = "";

    loopback_open();
    loopback_pair(ends);
    raw_peer = ends[1];
    CHECK(write(ends[1], "STARTTLS\r\n", 10) == 10);
    loopback_serve(ends[0], fail_on_late_injection);
    CHECK(read(ends[1], reply, sizeof reply - 1) >= 8);
    CHECK(strstr(reply, "250") == NULL);
    close(ends[1]);
    loopback_close();
}

static void refuse_injected_reply(struct conn *c)
{
    struct error why = { 0 };

    conn_deadline(c, in(SECONDS(10)));
    HOLDS(hears(c, "220 go"));
    HOLDS(!conn_start_tls(c, NULL, loopback_tls_want(), &why));
    HOLDS_OK(why.code == E_STARTTLS_INJECTED, &why);
    conn_close(c);
}

TEST(a_reply_behind_the_go_ahead_is_never_read_as_tls)      /* STARTTLS-011, P3 */
{
    int ends[2];

    loopback_open();
    loopback_pair(ends);
    CHECK(write(ends[1], "220 go\r\n250-AUTH PLAIN\r\n", 24) == 24);
    loopback_serve(ends[0], refuse_injected_reply);
    close(ends[1]);
    loopback_close();
}

static void idle_server(struct conn *c)
{
    if (secure_server(c)) {
        HOLDS(hears(c, "NOOP"));
        conn_text(c, "250 ok\r\n");
        HOLDS(hears(c, "QUIT"));        /* after a long pause */
        conn_text(c, "221 bye\r\n");
        HOLDS(conn_flush(c, NULL));
    }
    conn_close(c);
}

static void idle_client(struct conn *c)
{
    if (secure_client(c)) {
        conn_text(c, "NOOP\r\n");
        HOLDS(hears(c, "250 ok"));
        fiber_sleep_until(in(100));
        conn_text(c, "QUIT\r\n");
        HOLDS(hears(c, "221 bye"));
    }
    conn_close(c);
}

TEST(a_session_goes_on_after_a_rest)
{
    loopback_talk(idle_server, idle_client);
}

/* The server with real sockets: TLS in front, many at once, those who stop, and the end. */
#include "tests/test.h"

#include "base/memory.h"
#include "net/socket.h"
#include "run/fiber.h"
#include "tests/net/loopback.h"
#include "web/http.h"

#include <signal.h>

static struct {
    struct http_server *server;
    struct address where;
    int fd;
    unsigned inside, answered, cancelled;
    bool drained, released;
} world;

static void say_hello(void *self, const struct http_request *r, struct http_answer *a)
{
    answer_say(a, 200, "hello");
    world.answered++;
}

static void say_it_late(void *self, const struct http_request *r, struct http_answer *a)
{
    fiber_sleep_until(in(300));
    answer_say(a, 200, "at last");
    world.answered++;
}

static void take(void *self, const struct http_request *r, struct http_answer *a)
{
    answer_say(a, 201, "%zu bytes", r->body.len);
}

/* Ends when it is released or cancelled. */
static void say_it_when_told(void *self, const struct http_request *r, struct http_answer *a)
{
    enum wake wake = FIBER_TIMED_OUT;

    world.inside++;
    while (!world.released && wake != FIBER_CANCELLED)
        wake = fiber_sleep_until(in(20));
    world.cancelled += wake == FIBER_CANCELLED;
    world.inside--;
    answer_say(a, 200, "now");
    world.answered++;
}

enum { MUCH = 4 * 1000 * 1000 };

static void say_much(void *self, const struct http_request *r, struct http_answer *a)
{
    memset(buf_room(&a->body, MUCH), 'x', MUCH);
    buf_grew(&a->body, MUCH);
}

static const struct http_page pages[] = {
    { "/hello", HTTP_GET, 0, NULL, say_hello },
    { "/late", HTTP_GET, 0, NULL, say_it_late },
    { "/held", HTTP_GET, 0, NULL, say_it_when_told },
    { "/take", HTTP_POST, MUCH, NULL, take },
    { "/much", HTTP_GET, 0, NULL, say_much },
};

static void open_server(const struct http_limits *limits, bool tls)
{
    struct error why = { 0 };

    signal(SIGPIPE, SIG_IGN);
    loopback_tls_server();
    loopback_open();
    memset(&world, 0, sizeof world);
    world.fd = loopback_listen(300, &world.where);
    world.server = http_server_new(pages, sizeof pages / sizeof *pages, limits, NULL, &why);
    CHECK_OK(world.server, &why);
    CHECK_OK(http_server_listen(world.server, world.fd, tls ? loopback_tls_server() : NULL, &why), &why);
}

static void drained(void *self)
{
    world.drained = true;
}

static void close_server(void)
{
    http_server_drain(world.server, true, drained);
    while (!world.drained)
        loop_turn(true);
    http_server_free(world.server);
    close(world.fd);
    loopback_close();
}

/* --- clients ------------------------------------------------------------------------ */

static struct conn *come(bool tls)
{
    const struct dial_settings settings = { .connect_timeout = 5000, .stagger = 250 };
    struct error why = { 0 };
    size_t used;
    struct conn *c = dial(&world.where, 1, &settings, &used, &why);

    if (!HOLDS_OK(c, &why))
        return NULL;
    conn_deadline(c, in(SECONDS(10)));
    if (tls)
        HOLDS_OK(conn_start_tls(c, NULL, loopback_tls_want(), &why), &why);
    return c;
}

/* All that is said until the connection ends, at most `size` bytes of it. */
static const char *hear_all(struct conn *c, char *text, size_t size)
{
    struct error why = { 0 };
    size_t len = 0;

    while (conn_more(c, &why)) {
        struct slice part = slice_first(conn_peek(c), size - 1 - len);

        memcpy(text + len, part.at, part.len);
        len += part.len;
        conn_consume(c, conn_unread(c));
    }
    text[len] = '\0';
    return text;
}

static bool asks(struct conn *c, const char *request, const char *status)
{
    char text[4000], line[100];

    snprintf(line, sizeof line, "HTTP/1.1 %s\r\n", status);
    conn_write(c, slice_of(request));
    return slice_starts(slice_of(hear_all(c, text, sizeof text)), slice_of(line));
}

#define LAST "Host: x\r\nConnection: close\r\n\r\n"

static void ask_hello(void *tls)
{
    struct conn *c = come(tls);

    HOLDS(asks(c, "GET /hello HTTP/1.1\r\n" LAST, "200 OK"));
    conn_close(c);
}

static void ask_late(void *tls)
{
    struct conn *c = come(tls);

    HOLDS(asks(c, "GET /late HTTP/1.1\r\n" LAST, "200 OK"));
    conn_close(c);
}

static char yes;

static void run_client(void (*client)(void *tls), bool tls)
{
    loopback_start(client, tls ? &yes : NULL);
    loopback_run();
}

TEST(a_page_is_served_under_tls)
{
    open_server(&http_limits_usual, true);
    run_client(ask_hello, true);
    CHECK_EQUAL(world.answered, 1);
    close_server();
}

TEST(and_in_clear_at_a_loopback_address)
{
    open_server(&http_limits_usual, false);
    run_client(ask_hello, false);
    CHECK_EQUAL(world.answered, 1);
    close_server();
}

TEST(nowhere_else_in_clear)
{
    struct http_server *s;
    struct error why = { 0 };
    struct address where;
    int fd;

    loopback_open();
    CHECK(address_parse(SLICE("0.0.0.0:0"), &where, &why));
    fd = listen_on(&where, 1, &why);
    s = http_server_new(pages, 1, &http_limits_usual, NULL, &why);
    CHECK(s && !http_server_listen(s, fd, NULL, &why));
    CHECK_EQUAL(why.code, E_USAGE);
    http_server_free(s);
    close(fd);
    loopback_close();
}

TEST(pages_that_wait_do_not_keep_others_waiting)
{
    time_ms start = clock_now();

    open_server(&http_limits_usual, false);
    for (int i = 0; i < 30; i++)
        loopback_start(ask_late, NULL);
    loopback_start(ask_hello, NULL);
    loopback_run();
    CHECK_EQUAL(world.answered, 31);
    CHECK(clock_now() - start < 5000);
    close_server();
}

static void ask_much(void *tls)
{
    struct conn *c = come(tls);
    char *text = memory_new(MUCH + 4000);

    conn_write(c, SLICE("GET /much HTTP/1.1\r\n" LAST));
    hear_all(c, text, MUCH + 4000);
    HOLDS(strstr(text, "\r\n\r\n") && strlen(strstr(text, "\r\n\r\n")) == 4 + MUCH);
    free(text);
    conn_close(c);
}

TEST(a_long_answer_comes_whole)
{
    for (int tls = 0; tls < 2; tls++) {
        open_server(&http_limits_usual, tls);
        run_client(ask_much, tls);
        close_server();
    }
}

static void post(struct conn *c, size_t declared, size_t sent)
{
    auto_free char *body = memory_new(sent);

    conn_text(c, "POST /take HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", declared);
    conn_write(c, slice(body, sent));
}

static void post_much(void *tls)
{
    struct conn *c = come(tls);

    post(c, MUCH, MUCH);
    HOLDS(asks(c, "", "201 Created"));
    conn_close(c);
}

TEST(a_long_request_goes_whole)
{
    for (int tls = 0; tls < 2; tls++) {
        open_server(&http_limits_usual, tls);
        run_client(post_much, tls);
        close_server();
    }
}

/* It sends all of it before it listens, as simple clients do. */
static void post_too_much(void *tls)
{
    struct conn *c = come(tls);

    post(c, MUCH + 1, MUCH + 1);
    HOLDS(asks(c, "", "413 Content Too Large"));
    conn_close(c);
}

TEST(a_client_that_is_refused_early_hears_why)
{
    for (int tls = 0; tls < 2; tls++) {
        open_server(&http_limits_usual, tls);
        run_client(post_too_much, tls);
        close_server();
    }
}

/* --- those who do not mean well ------------------------------------------------------- */

static void speak_in_clear(void *tls)
{
    struct conn *c = come(false);
    char text[4000];

    conn_write(c, SLICE("GET /hello HTTP/1.1\r\n" LAST));
    hear_all(c, text, sizeof text);
    HOLDS(!strstr(text, "HTTP/"));
    conn_close(c);
}

TEST(http_is_not_answered_where_tls_is_spoken)
{
    open_server(&http_limits_usual, true);
    run_client(speak_in_clear, false);
    CHECK_EQUAL(world.answered, 0);
    close_server();
}

static void speak_nonsense(void *tls)
{
    struct conn *c = come(tls);
    char noise[1000];

    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * 7);
    conn_write(c, slice(noise, sizeof noise));
    HOLDS(asks(c, "\r\n\r\n", "400 Bad Request"));
    conn_close(c);
}

TEST(nonsense_under_tls_is_a_bad_request)
{
    open_server(&http_limits_usual, true);
    run_client(speak_nonsense, true);
    close_server();
}

static void say_nothing(void *tls)
{
    struct conn *c = come(false);

    ends_with(c, E_CLOSED);
    conn_close(c);
}

static void ask_slowly(void *tls)
{
    struct conn *c = come(tls);
    char text[4000];

    conn_write(c, SLICE("GET /hello HTTP/1.1\r\nX: "));
    for (int i = 0; i < 5; i++) {
        struct error why;

        HOLDS(conn_flush(c, &why));
        fiber_sleep_until(in(50));
        conn_write(c, SLICE("y"));
    }
    HOLDS(strstr(hear_all(c, text, sizeof text), "HTTP/1.1 408 "));
    conn_close(c);
}

TEST(each_phase_has_its_deadline)
{
    struct http_limits limits = http_limits_usual;
    time_ms start = clock_now();

    limits.handshake = 1000;
    limits.idle = limits.head = limits.body = 200;
    for (int tls = 0; tls < 2; tls++) {
        open_server(&limits, tls);
        run_client(say_nothing, tls);
        run_client(ask_slowly, tls);
        close_server();
    }
    CHECK(clock_now() - start < SECONDS(15));
}

static void go_at_once(void *how)
{
    struct conn *c = come(true);
    struct error why;

    if (how)
        post(c, MUCH, 100000);
    else
        conn_write(c, SLICE("GET /late HTTP/1.1\r\nHost: x\r\n\r\nGET /much HTTP/1.1\r\nHost: x\r\n\r\n"));
    (void)!conn_flush(c, &why);
    conn_abort(c);
}

TEST(clients_that_go_leave_nothing_behind)
{
    open_server(&http_limits_usual, true);
    for (int i = 0; i < 20; i++)
        loopback_start(go_at_once, i % 2 ? &yes : NULL);
    loopback_run();
    close_server();     /* asserts that no body is held */
}

/* --- how many ------------------------------------------------------------------------------ */

static unsigned served, shut_out;

static void come_and_see(void *tls)
{
    struct conn *c = come(false);
    char text[4000];

    conn_write(c, SLICE("GET /late HTTP/1.1\r\n" LAST));
    if (strstr(hear_all(c, text, sizeof text), "200 OK"))
        served++;
    else
        shut_out++;
    conn_close(c);
}

static void crowd(const struct http_limits *limits, bool tls)
{
    open_server(limits, tls);
    served = shut_out = 0;
    for (int i = 0; i < 12; i++)
        loopback_start(come_and_see, NULL);
    loopback_run();
    close_server();
}

TEST(connections_have_a_bound)
{
    struct http_limits limits = http_limits_usual;

    limits.connections = 5;
    crowd(&limits, false);
    CHECK_EQUAL(served, 5);
    CHECK_EQUAL(shut_out, 7);
}

static void hold(void *arg)
{
    struct conn *c = come(false);
    struct error why = { 0 };

    /* A place is had as long as the handshake is waited for, and shut out is who is closed at once. */
    conn_deadline(c, in(1000));
    if (conn_more(c, &why) || why.code != E_TIMEOUT)
        shut_out++;
    else
        served++;
    conn_close(c);
}

TEST(and_those_of_one_client_another_but_not_those_of_a_proxy)
{
    struct http_limits limits = http_limits_usual;

    limits.connections_per_client = 5;
    crowd(&limits, false);
    CHECK_EQUAL(served, 12);
    open_server(&limits, true);
    served = shut_out = 0;
    for (int i = 0; i < 12; i++)
        loopback_start(hold, NULL);
    loopback_run();
    CHECK_EQUAL(served, 5);
    CHECK_EQUAL(shut_out, 7);
    close_server();
}

/* --- the end ---------------------------------------------------------------------------------- */

static void stay(void *tls)
{
    struct conn *c = come(tls);

    conn_write(c, SLICE("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
    HOLDS(hears(c, "HTTP/1.1 200 OK"));
    while (conn_unread(c) > 0)
        conn_consume(c, conn_unread(c));
    ends_with(c, E_CLOSED);
    conn_close(c);
}

static void ask_held(void *tls)
{
    struct conn *c = come(tls);

    HOLDS(asks(c, "GET /held HTTP/1.1\r\n" LAST, "200 OK"));
    conn_close(c);
}

static void drain_when_busy(void *hurry)
{
    while (world.inside < 1 || world.answered < (hurry ? 0 : 1))
        fiber_sleep_until(in(20));
    http_server_drain(world.server, hurry != NULL, drained);
    HOLDS(!world.drained);
    fiber_sleep_until(in(100));
    world.released = true;
}

TEST(draining_lets_requests_end_and_sends_idle_ones_away)
{
    open_server(&http_limits_usual, true);
    loopback_start(ask_held, &yes);
    loopback_start(stay, &yes);
    loopback_start(drain_when_busy, NULL);
    loopback_run();
    CHECK(world.drained);
    CHECK_EQUAL(world.answered, 2);
    CHECK_EQUAL(world.cancelled, 0);
    world.drained = false;
    http_server_drain(world.server, false, drained);    /* once is enough */
    CHECK(!world.drained);
    world.drained = true;
    close_server();
}

TEST(in_a_hurry_pages_are_cancelled)
{
    open_server(&http_limits_usual, true);
    loopback_start(ask_held, &yes);
    loopback_start(drain_when_busy, &yes);
    loopback_run();
    CHECK(world.drained);
    CHECK_EQUAL(world.cancelled, 1);
    close_server();
}

/* The web process before a real store: reports come in over HTTP, as from a proxy on this machine. */
#include "serve/web.h"

#include "base/memory.h"
#include "event/event.h"
#include "net/socket.h"
#include "run/fiber.h"
#include "serve/clerk.h"
#include "serve/store_inside.h"
#include "tests/queue/fixture.h"
#include "tlsrpt/read.h"

#include <signal.h>

enum { PATIENCE_MS = 20000, ANSWER_MAX = 2000 };

static struct fixture f;
static struct store store;
static struct config config;
static struct address where;
static struct channel *control;
static void (*story)(void);         /* the client's side, on a fiber */

/* What does not hold on a fiber is kept until the process under test has ended. */
static char trouble[300];
#define EXPECT(claim) expect(claim, #claim, __LINE__)

static void expect(bool claim, const char *words, int line)
{
    if (!claim && !trouble[0])
        snprintf(trouble, sizeof trouble, "line %d: %s", line, words);
}

/* --- a client ------------------------------------------------------------------------ */

static char answer[ANSWER_MAX];     /* the last one */

static unsigned send_request(struct slice head, struct slice body)
{
    const struct dial_settings settings = { .connect_timeout = 5000, .stagger = 250 };
    struct error why = { 0 };
    size_t used, len = 0;
    struct conn *c = dial(&where, 1, &settings, &used, &why);

    answer[0] = '\0';
    if (!c)
        return 0;
    conn_deadline(c, clock_now() + PATIENCE_MS);
    conn_write(c, head);
    conn_write(c, body);
    while (conn_more(c, &why)) {
        struct slice part = slice_first(conn_peek(c), ANSWER_MAX - 1 - len);

        memcpy(answer + len, part.at, part.len);
        len += part.len;
        conn_consume(c, conn_unread(c));
    }
    answer[len] = '\0';
    conn_close(c);
    return slice_starts(slice_of(answer), SLICE("HTTP/1.1 ")) ? (unsigned)atoi(answer + 9) : 0;
}

/* The status; the client is 10.X.Y.1. */
static unsigned post_from(unsigned network, const char *type, struct slice body)
{
    char head[500];

    snprintf(head, sizeof head, "POST /tlsrpt HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\n"
             "Content-Length: %zu\r\nX-Forwarded-For: 10.%u.%u.1\r\n\r\n", type, body.len, network >> 8, network & 255);
    return send_request(slice_of(head), body);
}

static const char *report_of(const char *domain, unsigned id, unsigned failures)
{
    static char json[2000];

    snprintf(json, sizeof json,
        "{\"organization-name\":\"Example Net\",\"date-range\":{\"start-datetime\":\"2026-11-20T00:00:00Z\","
        "\"end-datetime\":\"2026-11-20T23:59:59Z\"},\"contact-info\":\"tls@example.net\",\"report-id\":\"r%u@example.net\","
        "\"policies\":[{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"%s\"},"
        "\"summary\":{\"total-successful-session-count\":5,\"total-failure-session-count\":%u}%s}]}",
        id, domain, failures,
        failures ? ",\"failure-details\":[{\"result-type\":\"certificate-expired\",\"failed-session-count\":3}]" : "");
    return json;
}

#define JSON "application/tlsrpt+json"

static unsigned post_report(unsigned network, const char *domain, unsigned id)
{
    return post_from(network, JSON, slice_of(report_of(domain, id, 0)));
}

/* --- the process, its master and its store ----------------------------------------------- */

static bool no_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    return type == FRAME_READY;
}

static void on_closed(void *owner, const struct error *why)
{
}

static const struct channel_events events = { no_frame, on_closed };

static void link_store(void)
{
    const struct frame_link link = { LINK_WEB, CLERK_SLOT, 1 };
    auto_buf struct buf body = { 0 };
    int fds[2];

    CHECK(channel_pair(fds, NULL));
    store_link(&store, &link, fds[0]);
    buf_init(&body, 64);
    frame_put_link(&body, &link);
    channel_send_fd(control, FRAME_LINK, buf_slice(&body), fds[1]);
    close(fds[1]);
}

static void run_story(void *arg)
{
    fiber_sleep_until(clock_now() + 50);
    story();
    channel_send(control, FRAME_DRAIN, slice("", 0));
}

static int listen_here(void)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    int fd;

    CHECK(address_parse(SLICE("127.0.0.1:0"), &where, NULL));
    fd = listen_on(&where, 100, NULL);
    CHECK(fd >= 0 && getsockname(fd, (struct sockaddr *)&name, &len) == 0);
    where = address_from((struct sockaddr *)&name);
    return fd;
}

static void begin(void)
{
    static const char *const domains[] = { "example.org" };
    static const struct hook_config hook = { .name = "pager", .events = 1u << EVENT_REPORT };

    signal(SIGPIPE, SIG_IGN);
    fixture_begin(&f);
    loop_open();
    config = (struct config){ .data_directory = f.directory, .hostname = "mx.example.org", .hooks = &hook, .hook_count = 1 };
    config.facts.keep = 90;
    config.report.domains = domains;
    config.report.domain_count = 1;
    config.web.listen = &where;
    config.web.listen_count = 1;
    store_begin(&store, &config, f.q);
    trouble[0] = '\0';
}

static void end(void)
{
    while (store.peers)
        loop_turn(true);
    store_end(&store);
    loop_close();
    fixture_end(&f);
    if (trouble[0])
        fail_msg("%s", trouble);
}

static void serve_story(void (*run)(void), bool with_store)
{
    struct web_start start = { .config = &config };
    int fds[2], listening;

    begin();
    listening = listen_here();
    CHECK(channel_pair(fds, NULL));
    control = channel_new(fds[0], &events, NULL);
    channel_start(control);
    story = run;
    start.control_fd = fds[1];
    start.fds = &listening;
    if (with_store)
        link_store();
    fiber_start("story", run_story, NULL);
    CHECK_EQUAL(web_run(&start), 0);
    channel_free(control);
    close(listening);
    end();
}

/* --- what is kept --------------------------------------------------------------------------- */

struct kept {
    size_t notes[NOTE_KINDS];
    struct received_report last;    /* that was looked at */
    struct arena arena;
};

static void look_at_note(void *arg, const struct note *n)
{
    struct kept *k = arg;

    k->notes[n->kind]++;
    if (n->kind == NOTE_RECEIVED)
        EXPECT(received_report_decode(n->value, &k->arena, &k->last));
}

static void look(struct kept *k)
{
    memset(k, 0, sizeof *k);
    arena_init(&k->arena, 64 * 1024 * 1024);
    queue_note_list(f.q, NOTE_RECEIVED, "", 100, look_at_note, k);
    queue_note_list(f.q, NOTE_EVENT, "", 100, look_at_note, k);
}

/* --- tests ------------------------------------------------------------------------------------- */

static void send_twice(void)
{
    struct kept k;

    EXPECT(post_report(1, "example.org", 1) == 201);
    look(&k);
    EXPECT(k.notes[NOTE_RECEIVED] == 1 && k.notes[NOTE_EVENT] == 0);
    EXPECT(k.last.way == REPORT_BY_HTTPS && k.last.trust == REPORT_UNSIGNED && !k.last.foreign);
    EXPECT(k.last.submitter && strcmp(k.last.submitter, "example.net") == 0);
    EXPECT(k.last.peer && strcmp(k.last.peer, "10.0.1.1") == 0);
    arena_done(&k.arena);
    EXPECT(post_report(2, "example.org", 1) == 200);
    EXPECT(post_report(1, "example.org", 2) == 201);
    look(&k);
    EXPECT(k.notes[NOTE_RECEIVED] == 2);
    arena_done(&k.arena);
}

/* TLSRPT-096, TLSRPT-092 */
TEST(a_report_is_kept_once)
{
    serve_story(send_twice, true);
}

static void send_foreign(void)
{
    struct kept k;

    EXPECT(post_report(1, "example.com", 1) == 403);
    look(&k);
    EXPECT(k.notes[NOTE_RECEIVED] == 0);
    arena_done(&k.arena);
}

/* TLSRPT-095 */
TEST(one_about_somebody_else_is_refused)
{
    serve_story(send_foreign, true);
}

static void send_failures(void)
{
    struct kept k;

    EXPECT(post_from(1, JSON, slice_of(report_of("example.org", 1, 3))) == 201);
    fiber_sleep_until(clock_now() + 200);
    look(&k);
    EXPECT(k.notes[NOTE_RECEIVED] == 1 && k.notes[NOTE_EVENT] == 0);
    arena_done(&k.arena);
}

/* Anybody may post in the name of anybody. */
TEST(what_nobody_signed_rings_no_bell)
{
    serve_story(send_failures, true);
}

static void send_nonsense(void)
{
    static char large[REPORT_MESSAGE_MAX + 1];
    struct kept k;

    EXPECT(post_from(1, JSON, SLICE("{}")) == 400);
    EXPECT(post_from(1, JSON, SLICE("")) == 400);
    EXPECT(post_from(1, JSON, SLICE("\x1f\x8b\x08nonsense")) == 400);
    EXPECT(post_from(1, "application/tlsrpt+gzip", SLICE("nonsense")) == 400);
    EXPECT(strchr(answer, '\0') > answer && !strstr(answer, "nonsense"));
    EXPECT(post_from(1, "application/json", slice_of(report_of("example.org", 1, 0))) == 415);
    EXPECT(post_from(1, "text/html", SLICE("")) == 415);
    EXPECT(post_from(1, JSON, slice(large, sizeof large)) == 413);
    EXPECT(post_from(1, JSON, slice(large, sizeof large - 1)) == 400);
    EXPECT(send_request(SLICE("GET /tlsrpt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), SLICE("")) == 405);
    EXPECT(strstr(answer, "\r\nAllow: POST\r\n"));
    EXPECT(send_request(SLICE("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), SLICE("")) == 404);
    look(&k);
    EXPECT(k.notes[NOTE_RECEIVED] == 0);
    arena_done(&k.arena);
}

/* TLSRPT-096, TLSRPT-093 */
TEST(what_is_no_report_is_told_so)
{
    serve_story(send_nonsense, true);
}

static void send_in_vain(void)
{
    EXPECT(post_report(1, "example.org", 1) == 503);
    EXPECT(strstr(answer, "\r\nRetry-After: 60\r\n"));
    link_store();
    EXPECT(post_report(1, "example.org", 1) == 201);
}

TEST(without_a_store_the_sender_is_asked_to_come_again)
{
    serve_story(send_in_vain, false);
}

static void send_often(void)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < 70; i++)
        taken += post_report(7, "example.org", i) == 201;
    EXPECT(taken >= 60 && taken < 65);      /* a token comes back each second */
    EXPECT(post_report(7, "example.org", 100) == 429);
    EXPECT(strstr(answer, "\r\nRetry-After: 60\r\n"));
    EXPECT(post_report(8, "example.org", 101) == 201);
}

TEST(a_network_may_not_ask_too_often)
{
    serve_story(send_often, true);
}

static void send_very_many(void)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < 1005; i++)
        taken += post_report(i, "example.org", i) == 201;
    EXPECT(taken == 1000);
    EXPECT(post_report(2000, "example.org", 2000) == 503);
    EXPECT(strstr(answer, "\r\nRetry-After: "));
    clock_freeze(clock_wall());
    clock_advance(DAYS(1));
    EXPECT(post_report(2001, "example.org", 2001) == 201);
    clock_thaw();
}

TEST(a_day_has_a_bound)
{
    serve_story(send_very_many, true);
}

static unsigned together, kept, last_id;

static void send_one(void *arg)
{
    char json[2000];
    unsigned id = ++last_id;

    snprintf(json, sizeof json, "%s", report_of("example.org", id, 0));
    kept += post_from(id, JSON, slice_of(json)) == 201;
    together--;
}

static void send_at_once(void)
{
    kept = 0;
    for (together = 0; together < 20; together++)
        fiber_start("sender", send_one, NULL);
    while (together > 0)
        fiber_sleep_until(clock_now() + 20);
    EXPECT(kept == 20);
}

/* They are read one at a time; each gets its turn. */
TEST(reports_that_come_at_once_wait_for_each_other)
{
    serve_story(send_at_once, true);
}

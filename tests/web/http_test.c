/* The server's dialogue over connections in memory: what a client says, and what it hears. */
#include "tests/test.h"

#include "base/memory.h"
#include "net/script.h"
#include "web/http.h"

enum { TAKEN_MAX = 100000 };

static struct {
    unsigned calls;
    size_t body;
    struct address peer;
    char argument[40], agent[40];
} seen;

static void note(const struct http_request *r)
{
    const char *argument = http_argument(r, "q"), *agent = http_field(r, "user-agent");

    seen.calls++;
    seen.body = r->body.len;
    seen.peer = r->peer;
    snprintf(seen.argument, sizeof seen.argument, "%s", argument ? argument : "(none)");
    snprintf(seen.agent, sizeof seen.agent, "%s", agent ? agent : "(none)");
}

static void say_hello(void *self, const struct http_request *r, struct http_answer *a)
{
    note(r);
    answer_say(a, 200, "hello");
}

static void take(void *self, const struct http_request *r, struct http_answer *a)
{
    note(r);
    answer_say(a, 201, "%zu bytes", r->body.len);
}

static void say_much(void *self, const struct http_request *r, struct http_answer *a)
{
    char *room = buf_room(&a->body, 3000000);

    memset(room, 'x', 3000000);
    buf_grew(&a->body, 3000000);
}

static void say_too_much(void *self, const struct http_request *r, struct http_answer *a)
{
    a->body.failed = true;
}

static const char *const types[] = { "text/plain", NULL };
static const struct http_page pages[] = {
    { "/hello", HTTP_GET, 0, NULL, say_hello },
    { "/take", HTTP_POST, TAKEN_MAX, types, take },
    { "/much", HTTP_GET, 0, NULL, say_much },
    { "/too-much", HTTP_GET, 0, NULL, say_too_much },
    { "/slow*", HTTP_GET, 0, NULL, say_hello },
};

static struct http_server *new_server(const struct http_limits *limits)
{
    struct error why = { 0 };
    struct http_server *s = http_server_new(pages, sizeof pages / sizeof *pages, limits, NULL, &why);

    CHECK_OK(s, &why);
    memset(&seen, 0, sizeof seen);
    return s;
}

struct talk {
    struct script *script;
    const char *text;           /* all that the server said */
};

static struct talk talk_over(struct http_server *s, struct script *script, bool by_proxy)
{
    struct talk t = { script };
    struct conn *c = script_conn(script);

    http_serve(s, c, by_proxy);
    conn_close(c);
    t.text = memory_text(script_written(script));
    return t;
}

static void talk_done(struct talk *t)
{
    free((char *)t->text);
    script_free(t->script);
}

/* `chunk` bytes arrive at once; then the client is gone. */
static struct talk ask_in(struct slice request, size_t chunk)
{
    struct http_server *s = new_server(&http_limits_usual);
    struct talk t = talk_over(s, script_bytes(request, chunk), false);

    http_server_free(s);
    return t;
}

static unsigned count_of(const char *text, const char *word)
{
    unsigned count = 0;

    while ((text = strstr(text, word)) != NULL)
        count++, text++;
    return count;
}

/* The status of the only answer; 0 for none, 1 for several. */
static unsigned status_of(const char *request)
{
    struct talk t = ask_in(slice_of(request), 100000);
    unsigned answers = count_of(t.text, "HTTP/1.1 "), status = 0;

    if (answers == 1)
        CHECK_EQUAL(sscanf(t.text, "HTTP/1.1 %u ", &status), 1);
    talk_done(&t);
    return answers > 1 ? 1 : status;
}

/* --- answers --------------------------------------------------------------------- */

TEST(a_page_answers)
{
    struct talk t = ask_in(SLICE("GET /hello?q=a%20b HTTP/1.1\r\nHost: x\r\nUser-Agent: me\r\n\r\n"), 100000);

    CHECK(slice_starts(slice_of(t.text), SLICE("HTTP/1.1 200 OK\r\n")));
    CHECK(strstr(t.text, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    CHECK(strstr(t.text, "\r\nContent-Length: 6\r\n"));
    CHECK(strstr(t.text, "\r\nX-Content-Type-Options: nosniff\r\n"));
    CHECK(strstr(t.text, "\r\n\r\nhello\n"));
    CHECK_TEXT(seen.argument, "a b");
    CHECK_TEXT(seen.agent, "me");
    talk_done(&t);
}

TEST(head_is_answered_as_get_but_without_the_body)
{
    struct talk t = ask_in(SLICE("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 100000);

    CHECK(strstr(t.text, "\r\nContent-Length: 6\r\n"));
    CHECK(!strstr(t.text, "hello"));
    CHECK_EQUAL(seen.calls, 1);
    talk_done(&t);
}

TEST(however_the_bytes_arrive_the_answer_is_the_same)
{
    static const char request[] = "POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n"
                                  "0123456789";

    for (size_t chunk = 1; chunk < sizeof request; chunk++) {
        struct talk t = ask_in(slice(request, sizeof request - 1), chunk);

        CHECK(slice_starts(slice_of(t.text), SLICE("HTTP/1.1 201 Created\r\n")));
        CHECK_EQUAL(seen.body, 10);
        talk_done(&t);
    }
}

TEST(a_body_in_chunks_is_put_together)
{
    struct talk t = ask_in(SLICE("POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n1;x=y\r\n5\r\n0\r\nTrailer: z\r\n\r\n"), 7);

    CHECK(strstr(t.text, "6 bytes\n"));
    talk_done(&t);
}

TEST(requests_behind_each_other_are_answered_in_order)
{
    struct talk t = ask_in(SLICE("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                                 "POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc"
                                 "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
                                 "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 100000);
    const char *first = strstr(t.text, "200 OK"), *second = strstr(t.text, "201 Created"), *third = strstr(t.text, "404 ");

    CHECK(first && second && third && first < second && second < third);
    CHECK_EQUAL(count_of(t.text, "HTTP/1.1 "), 3);      /* a refusal is the last */
    CHECK_EQUAL(seen.calls, 2);
    talk_done(&t);
}

TEST(a_long_answer_comes_whole)
{
    struct talk t = ask_in(SLICE("GET /much HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 100000);
    const char *body = strstr(t.text, "\r\n\r\n");

    CHECK(strstr(t.text, "\r\nContent-Length: 3000000\r\n"));
    CHECK(body);
    CHECK_EQUAL(strspn(body + 4, "x"), 3000000);
    CHECK(strstr(body, "hello\n"));
    talk_done(&t);
}

TEST(an_answer_that_did_not_fit_is_said_to_be_our_fault)
{
    CHECK_EQUAL(status_of("GET /too-much HTTP/1.1\r\nHost: x\r\n\r\n"), 500);
}

TEST(an_old_client_is_answered_and_left)
{
    struct talk t = ask_in(SLICE("GET /hello HTTP/1.0\r\n\r\n" "GET /hello HTTP/1.0\r\n\r\n"), 100000);

    CHECK_EQUAL(count_of(t.text, "200 OK"), 1);
    CHECK(strstr(t.text, "Connection: close"));
    talk_done(&t);
}

TEST(a_client_that_asks_first_is_told_to_go_on)
{
    struct talk t = ask_in(SLICE("POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
                                 "Expect: 100-continue\r\n\r\nabc"), 100000);

    CHECK(slice_starts(slice_of(t.text), SLICE("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n")));
    talk_done(&t);
}

TEST(or_not_to)
{
    CHECK_EQUAL(status_of("POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: text/html\r\nContent-Length: 3\r\n"
                          "Expect: 100-continue\r\n\r\n"), 415);
}

TEST(a_connection_ends_after_its_requests)
{
    struct http_limits limits = http_limits_usual;
    struct http_server *s;
    struct talk t;

    limits.requests = 2;
    s = new_server(&limits);
    t = talk_over(s, script_bytes(SLICE("GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                                        "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 100000), false);
    CHECK_EQUAL(seen.calls, 2);
    CHECK_EQUAL(count_of(t.text, "Connection: close"), 1);
    http_server_free(s);
    talk_done(&t);
}

/* --- refusals ---------------------------------------------------------------------- */

#define TO_TAKE "POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"

TEST(what_is_wrong_with_a_head_is_said_once)
{
    CHECK_EQUAL(status_of("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
    CHECK_EQUAL(status_of("GET /take HTTP/1.1\r\nHost: x\r\n\r\n"), 405);
    CHECK_EQUAL(status_of("BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 405);
    CHECK_EQUAL(status_of("GET /hello HTTP/1.1\r\n\r\n"), 400);
    CHECK_EQUAL(status_of("GET /hello HTTP/1.1\r\nHost : x\r\n\r\n"), 400);
    CHECK_EQUAL(status_of("\1\2\3\n\4\r\n\r\n"), 400);       /* the library says nothing to this */
    CHECK_EQUAL(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
    CHECK_EQUAL(status_of(TO_TAKE "\r\n"), 411);
    CHECK_EQUAL(status_of(TO_TAKE "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"), 400);
    CHECK_EQUAL(status_of(TO_TAKE "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"), 400);
    CHECK_EQUAL(status_of(TO_TAKE "Content-Length: -3\r\n\r\nabc"), 400);
    CHECK_EQUAL(status_of(TO_TAKE "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400);
    CHECK_EQUAL(status_of(TO_TAKE "Content-Length: 99999999999999999999999999\r\n\r\nabc"), 413);
    CHECK_EQUAL(status_of(TO_TAKE "Content-Length: 4611686018427387904\r\n\r\nabc"), 413);
    CHECK_EQUAL(status_of("GET /hello%00 HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
    CHECK_EQUAL(status_of("GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
    CHECK_EQUAL(seen.calls, 0);
}

/* Some of them libmicrohttpd says in HTML, and with its head twice. */
TEST(what_the_library_refuses_is_said_in_our_words)
{
    struct talk t = ask_in(SLICE("GET /hello HTTP/1.1\r\n\r\n"), 100000);

    CHECK_TEXT(t.text, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 30\r\n"
                       "Connection: close\r\n\r\nthe request is not understood\n");
    talk_done(&t);
}

static unsigned status_of_long(const char *before, char fill, size_t len, const char *after)
{
    auto_buf struct buf b = { 0 };
    struct talk t;
    unsigned status = 0;

    buf_init(&b, 10 * 1000 * 1000);
    buf_add(&b, slice_of(before));
    for (size_t i = 0; i < len; i++)
        buf_byte(&b, fill);
    buf_add(&b, slice_of(after));
    t = ask_in(buf_slice(&b), 5000);
    (void)sscanf(t.text, "HTTP/1.1 %u ", &status);
    status += 1000 * (count_of(t.text, "HTTP/1.1 ") - 1);
    talk_done(&t);
    return status;
}

TEST(a_head_has_a_bound)
{
    CHECK_EQUAL(status_of_long("GET /hello HTTP/1.1\r\nHost: x\r\nX: ", 'y', 10000, "\r\n\r\n"), 200);
    CHECK_EQUAL(status_of_long("GET /hello HTTP/1.1\r\nHost: x\r\nX: ", 'y', 100000, "\r\n\r\n"), 431);
    CHECK_EQUAL(status_of_long("GET /", 'y', 100000, " HTTP/1.1\r\nHost: x\r\n\r\n"), 414);
}

TEST(a_body_has_the_bound_of_its_page)
{
    CHECK_EQUAL(status_of_long(TO_TAKE "Content-Length: 100000\r\n\r\n", 'z', TAKEN_MAX, ""), 201);
    CHECK_EQUAL(seen.body, TAKEN_MAX);
    CHECK_ID("TLSRPT-096", status_of_long(TO_TAKE "Content-Length: 100001\r\n\r\n", 'z', TAKEN_MAX + 1, "") == 413);
    CHECK_EQUAL(status_of_long(TO_TAKE "Transfer-Encoding: chunked\r\n\r\n186A0\r\n", 'z', TAKEN_MAX, "\r\n0\r\n\r\n"), 201);
    CHECK_EQUAL(seen.body, TAKEN_MAX);
    CHECK_ID("TLSRPT-096", status_of_long(TO_TAKE "Transfer-Encoding: chunked\r\n\r\n186A1\r\n", 'z', TAKEN_MAX + 1,
                                          "\r\n0\r\n\r\n") == 413);
    CHECK_EQUAL(seen.calls, 0);
}

TEST(all_bodies_together_have_a_bound)
{
    struct http_limits limits = http_limits_usual;
    struct http_server *s;
    struct talk t;

    limits.memory = 4;
    s = new_server(&limits);
    t = talk_over(s, script_bytes(SLICE(TO_TAKE "Content-Length: 5\r\n\r\nabcde"), 100000), false);
    CHECK(slice_starts(slice_of(t.text), SLICE("HTTP/1.1 503 ")) && strstr(t.text, "\r\nRetry-After: 60\r\n"));
    talk_done(&t);
    t = talk_over(s, script_bytes(SLICE(TO_TAKE "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"), 100000), false);
    CHECK(slice_starts(slice_of(t.text), SLICE("HTTP/1.1 503 ")) && strstr(t.text, "\r\nRetry-After: 60\r\n"));
    talk_done(&t);
    for (int i = 0; i < 3; i++) {       /* and what was held is given back */
        t = talk_over(s, script_bytes(SLICE(TO_TAKE "Content-Length: 4\r\n\r\nabcd"), 100000), false);
        CHECK(slice_starts(slice_of(t.text), SLICE("HTTP/1.1 201 ")));
        talk_done(&t);
    }
    t = talk_over(s, script_bytes(SLICE(TO_TAKE "Content-Length: 4\r\n\r\nabc"), 100000), false);
    CHECK_TEXT(t.text, "");
    talk_done(&t);
    http_server_free(s);        /* asserts that nothing is held */
}

/* --- clients that stop ---------------------------------------------------------------- */

static const char *silence_after(const char *script)
{
    struct http_server *s = new_server(&http_limits_usual);
    struct talk t = talk_over(s, script_new('C', script), false);
    const char *answer = !t.text[0] ? "nothing" : strstr(t.text, "HTTP/1.1 408 Request Timeout\r\n") ? "408" : "something";

    talk_done(&t);
    http_server_free(s);
    return answer;
}

TEST(a_client_that_says_nothing_hears_nothing)
{
    CHECK_TEXT(silence_after("SILENCE\n"), "nothing");
}

TEST(one_that_stops_in_a_request_hears_why_it_is_left)
{
    CHECK_TEXT(silence_after("C: GET /hello HTTP/1.1\n" "SILENCE\n"), "408");
    CHECK_TEXT(silence_after("C: POST /take HTTP/1.1\n" "C: Host: x\n" "C: Content-Type: text/plain\n"
                             "C: Content-Length: 10\n" "C:\n" "C: abc\n" "SILENCE\n"), "408");
}

TEST(one_that_goes_hears_nothing)
{
    CHECK_EQUAL(status_of(""), 0);
    CHECK_EQUAL(status_of("\r\n"), 0);
    CHECK_EQUAL(status_of("GET /hello HTTP/1.1\r\nHo"), 0);
    CHECK_EQUAL(status_of(TO_TAKE "Content-Length: 10\r\n\r\nabc"), 0);
    CHECK_EQUAL(status_of(TO_TAKE "Transfer-Encoding: chunked\r\n\r\n5\r\nab"), 0);
    CHECK_EQUAL(seen.calls, 0);
}

/* --- behind a proxy ---------------------------------------------------------------------- */

static const char *client_by(bool by_proxy, const char *field, char text[ADDRESS_TEXT_MAX])
{
    struct http_server *s = new_server(&http_limits_usual);
    struct talk t;
    char request[300];

    snprintf(request, sizeof request, "GET /hello HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", field);
    t = talk_over(s, script_bytes(slice_of(request), 100000), by_proxy);
    CHECK_EQUAL(seen.calls, 1);
    talk_done(&t);
    http_server_free(s);
    return seen.peer.family ? address_ip_text(&seen.peer, text) : "itself";
}

TEST(the_proxys_word_for_the_client_is_its_last)
{
    char text[ADDRESS_TEXT_MAX];

    CHECK_TEXT(client_by(true, "X-Forwarded-For: 192.0.2.7", text), "192.0.2.7");
    CHECK_TEXT(client_by(true, "X-Forwarded-For: 198.51.100.1, 2001:db8::7 ", text), "2001:db8::7");
    CHECK_TEXT(client_by(true, "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 192.0.2.7", text), "192.0.2.7");
    CHECK_TEXT(client_by(true, "X-Forwarded-For: 192.0.2.7, unknown", text), "itself");
    CHECK_TEXT(client_by(true, "X-Forwarded-For:", text), "itself");
    CHECK_TEXT(client_by(true, "X-Other: 192.0.2.7", text), "itself");
}

TEST(without_a_proxy_nobody_speaks_for_another)
{
    char text[ADDRESS_TEXT_MAX];

    CHECK_TEXT(client_by(false, "X-Forwarded-For: 192.0.2.7", text), "itself");
}

/* What is asked, what comes back, and waiting for it. */
#include "tests/https/web.h"

#include "base/memory.h"

/* --- answers ------------------------------------------------------------------- */

TEST(a_document_comes_with_its_type)
{
    struct asking a = { .path = "/good" };

    NEEDS_WEB;
    web_open(NULL);
    ask(&a);
    CHECK_OK(a.answered, &a.why);
    CHECK_EQUAL(a.reply.status, 200);
    CHECK_ID("MTASTS-024", strcmp(a.reply.media_type, "text/plain") == 0 && strcmp(a.reply.charset, "utf-8") == 0);
    CHECK_SLICE(a.reply.body, "version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\nmax_age: 86400\r\n");
    asking_done(&a);
    web_close();
}

/* MTASTS-022: which of them counts is for the caller to say. */
TEST(every_status_is_an_answer)
{
    static const int all[] = { 204, 206, 301, 302, 304, 307, 308, 401, 404, 407, 429, 500, 503, 599 };
    struct asking a;
    char path[40];

    NEEDS_WEB;
    web_open(NULL);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(path, sizeof path, "/status/%d", all[i]);
        a = (struct asking){ .path = path };
        ask(&a);
        if (!a.answered || a.reply.status != all[i])
            fail_msg("%s: %d %s", path, a.reply.status, a.why.text);
        asking_done(&a);
    }
    web_close();
}

/* RFC 9110 15.2.2: only one who asked for another protocol may be given it. */
TEST(an_interim_answer_alone_is_none)
{
    NEEDS_WEB;
    web_open(NULL);
    CHECK_EQUAL(status_of("/status/101"), -E_STS_FETCH);
    CHECK_EQUAL(status_of("/status/103"), -E_STS_FETCH);
    web_close();
}

TEST(a_redirect_is_not_followed)
{
    struct asking a = { .path = "/status/302" };

    NEEDS_WEB;
    web_open(NULL);
    ask(&a);
    CHECK_OK(a.answered, &a.why);
    CHECK_ID("MTASTS-022", a.reply.status == 302);
    CHECK_SLICE(a.reply.body, "said");
    CHECK_TEXT(a.reply.media_type, "");
    asking_done(&a);
    web_close();
}

TEST(chunks_are_joined_and_neither_interim_answers_nor_trailers_count)
{
    struct asking a = { .path = "/chunked" };

    NEEDS_WEB;
    web_open(NULL);
    ask(&a);
    CHECK_OK(a.answered, &a.why);
    CHECK_EQUAL(a.reply.status, 200);
    CHECK_TEXT(a.reply.media_type, "text/plain");
    CHECK_SLICE(a.reply.body, "version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\nmax_age: 86400\r\n");
    asking_done(&a);
    web_close();
}

TEST(older_and_odder_answers_are_understood)
{
    NEEDS_WEB;
    web_open(NULL);
    CHECK_EQUAL(status_of("/http10"), 200);
    CHECK_EQUAL(status_of("/identity"), 200);
    CHECK_EQUAL(status_of("/early"), 200);
    CHECK_EQUAL(status_of("/big-header"), 200);
    web_close();
}

/* --- what is sent -------------------------------------------------------------- */

TEST(the_request_says_no_more_than_it_must)
{
    struct asking a = { .path = "/echo" };
    const char *got;
    char wanted[400];

    NEEDS_WEB;
    web_open(NULL);
    snprintf(wanted, sizeof wanted, "SNI good.test ALPN http/1.1 TLSv1.3 reused False\n"
             "GET /echo HTTP/1.1\r\nHost: good.test:%u\r\nUser-Agent: postern\r\nAccept: */*\r\n\r\n", web.port);
    /* Neither Accept-Encoding nor If-None-Match, though /good gave an ETag and a cookie. */
    CHECK_EQUAL(status_of("/good"), 200);
    ask(&a);
    CHECK_OK(a.answered, &a.why);
    got = arena_string(&a.arena, a.reply.body);
    CHECK_ID("MTASTS-021", strstr(got, "SNI good.test "));
    CHECK_ID("MTASTS-023", !strstr(got, "If-"));
    CHECK_TEXT(got, wanted);
    asking_done(&a);
    web_close();
}

/* MTASTS-031 */
TEST(the_environment_names_no_proxy)
{
    static const char *const names[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };

    NEEDS_WEB;
    for (size_t i = 0; i < 4; i++)
        setenv(names[i], "http://127.0.0.1:1/", 1);
    web_open(NULL);
    CHECK_EQUAL(status_of("/good"), 200);
    web_close();
    for (size_t i = 0; i < 4; i++)
        unsetenv(names[i]);
}

/* --- addresses ----------------------------------------------------------------- */

TEST(an_address_that_refuses_gives_way_to_the_next)
{
    struct asking a = { .at = { "127.0.0.2", "127.0.0.3", "127.0.0.1" } };

    NEEDS_WEB;
    web_open(NULL);
    ask(&a);
    CHECK_OK(a.answered, &a.why);
    asking_done(&a);
    web_close();
}

TEST(a_silent_address_gives_way_to_the_next)
{
    struct asking a = { .at = { "127.0.0.2", "127.0.0.1" } };
    int listener;

    NEEDS_WEB;
    web_open(&(struct https_settings){ .connect = SECONDS(2) });
    listener = silent_listener("127.0.0.2", &web.port, true);
    ask(&a);
    CHECK_OK(a.answered, &a.why);
    CHECK(a.took >= 900);
    asking_done(&a);
    close(listener);
    web_close();
}

/* The next socket gets the number of the one that failed. */
TEST(an_address_that_refuses_gives_way_to_the_other_family)
{
    struct asking a = { .at = { "127.0.0.2", "::1" } };

    NEEDS_WEB;
    NEEDS_IPV6;
    web_open(NULL);
    ask(&a);
    CHECK_OK(a.answered, &a.why);
    CHECK(a.took < SECONDS(5));
    asking_done(&a);
    web_close();
}

TEST(a_silent_address_hardly_delays_the_other_family)
{
    struct asking a = { .at = { "127.0.0.2", "::1" } };
    int listener;

    NEEDS_WEB;
    NEEDS_IPV6;
    web_open(NULL);
    listener = silent_listener("127.0.0.2", &web.port, true);
    ask(&a);
    CHECK_OK(a.answered, &a.why);
    CHECK(a.took < SECONDS(5));
    asking_done(&a);
    close(listener);
    web_close();
}

TEST(without_a_connection_the_reason_is_told)
{
    struct asking one = { .at = { "127.0.0.2" } }, two = { .at = { "127.0.0.2", "127.0.0.3" } };

    NEEDS_WEB;
    web_open(NULL);
    ask(&one);
    CHECK(!one.answered && one.why.code == E_STS_FETCH);
    CHECK_TEXT(one.why.text, "good.test[127.0.0.2]: no connection: Connection refused");
    ask(&two);
    CHECK(!two.answered && two.why.code == E_STS_FETCH);
    CHECK(strstr(two.why.text, "no connection to any address, at last: Connection refused"));
    asking_done(&one);
    asking_done(&two);
    web_close();
}

/* Two requests for one name, each with an address of its own, one of them without a host. */
TEST(the_addresses_of_one_request_serve_no_other)
{
    struct asking good = { .path = "/slow" }, dead = { .path = "/slow", .at = { "127.0.0.2" } }, again = { 0 };

    NEEDS_WEB;
    web_open(NULL);
    begin(&good);
    begin(&dead);
    loop_run();
    CHECK(good.answered && !dead.answered);
    again.at[0] = "127.0.0.3";
    ask(&again);
    CHECK(!again.answered && strstr(again.why.text, "127.0.0.3"));
    asking_done(&good);
    asking_done(&dead);
    asking_done(&again);
    web_close();
}

static void check_untried(const char *host, const char *words)
{
    struct asking a = { .host = host };

    ask(&a);
    CHECK(!a.answered && a.why.code == E_STS_FETCH && strstr(a.why.text, words));
    asking_done(&a);
}

TEST(what_is_no_host_name_is_not_tried)
{
    static const char *const bad[] = { "", ".", "a..test", "good.test.", "good.test/x", "user@good.test", "good.test:1",
        "good test", "good.test\r\nX: y", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]", "::1",
        "*.wild.test", "g\xc3\xb6\xc3\xb6.test", "good.test#", "good.test?" };

    NEEDS_WEB;
    web_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_untried(bad[i], "is not a host name");
    web_close();
}

static struct https *bare;

static void ask_without_address(void *arg)
{
    struct https_request r = { .host = "good.test", .port = 443, .path = "/", .most = 1, .deadline = TIME_NEVER };
    struct https_reply reply;
    struct arena arena = { 0 };

    CHECK(!https_get(bare, &r, &arena, &reply, arg));
    loop_stop();
}

TEST(a_host_without_addresses_is_not_tried)
{
    struct error why = { 0 };

    loop_open();
    bare = https_new(&(struct https_settings){ 0 }, &why);
    CHECK_OK(bare, &why);
    fiber_start("asking", ask_without_address, &why);
    loop_run();
    CHECK(why.code == E_STS_FETCH && strstr(why.text, "good.test has no address"));
    https_free(bare);
    https_free(NULL);
    loop_close();
}

/* --- many, and fewer ----------------------------------------------------------- */

enum { MANY = 50 };

TEST(those_beyond_the_bound_wait_for_their_turn)
{
    struct asking *many = memory_array(MANY, sizeof *many), peak = { .path = "/peak" };
    int most;

    NEEDS_WEB;
    web_open(&(struct https_settings){ .together = 4 });
    for (size_t i = 0; i < MANY; i++) {
        many[i].path = "/slow";
        begin(&many[i]);
    }
    loop_run();
    for (size_t i = 0; i < MANY; i++) {
        CHECK_OK(many[i].answered, &many[i].why);
        asking_done(&many[i]);
    }
    ask(&peak);
    CHECK_OK(peak.answered, &peak.why);
    most = atoi(arena_string(&peak.arena, peak.reply.body));
    CHECK(most > 1 && most <= 4);
    asking_done(&peak);
    web_close();
    free(many);
}

TEST(a_turn_that_does_not_come_is_an_error_of_its_own)
{
    struct asking first = { .path = "/stall", .within = SECONDS(2) }, second = { .within = 300 }, third = { 0 };

    NEEDS_WEB;
    web_open(&(struct https_settings){ .together = 1 });
    begin(&first);
    begin(&second);
    begin(&third);
    loop_run();
    CHECK(!first.answered && strstr(first.why.text, "no answer in time"));
    CHECK(!second.answered && second.why.code == E_STS_FETCH);
    CHECK_TEXT(second.why.text, "good.test: too many other requests were under way");
    CHECK_OK(third.answered, &third.why);
    asking_done(&first);
    asking_done(&second);
    asking_done(&third);
    web_close();
}

/* --- cancelling ---------------------------------------------------------------- */

static void cancel(void *owner)
{
    struct asking *both = owner;

    fiber_cancel(both[0].fiber);
    fiber_cancel(both[1].fiber);
}

/* One waits for curl, one for its turn. */
static void check_cancelled_after(time_ms wait, const char *path)
{
    struct asking both[2] = { { .path = path }, { .path = path } };
    struct timer *timer;

    web_open(&(struct https_settings){ .together = 1 });
    timer = timer_new(cancel, both);
    timer_set(timer, clock_now() + wait);
    begin(&both[0]);
    begin(&both[1]);
    loop_run();
    for (int i = 0; i < 2; i++) {
        CHECK(!both[i].answered && both[i].why.code == E_CANCELLED && strstr(both[i].why.text, "good.test"));
        CHECK(both[i].took < wait + SECONDS(1));
        asking_done(&both[i]);
    }
    timer_free(timer);
    CHECK_EQUAL(status_of("/good"), 200);
    web_close();
}

TEST(a_cancelled_fiber_ends_its_request)
{
    NEEDS_WEB;
    check_cancelled_after(0, "/stall");
    check_cancelled_after(1, "/stall");
    check_cancelled_after(200, "/stall");
    check_cancelled_after(200, "/drip");
    check_cancelled_after(200, "/stall-body");
}

/* As at the end of a process: nothing turns the loop between the two. */
TEST(the_last_request_may_be_cancelled_right_before_the_end)
{
    struct asking both[2] = { { .path = "/stall" }, { .path = "/drip" } };
    struct timer *timer;

    NEEDS_WEB;
    web_open(NULL);
    timer = timer_new(cancel, both);
    timer_set(timer, clock_now() + 200);
    begin(&both[0]);
    begin(&both[1]);
    loop_run();
    timer_free(timer);
    web_close();
    CHECK(both[0].why.code == E_CANCELLED && both[1].why.code == E_CANCELLED);
    asking_done(&both[0]);
    asking_done(&both[1]);
}

static void ask_when_cancelled(void *arg)
{
    struct asking *a = arg;

    fiber_cancel(fiber_current());
    begin(a);                   /* another fiber, which is not cancelled */
}

TEST(a_request_of_a_fiber_already_cancelled_does_not_begin)
{
    struct asking a = { 0 };

    NEEDS_WEB;
    web_open(NULL);
    begin(&a);
    fiber_cancel(a.fiber);
    loop_run();
    CHECK(!a.answered && a.why.code == E_CANCELLED && a.took < 500);
    asking_done(&a);
    fiber_start("cancelled", ask_when_cancelled, &a);
    loop_run();
    CHECK_OK(a.answered, &a.why);
    asking_done(&a);
    web_close();
}

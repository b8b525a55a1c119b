/* Documents that are posted: RFC 8460 5.4, spec TLSRPT-078 and -079, and what hooks need. */
#include "tests/https/web.h"

#include "base/memory.h"

#include <unistd.h>

static const struct asking echo = { .path = "/echo", .media_type = "application/json", .document = { "{\"a\": 1}", 8 } };

static void post_and_check_text(struct asking a, const char *wanted)
{
    ask(&a);
    CHECK_OK(a.answered, &a.why);
    CHECK_EQUAL(a.reply.status, 200);
    CHECK_SLICE(a.reply.body, wanted);
    asking_done(&a);
}

static int posted(struct asking a)
{
    a.media_type = "application/json";
    a.document = a.document.at ? a.document : SLICE("{}");
    ask(&a);
    asking_done(&a);
    return a.answered ? a.reply.status : -(int)a.why.code;
}

/* --- what is sent -------------------------------------------------------------- */

TEST(a_document_goes_with_its_type_and_length_and_nothing_more)
{
    char wanted[400];

    NEEDS_WEB;
    web_open(NULL);
    snprintf(wanted, sizeof wanted, "SNI good.test ALPN http/1.1 TLSv1.3 reused False\n"
             "POST /echo HTTP/1.1\r\nHost: good.test:%u\r\nUser-Agent: postern\r\nAccept: */*\r\n"
             "Content-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"a\": 1}", web.port);
    post_and_check_text(echo, wanted);
    web_close();
}

TEST(an_empty_document_is_one)
{
    struct asking a = { .path = "/digest", .media_type = "text/plain", .document = { "", 0 } };

    NEEDS_WEB;
    web_open(NULL);
    post_and_check_text(a, "0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    web_close();
}

/* curl would ask for leave with "Expect: 100-continue" from a megabyte on. */
TEST(a_large_document_arrives_whole_and_unasked)
{
    enum { LENGTH = 5 * 1024 * 1024 };
    auto_free char *zeros = memory_new(LENGTH);
    struct asking a = { .path = "/digest", .media_type = "application/octet-stream", .document = { zeros, LENGTH } };
    struct asking large = echo;

    NEEDS_WEB;
    web_open(NULL);
    post_and_check_text(a, "5242880 c036cbb7553a909f8b8877d4461924307f27ecb66cff928eeeafd569c3887e29");
    large.document = slice(zeros, 2 * 1024 * 1024);
    large.most = 4 * 1024 * 1024;
    large.arena_bytes = 8 * 1024 * 1024;
    ask(&large);
    CHECK_OK(large.answered, &large.why);
    CHECK(!strstr(arena_string(&large.arena, large.reply.body), "Expect"));
    asking_done(&large);
    web_close();
}

TEST(a_document_may_hold_every_byte)
{
    struct asking a = { .path = "/digest", .media_type = "application/tlsrpt+gzip", .document = { "\x1f\x8b\0\r\n&=", 7 } };

    NEEDS_WEB;
    web_open(NULL);
    post_and_check_text(a, "7 71d693030d331bf8e3b7b0a06b7494c4214336ff22b2476eeaff8df101cf90d8");
    web_close();
}

TEST(what_is_no_path_is_not_tried)
{
    static const char *const bad[] = { "", "x", "?a=b", "/a b", "/a\r\nX: y", "/\x7f", "/\xc3\xb6", "//host/\t" };

    NEEDS_WEB;
    web_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct asking a = echo;

        a.path = bad[i];
        ask(&a);
        CHECK(!a.answered && a.why.code == E_STS_FETCH && strstr(a.why.text, "is not a path"));
        asking_done(&a);
    }
    web_close();
}

/* --- what comes back ----------------------------------------------------------- */

TEST(every_status_is_an_answer_to_a_document_too)
{
    static const int all[] = { 200, 201, 202, 204, 400, 401, 404, 413, 429, 500, 503 };
    char path[40];

    NEEDS_WEB;
    web_open(NULL);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(path, sizeof path, "/status/%d", all[i]);
        CHECK_ID("TLSRPT-079", posted((struct asking){ .path = path }) == all[i]);
    }
    web_close();
}

TEST(a_document_follows_no_redirect)
{
    NEEDS_WEB;
    web_open(NULL);
    CHECK_ID("TLSRPT-079", posted((struct asking){ .path = "/status/301" }) == 301);
    CHECK_ID("TLSRPT-079", posted((struct asking){ .path = "/status/302" }) == 302);
    CHECK_ID("TLSRPT-079", posted((struct asking){ .path = "/status/307" }) == 307);
    CHECK_ID("TLSRPT-079", posted((struct asking){ .path = "/status/308" }) == 308);
    web_close();
}

TEST(an_answer_before_the_end_of_the_document_is_one)
{
    enum { LENGTH = 3 * 1024 * 1024 };
    auto_free char *zeros = memory_new(LENGTH);
    struct asking a = { .path = "/hasty", .document = { zeros, LENGTH } };

    NEEDS_WEB;
    web_open(NULL);
    CHECK_EQUAL(posted(a), 413);
    web_close();
}

/* --- bounds -------------------------------------------------------------------- */

TEST(the_answer_to_a_document_has_its_bounds)
{
    NEEDS_WEB;
    web_open(NULL);
    CHECK_EQUAL(posted((struct asking){ .path = "/size/100", .most = 100 }), 200);
    CHECK_EQUAL(posted((struct asking){ .path = "/size/101", .most = 100 }), -E_STS_FETCH);
    CHECK_EQUAL(posted((struct asking){ .path = "/flood" }), -E_STS_FETCH);
    CHECK_EQUAL(posted((struct asking){ .path = "/stall", .within = 500 }), -E_STS_FETCH);
    CHECK_EQUAL(posted((struct asking){ .path = "/drip", .within = 500 }), -E_STS_FETCH);
    web_close();
}

/* It reads nothing: the document itself does not go out. */
TEST(a_host_that_does_not_listen_is_cut_off_in_time)
{
    enum { LENGTH = 20 * 1024 * 1024 };
    auto_free char *zeros = memory_new(LENGTH);
    struct asking a = { .path = "/deaf", .within = 700, .media_type = "text/plain", .document = { zeros, LENGTH } };

    NEEDS_WEB;
    web_open(NULL);
    ask(&a);
    CHECK(!a.answered && a.why.code == E_STS_FETCH && a.took >= 700 && a.took < 1700);
    asking_done(&a);
    web_close();
}

static void cancel(void *owner)
{
    fiber_cancel(owner);
}

/* Its document is gone when the fiber is: curl must have its own. */
TEST(a_cancelled_fiber_ends_its_post)
{
    enum { LENGTH = 20 * 1024 * 1024 };
    char *zeros = memory_new(LENGTH);
    struct asking a = { .path = "/deaf", .media_type = "text/plain", .document = { zeros, LENGTH } };
    struct timer *timer;

    NEEDS_WEB;
    web_open(NULL);
    begin(&a);
    timer = timer_new(cancel, a.fiber);
    timer_set(timer, clock_now() + 300);
    loop_run();
    free(zeros);
    timer_free(timer);
    CHECK(!a.answered && a.why.code == E_CANCELLED);
    CHECK_EQUAL(posted((struct asking){ .path = "/good" }), 200);
    asking_done(&a);
    web_close();
}

/* --- whose certificate, and none ------------------------------------------------ */

TEST(a_document_goes_to_nobody_else)
{
    NEEDS_WEB;
    web_open(NULL);
    CHECK_EQUAL(posted((struct asking){ .host = "self.test" }), -E_STS_WEBPKI);
    CHECK_EQUAL(posted((struct asking){ .host = "other.test" }), -E_STS_WEBPKI);
    web_close();
}

TEST(unless_any_certificate_will_do)
{
    static const char *const hosts[] = { "self.test", "stranger.test", "gap.test", "expired.test", "early.test",
        "other.test", "cn.test", "client.test", "good.test" };

    NEEDS_WEB;
    web_open(NULL);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        CHECK_ID("TLSRPT-078", posted((struct asking){ .host = hosts[i], .path = "/status/200", .any_certificate = true }) == 200);
    CHECK_EQUAL(posted((struct asking){ .host = "self.test" }), -E_STS_WEBPKI);
    web_close();
}

/* Without a certificate that counts it must be TLS all the same. */
TEST(any_certificate_does_not_mean_none)
{
    NEEDS_WEB;
    web_open(NULL);
    CHECK_EQUAL(posted((struct asking){ .port = web.plain_port, .any_certificate = true }), -E_STS_FETCH);
    CHECK_EQUAL(posted((struct asking){ .port = web.old_port, .any_certificate = true }), -E_STS_FETCH);
    web_close();
}

TEST(in_clear_only_when_told)
{
    struct asking a = echo;
    char wanted[400];

    NEEDS_WEB;
    web_open(NULL);
    a.clear = true;
    snprintf(wanted, sizeof wanted, "in clear\nPOST /echo HTTP/1.1\r\nHost: good.test:%u\r\nUser-Agent: postern\r\n"
             "Accept: */*\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"a\": 1}", web.plain_port);
    post_and_check_text(a, wanted);
    CHECK_EQUAL(posted((struct asking){ .path = "/status/302", .clear = true }), 302);
    CHECK_EQUAL(posted((struct asking){ .path = "/status/500", .clear = true }), 500);
    CHECK_EQUAL(posted((struct asking){ .path = "/size-open/10", .clear = true }), 200);
    CHECK_EQUAL(posted((struct asking){ .path = "/size/70000", .clear = true }), -E_STS_FETCH);
    CHECK_EQUAL(posted((struct asking){ .path = "/stall", .clear = true, .within = 500 }), -E_STS_FETCH);
    CHECK_EQUAL(posted((struct asking){ .port = web.port, .clear = true }), -E_STS_FETCH);
    web_close();
}

/* The operator's own machine may be named by its address. */
TEST(in_clear_the_host_may_be_an_address)
{
    struct asking a = echo;

    NEEDS_WEB;
    web_open(NULL);
    a.clear = true;
    a.host = "127.0.0.1";
    ask(&a);
    CHECK_OK(a.answered, &a.why);
    CHECK(strstr(arena_string(&a.arena, a.reply.body), "Host: 127.0.0.1:"));
    asking_done(&a);
    CHECK_EQUAL(posted((struct asking){ .host = "127.0.0.1" }), -E_STS_FETCH);
    CHECK_EQUAL(posted((struct asking){ .host = "127.0.0.1", .clear = true, .at = { "127.0.0.2" } }), -E_STS_FETCH);
    CHECK_EQUAL(posted((struct asking){ .host = "127.1", .clear = true }), -E_STS_FETCH);
    web_close();
}

/* "::1" needs brackets in a URL; nobody listens there in clear, so the refusal tells that it was understood. */
TEST(an_address_may_be_of_ipv6)
{
    struct asking a = echo;

    NEEDS_WEB;
    NEEDS_IPV6;
    web_open(NULL);
    a.clear = true;
    a.host = a.at[0] = "::1";
    ask(&a);
    CHECK(!a.answered);
    CHECK_TEXT(a.why.text, "::1[::1]: no connection: Connection refused");
    asking_done(&a);
    web_close();
}

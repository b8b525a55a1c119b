/* Hosts that want more of our time and memory than they shall have: spec MTASTS-025, -031. */
#include "tests/https/web.h"

#include <unistd.h>

static void check_fails(struct asking a, const char *words)
{
    ask(&a);
    if (a.answered || a.why.code != E_STS_FETCH || !strstr(a.why.text, words))
        fail_msg("%s: %s %s", a.path ? a.path : "/good", error_name(a.why.code), a.why.text);
    asking_done(&a);
}

/* Whatever it does, the end comes within a second of the deadline. */
static void check_too_late(struct asking a, const char *words)
{
    a.within = 700;
    ask(&a);
    if (a.answered || a.why.code != E_STS_FETCH || !strstr(a.why.text, words) || a.took < 700 || a.took >= 1700)
        fail_msg("%s: after %lld ms: %s %s", a.path ? a.path : "/good", (long long)a.took, error_name(a.why.code), a.why.text);
    asking_done(&a);
}

/* --- size ---------------------------------------------------------------------- */

TEST(a_body_of_exactly_the_bound_is_taken)
{
    NEEDS_WEB;
    web_open(NULL);
    CHECK_ID("MTASTS-025", status_of("/size/65536") == 200);
    CHECK_ID("MTASTS-025", status_of("/size-chunked/65536") == 200);
    CHECK_ID("MTASTS-025", status_of("/size-open/65536") == 200);
    CHECK_EQUAL(status_of("/size/0"), 200);
    web_close();
}

TEST(one_byte_more_is_not)
{
    NEEDS_WEB;
    web_open(NULL);
    check_fails((struct asking){ .path = "/size/65537" }, "longer than 65536 bytes");
    check_fails((struct asking){ .path = "/size-chunked/65537" }, "longer than 65536 bytes");
    check_fails((struct asking){ .path = "/size-open/65537" }, "longer than 65536 bytes");
    check_fails((struct asking){ .path = "/size/10000000" }, "longer than 65536 bytes");
    check_fails((struct asking){ .path = "/endless" }, "longer than 65536 bytes");
    check_fails((struct asking){ .path = "/good", .most = 10 }, "longer than 10 bytes");
    web_close();
}

TEST(endless_chunks_of_one_byte_are_not_endless)
{
    NEEDS_WEB;
    web_open(NULL);
    check_fails((struct asking){ .path = "/endless-tiny", .most = 4096 }, "longer than 4096 bytes");
    web_close();
}

TEST(the_header_has_a_bound_too)
{
    NEEDS_WEB;
    web_open(NULL);
    check_fails((struct asking){ .path = "/flood" }, "the header of the answer is longer than 16384 bytes");
    check_fails((struct asking){ .path = "/flood-interim" }, "the header of the answer is longer than 16384 bytes");
    check_fails((struct asking){ .path = "/endless-trailer" }, "the header of the answer is longer than 16384 bytes");
    check_fails((struct asking){ .path = "/long-line" }, "header");
    web_close();
}

TEST(an_answer_that_does_not_fit_the_arena_is_no_answer)
{
    NEEDS_WEB;
    web_open(NULL);
    check_fails((struct asking){ .path = "/size/60000", .arena_bytes = 1000 }, "no memory is left for 60000 bytes");
    web_close();
}

/* --- time ---------------------------------------------------------------------- */

TEST(a_host_that_drips_is_cut_off_in_time)
{
    NEEDS_WEB;
    web_open(NULL);
    check_too_late((struct asking){ .path = "/drip" }, "the answer did not end in time (");
    check_too_late((struct asking){ .path = "/drip-header" }, "in time");
    check_too_late((struct asking){ .path = "/endless-extension" }, "in time");
    web_close();
}

TEST(a_host_that_falls_silent_is_cut_off_in_time)
{
    NEEDS_WEB;
    web_open(NULL);
    check_too_late((struct asking){ .path = "/stall" }, "good.test[127.0.0.1]: no answer in time");
    check_too_late((struct asking){ .path = "/stall-header" }, "the header of the answer did not end in time");
    check_too_late((struct asking){ .path = "/stall-body" }, "the answer did not end in time (3 bytes came)");
    web_close();
}

TEST(a_host_that_never_begins_is_cut_off_in_time)
{
    uint16_t silent_port = 0, deaf_port = 0;
    int silent, deaf;

    NEEDS_WEB;
    web_open(NULL);
    silent = silent_listener("127.0.0.1", &silent_port, false);
    deaf = silent_listener("127.0.0.1", &deaf_port, true);
    check_too_late((struct asking){ .port = silent_port }, "the TLS handshake did not end in time");
    check_too_late((struct asking){ .port = deaf_port }, "no connection in time");
    close(silent);
    close(deaf);
    web_close();
}

TEST(connecting_has_a_bound_of_its_own)
{
    struct asking a = { 0 }, b = { 0 };
    uint16_t silent_port = 0, deaf_port = 0;
    int silent, deaf;

    NEEDS_WEB;
    web_open(&(struct https_settings){ .connect = 500 });
    silent = silent_listener("127.0.0.1", &silent_port, false);
    deaf = silent_listener("127.0.0.1", &deaf_port, true);
    a.port = silent_port;
    b.port = deaf_port;
    ask(&a);
    CHECK(!a.answered && a.took < 1500 && strstr(a.why.text, "the TLS handshake did not end in time"));
    ask(&b);
    CHECK(!b.answered && b.took < 1500 && strstr(b.why.text, "no connection in time"));
    asking_done(&a);
    asking_done(&b);
    close(silent);
    close(deaf);
    web_close();
}

/* --- truth --------------------------------------------------------------------- */

/* A policy cut short could be another policy. */
TEST(an_answer_that_breaks_off_is_no_answer)
{
    NEEDS_WEB;
    web_open(NULL);
    check_fails((struct asking){ .path = "/short" }, "good.test[127.0.0.1]: ");
    check_fails((struct asking){ .path = "/short-chunked" }, "good.test[127.0.0.1]: ");
    check_fails((struct asking){ .path = "/torn" }, "good.test[127.0.0.1]: ");
    check_fails((struct asking){ .path = "/nothing" }, "good.test[127.0.0.1]: ");
    check_fails((struct asking){ .path = "/bad-chunk" }, "good.test[127.0.0.1]: ");
    web_close();
}

TEST(compression_is_refused)
{
    NEEDS_WEB;
    web_open(NULL);
    check_fails((struct asking){ .path = "/gzip" }, "compressed, which was not asked for");
    check_fails((struct asking){ .path = "/transfer-gzip" }, "transfer coding other than chunked");
    web_close();
}

TEST(what_is_not_https_is_refused)
{
    NEEDS_WEB;
    web_open(NULL);
    check_fails((struct asking){ .path = "/http09" }, "HTTP/0.9");
    check_fails((struct asking){ .port = web.plain_port }, "good.test[127.0.0.1]: ");
    check_fails((struct asking){ .port = web.old_port }, "good.test[127.0.0.1]: ");
    web_close();
}

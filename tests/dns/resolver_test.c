/* Real questions to a signed DNS on loopback. */
#include "tests/dns/tree.h"

/* --- DNSSEC -------------------------------------------------------------------------- */

TEST(a_signed_answer_is_secure)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    CHECK(resolver_validates(resolver));
    a = ask("WWW.sec.test", DNS_A);
    CHECK_ID("DANE-001", a.status == DNS_FOUND && a.secure);
    CHECK_EQUAL(a.count, 1);
    CHECK(slice_equal(a.records[0], SLICE("\xc0\0\2\3")));
    CHECK_TEXT(a.canonical, "www.sec.test");
    CHECK(!a.aliased && a.why[0] == '\0');
    CHECK(a.ttl > 0 && a.ttl <= 600);
    a = ask("www.sec.test", DNS_TXT);
    CHECK(a.ttl > 0 && a.ttl <= 60);
    CHECK(slice_equal(a.records[0], SLICE("\3one\3two")));
    stop();
}

TEST(an_unsigned_answer_is_insecure_and_no_error)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("www.insec.test", DNS_A);
    CHECK_ID("DANE-002", a.status == DNS_FOUND && !a.secure && a.count == 1);
    a = ask("nothing.insec.test", DNS_A);
    CHECK_ID("DANE-003", a.status == DNS_NO_NAME && !a.secure);
    a = ask("www.insec.test", DNS_AAAA);
    CHECK_ID("DANE-003", a.status == DNS_NO_DATA && !a.secure);
    stop();
}

TEST(a_changed_answer_is_bogus_and_shows_no_data)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("www.bogus.test", DNS_A);
    CHECK_ID("DANE-001", a.status == DNS_BOGUS && !a.secure && a.count == 0 && !a.records);
    CHECK(strstr(a.why, "validation failure"));
    CHECK_TEXT(dns_status_name(&a), "bogus");
    a = ask("good.bogus.test", DNS_A);
    CHECK(a.status == DNS_FOUND && a.secure);
    stop();
}

TEST(an_expired_signature_is_bogus)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("www.expired.test", DNS_A);
    CHECK_ID("DANE-013", a.status == DNS_BOGUS && a.count == 0);
    CHECK(strstr(a.why, "expired"));
    a = ask("nothing.expired.test", DNS_A);
    CHECK_ID("DANE-013", a.status == DNS_BOGUS);
    stop();
}

/* DANE-013: the library alone would take it for up to a day, for the sake of clocks that are wrong. */
TEST(a_signature_that_has_just_expired_is_bogus)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("www.late.test", DNS_A);
    CHECK_ID("DANE-013", a.status == DNS_BOGUS && a.count == 0 && strstr(a.why, "expired"));
    stop();
}

TEST(an_answer_is_good_no_longer_than_its_signature)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("www.soon.test", DNS_A);        /* 86400 by its owner's word */
    CHECK_ID("DANE-013", a.status == DNS_FOUND && a.secure && a.ttl > 0 && a.ttl <= 3600);
    a = ask("nothing.soon.test", DNS_A);
    CHECK_ID("DANE-013", a.status == DNS_NO_NAME && a.secure && a.ttl > 0 && a.ttl <= 3600);
    stop();
}

TEST(the_root_can_be_asked_for)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask(".", DNS_SOA);
    CHECK(a.status == DNS_FOUND && a.secure && a.count == 1 && !a.aliased);
    CHECK_TEXT(a.canonical, ".");
    CHECK(ask(".", DNS_NS).secure);
    CHECK(ask(".", DNS_A).status == DNS_NO_DATA);
    stop();
}

TEST(proven_absence_is_a_secure_answer)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("nothing.sec.test", DNS_A);
    CHECK_ID("DANE-003", a.status == DNS_NO_NAME && a.secure && a.count == 0);
    CHECK(a.ttl <= 300);
    a = ask("www.sec.test", DNS_AAAA);
    CHECK_ID("DANE-003", a.status == DNS_NO_DATA && a.secure && a.count == 0);
    stop();
}

TEST(absence_under_nsec3_opt_out_is_insecure)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("nothing.optout.test", DNS_A);
    CHECK_ID("DANE-003", a.status == DNS_NO_NAME && !a.secure);
    a = ask("www.optout.test", DNS_A);
    CHECK(a.status == DNS_FOUND && a.secure);
    stop();
}

TEST(cname_chains_are_followed_and_named)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("alias.sec.test", DNS_A);
    CHECK(a.status == DNS_FOUND && a.secure && a.aliased);
    CHECK_TEXT(a.canonical, "www.sec.test");
    a = ask("upper.sec.test", DNS_A);
    CHECK_TEXT(a.canonical, "www.sec.test");
    a = ask("alias.sec.test", DNS_AAAA);
    CHECK(a.status == DNS_NO_DATA && a.secure && a.aliased);
    CHECK_TEXT(a.canonical, "www.sec.test");
    a = ask("dangling.sec.test", DNS_A);
    CHECK(a.status == DNS_NO_NAME && a.secure && a.aliased);
    CHECK_TEXT(a.canonical, "nothing.sec.test");
    a = ask("into.sec.test", DNS_CNAME);
    CHECK_ID("DANE-043", a.status == DNS_FOUND && a.secure && !a.aliased);
    stop();
}

TEST(one_insecure_link_makes_a_chain_insecure)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("into.sec.test", DNS_A);
    CHECK_ID("DANE-011", a.status == DNS_FOUND && !a.secure && a.aliased);
    CHECK_TEXT(a.canonical, "www.insec.test");
    CHECK(ask("www.sec.test", DNS_A).secure && ask("www.insec.test", DNS_A).count == 1);    /* known by now */
    a = ask("through.sec.test", DNS_A);
    CHECK_ID("DANE-011", a.status == DNS_FOUND && !a.secure);
    CHECK_TEXT(a.canonical, "www.sec.test");
    a = ask("far1.sec.test", DNS_A);
    CHECK_ID("DANE-011", a.status == DNS_FOUND && !a.secure);
    a = ask("far1.sec.test", DNS_AAAA);
    CHECK_ID("DANE-011", a.status == DNS_NO_DATA && !a.secure);
    stop();
}

TEST(cname_chains_have_a_limit_and_loops_are_errors)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("c3.sec.test", DNS_A);      /* eight links */
    CHECK_ID("DANE-012", a.status == DNS_FOUND && a.secure);
    CHECK_TEXT(a.canonical, "c11.sec.test");
    a = ask("c2.sec.test", DNS_A);
    CHECK_ID("DANE-012", a.status == DNS_FAILED && a.count == 0 && !a.secure);
    CHECK_TEXT(a.why, "too many CNAME records in a row");
    a = ask("loop1.sec.test", DNS_A);
    CHECK_ID("DANE-012", a.status == DNS_FAILED && !a.secure);
    stop();
}

TEST(a_large_record_set_comes_by_tcp)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask("_25._tcp.big.sec.test", DNS_TLSA);
    CHECK_ID("DANE-014", a.status == DNS_FOUND && a.secure);
    CHECK_EQUAL(a.count, 60);
    CHECK_EQUAL(a.records[59].len, 67);
    stop();
}

TEST(an_answer_that_does_not_fit_the_arena_is_none)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    arena_init(&arena, 2000);
    a = ask("_25._tcp.big.sec.test", DNS_TLSA);
    CHECK(a.status == DNS_FAILED && a.count == 0 && !a.secure);
    CHECK_TEXT(a.why, "the answer is too large");
    stop();
}

/* --- errors, deadlines, cancelling ---------------------------------------------------- */

TEST(a_silent_server_ends_at_the_deadline)
{
    struct asking a;

    NEEDS_TREE;
    start_on_tree(300);
    begin(&a, "mx.silent.test", DNS_A);
    loop_run();
    CHECK(a.answer.status == DNS_FAILED && a.answer.count == 0);
    CHECK_TEXT(a.answer.why, "no answer in time");
    CHECK(a.took >= 300 && a.took < 10000);
    stop();
}

static void cancel_soon(void *arg)
{
    fiber_sleep_until(clock_now() + 50);
    fiber_cancel(arg);
}

TEST(a_cancelled_asker_does_not_wait)
{
    struct asking a;

    NEEDS_TREE;
    start_on_tree(MINUTES(1));
    begin(&a, "mx.silent.test", DNS_A);
    on_fiber(cancel_soon, a.fiber);
    loop_run();
    CHECK(a.answer.status == DNS_FAILED);
    CHECK_TEXT(a.answer.why, "given up");
    CHECK(a.took < 10000);
    CHECK(ask("www.sec.test", DNS_A).status == DNS_FOUND);
    stop();
}

static void free_soon(void *arg)
{
    fiber_sleep_until(clock_now() + 50);
    resolver_free(resolver);
    resolver = NULL;
}

TEST(freeing_the_resolver_ends_what_is_asked)
{
    struct asking a, b;

    NEEDS_TREE;
    start_on_tree(MINUTES(1));
    begin(&a, "a.silent.test", DNS_A);
    begin(&b, "b.silent.test", DNS_A);
    on_fiber(free_soon, NULL);
    loop_run();
    CHECK(a.answer.status == DNS_FAILED && b.answer.status == DNS_FAILED);
    CHECK_TEXT(a.answer.why, "the resolver was shut down");
    stop();
}

TEST(names_that_cannot_be_asked_fail_without_a_question)
{
    static const char *const bad[] = { "", "..", "a..b", "a.", "a b", "a\\000b" };
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a = ask(bad[i], DNS_A);
        CHECK(a.status == DNS_FAILED && !a.secure);
        CHECK_TEXT(a.why, "this is not a domain name");
    }
    stop();
}

/* Four kinds in turn; those for www.sec.test are all the same question. */
TEST(two_hundred_ask_at_once)
{
    enum { MANY = 200 };
    static const char *const zones[] = { "sec.test", "insec.test", "optout.test" };
    static struct asking many[MANY];
    static char names[MANY][40];

    NEEDS_TREE;
    start_on_tree(0);
    for (size_t i = 0; i < MANY; i++) {
        if (i % 4 == 3)
            snprintf(names[i], sizeof names[i], "www.sec.test");
        else
            snprintf(names[i], sizeof names[i], "n%zu.%s", i, zones[i % 4]);
        begin(&many[i], names[i], DNS_A);
    }
    loop_run();
    for (size_t i = 0; i < MANY; i++) {
        CHECK_EQUAL(many[i].answer.status, i % 4 == 3 ? DNS_FOUND : DNS_NO_NAME);
        CHECK_EQUAL(many[i].answer.secure, i % 4 == 3 || i % 4 == 0);
    }
    stop();
}

TEST(many_are_given_up_at_once)
{
    enum { MANY = 100 };
    static struct asking many[MANY];
    static char names[MANY][40];

    NEEDS_TREE;
    start_on_tree(200);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "n%zu.%s", i, i % 2 ? "silent.test" : "sec.test");
        begin(&many[i], names[i], DNS_A);
    }
    loop_run();
    for (size_t i = 1; i < MANY; i += 2)
        CHECK(many[i].answer.status == DNS_FAILED && many[i].took < 10000);
    stop();
}

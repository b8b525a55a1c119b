/* What of a next hop needs no DNS, and what is made of one that does not answer. The rest is in
 * tests/system/test_postfix_policy.py, with the lab's DNS. */
#include "tests/test.h"

#include "discover/domain.h"
#include "run/fiber.h"

static struct {
    struct tls_rule rule;
    struct domain_question question;
    time_ms patience;
    struct arena arena;
    struct domain_findings found;
} t;

static void begin(const char *name, bool fixed)
{
    arena_done(&t.arena);
    memset(&t, 0, sizeof t);
    t.rule.level = TLS_LEVEL_MAY;
    t.question = (struct domain_question){ name, fixed, 25 };
    t.patience = SECONDS(10);
    t.found.ttl = 3600;
}

static void run(void *arg)
{
    static const struct decide_settings decide;
    static const struct dane_settings dane;
    const struct domain_discovery discovery = { { arg, &decide, &dane }, NULL };

    domain_discover(&discovery, &t.rule, &t.question, clock_now() + t.patience, &t.arena, &t.found);
    loop_stop();
}

/* Nobody answers at the discard port. */
static void discover(void)
{
    static const char *const nobody[] = { "127.0.0.1@9" };
    const struct resolver_settings settings = { .forwarders = nobody, .forwarder_count = 1, .timeout = 300 };
    struct error why = { 0 };
    struct resolver *r;

    loop_open();
    r = resolver_new(&settings, &why);
    CHECK_OK(r != NULL, &why);
    arena_init(&t.arena, 1024 * 1024);
    fiber_start("discover", run, r);
    loop_run();
    resolver_free(r);
    loop_close();
}

TEST(without_an_answer_about_mail_hosts_nothing_is_known)
{
    struct error why = { 0 };

    begin("example.org", false);
    discover();
    CHECK_ID("PD-G1", t.found.problem.code == E_DNS && t.found.count == 0);
    CHECK(domain_must_wait(&t.found, &why) && why.code == E_DNS);
    CHECK_EQUAL(domain_keep(&t.found, clock_wall()), 0);
}

TEST(a_fixed_host_is_its_own_only_host)
{
    struct error why = { 0 };

    begin("mx.example.org", true);
    discover();
    CHECK_EQUAL(t.found.problem.code, E_NONE);
    CHECK_ID("DT-18", t.found.count == 1 && t.found.hop.fixed && t.found.hop.mx_secure);
    CHECK_TEXT(t.found.hosts[0].host, "mx.example.org");
    CHECK_ID("DT-02", t.found.hosts[0].dane == DANE_FAIL);
    CHECK(t.found.hop.sts == NULL && !t.found.cut);
    CHECK(!domain_must_wait(&t.found, &why));
    CHECK_EQUAL(domain_keep(&t.found, clock_wall()), DOMAIN_KEEP_LEAST);
}

TEST(hosts_that_there_was_no_time_for_count_as_failed)
{
    begin("mx.example.org", true);
    t.patience = 0;
    discover();
    CHECK(t.found.cut && t.found.count == 1);
    CHECK_EQUAL(t.found.hosts[0].dane, DANE_FAIL);
    CHECK(strstr(t.found.hosts[0].no_address.text, "in time") != NULL);
}

TEST(an_address_needs_no_dns)
{
    begin("192.0.2.7", false);
    discover();
    CHECK_ID("DT-19", t.found.count == 1 && !t.found.hosts[0].is_name && t.found.hosts[0].dane == DANE_NONE);
    CHECK_EQUAL(t.found.hosts[0].addresses.at[0].port, 25);
    CHECK_EQUAL(domain_keep(&t.found, clock_wall()), DOMAIN_KEEP_MOST);
}

TEST(findings_are_kept_as_long_as_the_shortest_answer_within_bounds)
{
    begin("example.org", false);
    t.found.ttl = 600;
    CHECK_ID("DANE-013", domain_keep(&t.found, 0) == SECONDS(600));
    t.found.ttl = 0;
    CHECK_EQUAL(domain_keep(&t.found, 0), MINUTES(1));
    t.found.ttl = 86400;
    CHECK_EQUAL(domain_keep(&t.found, 0), HOURS(1));
    t.found.ttl = UINT32_MAX;
    CHECK_EQUAL(domain_keep(&t.found, 0), HOURS(1));
}

TEST(findings_are_not_kept_longer_than_the_policy)
{
    static const struct sts_policy policy = { .mode = STS_MODE_ENFORCE };

    begin("example.org", false);
    t.found.sts = (struct sts_view){ .policy = &policy, .expires = 1000000 };
    CHECK_EQUAL(domain_keep(&t.found, 1000000 - SECONDS(90)), SECONDS(90));
    CHECK_EQUAL(domain_keep(&t.found, 1000000 - 1), 1);
    CHECK_EQUAL(domain_keep(&t.found, 1000000), 0);
    CHECK_EQUAL(domain_keep(&t.found, 1000000 + 5), 0);
    t.found.sts.expires = 0;            /* written down by the operator */
    CHECK_EQUAL(domain_keep(&t.found, 1000000), HOURS(1));
}

/* It may be there a moment later, and counts from then on. */
TEST(findings_without_a_policy_that_could_not_be_had_are_kept_for_a_minute)
{
    static const struct sts_policy policy = { .mode = STS_MODE_ENFORCE };
    struct error why = { 0 };

    begin("example.org", false);
    t.found.sts.unknown = true;
    fail(&t.found.sts.problem, E_STS_FETCH, "the policy of example.org did not come in time");
    CHECK(!domain_must_wait(&t.found, &why));
    CHECK_ID("MTASTS-032", domain_keep(&t.found, 0) == DOMAIN_KEEP_LEAST);
    t.found.sts = (struct sts_view){ .policy = &policy, .expires = DAYS(1), .problem = t.found.sts.problem };
    CHECK_EQUAL(domain_keep(&t.found, 0), HOURS(1));        /* a refresh that failed leaves the kept one in force */
}

TEST(a_domain_without_mail_hosts_is_known_to_have_none)
{
    struct error why = { 0 };

    begin("example.org", false);
    fail(&t.found.problem, E_NULL_MX, "it takes no mail");
    CHECK(!domain_must_wait(&t.found, &why));
    CHECK_EQUAL(domain_keep(&t.found, 0), MINUTES(5));
}

TEST(when_nobody_says_whether_there_is_a_policy_everything_waits)
{
    struct error why = { 0 };

    begin("example.org", false);
    t.found.hop.domain = "example.org";
    t.found.sts.defer = true;
    fail(&t.found.sts.problem, E_DNS, "no answer in time");
    CHECK_ID("MTASTS-011", domain_must_wait(&t.found, &why));
    CHECK_TEXT(why.text, "whether example.org has an MTA-STS policy is not known: no answer in time");
    CHECK_EQUAL(domain_keep(&t.found, 0), 0);
}

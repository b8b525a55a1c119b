/* What is found of a host when the DNS does not answer, and of what needs no DNS. The rest is in tests/dns/tlsa_find_test.c
 * and, with all of it together, in tests/system/test_policy.py. */
#include "tests/test.h"

#include "discover/host.h"
#include "run/fiber.h"

static struct {
    struct tls_rule rule;
    struct next_hop hop;
    const char *host;
    struct decide_settings decide;
    struct arena arena;
    struct host_findings found;
} try;

static void begin(void)
{
    arena_done(&try.arena);
    memset(&try, 0, sizeof try);
}

static void run(void *arg)
{
    static const struct dane_settings dane;
    const struct host_discovery discovery = { arg, &try.decide, &dane };

    host_discover(&discovery, &try.rule, &try.hop, try.host, 25, &try.arena, &try.found);
    loop_stop();
}

/* Nobody answers at the discard port. */
static void discover(void)
{
    static const char *const nobody[] = { "127.0.0.1@9" };
    const struct resolver_settings settings = { .forwarders = nobody, .forwarder_count = 1, .timeout = 300,
                                                .trust_anchor_file = NULL, .validate = false };
    struct error why = { 0 };
    struct resolver *r;

    loop_open();
    r = resolver_new(&settings, &why);
    CHECK_OK(r != NULL, &why);
    arena_done(&try.arena);
    arena_init(&try.arena, 1024 * 1024);
    fiber_start("discover", run, r);
    loop_run();
    resolver_free(r);
    loop_close();
}

static const struct sts_policy *policy(enum sts_mode mode)
{
    static const char *mx[] = { "*.example.net" };
    static struct sts_policy p;

    p = (struct sts_policy){ .mode = mode, .mx = mx, .mx_count = 1 };
    return &p;
}

static enum sts_finding sts_of(enum sts_mode mode, const char *host)
{
    struct sts_view view = { .policy = policy(mode) };

    begin();
    try.hop = (struct next_hop){ .domain = "example.net", .canonical = "example.net", .sts = &view };
    try.host = host;
    discover();
    return try.found.sts;
}

TEST(an_address_has_no_policy_and_no_name)
{
    begin();
    try.hop = (struct next_hop){ .domain = "192.0.2.7", .canonical = "192.0.2.7" };
    try.host = "192.0.2.7";
    discover();
    CHECK_ID("DANE-028", try.found.dane == DANE_NONE && !try.found.tlsa_asked && !try.found.is_name);
    CHECK_ID("DT-19", try.found.addresses.count == 1 && try.found.addresses.at[0].port == 25 && !try.found.authentic);
    try.hop.fixed = true;
    discover();
    CHECK_ID("REQTLS-020", try.found.authentic);
    arena_done(&try.arena);
}

TEST(a_host_whose_address_cannot_be_looked_up_may_have_tlsa_records)
{
    struct decide_input in;

    begin();
    try.hop = (struct next_hop){ .domain = "example.net", .canonical = "example.net", .mx_secure = true };
    try.host = "mx.example.net";
    discover();
    CHECK_ID("DT-02", try.found.dane == DANE_FAIL && try.found.no_address.code == E_DNS);
    in = host_decide_input(&try.found, NEED_STANDARD, true);
    CHECK(in.dane == DANE_FAIL && in.memory_holds && in.authentic && in.dane_key == 0);
    try.rule.no_dane = true;
    discover();
    CHECK(try.found.dane == DANE_NONE);
    try.rule.no_dane = false;
    try.decide.insecure_mx = INSECURE_MX_MAY;
    try.hop.mx_secure = false;
    discover();
    CHECK_ID("DT-02", try.found.dane != DANE_AUTH && try.found.addresses.count == 0);
    arena_done(&try.arena);
}

TEST(the_host_is_looked_for_in_the_policy_as_the_dns_named_it)
{
    CHECK_ID("ST-10", sts_of(STS_MODE_ENFORCE, "mx.example.net") == STS_ENFORCE_MATCH);
    CHECK_TEXT(try.found.pattern, "*.example.net");
    CHECK_ID("REQTLS-020", try.found.authentic);
    CHECK_ID("ST-10", sts_of(STS_MODE_ENFORCE, "a.mx.example.net") == STS_ENFORCE_MISMATCH);
    CHECK(!try.found.authentic);
    CHECK_ID("ST-11", sts_of(STS_MODE_TESTING, "mx.example.net") == STS_TEST_MATCH);
    CHECK_ID("ST-11", sts_of(STS_MODE_TESTING, "elsewhere.example") == STS_TEST_MISMATCH);
    CHECK_ID("ST-09", sts_of(STS_MODE_NONE, "mx.example.net") == STS_NONE);
    arena_done(&try.arena);
}

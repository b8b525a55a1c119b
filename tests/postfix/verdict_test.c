/* README.md of src/postfix has the lines V1 to V11 that are cited here. */
#include "tests/test.h"

#include "postfix/verdict.h"

enum { HOSTS = 3 };

static struct {
    struct tls_rule rule;
    bool named;
    struct decide_settings settings;
    struct domain_findings found;
    struct host_findings hosts[HOSTS];
    struct sts_policy policy;
    const char *mx[4];
    struct arena arena;
    struct verdict said;
} t;

static void begin(void)
{
    arena_done(&t.arena);
    memset(&t, 0, sizeof t);
    arena_init(&t.arena, 1 << 20);
    t.rule.level = TLS_LEVEL_MAY;
    t.found.hop = (struct next_hop){ .domain = "example.org", .canonical = "example.org", .mx_secure = true };
    t.found.hosts = t.hosts;
    t.found.ttl = 3600;
}

static void break_lookup(struct host_findings *h)
{
    h->dane = DANE_FAIL;
    h->tlsa.status = TLSA_ERROR;
    fail(&h->tlsa.why, E_TLSA_LOOKUP, "TLSA record of _25._tcp.%s cannot be looked up", h->host);
}

static struct host_findings *host(const char *name, enum dane_finding dane)
{
    static struct address somewhere = { .family = AF_INET, .ip = { 192, 0, 2, 1 }, .port = 25 };
    struct host_findings *h = &t.hosts[t.found.count++];

    *h = (struct host_findings){ .host = name, .base = name, .is_name = true, .dane = dane,
                                 .addresses = { .at = &somewhere, .count = 1 } };
    if (dane == DANE_FAIL)
        break_lookup(h);
    return h;
}

static void policy(enum sts_mode mode, const char *text, const char *first, const char *second)
{
    t.mx[0] = first;
    t.mx[1] = second;
    t.policy = (struct sts_policy){ .mode = mode, .max_age = 86400, .mx = t.mx, .mx_count = second ? 2 : 1 };
    t.found.sts = (struct sts_view){ .policy = &t.policy, .row = "ST-03", .text = slice_of(text) };
    t.found.hop.sts = &t.found.sts;
}

static void enforce(void)
{
    policy(STS_MODE_ENFORCE, "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.org\r\nmx: *.mail.example.org\r\n"
           "max_age: 86400\r\n", "mx1.example.org", "*.mail.example.org");
}

static const char *verdict(void)
{
    static const char *const words[] = { "", "NOTFOUND", "TEMP ", "PERM " };
    static char text[4000];
    const struct verdict_terms terms = { &t.rule, t.named, &t.settings };

    for (size_t i = 0; i < t.found.count; i++)
        t.hosts[i].sts = host_sts(t.found.hop.sts, t.hosts[i].host, &t.hosts[i].pattern);
    verdict_of(&t.found, &terms, &t.arena, &t.said);
    snprintf(text, sizeof text, "%s%.*s", words[t.said.status], SLICE_ARGS(t.said.text));
    return text;
}

#define SECURE_PATTERNS "secure match=mx1.example.org:.mail.example.org servername=hostname"

/* --- DANE --------------------------------------------------------------------------- */

TEST(dane_everywhere_is_dane_only)
{
    begin();
    host("mx1.example.org", DANE_AUTH);
    host("mx2.example.org", DANE_AUTH);
    CHECK_TEXT(verdict(), "dane-only");
    enforce();
    CHECK_ID("V4", strcmp(verdict(), "dane-only") == 0);
}

TEST(dane_for_some_is_dane)
{
    static const enum dane_finding others[] = { DANE_NONE, DANE_TLS, DANE_FAIL };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        begin();
        host("mx1.example.org", DANE_AUTH);
        host("mx2.example.org", others[i]);
        CHECK_ID("V9", strcmp(verdict(), "dane") == 0);
    }
    begin();
    t.found.hop.mx_secure = false;
    host("mx1.example.org", DANE_AUTH_INSECURE);
    CHECK_ID("V9", strcmp(verdict(), "dane") == 0);
    begin();
    host("mx1.example.org", DANE_TLS);
    CHECK_ID("V9", strcmp(verdict(), "dane") == 0);
}

/* What is demanded by MTA-STS of those without TLSA records, "dane" would let go in clear. */
TEST(dane_for_some_under_a_policy_goes_to_those_only)
{
    begin();
    host("mx1.example.org", DANE_NONE);
    host("a.mail.example.org", DANE_AUTH);
    enforce();
    CHECK_ID("V5", strcmp(verdict(), "dane-only") == 0);
    t.hosts[0].dane = DANE_FAIL;
    CHECK_ID("V5", strcmp(verdict(), "dane-only") == 0);
}

TEST(a_host_without_address_counts_for_nothing)
{
    begin();
    host("mx1.example.org", DANE_AUTH);
    host("mx2.example.org", DANE_NONE)->addresses.count = 0;
    CHECK_TEXT(verdict(), "dane-only");
}

TEST(lookups_that_fail_everywhere_hold_the_mail)
{
    begin();
    host("mx1.example.org", DANE_FAIL);
    CHECK_ID("V3", strcmp(verdict(), "TEMP mx1.example.org: TLSA record of _25._tcp.mx1.example.org cannot be looked up") == 0);
    enforce();
    CHECK_ID("SOCKMAP-005", strncmp(verdict(), "TEMP ", 5) == 0);      /* DANE that fails is not made good by MTA-STS */
}

/* --- MTA-STS ------------------------------------------------------------------------- */

TEST(a_policy_in_force_is_secure_with_its_names)
{
    begin();
    host("mx1.example.org", DANE_NONE);
    enforce();
    CHECK_ID("V6", strcmp(verdict(), SECURE_PATTERNS) == 0);
    t.hosts[0].dane = DANE_TLS;         /* TLS with anybody is less than that */
    CHECK_TEXT(verdict(), SECURE_PATTERNS);
    t.found.hop.mx_secure = false;      /* nobody says that the host is the right one but the policy */
    t.hosts[0].dane = DANE_AUTH_INSECURE;
    CHECK_TEXT(verdict(), SECURE_PATTERNS);
}

TEST(reports_get_the_policy_as_published)
{
    begin();
    host("mx1.example.org", DANE_NONE);
    enforce();
    verdict();
    CHECK_SLICE(t.said.reported, SECURE_PATTERNS " policy_type=sts policy_domain=example.org"
                " mx_host_pattern=mx1.example.org mx_host_pattern=*.mail.example.org"
                " { policy_string = version: STSv1 } { policy_string = mode: enforce } { policy_string = mx: mx1.example.org }"
                " { policy_string = mx: *.mail.example.org } { policy_string = max_age: 86400 }");
}

TEST(lines_that_would_break_the_syntax_are_not_quoted)
{
    begin();
    host("mx1.example.org", DANE_NONE);
    policy(STS_MODE_ENFORCE, "version: STSv1\nx: } level=none {\nmode: enforce\n\ny: \x01\nz: \xc3\xbc\n", "mx1.example.org", NULL);
    verdict();
    CHECK_SLICE(t.said.reported, "secure match=mx1.example.org servername=hostname policy_type=sts policy_domain=example.org"
                " mx_host_pattern=mx1.example.org { policy_string = version: STSv1 } { policy_string = mode: enforce }");
}

TEST(addresses_in_a_policy_are_left_out)
{
    begin();
    host("mx1.example.org", DANE_NONE);
    policy(STS_MODE_ENFORCE, "", "192.0.2.1", "mx1.example.org");
    CHECK_TEXT(verdict(), "secure match=mx1.example.org servername=hostname");
    policy(STS_MODE_ENFORCE, "", "192.0.2.1", "[ipv6:2001:db8::1]");
    CHECK_TEXT(verdict(), "TEMP mx1.example.org: the host is in no mx line of the domain's MTA-STS policy (mode enforce)");
}

TEST(testing_and_none_ask_for_nothing)
{
    begin();
    host("mx1.example.org", DANE_NONE);
    policy(STS_MODE_TESTING, "", "mx1.example.org", NULL);
    CHECK_ID("V11", strcmp(verdict(), "NOTFOUND") == 0);
    policy(STS_MODE_NONE, "", "mx1.example.org", NULL);
    CHECK_ID("V11", strcmp(verdict(), "NOTFOUND") == 0);
}

TEST(a_policy_that_names_no_host_holds_the_mail)
{
    begin();
    host("other.example.net", DANE_NONE);
    enforce();
    CHECK_ID("V3", strncmp(verdict(), "TEMP other.example.net: ", 24) == 0);
    host("mx1.example.org", DANE_NONE);
    CHECK_ID("V6", strcmp(verdict(), SECURE_PATTERNS) == 0);    /* it can show no name of the policy */
}

/* Postfix takes .mail.example.org for every name below it. */
TEST(a_host_too_deep_below_a_wildcard_is_not_let_in_by_it)
{
    begin();
    host("mx1.example.org", DANE_NONE);
    host("a.b.mail.example.org", DANE_NONE);
    enforce();
    CHECK_ID("MTASTS-060", strcmp(verdict(), "secure match=mx1.example.org servername=hostname") == 0);
}

TEST(a_host_without_address_is_not_named)
{
    begin();
    host("mx1.example.org", DANE_NONE)->addresses.count = 0;
    host("a.mail.example.org", DANE_NONE);
    host("a.b.mail.example.org", DANE_NONE);
    enforce();
    CHECK_TEXT(verdict(), "secure match=a.mail.example.org servername=hostname");
}

TEST(a_host_whose_lookup_failed_is_not_let_in_by_a_policy)
{
    begin();
    host("mx1.example.org", DANE_FAIL);
    host("a.mail.example.org", DANE_NONE);
    enforce();
    CHECK_ID("V6", strcmp(verdict(), "secure match=a.mail.example.org servername=hostname") == 0);
}

TEST(a_first_fetch_that_fails_is_no_policy)
{
    begin();
    host("mx1.example.org", DANE_NONE);
    t.found.sts = (struct sts_view){ .row = "ST-06", .unknown = true };
    fail(&t.found.sts.problem, E_STS_FETCH, "404");
    CHECK_ID("SOCKMAP-005", strcmp(verdict(), "NOTFOUND") == 0);
}

/* --- errors ------------------------------------------------------------------------------ */

TEST(an_mx_lookup_that_fails_holds_the_mail)
{
    begin();
    fail(&t.found.problem, E_DNS, "MX record of example.org cannot be looked up: no answer in time");
    CHECK_ID("V2", strcmp(verdict(), "TEMP MX record of example.org cannot be looked up: no answer in time") == 0);
    begin();
    fail(&t.found.problem, E_DNS_BOGUS, "bogus");
    CHECK_ID("PD-G1", strcmp(verdict(), "TEMP bogus") == 0);
}

TEST(of_a_domain_that_takes_no_mail_postfix_finds_out_itself)
{
    static const enum error_code codes[] = { E_NO_SUCH_DOMAIN, E_NULL_MX, E_NO_USABLE_HOST };

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        begin();
        fail(&t.found.problem, codes[i], "no");
        CHECK_TEXT(verdict(), "NOTFOUND");
    }
}

TEST(when_nobody_knows_the_policy_the_mail_waits)
{
    begin();
    host("mx1.example.org", DANE_AUTH);
    t.found.sts.defer = true;
    CHECK_ID("MTASTS-011", strcmp(verdict(), "TEMP whether example.org has an MTA-STS policy is not known: "
                                             "the kept policies cannot be read") == 0);
}

/* --- the operator's rules ----------------------------------------------------------------- */

TEST(a_rule_speaks_even_when_it_asks_for_nothing)
{
    begin();
    host("mx1.example.org", DANE_NONE);
    t.named = true;
    CHECK_ID("V10", strcmp(verdict(), "may") == 0);
    t.rule.minimum = TLS_1_3;
    CHECK_TEXT(verdict(), "may protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1:!TLSv1.2");
}

TEST(encrypt_is_a_floor_under_dane_and_mta_sts)
{
    begin();
    t.rule.level = TLS_LEVEL_ENCRYPT;
    CHECK_ID("V8", strcmp(verdict(), "encrypt") == 0);      /* no host at all */
    host("mx1.example.org", DANE_NONE);
    CHECK_ID("V8", strcmp(verdict(), "encrypt") == 0);
    t.rule.minimum = TLS_1_2;
    CHECK_TEXT(verdict(), "encrypt protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1");
    t.rule.minimum = TLS_VERSION_NONE;
    host("mx2.example.org", DANE_AUTH);
    CHECK_ID("V5", strcmp(verdict(), "dane-only") == 0);    /* "dane" would let mx1 go in clear */
    break_lookup(&t.hosts[1]);
    CHECK_ID("V7", strncmp(verdict(), "TEMP mx2.example.org: ", 22) == 0);
    t.found.hop.mx_secure = false;
    CHECK_ID("V8", strcmp(verdict(), "encrypt") == 0);
    enforce();
    CHECK_ID("V6", strcmp(verdict(), "secure match=mx1.example.org servername=hostname") == 0);
}

TEST(dane_only_is_said_whatever_is_found)
{
    begin();
    t.rule.level = TLS_LEVEL_DANE_ONLY;
    host("mx1.example.org", DANE_NONE);
    CHECK_ID("V1", strcmp(verdict(), "dane-only") == 0);
    fail(&t.found.problem, E_DNS, "no");
    CHECK_ID("V1", strcmp(verdict(), "dane-only") == 0);
}

TEST(off_is_none_unless_the_domain_asks_for_tls)
{
    begin();
    t.rule.level = TLS_LEVEL_OFF;
    host("mx1.example.org", DANE_NONE);
    CHECK_TEXT(verdict(), "none");
    host("mx2.example.org", DANE_TLS);
    CHECK_ID("PD-G9", strncmp(verdict(), "TEMP mx2.example.org: ", 22) == 0);
    t.rule.allow_cleartext_override = true;
    CHECK_TEXT(verdict(), "none");
    break_lookup(&t.hosts[1]);
    CHECK_ID("PD-G4", strncmp(verdict(), "TEMP mx2.example.org: ", 22) == 0);
}

TEST(verify_by_names_by_fingerprints_and_by_the_host_name)
{
    static const char *const names[] = { "relay.example.net", ".example.net", "*.example.com" };
    static const char *const prints[] = {
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" };

    begin();
    t.rule.level = TLS_LEVEL_VERIFY;
    host("mx1.example.org", DANE_NONE);
    CHECK_TEXT(verdict(), "verify match=hostname servername=hostname");
    enforce();
    CHECK_TEXT(verdict(), SECURE_PATTERNS);
    t.rule.fingerprints = prints;
    t.rule.fingerprint_count = 2;
    CHECK_TEXT(verdict(), "fingerprint match="
               "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF|"
               "FF:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
               " servername=hostname");
    t.rule.names = names;
    t.rule.name_count = 3;
    CHECK_TEXT(verdict(), "secure match=relay.example.net:.example.net:.example.com servername=hostname");
    t.hosts[0].dane = DANE_FAIL;
    CHECK_ID("V3", strncmp(verdict(), "TEMP ", 5) == 0);
}

TEST(a_fixed_host_has_dane_and_no_policy)
{
    begin();
    t.found.hop = (struct next_hop){ .domain = "mx1.example.org", .canonical = "mx1.example.org", .fixed = true, .mx_secure = true };
    host("mx1.example.org", DANE_AUTH);
    CHECK_ID("DT-18", strcmp(verdict(), "dane-only") == 0);
    t.hosts[0].dane = DANE_NONE;
    CHECK_TEXT(verdict(), "NOTFOUND");
}

/* --- nothing goes for less than its own decision asks ------------------------------------------ */

/* What Postfix does with one host under an answer. */
enum deed { DEED_SKIP, DEED_CLEAR, DEED_MAY, DEED_TLS, DEED_DANE, DEED_NAMES };

static enum deed deed_of(const char *answer, const struct host_findings *h)
{
    if (strncmp(answer, "TEMP", 4) == 0)
        return DEED_SKIP;
    if (strcmp(answer, "none") == 0)
        return DEED_CLEAR;
    if (strcmp(answer, "may") == 0 || strcmp(answer, "NOTFOUND") == 0)
        return DEED_MAY;
    if (strcmp(answer, "encrypt") == 0)
        return DEED_TLS;
    if (strncmp(answer, "dane", 4) == 0) {
        bool only = strcmp(answer, "dane-only") == 0;

        switch (h->dane) {
        case DANE_AUTH: return DEED_DANE;
        case DANE_AUTH_INSECURE: return only ? DEED_SKIP : DEED_DANE;
        case DANE_TLS: return only ? DEED_SKIP : DEED_TLS;
        case DANE_FAIL: return DEED_SKIP;
        case DANE_NONE: return only ? DEED_SKIP : DEED_MAY;
        }
    }
    CHECK(strncmp(answer, "secure match=", 13) == 0 || strncmp(answer, "verify match=", 13) == 0);
    return DEED_NAMES;
}

static bool names_host(const char *answer, const char *name)
{
    const char *at = strstr(answer, name);

    return at && (at[-1] == ':' || at[-1] == '=') && (at[strlen(name)] == ':' || at[strlen(name)] == ' ');
}

static void check_host(const char *answer, const struct host_findings *h)
{
    const struct decide_input in = host_decide_input(h, NEED_STANDARD, false);
    struct decide_settings settings = t.settings;
    struct decision d;
    bool go;

    settings.dane_satisfies_sts = true;
    d = decide(&t.rule, &settings, &in, NULL);
    go = d.outcome == DECIDED_GO;
    switch (deed_of(answer, h)) {
    case DEED_SKIP:
        break;
    case DEED_CLEAR:
    case DEED_MAY:
        CHECK(go && !d.tls_needed);
        break;
    case DEED_TLS:      /* over an insecure MX answer DANE is a choice (RFC 7672 2.2.1), the operator's floor is not */
        CHECK((go && d.checks == 0) || h->dane == DANE_AUTH_INSECURE || (h->dane == DANE_FAIL && !t.found.hop.mx_secure));
        break;
    case DEED_DANE:     /* stands for the policy, also where that names other hosts (RFC 8461 2) */
        CHECK((go && !(d.checks & (CHECK_STS | CHECK_OPERATOR))) || h->sts == STS_ENFORCE_MISMATCH);
        break;
    case DEED_NAMES:    /* a host that is not to be used can show none of the names */
        if (t.rule.level == TLS_LEVEL_VERIFY && !t.found.sts.policy)
            break;
        if (h->dane == DANE_FAIL || h->sts == STS_ENFORCE_MISMATCH)
            CHECK(!names_host(answer, h->host));
        else
            CHECK(go && (!(d.checks & CHECK_DANE) || h->dane == DANE_AUTH_INSECURE || t.rule.level == TLS_LEVEL_VERIFY));
        break;
    }
}

static void check_all(void)
{
    const char *answer = verdict();
    bool any = false, every = true;

    for (size_t i = 0; i < t.found.count; i++) {
        const struct decide_input in = host_decide_input(&t.hosts[i], NEED_STANDARD, false);
        bool go = decide(&t.rule, &t.settings, &in, NULL).outcome == DECIDED_GO;

        check_host(answer, &t.hosts[i]);
        any |= go;
        every &= go;
    }
    /* What a delivery of our own would hold is held, but for dane-only, which Postfix judges itself. */
    if (!any)
        CHECK(strncmp(answer, "TEMP", 4) == 0 || strcmp(answer, "dane-only") == 0);
    if (every)
        CHECK(strncmp(answer, "TEMP", 4) != 0);
}

TEST(no_combination_of_three_hosts_leaks)
{
    static const char *const names[HOSTS][2] = { { "mx1.example.org", "other.example.net" },
        { "a.mail.example.org", "a.b.mail.example.org" }, { "c.mail.example.org", "mail.example.org" } };
    static const enum dane_finding secure[] = { DANE_NONE, DANE_FAIL, DANE_TLS, DANE_AUTH };
    static const enum dane_finding insecure[] = { DANE_NONE, DANE_FAIL, DANE_TLS, DANE_AUTH_INSECURE };
    size_t count = 0;

    for (int level = TLS_LEVEL_OFF; level <= TLS_LEVEL_DANE_ONLY; level++)
        for (int bits = 0; bits < 8; bits++)
            for (int combination = 0; combination < 8 * 8 * 8; combination++) {
                begin();
                t.rule.level = (enum tls_level)level;
                t.found.hop.mx_secure = bits & 1;
                t.rule.allow_cleartext_override = bits & 4;
                for (int i = 0, rest = combination; i < HOSTS; i++, rest /= 8)
                    host(names[i][rest % 2], (t.found.hop.mx_secure ? secure : insecure)[rest / 2 % 4]);
                if (bits & 2)
                    enforce();
                check_all();
                count++;
            }
    CHECK_EQUAL(count, 5 * 8 * 512);
}

/* Two messages, one session: PD-33. Facts count, not labels. */
#include "tests/policy/corner.h"
#include "tests/test.h"

static const struct tls_facts good = {
    .version = TLS_1_3, .trust = TLS_TRUST_PKIX, .name_matches = true, .listed_name = true, .dane = TLS_DANE_MATCH,
};
static const struct tls_facts bad = { .version = TLS_1_3, .trust = TLS_TRUST_UNTRUSTED, .dane = TLS_DANE_NO_MATCH };

static const struct tls_rule may = { .level = TLS_LEVEL_MAY, .cleartext_after = MINUTES(5) };
static const struct tls_rule off = { .level = TLS_LEVEL_OFF };
static const struct decide_settings usual;

static struct decision decided(const struct tls_rule *rule, enum mail_need need, enum dane_finding dane,
                               enum sts_finding sts)
{
    const struct decide_input in = { .need = need, .dane = dane, .sts = sts, .authentic = true, .dane_key = 77 };

    return decide(rule, &usual, &in, NULL);
}

static bool reuse(struct decision d, struct decision held, const struct tls_facts *facts, bool requiretls)
{
    const struct open_session s = { .held = &held, .facts = facts, .requiretls_offered = requiretls };

    return decide_reuse(&d, &s, 0);
}

/* --- a rising floor --------------------------------------------------------------- */

TEST(a_session_of_tls_optional_mail_with_a_bad_certificate_carries_no_strict_mail)
{
    struct decision held = decided(&may, NEED_TLS_OPTIONAL, DANE_AUTH, STS_ENFORCE_MATCH);
    const struct tls_rule verify = { .level = TLS_LEVEL_VERIFY };

    CHECK_ID("PD-33", reuse(held, held, &bad, false));
    CHECK_ID("PD-33", !reuse(decided(&may, NEED_STANDARD, DANE_AUTH, STS_NONE), held, &bad, true));
    CHECK_ID("PD-33", !reuse(decided(&may, NEED_STANDARD, DANE_NONE, STS_ENFORCE_MATCH), held, &bad, true));
    CHECK_ID("PD-33", !reuse(decided(&may, NEED_REQUIRETLS, DANE_NONE, STS_NONE), held, &bad, true));
    CHECK_ID("PD-33", !reuse(decided(&verify, NEED_STANDARD, DANE_NONE, STS_NONE), held, &bad, true));
    CHECK_ID("PD-33", reuse(decided(&may, NEED_STANDARD, DANE_TLS, STS_NONE), held, &bad, false));
}

TEST(a_session_of_tls_optional_mail_that_is_good_enough_carries_strict_mail)
{
    struct decision held = decided(&may, NEED_TLS_OPTIONAL, DANE_AUTH, STS_ENFORCE_MATCH);

    CHECK_ID("PD-33", reuse(decided(&may, NEED_STANDARD, DANE_AUTH, STS_ENFORCE_MATCH), held, &good, false));
    CHECK_ID("PD-33", reuse(decided(&may, NEED_REQUIRETLS, DANE_AUTH, STS_ENFORCE_MATCH), held, &good, true));
    CHECK_ID("PD-33", !reuse(decided(&may, NEED_REQUIRETLS, DANE_AUTH, STS_ENFORCE_MATCH), held, &good, false));
}

TEST(under_tls_a_session_carries_exactly_what_its_facts_are_enough_for)
{
    const struct decision opened[] = { decided(&may, NEED_TLS_OPTIONAL, DANE_AUTH, STS_NONE),
                                       decided(&may, NEED_STANDARD, DANE_AUTH, STS_ENFORCE_MATCH) };
    unsigned carried = 0, refused = 0;

    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);
        struct decision d, held;

        c.input.dane_key = 77;
        d = corner_decide(&c, NULL);
        for (unsigned facts = 0; facts < 64; facts++) {
            const struct tls_facts f = {
                .version = TLS_1_3, .trust = facts & 1 ? TLS_TRUST_PKIX : TLS_TRUST_UNTRUSTED, .name_matches = facts & 2,
                .common_name_matches = facts & 4, .dane = facts & 8 ? TLS_DANE_MATCH : TLS_DANE_NO_MATCH,
            };
            bool keyword = facts & 16, wanted;

            held = opened[facts >> 5];
            wanted = d.outcome == DECIDED_GO && decide_facts(&d, &f, NULL) && decide_keyword(&d, keyword, NULL);
            CHECK_ID("PD-33", reuse(d, held, &f, keyword) == wanted);
            *(wanted ? &carried : &refused) += 1;
        }
    }
    CHECK(carried > 1000 && refused > 1000);
}

/* --- what the facts do not show ------------------------------------------------------- */

TEST(a_dane_match_counts_only_for_the_base_names_and_records_it_was_made_with)
{
    struct decision held = decided(&may, NEED_STANDARD, DANE_AUTH, STS_NONE), d = held;

    CHECK(reuse(d, held, &good, false));
    d.input.dane_key = 78;
    CHECK_ID("DANE-077", !reuse(d, held, &good, false));
    d = decided(&may, NEED_STANDARD, DANE_NONE, STS_ENFORCE_MATCH);
    d.input.dane_key = 78;
    CHECK(reuse(d, held, &good, false));    /* it asks nothing of DANE */
}

TEST(a_listed_name_counts_only_for_the_rule_that_listed_it)
{
    static const char *const names[] = { "a.example" }, *const others[] = { "b.example" }, *const prints[] = { "f1" };
    const struct tls_rule one = { .level = TLS_LEVEL_VERIFY, .names = names, .name_count = 1 };
    const struct tls_rule other = { .level = TLS_LEVEL_VERIFY, .names = others, .name_count = 1 };
    const struct tls_rule pinned = { .level = TLS_LEVEL_VERIFY, .names = others, .name_count = 1, .fingerprints = prints,
                                     .fingerprint_count = 1 };
    const struct tls_rule plain = { .level = TLS_LEVEL_VERIFY };
    struct decision held = decided(&one, NEED_STANDARD, DANE_NONE, STS_NONE);
    struct tls_facts facts = good;

    CHECK(reuse(held, held, &good, false));
    CHECK_ID("PD-33", !reuse(decided(&other, NEED_STANDARD, DANE_NONE, STS_NONE), held, &good, false));
    CHECK_ID("PD-33", !reuse(decided(&pinned, NEED_STANDARD, DANE_NONE, STS_NONE), held, &good, false));
    CHECK(reuse(decided(&plain, NEED_STANDARD, DANE_NONE, STS_NONE), held, &good, false));
    snprintf(facts.fingerprint, sizeof facts.fingerprint, "f1");
    CHECK(reuse(decided(&pinned, NEED_STANDARD, DANE_NONE, STS_NONE), held, &facts, false));
}

TEST(a_rule_with_a_higher_version_or_its_own_ciphers_takes_only_what_was_opened_so)
{
    const struct tls_rule newest = { .level = TLS_LEVEL_ENCRYPT, .minimum = TLS_1_3 };
    const struct tls_rule picky = { .level = TLS_LEVEL_ENCRYPT, .ciphers = "ECDHE+AESGCM" };
    struct decision held = decided(&may, NEED_STANDARD, DANE_NONE, STS_NONE);
    struct tls_facts older = good;

    older.version = TLS_1_2;
    CHECK(reuse(decided(&newest, NEED_STANDARD, DANE_NONE, STS_NONE), held, &good, false));
    CHECK(!reuse(decided(&newest, NEED_STANDARD, DANE_NONE, STS_NONE), held, &older, false));
    CHECK(!reuse(decided(&picky, NEED_STANDARD, DANE_NONE, STS_NONE), held, &good, false));
    held = decided(&picky, NEED_STANDARD, DANE_NONE, STS_NONE);
    CHECK(reuse(decided(&picky, NEED_STANDARD, DANE_NONE, STS_NONE), held, &good, false));
}

TEST(a_host_that_is_skipped_is_not_reached_over_an_old_session)
{
    struct decision held = decided(&may, NEED_STANDARD, DANE_NONE, STS_NONE);

    CHECK(!reuse(decided(&may, NEED_STANDARD, DANE_FAIL, STS_NONE), held, &good, true));
    CHECK(!reuse(decided(&may, NEED_STANDARD, DANE_NONE, STS_ENFORCE_MISMATCH), held, &good, true));
    CHECK(!reuse(decided(&off, NEED_REQUIRETLS, DANE_NONE, STS_NONE), held, &good, true));
}

/* --- in clear ------------------------------------------------------------------------------ */

static bool reuse_clear(struct decision d, struct decision held, enum error_code problem, time_ms waited)
{
    const struct open_session s = { .held = &held, .tls_problem = problem };

    return decide_reuse(&d, &s, waited);
}

TEST(a_session_in_clear_carries_nothing_that_needs_tls)
{
    struct decision held = decided(&may, NEED_STANDARD, DANE_NONE, STS_NONE);

    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);
        struct decision d = corner_decide(&c, NULL);

        CHECK_ID("PD-33", reuse_clear(d, held, E_NONE, 0) == (d.outcome == DECIDED_GO && !d.tls_needed));
        CHECK_ID("PD-33", reuse_clear(d, held, E_STARTTLS_REFUSED, 0) == (d.outcome == DECIDED_GO && !d.tls_needed));
    }
}

TEST(where_starttls_was_not_tried_only_mail_that_would_not_try_it_goes)
{
    struct decision held = decided(&off, NEED_STANDARD, DANE_NONE, STS_NONE);

    CHECK(reuse_clear(held, held, E_NONE, 0));
    CHECK(!reuse_clear(decided(&may, NEED_STANDARD, DANE_NONE, STS_NONE), held, E_NONE, DAYS(1)));
    CHECK(!reuse_clear(decided(&may, NEED_TLS_OPTIONAL, DANE_AUTH, STS_NONE), held, E_NONE, DAYS(1)));
}

TEST(after_a_failed_handshake_a_message_waits_for_its_own_time_in_clear)
{
    struct decision optional = decided(&may, NEED_TLS_OPTIONAL, DANE_NONE, STS_NONE);
    struct decision standard = decided(&may, NEED_STANDARD, DANE_NONE, STS_NONE);

    CHECK_ID("PD-32", reuse_clear(optional, optional, E_TLS_HANDSHAKE, 0));
    CHECK_ID("PD-32", !reuse_clear(standard, optional, E_TLS_HANDSHAKE, MINUTES(5) - 1));
    CHECK_ID("PD-32", reuse_clear(standard, optional, E_TLS_HANDSHAKE, MINUTES(5)));
    CHECK_ID("PD-32", reuse_clear(decided(&off, NEED_STANDARD, DANE_NONE, STS_NONE), standard, E_TLS_HANDSHAKE, 0));
}

TEST(memory_holds_back_the_second_message_too)
{
    struct decision held = decided(&may, NEED_STANDARD, DANE_NONE, STS_NONE), d;
    const struct decide_input in = { .need = NEED_STANDARD, .memory_holds = true };

    d = decide(&may, &usual, &in, NULL);
    CHECK(!reuse_clear(d, held, E_NONE, DAYS(1)));
    CHECK(reuse(d, held, &bad, false));     /* it asks for TLS, not for a certificate */
}

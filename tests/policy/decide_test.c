/* The operator's level alone: rows PD-01, -09, -10, -12 of the decision table
 * and their events, walked in full. */
#include "tests/test.h"

#include "policy/decide.h"

static const enum tls_level levels[] = { TLS_LEVEL_OFF, TLS_LEVEL_MAY, TLS_LEVEL_ENCRYPT, TLS_LEVEL_VERIFY };

static struct tls_rule rule_of(enum tls_level level)
{
    return (struct tls_rule){ level, MINUTES(5) };
}

TEST(every_level_has_a_plan_for_a_server_with_and_without_starttls)
{
    static const enum tls_plan wanted[][2] = {
        /*                     not offered      offered */
        [TLS_LEVEL_OFF]     = { PLAN_CLEAR,     PLAN_CLEAR },        /* PD-12 */
        [TLS_LEVEL_MAY]     = { PLAN_CLEAR,     PLAN_STARTTLS },     /* PD-01, PD-E02 f */
        [TLS_LEVEL_ENCRYPT] = { PLAN_NEXT_HOST, PLAN_STARTTLS },     /* PD-09, PD-E02 F */
        [TLS_LEVEL_VERIFY]  = { PLAN_NEXT_HOST, PLAN_STARTTLS },     /* PD-10 */
    };

    for (size_t i = 0; i < 4; i++) {
        for (int offered = 0; offered < 2; offered++) {
            struct tls_rule rule = rule_of(levels[i]);
            struct error why = { 0 };
            enum tls_plan plan = decide_plan(&rule, offered, &why);

            CHECK_EQUAL(plan, wanted[levels[i]][offered]);
            CHECK_EQUAL(why.code, plan == PLAN_NEXT_HOST ? E_STARTTLS_NOT_OFFERED : E_NONE);
        }
    }
}

TEST(clear_text_after_a_failure_needs_a_permitting_level_a_failed_handshake_and_patience)
{
    for (size_t i = 0; i < 4; i++) {
        struct tls_rule rule = rule_of(levels[i]);

        for (int code = E_NONE; code < E_COUNT; code++) {
            bool handshake = code == E_TLS_HANDSHAKE;
            bool permitting = levels[i] == TLS_LEVEL_OFF || levels[i] == TLS_LEVEL_MAY;

            CHECK_ID("PD-32", decide_clear_retry(&rule, (enum error_code)code, MINUTES(5)) == (handshake && permitting));
            CHECK(!decide_clear_retry(&rule, (enum error_code)code, MINUTES(5) - 1));
        }
        CHECK_ID("PD-E04", !decide_clear_retry(&rule, E_STARTTLS_INJECTED, DAYS(4)));
    }
}

TEST(a_refused_starttls_goes_on_in_clear_only_where_clear_text_is_allowed)
{
    for (size_t i = 0; i < 4; i++) {
        struct tls_rule rule = rule_of(levels[i]);

        CHECK_ID("STARTTLS-026", decide_clear_after_refusal(&rule) == (levels[i] <= TLS_LEVEL_MAY));
    }
}

TEST(only_verify_looks_at_the_certificate)
{
    static const enum tls_trust trusts[] = { TLS_TRUST_NONE, TLS_TRUST_UNTRUSTED, TLS_TRUST_EXPIRED, TLS_TRUST_PKIX };
    static const enum error_code wanted[] = { E_CERT_NOT_TRUSTED, E_CERT_NOT_TRUSTED, E_CERT_EXPIRED, E_NONE };

    for (size_t l = 0; l < 4; l++) {
        for (size_t t = 0; t < 4; t++) {
            for (int name = 0; name < 2; name++) {
                struct tls_rule rule = rule_of(levels[l]);
                struct tls_facts facts = { .version = TLS_1_3, .trust = trusts[t], .name_matches = name };
                struct error why = { 0 };
                bool enough = decide_facts(&rule, &facts, &why);

                if (levels[l] != TLS_LEVEL_VERIFY) {
                    CHECK_ID("STARTTLS-105", enough);
                } else {
                    enum error_code expected = wanted[t] == E_NONE && !name ? E_CERT_NAME_MISMATCH : wanted[t];

                    CHECK(enough == (expected == E_NONE));
                    CHECK_EQUAL(why.code, expected);
                }
            }
        }
    }
}

TEST(unauthenticated_tls_is_never_called_verified)
{
    struct tls_facts facts = { .version = TLS_1_3, .trust = TLS_TRUST_UNTRUSTED, .name_matches = true };

    CHECK_TEXT(verdict_name(NULL), "none");
    CHECK_TEXT(verdict_name(&facts), "encrypted");      /* STARTTLS-106 */
    facts.trust = TLS_TRUST_PKIX;
    CHECK_TEXT(verdict_name(&facts), "verified");
    facts.name_matches = false;
    CHECK_TEXT(verdict_name(&facts), "trusted");
}

TEST(levels_are_read_as_they_are_written)
{
    enum tls_level level;

    for (size_t i = 0; i < 4; i++) {
        CHECK(tls_level_parse(slice_of(tls_level_name(levels[i])), &level));
        CHECK_EQUAL(level, levels[i]);
    }
    CHECK(!tls_level_parse(SLICE("always"), &level));
    CHECK(!tls_level_parse(SLICE(""), &level));
}

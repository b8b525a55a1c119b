#include "policy/decide.h"

static const char *const level_names[] = { "off", "may", "encrypt", "verify" };

const char *tls_level_name(enum tls_level level)
{
    return level_names[level];
}

bool tls_level_parse(struct slice text, enum tls_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (slice_equal_nocase(text, slice_of(level_names[i]))) {
            *level = (enum tls_level)i;
            return true;
        }
    }
    return false;
}

static bool must_be_encrypted(const struct tls_rule *rule)
{
    return rule->level >= TLS_LEVEL_ENCRYPT;
}

enum tls_plan decide_plan(const struct tls_rule *rule, bool starttls_offered, struct error *why)
{
    if (rule->level == TLS_LEVEL_OFF)
        return PLAN_CLEAR;
    if (starttls_offered)
        return PLAN_STARTTLS;
    if (!must_be_encrypted(rule))
        return PLAN_CLEAR;
    fail(why, E_STARTTLS_NOT_OFFERED, "STARTTLS is not offered, and the rule says tls level=%s",
         tls_level_name(rule->level));
    return PLAN_NEXT_HOST;
}

bool decide_clear_after_refusal(const struct tls_rule *rule)
{
    return !must_be_encrypted(rule);
}

bool decide_clear_retry(const struct tls_rule *rule, enum error_code how, time_ms waited)
{
    return how == E_TLS_HANDSHAKE && !must_be_encrypted(rule) && waited >= rule->cleartext_after;
}

bool decide_facts(const struct tls_rule *rule, const struct tls_facts *facts, struct error *why)
{
    if (rule->level != TLS_LEVEL_VERIFY)
        return true;
    switch (facts->trust) {
    case TLS_TRUST_NONE:
        return fail(why, E_CERT_NOT_TRUSTED, "no certificate was shown");
    case TLS_TRUST_UNTRUSTED:
        return fail(why, E_CERT_NOT_TRUSTED, "certificate not trusted: %s", facts->trust_problem);
    case TLS_TRUST_EXPIRED:
        return fail(why, E_CERT_EXPIRED, "certificate expired: %s", facts->trust_problem);
    case TLS_TRUST_PKIX:
        break;
    }
    if (!facts->name_matches)
        return fail(why, E_CERT_NAME_MISMATCH, "the certificate is for %s", facts->subject);
    return true;
}

const char *verdict_name(const struct tls_facts *facts)
{
    if (!facts)
        return "none";
    if (facts->trust != TLS_TRUST_PKIX)
        return "encrypted";
    return facts->name_matches ? "verified" : "trusted";
}

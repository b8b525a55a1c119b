/* What a decision makes of what happens on the wire; see policy/decide.h. */
#include "policy/decide.h"

#include <assert.h>
#include <stdio.h>

/* --- after EHLO ------------------------------------------------------------- */

enum { ASKERS_TEXT_MAX = 120 };

/* "the rule says tls level=encrypt", "DANE asks for TLS", "DANE, MTA-STS and the rule ask for TLS" */
static const char *askers(const struct decision *d, char text[ASKERS_TEXT_MAX])
{
    const char *names[4];
    int count = 0, len = 0;
    bool rule = d->level > TLS_LEVEL_MAY;

    if (d->dane != DANE_NONE)
        names[count++] = "DANE";
    if (d->sts == STS_ENFORCE_MATCH)
        names[count++] = "MTA-STS";
    if (d->input.need == NEED_REQUIRETLS && d->rule->requiretls != REQUIRETLS_WHERE_OFFERED)
        names[count++] = "the message (REQUIRETLS)";
    if (count == 0) {
        snprintf(text, ASKERS_TEXT_MAX, "%s%s", rule ? "the rule says tls level=" : "it has been for long (memory)",
                 rule ? tls_level_name(d->level) : "");
        return text;
    }
    if (rule)
        names[count++] = "the rule";
    for (int i = 0; i < count; i++)
        len += snprintf(text + len, ASKERS_TEXT_MAX - (size_t)len, "%s%s",
                        i == 0 ? "" : i + 1 < count ? ", " : " and ", names[i]);
    snprintf(text + len, ASKERS_TEXT_MAX - (size_t)len, count == 1 ? " asks for TLS" : " ask for TLS");
    return text;
}

enum tls_plan decide_plan(const struct decision *d, bool starttls_offered, struct error *why)
{
    char text[ASKERS_TEXT_MAX];

    assert(d->outcome == DECIDED_GO);
    if (!d->tls_tried)
        return PLAN_CLEAR;
    if (starttls_offered)
        return PLAN_STARTTLS;
    if (!d->tls_needed)
        return PLAN_CLEAR;
    fail(why, E_STARTTLS_NOT_OFFERED, "STARTTLS is not offered, and %s", askers(d, text));
    return PLAN_NEXT_HOST;
}

bool decide_clear_after_refusal(const struct decision *d)
{
    return !d->tls_needed;
}

bool decide_clear_retry(const struct decision *d, enum error_code how, time_ms waited)
{
    if (!d->clear_retry || how != E_TLS_HANDSHAKE)
        return false;
    return d->input.need == NEED_TLS_OPTIONAL || waited >= d->rule->cleartext_after;
}

/* --- after the handshake ------------------------------------------------------ */

static bool has_lists(const struct tls_rule *rule)
{
    return rule->name_count > 0 || rule->fingerprint_count > 0;
}

static bool fingerprint_listed(const struct tls_rule *rule, const struct tls_facts *facts)
{
    for (size_t i = 0; i < rule->fingerprint_count && facts->fingerprint[0]; i++)
        if (strcmp(rule->fingerprints[i], facts->fingerprint) == 0 ||
            strcmp(rule->fingerprints[i], facts->key_fingerprint) == 0)
            return true;
    return false;
}

static bool operator_takes(const struct tls_rule *rule, const struct tls_facts *facts)
{
    bool trusted = facts->trust == TLS_TRUST_PKIX;

    if (!has_lists(rule))
        return trusted && facts->name_matches;
    return (rule->name_count > 0 && trusted && facts->listed_name) || fingerprint_listed(rule, facts);
}

unsigned decide_passed(const struct decision *d, const struct tls_facts *facts)
{
    unsigned passed = 0;
    bool trusted = facts && facts->trust == TLS_TRUST_PKIX;

    if (!facts)
        return 0;
    if (facts->dane == TLS_DANE_MATCH)
        passed |= CHECK_DANE;
    /* RFC 8461 4.2 knows DNS-IDs only; RFC 8689 4.2.1 takes the CN as well. A
     * version below 1.2, which an operator may allow elsewhere, is not for MTA-STS. */
    if (trusted && facts->name_matches && facts->version >= TLS_1_2)
        passed |= CHECK_STS;
    if (trusted && (facts->name_matches || facts->common_name_matches))
        passed |= CHECK_PKIX;
    if (operator_takes(d->rule, facts))
        passed |= CHECK_OPERATOR;
    return passed;
}

static bool dane_failed(const struct tls_facts *facts, struct error *why)
{
    switch (facts->dane) {
    case TLS_DANE_EXPIRED:
        return fail(why, E_CERT_EXPIRED, "DANE: a TLSA record anchors the certificate, but it has expired: %s",
                    facts->dane_problem);
    case TLS_DANE_NAME:
        return fail(why, E_CERT_NAME_MISMATCH, "DANE: a TLSA record anchors the certificate, but it is for %s",
                    facts->subject);
    default:
        return fail(why, E_DANE_MISMATCH, "DANE: %s", facts->dane_problem);
    }
}

/* What is wrong by the public rules; the worst first. */
static bool certificate_failed(const struct tls_facts *facts, struct error *why)
{
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
    return fail(why, E_CERT_NAME_MISMATCH, "the certificate is for %s", facts->subject);
}

static bool sts_failed(const struct tls_facts *facts, struct error *why)
{
    if (facts->trust == TLS_TRUST_PKIX && facts->name_matches)
        fail(why, E_TLS_HANDSHAKE, "%s is older than TLSv1.2", tls_version_name(facts->version));
    else
        certificate_failed(facts, why);
    return blame(why, "MTA-STS");
}

static bool requiretls_failed(const struct tls_facts *facts, struct error *why)
{
    certificate_failed(facts, why);
    if (why)
        why->code = E_REQUIRETLS_NO_TLS;    /* PD-E15: final, unlike the same fault under another policy */
    return blame(why, "REQUIRETLS");
}

static bool operator_failed(const struct tls_rule *rule, const struct tls_facts *facts, struct error *why)
{
    if (!has_lists(rule))
        return certificate_failed(facts, why);
    if (rule->name_count > 0 && facts->listed_name && facts->trust != TLS_TRUST_PKIX)
        return fail(why, E_PIN_MISMATCH, "the certificate has a name of the rule, but is not trusted: %s",
                    facts->trust_problem);
    return fail(why, E_PIN_MISMATCH, "the certificate (for %s) has none of the rule's %s", facts->subject,
                rule->fingerprint_count == 0 ? "names" : rule->name_count > 0 ? "names or fingerprints" : "fingerprints");
}

bool decide_facts(const struct decision *d, const struct tls_facts *facts, struct error *why)
{
    unsigned missing = d->checks & ~decide_passed(d, facts);

    assert(facts);
    if (missing & CHECK_DANE)
        return dane_failed(facts, why);
    if (missing & CHECK_STS)
        return sts_failed(facts, why);
    if (missing & CHECK_PKIX)
        return requiretls_failed(facts, why);
    if (missing & CHECK_OPERATOR)
        return operator_failed(d->rule, facts, why);
    return true;
}

bool decide_keyword(const struct decision *d, bool requiretls_offered, struct error *why)
{
    if (!(d->checks & CHECK_KEYWORD) || requiretls_offered)
        return true;
    return fail(why, E_REQUIRETLS_MISSING, "the host does not offer REQUIRETLS, and the message asks for it");
}

/* --- another message ------------------------------------------------------------ */

/* In clear, nothing is known that could satisfy a check; and a message for
 * which TLS would be tried must not skip the try. */
static bool clear_will_do(const struct decision *d, const struct open_session *s, time_ms waited)
{
    if (d->tls_needed)
        return false;
    if (!d->tls_tried)
        return true;
    if (!s->held->tls_tried)
        return false;
    return s->tls_problem != E_TLS_HANDSHAKE || decide_clear_retry(d, s->tls_problem, waited);
}

/* Names and suites were asked for by the rule of then; the rest is in the facts. */
static bool rule_holds(const struct decision *d, const struct open_session *s)
{
    const struct tls_rule *rule = d->rule;

    if (rule == s->held->rule)
        return true;
    if (s->facts->version < rule->minimum || rule->ciphers)
        return false;
    return !(d->checks & CHECK_OPERATOR) || rule->name_count == 0 || fingerprint_listed(rule, s->facts);
}

bool decide_reuse(const struct decision *d, const struct open_session *s, time_ms waited)
{
    if (d->outcome != DECIDED_GO)
        return false;
    if (!s->facts)
        return clear_will_do(d, s, waited);
    /* DANE-077: what was matched is what this message is to be matched with. */
    if ((d->checks & CHECK_DANE) && d->input.dane_key != s->held->input.dane_key)
        return false;
    return rule_holds(d, s) && decide_facts(d, s->facts, NULL) && decide_keyword(d, s->requiretls_offered, NULL);
}

/* --- after the last host --------------------------------------------------------- */

bool decide_is_definitive(const struct decision *d, enum error_code how)
{
    if (d->need != NEED_REQUIRETLS)
        return false;
    return how == E_STARTTLS_NOT_OFFERED || how == E_REQUIRETLS_MISSING || how == E_REQUIRETLS_NO_TLS;
}

void decide_after_last_host(enum mail_need need, bool keyword_missing, const struct error *last, struct error *why)
{
    if (need != NEED_REQUIRETLS)
        return;
    fail(why, keyword_missing ? E_REQUIRETLS_MISSING : E_REQUIRETLS_NO_TLS, "%s", last->text);
}

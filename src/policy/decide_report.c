/* What a decision and its attempt come to in reports and logs; see policy/decide.h. */
#include "policy/decide.h"

#include <stdio.h>

const char *policy_type_name(enum policy_type t)
{
    static const char *const names[] = {
        [POLICY_TLSA] = "tlsa",
        [POLICY_STS] = "sts",
        [POLICY_NONE_FOUND] = "no-policy-found",
    };

    return names[t];
}

/* --- reasons ------------------------------------------------------------------ */

/* A failure-reason-code in one style: "self-signed certificate" becomes "self-signed-certificate". */
static void add_slug(char *reason, size_t size, const char *words)
{
    size_t len = strlen(reason);

    for (bool gap = false; *words && len + 2 < size; words++) {
        char c = byte_lower(*words);

        if (!byte_is_alpha(c) && !byte_is_digit(c)) {
            gap = true;
            continue;
        }
        if (gap && len > 0 && reason[len - 1] != '-')
            reason[len++] = '-';
        gap = false;
        reason[len++] = c;
    }
    reason[len] = '\0';
}

static void handshake_reason(const char *words, char *reason, size_t size)
{
    static const struct {
        const char *words, *reason;
    } known[] = {
        { "silent", "tls-timeout" },
        { "closed the connection", "tls-eof" },
        { "connection was cut", "tls-eof" },
        { "reset the connection", "tls-eof" },
        { "connection broke", "tls-eof" },
        { "answered in clear", "tls-answer-in-clear" },
        { "not a TLS handshake", "tls-no-handshake" },
        { "TLS version", "tls-version" },
        { "older than", "tls-version" },
        { "no shared cipher", "tls-cipher" },
    };
    const char *alert = words ? strstr(words, "alert ") : NULL;

    if (alert) {
        snprintf(reason, size, "tls-");
        add_slug(reason, size, alert);
        return;
    }
    for (size_t i = 0; words && i < sizeof known / sizeof *known; i++) {
        if (strstr(words, known[i].words)) {
            snprintf(reason, size, "%s", known[i].reason);
            return;
        }
    }
    snprintf(reason, size, "tls-handshake");
}

/* --- results -------------------------------------------------------------------- */

struct results {
    struct policy_result *out;
    size_t count;
};

static struct policy_result *add(struct results *r, enum policy_type type, enum error_code code)
{
    struct policy_result *result = &r->out[r->count++];

    *result = (struct policy_result){ .type = type, .success = code == E_NONE, .result_type = error_tls_rpt(code) };
    return result;
}

static void add_with_reason(struct results *r, enum policy_type type, enum error_code code, const char *reason)
{
    snprintf(add(r, type, code)->reason, sizeof r->out->reason, "%s", reason);
}

static void add_mx_mismatch(struct results *r)
{
    add_with_reason(r, POLICY_STS, E_STS_MX_MISMATCH, "sts-mx-mismatch");
}

/* Why there is no TLS session, as far as it is a policy's failure; the same for every entry. */
static enum error_code trouble(const struct decision *d, const struct decide_event *e)
{
    enum error_code code = e->how != E_NONE ? e->how : e->tls_problem;

    if (!d->tls_tried)
        return E_NONE;
    if (e->how == E_NONE && e->tls_problem == E_NONE)
        return E_STARTTLS_NOT_OFFERED;
    switch (code) {
    case E_STARTTLS_NOT_OFFERED:
    case E_STARTTLS_REFUSED:
    case E_STARTTLS_INJECTED:
    case E_TLS_HANDSHAKE:
        return code;
    default:
        return E_NONE;      /* PD-E01 */
    }
}

static void add_trouble(struct results *r, enum policy_type type, enum error_code code, const struct decide_event *e)
{
    struct policy_result *result;

    if (code == E_NONE)
        return;
    result = add(r, type, code);
    if (code == E_STARTTLS_REFUSED)
        snprintf(result->reason, sizeof result->reason, "starttls-%d", e->starttls_code);
    else if (code == E_STARTTLS_INJECTED)
        snprintf(result->reason, sizeof result->reason, "starttls-injection");
    else if (code == E_TLS_HANDSHAKE)
        handshake_reason(e->words, result->reason, sizeof result->reason);
}

static void add_dane(struct results *r, const struct decision *d, const struct tls_facts *facts)
{
    if (d->input.dane == DANE_TLS) {
        if (d->input.tlsa_usable)
            add(r, POLICY_TLSA, E_NONE);
        else
            add_with_reason(r, POLICY_TLSA, E_TLSA_UNUSABLE, "all-records-unusable");
        return;
    }
    switch (facts->dane) {
    case TLS_DANE_NOT_ASKED:
        return;
    case TLS_DANE_MATCH:
        add(r, POLICY_TLSA, E_NONE);
        return;
    case TLS_DANE_NO_MATCH:
        add_with_reason(r, POLICY_TLSA, E_DANE_MISMATCH, "dane-no-match");
        return;
    case TLS_DANE_EXPIRED:
        add(r, POLICY_TLSA, E_CERT_EXPIRED);
        return;
    case TLS_DANE_NAME:
        add(r, POLICY_TLSA, E_CERT_NAME_MISMATCH);
        return;
    }
}

/* Of several faults one is told: not trusted, expired, other name, in this order. */
static void add_sts(struct results *r, const struct tls_facts *facts)
{
    switch (facts->trust) {
    case TLS_TRUST_NONE:
        add_with_reason(r, POLICY_STS, E_CERT_NOT_TRUSTED, "no-certificate");
        return;
    case TLS_TRUST_UNTRUSTED:
        add_slug(add(r, POLICY_STS, E_CERT_NOT_TRUSTED)->reason, sizeof r->out->reason, facts->trust_problem);
        return;
    case TLS_TRUST_EXPIRED:
        add(r, POLICY_STS, E_CERT_EXPIRED);
        return;
    case TLS_TRUST_PKIX:
        break;
    }
    if (!facts->name_matches)
        add(r, POLICY_STS, E_CERT_NAME_MISMATCH);
    else if (facts->version < TLS_1_2)
        add_with_reason(r, POLICY_STS, E_TLS_HANDSHAKE, "tls-version");
    else
        add(r, POLICY_STS, E_NONE);
}

/* Before any connection: what the gate saw, and what a policy in testing had to say (PD-G7). */
static void add_gate(struct results *r, const struct decision *d)
{
    switch (d->row[strlen("PD-G")]) {
    case '4':
        add(r, POLICY_TLSA, E_TLSA_LOOKUP);
        return;
    case '5':
        add(r, POLICY_TLSA, E_DANE_REQUIRED);
        return;
    case '6':
        add_mx_mismatch(r);
        return;
    case '8':
    case '9':
        if (d->input.sts == STS_TEST_MISMATCH)
            add_mx_mismatch(r);
        return;
    default:
        return;
    }
}

size_t decide_results(const struct decision *d, const struct decide_event *e, struct policy_result out[POLICY_RESULTS_MAX])
{
    struct results r = { out, 0 };
    enum dane_finding dane = d->input.dane;
    enum sts_finding sts = d->input.sts;

    if (d->outcome != DECIDED_GO) {
        add_gate(&r, d);
        return r.count;
    }
    if (dane == DANE_FAIL)
        add(&r, POLICY_TLSA, E_TLSA_LOOKUP);    /* lifted by PD-G3, reported all the same */
    else if (dane != DANE_NONE && e->facts)
        add_dane(&r, d, e->facts);
    else if (dane != DANE_NONE)
        add_trouble(&r, POLICY_TLSA, trouble(d, e), e);

    if (sts == STS_TEST_MISMATCH || sts == STS_ENFORCE_MISMATCH)
        add_mx_mismatch(&r);
    else if (sts != STS_NONE && e->facts)
        add_sts(&r, e->facts);
    else if (sts != STS_NONE)
        add_trouble(&r, POLICY_STS, trouble(d, e), e);

    if (dane == DANE_NONE && sts == STS_NONE && e->facts)
        add(&r, POLICY_NONE_FOUND, E_NONE);     /* PD-E19: nobody asked for a better certificate */
    else if (dane == DANE_NONE && sts == STS_NONE)
        add_trouble(&r, POLICY_NONE_FOUND, trouble(d, e), e);
    return r.count;
}

/* --- verdict ---------------------------------------------------------------------- */

/* A rule that lists nothing takes the host's name, which must then be the right one. */
static bool rule_vouches(const struct decision *d, unsigned passed)
{
    bool lists = d->rule->name_count > 0 || d->rule->fingerprint_count > 0;

    return d->level == TLS_LEVEL_VERIFY && (passed & CHECK_OPERATOR) && (lists || d->input.authentic);
}

const char *verdict_name(const struct decision *d, const struct tls_facts *facts)
{
    unsigned passed = decide_passed(d, facts);

    if (!facts)
        return "none";
    if ((d->input.dane == DANE_AUTH && (passed & CHECK_DANE)) ||
        (d->input.sts == STS_ENFORCE_MATCH && (passed & CHECK_STS)) || rule_vouches(d, passed))
        return "verified";
    if ((passed & CHECK_DANE) || (facts->trust == TLS_TRUST_PKIX && facts->name_matches) ||
        (passed & d->checks & CHECK_PKIX))
        return "trusted";
    return "encrypted";
}

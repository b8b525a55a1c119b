#include "policy/decide.h"

#include <stdio.h>

/* --- words ------------------------------------------------------------------- */

static const char *const level_names[] = {
    [TLS_LEVEL_OFF] = "off",
    [TLS_LEVEL_MAY] = "may",
    [TLS_LEVEL_ENCRYPT] = "encrypt",
    [TLS_LEVEL_VERIFY] = "verify",
    [TLS_LEVEL_DANE_ONLY] = "dane-only",
};

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

static const char *const requiretls_rule_names[] = {
    [REQUIRETLS_ENFORCE] = "enforce",
    [REQUIRETLS_WITH_TLS] = "opportunistic+starttls",
    [REQUIRETLS_WHERE_OFFERED] = "opportunistic",
};

const char *requiretls_rule_name(enum requiretls_rule r)
{
    return requiretls_rule_names[r];
}

bool requiretls_rule_parse(struct slice text, enum requiretls_rule *r)
{
    for (size_t i = 0; i < sizeof requiretls_rule_names / sizeof *requiretls_rule_names; i++) {
        if (slice_equal_nocase(text, slice_of(requiretls_rule_names[i]))) {
            *r = (enum requiretls_rule)i;
            return true;
        }
    }
    return false;
}

const char *mail_need_name(enum mail_need m)
{
    static const char *const names[] = {
        [NEED_STANDARD] = "standard",
        [NEED_REQUIRETLS] = "requiretls",
        [NEED_REQUIRETLS_NULL] = "requiretls-null",
        [NEED_TLS_OPTIONAL] = "tls-optional",
    };

    return names[m];
}

const char *dane_finding_name(enum dane_finding d)
{
    static const char *const names[] = {
        [DANE_NONE] = "none",
        [DANE_FAIL] = "fail",
        [DANE_TLS] = "tls",
        [DANE_AUTH] = "auth",
        [DANE_AUTH_INSECURE] = "auth-insecure",
    };

    return names[d];
}

const char *sts_finding_name(enum sts_finding s)
{
    static const char *const names[] = {
        [STS_NONE] = "none",
        [STS_TEST_MATCH] = "testing-match",
        [STS_TEST_MISMATCH] = "testing-mismatch",
        [STS_ENFORCE_MATCH] = "enforce-match",
        [STS_ENFORCE_MISMATCH] = "enforce-mismatch",
    };

    return names[s];
}

/* --- from lookups to findings --------------------------------------------------- */

enum dane_finding dane_finding_of(bool mx_secure, bool addresses_failed, enum tlsa_outcome tlsa,
                                  enum insecure_mx setting)
{
    if (addresses_failed)
        return DANE_FAIL;       /* DT-02 */
    if (tlsa == TLSA_OUT_NONE || (!mx_secure && setting == INSECURE_MX_MAY))
        return DANE_NONE;       /* DT-06, -07, -09, -13, -15, -17, -19; -11, -12, -14 with `may` */
    if (tlsa == TLSA_OUT_ERROR)
        return DANE_FAIL;       /* DT-08, -14 */
    if (tlsa == TLSA_OUT_UNUSABLE)
        return DANE_TLS;        /* DT-05, -12 */
    if (mx_secure)
        return DANE_AUTH;       /* DT-04, -10, -16, -18 */
    return setting == INSECURE_MX_DANE ? DANE_AUTH_INSECURE : DANE_TLS;     /* DT-11 */
}

bool decide_wants_tlsa(const struct tls_rule *rule, const struct decide_settings *settings, bool mx_secure)
{
    return !rule->no_dane && (mx_secure || settings->insecure_mx != INSECURE_MX_MAY);
}

/* FNV-1a, each piece with its length, so that no two lists look the same. */
static uint64_t mix(uint64_t key, struct slice s)
{
    for (size_t i = 0; i < sizeof s.len; i++)
        key = (key ^ (s.len >> (8 * i) & 0xff)) * 0x100000001b3;
    for (size_t i = 0; i < s.len; i++)
        key = (key ^ (uint8_t)s.at[i]) * 0x100000001b3;
    return key;
}

uint64_t decide_dane_key(const char *base, const char *const *names, size_t name_count, const struct tlsa *records,
                         size_t record_count)
{
    uint64_t key = mix(0xcbf29ce484222325, slice_of(base));

    if (record_count == 0)
        return 0;
    for (size_t i = 0; i < name_count; i++)
        key = mix(key, slice_of(names[i]));
    for (size_t i = 0; i < record_count; i++) {
        key = mix(key, slice((char[]){ (char)records[i].usage, (char)records[i].selector, (char)records[i].matching }, 3));
        key = mix(key, records[i].data);
    }
    return key ? key : 1;
}

/* RFC 8689 4.2.1: the MX record is DNSSEC-signed, or the host fits the MTA-STS policy. */
bool decide_authentic(const struct decide_settings *settings, const struct name_source *from, enum sts_finding sts)
{
    if (from->by_operator || sts == STS_ENFORCE_MATCH)
        return true;
    if (sts == STS_TEST_MATCH && !settings->requiretls_enforce_only)
        return true;
    return from->mx_secure && (from->mx || from->addresses_secure);
}

/* --- step 1: gates ----------------------------------------------------------------- */

/* REQTLS-030. Without TLS at all there is nothing left of what the sender
 * asked for, so a rule that keeps at least TLS does not go with level off. */
static void relax(struct decision *d)
{
    enum requiretls_rule r = d->rule->requiretls;

    if (r == REQUIRETLS_WHERE_OFFERED || (r == REQUIRETLS_WITH_TLS && d->level != TLS_LEVEL_OFF))
        d->need = NEED_REQUIRETLS_NULL;
}

/* PD-G3. RFC 8689 4.2.2: the message is sent "regardless of" what the
 * recipient's side published; what our own operator says stays, by default. */
static void lift(struct decision *d, const struct decide_settings *settings)
{
    d->sts = STS_NONE;
    if (settings->tls_optional_lifts_all && d->level != TLS_LEVEL_OFF)
        d->level = TLS_LEVEL_MAY;
    if (d->level != TLS_LEVEL_DANE_ONLY)
        d->dane = DANE_NONE;
}

static bool domain_asks_for_tls(const struct decision *d)
{
    return d->dane != DANE_NONE || d->sts == STS_ENFORCE_MATCH;
}

static bool skip(struct decision *d, const char *row)
{
    d->outcome = DECIDED_SKIP;
    d->row = row;
    return true;
}

static bool skip_for_good(struct decision *d, const char *row)
{
    d->outcome = DECIDED_SKIP_FINAL;
    d->row = row;
    return true;
}

/* The first that holds wins; PD-G1 is where there is no host yet, PD-G7 stops nobody. */
static bool stopped_at_gate(struct decision *d, struct error *why)
{
    if (d->level == TLS_LEVEL_OFF && d->need == NEED_REQUIRETLS) {
        fail(why, E_REQUIRETLS_NO_TLS, "the message must not go without TLS (REQUIRETLS), and the rule says tls level=off");
        return skip_for_good(d, "PD-G2");
    }
    if (d->dane == DANE_FAIL) {
        fail(why, E_TLSA_LOOKUP, "the lookup of its addresses or TLSA records failed, and without that answer no connection is made");
        return skip(d, "PD-G4");
    }
    if (d->level == TLS_LEVEL_DANE_ONLY && d->dane != DANE_AUTH) {
        fail(why, E_DANE_REQUIRED, "no usable TLSA records over secure DNS, and the rule says tls level=dane-only");
        return skip(d, "PD-G5");
    }
    if (d->sts == STS_ENFORCE_MISMATCH) {
        fail(why, E_STS_MX_MISMATCH, "the host is in no mx line of the domain's MTA-STS policy (mode enforce)");
        return skip(d, "PD-G6");
    }
    if (d->need == NEED_REQUIRETLS && !d->input.authentic) {
        fail(why, E_REQUIRETLS_MISSING, "neither DNSSEC nor MTA-STS says that this is the domain's host, and the message "
             "asks for that (REQUIRETLS)");
        return skip_for_good(d, "PD-G8");
    }
    if (d->level == TLS_LEVEL_OFF && domain_asks_for_tls(d) && !d->rule->allow_cleartext_override) {
        fail(why, E_CLEARTEXT_FORCED, "the rule says tls level=off, but the domain asks for TLS (%s)",
             d->dane != DANE_NONE ? "DANE" : "MTA-STS");
        return skip(d, "PD-G9");
    }
    return false;
}

/* --- step 2: floor and checks -------------------------------------------------------- */

static const char *row_of_recipient(const struct decision *d)
{
    static const char *const rows[][2] = {      /* without and with an enforced policy */
        [DANE_NONE] = { "PD-01", "PD-05" },
        [DANE_TLS] = { "PD-02", "PD-06" },
        [DANE_AUTH] = { "PD-03", "PD-07" },
        [DANE_AUTH_INSECURE] = { "PD-04", "PD-08" },
    };

    return rows[d->dane][d->sts == STS_ENFORCE_MATCH];
}

static const char *row_of(const struct decision *d)
{
    bool dane = d->dane == DANE_AUTH || d->dane == DANE_AUTH_INSECURE;

    switch (d->need) {
    case NEED_REQUIRETLS_NULL:
        return "PD-16";
    case NEED_TLS_OPTIONAL:
        return d->level <= TLS_LEVEL_MAY ? "PD-17" : "PD-18";
    case NEED_REQUIRETLS:
        return dane ? "PD-13" : d->sts == STS_ENFORCE_MATCH ? "PD-14" : "PD-15";
    case NEED_STANDARD:
        break;
    }
    switch (d->level) {
    case TLS_LEVEL_OFF:
        return "PD-12";
    case TLS_LEVEL_ENCRYPT:
        return "PD-09";
    case TLS_LEVEL_VERIFY:
        return "PD-10";
    case TLS_LEVEL_DANE_ONLY:
        return "PD-11";
    case TLS_LEVEL_MAY:
        break;
    }
    return row_of_recipient(d);
}

static unsigned checks_of(const struct decision *d, const struct decide_settings *settings)
{
    unsigned checks = 0;

    if (d->dane == DANE_AUTH || d->dane == DANE_AUTH_INSECURE)
        checks |= CHECK_DANE;
    if (d->sts == STS_ENFORCE_MATCH && !(d->dane == DANE_AUTH && settings->dane_satisfies_sts))
        checks |= CHECK_STS;
    if (d->level == TLS_LEVEL_VERIFY)
        checks |= CHECK_OPERATOR;
    if (d->need == NEED_REQUIRETLS) {
        if (!(checks & (CHECK_DANE | CHECK_STS)))
            checks |= CHECK_PKIX;
        checks |= CHECK_KEYWORD;
    }
    return checks;
}

static const char *holder_of(const struct decision *d)
{
    static const char *const levels[] = {
        [TLS_LEVEL_ENCRYPT] = "tls level=encrypt",
        [TLS_LEVEL_VERIFY] = "tls level=verify",
        [TLS_LEVEL_DANE_ONLY] = "tls level=dane-only",
    };

    if (d->dane != DANE_NONE)
        return "dane";
    if (d->sts == STS_ENFORCE_MATCH)
        return "mta-sts";
    if (d->input.need == NEED_REQUIRETLS && d->rule->requiretls != REQUIRETLS_WHERE_OFFERED)
        return "requiretls";
    if (d->level > TLS_LEVEL_MAY)
        return levels[d->level];
    if (d->input.memory_holds && d->input.need != NEED_TLS_OPTIONAL)
        return "memory";
    return "";
}

struct decision decide(const struct tls_rule *rule, const struct decide_settings *settings,
                       const struct decide_input *in, struct error *why)
{
    struct decision d = {
        .outcome = DECIDED_GO,
        .rule = rule,
        .input = *in,
        .need = in->need,
        .level = rule->level,
        .dane = in->dane,
        .sts = in->sts,
        .held_by = "",
    };

    if (in->need == NEED_REQUIRETLS)
        relax(&d);
    if (in->need == NEED_TLS_OPTIONAL)
        lift(&d, settings);
    if (stopped_at_gate(&d, why))
        return d;
    d.row = row_of(&d);
    d.send_keyword = in->need == NEED_REQUIRETLS || in->need == NEED_REQUIRETLS_NULL;
    d.tls_tried = d.level != TLS_LEVEL_OFF;
    if (!d.tls_tried)
        return d;       /* memory, too, yields to an operator who said so */
    d.held_by = holder_of(&d);
    d.tls_needed = d.held_by[0] != '\0';
    d.checks = checks_of(&d, settings);
    d.clear_retry = !d.tls_needed;
    return d;
}

bool decide_asks_dane(const struct decision *d)
{
    enum dane_finding dane = d->input.dane;

    return dane == DANE_TLS || dane == DANE_AUTH || dane == DANE_AUTH_INSECURE;
}

/* --- for people -------------------------------------------------------------------- */

const char *decision_text(const struct decision *d, char text[DECISION_TEXT_MAX])
{
    static const struct {
        unsigned check;
        const char *name;
    } names[] = {
        { CHECK_DANE, "DANE" },
        { CHECK_STS, "MTA-STS" },
        { CHECK_PKIX, "PKIX" },
        { CHECK_OPERATOR, "the operator's check" },
        { CHECK_KEYWORD, "REQUIRETLS" },
    };
    const char *before = "; must pass ";
    unsigned left = d->checks;
    int len;

    if (d->outcome != DECIDED_GO) {
        snprintf(text, DECISION_TEXT_MAX, d->outcome == DECIDED_SKIP ? "not to this host now" : "not to this host");
        return text;
    }
    len = snprintf(text, DECISION_TEXT_MAX, "%s%s", d->tls_needed ? "TLS needed" : d->tls_tried ? "TLS if offered"
                   : "in clear, STARTTLS is not tried", d->tls_tried && left == 0 ? "; any certificate" : "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(left & names[i].check))
            continue;
        left &= ~names[i].check;
        len += snprintf(text + len, DECISION_TEXT_MAX - (size_t)len, "%s%s", before, names[i].name);
        before = (left & (left - 1)) == 0 ? " and " : ", ";
    }
    return text;
}

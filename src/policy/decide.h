/* policy/decide.h - one decision for one (message, next hop, MX host). Pure.
 *
 * docs/policy.md has the table whose rows are cited here (PD-...), and
 * tests/policy/ proves that this code is that table. Every source can only
 * raise the floor; only TLS-Required: No lowers it, and by default only what
 * the recipient's side asked for. No source replaces another one's failure (P2).
 *
 *     d = decide(rule, settings, input)       before any connection
 *     decide_plan(&d, ...)                    after EHLO
 *     decide_facts(&d, ...)                   after the handshake
 *     decide_keyword(&d, ...)                 after EHLO under TLS
 *     decide_reuse(&d, ...)                   may a session that is open carry this message?
 *     decide_results(&d, ...)                 what TLS reports count of it */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "base/clock.h"
#include "base/error.h"
#include "tls/session.h"

/* --- what the operator says --------------------------------------------------- */

enum tls_level {                /* O */
    TLS_LEVEL_OFF,              /* STARTTLS is not tried */
    TLS_LEVEL_MAY,              /* TLS when the other side can; any certificate */
    TLS_LEVEL_ENCRYPT,          /* never in clear; any certificate */
    TLS_LEVEL_VERIFY,           /* never in clear; the operator's names or fingerprints, else trusted chain and host name */
    TLS_LEVEL_DANE_ONLY,        /* only to hosts that DANE authenticates over secure DNS */
};
const char *tls_level_name(enum tls_level level);                               /* "may", "dane-only" */
bool tls_level_parse(struct slice text, enum tls_level *level) must_check;

/* What is made of REQUIRETLS where hardly anybody has it yet (REQTLS-030). */
enum requiretls_rule {
    REQUIRETLS_ENFORCE,             /* as RFC 8689 says */
    REQUIRETLS_WITH_TLS,            /* passed on where it is offered; never in clear; else as any other mail */
    REQUIRETLS_WHERE_OFFERED,       /* passed on where it is offered; else as any other mail */
};
const char *requiretls_rule_name(enum requiretls_rule r);   /* "enforce" "opportunistic+starttls" "opportunistic" */
bool requiretls_rule_parse(struct slice text, enum requiretls_rule *r) must_check;

/* Of one destination. Borrowed by decisions. */
struct tls_rule {
    enum tls_level level;
    bool no_dane, no_sts;           /* D, S are NONE without a lookup */
    bool allow_cleartext_override;  /* level off holds even where the domain asks for TLS (PD-G9) */
    enum requiretls_rule requiretls;
    /* verify. Either list will do: a trusted chain with one of the names, or a
     * fingerprint, whoever issued the certificate. With neither: trusted chain
     * and host name. */
    const char *const *names;       /* instead of the host's; ".example.org": every name below it */
    size_t name_count;
    const char *const *fingerprints;    /* SHA-256 of certificate or public key, 64 hex digits, lower case */
    size_t fingerprint_count;
    enum tls_version minimum;       /* TLS_VERSION_NONE: as usual */
    const char *ciphers;            /* NULL: as usual */
    /* A handshake that failed is followed by a try in clear only once the
     * message has waited this long: a passing fault, or an attacker's single
     * packet, must not be enough (the practice of Postfix). */
    time_ms cleartext_after;
};

/* For all destinations. */
enum insecure_mx { INSECURE_MX_DANE, INSECURE_MX_ENCRYPT, INSECURE_MX_MAY };    /* DANE-022 */
struct decide_settings {
    enum insecure_mx insecure_mx;
    bool dane_satisfies_sts;        /* sts-with-dane = dane: over a secure MX a DANE match does for both (PD-07) */
    bool tls_optional_lifts_all;    /* tls-required-no = all: TLS-Required: No lifts the operator's level too */
    bool requiretls_enforce_only;   /* requiretls-sts = enforce: a policy in testing does not make the host name authentic */
};

/* --- what was found -------------------------------------------------------------- */

enum mail_need {                /* M */
    NEED_STANDARD,
    NEED_REQUIRETLS,                /* RFC 8689, sender not null */
    NEED_REQUIRETLS_NULL,           /* with a null sender: must not be lost for it (REQTLS-042) */
    NEED_TLS_OPTIONAL,              /* TLS-Required: No */
};
const char *mail_need_name(enum mail_need m);       /* "standard" "requiretls" "requiretls-null" "tls-optional" */

enum dane_finding { DANE_NONE, DANE_FAIL, DANE_TLS, DANE_AUTH, DANE_AUTH_INSECURE };    /* D */
const char *dane_finding_name(enum dane_finding d);
enum sts_finding { STS_NONE, STS_TEST_MATCH, STS_TEST_MISMATCH, STS_ENFORCE_MATCH, STS_ENFORCE_MISMATCH };  /* S */
const char *sts_finding_name(enum sts_finding s);

struct decide_input {
    enum mail_need need;
    enum dane_finding dane;         /* dane_finding_of() */
    bool tlsa_usable;               /* DANE_TLS only for want of a secure MX answer: nothing is wrong with the records */
    uint64_t dane_key;              /* decide_dane_key(), for decide_reuse; 0 without records */
    enum sts_finding sts;
    bool authentic;                 /* N: the host name is (decide_authentic) */
    bool memory_holds;              /* memory says: not in clear now (policy/memory.h) */
};

/* D from the lookups, rows DT-02 to DT-19 (DT-20 is PD-G5). `mx_secure`: the MX answer is, or the proof that there is
 * none, or a route names the host. `addresses_failed`: DT-02. */
enum tlsa_outcome { TLSA_OUT_NONE, TLSA_OUT_ERROR, TLSA_OUT_UNUSABLE, TLSA_OUT_USABLE };
enum dane_finding dane_finding_of(bool mx_secure, bool addresses_failed, enum tlsa_outcome tlsa,
                                  enum insecure_mx setting);
/* Is TLSA to be looked up at all (DT-14, dane=no)? */
bool decide_wants_tlsa(const struct tls_rule *rule, const struct decide_settings *settings, bool mx_secure);

/* One number for what DANE was asked with: base name, names that count for usage 2, usable records. It tells that they
 * changed; it is no proof against who makes them collide, which only the zone that publishes them could. */
uint64_t decide_dane_key(const char *base, const char *const *names, size_t name_count, const struct tlsa *records,
                         size_t record_count);

/* N: who says that this is the host's right name (REQTLS-020)? */
struct name_source {
    bool by_operator;               /* a route names the host */
    bool mx;                        /* MX records led here, else the domain is its own host */
    bool mx_secure;                 /* their answer, or the proof that there are none */
    bool addresses_secure;          /* counts without MX */
};
bool decide_authentic(const struct decide_settings *settings, const struct name_source *from, enum sts_finding sts);

/* --- the decision -------------------------------------------------------------------- */

enum {                          /* R: all that are set must pass */
    CHECK_DANE = 1,
    CHECK_STS = 2,                  /* trusted chain and MX host name as DNS-ID */
    CHECK_PKIX = 4,                 /* the same without a policy; the CN will do (REQTLS-021) */
    CHECK_OPERATOR = 8,
    CHECK_KEYWORD = 16,             /* REQUIRETLS in EHLO after TLS */
};

struct decision {
    enum { DECIDED_GO, DECIDED_SKIP, DECIDED_SKIP_FINAL } outcome;   /* SKIP: not this host, not now. FINAL: see PD-30 */
    const char *row;                /* "PD-07", "PD-G4" */
    const struct tls_rule *rule;
    struct decide_input input;      /* as given */
    enum mail_need need;            /* M as the rule takes it (REQTLS-030) */
    enum tls_level level;           /* O, D, S after PD-G3. What was lifted is still in `input` and still reported */
    enum dane_finding dane;
    enum sts_finding sts;
    bool tls_tried;                 /* false: level off */
    bool tls_needed;                /* F */
    unsigned checks;                /* R */
    bool clear_retry;               /* a handshake that failed may be followed by clear text (PD-32) */
    bool send_keyword;              /* MAIL carries REQUIRETLS where EHLO under TLS offers it (REQTLS-024, -042) */
    const char *held_by;            /* who raised the floor, for people; of several the first of "dane", "mta-sts",
                                     * "requiretls", "tls level=encrypt", "memory"; "" when nobody did */
};
/* Skips say why: E_TLSA_LOOKUP, E_DANE_REQUIRED, E_STS_MX_MISMATCH, E_REQUIRETLS_MISSING, E_REQUIRETLS_NO_TLS,
 * E_CLEARTEXT_FORCED. The host is not named: callers blame() it. Allocates nothing. */
struct decision decide(const struct tls_rule *rule, const struct decide_settings *settings,
                       const struct decide_input *in, struct error *why);

/* Is the handshake to be made with the TLSA base name as SNI and with the usable records, so that they are judged
 * even where nothing depends on it (TLS-Required: No)? Else SNI is the host name. */
bool decide_asks_dane(const struct decision *d);

/* "TLS needed; must pass DANE and MTA-STS": floor and checks, for people and logs. */
enum { DECISION_TEXT_MAX = 200 };
const char *decision_text(const struct decision *d, char text[DECISION_TEXT_MAX]);

/* --- events on the wire ----------------------------------------------------------------- */

/* After EHLO, before anything else is said (PD-E02). E_STARTTLS_NOT_OFFERED. This and what follows are for decisions to go. */
enum tls_plan { PLAN_STARTTLS, PLAN_CLEAR, PLAN_NEXT_HOST };
enum tls_plan decide_plan(const struct decision *d, bool starttls_offered, struct error *why);

/* The server answered STARTTLS with 4yz or 5yz: may the session go on in clear? (STARTTLS-026, PD-E03) */
bool decide_clear_after_refusal(const struct decision *d);

/* Securing a connection failed with `how`: may a *new* connection to the same
 * address try in clear? Only after a failed handshake (PD-E05, -E06, PD-32);
 * injected bytes are an attack and never lead to clear text (PD-E04). For
 * TLS-Required: No the message need not have waited. */
bool decide_clear_retry(const struct decision *d, enum error_code how, time_ms waited);

/* Which checks these facts pass, whether they are needed or not; never CHECK_KEYWORD. NULL facts: none. */
unsigned decide_passed(const struct decision *d, const struct tls_facts *facts);

/* The handshake is done: are these facts enough? (STARTTLS-007, PD-E07 to -E15) E_DANE_MISMATCH, E_CERT_*, E_PIN_MISMATCH;
 * E_REQUIRETLS_NO_TLS where only REQUIRETLS asks for the certificate (PD-E15); E_TLS_HANDSHAKE for a version too old. */
bool decide_facts(const struct decision *d, const struct tls_facts *facts, struct error *why) must_check;

/* EHLO under TLS: PD-E16. E_REQUIRETLS_MISSING. */
bool decide_keyword(const struct decision *d, bool requiretls_offered, struct error *why) must_check;

/* May an open session with the same host carry the message this decision is about? Facts count, not labels (PD-33). */
struct open_session {
    const struct decision *held;    /* it was opened under */
    const struct tls_facts *facts;  /* NULL: in clear */
    enum error_code tls_problem;    /* why it is in clear although TLS was tried; E_NONE: STARTTLS was not offered */
    bool requiretls_offered;        /* by EHLO under TLS */
};
bool decide_reuse(const struct decision *d, const struct open_session *s, time_ms waited);

/* Does this end the host for good for a message that asked for REQUIRETLS (PD-30: G2, G8, E02, E15, E16)? For any other
 * message nothing does. */
bool decide_is_definitive(const struct decision *d, enum error_code how);

/* Every host of the domain was asked and ended for good: what the message's own failure is (PD-30). 5.7.30 when one of them
 * ended with E_REQUIRETLS_MISSING (`keyword_missing`), else 5.7.10. Writes nothing for a need that no host can end. */
void decide_after_last_host(enum mail_need need, bool keyword_missing, const struct error *last, struct error *why);

/* --- what is reported (RFC 8460 4.3) ------------------------------------------------------- */

enum policy_type { POLICY_TLSA, POLICY_STS, POLICY_NONE_FOUND };
enum { POLICY_TYPES = POLICY_NONE_FOUND + 1 };
const char *policy_type_name(enum policy_type t);       /* "tlsa" "sts" "no-policy-found" */

struct policy_result {
    enum policy_type type;
    bool success;
    const char *result_type;        /* RFC 8460 4.3: "starttls-not-supported"; NULL for success */
    char reason[64];                /* failure-reason-code: "dane-no-match"; "" for none */
};
enum { POLICY_RESULTS_MAX = 2 };

/* What an attempt at this host came to, for each policy entry that is concerned (PD-E01 to -E20, and the gates); one
 * result for one entry. What TLS-Required: No lifted is reported as it was seen. Sessions that carry our own TLS reports
 * are not reported (TLSRPT-022), reused ones not again (TLSRPT-016): callers do not ask for them. Returns how many. */
struct decide_event {
    enum error_code how;            /* E_NONE: the session could be used, in clear or not; else what ended it */
    enum error_code tls_problem;    /* why the session is in clear although TLS was tried; E_NONE: STARTTLS was not offered */
    const char *words;              /* of the error that tells of TLS: alerts, time-outs; may be NULL */
    int starttls_code;              /* of the reply to STARTTLS */
    const struct tls_facts *facts;  /* of the handshake, whether judged good enough or not; NULL: none was finished */
};
size_t decide_results(const struct decision *d, const struct decide_event *e, struct policy_result out[POLICY_RESULTS_MAX]);

/* How sure we are of the peer, in the words that logs use (STARTTLS-106, DANE-023). "none": in clear. "encrypted": with
 * whomever. "trusted": chain and name good, but no policy says that the name is the right one, or DANE over an insecure
 * MX. "verified": by DANE over secure DNS, MTA-STS in force, or the operator's rule. */
const char *verdict_name(const struct decision *d, const struct tls_facts *facts);

#endif

/* tests/fact/counting.h - tallies for tests of those who add them up: one line for each. */
#ifndef TESTS_FACT_COUNTING_H
#define TESTS_FACT_COUNTING_H

#include "fact/digest.h"
#include "fact/visit.h"
#include "tests/test.h"

#include <stdlib.h>

/* What a delivery came to, in so many words. */
enum sent {
    BY_DANE, BY_STS, BY_CERTIFICATE, SELF_SIGNED, EXPIRED, OTHER_NAME, DANE_WRONG,  /* under TLS 1.3 with X25519 */
    POST_QUANTUM,               /* as BY_CERTIFICATE */
    OLD,                        /* as SELF_SIGNED, by TLS 1.0 */
    CLEAR, CLEAR_REFUSED, CLEAR_HANDSHAKE, CLEAR_OFF,
    FAILED_CONNECT, FAILED_DANE,
};

static inline struct tls_facts facts_of(enum sent how)
{
    struct tls_facts tls = { .version = TLS_1_3, .group = "X25519", .trust = TLS_TRUST_PKIX, .name_matches = true };

    if (how == BY_DANE)
        tls.dane = TLS_DANE_MATCH;
    if (how == DANE_WRONG || how == FAILED_DANE)
        tls.dane = TLS_DANE_NO_MATCH;
    if (how == POST_QUANTUM)
        snprintf(tls.group, sizeof tls.group, "X25519MLKEM768");
    if (how == OTHER_NAME)
        tls.name_matches = false;
    if (how == EXPIRED) {
        tls.trust = TLS_TRUST_EXPIRED;
        snprintf(tls.trust_problem, sizeof tls.trust_problem, "certificate has expired");
    }
    if (how == SELF_SIGNED || how == OLD) {
        tls.trust = TLS_TRUST_UNTRUSTED;
        tls.self_signed = true;
        snprintf(tls.trust_problem, sizeof tls.trust_problem, "self-signed certificate");
    }
    if (how == OLD)
        tls.version = TLS_1_0;
    return tls;
}

static inline void sent_key(const char *next_hop, enum sent how, struct buf *key)
{
    static const struct tls_rule may = { .level = TLS_LEVEL_MAY }, off = { .level = TLS_LEVEL_OFF };
    static const struct decide_settings settings;
    const struct decide_input input = { .dane = how == BY_DANE || how == DANE_WRONG || how == FAILED_DANE ? DANE_AUTH : DANE_NONE,
                                        .sts = how == BY_STS ? STS_ENFORCE_MATCH : STS_NONE };
    const struct tls_facts tls = facts_of(how);
    const struct fact f = {
        .next_hop = next_hop, .host = "mx.example.net", .relay = "", .why = "",
        .decision = decide(how == CLEAR_OFF ? &off : &may, &settings, &input, NULL),
        .how = how == FAILED_CONNECT ? E_CONNECT : how == FAILED_DANE ? E_DANE_MISMATCH : E_NONE,
        .starttls_missing = how == CLEAR,
        .tls_problem = how == CLEAR_REFUSED ? E_STARTTLS_REFUSED : how == CLEAR_HANDSHAKE ? E_TLS_HANDSHAKE : E_NONE,
        .tls = how <= OLD || how == FAILED_DANE ? &tls : NULL,
    };

    buf_clear(key);
    fact_digest_encode(&f, key);
    CHECK(!key->failed);
}

static inline void receipt_key(const char *domain, enum tls_version version, struct buf *key)
{
    const struct receipt r = { domain, version, version == TLS_VERSION_NONE ? "" : "P-256", "" };

    buf_clear(key);
    receipt_encode(&r, key);
    CHECK(!key->failed);
}

static inline void visit_key(const struct visit *v, const char *address, struct buf *key)
{
    struct visit visit = *v;

    visit.name = v->name ? v->name : "";
    visit.user = v->user ? v->user : "";
    visit.problem = v->problem ? v->problem : "";
    visit.group = visit.cipher = "";
    buf_clear(key);
    if (!address) {
        visit_rest(&visit, key);
        return;
    }
    CHECK(address_parse_ip(slice_of(address), &visit.client));
    visit_encode(&visit, key);
    CHECK(!key->failed);
}

#endif

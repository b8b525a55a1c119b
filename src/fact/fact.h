/* fact/fact.h - the fact record: one attempt at one mail host, what was known, decided and seen (P4).
 *
 * Logs, statistics, reports and `postern explain` are readers of it. Pure
 * values; strings are borrowed for the call, and a decoded fact's from its
 * arena. */
#ifndef FACT_FACT_H
#define FACT_FACT_H

#include "policy/decide.h"

struct fact {
    time_ms wall;                   /* when the attempt ended */
    const char *next_hop;           /* policy domain: the recipients' domain, or the host of a route */
    const char *host;               /* MX host name, or address */
    const char *relay;              /* "mx1.example.net[192.0.2.7]:25"; the host alone when nothing was connected */
    struct decision decision;       /* inputs, row, F, R */
    /* the wire */
    enum error_code how;            /* E_NONE: the session could be used; else what ended it */
    const char *why;                /* in words; "" */
    enum error_code tls_problem;    /* why it was in clear although TLS was tried; E_NONE */
    int starttls_code;              /* of the reply to STARTTLS; 0 */
    bool starttls_missing;
    bool keyword;                   /* REQUIRETLS was offered under TLS */
    const struct tls_facts *tls;    /* NULL: in clear, or no handshake was finished */
    uint64_t messages;              /* sent and accepted; counted when the session ends */
    /* for TLS reports (RFC 8460 4.4) */
    bool own_report;                /* the session was opened for a TLS report of ours: not reported (TLSRPT-022) */
    const char *sending_ip, *receiving_ip, *helo;       /* "" when there was no connection */
    uint64_t policies[POLICY_TYPES];    /* by enum policy_type: ids of the policies applied (tlsrpt/policy.h); 0: none */
};

/* What TLS reports make of it: decide_results of its event. */
size_t fact_results(const struct fact *f, struct policy_result out[POLICY_RESULTS_MAX]);

/* One line with all of it, event "delivery.attempt" (PD-34); to the log, and to the file of records if there is one. */
void fact_log(const struct fact *f);

#endif

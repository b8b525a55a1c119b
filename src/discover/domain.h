/* discover/domain.h - everything that is found of a whole next hop: its mail hosts, what each asks for, its MTA-STS policy.
 *
 * For those who must answer for all hosts at once. A delivery goes host by host
 * (discover/host.h) and stops at the first that takes the mail. */
#ifndef DISCOVER_DOMAIN_H
#define DISCOVER_DOMAIN_H

#include "discover/host.h"

struct domain_discovery {
    struct host_discovery host;
    struct sts_engine *sts;         /* NULL: switched off */
};

struct domain_question {
    const char *name;               /* A-labels, lower case; an address too */
    bool fixed;                     /* the host itself: no MX lookup, no MTA-STS (DT-18) */
    uint16_t port;
};

struct domain_findings {
    struct next_hop hop;
    struct error problem;           /* E_NONE, or why there are no hosts (PD-G1) */
    struct sts_view sts;
    struct host_findings *hosts;    /* in the order to try them */
    size_t count;
    bool cut;                       /* some were not looked at in time: they are as hosts whose lookups failed */
    uint32_t ttl;                   /* seconds, the least of all answers */
};

/* Waits, not much longer than until `deadline`. Always fills `out`, which points into itself, and to `q->name`; memory
 * from `arena`. */
void domain_discover(const struct domain_discovery *d, const struct tls_rule *rule, const struct domain_question *q,
                     time_ms deadline, struct arena *arena, struct domain_findings *out);

/* For how long the findings may be kept. Never longer than an answer or the policy lives, but for a minute at least, as
 * those who ask do not ask for each message (DANE-013); never longer than an hour, so that what is new is seen. Just the
 * minute when a lookup failed, or a policy could not be had: it may come a moment later (MTASTS-032). 0: the MX lookup
 * failed or nobody knows whether there is a policy, so nothing is worth keeping. */
#define DOMAIN_KEEP_LEAST MINUTES(1)
#define DOMAIN_KEEP_MOST HOURS(1)
time_ms domain_keep(const struct domain_findings *f, time_ms wall);

/* Does the problem, or what is not known of the policy, mean that nothing may be decided now (PD-G1, MTASTS-011)? */
bool domain_must_wait(const struct domain_findings *f, struct error *why);

#endif

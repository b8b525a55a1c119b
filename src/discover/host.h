/* discover/host.h - what one mail host of a next hop asks for, from the DNS and from its domain's policy.
 *
 * Puts together what dns/ finds and what policy/ makes of it: addresses,
 * TLSA records and which of them count, the MTA-STS pattern that covers the
 * host. The findings are the input of policy/decide.h. */
#ifndef DISCOVER_HOST_H
#define DISCOVER_HOST_H

#include "discover/sts.h"
#include "dns/tlsa.h"
#include "policy/dane.h"
#include "policy/decide.h"

/* Whom the mail is for, as far as its hosts are concerned. */
struct next_hop {
    const char *domain;             /* as asked: the recipient's domain, or the host of a route */
    const char *canonical;          /* its CNAMEs followed */
    bool fixed;                     /* the operator named the host (DT-18): no MX was looked up */
    bool mx_secure;                 /* the MX answer, or the proof that there is none, is secure; true when fixed */
    bool implicit;                  /* no MX record: the domain is the host (DT-16, -17) */
    const struct sts_view *sts;     /* NULL: not looked for */
};

struct host_findings {
    const char *host;
    bool is_name;                   /* false: an address, for which no policy speaks (DT-19) */
    struct host_addresses addresses;
    struct error no_address;        /* E_NONE, or why there is none */
    bool tlsa_asked;
    struct tlsa_answer tlsa;
    struct dane_records records;
    const char *base;               /* SNI and first name under DANE; else the host */
    const char *names[DANE_NAMES_MAX];
    size_t name_count;
    enum dane_finding dane;
    enum sts_finding sts;
    const char *pattern;            /* the mx line that covers the host; NULL: none */
    struct name_source from;        /* who named the host, */
    bool authentic;                 /* and whether that makes its name authentic (N) */
};

struct host_discovery {
    struct resolver *resolver;
    const struct decide_settings *decide;
    const struct dane_settings *dane;
};

/* Waits. Always fills `out`; memory from `arena`. The order is RFC 7672 2.2.2: addresses, then TLSA. */
void host_discover(const struct host_discovery *d, const struct tls_rule *rule, const struct next_hop *hop,
                   const char *host, uint16_t port, struct arena *arena, struct host_findings *out);

/* What a policy says of a host name (RFC 8461 4.1): on the name that the DNS gave, whatever it is an alias of. */
enum sts_finding host_sts(const struct sts_view *sts, const char *host, const char **pattern);

struct decide_input host_decide_input(const struct host_findings *f, enum mail_need need, bool memory_holds);

#endif

/* dns/hosts.h - from a mail domain to the hosts and addresses that take its mail.
 *
 * RFC 5321 5.1 and RFC 7505 (spec SMTP-120 to -139), with the DNSSEC status of
 * each step kept, because the TLS policy needs it. Ordering and exclusion are
 * pure functions over answers; only the two *_find functions wait. */
#ifndef DNS_HOSTS_H
#define DNS_HOSTS_H

#include "dns/resolver.h"
#include "net/address.h"

struct mail_host {
    const char *name;           /* A-labels, lower case */
    uint16_t preference;
};

/* The shuffle (SMTP-124) depends on `seed` and the names alone, not on the order
 * in which a name server gave them: each name hashed with the seed (FNV-1a, then
 * the finalizer of splitmix64) is its place among hosts of equal preference. */
enum { MAIL_HOSTS_MAX = 64, HOST_ADDRESSES_MAX = 32 };      /* what goes beyond is left out, worst last */

struct mail_hosts {
    struct mail_host *hosts;    /* in the order to try: preference, then shuffled by `seed` within a preference */
    size_t count;
    bool secure;                /* the MX answer (or, with no MX, its proof of absence) is secure */
    bool implicit;              /* no MX record: the domain itself, under the name that was asked (DANE-049) */
    const char *domain;         /* what was asked, CNAMEs followed */
    char status[16];            /* of the MX answer: "secure" "insecure" */
    uint32_t ttl;               /* seconds that all this may be kept (DANE-013) */
};

/* Waits. False with E_DNS, E_DNS_BOGUS (retry), E_NO_SUCH_DOMAIN, E_NULL_MX
 * (both final), or E_NO_USABLE_HOST (MX set of unusable names). An address
 * literal is not for this function. */
bool mail_hosts_find(struct resolver *r, const char *domain, uint64_t seed, struct arena *arena,
                     struct mail_hosts *out, struct error *why) must_check;

/* The same from an answer already at hand (pure; tests). */
bool mail_hosts_from(const struct dns_answer *mx, const char *domain, uint64_t seed, struct arena *arena,
                     struct mail_hosts *out, struct error *why) must_check;

/* Drop every host from the preference of the first that `is_us` on (SMTP-126).
 * False with E_LOOP when none is left. `is_us` may wait. */
bool mail_hosts_drop_us(struct mail_hosts *h, bool (*is_us)(void *arg, const char *host), void *arg,
                        struct error *why) must_check;

struct host_addresses {
    struct address *at;         /* port filled in; IPv6 and IPv4 take turns, IPv6 first (RFC 8305 4) */
    size_t count;
    bool secure;                /* a family came in a secure answer: one is enough, both are of one host (DANE-010) */
    const char *canonical;      /* end of the CNAME chain, of a secure answer when there is one */
    bool aliased;
    uint32_t ttl;               /* seconds, the least of the families used */
};
/* Waits; both families at once. One family in error and the other fine: the
 * fine one is used. False: E_DNS, E_DNS_BOGUS, E_NO_USABLE_HOST (no address), or
 * E_NO_SUCH_DOMAIN: there is no such host, which is final for the mail only when
 * no MX record led here. */
bool host_addresses_find(struct resolver *r, const char *host, uint16_t port, struct arena *arena,
                         struct host_addresses *out, struct error *why) must_check;

/* The same from the answers to AAAA and A (pure; tests). */
bool host_addresses_from(const struct dns_answer *aaaa, const struct dns_answer *a, const char *host, uint16_t port,
                         struct arena *arena, struct host_addresses *out, struct error *why) must_check;

#endif

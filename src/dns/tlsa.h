/* dns/tlsa.h - where a host's TLSA records are, if it has any.
 *
 * RFC 7672 2.2.2 and 2.2.3, RFC 7671 7 (spec DANE-020 to -050): which names
 * are candidates, in which order, and what an answer or an error at each of
 * them means. Never asks while the host's addresses are insecure, for the
 * name servers of many unsigned zones fail on TLSA; an alias whose own record
 * is secure is the exception (DANE-043). */
#ifndef DNS_TLSA_H
#define DNS_TLSA_H

#include "dns/hosts.h"

enum tlsa_status {
    TLSA_NOT_ASKED,         /* the addresses are insecure and no secure alias leads to them (DT-09, -15, -17) */
    TLSA_ABSENT,            /* secure denial at every candidate, or a mix of that and insecure answers (DT-06, -07) */
    TLSA_INSECURE,          /* no candidate gave a secure answer (DT-07) */
    TLSA_FOUND,             /* a secure RRset, usable or not, at `base` (DT-04, -05) */
    TLSA_ERROR,             /* a lookup failed: the host must not be connected to (DT-08, DANE-009) */
};
const char *tlsa_status_name(enum tlsa_status s);       /* "not asked" ... */

/* An RRset beyond these bounds is an error, since a part of it could hide the record that matches. */
enum { TLSA_CANDIDATES_MAX = 2, TLSA_RECORDS_MAX = 256, TLSA_BYTES_MAX = 96 * 1024 };

struct tlsa_answer {
    enum tlsa_status status;
    const char *base;               /* TLSA base domain: the candidate where the records are; else the host */
    const struct slice *records;    /* RDATA of each, whatever its length */
    size_t count;
    uint32_t ttl;                   /* seconds that this may be kept, never more than any answer it rests on,
                                     * the addresses' included (DANE-013); 0 for an error */
    struct error why;               /* for TLSA_ERROR: E_TLSA_LOOKUP */
    /* What was asked, in order, for people. */
    struct tlsa_candidate {
        const char *base;
        char owner[DNS_NAME_MAX];   /* "_25._tcp.mx1.example.net" */
        const char *status;         /* dns_status_name(), or "absent (secure)", "absent (insecure)"; "absent (name
                                     * too long)" of an owner name above 253 bytes: nothing can stand there, so
                                     * it counts as denied and is not asked */
    } asked[TLSA_CANDIDATES_MAX];
    size_t asked_count;
};

/* Waits. `addresses` are those that host_addresses_find gave for `host`.
 * Always fills `out`; memory from `arena`. An address literal is not for this. */
void tlsa_find(struct resolver *r, const char *host, const struct host_addresses *addresses, uint16_t port,
               struct arena *arena, struct tlsa_answer *out);

/* The same with anybody who answers like resolver_ask (tests). */
struct tlsa_source {
    void (*ask)(void *self, const char *name, enum dns_type type, struct arena *arena, struct dns_answer *out);
    void *self;
};
void tlsa_find_from(const struct tlsa_source *source, const char *host, const struct host_addresses *addresses,
                    uint16_t port, struct arena *arena, struct tlsa_answer *out);

#endif

/* dns/answer.h - what a question to the DNS came to, with how far to trust it.
 *
 * The status is the one thing that DANE stands on (RFC 7672 2.1.1, spec
 * DANE-001 to -006): an answer is secure, insecure, or it is an error, and
 * "there is no such record" is an answer. A bogus answer is never shown as
 * data, whatever the library found. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"

enum dns_type {
    DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33, DNS_TLSA = 52
};

enum dns_status {
    DNS_FOUND,          /* at least one record */
    DNS_NO_DATA,        /* the name exists, not with this type */
    DNS_NO_NAME,        /* NXDOMAIN */
    DNS_FAILED,         /* SERVFAIL, REFUSED, timeout, malformed, no trust anchor loaded */
    DNS_BOGUS,          /* DNSSEC validation failed; no data */
};

struct dns_answer {
    enum dns_status status;
    bool secure;                /* validated from a trust anchor (for absence too); false for errors */
    const char *canonical;      /* the name at the end of the CNAME chain, without final dot, lower case; the question when no CNAME */
    bool aliased;               /* a CNAME was followed */
    uint32_t ttl;               /* seconds; of the answer as a whole, and no longer than its signatures hold */
    struct slice *records;      /* RDATA of each, wire format */
    size_t count;
    const char *why;            /* for DNS_FAILED and DNS_BOGUS: the resolver's own words; else "" */
};

const char *dns_status_name(const struct dns_answer *a);    /* "secure", "insecure", "bogus", "error" */
const char *dns_type_name(enum dns_type type);
bool dns_type_parse(struct slice text, enum dns_type *type) must_check;     /* "MX"; case does not matter */

/* What an error among answers means for the operator: "TLSA record of NAME cannot be looked up: no answer in time".
 * Returns false. */
bool dns_answer_fail(const struct dns_answer *a, const char *name, enum dns_type type, enum error_code code,
                     struct error *why);
bool dns_answer_is_error(const struct dns_answer *a);       /* DNS_FAILED or DNS_BOGUS */

/* A wire-format name (uncompressed, as in RDATA) as text: lower case, no final
 * dot, "." for the root; bytes that are not letters, digits, hyphen or
 * underscore as \DDD. `text` takes DNS_NAME_MAX. Says how long it was in `*used`. */
enum { DNS_NAME_MAX = 1025 };
bool dns_name_text(struct slice wire, char text[DNS_NAME_MAX], size_t *used) must_check;

/* Names compare without case: a copy in lower case, without final dot; the root stays ".". */
const char *dns_name_copy(struct arena *arena, struct slice name);

/* How many CNAME records stand in the answer section of a DNS message: the
 * links of the chain that led to the answer. Stops counting where the message
 * makes no sense. */
enum { DNS_ALIASES_MAX = 8 };       /* a longer chain is an error (DANE-012) */
size_t dns_aliases_in(struct slice message);

/* How many seconds the first of a message's signatures still holds at `now` (seconds of 1970); UINT32_MAX without any. */
uint32_t dns_signed_seconds(struct slice message, uint32_t now);

/* Can `name` be asked for: 1 to 253 bytes, labels of 1 to 63 bytes of letters,
 * digits, hyphen and underscore, no final dot (a "*" alone may be a label). */
bool dns_name_valid(const char *name);

#endif

/* lab/cases.h - every case of the TLS policy, as one table.
 *
 * A row is one domain below lab.example: what it shows, what a correct sender
 * does, and how its zone, certificates, mail hosts and policy host must be
 * made for that. Everything else in this room is generated from here: adding
 * a case is adding a row.
 *
 * Names in a row are short: "mx.@" is the host mx of the row's own domain,
 * "mx.elsewhere" one below lab.example. */
#ifndef LAB_CASES_H
#define LAB_CASES_H

#include "base/arena.h"
#include "lab/attack.h"

#define LAB_DOMAIN "lab.example"

enum lab_outcome {
    LAB_VERIFIED,               /* delivered, to a peer that was authenticated */
    LAB_ENCRYPTED,              /* delivered under TLS, the peer unproved */
    LAB_CLEAR,                  /* delivered without TLS */
    LAB_DEFERRED,               /* not delivered: held and tried again */
    LAB_BOUNCED,                /* not delivered, for good */
};
const char *lab_outcome_name(enum lab_outcome o);       /* "delivered verified" ... "bounced" */

struct lab_certificate {
    enum {
        AS_USUAL,               /* a mail host's: self-signed; a policy host's: by the CA */
        BY_ITSELF,              /* self-signed */
        BY_CA,                  /* the lab's CA, which senders in the lab trust */
        BY_ANCHOR,              /* another one, which nobody trusts but by a TLSA record */
    } signer;
    const char *name;           /* NULL: the host's own */
    bool expired, common_name_only;
    bool alone;                 /* the chain is sent without the signer's certificate */
};

struct lab_host {
    const char *name;           /* NULL: "mx.@"; "@" is the domain itself */
    const char *alias;          /* the MX record says this, a CNAME to `name` */
    const char *tlsa;           /* see zone.h: "3 1 1 leaf" */
    const char *tlsa_base;      /* the TLSA records are at this host name; NULL: `name` */
    const char *tlsa_alias;     /* a CNAME at their place leads to this name, where they are */
    struct lab_certificate certificate;
    bool no_tls;                /* STARTTLS is not offered */
    bool old_tls;               /* nothing above TLS 1.0 */
    bool demands_tls;           /* 530 to MAIL in clear */
    bool requiretls;            /* the keyword of RFC 8689, inside TLS */
    enum attack trouble;        /* as if an attacker stood in front of it */
};

enum lab_web {                  /* how the policy host answers */
    WEB_POLICY, WEB_NOT_FOUND, WEB_REDIRECT, WEB_STALL, WEB_HTML, WEB_HUGE, WEB_ENDLESS, WEB_NONSENSE,
};

struct lab_policy {
    const char *mode;           /* NULL: the domain has no MTA-STS */
    const char *mx;             /* NULL: the names in the MX records */
    const char *max_age;        /* NULL: a week */
    enum lab_web answer;
    struct lab_certificate certificate;
    bool two_records;           /* at _mta-sts, which makes none of them count */
};

enum lab_signing {
    IN_LAB,                     /* names of the signed zone lab.example */
    UNSIGNED,                   /* a zone of its own, without signatures */
    SIGNED_APART,               /* a zone of its own, signed */
    SIGNED_LONG_AGO,            /* the same, and the signatures have expired */
};

enum { LAB_HOSTS_MAX = 2 };

struct lab_case {
    const char *domain;
    const char *shows;
    enum lab_outcome outcome;
    const char *spec;           /* requirement or row */
    const char *message;        /* what the message asks for: "REQUIRETLS", "TLS-Required: No"; NULL: nothing */
    enum lab_signing signing;
    const char *unsigned_part;  /* names below this one are in an unsigned zone */
    const char *broken;         /* type whose signature is wrong: "MX", or "TLSA" of the first host */
    bool tlsa_servfail;         /* the zone's name server fails on TLSA */
    enum { MX_RECORDS, NO_MX, NULL_MX } mail;
    struct lab_host hosts[LAB_HOSTS_MAX];   /* a second one has a name */
    struct lab_policy policy;
    const char *reports;        /* the case whose host takes TLS reports for this one; NULL: "reports" */
};

extern const struct lab_case lab_cases[];
extern const size_t lab_case_count;

size_t lab_host_count(const struct lab_case *c);
const struct lab_case *lab_case_find(struct slice domain);      /* "dane-ee" or "dane-ee.lab.example"; NULL for none */

/* "mx.@" in full: "mx.dane-ee.lab.example"; from `arena`. */
const char *lab_name(const struct lab_case *c, const char *name, struct arena *arena);

#endif

/* dkim/signature.h - the DKIM-Signature field, RFC 6376 3.5, and what it asks for. Pure. */
#ifndef DKIM_SIGNATURE_H
#define DKIM_SIGNATURE_H

#include "base/clock.h"
#include "dkim/canon.h"
#include "dkim/tags.h"

enum {
    DKIM_NAMES_MAX = 256,           /* in h= */
    DKIM_NAME_MAX = 253,            /* bytes of a domain name */
    DKIM_SIGNATURE_MAX = 1024,      /* bytes in b=: RSA of 8192 bits */
};

struct dkim_signature {
    enum signature_kind kind;               /* a= */
    enum dkim_canon header, body;           /* c= */
    struct slice domain, selector;          /* d=, s= */
    struct slice names[DKIM_NAMES_MAX];     /* h= */
    size_t name_count;
    bool below;                             /* i= is in a subdomain of d= */
    time_ms made, expires;                  /* t=, x=; 0 and TIME_NEVER when not told */
    uint8_t body_hash[SHA256_BYTES];        /* bh= */
    char bytes[DKIM_SIGNATURE_MAX];         /* b= */
    size_t bytes_len;
    struct slice b;                         /* where that stands in the field: it is not part of what is signed */
};

/* Borrows from the value that `tags` were parsed from. E_MALFORMED: makes no sense, or asks for what is not allowed:
 * rsa-sha1 (RFC 8301 3.1), l=. Whether it has expired is not looked at. */
bool dkim_signature_from(const struct dkim_tags *tags, struct dkim_signature *out, struct error *why) must_check;

/* A name of the DNS as d= and s= have it: labels of letters, digits, "-" and "_", `least` of them. */
bool dkim_name_is_valid(struct slice name, size_t least);

#endif

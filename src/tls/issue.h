/* tls/issue.h - certificates made to order, right ones and wrong ones.
 *
 * For a lab: a small authority, leaves of any name and date, the data of the
 * TLSA records that fit them, and a server that knows only old TLS. Nothing
 * here belongs into the way of real mail. */
#ifndef TLS_ISSUE_H
#define TLS_ISSUE_H

#include "base/buf.h"
#include "tls/context.h"

struct tls_order {
    const char *name;                   /* the DNS-ID and the CN; of an authority only the CN, and any text */
    bool authority;                     /* may sign others */
    bool common_name_only;              /* no DNS-ID: the name stands in the subject alone */
    time_ms from, until;                /* wall clock; seconds count */
    const struct tls_identity *issuer;  /* who signs; NULL: the certificate itself */
    bool with_issuer;                   /* the issuer's certificate stands behind the leaf in the chain file */
};

/* ECDSA P-256, into two files that replace what was there (the key mode 0600). */
bool tls_issue(const struct tls_order *order, const struct tls_identity *files, struct error *why) must_check;

/* The Certificate Association Data (RFC 6698 2.1.4) for a certificate of a
 * chain file, the first being 0: selector 0 or 1, matching type 0 to 2. */
bool tls_association(const char *chain_file, size_t which, unsigned selector, unsigned matching, struct buf *out,
                     struct error *why) must_check;

/* From now on the server speaks no newer version than `most`; its minimum must allow that. */
void tls_server_limit(const struct tls_server *server, enum tls_version most);

#endif

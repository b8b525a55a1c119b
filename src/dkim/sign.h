/* dkim/sign.h - DKIM signatures on what we send (RFC 6376, RFC 8463).
 *
 * relaxed/relaxed, SHA-256, RSA or Ed25519 as the key is; never l=. Fields that
 * change what is read cannot be added afterwards, not even where there were
 * none (RFC 6376 8.15), but what relays add in good faith can. Bytes are
 * fed as they pass, so a message of any size costs no memory but its header. */
#ifndef DKIM_SIGN_H
#define DKIM_SIGN_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "tls/signature.h"

struct dkim_signer {
    const char *domain, *selector;      /* d=, s= */
    const struct signing_key *key;
};

struct dkim_signing;
struct dkim_signing *dkim_signing_new(const struct dkim_signer *s);     /* borrows it */
void dkim_signing_free(struct dkim_signing *d);                         /* NULL is fine */
void dkim_signing_add(struct dkim_signing *d, struct slice bytes);      /* the message, with CRLF, in pieces of any size */

/* After the last byte, once: the field with CRLF, folded, to be put on top of the message; at most 6 KiB. E_MALFORMED: no
 * From field, or more than one (RFC 6376 5.4, 8.15), or a line in the header that is no field; E_LIMIT: the header is larger
 * than 256 KiB or has more than 4000 fields. */
bool dkim_signing_end(struct dkim_signing *d, time_ms wall, struct buf *out, struct error *why) must_check;

#endif

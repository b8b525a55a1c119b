/* dkim/key.h - the record in which a domain publishes a key, RFC 6376 3.6.1, RFC 8463 4. Pure. */
#ifndef DKIM_KEY_H
#define DKIM_KEY_H

#include "dkim/signature.h"

enum { DKIM_KEY_MAX = 2048 };       /* bytes in p= */

/* Take the key out of a TXT record, if it is one for this signature and this service (s=). E_MALFORMED says why not. */
bool dkim_key_from(struct slice text, const struct dkim_signature *by, const char *service, struct buf *key,
                   struct error *why) must_check;

#endif

/* dkim/verify.h - checking the DKIM signatures of a message (RFC 6376 6, RFC 8301, RFC 8463). */
#ifndef DKIM_VERIFY_H
#define DKIM_VERIFY_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"

enum dkim_verdict {
    DKIM_PASS,
    DKIM_FAIL,                  /* body hash or signature do not fit */
    DKIM_NO_KEY,                /* none published, revoked, not for this, or only for testing (t=y) */
    DKIM_UNKNOWN,               /* the key could not be looked up: try again later */
    DKIM_INVALID,               /* the field makes no sense, or what it asks for is not allowed (rsa-sha1, l=); or the
                                 * header does not: no From, several, a line that is no field, more than 256 KiB; or a field
                                 * that a message has only once, as Subject or Content-Type, stands more often than is signed */
    DKIM_EXPIRED,
};
const char *dkim_verdict_name(enum dkim_verdict v);     /* "pass" "fail" ... */

struct dkim_result {
    enum dkim_verdict verdict;
    const char *domain, *selector;      /* lower case; "" when unreadable */
    const char *words;                  /* why not, one line; "" for a pass */
    struct slice names;                 /* h=, borrowed from the message; empty unless it passed */
};

/* Does the signature vouch for the field of that name, or for that there is none? Only one that passed does. */
bool dkim_covers(const struct dkim_result *r, struct slice name);

/* Who looks up keys: all TXT records at NAME, strings joined. May wait. */
enum dkim_lookup { DKIM_LOOKUP_FOUND, DKIM_LOOKUP_NONE, DKIM_LOOKUP_FAILED };
struct dkim_keys {
    enum dkim_lookup (*find)(void *self, const char *name, struct arena *arena, struct slice *texts, size_t most,
                             size_t *count);
    void *self;
};

/* The signatures of a message at hand (CRLF or bare LF lines), the first eight. `service`: the s= tag of the key must allow
 * it ("tlsrpt"; RFC 8460 3) or be "*". A signature with l= is DKIM_INVALID: it leaves room for what its signer never saw.
 * Memory from `arena`. Returns how many. */
enum { DKIM_RESULTS_MAX = 8 };
size_t dkim_verify(struct slice message, const char *service, time_ms wall, const struct dkim_keys *keys,
                   struct arena *arena, struct dkim_result out[DKIM_RESULTS_MAX]);

#endif

/* postfix/map_key.h - what a key of smtp_tls_policy_maps names. Pure.
 *
 * Postfix asks for the next hop as it is configured: a recipient's domain,
 * "domain:port", "[host]", "[host]:port", or an address in brackets. A port may be
 * a name, as in "[host]:submission". When it is told nothing it asks on for
 * parent domains, which begin with a dot. */
#ifndef POSTFIX_MAP_KEY_H
#define POSTFIX_MAP_KEY_H

#include "base/slice.h"

enum map_key_kind {
    MAP_KEY_NOTHING,            /* a parent, or no name at all: there is nothing to say */
    MAP_KEY_DOMAIN,             /* its mail hosts are looked up */
    MAP_KEY_HOST,               /* in brackets: the host itself; no MX record counts, and no MTA-STS policy speaks of it */
    MAP_KEY_ADDRESS,            /* only the operator's rules speak of it */
    MAP_KEY_UNCLEAR,            /* Postfix can send there, and what it means is not known here: NOTFOUND could be a lie */
};

enum { MAP_KEY_MAX = 1024 };    /* bytes of a key that can name something: a name in UTF-8 is longer than its A-labels */

struct map_key {
    enum map_key_kind kind;
    char name[256];             /* without brackets and port, lower case; "": too long to be kept */
    uint16_t port;              /* 0: not known */
    const char *why;            /* of MAP_KEY_UNCLEAR, for the operator */
};

void map_key_parse(struct slice key, uint16_t default_port, struct map_key *out);

#endif

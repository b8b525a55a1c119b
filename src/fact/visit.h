/* fact/visit.h - what one client did in one session with us, as it is counted by day. Pure.
 *
 * Answers who would be cut off by a stricter rule: which client, by address,
 * by the name it gives and by its user, sent how much in clear or by which TLS
 * version, and whose handshakes fail. Strings are borrowed for the call; those
 * of a decoded one are its arena's. Of each at most 255 bytes are kept. */
#ifndef FACT_VISIT_H
#define FACT_VISIT_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/address.h"
#include "tls/session.h"

enum visit_role { VISIT_MX, VISIT_SUBMISSION };
enum visit_end {
    VISIT_SENT,                     /* counted are messages */
    VISIT_HANDSHAKE_FAILED,         /* counted are sessions */
    VISIT_REFUSED_IN_CLEAR,         /* the client wanted to send, but the listener wants TLS; counted are sessions */
};

struct visit {
    enum visit_role role;
    enum visit_end end;
    struct address client;          /* its port does not count; "none" for the clients beyond the bound of a day */
    const char *name;               /* of EHLO, as it came, escaped; "" */
    const char *user;               /* authenticated as; "" */
    bool password_in_clear;         /* it sent one outside TLS */
    enum tls_version version;       /* TLS_VERSION_NONE: in clear */
    const char *group, *cipher;     /* "" in clear */
    const char *problem;            /* of the handshake, as its error says it, but without "TLS handshake failed: "; "".
                                     * What stands in quotes is the client's, and may differ each time: "..." is kept of it */
};

/* Keys of one role's client stand together. */
void visit_encode(const struct visit *v, struct buf *out);
bool visit_decode(struct slice key, struct arena *arena, struct visit *out) must_check;
/* The same without whom, and without cipher and problem: for the clients beyond the bound of a day. */
void visit_rest(const struct visit *v, struct buf *out);

/* Messages taken on an mx listener, by the domain of the sender ("" for null). Keys of one domain stand together. */
struct receipt {
    const char *domain;             /* kept in lower case */
    enum tls_version version;
    const char *group, *cipher;
};
void receipt_encode(const struct receipt *r, struct buf *out);
bool receipt_decode(struct slice key, struct arena *arena, struct receipt *out) must_check;
void receipt_rest(const struct receipt *r, struct buf *out);    /* domain "(others)", no cipher */

#endif

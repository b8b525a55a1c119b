/* dkim/canon.h - what is signed of a message: its canonical form, RFC 6376 3.4.
 *
 * "simple" tolerates nothing, "relaxed" that white space and folds change.
 * A bare LF counts as the end of a line and a bare CR as any other byte. */
#ifndef DKIM_CANON_H
#define DKIM_CANON_H

#include "base/buf.h"
#include "tls/signature.h"

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

/* One field with its folds, without the line end behind it; so is what is added to `out`, at most twice as long. */
void dkim_canon_field(struct slice field, enum dkim_canon canon, struct buf *out);

/* A body, in pieces of any size, on its way into a hash. */
struct dkim_body {
    struct sha256 *hash;
    enum dkim_canon canon;
    size_t line_ends;           /* not hashed yet: they may be the last, and those do not count */
    bool blank, cr;             /* nor are a run of blanks and a CR, in this order, behind them */
    bool begun;                 /* something is hashed */
};
void dkim_body_init(struct dkim_body *b, enum dkim_canon canon, struct sha256 *hash);     /* borrows `hash` */
void dkim_body_add(struct dkim_body *b, struct slice piece);
void dkim_body_end(struct dkim_body *b, uint8_t out[SHA256_BYTES]);

#endif

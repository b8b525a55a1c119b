/* tests/dkim/hand.h - a second opinion on DKIM: slow, simple, and obedient.
 *
 * It signs whatever it is told to, so that tests can have valid signatures in
 * fields that make no sense. Works on whole strings, line by line. */
#ifndef TESTS_DKIM_HAND_H
#define TESTS_DKIM_HAND_H

#include "base/buf.h"
#include "dkim/sign.h"
#include "dkim/verify.h"

/* Keys of our own, made once in each program. */
const struct signing_key *hand_key(enum signature_kind kind);
/* "v=DKIM1; k=rsa; p=..." */
const char *hand_record(enum signature_kind kind);

/* 2023-11-14T22:13:20Z, when all is signed. */
enum { HAND_SECONDS = 1700000000 };

struct hand_wish {
    enum signature_kind kind;
    bool simple_header, simple_body;
    const char *names;          /* h=; NULL for "From:Subject:Date" */
    const char *tags;           /* put instead of "v=1; d=example.org; s=sel; t=1700000000" */
    const char *algorithm;      /* put instead of a= as it is */
};

/* `message` with a signature on top. */
void hand_sign(struct slice message, const struct hand_wish *wish, struct buf *out);

/* The canonical forms; both arguments whole. */
void hand_body(struct slice body, bool simple, struct buf *out);
void hand_field(struct slice field, bool simple, struct buf *out);     /* with CRLF */

/* A zone with a few keys. */
struct hand_zone {
    struct {
        const char *name, *text;
    } at[12];
    bool down;                  /* nothing can be looked up */
    unsigned asked;
    char last[300];             /* the name that was asked for last */
};
struct dkim_keys hand_keys(struct hand_zone *zone);

/* dkim_verify at HAND_SECONDS for mail; the memory is gone with the next call. */
size_t hand_verify(struct slice message, struct hand_zone *zone, struct dkim_result out[DKIM_RESULTS_MAX]);

#endif

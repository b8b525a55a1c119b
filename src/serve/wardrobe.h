/* serve/wardrobe.h - our own certificates: those in force, and since when each was.
 *
 * The master reads them with each generation, and every process it forks has
 * them. The store keeps their history (NOTE_CERTIFICATE), so that what others
 * saw of us can be explained: "our certificate changed at 10:02". A
 * certificate goes by the first of its names; where two go by one name, as
 * with ECDSA beside RSA, those behind the first have their key added:
 * "mx.example.org (RSA 2048)". */
#ifndef SERVE_WARDROBE_H
#define SERVE_WARDROBE_H

#include "serve/scribe.h"
#include "tls/own.h"

struct wardrobe_item {
    char name[300];             /* also the key of its note */
    char *file;
    struct tls_own own;
};
struct wardrobe {
    struct wardrobe_item *items;
    size_t count;
};
struct wardrobe *wardrobe_new(const struct tls_identity *identities, size_t count, struct error *why) must_check;
void wardrobe_free(struct wardrobe *w);     /* NULL is fine */

/* --- history -------------------------------------------------------------------- */

struct wardrobe_piece {
    time_ms seen;               /* wall clock: when it was first in force */
    time_ms not_before, not_after;
    char fingerprint[65], key_fingerprint[65];
};
enum { WARDROBE_PIECES_MAX = 32 };
struct wardrobe_history {
    struct wardrobe_piece at[WARDROBE_PIECES_MAX];      /* oldest first; the last is in force */
    size_t count;
};

/* True when the last one was another. A full history loses its oldest; one of before that comes back is a new piece. */
bool wardrobe_history_add(struct wardrobe_history *h, const struct wardrobe_piece *now);

void wardrobe_history_encode(const struct wardrobe_history *h, struct buf *out);
bool wardrobe_history_decode(struct slice bytes, struct wardrobe_history *h) must_check;

/* Waits. Writes down those that the store does not know to be in force; once, at the start of a process. */
void wardrobe_record(struct scribe *n, const struct wardrobe *w);

#endif

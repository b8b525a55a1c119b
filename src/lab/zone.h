/* lab/zone.h - the text of the lab's DNS zones.
 *
 * What the TLSA records of a host are is said in the table of cases in a few
 * words, records parted by commas:
 *
 *     3 1 1 leaf          usage, selector, matching type; of the host's own certificate
 *     2 1 1 issuer        of the one that signed it
 *     3 1 2 other         of no certificate there is; each time another one
 *     3 1 1 length 31     data that has this many bytes, whatever the matching type wants
 *     59*3 1 2 other      so many of them */
#ifndef LAB_ZONE_H
#define LAB_ZONE_H

#include "base/buf.h"
#include "lab/plan.h"

struct zone_tlsa {
    unsigned repeat, usage, selector, matching;
    enum { TLSA_OF_LEAF, TLSA_OF_ISSUER, TLSA_OF_NOBODY, TLSA_OF_LENGTH } what;
    unsigned length;
};
/* The next record of the list `*rest`; false when it makes no sense. */
bool zone_tlsa_next(struct slice *rest, struct zone_tlsa *out) must_check;

/* All records of one zone, not signed yet. Certificates must have been made.
 * `delegations`: the DS records of its signed children. */
bool zone_write(const struct plan *p, const struct plan_zone *z, struct slice delegations, struct buf *out,
                struct error *why) must_check;

/* The text of a signed zone, with what the signer writes and nsd cannot read
 * put into other words: TLSA records without data. */
void zone_mend(struct slice text, struct buf *out);

/* Spoil the signature over the records of this name and type, in the text of
 * a signed zone. False when there is none. */
bool zone_break(struct buf *text, const char *name, const char *type) must_check;

#endif

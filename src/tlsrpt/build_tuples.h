/* tlsrpt/build_tuples.h - the kinds of failure of one policy, each with its count. Only for build.c.
 *
 * At most `most` of them, the most frequent; what further ones counted is told
 * together, as one kind of its own (TLSRPT-020). */
#ifndef TLSRPT_BUILD_TUPLES_H
#define TLSRPT_BUILD_TUPLES_H

#include "tlsrpt/report.h"
#include "tlsrpt/tally.h"

struct tuples {
    struct report_failure *at;      /* the strings of each are one block, which begins with its result_type */
    size_t count, room;
    size_t most;
    uint64_t rest;                  /* sessions of those that are not kept */
};

void tuples_init(struct tuples *t, size_t most);
void tuples_done(struct tuples *t);

void tuples_add(struct tuples *t, const struct report_tally *tally, uint64_t count);
void tuples_move(struct tuples *from, struct tuples *to);       /* leaves `from` empty */

/* Equal ones merged, sorted by count and then by their words, the rest among them. Nothing may be added any more. */
void tuples_finish(struct tuples *t);

uint64_t count_sum(uint64_t a, uint64_t b);     /* stays at the largest number */

#endif

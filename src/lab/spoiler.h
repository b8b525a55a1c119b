/* lab/spoiler.h - a name server that fails on TLSA.
 *
 * Stands in front of the authority: every question is passed on and its
 * answer back, but for TLSA, to which it says SERVFAIL. UDP; the zones behind
 * it are small. */
#ifndef LAB_SPOILER_H
#define LAB_SPOILER_H

#include "base/buf.h"
#include "net/address.h"

struct spoiler;
/* `at`: port 0 is filled in. `authority`, whose port may be set later, must outlive it. */
struct spoiler *spoiler_open(struct address *at, const struct address *authority, struct error *why) must_check;
void spoiler_close(struct spoiler *s);      /* NULL is fine; first service_end_all */

/* The answer SERVFAIL to `query` when it asks for TLSA; false for any other. */
bool spoiler_refuses(struct slice query, struct buf *answer);

#endif

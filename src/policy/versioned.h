/* policy/versioned.h - the one TXT record among several that begins with a version: "v=STSv1", "v=TLSRPTv1". Pure. */
#ifndef POLICY_VERSIONED_H
#define POLICY_VERSIONED_H

#include "base/slice.h"

/* RFC 8461 3.1 and RFC 8460 3: records that do not begin with the version and a ';' "are discarded", and what is left
 * must be one. Yet both grammars allow blanks before that ';'. So a loose one counts while no strict one is there
 * (MTASTS-005). Returns how many count; with one, `*out` is it, from its version on. */
size_t versioned_find(const struct slice *texts, size_t count, struct slice version, struct slice *out);

#endif

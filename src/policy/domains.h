/* policy/domains.h - which rule of the operator's table a domain falls under. Pure.
 *
 * A rule is named by a domain ("example.org": only that), by a domain with a
 * leading dot (".example.org": every name below it), or "default". The most
 * specific one wins: the exact name, then the longest suffix, then default. */
#ifndef POLICY_DOMAINS_H
#define POLICY_DOMAINS_H

#include "base/slice.h"

struct domain_table;
struct domain_table *domain_table_new(void);
void domain_table_free(struct domain_table *t);     /* not the rules; NULL is fine */

/* `name` is copied and compared without case. False when it is there already. */
bool domain_table_add(struct domain_table *t, struct slice name, const void *rule) must_check;

/* NULL when nothing fits and there is no default. */
const void *domain_table_find(const struct domain_table *t, struct slice domain);

#endif

#include "tlsrpt/organisation.h"

#include <libpsl.h>

/* NULL for a public suffix, or when this libpsl has no list. */
static const char *organisation_of(const char *domain)
{
    const psl_ctx_t *list = psl_builtin();

    return list && domain[0] ? psl_registrable_domain(list, domain) : NULL;
}

bool organisation_is_shared(const char *a, const char *b)
{
    const char *first = organisation_of(a), *second = organisation_of(b);

    return first && second && strcmp(first, second) == 0;
}

bool domain_is_within(const char *name, const char *domain)
{
    struct slice whole = slice_of(name), end = slice_of(domain);

    if (end.len == 0 || !slice_ends_nocase(whole, end))
        return false;
    return whole.len == end.len || whole.at[whole.len - end.len - 1] == '.';
}

/* tests/policy/corner.h - every combination of what decide() is told. */
#ifndef TESTS_POLICY_CORNER_H
#define TESTS_POLICY_CORNER_H

#include "policy/decide.h"

enum {
    NEEDS = 4,
    LEVELS = 5,
    DANES = 5,
    STSES = 5,
    CORNERS = NEEDS * LEVELS * DANES * STSES * 2 /* name */ * 2 /* memory */ * 2 /* sts-with-dane */
              * 2 /* tls-required-no */ * 2 /* override */ * 3 /* requiretls */,
};

struct corner {
    struct tls_rule rule;           /* cleartext_after: five minutes */
    struct decide_settings settings;
    struct decide_input input;
};
struct corner corner_at(size_t number);

/* decide() at that corner. The rule stands in `c`. */
struct decision corner_decide(const struct corner *c, struct error *why);

/* "mail=standard level=may ...", for a test that fails. Static memory. */
const char *corner_text(const struct corner *c);

#endif

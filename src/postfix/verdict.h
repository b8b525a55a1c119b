/* postfix/verdict.h - what was found of a next hop, in the words of smtp_tls_policy_maps. Pure.
 *
 * policy/decide.h says what each host must prove; Postfix takes one level for
 * all hosts of a next hop. The verdict is the level under which no host gets
 * mail for less than its own decision asks for, and of those the one under which
 * most hosts get it. README.md has the table. Nothing is ever answered by a level
 * that lets MTA-STS stand in for a DANE check that would fail. */
#ifndef POSTFIX_VERDICT_H
#define POSTFIX_VERDICT_H

#include "discover/domain.h"
#include "postfix/request.h"

struct verdict_terms {
    const struct tls_rule *rule;            /* of the operator for this next hop */
    bool named;                             /* the rule is not the default one: it speaks even when it asks for nothing */
    const struct decide_settings *settings;
};

struct verdict {
    enum map_status status;                 /* MAP_FOUND, MAP_NOT_FOUND, MAP_TRY_LATER */
    struct slice text;                      /* "secure match=mx.example.org servername=hostname"; why, when later */
    struct slice reported;                  /* the same with what TLS reports need, for Postfix 3.10 and later */
    const char *because;                    /* for logs: "dane", "mta-sts", "rule", "nothing", "error" */
};

/* Memory from `arena`. */
void verdict_of(const struct domain_findings *f, const struct verdict_terms *terms, struct arena *arena,
                struct verdict *out);

#endif

#include "tests/policy/corner.h"

#include <stdio.h>

static unsigned take(size_t *number, unsigned values)
{
    unsigned value = (unsigned)(*number % values);

    *number /= values;
    return value;
}

struct corner corner_at(size_t number)
{
    struct corner c = { .rule = { .cleartext_after = MINUTES(5) } };

    c.input.need = (enum mail_need)take(&number, NEEDS);
    c.rule.level = (enum tls_level)take(&number, LEVELS);
    c.input.dane = (enum dane_finding)take(&number, DANES);
    c.input.sts = (enum sts_finding)take(&number, STSES);
    c.input.authentic = take(&number, 2);
    c.input.memory_holds = take(&number, 2);
    c.settings.dane_satisfies_sts = take(&number, 2);
    c.settings.tls_optional_lifts_all = take(&number, 2);
    c.rule.allow_cleartext_override = take(&number, 2);
    c.rule.requiretls = (enum requiretls_rule)take(&number, 3);
    return c;
}

struct decision corner_decide(const struct corner *c, struct error *why)
{
    return decide(&c->rule, &c->settings, &c->input, why);
}

const char *corner_text(const struct corner *c)
{
    static char text[300];

    snprintf(text, sizeof text, "mail=%s level=%s dane=%s sts=%s name=%d memory=%d sts-with-dane=%s "
             "tls-required-no=%s override=%d requiretls=%s", mail_need_name(c->input.need), tls_level_name(c->rule.level),
             dane_finding_name(c->input.dane), sts_finding_name(c->input.sts), c->input.authentic,
             c->input.memory_holds, c->settings.dane_satisfies_sts ? "dane" : "both",
             c->settings.tls_optional_lifts_all ? "all" : "recipient", c->rule.allow_cleartext_override,
             requiretls_rule_name(c->rule.requiretls));
    return text;
}

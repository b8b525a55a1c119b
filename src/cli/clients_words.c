/* What each way to show clients calls the same; see cli/clients.h. */
#include "cli/clients.h"

#include <stdio.h>

bool clients_view_has_rule(const struct clients_view *v)
{
    return v->rule.tls_required || v->rule.minimum != TLS_VERSION_NONE;
}

const char *clients_rule_text(const struct clients_rule *rule, char text[CLIENTS_RULE_MAX])
{
    bool both = rule->tls_required && rule->minimum != TLS_VERSION_NONE;
    const char *version = tls_version_name(rule->minimum);

    snprintf(text, CLIENTS_RULE_MAX, "%s%s%s%s", rule->tls_required ? "tls=required" : "", both ? ", " : "",
             rule->minimum != TLS_VERSION_NONE ? "tls-minimum=" : "",
             rule->minimum != TLS_VERSION_NONE ? version + strlen("TLSv") : "");
    return text;
}

const char *clients_who(const struct clients_view *v, const struct client *c)
{
    if (c->unnamed)
        return "(others)";
    if (c->who[0])
        return c->who;
    return v->by == CLIENTS_BY_USER ? "(not authenticated)" : "(no name)";
}

const char *clients_role_name(enum visit_role role)
{
    return role == VISIT_MX ? "mx" : "submission";
}

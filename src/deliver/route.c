#include "deliver/route.h"

#include "dns/answer.h"
#include "net/address.h"

enum { ROUTE_PATH_MAX = 255 };      /* it stands beside each recipient in the frames between processes */

/* An address, or a name that can be asked for: lower case, no final dot, A-labels. */
static bool parse_host(struct slice host, struct arena *arena, const char **out, struct error *why)
{
    struct address ignored;
    struct slice copy;

    if (host.len > 1 && host.at[host.len - 1] == '.')
        host.len--;
    copy = arena_copy(arena, host);
    for (size_t i = 0; i < copy.len; i++)
        ((char *)copy.at)[i] = byte_lower(copy.at[i]);
    *out = arena_string(arena, copy);
    if (address_parse_ip(copy, &ignored) || dns_name_valid(*out))
        return true;
    return fail(why, E_USAGE, "route smtp: \"%.*s\" is no host name; write one with letters, digits and hyphens, an IDN "
                "as its A-labels (xn--...)", SLICE_ARGS(host));
}

static bool parse_smtp(struct slice rest, struct arena *arena, struct route *out, struct error *why)
{
    struct slice target = slice_cut(&rest, ' ');
    struct slice option = slice_trim(rest);
    struct slice host;

    if (target.len == 0)
        return fail(why, E_USAGE, "route smtp needs a host: write \"smtp mail.example.org:25\"");
    if (!host_port_parse(target, 25, &host, &out->port, why))
        return blame(why, "route smtp");
    if (option.len && !slice_equal_nocase(option, SLICE("implicit")))
        return fail(why, E_USAGE, "route smtp: \"%.*s\" is not known; only \"implicit\" may follow the host",
                    SLICE_ARGS(option));
    if (!parse_host(host, arena, &out->host, why))
        return false;
    out->kind = ROUTE_SMTP;
    out->implicit_tls = option.len > 0;
    return true;
}

bool route_parse(struct slice text, struct arena *arena, struct route *out, struct error *why)
{
    struct slice rest = slice_trim(text);
    struct slice kind = slice_cut(&rest, ' ');
    struct route made = { 0 };

    rest = slice_trim(rest);
    if (slice_equal_nocase(kind, SLICE("smtp"))) {
        if (!parse_smtp(rest, arena, &made, why))
            return false;
    } else if (slice_equal_nocase(kind, SLICE("maildir"))) {
        if (!slice_starts(rest, SLICE("/")))
            return fail(why, E_USAGE, "route maildir needs an absolute path: write \"maildir /var/mail/%%d/%%u\"");
        if (rest.len > ROUTE_PATH_MAX)
            return fail(why, E_USAGE, "the path of a maildir route may have %d bytes", ROUTE_PATH_MAX);
        made.kind = ROUTE_MAILDIR;
        made.path = arena_string(arena, rest);
    } else if (rest.len) {
        return fail(why, E_USAGE, "nothing may follow \"%.*s\" in a route", SLICE_ARGS(kind));
    } else if (slice_equal_nocase(kind, SLICE("mx"))) {
        made.kind = ROUTE_MX;
    } else if (slice_equal_nocase(kind, SLICE("discard"))) {
        made.kind = ROUTE_DISCARD;
    } else {
        return fail(why, E_USAGE, "\"%.*s\" is no route: mx, smtp HOST:PORT [implicit], maildir PATH, or discard",
                    SLICE_ARGS(kind));
    }
    *out = made;
    return true;
}

const struct routing_rule *routing_find(const struct routing *r, struct slice domain)
{
    return domain_table_find(r->table, domain);
}

static const struct routing_rule reports_rule = { .name = "(reports)", .ours = true, .route = { .kind = ROUTE_REPORTS } };

const struct routing_rule *routing_for(const struct routing *r, struct slice address)
{
    for (size_t i = 0; i < r->report_count; i++)
        if (slice_equal_nocase(slice_of(r->reports[i]), address))
            return &reports_rule;
    return routing_find(r, address_domain(address));
}

struct slice address_domain(struct slice address)
{
    size_t at = slice_find_last(address, '@');

    return slice_after(address, at + 1);
}

/* Rules with the same level may still differ in what they accept. */
static bool has_own_terms(const struct tls_rule *tls)
{
    return tls->no_dane || tls->no_sts || tls->allow_cleartext_override || tls->name_count || tls->fingerprint_count ||
           tls->minimum != TLS_VERSION_NONE || tls->ciphers || tls->requiretls != REQUIRETLS_ENFORCE;
}

const char *routing_destination(const struct routing_rule *rule, struct slice domain, struct arena *arena)
{
    const struct route *route = &rule->route;

    switch (route->kind) {
    case ROUTE_SMTP:
        return arena_text(arena, "smtp %s:%u %s%s%s%s", route->host, route->port, route->implicit_tls ? "implicit " : "",
                          tls_level_name(rule->tls.level), has_own_terms(&rule->tls) ? " by " : "",
                          has_own_terms(&rule->tls) ? rule->name : "").at;
    case ROUTE_MAILDIR:
        return arena_text(arena, "maildir %s", route->path).at;
    case ROUTE_DISCARD:
        return "(discard)";     /* no domain can look like it */
    case ROUTE_REPORTS:
        return "(reports)";
    case ROUTE_MX:
        break;
    }
    return arena_string(arena, domain);
}

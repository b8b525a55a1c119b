/* deliver/route.h - where mail for a domain goes, and under which TLS rule.
 *
 * The operator's table, read once and never changed after. Pure. */
#ifndef DELIVER_ROUTE_H
#define DELIVER_ROUTE_H

#include "base/arena.h"
#include "policy/decide.h"
#include "policy/domains.h"

enum route_kind {
    ROUTE_MX,           /* the hosts that the DNS names */
    ROUTE_SMTP,         /* one host, whatever the DNS says of the domain */
    ROUTE_MAILDIR,      /* files */
    ROUTE_DISCARD,      /* delivered to nobody */
    ROUTE_REPORTS,      /* read as a TLS report of others */
};

struct route {
    enum route_kind kind;
    const char *host;           /* ROUTE_SMTP: name or address, without brackets */
    uint16_t port;
    bool implicit_tls;          /* ROUTE_SMTP: TLS before the greeting */
    const char *path;           /* ROUTE_MAILDIR: %u is the local part, %d the domain */
};

/* "mx", "smtp HOST:PORT", "smtp HOST:PORT implicit", "maildir PATH", "discard". Memory from `arena`. */
bool route_parse(struct slice text, struct arena *arena, struct route *out, struct error *why) must_check;

struct routing_rule {
    const char *name;           /* as in the configuration: "example.org", ".example.org", "default" */
    bool ours;                  /* mail for it is taken from anyone on mx listeners */
    struct route route;
    struct tls_rule tls;
};

/* All rules by domain; there is always a default one. */
struct routing {
    struct domain_table *table; /* of const struct routing_rule */
    const char *const *reports; /* addresses whose mail is read as TLS reports, whatever the rule of their domain */
    size_t report_count;
};
const struct routing_rule *routing_find(const struct routing *r, struct slice domain);

/* The rule for one address: that of its domain, or ROUTE_REPORTS. Addresses of reports compare without case (they are ours). */
const struct routing_rule *routing_for(const struct routing *r, struct slice address);

/* The domain of "user@domain"; empty for "Postmaster" and null. */
struct slice address_domain(struct slice address);

/* The name under which the queue groups deliveries that can share a
 * connection: "example.net" for mx, else the route with its TLS level, e.g.
 * "smtp relay.example.org:587 encrypt", and with its rule's name when that has
 * terms of its own. Two deliveries with different TLS
 * requirements never have the same one (SMTP-088). From `arena`. */
const char *routing_destination(const struct routing_rule *rule, struct slice domain, struct arena *arena);

#endif

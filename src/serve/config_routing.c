/* domain and destination sections: where mail goes, and under which TLS rule; see serve/config.h. */
#include "serve/config_inside.h"

#include "base/memory.h"
#include "net/address.h"
#include "smtp/address.h"

#include <ctype.h>
#include <stdio.h>

/* 64 lower-case hex digits, whatever colons and capitals the operator wrote. */
static const char *plain_fingerprint(struct building *b, const char *text)
{
    char plain[65];
    size_t len = 0;

    for (; *text && len < sizeof plain - 1; text++)
        if (isxdigit((unsigned char)*text))
            plain[len++] = byte_lower(*text);
    return arena_string(&b->config->arena, slice(plain, len));
}

/* Only OpenSSL knows whether its list means anything. */
static void try_ciphers(cfg_t *tls, const char *ciphers)
{
    struct tls_client_settings settings = { .ciphers = ciphers };
    struct error why = { 0 };
    struct tls_client *trial = tls_client_new(&settings, &why);

    if (!trial)
        config_section_problem(tls, "%s", why.text);
    tls_client_free(trial);
}

static void build_tls(struct building *b, cfg_t *tls, struct tls_rule *rule)
{
    const char *level = cfg_getstr(tls, "level"), *minimum = cfg_getstr(tls, "minimum");
    const char *requiretls = cfg_getstr(tls, "requiretls");
    const char **fingerprints = arena_take(&b->config->arena, (cfg_size(tls, "fingerprints") + 1) * sizeof *fingerprints);
    const char *ciphers = cfg_getstr(tls, "ciphers");

    if (level && !tls_level_parse(slice_of(level), &rule->level))
        rule->level = TLS_LEVEL_ENCRYPT;
    if (requiretls && !requiretls_rule_parse(slice_of(requiretls), &rule->requiretls))
        rule->requiretls = REQUIRETLS_ENFORCE;
    rule->no_dane = !cfg_getbool(tls, "dane");
    rule->no_sts = !cfg_getbool(tls, "sts");
    rule->allow_cleartext_override = cfg_getbool(tls, "allow-cleartext-override");
    rule->names = config_list(b, tls, "names", &rule->name_count);
    for (unsigned i = 0; fingerprints && i < cfg_size(tls, "fingerprints"); i++)
        fingerprints[rule->fingerprint_count++] = plain_fingerprint(b, cfg_getnstr(tls, "fingerprints", i));
    rule->fingerprints = fingerprints;
    if (minimum && !tls_version_parse(slice_of(minimum), &rule->minimum))
        rule->minimum = TLS_1_2;
    if (minimum && rule->minimum < TLS_1_2)
        config_section_problem(tls, "tls minimum = %s: a client that wants less than 1.2 is not offered", minimum);
    rule->ciphers = config_keep(b, ciphers);
    if (ciphers)
        try_ciphers(tls, ciphers);
}

/* A rule that can never hold, or that does nothing, is a mistake. */
static void check_rule(struct building *b, cfg_t *section, const struct routing_rule *rule)
{
    const struct tls_rule *tls = &rule->tls;
    bool listed = tls->name_count > 0 || tls->fingerprint_count > 0;
    struct address literal;

    if (tls->level == TLS_LEVEL_VERIFY && !listed && rule->route.kind != ROUTE_SMTP)
        config_section_problem(section, "tls level = verify needs names = { ... }, fingerprints = { ... } or a host that you "
                               "name, route = \"smtp HOST:PORT\": names from the DNS prove nothing (RFC 9525 6.1.1)");
    if (listed && tls->level != TLS_LEVEL_VERIFY)
        config_section_problem(section, "names and fingerprints are looked at by tls level = verify only");
    if (tls->level == TLS_LEVEL_DANE_ONLY && tls->no_dane)
        config_section_problem(section, "tls level = dane-only and dane = false: nothing could ever be delivered");
    if (tls->level == TLS_LEVEL_DANE_ONLY && !cfg_getbool(cfg_getsec(b->cfg, "dns"), "validate"))
        config_section_problem(section, "tls level = dane-only needs dns { validate = true }: nothing could ever be delivered");
    if (tls->level == TLS_LEVEL_DANE_ONLY && rule->route.kind == ROUTE_SMTP &&
        address_parse_ip(slice_of(rule->route.host), &literal))
        config_section_problem(section, "tls level = dane-only needs a host name in the route: an address has no TLSA records");
    if (tls->level == TLS_LEVEL_OFF && rule->route.kind == ROUTE_SMTP && rule->route.implicit_tls)
        config_section_problem(section, "a route with implicit TLS contradicts tls level = off");
    if (tls->allow_cleartext_override && tls->level != TLS_LEVEL_OFF)
        config_section_problem(section, "allow-cleartext-override is for tls level = off only");
}

static void add_rule(struct building *b, cfg_t *section, const char *name, struct routing_rule *rule)
{
    if (!domain_table_add(b->config->routing.table, slice_of(name), rule))
        config_section_problem(section, "\"%s\" is given twice", name);
    b->config->rules[b->config->rule_count++] = rule;
}

static bool is_rule_name(const char *title)
{
    struct slice name = slice_of(title);

    if (slice_starts(name, SLICE(".")))
        name = slice_after(name, 1);
    return domain_is_valid(name, true) || (title[0] == '[' && literal_is_valid(name));
}

/* Strict for all but these: each gets a rule of its own, the same route, level may. */
static void build_exceptions(struct building *b, cfg_t *section, const struct routing_rule *strict)
{
    cfg_t *tls = cfg_getsec(section, "tls");

    for (unsigned i = 0; i < cfg_size(tls, "except"); i++) {
        const char *name = config_keep(b, cfg_getnstr(tls, "except", i));
        struct routing_rule *rule = arena_take(&b->config->arena, sizeof *rule);

        if (!rule)
            return;
        *rule = (struct routing_rule){ .name = name, .route = strict->route, .tls = { .level = TLS_LEVEL_MAY } };
        rule->tls.cleartext_after = strict->tls.cleartext_after;
        if (!is_rule_name(name))
            config_section_problem(section, "except: \"%s\" is no domain: write \"example.org\" or \".example.org\"", name);
        if (strict->ours)
            config_section_problem(section, "except is for destinations: \"%s\" is a domain of ours", strict->name);
        add_rule(b, section, name, rule);
    }
}

static void build_rule(struct building *b, cfg_t *section, bool ours)
{
    struct routing_rule *rule = arena_take(&b->config->arena, sizeof *rule);
    const char *title = cfg_title(section), *route = cfg_getstr(section, "route");
    struct error why = { 0 };

    if (!rule)
        return;
    *rule = (struct routing_rule){ .name = config_keep(b, title), .ours = ours, .tls = { .level = TLS_LEVEL_MAY } };
    rule->tls.cleartext_after = config_seconds(cfg_getsec(b->cfg, "delivery"), "cleartext-after");
    if (!is_rule_name(title))
        config_section_problem(section, "\"%s\" is no domain: write \"example.org\", \".example.org\" or \"default\"", title);
    if (ours && strcasecmp(title, "default") == 0)
        config_section_problem(section, "domain \"default\" would take mail for everybody (an open relay): name the domains");
    if (ours && !route)
        config_section_problem(section, "domain \"%s\" needs a route: where does its mail go?", title);
    if (route && !route_parse(slice_of(route), &b->config->arena, &rule->route, &why))
        config_section_problem(section, "%s", why.text);
    build_tls(b, cfg_getsec(section, "tls"), &rule->tls);
    check_rule(b, section, rule);
    add_rule(b, section, rule->name, rule);
    build_exceptions(b, section, rule);
}

static size_t count_rules(cfg_t *cfg, const char *kind)
{
    size_t count = cfg_size(cfg, kind);

    for (unsigned i = 0; i < cfg_size(cfg, kind); i++)
        count += cfg_size(cfg_getsec(cfg_getnsec(cfg, kind, i), "tls"), "except");
    return count;
}

void config_build_routing(struct building *b)
{
    static const char *const kinds[] = { "domain", "destination" };
    struct config *c = b->config;
    size_t count = count_rules(b->cfg, "domain") + count_rules(b->cfg, "destination");
    struct routing_rule *fallback;

    c->routing.table = domain_table_new();
    c->rules = arena_take(&c->arena, (count + 1) * sizeof *c->rules);
    if (!c->rules)
        return;
    for (size_t k = 0; k < COUNT(kinds); k++)
        for (unsigned i = 0; i < cfg_size(b->cfg, kinds[k]); i++)
            build_rule(b, cfg_getnsec(b->cfg, kinds[k], i), k == 0);
    fallback = arena_take(&c->arena, sizeof *fallback);
    if (fallback) {
        *fallback = (struct routing_rule){ .name = "default", .tls = { .level = TLS_LEVEL_MAY } };
        fallback->tls.cleartext_after = config_seconds(cfg_getsec(b->cfg, "delivery"), "cleartext-after");
        if (!domain_table_add(c->routing.table, SLICE("default"), fallback))
            fallback = NULL;    /* the file has one of its own */
    }
}

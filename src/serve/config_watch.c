/* facts, dkim, tls-report, postfix, web, hook, alarm; see serve/config.h. */
#include "serve/config_inside.h"

#include "event/event.h"
#include "serve/hook_url.h"
#include "smtp/address.h"

#include <stdio.h>
#include <sys/un.h>

/* --- things that listen ------------------------------------------------------- */

bool config_endpoint_parse(const char *text, struct endpoint_config *out, struct error *why)
{
    struct slice path = slice_of(text);

    *out = (struct endpoint_config){ 0 };
    if (slice_starts(path, SLICE("unix:")))
        path = slice_after(path, 5);
    if (slice_starts(path, SLICE("/"))) {
        out->path = path.at;
        return path.len < sizeof ((struct sockaddr_un *)0)->sun_path ||
               fail(why, E_USAGE, "the path of a socket may have %zu bytes", sizeof ((struct sockaddr_un *)0)->sun_path - 1);
    }
    return address_parse(path, &out->address, why) || blame(why, "write \"127.0.0.1:8461\", or a path");
}

static const struct endpoint_config *build_endpoints(struct building *b, cfg_t *section, const char *option, size_t *count)
{
    struct endpoint_config *all = arena_take(&b->config->arena, (cfg_size(section, option) + 1) * sizeof *all);

    *count = all ? cfg_size(section, option) : 0;
    for (size_t i = 0; i < *count; i++)
        if (!config_endpoint_parse(config_keep(b, cfg_getnstr(section, option, (unsigned)i)), &all[i], NULL))
            all[i] = (struct endpoint_config){ 0 };      /* it was told of when it was read */
    return all;
}

static void build_postfix(struct building *b)
{
    cfg_t *p = cfg_getsec(b->cfg, "postfix");
    struct config *c = b->config;
    struct endpoint_config tlsrpt;
    struct error why = { 0 };

    c->postfix.socketmap = build_endpoints(b, p, "socketmap", &c->postfix.socketmap_count);
    c->postfix.tcp_table = build_endpoints(b, p, "tcp-table", &c->postfix.tcp_table_count);
    c->postfix.tlsrpt = config_keep(b, cfg_getstr(p, "tlsrpt"));
    c->postfix.tlsrpt_attributes = cfg_getbool(p, "tlsrpt-attributes");
    if (!c->postfix.tlsrpt)
        return;
    if (!config_endpoint_parse(c->postfix.tlsrpt, &tlsrpt, &why) || !tlsrpt.path)
        config_section_problem(p, "tlsrpt = \"%s\": must be the path of a socket, as in Postfix's smtp_tlsrpt_socket_name",
                               c->postfix.tlsrpt);
    else
        c->postfix.tlsrpt = tlsrpt.path;
}

static void build_web(struct building *b)
{
    cfg_t *w = cfg_getsec(b->cfg, "web");
    size_t count = cfg_size(w, "listen");
    struct address *all = arena_take(&b->config->arena, (count + 1) * sizeof *all);

    for (size_t i = 0; all && i < count; i++)
        if (!address_parse(slice_of(cfg_getnstr(w, "listen", (unsigned)i)), &all[i], NULL))
            config_section_problem(w, "web listen = \"%s\": must be an address with its port: 192.0.2.1:443",
                                   cfg_getnstr(w, "listen", (unsigned)i));
    b->config->web.listen = all;
    b->config->web.listen_count = all ? count : 0;
}

/* --- signatures and reports ------------------------------------------------------- */

static void build_dkim(struct building *b)
{
    unsigned count = cfg_size(b->cfg, "dkim");
    struct dkim_config *all = arena_take(&b->config->arena, (count + 1) * sizeof *all);

    for (unsigned i = 0; all && i < count; i++) {
        cfg_t *section = cfg_getnsec(b->cfg, "dkim", i);

        all[i] = (struct dkim_config){ config_keep(b, cfg_title(section)), config_keep(b, cfg_getstr(section, "selector")),
                                       config_keep(b, cfg_getstr(section, "key")) };
        if (!domain_is_valid(slice_of(all[i].domain), true))
            config_section_problem(section, "dkim \"%s\": write the domain that signs, example.org", all[i].domain);
        if (!all[i].selector || !domain_is_valid(slice_of(all[i].selector), true))
            config_section_problem(section, "dkim \"%s\" needs selector = \"NAME\": its key is published at "
                                   "NAME._domainkey.%s", all[i].domain, all[i].domain);
        if (!all[i].key_file)
            config_section_problem(section, "dkim \"%s\" needs key = \"FILE\", a private key in PEM: "
                                   "openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out FILE", all[i].domain);
    }
    b->config->dkim = all;
    b->config->dkim_count = all ? count : 0;
}

const struct dkim_config *config_dkim_for(const struct config *c, struct slice domain)
{
    for (size_t i = 0; i < c->dkim_count; i++)
        if (slice_equal_nocase(slice_of(c->dkim[i].domain), domain))
            return &c->dkim[i];
    return NULL;
}

/* Those of the `domain` sections, when the operator does not say it in so many words. */
static void find_our_domains(struct building *b)
{
    struct config *c = b->config;
    const char **ours = arena_take(&c->arena, (c->rule_count + 1) * sizeof *ours);

    c->report.domain_count = 0;
    for (size_t i = 0; ours && i < c->rule_count; i++)
        if (c->rules[i]->ours)
            ours[c->report.domain_count++] = c->rules[i]->name;
    c->report.domains = ours;
}

static void check_sending(struct building *b, cfg_t *section)
{
    struct config *c = b->config;
    struct slice domain = address_domain(slice_of(c->report.contact));

    if (!c->report.organization)
        config_section_problem(section, "tls-report needs organization = \"Example Org\" beside contact");
    if (!config_dkim_for(c, domain))
        config_section_problem(section, "TLS reports must be signed by the domain of their contact (RFC 8460 section 3): "
                               "add dkim \"%.*s\" { selector = \"NAME\" key = \"FILE\" }", SLICE_ARGS(domain));
}

static void build_report(struct building *b)
{
    cfg_t *r = cfg_getsec(b->cfg, "tls-report");
    struct config *c = b->config;

    c->report.organization = config_keep(b, cfg_getstr(r, "organization"));
    c->report.contact = config_keep(b, cfg_getstr(r, "contact"));
    c->report.enabled = cfg_getbool(r, "enabled") && c->report.contact;
    c->report.spread = config_seconds(r, "spread");
    c->report.give_up = config_seconds(r, "give-up");
    c->report.failures_only = cfg_getbool(r, "failures-only");
    c->report.private_addresses = cfg_getbool(r, "private-addresses");
    c->report.receive = config_list(b, r, "receive", &c->report.receive_count);
    c->report.domains = config_list(b, r, "domains", &c->report.domain_count);
    if (c->report.domain_count == 0)
        find_our_domains(b);
    if (c->report.enabled && b->use == CONFIG_TO_SERVE)
        check_sending(b, r);
    if (c->report.organization && !c->report.contact)
        config_section_problem(r, "tls-report needs contact = \"tls-reports@example.org\" beside organization");
    c->routing.reports = c->report.receive;
    c->routing.report_count = c->report.receive_count;
}

/* --- hooks ---------------------------------------------------------------------- */

static const char *const *build_command(struct building *b, cfg_t *section)
{
    size_t count;
    const char *const *list = config_list(b, section, "command", &count);

    if (count == 0)
        return NULL;
    if (list && list[0][0] != '/')
        config_section_problem(section, "hook \"%s\": command must begin with an absolute path", cfg_title(section));
    return list;        /* arena memory is zeroed: a NULL stands behind the last */
}

static void check_url(cfg_t *section, const char *text)
{
    struct error why = { 0 };
    struct hook_url url;

    if (text && !hook_url_parse(slice_of(text), &url, &why))
        config_section_problem(section, "hook \"%s\": %s", cfg_title(section), why.text);
}

static void build_hook(struct building *b, cfg_t *section, struct hook_config *out)
{
    enum event_kind kind;

    *out = (struct hook_config){
        .name = config_keep(b, cfg_title(section)),
        .url = config_keep(b, cfg_getstr(section, "url")),
        .command = build_command(b, section),
        .every = config_seconds(section, "every"),
        .timeout = config_seconds(section, "timeout"),
    };
    check_url(section, out->url);
    for (unsigned i = 0; i < cfg_size(section, "events"); i++)
        if (event_kind_parse(slice_of(cfg_getnstr(section, "events", i)), &kind))
            out->events |= 1u << kind;
    if (cfg_size(section, "events") == 0)
        out->events = (1u << EVENT_KINDS) - 1;
    if (!out->url == !out->command)
        config_section_problem(section, "hook \"%s\" needs either url = \"https://...\" or command = {\"/path\", ...}",
                               out->name);
}

static void build_hooks(struct building *b)
{
    unsigned count = cfg_size(b->cfg, "hook");
    struct hook_config *all = arena_take(&b->config->arena, (count + 1) * sizeof *all);
    cfg_t *alarm = cfg_getsec(b->cfg, "alarm");

    for (unsigned i = 0; all && i < count; i++)
        build_hook(b, cfg_getnsec(b->cfg, "hook", i), &all[i]);
    b->config->hooks = all;
    b->config->hook_count = all ? count : 0;
    b->config->alarm.certificate = config_seconds(alarm, "expiry");
    b->config->alarm.queue_age = config_seconds(alarm, "queue-age");
}

unsigned config_events(const struct config *c)
{
    unsigned wanted = 0;

    for (size_t i = 0; i < c->hook_count; i++)
        wanted |= c->hooks[i].events;
    return wanted;
}

void config_build_watch(struct building *b)
{
    cfg_t *facts = cfg_getsec(b->cfg, "facts");
    struct config *c = b->config;

    c->facts.keep = (unsigned)cfg_getint(facts, "keep");
    c->facts.file = config_keep(b, cfg_getstr(facts, "file"));
    if (c->facts.file && c->facts.file[0] != '/')
        config_section_problem(facts, "file must be an absolute path");
    build_dkim(b);
    build_report(b);
    build_postfix(b);
    build_web(b);
    build_hooks(b);
}

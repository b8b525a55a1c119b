#include "serve/config.h"

#include "base/memory.h"
#include "serve/config_file.h"

#include <stdio.h>

enum { ARENA_MAX = 16 * 1024 * 1024 };

struct building {
    cfg_t *cfg;
    struct config *config;
};

static const char *keep(struct building *b, const char *text)
{
    return text ? arena_string(&b->config->arena, slice_of(text)) : NULL;
}

static time_ms seconds(cfg_t *section, const char *name)
{
    return SECONDS(cfg_getint(section, name));
}

static void section_problem(cfg_t *section, const char *format, ...) printf_like(2, 3);
static void section_problem(cfg_t *section, const char *format, ...)
{
    char text[500];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    config_problem(section->filename, section->line, text);
}

static void build_listener(struct building *b, cfg_t *section, struct address address, struct listener_config *out)
{
    const char *role = cfg_getstr(section, "role"), *tls = cfg_getstr(section, "tls");
    unsigned index = 0;

    *out = (struct listener_config){ .address = address };
    if (!role || !config_word(role, role_words, COUNT(role_words), &index)) {
        section_problem(section, "listen \"%s\" needs a role: add role = \"mx\" or role = \"submission\"",
                        cfg_title(section));
        return;
    }
    out->role = (enum listener_role)index;
    out->tls = out->role == ROLE_MX ? LISTENER_STARTTLS : LISTENER_REQUIRED;
    if (tls && config_word(tls, tls_words, COUNT(tls_words), &index))
        out->tls = (enum listener_tls)index;
    if (!tls_version_parse(slice_of(cfg_getstr(section, "tls-minimum")), &out->minimum))
        out->minimum = TLS_1_2;
    (void)b;
}

/* ":25" and "*:25" stand for every address of both families. */
static size_t listener_addresses(cfg_t *section, struct address out[2])
{
    struct slice title = slice_of(cfg_title(section));
    struct slice port = slice_starts(title, SLICE("*:")) ? slice_after(title, 2)
                        : slice_starts(title, SLICE(":")) ? slice_after(title, 1) : slice("", 0);
    struct error why = { 0 };
    uint64_t number;

    if (port.len && slice_to_number(port, 65535, &number) && number > 0) {
        out[0] = (struct address){ .family = AF_INET, .port = (uint16_t)number };
        out[1] = (struct address){ .family = AF_INET6, .port = (uint16_t)number };
        return 2;
    }
    if (address_parse(title, &out[0], &why))
        return 1;
    section_problem(section, "listen \"%s\": %s; write \"192.0.2.1:25\", \"[2001:db8::1]:25\" or \"*:25\"",
                    cfg_title(section), why.text);
    return 0;
}

static bool is_listening(const struct config *c, const struct listener_config *all, const struct address *a)
{
    for (size_t i = 0; i < c->listener_count; i++)
        if (all[i].address.port == a->port && address_same_ip(&all[i].address, a))
            return true;
    return false;
}

static void build_listeners(struct building *b)
{
    unsigned sections = cfg_size(b->cfg, "listen");
    struct listener_config *all = arena_take(&b->config->arena, (2 * sections + 1) * sizeof *all);

    for (unsigned i = 0; all && i < sections; i++) {
        cfg_t *section = cfg_getnsec(b->cfg, "listen", i);
        struct address addresses[2];
        size_t count = listener_addresses(section, addresses);

        for (size_t n = 0; n < count; n++) {
            if (is_listening(b->config, all, &addresses[n]))
                section_problem(section, "listen \"%s\": another listener has this address and port", cfg_title(section));
            build_listener(b, section, addresses[n], &all[b->config->listener_count++]);
        }
    }
    b->config->listeners = all;
    if (sections == 0)
        config_problem(b->config->file, 0, "nothing to listen on: add listen \"*:25\" { role = \"mx\" }");
}

static void build_identities(struct building *b)
{
    unsigned count = cfg_size(b->cfg, "certificate");
    struct tls_identity *all = arena_take(&b->config->arena, (count + 1) * sizeof *all);

    for (unsigned i = 0; all && i < count; i++) {
        cfg_t *section = cfg_getnsec(b->cfg, "certificate", i);

        all[i] = (struct tls_identity){ keep(b, cfg_getstr(section, "chain")), keep(b, cfg_getstr(section, "key")) };
        if (!all[i].chain_file)
            section_problem(section, "certificate \"%s\" needs chain = \"FILE\", PEM, the server's certificate first",
                            cfg_title(section));
        if (!all[i].key_file)
            all[i].key_file = all[i].chain_file;
    }
    b->config->identities = all;
    b->config->identity_count = count;
}

static void build_rule(struct building *b, cfg_t *section, bool ours)
{
    struct routing_rule *rule = arena_take(&b->config->arena, sizeof *rule);
    const char *title = cfg_title(section), *route = cfg_getstr(section, "route");
    const char *level = cfg_getstr(cfg_getsec(section, "tls"), "level");
    struct slice name = slice_of(title);
    struct error why = { 0 };

    if (!rule)
        return;
    *rule = (struct routing_rule){ .name = keep(b, title), .ours = ours, .tls = { .level = TLS_LEVEL_MAY } };
    rule->tls.cleartext_after = seconds(cfg_getsec(b->cfg, "delivery"), "cleartext-after");
    if (slice_starts(name, SLICE(".")))
        name = slice_after(name, 1);
    if (!domain_is_valid(name, true) && !(title[0] == '[' && literal_is_valid(name)))
        section_problem(section, "\"%s\" is no domain: write \"example.org\", \".example.org\" or \"default\"", title);
    if (ours && slice_equal_nocase(name, SLICE("default")))
        section_problem(section, "domain \"default\" would take mail for everybody (an open relay): name the domains");
    if (ours && !route)
        section_problem(section, "domain \"%s\" needs a route: where does its mail go?", title);
    if (route && !route_parse(slice_of(route), &b->config->arena, &rule->route, &why))
        section_problem(section, "%s", why.text);
    if (level && !tls_level_parse(slice_of(level), &rule->tls.level))
        rule->tls.level = TLS_LEVEL_ENCRYPT;
    if (rule->tls.level == TLS_LEVEL_VERIFY && rule->route.kind != ROUTE_SMTP)
        section_problem(section, "tls level = verify needs a host that you name: route = \"smtp HOST:PORT\"; "
                        "names from the DNS prove nothing (RFC 9525 6.1.1)");
    if (!domain_table_add(b->config->routing.table, slice_of(title), rule))
        section_problem(section, "\"%s\" is given twice", title);
    b->config->rules[b->config->rule_count++] = rule;
}

static void build_routing(struct building *b)
{
    static const char *const kinds[] = { "domain", "destination" };
    size_t sections = cfg_size(b->cfg, "domain") + cfg_size(b->cfg, "destination");
    struct routing_rule *fallback;

    b->config->routing.table = domain_table_new();
    b->config->rules = arena_take(&b->config->arena, (sections + 1) * sizeof *b->config->rules);
    if (!b->config->rules)
        return;
    for (size_t k = 0; k < COUNT(kinds); k++)
        for (unsigned i = 0; i < cfg_size(b->cfg, kinds[k]); i++)
            build_rule(b, cfg_getnsec(b->cfg, kinds[k], i), k == 0);
    fallback = arena_take(&b->config->arena, sizeof *fallback);
    if (fallback) {
        *fallback = (struct routing_rule){ .name = "default", .tls = { .level = TLS_LEVEL_MAY } };
        fallback->tls.cleartext_after = seconds(cfg_getsec(b->cfg, "delivery"), "cleartext-after");
        if (!domain_table_add(b->config->routing.table, SLICE("default"), fallback))
            fallback = NULL;    /* the file has one of its own */
    }
}

/* Mail for <Postmaster> goes where the operator says, else to postmaster at the
 * first domain that is ours, else at our own name. */
static void build_postmaster(struct building *b)
{
    const char *named = cfg_getstr(b->cfg, "postmaster");
    const char *domain = b->config->hostname;
    struct error why = { 0 };
    struct mailbox mailbox;

    for (unsigned i = cfg_size(b->cfg, "domain"); i > 0; i--) {
        const char *title = cfg_title(cfg_getnsec(b->cfg, "domain", i - 1));

        if (title[0] != '.' && domain_is_valid(slice_of(title), true))
            domain = title;
    }
    b->config->postmaster = named ? keep(b, named) : arena_text(&b->config->arena, "postmaster@%s", domain).at;
    if (!mailbox_parse(slice_of(b->config->postmaster), &b->config->arena, &mailbox, &why) || mailbox.is_null)
        config_problem(b->config->file, 0, "postmaster must be an address such as postmaster@example.org");
}

static const char *const *build_list(struct building *b, cfg_t *section, const char *name, size_t *count)
{
    const char **list = arena_take(&b->config->arena, (cfg_size(section, name) + 1) * sizeof *list);

    *count = cfg_size(section, name);
    for (size_t i = 0; list && i < *count; i++)
        list[i] = keep(b, cfg_getnstr(section, name, (unsigned)i));
    return list;
}

/* A file that the option names and that must be there; NULL when it names none. */
static const char *readable(struct building *b, cfg_t *section, const char *option)
{
    const char *file = keep(b, cfg_getstr(section, option));

    if (file && access(file, R_OK) != 0)
        section_problem(section, "%s = \"%s\": cannot be read", option, file);
    return file;
}

static void build_resolver(struct building *b)
{
    cfg_t *dns = cfg_getsec(b->cfg, "dns");
    struct resolver_settings *r = &b->config->resolver;
    unsigned count = cfg_size(dns, "stub");
    struct dns_stub *stubs = arena_take(&b->config->arena, (count + 1) * sizeof *stubs);

    r->forwarders = build_list(b, dns, "forwarders", &r->forwarder_count);
    for (unsigned i = 0; stubs && i < count; i++) {
        cfg_t *stub = cfg_getnsec(dns, "stub", i);

        stubs[i] = (struct dns_stub){ keep(b, cfg_title(stub)), keep(b, cfg_getstr(stub, "server")) };
        if (!stubs[i].server)
            section_problem(stub, "stub \"%s\" needs server = \"192.0.2.53\"", cfg_title(stub));
    }
    r->stubs = stubs;
    r->stub_count = count;
    r->trust_anchor_file = readable(b, dns, "trust-anchor");
    r->validate = cfg_getbool(dns, "validate");
    r->timeout = seconds(dns, "timeout");
}

static void build_trusted(struct building *b)
{
    size_t count = cfg_size(b->cfg, "trusted");
    struct network *all = arena_take(&b->config->arena, (count + 1) * sizeof *all);

    for (size_t i = 0; all && i < count; i++)
        if (!network_parse(slice_of(cfg_getnstr(b->cfg, "trusted", (unsigned)i)), &all[i], NULL))
            all[i] = (struct network){ 0 };
    b->config->trusted = all;
    b->config->trusted_count = count;
}

static void build_log(struct building *b)
{
    cfg_t *log = cfg_getsec(b->cfg, "log");
    unsigned level = LOG_LEVEL_INFO, format = LOG_FORMAT_LOGFMT, sink = LOG_TO_STDERR;

    if (config_word(cfg_getstr(log, "level"), log_words, COUNT(log_words), &level) &&
        config_word(cfg_getstr(log, "format"), format_words, COUNT(format_words), &format) &&
        config_word(cfg_getstr(log, "to"), sink_words, COUNT(sink_words), &sink))
        b->config->log = (struct log_settings){ (enum log_level)level, (enum log_format)format, (enum log_sink)sink };
}

static void build_delivery(struct building *b)
{
    cfg_t *d = cfg_getsec(b->cfg, "delivery"), *r = cfg_getsec(b->cfg, "retry");
    struct config *c = b->config;

    c->delivery.port = (uint16_t)cfg_getint(d, "port");
    c->delivery.connections = (unsigned)cfg_getint(d, "connections");
    c->delivery.connections_per_destination = (unsigned)cfg_getint(d, "connections-per-destination");
    c->delivery.messages_per_connection = (unsigned)cfg_getint(d, "messages-per-connection");
    c->delivery.idle_connection = seconds(d, "idle-connection");
    c->delivery.connect_timeout = seconds(d, "connect-timeout");
    c->delivery.ca_file = readable(b, d, "ca-file");
    c->retry = (struct retry_rule){ seconds(r, "first"), seconds(r, "most"), seconds(r, "give-up"),
                                    seconds(r, "give-up-bounce"), seconds(r, "delay-notice") };
    if (c->retry.most < c->retry.first)
        section_problem(r, "retry: most must not be less than first");
}

static void build_limits(struct building *b)
{
    cfg_t *l = cfg_getsec(b->cfg, "limits");
    struct config *c = b->config;

    c->limits = smtp_default_limits;
    c->limits.message_bytes = (uint64_t)cfg_getint(l, "message-size");
    c->limits.recipients = (size_t)cfg_getint(l, "recipients");
    c->limits.errors = (unsigned)cfg_getint(l, "errors");
    c->limits.commands = (unsigned)cfg_getint(l, "commands");
    c->limits.messages = (unsigned)cfg_getint(l, "messages");
    c->limits.command_time = seconds(l, "command-time");
    c->limits.data_time = seconds(l, "data-time");
    c->limits.transfer_time = seconds(l, "transfer-time");
    c->limits.handshake_time = seconds(l, "handshake-time");
    if (cfg_getint(l, "session-time") > 0)
        c->limits.session_time = seconds(l, "session-time");
    c->hops = (unsigned)cfg_getint(l, "hops");
    c->connections = (unsigned)cfg_getint(l, "connections");
    c->connections_per_client = (unsigned)cfg_getint(l, "connections-per-client");
    c->minimum_free = (uint64_t)cfg_getint(l, "minimum-free");
}

static void build(struct building *b)
{
    struct config *c = b->config;
    char name[256] = "";

    c->hostname = keep(b, cfg_getstr(b->cfg, "hostname"));
    if (!c->hostname) {
        gethostname(name, sizeof name - 1);
        if (strchr(name, '.') && domain_is_valid(slice_of(name), false))
            c->hostname = keep(b, name);
        else
            config_problem(c->file, 0, "hostname is missing, and this machine's own has no domain: "
                    "add hostname = \"mx.example.org\"");
    }
    c->data_directory = keep(b, cfg_getstr(b->cfg, "data-directory"));
    if (c->data_directory[0] != '/')
        config_problem(c->file, 0, "data-directory must be an absolute path");
    c->user = keep(b, cfg_getstr(b->cfg, "user"));
    c->inbound_processes = (unsigned)cfg_getint(b->cfg, "inbound-processes");
    c->outbound_processes = (unsigned)cfg_getint(b->cfg, "outbound-processes");
    build_trusted(b);
    build_log(b);
    build_identities(b);
    build_listeners(b);
    build_routing(b);
    build_postmaster(b);
    build_resolver(b);
    build_delivery(b);
    build_limits(b);
}

struct config *config_read(const char *file, void (*tell)(void *arg, const char *text), void *arg)
{
    struct config *config = NEW(struct config);
    struct building b = { .config = config, .cfg = config_file_parse(file, tell, arg) };

    arena_init(&config->arena, ARENA_MAX);
    config->file = arena_string(&config->arena, slice_of(file));
    if (b.cfg) {
        build(&b);
        cfg_free(b.cfg);
    }
    if (config->arena.failed)
        config_problem(file, 0, "is too large");
    if (config_problems() == 0)
        return config;
    config_free(config);
    return NULL;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    domain_table_free(c->routing.table);
    arena_done(&c->arena);
    free(c);
}

bool config_is_trusted(const struct config *c, const struct address *a)
{
    for (size_t i = 0; i < c->trusted_count; i++)
        if (network_holds(&c->trusted[i], a))
            return true;
    return false;
}

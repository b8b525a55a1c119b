#include "serve/config.h"

#include "base/memory.h"
#include "serve/config_inside.h"

#include <stdio.h>

enum { ARENA_MAX = 16 * 1024 * 1024 };

const char *config_keep(struct building *b, const char *text)
{
    return text ? arena_string(&b->config->arena, slice_of(text)) : NULL;
}

time_ms config_seconds(cfg_t *section, const char *name)
{
    return SECONDS(cfg_getint(section, name));
}

void config_section_problem(cfg_t *section, const char *format, ...)
{
    char text[500];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    config_problem(section->filename, section->line, text);
}

unsigned config_choice(cfg_t *section, const char *option, const char *const *words, size_t count, unsigned fallback)
{
    const char *word = cfg_getstr(section, option);
    unsigned index = fallback;

    if (word && !config_word(word, words, count, &index))
        index = fallback;
    return index;
}

const char *const *config_list(struct building *b, cfg_t *section, const char *name, size_t *count)
{
    const char **list = arena_take(&b->config->arena, (cfg_size(section, name) + 1) * sizeof *list);

    *count = cfg_size(section, name);
    for (size_t i = 0; list && i < *count; i++)
        list[i] = config_keep(b, cfg_getnstr(section, name, (unsigned)i));
    return list;
}

const char *config_readable(struct building *b, cfg_t *section, const char *option)
{
    const char *file = config_keep(b, cfg_getstr(section, option));

    if (file && access(file, R_OK) != 0)
        config_section_problem(section, "%s = \"%s\": cannot be read", option, file);
    return file;
}

static void build_listener(struct building *b, cfg_t *section, struct address address, struct listener_config *out)
{
    const char *role = cfg_getstr(section, "role"), *tls = cfg_getstr(section, "tls");
    unsigned index = 0;

    *out = (struct listener_config){ .address = address };
    if (!role || !config_word(role, role_words, COUNT(role_words), &index)) {
        config_section_problem(section, "listen \"%s\" needs a role: add role = \"mx\" or role = \"submission\"",
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
    config_section_problem(section, "listen \"%s\": %s; write \"192.0.2.1:25\", \"[2001:db8::1]:25\" or \"*:25\"",
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
                config_section_problem(section, "listen \"%s\": another listener has this address and port", cfg_title(section));
            build_listener(b, section, addresses[n], &all[b->config->listener_count++]);
        }
    }
    b->config->listeners = all;
}

/* Beside a Postfix there may be no mail to take. */
static void check_purpose(struct building *b)
{
    const struct config *c = b->config;

    if (b->use == CONFIG_TO_SERVE && c->listener_count == 0 && c->postfix.socketmap_count == 0 &&
        c->postfix.tcp_table_count == 0 && !c->postfix.tlsrpt && c->web.listen_count == 0)
        config_problem(c->file, 0, "nothing to listen on: add listen \"*:25\" { role = \"mx\" }");
}

static void build_identities(struct building *b)
{
    unsigned count = cfg_size(b->cfg, "certificate");
    struct tls_identity *all = arena_take(&b->config->arena, (count + 1) * sizeof *all);

    for (unsigned i = 0; all && i < count; i++) {
        cfg_t *section = cfg_getnsec(b->cfg, "certificate", i);

        all[i] = (struct tls_identity){ config_keep(b, cfg_getstr(section, "chain")), config_keep(b, cfg_getstr(section, "key")) };
        if (!all[i].chain_file)
            config_section_problem(section, "certificate \"%s\" needs chain = \"FILE\", PEM, the server's certificate first",
                            cfg_title(section));
        if (!all[i].key_file)
            all[i].key_file = all[i].chain_file;
    }
    b->config->identities = all;
    b->config->identity_count = count;
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
    b->config->postmaster = named ? config_keep(b, named) : arena_text(&b->config->arena, "postmaster@%s", domain).at;
    if (!mailbox_parse(slice_of(b->config->postmaster), &b->config->arena, &mailbox, &why) || mailbox.is_null)
        config_problem(b->config->file, 0, "postmaster must be an address such as postmaster@example.org");
}

static void build_resolver(struct building *b)
{
    cfg_t *dns = cfg_getsec(b->cfg, "dns");
    struct resolver_settings *r = &b->config->resolver;
    unsigned count = cfg_size(dns, "stub");
    struct dns_stub *stubs = arena_take(&b->config->arena, (count + 1) * sizeof *stubs);

    r->forwarders = config_list(b, dns, "forwarders", &r->forwarder_count);
    for (unsigned i = 0; stubs && i < count; i++) {
        cfg_t *stub = cfg_getnsec(dns, "stub", i);

        stubs[i] = (struct dns_stub){ config_keep(b, cfg_title(stub)), config_keep(b, cfg_getstr(stub, "server")) };
        if (!stubs[i].server)
            config_section_problem(stub, "stub \"%s\" needs server = \"192.0.2.53\"", cfg_title(stub));
    }
    r->stubs = stubs;
    r->stub_count = count;
    r->trust_anchor_file = config_readable(b, dns, "trust-anchor");
    r->validate = cfg_getbool(dns, "validate");
    r->timeout = config_seconds(dns, "timeout");
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
    c->delivery.idle_connection = config_seconds(d, "idle-connection");
    c->delivery.connect_timeout = config_seconds(d, "connect-timeout");
    c->delivery.ca_file = config_readable(b, d, "ca-file");
    c->retry = (struct retry_rule){ config_seconds(r, "first"), config_seconds(r, "most"), config_seconds(r, "give-up"),
                                    config_seconds(r, "give-up-bounce"), config_seconds(r, "delay-notice") };
    if (c->retry.most < c->retry.first)
        config_section_problem(r, "retry: most must not be less than first");
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
    c->limits.command_time = config_seconds(l, "command-time");
    c->limits.data_time = config_seconds(l, "data-time");
    c->limits.transfer_time = config_seconds(l, "transfer-time");
    c->limits.handshake_time = config_seconds(l, "handshake-time");
    if (cfg_getint(l, "session-time") > 0)
        c->limits.session_time = config_seconds(l, "session-time");
    c->hops = (unsigned)cfg_getint(l, "hops");
    c->connections = (unsigned)cfg_getint(l, "connections");
    c->connections_per_client = (unsigned)cfg_getint(l, "connections-per-client");
    c->minimum_free = (uint64_t)cfg_getint(l, "minimum-free");
}

static void build(struct building *b)
{
    struct config *c = b->config;
    char name[256] = "";

    c->hostname = config_keep(b, cfg_getstr(b->cfg, "hostname"));
    if (!c->hostname) {
        gethostname(name, sizeof name - 1);
        if (strchr(name, '.') && domain_is_valid(slice_of(name), false))
            c->hostname = config_keep(b, name);
        else if (b->use == CONFIG_TO_ASK)
            c->hostname = "localhost.localdomain";
        else
            config_problem(c->file, 0, "hostname is missing, and this machine's own has no domain: "
                    "add hostname = \"mx.example.org\"");
    }
    c->data_directory = config_keep(b, cfg_getstr(b->cfg, "data-directory"));
    if (c->data_directory[0] != '/')
        config_problem(c->file, 0, "data-directory must be an absolute path");
    c->user = config_keep(b, cfg_getstr(b->cfg, "user"));
    c->inbound_processes = (unsigned)cfg_getint(b->cfg, "inbound-processes");
    c->outbound_processes = (unsigned)cfg_getint(b->cfg, "outbound-processes");
    build_trusted(b);
    build_log(b);
    build_identities(b);
    build_listeners(b);
    config_build_routing(b);
    build_postmaster(b);
    build_resolver(b);
    build_delivery(b);
    build_limits(b);
    config_build_policy(b);
    config_build_watch(b);
    check_purpose(b);
}

struct config *config_read(const char *file, enum config_use use, void (*tell)(void *arg, const char *text), void *arg)
{
    struct config *config = NEW(struct config);
    struct building b = { .config = config, .use = use, .cfg = config_file_parse(file, tell, arg) };

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

#include "serve/config_file.h"

#include "base/memory.h"
#include "deliver/route.h"
#include "event/event.h"
#include "net/address.h"
#include "smtp/address.h"
#include "tls/context.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>

enum { CONFIG_MAX = 4 * 1024 * 1024 };

/* libConfuse's error function has no argument of its own to give. */
static struct {
    void (*tell)(void *arg, const char *text);
    void *arg;
    const char *file;           /* for sections that do not know theirs */
    unsigned problems;
} reader;

void config_problem(const char *file, int line, const char *text)
{
    char whole[700];

    if (!file)
        file = reader.file;
    if (line > 0)
        snprintf(whole, sizeof whole, "%s:%d: %s", file, line, text);
    else
        snprintf(whole, sizeof whole, "%s: %s", file, text);
    reader.problems++;
    reader.tell(reader.arg, whole);
}

/* An option that is put behind the end of the file: libConfuse takes the end of
 * the file for the end of an open section, and this one is known only outside. */
#define SENTINEL "end-of-configuration"

printf_like(2, 0)
static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    char text[500];

    vsnprintf(text, sizeof text, format, args);
    if (strstr(text, SENTINEL))
        snprintf(text, sizeof text, "section \"%s\" is not closed: a } is missing", cfg->name);
    config_problem(cfg && cfg->filename ? cfg->filename : reader.file, cfg ? cfg->line : 0, text);
}

/* --- checks of single values, made while the line is known ------------------ */

static const char *last_text(cfg_opt_t *opt)
{
    return cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
}

static int complain(cfg_t *cfg, cfg_opt_t *opt, const char *value, const char *remedy)
{
    cfg_error(cfg, "%s = \"%s\": %s", opt->name, value, remedy);
    return -1;
}

bool config_word(const char *value, const char *const *words, size_t count, unsigned *index)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(value, words[i]) == 0) {
            *index = (unsigned)i;
            return true;
        }
    }
    return false;
}

const char *const role_words[] = { "mx", "submission" };
const char *const tls_words[] = { "starttls", "required", "implicit", "off" };
const char *const log_words[] = { "debug", "info", "warning", "error" };
const char *const format_words[] = { "logfmt", "json" };
const char *const sink_words[] = { "stderr", "syslog" };
const char *const insecure_mx_words[] = { "dane", "encrypt", "may" };
const char *const sts_with_dane_words[] = { "both", "dane" };
const char *const scope_words[] = { "recipient", "all" };
const char *const requiretls_sts_words[] = { "any", "enforce" };
const char *const lookup_failure_words[] = { "pass", "defer" };
const char *const mode_words[] = { "none", "testing", "enforce" };
const char *const memory_words[] = { "off", "alarm", "defer", "enforce" };

/* Options that take one word of few. */
static const struct {
    const char *option;
    const char *const *words;
    size_t count;
    const char *remedy;
} choices[] = {
    { "insecure-mx", insecure_mx_words, COUNT(insecure_mx_words), "must be dane, encrypt or may" },
    { "sts-with-dane", sts_with_dane_words, COUNT(sts_with_dane_words), "must be both or dane" },
    { "tls-required-no", scope_words, COUNT(scope_words), "must be recipient or all" },
    { "requiretls-sts", requiretls_sts_words, COUNT(requiretls_sts_words), "must be any or enforce" },
    { "lookup-failure", lookup_failure_words, COUNT(lookup_failure_words), "must be pass or defer" },
    { "mode", mode_words, COUNT(mode_words), "must be none, testing or enforce" },
    { "memory", memory_words, COUNT(memory_words), "must be off, alarm, defer or enforce" },
};

static int check_choice(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned index;

    for (size_t i = 0; i < COUNT(choices); i++)
        if (strcmp(opt->name, choices[i].option) == 0 &&
            !config_word(last_text(opt), choices[i].words, choices[i].count, &index))
            return complain(cfg, opt, last_text(opt), choices[i].remedy);
    return 0;
}

static int check_role(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned i;

    return config_word(last_text(opt), role_words, COUNT(role_words), &i)
               ? 0 : complain(cfg, opt, last_text(opt), "must be mx or submission");
}

static int check_listener_tls(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned i;

    return config_word(last_text(opt), tls_words, COUNT(tls_words), &i)
               ? 0 : complain(cfg, opt, last_text(opt), "must be starttls, required, implicit or off");
}

static int check_version(cfg_t *cfg, cfg_opt_t *opt)
{
    enum tls_version v;

    return tls_version_parse(slice_of(last_text(opt)), &v)
               ? 0 : complain(cfg, opt, last_text(opt), "must be 1.0, 1.1, 1.2 or 1.3");
}

static int check_log_word(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = last_text(opt);
    unsigned i;

    if (strcmp(opt->name, "level") == 0)
        return config_word(value, log_words, COUNT(log_words), &i)
                   ? 0 : complain(cfg, opt, value, "must be debug, info, warning or error");
    if (strcmp(opt->name, "format") == 0)
        return config_word(value, format_words, COUNT(format_words), &i)
                   ? 0 : complain(cfg, opt, value, "must be logfmt or json");
    return config_word(value, sink_words, COUNT(sink_words), &i) ? 0
               : complain(cfg, opt, value, "must be stderr or syslog");
}

static int check_level(cfg_t *cfg, cfg_opt_t *opt)
{
    enum tls_level level;

    return tls_level_parse(slice_of(last_text(opt)), &level)
               ? 0 : complain(cfg, opt, last_text(opt), "must be off, may, encrypt, verify or dane-only");
}

static int check_requiretls(cfg_t *cfg, cfg_opt_t *opt)
{
    enum requiretls_rule rule;

    return requiretls_rule_parse(slice_of(last_text(opt)), &rule)
               ? 0 : complain(cfg, opt, last_text(opt), "must be enforce, opportunistic+starttls or opportunistic");
}

static int check_route(cfg_t *cfg, cfg_opt_t *opt)
{
    auto_arena struct arena scratch = { 0 };
    struct error why = { 0 };
    struct route route;

    arena_init(&scratch, 4096);
    return route_parse(slice_of(last_text(opt)), &scratch, &route, &why)
               ? 0 : complain(cfg, opt, last_text(opt), why.text);
}

static int check_network(cfg_t *cfg, cfg_opt_t *opt)
{
    struct error why = { 0 };
    struct network network;

    return network_parse(slice_of(last_text(opt)), &network, &why)
               ? 0 : complain(cfg, opt, last_text(opt), why.text);
}

static int check_hostname(cfg_t *cfg, cfg_opt_t *opt)
{
    return domain_is_valid(slice_of(last_text(opt)), false) && strchr(last_text(opt), '.')
               ? 0 : complain(cfg, opt, last_text(opt), "must be a full host name such as mx.example.org");
}

static int check_server(cfg_t *cfg, cfg_opt_t *opt)
{
    struct slice rest = slice_of(last_text(opt));
    struct slice ip = slice_cut(&rest, '@');
    struct address address;
    uint64_t port = 53;

    return address_parse_ip(ip, &address) && (rest.len == 0 || slice_to_number(rest, 65535, &port)) && port > 0
               ? 0 : complain(cfg, opt, last_text(opt), "must be an address, perhaps with @port: 192.0.2.53@53");
}

static int check_mailbox(cfg_t *cfg, cfg_opt_t *opt)
{
    auto_arena struct arena scratch = { 0 };
    struct error why = { 0 };
    struct mailbox mailbox;

    arena_init(&scratch, 4096);
    return mailbox_parse(slice_of(last_text(opt)), &scratch, &mailbox, &why) && !mailbox.is_null
               ? 0 : complain(cfg, opt, last_text(opt), "must be an address such as tls-reports@example.org");
}

static int check_endpoint(cfg_t *cfg, cfg_opt_t *opt)
{
    struct endpoint_config endpoint;
    struct error why = { 0 };

    return config_endpoint_parse(last_text(opt), &endpoint, &why) ? 0 : complain(cfg, opt, last_text(opt), why.text);
}

static int check_event(cfg_t *cfg, cfg_opt_t *opt)
{
    enum event_kind kind;

    return event_kind_parse(slice_of(last_text(opt)), &kind)
               ? 0 : complain(cfg, opt, last_text(opt), "is no event: blocked, cleartext, downgrade, policy-vanished, "
                              "certificate, report or queue-age");
}

static int check_fingerprint(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *at = last_text(opt);
    size_t digits = 0;

    for (; *at; at++) {
        if (*at == ':' && digits % 2 == 0 && digits > 0)
            continue;
        if (!isxdigit((unsigned char)*at))
            break;
        digits++;
    }
    return *at == '\0' && digits == 64
               ? 0 : complain(cfg, opt, last_text(opt), "must be a SHA-256 fingerprint, 64 hex digits, with or without "
                              "colons: openssl x509 -noout -fingerprint -sha256 -in FILE");
}

static int check_certificate_name(cfg_t *cfg, cfg_opt_t *opt)
{
    struct slice name = slice_of(last_text(opt));

    if (slice_starts(name, SLICE(".")))
        name = slice_after(name, 1);
    return domain_is_valid(name, false)
               ? 0 : complain(cfg, opt, last_text(opt), "must be a name, mx.example.org, or .example.org for all below it");
}

/* Every number has a least and a most: here, by name. */
static const struct {
    const char *name;
    long least, most;
} bounds[] = {
    { "inbound-processes", 1, 64 },         { "outbound-processes", 1, 64 },
    { "port", 1, 65535 },                   { "timeout", 1, 300 },
    { "connections", 1, 100000 },           { "connections-per-client", 1, 100000 },
    { "connections-per-destination", 1, 1000 }, { "messages-per-connection", 1, 100000 },
    { "idle-connection", 0, 3600 },         { "connect-timeout", 1, 600 },
    { "cleartext-after", 0, 5 * 86400 },    { "first", 1, 86400 },
    { "most", 1, 7 * 86400 },               { "give-up", 1, 30 * 86400 },
    { "give-up-bounce", 1, 30 * 86400 },    { "delay-notice", 0, 30 * 86400 },
    { "message-size", 65536, 2147483647L }, { "recipients", 100, 1000 },
    { "errors", 1, 10000 },                 { "commands", 10, 1000000 },
    { "messages", 0, 1000000 },             { "command-time", 1, 3600 },
    { "data-time", 1, 3600 },               { "transfer-time", 1, 86400 },
    { "handshake-time", 1, 3600 },          { "hops", 10, 1000 },
    { "minimum-free", 0, 2147483647L },     { "session-time", 0, 7 * 86400 },
    { "patience", 0, 300 },                 { "fetch-time", 1, 300 },
    { "memory-deliveries", 1, 100000 },     { "memory-span", 0, 366 * 86400 },
    { "memory-hold", 0, 7 * 86400 },        { "memory-forget", 3600, 3660 * 86400L },
    { "keep", 1, 3660 },                    { "spread", 0, 20 * 3600 },
    { "every", 0, 30 * 86400 },             { "queue-age", 60, 30 * 86400 },
    { "expiry", 0, 366 * 86400 },
};

static int check_number(cfg_t *cfg, cfg_opt_t *opt)
{
    long value = cfg_opt_getnint(opt, cfg_opt_size(opt) - 1);

    for (size_t i = 0; i < COUNT(bounds); i++) {
        if (strcmp(opt->name, bounds[i].name) != 0 || (value >= bounds[i].least && value <= bounds[i].most))
            continue;
        cfg_error(cfg, "%s = %ld: must be from %ld to %ld", opt->name, value, bounds[i].least, bounds[i].most);
        return -1;
    }
    return 0;
}

/* libConfuse wants the defaults of lists writable. */
static char no_list[] = "{}";
static char loopback[] = "{\"127.0.0.0/8\", \"::1/128\"}";

/* --- the file's grammar ------------------------------------------------------ */

static cfg_opt_t log_options[] = {
    CFG_STR("to", "stderr", CFGF_NONE), CFG_STR("format", "logfmt", CFGF_NONE), CFG_STR("level", "info", CFGF_NONE),
    CFG_END() };
static cfg_opt_t certificate_options[] = {
    CFG_STR("chain", NULL, CFGF_NONE), CFG_STR("key", NULL, CFGF_NONE), CFG_END() };
static cfg_opt_t listen_options[] = {
    CFG_STR("role", NULL, CFGF_NONE), CFG_STR("tls", NULL, CFGF_NONE), CFG_STR("tls-minimum", "1.2", CFGF_NONE),
    CFG_END() };
static cfg_opt_t tls_options[] = {
    CFG_STR("level", NULL, CFGF_NONE), CFG_STR_LIST("names", no_list, CFGF_NONE),
    CFG_STR_LIST("fingerprints", no_list, CFGF_NONE), CFG_STR("minimum", NULL, CFGF_NONE),
    CFG_STR("ciphers", NULL, CFGF_NONE), CFG_BOOL("dane", cfg_true, CFGF_NONE), CFG_BOOL("sts", cfg_true, CFGF_NONE),
    CFG_BOOL("allow-cleartext-override", cfg_false, CFGF_NONE), CFG_STR("requiretls", NULL, CFGF_NONE),
    CFG_STR_LIST("except", no_list, CFGF_NONE), CFG_END() };
static cfg_opt_t destination_options[] = {
    CFG_STR("route", NULL, CFGF_NONE), CFG_SEC("tls", tls_options, CFGF_NONE), CFG_END() };
static cfg_opt_t stub_options[] = { CFG_STR("server", NULL, CFGF_NONE), CFG_END() };
static cfg_opt_t selftest_options[] = {
    CFG_STR("signed", NULL, CFGF_NONE), CFG_STR("unsigned", NULL, CFGF_NONE), CFG_STR("bogus", NULL, CFGF_NONE),
    CFG_BOOL("enabled", cfg_true, CFGF_NONE), CFG_END() };
static cfg_opt_t dns_options[] = {
    CFG_STR_LIST("forwarders", no_list, CFGF_NONE), CFG_STR("trust-anchor", NULL, CFGF_NONE),
    CFG_BOOL("validate", cfg_true, CFGF_NONE), CFG_INT("timeout", 10, CFGF_NONE),
    CFG_SEC("selftest", selftest_options, CFGF_NONE),
    CFG_SEC("stub", stub_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES), CFG_END() };
static cfg_opt_t policy_options[] = {
    CFG_STR("insecure-mx", NULL, CFGF_NONE), CFG_STR("sts-with-dane", NULL, CFGF_NONE),
    CFG_STR("tls-required-no", NULL, CFGF_NONE), CFG_STR("requiretls-sts", NULL, CFGF_NONE),
    CFG_BOOL("requiretls", cfg_true, CFGF_NONE), CFG_BOOL("dane-sha512", cfg_true, CFGF_NONE),
    CFG_STR("memory", NULL, CFGF_NONE), CFG_INT("memory-deliveries", 20, CFGF_NONE),
    CFG_INT("memory-span", 14 * 86400, CFGF_NONE), CFG_INT("memory-hold", 3600, CFGF_NONE),
    CFG_INT("memory-forget", 90 * 86400, CFGF_NONE), CFG_END() };
static cfg_opt_t pin_options[] = {
    CFG_STR("mode", "enforce", CFGF_NONE), CFG_STR_LIST("mx", no_list, CFGF_NONE), CFG_END() };
static cfg_opt_t sts_options[] = {
    CFG_BOOL("enabled", cfg_true, CFGF_NONE), CFG_INT("port", 443, CFGF_NONE), CFG_STR("ca-file", NULL, CFGF_NONE),
    CFG_INT("patience", 10, CFGF_NONE), CFG_INT("fetch-time", 60, CFGF_NONE),
    CFG_STR("lookup-failure", NULL, CFGF_NONE), CFG_BOOL("private-addresses", cfg_true, CFGF_NONE),
    CFG_SEC("pin", pin_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES), CFG_END() };
static cfg_opt_t delivery_options[] = {
    CFG_INT("port", 25, CFGF_NONE), CFG_INT("connections", 500, CFGF_NONE),
    CFG_INT("connections-per-destination", 20, CFGF_NONE), CFG_INT("messages-per-connection", 1000, CFGF_NONE),
    CFG_INT("idle-connection", 5, CFGF_NONE), CFG_INT("connect-timeout", 30, CFGF_NONE),
    CFG_INT("cleartext-after", 300, CFGF_NONE), CFG_STR("ca-file", NULL, CFGF_NONE), CFG_END() };
static cfg_opt_t retry_options[] = {
    CFG_INT("first", 300, CFGF_NONE), CFG_INT("most", 14400, CFGF_NONE), CFG_INT("give-up", 432000, CFGF_NONE),
    CFG_INT("give-up-bounce", 86400, CFGF_NONE), CFG_INT("delay-notice", 0, CFGF_NONE), CFG_END() };
static cfg_opt_t limits_options[] = {
    CFG_INT("message-size", 52428800, CFGF_NONE), CFG_INT("recipients", 1000, CFGF_NONE),
    CFG_INT("connections", 1000, CFGF_NONE), CFG_INT("connections-per-client", 50, CFGF_NONE),
    CFG_INT("errors", 20, CFGF_NONE), CFG_INT("commands", 20000, CFGF_NONE), CFG_INT("messages", 0, CFGF_NONE),
    CFG_INT("command-time", 300, CFGF_NONE), CFG_INT("data-time", 180, CFGF_NONE),
    CFG_INT("transfer-time", 600, CFGF_NONE), CFG_INT("handshake-time", 60, CFGF_NONE),
    CFG_INT("session-time", 86400, CFGF_NONE), CFG_INT("hops", 100, CFGF_NONE),
    CFG_INT("minimum-free", 67108864, CFGF_NONE), CFG_END() };
static cfg_opt_t facts_options[] = {
    CFG_INT("keep", 90, CFGF_NONE), CFG_STR("file", NULL, CFGF_NONE), CFG_END() };
static cfg_opt_t dkim_options[] = {
    CFG_STR("selector", NULL, CFGF_NONE), CFG_STR("key", NULL, CFGF_NONE), CFG_END() };
static cfg_opt_t report_options[] = {
    CFG_BOOL("enabled", cfg_true, CFGF_NONE), CFG_STR("organization", NULL, CFGF_NONE),
    CFG_STR("contact", NULL, CFGF_NONE), CFG_INT("spread", 4 * 3600, CFGF_NONE), CFG_INT("give-up", 86400, CFGF_NONE),
    CFG_BOOL("failures-only", cfg_false, CFGF_NONE), CFG_BOOL("private-addresses", cfg_false, CFGF_NONE),
    CFG_STR_LIST("receive", no_list, CFGF_NONE),
    CFG_STR_LIST("domains", no_list, CFGF_NONE), CFG_END() };
static cfg_opt_t postfix_options[] = {
    CFG_STR_LIST("socketmap", no_list, CFGF_NONE), CFG_STR_LIST("tcp-table", no_list, CFGF_NONE),
    CFG_STR("tlsrpt", NULL, CFGF_NONE), CFG_BOOL("tlsrpt-attributes", cfg_false, CFGF_NONE), CFG_END() };
static cfg_opt_t web_options[] = { CFG_STR_LIST("listen", no_list, CFGF_NONE), CFG_END() };
static cfg_opt_t hook_options[] = {
    CFG_STR_LIST("events", no_list, CFGF_NONE), CFG_STR("url", NULL, CFGF_NONE),
    CFG_STR_LIST("command", no_list, CFGF_NONE), CFG_INT("every", 3600, CFGF_NONE), CFG_INT("timeout", 30, CFGF_NONE),
    CFG_END() };
static cfg_opt_t alarm_options[] = {
    CFG_INT("expiry", 14 * 86400, CFGF_NONE), CFG_INT("queue-age", 4 * 3600, CFGF_NONE), CFG_END() };
static cfg_opt_t top_options[] = {
    CFG_STR("hostname", NULL, CFGF_NONE),
    CFG_STR("data-directory", "/var/lib/postern", CFGF_NONE),
    CFG_STR("user", "postern", CFGF_NONE),
    CFG_STR("postmaster", NULL, CFGF_NONE),
    CFG_INT("inbound-processes", 2, CFGF_NONE),
    CFG_INT("outbound-processes", 2, CFGF_NONE),
    CFG_STR_LIST("trusted", loopback, CFGF_NONE),
    CFG_SEC("log", log_options, CFGF_NONE),
    CFG_SEC("certificate", certificate_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("listen", listen_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("domain", destination_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("destination", destination_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("dns", dns_options, CFGF_NONE),
    CFG_SEC("delivery", delivery_options, CFGF_NONE),
    CFG_SEC("policy", policy_options, CFGF_NONE),
    CFG_SEC("mta-sts", sts_options, CFGF_NONE),
    CFG_SEC("retry", retry_options, CFGF_NONE),
    CFG_SEC("limits", limits_options, CFGF_NONE),
    CFG_SEC("facts", facts_options, CFGF_NONE),
    CFG_SEC("dkim", dkim_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("tls-report", report_options, CFGF_NONE),
    CFG_SEC("postfix", postfix_options, CFGF_NONE),
    CFG_SEC("web", web_options, CFGF_NONE),
    CFG_SEC("hook", hook_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("alarm", alarm_options, CFGF_NONE),
    CFG_FUNC("include", &cfg_include),
    CFG_BOOL(SENTINEL, cfg_false, CFGF_NONE),
    CFG_END() };

static void set_checks(cfg_t *cfg)
{
    static const struct {
        const char *option;
        cfg_validate_callback_t check;
    } checks[] = {
        { "hostname", check_hostname }, { "trusted", check_network }, { "log|to", check_log_word },
        { "log|format", check_log_word }, { "log|level", check_log_word }, { "listen|role", check_role },
        { "listen|tls", check_listener_tls }, { "listen|tls-minimum", check_version },
        { "domain|route", check_route }, { "destination|route", check_route }, { "domain|tls|level", check_level },
        { "destination|tls|level", check_level },
        { "dns|forwarders", check_server }, { "dns|stub|server", check_server },
        { "dns|timeout", check_number }, { "domain|tls|minimum", check_version },
        { "domain|tls|requiretls", check_requiretls }, { "destination|tls|requiretls", check_requiretls },
        { "destination|tls|minimum", check_version }, { "domain|tls|fingerprints", check_fingerprint },
        { "destination|tls|fingerprints", check_fingerprint }, { "domain|tls|names", check_certificate_name },
        { "destination|tls|names", check_certificate_name }, { "policy|insecure-mx", check_choice },
        { "policy|sts-with-dane", check_choice }, { "policy|tls-required-no", check_choice },
        { "policy|requiretls-sts", check_choice }, { "policy|memory", check_choice },
        { "mta-sts|lookup-failure", check_choice }, { "mta-sts|pin|mode", check_choice },
        { "inbound-processes", check_number }, { "outbound-processes", check_number },
        { "tls-report|contact", check_mailbox }, { "tls-report|receive", check_mailbox },
        { "postfix|socketmap", check_endpoint }, { "postfix|tcp-table", check_endpoint },
        { "web|listen", check_endpoint }, { "hook|events", check_event },
    };
    static const char *const sections[] = { "delivery", "retry", "limits", "policy", "mta-sts", "facts", "tls-report",
                                            "hook", "alarm" };

    for (size_t i = 0; i < COUNT(checks); i++)
        cfg_set_validate_func(cfg, checks[i].option, checks[i].check);
    for (size_t i = 0; i < COUNT(sections); i++) {
        for (size_t n = 0; n < COUNT(bounds); n++) {
            char option[80];

            snprintf(option, sizeof option, "%s|%s", sections[i], bounds[n].name);
            cfg_set_validate_func(cfg, option, check_number);
        }
    }
}

/* --- reading ------------------------------------------------------------------ */

/* The file's text with the sentinel behind it. */
static FILE *open_with_sentinel(const char *file, struct buf *text)
{
    auto_close int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 0;

    buf_init(text, CONFIG_MAX);
    while (fd >= 0 && !text->failed) {
        char *room = buf_room(text, 4096);

        n = room ? read(fd, room, 4096) : -1;
        if (n <= 0)
            break;
        buf_grew(text, (size_t)n);
    }
    buf_add(text, SLICE("\n" SENTINEL " = true\n"));
    return n == 0 && !text->failed ? fmemopen(text->memory + text->start, buf_len(text), "r") : NULL;
}

static bool parse(cfg_t *cfg, const char *file)
{
    auto_buf struct buf text = { 0 };
    FILE *stream = open_with_sentinel(file, &text);
    int result;

    if (!stream) {
        config_problem(file, 0, "cannot be read; name the file with -c FILE");
        return false;
    }
    cfg->filename = strdup(file);
    result = cfg_parse_fp(cfg, stream);
    fclose(stream);
    if (result != CFG_SUCCESS && reader.problems == 0)
        config_problem(file, cfg->line, "cannot be understood");
    return reader.problems == 0;
}

cfg_t *config_file_parse(const char *file, void (*tell)(void *arg, const char *text), void *arg)
{
    cfg_t *cfg = cfg_init(top_options, CFGF_NOCASE);

    reader.tell = tell;
    reader.arg = arg;
    reader.file = file;
    reader.problems = 0;
    cfg_set_error_function(cfg, on_error);
    set_checks(cfg);
    if (parse(cfg, file))
        return cfg;
    cfg_free(cfg);
    return NULL;
}

unsigned config_problems(void)
{
    return reader.problems;
}

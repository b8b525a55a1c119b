#include "dns/setup.h"

#include "base/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unbound.h>

static const char debian_root_key[] = "/usr/share/dns/root.key";

enum { ANCHOR_FILE_MAX = 64 * 1024 };

/* --- options ---------------------------------------------------------------- */

struct option {
    const char *name, *value;
};

static const struct option always[] = {
    { "edns-buffer-size:", "1232" },            /* passes every path unfragmented; larger answers come by TCP */
    { "outgoing-range:", "512" },               /* questions on the wire at once */
    { "num-queries-per-thread:", "1024" },
    { "outgoing-num-tcp:", "32" },
    { "msg-cache-size:", "8m" },
    { "rrset-cache-size:", "16m" },
    { "serve-expired:", "no" },                 /* DANE-013; the library would also take signatures */
    { "val-sig-skew-min:", "0" },               /* that ended up to a day ago: RFC 4035 5.3.1 does not */
    { "val-sig-skew-max:", "0" },
    { "qname-minimisation:", "no" },            /* a question more for _tcp.HOST before each TLSA question */
    { "trust-anchor-signaling:", "no" },        /* RFC 8145: telemetry of resolvers, not of mail servers */
};

static bool set(struct ub_ctx *library, const char *name, const char *value, struct error *why)
{
    int trouble = ub_ctx_set_option(library, name, value);

    return trouble == 0 || fail(why, E_SYSTEM, "libunbound refuses \"%s %s\": %s", name, value, ub_strerror(trouble));
}

static bool set_all(struct ub_ctx *library, const struct option *options, size_t count, struct error *why)
{
    for (size_t i = 0; i < count; i++)
        if (!set(library, options[i].name, options[i].value, why))
            return false;
    return true;
}

/* --- servers ----------------------------------------------------------------- */

static bool is_loopback(const char *server)
{
    return slice_starts(slice_of(server), SLICE("127.")) || slice_starts(slice_of(server), SLICE("::1"));
}

/* The library never asks servers on loopback unless told so, which guards
 * against delegations that point there; it is told so only when we name one. */
static bool allow_loopback(struct ub_ctx *library, const struct resolver_settings *s, struct error *why)
{
    bool wanted = false;

    for (size_t i = 0; i < s->forwarder_count; i++)
        wanted = wanted || is_loopback(s->forwarders[i]);
    for (size_t i = 0; i < s->stub_count; i++)
        wanted = wanted || is_loopback(s->stubs[i].server);
    return !wanted || set(library, "do-not-query-localhost:", "no", why);
}

static bool is_below(struct slice name, struct slice zone)
{
    return slice_equal(zone, SLICE(".")) ||
           (slice_ends_nocase(name, zone) && (name.len == zone.len || name.at[name.len - zone.len - 1] == '.'));
}

static bool is_served(const struct resolver_settings *s, struct slice zone)
{
    for (size_t i = 0; i < s->stub_count; i++) {
        struct slice stub = slice_of(s->stubs[i].zone);

        if (stub.len > 1 && stub.at[stub.len - 1] == '.')
            stub.len--;
        if (is_below(zone, stub) || is_below(stub, zone))
            return true;
    }
    return s->forwarder_count > 0;
}

/* The library answers for special zones (RFC 6761, 6303) by itself. Where the
 * configuration names a server for them, that server is asked. */
static bool open_special_zones(struct ub_ctx *library, const struct resolver_settings *s, struct error *why)
{
    static const char *const zones[] = {
        "test", "invalid", "onion", "localhost", "home.arpa", "127.in-addr.arpa",
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    };

    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        char value[120];

        snprintf(value, sizeof value, "%s. transparent", zones[i]);
        if (is_served(s, slice_of(zones[i])) && !set(library, "local-zone:", value, why))
            return false;
    }
    /* All the reverse zones of private and documentation networks. */
    return !is_served(s, SLICE("in-addr.arpa")) || set(library, "unblock-lan-zones:", "yes", why);
}

/* The library takes any number for a port, whatever stands behind it. */
static bool has_good_port(const char *server)
{
    struct slice port = slice_of(server);
    uint64_t number;

    slice_cut(&port, '@');
    return !port.at || (slice_to_number(port, 65535, &number) && number > 0);
}

static bool add_servers(struct ub_ctx *library, const struct resolver_settings *s, struct error *why)
{
    for (size_t i = 0; i < s->forwarder_count; i++)
        if (!has_good_port(s->forwarders[i]) || ub_ctx_set_fwd(library, s->forwarders[i]) != 0)
            return fail(why, E_USAGE, "\"%s\" is not the address of a DNS server", s->forwarders[i]);
    for (size_t i = 0; i < s->stub_count; i++)
        if (!has_good_port(s->stubs[i].server) ||
            ub_ctx_set_stub(library, s->stubs[i].zone, s->stubs[i].server, 0) != 0)
            return fail(why, E_USAGE, "\"%s\" at \"%s\" is not a zone with the address of its server",
                        s->stubs[i].zone, s->stubs[i].server);
    return allow_loopback(library, s, why) && open_special_zones(library, s, why);
}

/* --- trust anchor --------------------------------------------------------------- */

static bool has_anchor(struct slice text)
{
    while (text.at && text.len) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        struct slice record = slice_first(line, slice_find(line, ';'));

        if (memmem(record.at, record.len, "DNSKEY", 6) || memmem(record.at, record.len, "DS", 2))
            return true;
    }
    return false;
}

/* The library takes a file without any anchor for a good one, and would then
 * call everything insecure; a folder it reads for ever. */
static bool check_anchor_file(const char *file, struct error *why)
{
    auto_close int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    auto_free char *text = memory_new(ANCHOR_FILE_MAX);
    struct stat about;
    ssize_t got;

    if (fd < 0 || fstat(fd, &about) != 0)
        return fail_errno(why, E_USAGE, "trust anchor file %s", file);
    if (!S_ISREG(about.st_mode))
        return fail(why, E_USAGE, "trust anchor file %s is not a file", file);
    got = read(fd, text, ANCHOR_FILE_MAX);
    if (got < 0)
        return fail_errno(why, E_USAGE, "trust anchor file %s", file);
    if (got == 0 || !has_anchor(slice(text, (size_t)got)))
        return fail(why, E_USAGE, "trust anchor file %s holds no DS or DNSKEY record", file);
    return true;
}

static bool add_anchor(struct ub_ctx *library, const struct resolver_settings *s, bool *validates, struct error *why)
{
    const char *file = s->trust_anchor_file;

    if (!file && access(debian_root_key, R_OK) == 0)
        file = debian_root_key;
    if (!s->validate || !file) {
        *validates = false;
        return set(library, "module-config:", "iterator", why);
    }
    if (!check_anchor_file(file, why))
        return false;
    if (ub_ctx_add_ta_file(library, file) != 0)
        return fail(why, E_SYSTEM, "libunbound does not take the trust anchor file %s", file);
    *validates = true;
    return set(library, "module-config:", "validator iterator", why);
}

/* --- the whole ------------------------------------------------------------------ */

static bool configure(struct ub_ctx *library, const struct resolver_settings *s, bool *validates, struct error *why)
{
    int trouble = ub_ctx_async(library, 1);     /* a thread, not a process */

    if (trouble != 0)
        return fail(why, E_SYSTEM, "libunbound: %s", ub_strerror(trouble));
    if (!set_all(library, always, sizeof always / sizeof *always, why) || !add_servers(library, s, why) ||
        !add_anchor(library, s, validates, why))
        return false;
    if (s->hosts_file && ub_ctx_hosts(library, s->hosts_file) != 0)
        return fail(why, E_USAGE, "hosts file %s cannot be read", s->hosts_file);
    return true;
}

/* The first of the library's complaints, without its time and process. */
static struct slice complaint(struct slice log)
{
    struct slice line = slice_cut(&log, '\n');
    const char *text = memmem(line.at, line.len, "error: ", 7);

    return text ? slice_after(line, (size_t)(text - line.at) + 7) : line;
}

/* Settings take effect, and files are read, only when the library is first
 * used; removing a zone that does not exist is a use without effect. */
static bool finalize(struct ub_ctx *library, struct error *why)
{
    char *text = NULL;
    size_t len = 0;
    FILE *log = open_memstream(&text, &len);
    bool done;

    if (!log)
        return fail_errno(why, E_SYSTEM, "libunbound's log");
    ub_ctx_debugout(library, log);
    done = ub_ctx_zone_remove(library, "none.invalid.") == 0;
    ub_ctx_debugout(library, NULL);         /* from here on an answer's own words must do */
    fclose(log);
    if (!done)
        fail(why, E_USAGE, "libunbound refuses its settings: %.*s", SLICE_ARGS(complaint(slice(text, len))));
    free(text);
    return done;
}

struct ub_ctx *setup_library(const struct resolver_settings *s, bool *validates, struct error *why)
{
    struct ub_ctx *library = ub_ctx_create();

    if (!library) {
        fail_errno(why, E_SYSTEM, "libunbound cannot be started");
        return NULL;
    }
    if (!configure(library, s, validates, why) || !finalize(library, why)) {
        ub_ctx_delete(library);
        return NULL;
    }
    return library;
}

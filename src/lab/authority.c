#include "lab/authority.h"

#include "base/memory.h"
#include "lab/child.h"
#include "lab/files.h"
#include "lab/zone.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

enum { ZONE_MAX = 1024 * 1024, CONF_MAX = 64 * 1024, KEYS_OF_A_ZONE = 2, START_UP_MS = 10000 };

struct work {
    struct plan *plan;
    const char *log;
    char keygen[256], signzone[256], nsd[256], unbound[256];
};

static bool is_signed(const struct plan_zone *z)
{
    return z->signing != UNSIGNED;
}

/* A name for files: the root has none of its own. */
static const char *label_of(const struct plan_zone *z)
{
    return z->name[0] ? z->name : "root";
}

static bool find_programs(struct work *w, struct error *why)
{
    return child_find("ldns-keygen", "ldnsutils", w->keygen, why)
        && child_find("ldns-signzone", "ldnsutils", w->signzone, why) && child_find("nsd", "nsd", w->nsd, why)
        && child_find("unbound", "unbound", w->unbound, why);
}

/* --- keys --------------------------------------------------------------------------- */

/* The file that holds what ldns-keygen called the key: "Kexample.+013+12345". */
static const char *key_note(struct work *w, const struct plan_zone *z, bool signs_keys)
{
    return plan_path(w->plan, "keys/%s.%s", label_of(z), signs_keys ? "ksk" : "zsk");
}

/* "DIRECTORY/keys/Kexample.+013+12345", with a suffix. */
static const char *key_file(struct work *w, const struct plan_zone *z, bool signs_keys, const char *suffix,
                            struct error *why)
{
    auto_buf struct buf note = { .max = 512 };

    if (!file_read(key_note(w, z, signs_keys), &note, why))
        return NULL;
    return plan_path(w->plan, "keys/%.*s%s", SLICE_ARGS(slice_trim(buf_slice(&note))), suffix);
}

static bool has_key(struct work *w, const struct plan_zone *z, bool signs_keys)
{
    const char *file = key_file(w, z, signs_keys, ".private", NULL);

    return file && access(file, R_OK) == 0;
}

/* ldns-keygen writes to where it is run, so a shell goes there first. */
static pid_t start_keygen(struct work *w, const struct plan_zone *z, bool signs_keys, struct error *why)
{
    const char *argv[13] = { "/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", plan_path(w->plan, "keys"), w->keygen,
                             "-r", "/dev/urandom", "-a", "ECDSAP256SHA256" };
    const char *note = key_note(w, z, signs_keys);
    size_t count = 9;

    if (signs_keys)
        argv[count++] = "-k";
    argv[count] = z->name[0] ? z->name : ".";
    unlink(note);
    return child_start(argv, note, w->log, why);
}

static bool make_keys(struct work *w, struct error *why)
{
    auto_free pid_t *running = memory_array(KEYS_OF_A_ZONE * w->plan->zone_count, sizeof *running);
    bool good = true;

    for (size_t i = 0; good && i < KEYS_OF_A_ZONE * w->plan->zone_count; i++) {
        const struct plan_zone *z = &w->plan->zones[i / KEYS_OF_A_ZONE];
        bool signs_keys = i % KEYS_OF_A_ZONE == 0;

        if (!is_signed(z) || has_key(w, z, signs_keys))
            continue;
        running[i] = start_keygen(w, z, signs_keys, why);
        good = running[i] > 0;
    }
    for (size_t i = 0; i < KEYS_OF_A_ZONE * w->plan->zone_count; i++)
        if (running[i] > 0 && !child_wait(running[i], "ldns-keygen", w->log, good ? why : NULL))
            good = false;
    return good;
}

/* --- zones --------------------------------------------------------------------------- */

/* The DS records of a zone's signed children. */
static bool gather_delegations(struct work *w, const struct plan_zone *z, struct buf *out, struct error *why)
{
    for (size_t i = 0; i < w->plan->zone_count; i++) {
        const struct plan_zone *child = &w->plan->zones[i];
        const char *file;

        if (child->parent != z || !is_signed(child))
            continue;
        file = key_file(w, child, true, ".ds", why);
        if (!file || !file_read(file, out, why))
            return false;
    }
    return true;
}

static bool write_zone(struct work *w, const struct plan_zone *z, struct error *why)
{
    auto_buf struct buf text = { .max = ZONE_MAX }, delegations = { .max = ZONE_MAX };

    return gather_delegations(w, z, &delegations, why)
        && zone_write(w->plan, z, buf_slice(&delegations), &text, why)
        && file_write(plan_path(w->plan, "zones/%s", label_of(z)), buf_slice(&text), why);
}

static pid_t start_signing(struct work *w, const struct plan_zone *z, struct error *why)
{
    const char *keys = key_file(w, z, true, "", why), *zone_keys = keys ? key_file(w, z, false, "", why) : NULL;
    const char *file = plan_path(w->plan, "zones/%s", label_of(z));
    const char *result = plan_path(w->plan, "zones/%s.signed", label_of(z));
    const char *const argv[] = { w->signzone, "-o", z->name[0] ? z->name : ".", "-f", result, file, keys, zone_keys, NULL };
    const char *const of_the_past[] = { w->signzone, "-i", "20200101000000", "-e", "20200201000000", "-o", z->name, "-f",
                                        result, file, keys, zone_keys, NULL };

    if (!zone_keys)
        return -1;
    return child_start(z->signing == SIGNED_LONG_AGO ? of_the_past : argv, w->log, w->log, why);
}

/* The owner of the records whose signature a case wants broken. */
static const char *broken_name(struct work *w, const struct lab_case *c)
{
    const char *domain = lab_name(c, "@", &w->plan->memory);

    if (strcmp(c->broken, "TLSA") != 0)
        return domain;
    return arena_string(&w->plan->memory, arena_text(&w->plan->memory, "_%u._tcp.%s", w->plan->smtp_port,
                                                     lab_name(c, c->hosts[0].name ? c->hosts[0].name : "mx.@",
                                                              &w->plan->memory)));
}

static bool finish_zone(struct work *w, const struct plan_zone *z, struct error *why)
{
    const char *file = plan_path(w->plan, "zones/%s.signed", label_of(z));
    auto_buf struct buf raw = { .max = ZONE_MAX }, text = { .max = ZONE_MAX };

    if (!file_read(file, &raw, why))
        return false;
    zone_mend(buf_slice(&raw), &text);
    for (size_t i = 0; i < lab_case_count; i++) {
        const char *name = lab_cases[i].broken ? broken_name(w, &lab_cases[i]) : NULL;

        if (name && plan_zone_of(w->plan, name) == z && !zone_break(&text, name, lab_cases[i].broken))
            return fail(why, E_USAGE, "the case %s has no signature to break", lab_cases[i].domain);
    }
    return file_write(file, buf_slice(&text), why);
}

static bool sign_zones(struct work *w, struct error *why)
{
    auto_free pid_t *running = memory_array(w->plan->zone_count, sizeof *running);
    bool good = true;

    for (size_t i = 0; good && i < w->plan->zone_count; i++) {
        const struct plan_zone *z = &w->plan->zones[i];

        good = write_zone(w, z, why);
        if (good && is_signed(z)) {
            running[i] = start_signing(w, z, why);
            good = running[i] > 0;
        }
    }
    for (size_t i = 0; i < w->plan->zone_count; i++)
        if (running[i] > 0 && !child_wait(running[i], "ldns-signzone", w->log, good ? why : NULL))
            good = false;
    for (size_t i = 0; good && i < w->plan->zone_count; i++)
        if (is_signed(&w->plan->zones[i]))
            good = finish_zone(w, &w->plan->zones[i], why);
    return good;
}

/* --- the servers' configuration -------------------------------------------------------- */

static const char *at_port(const struct plan *p, const struct address *a, char text[ADDRESS_TEXT_MAX + 8])
{
    char ip[ADDRESS_TEXT_MAX];

    snprintf(text, ADDRESS_TEXT_MAX + 8, "%s@%u", address_ip_text(a, ip), a->port);
    return text;
}

static bool write_nsd_conf(struct work *w, struct error *why)
{
    const struct plan *p = w->plan;
    auto_buf struct buf out = { .max = CONF_MAX };
    char at[ADDRESS_TEXT_MAX + 8];

    buf_text(&out, "server:\n    ip-address: %s\n    server-count: 1\n    username: \"\"\n    chroot: \"\"\n"
             "    database: \"\"\n    zonesdir: \"%s/zones\"\n    pidfile: \"%s/nsd.pid\"\n"
             "    xfrdfile: \"%s/xfrd.state\"\n    zonelistfile: \"%s/zone.list\"\n    xfrdir: \"%s\"\n"
             "    rrl-ratelimit: 0\nremote-control:\n    control-enable: no\n",
             at_port(p, &p->authority, at), p->directory, p->directory, p->directory, p->directory, p->directory);
    for (size_t i = 0; i < p->zone_count; i++)
        buf_text(&out, "zone:\n    name: \"%s.\"\n    zonefile: \"%s%s\"\n", p->zones[i].name, label_of(&p->zones[i]),
                 is_signed(&p->zones[i]) ? ".signed" : "");
    return file_write(plan_path(w->plan, "nsd.conf"), buf_slice(&out), why);
}

/* Every zone is a stub: a referral would lead to port 53, where nobody is. */
static bool write_unbound_conf(struct work *w, struct error *why)
{
    const struct plan *p = w->plan;
    auto_buf struct buf out = { .max = CONF_MAX };
    char at[ADDRESS_TEXT_MAX + 8], ip[ADDRESS_TEXT_MAX];

    buf_text(&out, "server:\n    interface: %s\n    directory: \"%s\"\n    pidfile: \"%s/unbound.pid\"\n"
             "    do-daemonize: no\n    use-syslog: no\n    username: \"\"\n    chroot: \"\"\n    do-ip6: no\n"
             "    num-threads: 1\n    access-control: 127.0.0.0/8 allow\n    do-not-query-localhost: no\n"
             "    qname-minimisation: no\n    module-config: \"validator iterator\"\n"
             "    trust-anchor-file: \"%s/root.key\"\n    val-bogus-ttl: 1\n    infra-host-ttl: 1\n"
             "remote-control:\n    control-enable: no\n",
             at_port(p, &p->resolver, at), p->directory, p->directory, p->directory);
    for (size_t i = 0; i < p->zone_count; i++) {
        const struct plan_zone *z = &p->zones[i];

        buf_text(&out, "stub-zone:\n    name: \"%s.\"\n    stub-addr: %s\n    stub-prime: no\n", z->name,
                 at_port(p, z->tlsa_servfail ? &p->spoiler : &p->authority, at));
    }
    if (!file_write(plan_path(w->plan, "unbound.conf"), buf_slice(&out), why))
        return false;
    buf_clear(&out);
    buf_text(&out, "nameserver %s\noptions edns0 trust-ad\n", address_ip_text(&p->resolver, ip));
    return file_write(plan_path(w->plan, "resolv.conf"), buf_slice(&out), why);
}

static bool write_trust_anchor(struct work *w, struct error *why)
{
    auto_buf struct buf key = { .max = 4096 };
    const char *file = key_file(w, &w->plan->zones[0], true, ".key", why);

    return file && file_read(file, &key, why) && file_write(plan_path(w->plan, "root.key"), buf_slice(&key), why);
}

/* --- the servers ----------------------------------------------------------------------- */

/* A port that is free for both kinds of sockets a moment from now, too. */
static bool choose_port(struct address *a, struct error *why)
{
    for (int tries = 0; a->port == 0 && tries < 100; tries++) {
        struct sockaddr_storage name;
        socklen_t len = address_to(a, &name);
        auto_close int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        auto_close int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (bind(udp, (struct sockaddr *)&name, len) == 0 && getsockname(udp, (struct sockaddr *)&name, &len) == 0
            && bind(tcp, (struct sockaddr *)&name, len) == 0)
            a->port = address_from((struct sockaddr *)&name).port;
    }
    return a->port != 0 || fail(why, E_SYSTEM, "no free port for a name server was found");
}

static bool answers(const struct address *a)
{
    struct sockaddr_storage name;
    socklen_t len = address_to(a, &name);
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return connect(fd, (struct sockaddr *)&name, len) == 0;
}

static bool wait_until_up(pid_t child, const char *name, const struct address *a, const char *log, struct error *why)
{
    static const struct timespec moment = { 0, 5 * 1000 * 1000 };
    char text[ADDRESS_TEXT_MAX];

    for (int waited = 0; waited < START_UP_MS; waited += 5) {
        if (waitpid(child, NULL, WNOHANG) != 0)
            return fail(why, E_SYSTEM, "%s ended at once; see %s", name, log);
        if (answers(a))
            return true;
        nanosleep(&moment, NULL);
    }
    return fail(why, E_SYSTEM, "%s does not answer on %s; see %s", name, address_text(a, text), log);
}

static bool start_servers(struct authority *a, struct work *w, struct error *why)
{
    const char *nsd_log = plan_path(w->plan, "nsd.log"), *unbound_log = plan_path(w->plan, "unbound.log");
    const char *const nsd[] = { w->nsd, "-d", "-c", plan_path(w->plan, "nsd.conf"), NULL };
    const char *const unbound[] = { w->unbound, "-d", "-c", plan_path(w->plan, "unbound.conf"), NULL };

    a->nsd = child_start(nsd, nsd_log, nsd_log, why);
    a->unbound = a->nsd > 0 ? child_start(unbound, unbound_log, unbound_log, why) : -1;
    if (a->unbound > 0 && wait_until_up(a->nsd, "nsd", &w->plan->authority, nsd_log, why)
        && wait_until_up(a->unbound, "unbound", &w->plan->resolver, unbound_log, why))
        return true;
    authority_stop(a);
    return false;
}

bool authority_start(struct authority *a, struct plan *p, struct error *why)
{
    struct work w = { .plan = p, .log = plan_path(p, "ldns.log") };

    *a = (struct authority){ 0 };
    return find_programs(&w, why) && folder_make(plan_path(p, "keys"), why) && folder_make(plan_path(p, "zones"), why)
        && choose_port(&p->authority, why) && choose_port(&p->resolver, why) && make_keys(&w, why)
        && sign_zones(&w, why) && write_trust_anchor(&w, why) && write_nsd_conf(&w, why) && write_unbound_conf(&w, why)
        && start_servers(a, &w, why);
}

void authority_stop(struct authority *a)
{
    child_stop(a->unbound);
    child_stop(a->nsd);
    *a = (struct authority){ 0 };
}

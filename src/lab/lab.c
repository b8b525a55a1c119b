#include "lab/lab.h"

#include "base/memory.h"
#include "lab/authority.h"
#include "lab/certificates.h"
#include "lab/files.h"
#include "lab/hosts.h"
#include "lab/service.h"
#include "lab/spoiler.h"
#include "lab/web.h"
#include "run/loop.h"
#include "run/process.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { CONF_MAX = 8 * 1024 };

struct lab {
    const struct lab_settings *settings;
    struct plan *plan;
    struct hosts *hosts;
    struct web *web;
    struct spoiler *spoiler;
    struct authority authority;
    struct error broken;        /* a name server died */
};

/* --- the place ---------------------------------------------------------------------- */

static bool find_directory(const char *wanted, char path[PATH_MAX], struct error *why)
{
    const char *under = getenv("TMPDIR");
    char fresh[PATH_MAX];

    snprintf(fresh, sizeof fresh, "%s/postern-lab-XXXXXX", under && under[0] ? under : "/tmp");
    if (wanted ? !folder_make(wanted, why) : !mkdtemp(fresh))
        return wanted ? false : fail_errno(why, E_SYSTEM, "cannot make the directory %s", fresh);
    if (!realpath(wanted ? wanted : fresh, path))
        return fail_errno(why, E_SYSTEM, "cannot find the directory %s", wanted ? wanted : fresh);
    if (chmod(path, 0755) != 0)         /* whoever looks at the mail need not be us */
        return fail_errno(why, E_SYSTEM, "cannot open %s to others", path);
    return true;
}

static uint16_t port_of(int wanted, uint16_t usual)
{
    if (wanted == LAB_PORT_USUAL)
        return geteuid() == 0 ? usual : 0;
    return (uint16_t)wanted;
}

static struct plan *draw_plan(const struct lab_settings *s, const char *directory)
{
    const struct address usual = { .family = AF_INET, .ip = { 127, 77, 0, 0 } };
    struct plan *p = plan_new(directory, s->base.family ? &s->base : &usual);

    if (s->resolver.family)
        p->resolver = s->resolver;
    p->smtp_port = port_of(s->smtp_port, 25);
    p->https_port = port_of(s->https_port, 443);
    p->resolver.port = port_of(s->dns_port, 53);
    return p;
}

/* --- what it tells ---------------------------------------------------------------------- */

/* A fragment of postern.conf. */
static bool write_configuration(struct plan *p, struct error *why)
{
    auto_buf struct buf out = { .max = CONF_MAX };
    char ip[ADDRESS_TEXT_MAX];

    buf_text(&out, "# The lab as postern sees it: include this file in a configuration.\n"
             "dns {\n    forwarders = { \"%s@%u\" }\n    trust-anchor = \"%s/root.key\"\n}\n"
             "delivery {\n    port = %u\n    ca-file = \"%s\"\n}\n"
             "mta-sts {\n    port = %u\n    ca-file = \"%s\"\n}\n",
             address_ip_text(&p->resolver, ip), p->resolver.port, p->directory, p->smtp_port, p->ca.chain_file,
             p->https_port, p->ca.chain_file);
    return file_write(plan_path(p, "lab.conf"), buf_slice(&out), why);
}

static void tell_service(FILE *out, const char *kind, const struct address *at, const char *what)
{
    char text[ADDRESS_TEXT_MAX];

    fprintf(out, "%-5s  %-21s  %s\n", kind, address_text(at, text), what);
}

static void tell_services(FILE *out, const struct plan *p)
{
    tell_service(out, "dns", &p->resolver, "resolver, validating: unbound");
    tell_service(out, "dns", &p->authority, "authority: nsd");
    tell_service(out, "dns", &p->spoiler, "authority that fails on TLSA");
    for (size_t i = 0; i < p->host_count; i++)
        tell_service(out, "smtp", &p->hosts[i].address, p->hosts[i].name);
    for (size_t i = 0; i < p->web_count; i++)
        tell_service(out, "https", &p->webs[i].address, p->webs[i].name);
    fprintf(out, "files  %s\n", p->directory);
    fprintf(out, "lab: ready\n");
    fflush(out);
}

/* --- up and down -------------------------------------------------------------------------- */

static bool build(struct lab *l, struct error *why)
{
    struct plan *p = l->plan;
    const char *attacks = plan_path(p, "attacks");

    if (!certificates_make(p, clock_wall(), why) || !file_write(attacks, l->settings->attacks, why))
        return false;
    l->hosts = hosts_open(p, why);
    l->web = l->hosts ? web_open(p, why) : NULL;
    l->spoiler = l->web ? spoiler_open(&p->spoiler, &p->authority, why) : NULL;
    return l->spoiler && authority_start(&l->authority, p, why) && write_configuration(p, why);
}

static void tear_down(struct lab *l)
{
    authority_stop(&l->authority);
    service_end_all();
    hosts_close(l->hosts);
    web_close(l->web);
    spoiler_close(l->spoiler);
}

static void on_end(void *owner, int signal_number)
{
    loop_stop();
}

static bool has_died(pid_t *child, const char *name, struct error *why)
{
    char how[80];
    int status;

    if (*child <= 0 || waitpid(*child, &status, WNOHANG) != *child)
        return false;
    *child = 0;
    fail(why, E_SYSTEM, "%s %s", name, process_how_ended(status, how));
    return true;
}

static void on_child(void *owner, int signal_number)
{
    struct lab *l = owner;

    if (has_died(&l->authority.nsd, "nsd", &l->broken) || has_died(&l->authority.unbound, "unbound", &l->broken))
        loop_stop();
}

static bool serve(struct lab *l, struct error *why)
{
    if (l->settings->out)
        tell_services(l->settings->out, l->plan);
    if (l->settings->ready)
        l->settings->ready(l->settings->arg, l->plan->directory);
    loop_run();
    if (l->broken.code == E_NONE)
        return true;
    *why = l->broken;
    return false;
}

/* A signal that comes while the lab is being built waits for the loop, and one that
 * comes at the end changes nothing, so that nothing is left behind. */
static bool build_and_serve(struct lab *l, struct error *why)
{
    struct signal_watch *watches[] = {
        signal_watch_new(SIGINT, on_end, l), signal_watch_new(SIGTERM, on_end, l), signal_watch_new(SIGCHLD, on_child, l),
    };
    bool good = build(l, why) && serve(l, why);

    tear_down(l);
    if (!l->settings->directory)
        folder_remove(l->plan->directory);
    for (size_t i = 0; i < sizeof watches / sizeof *watches; i++)
        signal_watch_free(watches[i]);
    return good;
}

bool lab_up(const struct lab_settings *s, struct error *why)
{
    struct lab l = { .settings = s };
    char directory[PATH_MAX];
    unsigned seed = 0;
    bool good;

    if (!find_directory(s->directory, directory, why))
        return false;
    if (getrandom(&seed, sizeof seed, 0) == sizeof seed)
        srandom(seed);
    process_open_files_limit();
    signal(SIGPIPE, SIG_IGN);       /* whoever listened to what we tell may be gone */
    loop_open();
    l.plan = draw_plan(s, directory);
    good = build_and_serve(&l, why);
    loop_close();
    plan_free(l.plan);
    return good;
}

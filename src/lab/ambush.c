/* An attacker with an address of his own; see lab/lab.h. */
#include "lab/lab.h"

#include "base/escape.h"
#include "lab/certificates.h"
#include "lab/files.h"
#include "lab/service.h"
#include "net/socket.h"
#include "run/fiber.h"
#include "tls/issue.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct ambush {
    struct attacker attacker;
    struct tls_server *disguise;
    struct tls_client *any;
    struct address to;
    FILE *out;
};

static void tell_line(void *arg, bool from_host, struct slice line)
{
    struct ambush *a = arg;
    char text[1000];

    fprintf(a->out, "%c: %s\n", from_host ? 'S' : 'C', escape_line(line, text, sizeof text));
    fflush(a->out);
}

/* Waits. A plain socket to the host, -1 when it does not answer. */
static int reach(const struct address *to)
{
    enum { PATIENCE = SECONDS(10) };
    struct sockaddr_storage name;
    socklen_t len = address_to(to, &name), size = sizeof(int);
    int fd = socket(to->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), problem = 0;
    struct fiber_watch *watch;

    if (fd < 0)
        return -1;
    watch = fiber_watch_new(fd);
    if ((connect(fd, (struct sockaddr *)&name, len) != 0
         && fiber_wait_ready(watch, WATCH_WRITE, clock_now() + PATIENCE, NULL) != FIBER_WOKEN)
        || getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) {
        fiber_watch_free(watch);
        close(fd);
        return -1;
    }
    fiber_watch_free(watch);
    return fd;
}

static void serve(void *owner, int fd, const struct address *peer)
{
    struct ambush *a = owner;
    int host = reach(&a->to);
    char text[ADDRESS_TEXT_MAX];

    if (host < 0) {
        fprintf(a->out, "lab: %s does not answer\n", address_text(&a->to, text));
        fflush(a->out);
        close(fd);
    } else {
        attack_stand_between(fd, host, &a->attacker);
    }
}

static bool put_on_disguise(struct ambush *a, struct error *why)
{
    char directory[] = "/tmp/postern-lab-XXXXXX", chain[64], key[64];
    const struct tls_identity files = { chain, key };
    const struct tls_server_settings settings = { .identities = &files, .identity_count = 1 };
    const struct tls_order order = { .name = "attacker.invalid", .from = clock_wall() - DAYS(1),
                                     .until = clock_wall() + DAYS(365) };

    if (!mkdtemp(directory))
        return fail_errno(why, E_SYSTEM, "cannot make the directory %s", directory);
    snprintf(chain, sizeof chain, "%s/cert.pem", directory);
    snprintf(key, sizeof key, "%s/cert.key", directory);
    if (tls_issue(&order, &files, why))
        a->disguise = tls_server_new(&settings, why);
    folder_remove(directory);
    a->any = a->disguise ? tls_client_new(&(struct tls_client_settings){ 0 }, why) : NULL;
    return a->any != NULL;
}

static void on_end(void *owner, int signal_number)
{
    loop_stop();
}

static bool lie_in_wait(struct ambush *a, const struct address *listen, enum attack kind, struct error *why)
{
    struct signal_watch *interrupt, *end;
    struct service *service;
    char text[ADDRESS_TEXT_MAX];
    int fd = listen_on(listen, 64, why);

    if (fd < 0)
        return false;
    service = service_new(fd, serve, a);
    interrupt = signal_watch_new(SIGINT, on_end, a);
    end = signal_watch_new(SIGTERM, on_end, a);
    fprintf(a->out, "lab: ready: %s at %s\n", attack_name(kind), address_text(listen, text));
    fflush(a->out);
    loop_run();
    signal_watch_free(interrupt);
    signal_watch_free(end);
    service_end_all();
    service_free(service);
    return true;
}

bool lab_attack(const struct address *listen, const struct address *to, enum attack kind, FILE *out, struct error *why)
{
    struct ambush a = { .to = *to, .out = out };
    bool good;

    loop_open();
    good = put_on_disguise(&a, why);
    a.attacker = (struct attacker){ kind, a.disguise, a.any, tell_line, &a };
    good = good && lie_in_wait(&a, listen, kind, why);
    loop_close();
    tls_server_free(a.disguise);
    tls_client_free(a.any);
    return good;
}

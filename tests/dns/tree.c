#include "tests/dns/tree.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct tree tree;
struct resolver *resolver;
struct arena arena;
struct error why;

static pid_t server;
static size_t running;          /* fibers of on_fiber */

/* --- sockets ------------------------------------------------------------------- */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(port) };
}

int udp_on_loopback(char address[40])
{
    struct sockaddr_in at = loopback(0);
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &length) == 0);
    snprintf(address, 40, "127.0.0.1@%u", ntohs(at.sin_port));
    return fd;
}

static const char *port_of(const char *address)
{
    return strchr(address, '@') + 1;
}

static bool listens(const char *address)
{
    struct sockaddr_in at = loopback((uint16_t)atoi(port_of(address)));
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
}

/* --- the tree -------------------------------------------------------------------- */

bool tree_can_grow(void)
{
    return system("command -v nsd ldns-keygen ldns-signzone >/dev/null 2>&1") == 0;
}

static void fell(void)
{
    char command[128];

    if (server) {
        kill(server, SIGTERM);
        waitpid(server, NULL, 0);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", tree.folder);
    if (system(command) != 0)
        perror(command);
}

static void become_server(void)
{
    int log;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (chdir(tree.folder) != 0 || (log = open("log", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0)
        _exit(1);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execl("/bin/sh", "sh", TESTS_DNS "/signed_tree.sh", tree.folder, port_of(tree.address), (char *)NULL);
    _exit(127);
}

/* The port is free now, which says nothing of a second later: tests run side by side. */
static bool server_starts(void)
{
    do
        close(udp_on_loopback(tree.address));
    while (listens(tree.address));
    server = fork();
    if (server == 0)
        become_server();
    while (!listens(tree.address)) {
        usleep(20000);
        if (waitpid(server, NULL, WNOHANG) != 0) {
            server = 0;
            return false;
        }
    }
    return true;
}

void tree_grow(void)
{
    int tries = 0;

    if (server)
        return;
    if (!tree.anchor[0]) {
        snprintf(tree.folder, sizeof tree.folder, "/tmp/postern-dns-XXXXXX");
        CHECK(mkdtemp(tree.folder) && chmod(tree.folder, 0755) == 0);
        snprintf(tree.anchor, sizeof tree.anchor, "%s/anchor", tree.folder);
        udp_on_loopback(tree.silent_address);
        atexit(fell);
    }
    while (!server_starts() && tries < 5)
        tries++;
    CHECK(server);
}

/* --- asking ------------------------------------------------------------------------ */

void start(const struct resolver_settings *wanted)
{
    struct resolver_settings s = *wanted;

    if (s.timeout == 0)
        s.timeout = MINUTES(1);     /* a machine under load, and valgrind */
    if (resolver)               /* a test before this one failed and never stopped */
        stop();
    loop_open();
    arena_done(&arena);
    arena_init(&arena, 1024 * 1024);
    resolver = resolver_new(&s, &why);
    CHECK_OK(resolver, &why);
}

struct resolver_settings tree_settings(const char *address)
{
    static const char *const zones[] = { ".",            "test",      "sec.test",  "insec.test", "bogus.test",
                                         "expired.test", "late.test", "soon.test", "optout.test" };
    enum { ZONES = sizeof zones / sizeof *zones };
    static struct dns_stub stubs[ZONES + 1];

    for (size_t i = 0; i < ZONES; i++)
        stubs[i] = (struct dns_stub){ zones[i], address };
    stubs[ZONES] = (struct dns_stub){ "silent.test", tree.silent_address };
    return (struct resolver_settings){ .stubs = stubs, .stub_count = ZONES + 1, .trust_anchor_file = tree.anchor,
                                       .validate = true };
}

void start_on_tree(time_ms timeout)
{
    struct resolver_settings s = tree_settings(tree.address);

    s.timeout = timeout;
    start(&s);
}

void stop(void)
{
    resolver_free(resolver);
    resolver = NULL;
    arena_done(&arena);
    loop_close();
}

struct work {
    void (*run)(void *arg);
    void *arg;
};

static void run_work(void *arg)
{
    struct work *work = arg;

    work->run(work->arg);
    free(work);
    if (--running == 0)
        loop_stop();
}

struct fiber *on_fiber(void (*run)(void *arg), void *arg)
{
    struct work *work = NEW(struct work);

    *work = (struct work){ run, arg };
    running++;
    return fiber_start("test", run_work, work);
}

static void ask_on_fiber(void *arg)
{
    struct asking *a = arg;
    time_ms before = clock_now();

    resolver_ask(resolver, a->name, a->type, &arena, &a->answer);
    a->took = clock_now() - before;
}

void begin(struct asking *a, const char *name, enum dns_type type)
{
    *a = (struct asking){ .name = name, .type = type };
    a->fiber = on_fiber(ask_on_fiber, a);
}

struct dns_answer ask(const char *name, enum dns_type type)
{
    struct asking a;

    begin(&a, name, type);
    loop_run();
    return a.answer;
}

#include "tests/https/web.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct web web;

static struct https *https;
static pid_t server;
static size_t running;

/* --- the server ---------------------------------------------------------------- */

bool web_can_open(void)
{
    return system("/usr/bin/python3 -c 'import cryptography' >/dev/null 2>&1") == 0;
}

bool web_has_ipv6(void)
{
    const struct sockaddr_in6 any_port = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    auto_close int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd >= 0 && bind(fd, (const struct sockaddr *)&any_port, sizeof any_port) == 0;
}

static void shut(void)
{
    char command[128];

    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    snprintf(command, sizeof command, "rm -rf '%s'", web.folder);
    if (system(command) != 0)
        perror(command);
}

static void become_server(int output)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(output, STDOUT_FILENO);
    execl("/usr/bin/python3", "python3", TESTS_HTTPS "/server.py", web.folder, (char *)NULL);
    _exit(127);
}

static void start_server(void)
{
    unsigned ports[3] = { 0 };
    int pipes[2];
    FILE *output;

    snprintf(web.folder, sizeof web.folder, "/tmp/postern-https-XXXXXX");
    CHECK(mkdtemp(web.folder) && pipe2(pipes, O_CLOEXEC) == 0);
    server = fork();
    if (server == 0)
        become_server(pipes[1]);
    atexit(shut);
    close(pipes[1]);
    output = fdopen(pipes[0], "r");
    CHECK(output && fscanf(output, "%u %u %u", &ports[0], &ports[1], &ports[2]) == 3);
    fclose(output);
    web.port = (uint16_t)ports[0];
    web.old_port = (uint16_t)ports[1];
    web.plain_port = (uint16_t)ports[2];
}

void web_open(const struct https_settings *wanted)
{
    struct https_settings s = wanted ? *wanted : (struct https_settings){ 0 };
    struct error why = { 0 };
    char ca_file[80];

    if (!server)
        start_server();
    if (https)                  /* a test before this one failed and never closed */
        web_close();
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", web.folder);
    if (!s.ca_file)
        s.ca_file = ca_file;
    loop_open();
    https = https_new(&s, &why);
    CHECK_OK(https, &why);
}

void web_close(void)
{
    https_free(https);
    https = NULL;
    loop_close();
}

/* --- asking -------------------------------------------------------------------- */

static bool post(struct asking *a, const struct https_request *to)
{
    struct https_post p = { .to = *to, .media_type = a->media_type, .body = a->document,
                            .any_certificate = a->any_certificate, .clear = a->clear };

    return https_post(https, &p, &a->arena, &a->reply, &a->why);
}

static void ask_on_fiber(void *arg)
{
    struct asking *a = arg;
    struct address addresses[4];
    size_t count = 0;
    time_ms before = clock_now();
    struct https_request r = { .host = a->host ? a->host : "good.test", .port = a->port ? a->port : a->clear ? web.plain_port : web.port,
                               .path = a->path ? a->path : "/good", .addresses = addresses,
                               .most = a->most ? a->most : 65536,
                               .deadline = before + (a->within ? a->within : MINUTES(1)) };

    for (; count < 4 && a->at[count]; count++)
        CHECK(address_parse_ip(slice_of(a->at[count]), &addresses[count]));
    if (count == 0)
        CHECK(address_parse_ip(SLICE("127.0.0.1"), &addresses[count++]));
    r.address_count = count;
    a->answered = a->media_type ? post(a, &r) : https_get(https, &r, &a->arena, &a->reply, &a->why);
    a->took = clock_now() - before;
    if (--running == 0)
        loop_stop();
}

void begin(struct asking *a)
{
    arena_init(&a->arena, a->arena_bytes ? a->arena_bytes : 1024 * 1024);
    running++;
    a->fiber = fiber_start("asking", ask_on_fiber, a);
}

void ask(struct asking *a)
{
    begin(a);
    loop_run();
}

void asking_done(struct asking *a)
{
    arena_done(&a->arena);
}

int status_of(const char *path)
{
    struct asking a = { .path = path };

    ask(&a);
    asking_done(&a);
    return a.answered ? a.reply.status : -(int)a.why.code;
}

/* --- a host that does not answer ------------------------------------------------ */

/* A full queue of those who wait to be accepted makes the kernel drop what comes to connect. */
static void fill_queue(const struct sockaddr_in *at)
{
    for (int i = 0; i < 4; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        CHECK(fd >= 0);
        (void)!connect(fd, (const struct sockaddr *)at, sizeof *at);
    }
    usleep(50000);
}

int silent_listener(const char *host, uint16_t *port, bool deaf)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(*port) };
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(inet_pton(AF_INET, host, &at.sin_addr) == 1);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, deaf ? 0 : 16) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &length) == 0);
    if (deaf)
        fill_queue(&at);
    *port = ntohs(at.sin_port);
    return fd;
}

#include "tests/net/loopback.h"

#include "base/memory.h"

#include <dirent.h>
#include <unistd.h>

static struct {
    bool failed;
    char first[600];
    size_t fibers;
    size_t descriptors;
} world;

bool loopback_holds(bool claim, const char *words, const char *reason, const char *file, int line)
{
    if (!claim && !world.failed) {
        world.failed = true;
        snprintf(world.first, sizeof world.first, "%s:%d: %s %s", file, line, words, reason);
    }
    return claim;
}

static size_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* What libuv opens once for a process is not a leak. */
static void warm_up(void)
{
    loop_open();
    loop_close();
}

void loopback_open(void)
{
    alarm(30);
    warm_up();
    world.failed = false;
    world.fibers = 0;
    world.descriptors = open_descriptors();
    loop_open();
}

void loopback_close(void)
{
    loop_close();
    alarm(0);
    if (open_descriptors() != world.descriptors)
        fail_msg("%zu descriptors leaked", open_descriptors() - world.descriptors);
    if (world.failed)
        fail_msg("%s", world.first);
}

/* --- fibers ----------------------------------------------------------- */

struct errand {
    void (*run)(void *arg);
    void *arg;
};

static void run_errand(void *arg)
{
    struct errand *e = arg;

    e->run(e->arg);
    free(e);
    world.fibers--;
}

struct fiber *loopback_start(void (*run)(void *arg), void *arg)
{
    struct errand *e = NEW(struct errand);

    *e = (struct errand){ run, arg };
    world.fibers++;
    return fiber_start("test", run_errand, e);
}

void loopback_run(void)
{
    while (world.fibers > 0)
        loop_turn(true);
}

/* --- sockets ---------------------------------------------------------- */

static void check_call(bool succeeded, const char *call)
{
    if (!succeeded) {
        perror(call);
        abort();
    }
}

int loopback_listen(int backlog, struct address *where)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    struct error why;
    int fd;

    check_call(address_parse(SLICE("127.0.0.1:0"), where, NULL), "address");
    fd = listen_on(where, backlog, &why);
    check_call(fd >= 0 && getsockname(fd, (struct sockaddr *)&name, &len) == 0, "listen");
    *where = address_from((struct sockaddr *)&name);
    return fd;
}

void loopback_pair(int ends[2])
{
    struct address where;
    struct sockaddr_storage name;
    int listening = loopback_listen(1, &where);
    socklen_t len = address_to(&where, &name);

    ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_call(connect(ends[1], (struct sockaddr *)&name, len) == 0, "connect");
    ends[0] = accept(listening, NULL, NULL);
    check_call(ends[0] >= 0, "accept");
    close(listening);
}

struct end {
    int fd;
    loopback_side *side;
};

static void run_side(void *arg)
{
    struct end *e = arg;

    e->side(socket_conn(e->fd));
}

void loopback_talk(loopback_side *server, loopback_side *client)
{
    int ends[2];
    struct end both[2] = { { .side = server }, { .side = client } };

    loopback_open();
    loopback_pair(ends);
    for (int i = 0; i < 2; i++) {
        both[i].fd = ends[i];
        loopback_start(run_side, &both[i]);
    }
    loopback_run();
    loopback_close();
}

void loopback_serve(int fd, loopback_side *server)
{
    struct end e = { fd, server };

    loopback_start(run_side, &e);
    loopback_run();
}

/* --- what sides say and hear ------------------------------------------ */

time_ms in(time_ms span)
{
    return clock_now() + span;
}

bool hears(struct conn *c, const char *wanted)
{
    struct error why = { 0 };
    struct slice line;

    return HOLDS_OK(conn_line(c, 1000, 1000, &line, &why) == LINE_OK, &why)
        && HOLDS(slice_equal(line, slice_of(wanted)));
}

void ends_with(struct conn *c, enum error_code code)
{
    struct error why = { 0 };

    HOLDS(!conn_more(c, &why));
    HOLDS_OK(why.code == code, &why);
}

/* A pattern that shows bytes lost, doubled or out of order. */
static char pattern(uint64_t at)
{
    return (char)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

void pour(struct conn *c, uint64_t from, size_t len)
{
    auto_free char *bytes = memory_new(len);

    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern(from + i);
    conn_write(c, slice(bytes, len));
}

static void drain(struct conn *c, uint64_t len)
{
    struct error why = { 0 };
    uint64_t at = 0;

    while (at < len) {
        if (conn_unread(c) == 0 && !HOLDS_OK(conn_more(c, &why), &why))
            return;
        for (; conn_unread(c) > 0 && at < len; at++) {
            if (!HOLDS(conn_peek(c).at[0] == pattern(at)))
                return;
            conn_consume(c, 1);
        }
    }
}

void pour_much(struct conn *c)
{
    struct error why = { 0 };
    size_t step = 1, at = 0;

    conn_deadline(c, in(SECONDS(20)));
    for (; at < POURED; at += step, step = step * 3 % 70001) {
        if (step > POURED - at)
            step = POURED - at;
        pour(c, at, step);
    }
    HOLDS_OK(conn_flush(c, &why), &why);
    HOLDS(hears(c, "thanks"));
    HOLDS(conn_bytes_out(c) == POURED && conn_bytes_in(c) == 8);
    conn_close(c);
}

void drink_much(struct conn *c)
{
    conn_deadline(c, in(SECONDS(20)));
    drain(c, POURED);
    conn_text(c, "thanks\r\n");
    ends_with(c, E_CLOSED);
    conn_close(c);
}

void write_without_reading(struct conn *c)
{
    struct error why = { 0 };

    conn_deadline(c, in(200));
    pour(c, 0, 32 * 1024 * 1024);
    HOLDS(!conn_flush(c, &why));
    HOLDS_OK(why.code == E_TIMEOUT, &why);
    fiber_sleep_until(in(200));     /* until the other has found out as well */
    conn_close(c);
}

/* --- TLS -------------------------------------------------------------- */

static struct {
    char directory[32], chain[48], key[48];
    struct tls_server *server;
    struct tls_client *client;
    struct tls_want want;
} tls;

static void remove_certificates(void)
{
    tls_server_free(tls.server);
    tls_client_free(tls.client);
    unlink(tls.chain);
    unlink(tls.key);
    rmdir(tls.directory);
}

static void make_certificates(void)
{
    struct tls_identity identity = { tls.chain, tls.key };
    struct error why = { 0 };

    strcpy(tls.directory, "/tmp/postern-net-XXXXXX");
    check_call(mkdtemp(tls.directory) != NULL, "mkdtemp");
    atexit(remove_certificates);
    snprintf(tls.chain, sizeof tls.chain, "%s/chain.pem", tls.directory);
    snprintf(tls.key, sizeof tls.key, "%s/key.pem", tls.directory);
    CHECK_OK(tls_make_self_signed("mx.example.org", tls.chain, tls.key, clock_wall(), &why), &why);
    tls.server = tls_server_new(&(struct tls_server_settings){ .identities = &identity, .identity_count = 1,
                                                               .minimum = TLS_1_2 }, &why);
    CHECK_OK(tls.server != NULL, &why);
    tls.client = tls_client_new(&(struct tls_client_settings){ .minimum = TLS_1_2, .ca_file = tls.chain }, &why);
    CHECK_OK(tls.client != NULL, &why);
    tls.want = (struct tls_want){ tls.client, "mx.example.org", "mx.example.org" };
}

const struct tls_server *loopback_tls_server(void)
{
    if (!tls.server)
        make_certificates();
    return tls.server;
}

const struct tls_want *loopback_tls_want(void)
{
    if (!tls.server)
        make_certificates();
    return &tls.want;
}

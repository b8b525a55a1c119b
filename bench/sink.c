/* bench/sink.c - takes messages, keeps none, and counts each one by its number.
 *
 * Says "ready" when it listens, and "all" when each of the expected messages
 * has come. Without `-n` lines on standard input, a pipe, direct it:
 *     expect N    forget what came; the next messages are those with the numbers 0 to N-1
 *     tell        one JSON line: how many arrived, how many of them were double, under TLS or
 *                 without a number, how many are missing, when (CLOCK_MONOTONIC) the last new one came
 * It ends on SIGTERM. */
#include "base/memory.h"
#include "net/socket.h"
#include "run/fiber.h"
#include "run/process.h"
#include "smtp/server.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static struct {
    unsigned total, arrived, distinct, doubles, encrypted, strange;
    uint64_t bytes;
    uint8_t *seen;
    time_ms first, last;
    struct smtp_server server;
    struct buf orders;
    struct watch *input;
} sink;

struct session {
    char start[2048];           /* of the message: the number is there */
    size_t held;
    uint64_t bytes;
    bool encrypted;
};

static void accept_all(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
}

static void accept_recipient(void *self, const struct smtp_session *s, const struct mailbox *to, struct smtp_answer *a)
{
}

static void on_data(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct session *session = self;

    session->held = 0;
    session->bytes = 0;
    session->encrypted = conn_tls(s->conn) != NULL;
}

static bool on_body(void *self, struct slice bytes)
{
    struct session *session = self;
    struct slice part = slice_first(bytes, sizeof session->start - session->held);

    memcpy(session->start + session->held, part.at, part.len);
    session->held += part.len;
    session->bytes += bytes.len;
    return true;
}

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

/* The field stands somewhere behind the Received fields. */
static bool find_number(const struct session *s, unsigned *number)
{
    static const char name[] = "\nX-Bench: ";
    const char *at = memmem(s->start, s->held, name, sizeof name - 1);
    struct slice rest;
    uint64_t value;

    if (!at)
        return false;
    rest = slice_after(slice(at, (size_t)(s->start + s->held - at)), sizeof name - 1);
    if (!slice_to_number(slice_trim(slice_first(rest, slice_find(rest, '\r'))), sink.total, &value))
        return false;
    *number = (unsigned)value;
    return true;
}

static void on_end(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct session *session = self;
    unsigned number;

    sink.arrived++;
    sink.bytes += session->bytes;
    sink.encrypted += session->encrypted;
    if (!find_number(session, &number)) {
        sink.strange++;
    } else if (sink.seen[number]) {
        sink.doubles++;
    } else {
        sink.seen[number] = 1;
        sink.last = clock_now();
        if (sink.distinct++ == 0)
            sink.first = sink.last;
        if (sink.distinct == sink.total)
            say("all");
    }
}

static void on_reset(void *self)
{
}

static const struct smtp_house house = { accept_all, accept_recipient, on_data, on_body, on_end, on_reset };

static void run_session(void *arg)
{
    struct session session = { 0 };
    struct smtp_ending ending = { 0 };
    int fd = (int)(intptr_t)arg;
    struct conn *c = socket_conn(fd);

    smtp_serve(c, &sink.server, &house, &session, &ending);
    conn_close(c);
}

static void arrived(void *owner, int fd, const struct address *peer)
{
    fiber_start("session", run_session, (void *)(intptr_t)fd);
}

/* --- orders ------------------------------------------------------------ */

static void tell(void)
{
    printf("{\"arrived\":%u,\"distinct\":%u,\"doubles\":%u,\"missing\":%u,\"encrypted\":%u,\"strange\":%u,\"bytes\":%llu,"
           "\"first_ms\":%lld,\"last_ms\":%lld}\n", sink.arrived, sink.distinct, sink.doubles, sink.total - sink.distinct,
           sink.encrypted, sink.strange, (unsigned long long)sink.bytes, (long long)sink.first, (long long)sink.last);
    fflush(stdout);
}

static void expect(unsigned total)
{
    free(sink.seen);
    sink.seen = memory_array(total + 1, 1);
    sink.total = total;
    sink.arrived = sink.distinct = sink.doubles = sink.encrypted = sink.strange = 0;
    sink.bytes = 0;
    sink.first = sink.last = 0;
}

static void obey(struct slice order)
{
    struct slice word = slice_cut(&order, ' ');
    uint64_t total;

    if (slice_equal(word, SLICE("tell")))
        tell();
    else if (slice_equal(word, SLICE("expect")) && slice_to_number(order, 100000000, &total))
        expect((unsigned)total);
    else
        say("what?");
}

static void input_ready(void *owner, int events)
{
    char *room = buf_room(&sink.orders, 128);
    ssize_t n = room ? read(STDIN_FILENO, room, 128) : 0;

    if (n <= 0) {
        if (n == 0)
            watch_set(sink.input, 0);
        return;
    }
    buf_grew(&sink.orders, (size_t)n);
    for (;;) {
        struct slice held = buf_slice(&sink.orders);
        size_t len = slice_find(held, '\n');

        if (len == held.len)
            return;
        obey(slice_first(held, len));
        buf_take(&sink.orders, len + 1);
    }
}

static void on_signal(void *owner, int number)
{
    loop_stop();
}

static bool set_up_tls(const char *certificate, const char *key, struct error *why)
{
    struct tls_identity identity = { certificate, key };
    struct tls_server_settings settings = { .identities = &identity, .identity_count = 1, .minimum = TLS_1_2 };

    sink.server.tls = tls_server_new(&settings, why);
    return sink.server.tls != NULL;
}

static bool set_up(const struct address *address, const char *certificate, const char *key, struct error *why)
{
    int fd;

    if (certificate && !set_up_tls(certificate, key ? key : certificate, why))
        return false;
    sink.server.hostname = "sink.example.org";
    sink.server.software = "ESMTP sink";
    sink.server.limits = smtp_default_limits;
    fd = listen_on(address, 1024, why);
    if (fd < 0)
        return false;
    listener_new(fd, arrived, NULL);
    signal_watch_new(SIGTERM, on_signal, NULL);
    return true;
}

static void listen_for_orders(void)
{
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    buf_init(&sink.orders, 4096);
    sink.input = watch_new(STDIN_FILENO, input_ready, NULL);
    watch_set(sink.input, WATCH_READ);
}

int main(int argc, char **argv)
{
    const char *certificate = NULL, *key = NULL;
    struct address address;
    struct error why = { 0 };
    int option;

    expect(0);
    while ((option = getopt(argc, argv, "n:c:k:")) != -1) {
        switch (option) {
        case 'n': expect((unsigned)atoi(optarg)); break;
        case 'c': certificate = optarg; break;
        case 'k': key = optarg; break;
        default: return 64;
        }
    }
    if (optind != argc - 1 || !address_parse(slice_of(argv[optind]), &address, &why)) {
        fprintf(stderr, "usage: bench-sink [-n messages] [-c chain.pem -k key.pem] ADDRESS:PORT\n");
        return 64;
    }
    process_open_files_limit();
    loop_open();
    if (!set_up(&address, certificate, key, &why)) {
        fprintf(stderr, "bench-sink: %s\n", why.text);
        return 1;
    }
    if (sink.total == 0)
        listen_for_orders();
    say("ready");
    loop_run();
    tell();
    _exit(0);       /* sessions may be open: their fibers end here */
}

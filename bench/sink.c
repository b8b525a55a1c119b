/* bench/sink.c - takes messages, keeps none, and counts each one by its number.
 *
 * Says "ready PORT" when it listens. Ends when all `-n` messages have come, or
 * on SIGTERM, with one JSON line: how many arrived, which were double or are
 * missing, when the last one came, how many came under TLS. */
#include "base/memory.h"
#include "net/socket.h"
#include "run/fiber.h"
#include "run/process.h"
#include "smtp/server.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static struct {
    unsigned total, arrived, distinct, doubles, encrypted, strange;
    uint64_t bytes;
    uint8_t *seen;
    time_ms first, last;
    bool tls;
    struct smtp_server server;
} sink = { .total = 1000 };

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

    sink.last = clock_now();
    if (sink.arrived++ == 0)
        sink.first = sink.last;
    sink.bytes += session->bytes;
    sink.encrypted += session->encrypted;
    if (!find_number(session, &number)) {
        sink.strange++;
    } else if (sink.seen[number]) {
        sink.doubles++;
    } else {
        sink.seen[number] = 1;
        if (++sink.distinct == sink.total)
            loop_stop();
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

int main(int argc, char **argv)
{
    const char *certificate = NULL, *key = NULL;
    struct address address;
    struct error why = { 0 };
    struct signal_watch *stop;
    struct listener *listener;
    int option, fd;

    while ((option = getopt(argc, argv, "n:c:k:")) != -1) {
        switch (option) {
        case 'n': sink.total = (unsigned)atoi(optarg); break;
        case 'c': certificate = optarg; break;
        case 'k': key = optarg; break;
        default: return 64;
        }
    }
    if (optind != argc - 1 || !address_parse(slice_of(argv[optind]), &address, &why) ||
        (certificate && !set_up_tls(certificate, key ? key : certificate, &why))) {
        fprintf(stderr, "usage: bench-sink [-n messages] [-c chain.pem -k key.pem] ADDRESS:PORT\n%s\n", why.text);
        return 64;
    }
    sink.seen = memory_array(sink.total + 1, 1);
    sink.server.hostname = "sink.example.org";
    sink.server.software = "ESMTP sink";
    sink.server.limits = smtp_default_limits;
    process_open_files_limit();
    loop_open();
    fd = listen_on(&address, 1024, &why);
    if (fd < 0) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    stop = signal_watch_new(SIGTERM, on_signal, NULL);
    listener = listener_new(fd, arrived, NULL);
    printf("ready\n");
    fflush(stdout);
    loop_run();
    printf("{\"arrived\":%u,\"distinct\":%u,\"doubles\":%u,\"missing\":%u,\"encrypted\":%u,\"strange\":%u,\"bytes\":%llu,"
           "\"first_ms\":%lld,\"last_ms\":%lld}\n", sink.arrived, sink.distinct, sink.doubles, sink.total - sink.distinct,
           sink.encrypted, sink.strange, (unsigned long long)sink.bytes, (long long)sink.first, (long long)sink.last);
    fflush(stdout);
    listener_free(listener);
    signal_watch_free(stop);
    _exit(0);
}

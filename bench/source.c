/* bench/source.c - hands messages to a server as fast as it takes them.
 *
 * Prints one JSON line: when the first and the last message were taken
 * (CLOCK_MONOTONIC, comparable with the sink's), how many, and how many failed. */
#include "base/memory.h"
#include "net/socket.h"
#include "run/fiber.h"
#include "run/process.h"
#include "smtp/client.h"

#include <getopt.h>
#include <stdio.h>

static struct {
    struct address server;
    unsigned connections, per_connection, total;
    size_t size;
    bool starttls, implicit;
    const char *to;
    struct tls_client *tls;
    struct buf body;            /* filler; the header with the number comes before it */
    unsigned next, taken, failed, running;
    time_ms first, last;
    char first_problem[240];
} load = { .connections = 50, .per_connection = 20, .total = 1000, .size = 10240, .to = "bench@sink.example.org" };

struct message {
    char header[200];
    size_t header_len;
    int part;
};

static bool next_piece(void *self, struct slice *piece, struct error *why)
{
    struct message *m = self;

    switch (m->part++) {
    case 0: *piece = slice(m->header, m->header_len); break;
    case 1: *piece = buf_slice(&load.body); break;
    default: *piece = slice("", 0); break;
    }
    return true;
}

static void problem(const struct error *why)
{
    if (!load.first_problem[0])
        snprintf(load.first_problem, sizeof load.first_problem, "%s", why->text);
}

static bool send_one(struct smtp_client *s, unsigned number)
{
    struct message m = { .part = 0 };
    struct smtp_recipient to = { .address = load.to };
    struct smtp_mail mail = { .sender = "source@source.example.org", .source = { &m, next_piece } };
    struct error why = { 0 };
    bool usable;

    m.header_len = (size_t)snprintf(m.header, sizeof m.header,
        "X-Bench: %u\r\nFrom: <source@source.example.org>\r\nTo: <%s>\r\nSubject: bench %u\r\n"
        "Message-ID: <bench-%u@source.example.org>\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n",
        number, load.to, number, number);
    mail.size = m.header_len + buf_len(&load.body);
    usable = smtp_send(s, &mail, &to, 1, &why);
    if (to.result == RCPT_DELIVERED) {
        load.last = clock_now();
        if (load.taken++ == 0)
            load.first = load.last;
    } else {
        load.failed++;
        if (to.reply.code)
            reply_refused(&to.reply, "a message", &why);
        problem(&why);
    }
    return usable;
}

static bool open_session(struct smtp_client *s, struct error *why)
{
    struct tls_want want = { load.tls, "server.example.org", "server.example.org" };

    if (load.implicit) {
        conn_deadline(s->conn, clock_now() + SECONDS(60));
        return conn_start_tls(s->conn, NULL, &want, why) && smtp_hello(s, true, why);
    }
    return smtp_hello(s, true, why) && (!load.starttls || smtp_secure(s, &want, NULL, NULL, why));
}

static void run_connection(void *arg)
{
    struct dial_settings dialling = { .connect_timeout = SECONDS(60), .stagger = 250 };

    while (load.next < load.total) {
        struct smtp_client s;
        struct error why = { 0 };
        size_t used;
        struct conn *c = dial(&load.server, 1, &dialling, &used, &why);
        bool usable = false;

        if (c) {
            smtp_client_init(&s, c, "source.example.org", &smtp_client_times);
            usable = open_session(&s, &why);
        }
        if (!usable) {
            problem(&why);
            load.failed++;
            load.next++;
        }
        for (unsigned i = 0; usable && i < load.per_connection && load.next < load.total; i++)
            usable = send_one(&s, load.next++);
        if (usable)
            smtp_quit(&s);
        conn_close(c);
    }
    if (--load.running == 0)
        loop_stop();
}

static void fill_body(void)
{
    static const char line[] = "The quick brown fox jumps over the lazy dog, again and again, 1234567.\r\n";

    buf_init(&load.body, load.size + 128);
    while (buf_len(&load.body) + sizeof line - 1 <= load.size)
        buf_add(&load.body, slice(line, sizeof line - 1));
    for (size_t rest = load.size - buf_len(&load.body); rest > 2; rest--)
        buf_byte(&load.body, 'x');
    buf_add(&load.body, SLICE("\r\n"));
}

int main(int argc, char **argv)
{
    struct tls_client_settings tls = { .minimum = TLS_1_2 };
    struct error why = { 0 };
    int option;

    while ((option = getopt(argc, argv, "c:m:n:s:t:ST")) != -1) {
        switch (option) {
        case 'c': load.connections = (unsigned)atoi(optarg); break;
        case 'm': load.per_connection = (unsigned)atoi(optarg); break;
        case 'n': load.total = (unsigned)atoi(optarg); break;
        case 's': load.size = (size_t)atol(optarg); break;
        case 't': load.to = optarg; break;
        case 'S': load.starttls = true; break;
        case 'T': load.implicit = true; break;
        default: return 64;
        }
    }
    if (optind != argc - 1 || !address_parse(slice_of(argv[optind]), &load.server, &why)) {
        fprintf(stderr, "usage: bench-source [-c connections] [-m messages-per-connection] [-n messages] [-s bytes] "
                        "[-t recipient] [-S starttls | -T implicit] ADDRESS:PORT\n");
        return 64;
    }
    process_open_files_limit();
    loop_open();
    load.tls = tls_client_new(&tls, &why);
    fill_body();
    load.running = load.connections;
    for (unsigned i = 0; i < load.connections; i++)
        fiber_start("connection", run_connection, NULL);
    loop_run();
    printf("{\"taken\":%u,\"failed\":%u,\"first_ms\":%lld,\"last_ms\":%lld,\"problem\":\"%s\"}\n", load.taken, load.failed,
           (long long)load.first, (long long)load.last, load.first_problem);
    buf_done(&load.body);
    tls_client_free(load.tls);
    loop_close();
    return load.failed ? 1 : 0;
}

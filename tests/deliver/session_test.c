/* Opening a session: real sockets on loopback, servers that misbehave in one
 * way each, and the rule that says what to make of it. */
#include "tests/test.h"

#include "deliver/session.h"
#include "run/fiber.h"

#include <stdlib.h>
#include <unistd.h>

enum manner {
    GOOD,               /* STARTTLS offered, and it works */
    PLAIN,              /* no STARTTLS */
    BUSY,               /* 421 in the place of a greeting */
    REFUSES_STARTTLS,   /* offered, answered 454 */
    BREAKS_HANDSHAKE,   /* 220, then garbage */
    CUTS_HANDSHAKE,     /* 220, then the end */
    INJECTS,            /* 220 and more in one segment */
};

enum { SERVERS = 3 };

static struct {
    enum manner manner[SERVERS];
    struct listener *listeners[SERVERS];
    unsigned connections[SERVERS], hellos_in_clear, quits;
    struct tls_server *tls;
    struct tls_client *client;
    uint16_t port;
} net;

static struct address at(unsigned server)
{
    return (struct address){ .family = AF_INET, .ip = { 127, 0, 0, (uint8_t)(1 + server) }, .port = net.port };
}

/* --- the servers ------------------------------------------------------------ */

static bool hear(struct conn *c, const char *verb)
{
    struct slice line;

    for (;;) {
        if (conn_line(c, 1000, 1000, &line, NULL) != LINE_OK)
            return false;
        if (slice_starts_nocase(line, slice_of(verb)))
            return true;
        if (slice_starts_nocase(line, SLICE("QUIT"))) {
            net.quits++;
            conn_text(c, "221 bye\r\n");
            (void)!conn_flush(c, NULL);
            return false;
        }
        conn_text(c, "500 not now\r\n");
    }
}

static void serve(struct conn *c, enum manner manner)
{
    if (manner == BUSY) {
        conn_text(c, "421 4.3.2 busy\r\n");
        (void)!conn_flush(c, NULL);
        return;
    }
    conn_text(c, "220 mx.example.net\r\n");
    if (!hear(c, "EHLO"))
        return;
    net.hellos_in_clear++;
    conn_text(c, manner == PLAIN ? "250 mx.example.net\r\n" : "250-mx.example.net\r\n250 STARTTLS\r\n");
    if (!hear(c, "STARTTLS"))
        return;
    conn_text(c, manner == REFUSES_STARTTLS ? "454 4.7.0 not now\r\n" : "220 go\r\n");
    if (manner == INJECTS)
        conn_text(c, "250 injected\r\n");
    if (manner == BREAKS_HANDSHAKE && conn_more(c, NULL))   /* after the ClientHello, or it would be an injection */
        conn_text(c, "this is no handshake at all, nor will it be one\r\n");
    if (!conn_flush(c, NULL) || manner == CUTS_HANDSHAKE)
        return;
    if (manner == GOOD && conn_start_tls(c, net.tls, NULL, NULL) && hear(c, "EHLO")) {
        conn_text(c, "250 mx.example.net\r\n");
    }
    hear(c, "QUIT");
}

static void run_server(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct conn *c = socket_conn(fd);
    unsigned server = conn_local(c)->ip[3] - 1u;

    net.connections[server]++;
    serve(c, net.manner[server]);
    conn_close(c);
}

static void arrived(void *owner, int fd, const struct address *peer)
{
    fiber_start("server", run_server, (void *)(intptr_t)fd);
}

/* --- one opening ---------------------------------------------------------------- */

static struct {
    struct tls_rule rule;
    time_ms waited;
    unsigned addresses;
    /* out */
    bool opened, encrypted;
    enum error_code tls_problem;
    struct error why;
    unsigned used;
} try;

static void run_client(void *arg)
{
    struct dial_settings dialling = { .connect_timeout = SECONDS(5), .stagger = 250 };
    struct session_settings settings = { "client.example.org", &smtp_client_times, &dialling, net.client };
    const struct decide_settings decided = { 0 };
    const struct host_findings found = { .host = "mx.example.net", .is_name = true, .base = "mx.example.net" };
    const struct decide_input input = host_decide_input(&found, NEED_STANDARD, false);
    const struct decision decision = decide(&try.rule, &decided, &input, NULL);
    struct address addresses[SERVERS];
    struct session_target target = { .found = &found, .addresses = addresses, .address_count = try.addresses,
        .decision = &decision, .waited = try.waited };
    struct session s = { 0 };

    for (unsigned i = 0; i < SERVERS; i++)
        addresses[i] = at(i);
    try.why = (struct error){ 0 };
    try.opened = session_open(&settings, &target, &s, &try.why);
    if (try.opened) {
        try.encrypted = session_tls(&s) != NULL;
        try.tls_problem = s.tls_problem.code;
        try.used = conn_peer(s.smtp.conn)->ip[3] - 1u;
    }
    session_close(&s, true);
    fiber_sleep_until(clock_now() + 20);    /* the servers see the end */
    loop_stop();
}

static void set_up(char directory[64])
{
    char chain[96], key[96];
    struct tls_identity identity = { chain, key };
    struct tls_server_settings server = { .identities = &identity, .identity_count = 1, .minimum = TLS_1_2 };
    struct tls_client_settings client = { .minimum = TLS_1_2 };
    struct error why = { 0 };

    snprintf(directory, 64, "/tmp/postern-session-XXXXXX");
    CHECK(mkdtemp(directory));
    snprintf(chain, sizeof chain, "%s/chain.pem", directory);
    snprintf(key, sizeof key, "%s/key.pem", directory);
    CHECK_OK(tls_make_self_signed("mx.example.net", chain, key, clock_wall(), &why), &why);
    net.tls = tls_server_new(&server, &why);
    net.client = tls_client_new(&client, &why);
    CHECK_OK(net.tls && net.client, &why);
    unlink(chain);
    unlink(key);
    rmdir(directory);
}

/* One port, free on every address: others may have taken it on one of them. */
static bool listen_once(int fds[SERVERS])
{
    net.port = 0;
    for (unsigned i = 0; i < SERVERS; i++) {
        struct address a = at(i);
        struct sockaddr_storage bound;
        socklen_t len = sizeof bound;

        fds[i] = listen_on(&a, 10, NULL);
        if (fds[i] < 0) {
            while (i-- > 0)
                close(fds[i]);
            return false;
        }
        CHECK(getsockname(fds[i], (struct sockaddr *)&bound, &len) == 0);
        net.port = address_from((struct sockaddr *)&bound).port;
    }
    return true;
}

static void listen_everywhere(int fds[SERVERS])
{
    int tries = 0;

    while (!listen_once(fds))
        CHECK(++tries < 50);
    for (unsigned i = 0; i < SERVERS; i++)
        net.listeners[i] = listener_new(fds[i], arrived, NULL);
}

static void open_under(enum tls_level level, time_ms waited, unsigned addresses, const enum manner *manners)
{
    char directory[64];
    int fds[SERVERS];

    memset(&net, 0, sizeof net);
    memset(&try, 0, sizeof try);
    try.rule = (struct tls_rule){ .level = level, .cleartext_after = MINUTES(5) };
    try.waited = waited;
    try.addresses = addresses;
    memcpy(net.manner, manners, addresses * sizeof *manners);
    set_up(directory);
    loop_open();
    listen_everywhere(fds);
    fiber_start("client", run_client, NULL);
    loop_run();
    for (unsigned i = 0; i < SERVERS; i++) {
        listener_free(net.listeners[i]);
        close(fds[i]);
    }
    loop_close();
    tls_server_free(net.tls);
    tls_client_free(net.client);
}

#define OPEN(level, waited, ...)                                                        \
    open_under(level, waited, sizeof(enum manner[]){ __VA_ARGS__ } / sizeof(enum manner), (enum manner[]){ __VA_ARGS__ })

/* --- what is promised --------------------------------------------------------------- */

TEST(tls_is_used_wherever_it_is_offered)
{
    OPEN(TLS_LEVEL_MAY, 0, GOOD);
    CHECK_OK(try.opened, &try.why);
    CHECK_ID("STARTTLS-105", try.encrypted && try.tls_problem == E_NONE);
    OPEN(TLS_LEVEL_ENCRYPT, 0, GOOD);
    CHECK(try.opened && try.encrypted);
}

TEST(a_server_without_starttls_gets_clear_text_only_where_it_may)
{
    OPEN(TLS_LEVEL_MAY, 0, PLAIN);
    CHECK_ID("PD-E02", try.opened && !try.encrypted);
    OPEN(TLS_LEVEL_ENCRYPT, DAYS(4), PLAIN);
    CHECK_ID("PD-E02", !try.opened && try.why.code == E_STARTTLS_NOT_OFFERED);
    CHECK_ID("STARTTLS-007", net.quits == 1);
}

TEST(a_refused_starttls_goes_on_in_clear_only_where_it_may)
{
    OPEN(TLS_LEVEL_MAY, 0, REFUSES_STARTTLS);
    CHECK_ID("STARTTLS-026", try.opened && !try.encrypted && try.tls_problem == E_STARTTLS_REFUSED);
    CHECK_EQUAL(net.connections[0], 1);
    OPEN(TLS_LEVEL_ENCRYPT, DAYS(4), REFUSES_STARTTLS);
    CHECK_ID("PD-E03", !try.opened && try.why.code == E_STARTTLS_REFUSED);
}

/* PD-E05, PD-E06, PD-32: on a new connection, once, and only after a while. */
TEST(a_broken_handshake_buys_no_clear_text_before_the_message_has_waited)
{
    static const enum manner broken[] = { BREAKS_HANDSHAKE, CUTS_HANDSHAKE };

    for (size_t i = 0; i < 2; i++) {
        open_under(TLS_LEVEL_MAY, MINUTES(5) - 1, 1, &broken[i]);
        CHECK_ID("PD-32", !try.opened && try.why.code == E_TLS_HANDSHAKE);
        CHECK_EQUAL(net.connections[0], 1);
        open_under(TLS_LEVEL_MAY, MINUTES(5), 1, &broken[i]);
        CHECK_ID("STARTTLS-027", try.opened && !try.encrypted && try.tls_problem == E_TLS_HANDSHAKE);
        CHECK_EQUAL(net.connections[0], 2);
        open_under(TLS_LEVEL_ENCRYPT, DAYS(4), 1, &broken[i]);
        CHECK_ID("PD-E05", !try.opened);
        CHECK_EQUAL(net.connections[0], 1);
    }
}

TEST(bytes_behind_the_go_ahead_never_lead_to_clear_text)
{
    OPEN(TLS_LEVEL_MAY, DAYS(4), INJECTS);
    CHECK_ID("STARTTLS-011", !try.opened && try.why.code == E_STARTTLS_INJECTED);
    CHECK_ID("PD-E04", net.connections[0] == 1 && net.hellos_in_clear == 1);
}

TEST(verify_refuses_a_certificate_nobody_vouches_for)
{
    OPEN(TLS_LEVEL_VERIFY, DAYS(4), GOOD);
    CHECK_ID("PD-E14", !try.opened && try.why.code == E_CERT_NOT_TRUSTED);
}

/* SMTP-125 */
TEST(each_address_of_a_host_is_tried_in_turn)
{
    OPEN(TLS_LEVEL_ENCRYPT, 0, BUSY, PLAIN, GOOD);
    CHECK_OK(try.opened, &try.why);
    CHECK_ID("SMTP-125", try.used == 2 && try.encrypted);
    CHECK(net.connections[0] == 1 && net.connections[1] == 1 && net.connections[2] == 1);
    OPEN(TLS_LEVEL_MAY, 0, BUSY, BUSY, BUSY);
    CHECK(!try.opened);
    CHECK(strstr(try.why.text, "busy") && strstr(try.why.text, "mx.example.net[127.0.0.1]"));
}

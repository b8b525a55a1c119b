/* Session resumption: off, on, and its keys. */
#include "tests/tls/certs.h"
#include "tests/tls/pair.h"
#include "tls/tickets.h"

#include <sys/wait.h>
#include <unistd.h>

static struct tls_server *new_server(bool tickets)
{
    static struct tls_identity id;
    struct tls_server_settings settings = { .identities = &id, .identity_count = 1, .tickets = tickets };
    struct error why = { 0 };
    struct tls_server *s;

    if (!id.chain_file) {
        struct cert *c = cert_make(&(struct cert_wish){ .dns = { "mail.example.org" } }, NULL);

        id = (struct tls_identity){ cert_file("mail.pem", c, NULL), cert_key_file("mail.key", c) };
        cert_free(c);
    }
    s = tls_server_new(&settings, &why);
    CHECK_OK(s, &why);
    return s;
}

/* One connection of a bare client; `*session` goes in and comes out. */
static bool visit(const struct tls_server *s, int version, SSL_SESSION **session)
{
    struct raw r = raw_client();
    struct tls *ours = tls_accept(s);
    struct error why = { 0 };
    struct tls_facts facts;
    enum tls_step step;

    SSL_set_max_proto_version(r.ssl, version);
    SSL_set_tlsext_host_name(r.ssl, "mail.example.org");
    if (*session)
        SSL_set_session(r.ssl, *session);
    CHECK_OK(raw_shake(&r, ours, &step, &why), &why);
    SSL_read(r.ssl, &(char){ 0 }, 1);       /* takes a ticket, if one came */
    SSL_SESSION_free(*session);
    *session = SSL_get1_session(r.ssl);
    tls_get_facts(ours, &facts);
    CHECK_EQUAL(SSL_session_reused(r.ssl), facts.resumed);
    tls_close(ours);
    raw_exchange(&r, ours);
    SSL_read(r.ssl, &(char){ 0 }, 1);       /* close_notify, or the session would not be good for another time */
    SSL_shutdown(r.ssl);
    raw_done(&r);
    tls_free(ours);
    return facts.resumed;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

TEST(without_tickets_nothing_is_sent_and_nothing_resumed)
{
    struct tls_server *s = new_server(false);

    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *session = NULL;

        CHECK(!visit(s, versions[i], &session));
        CHECK(!SSL_SESSION_has_ticket(session));
        CHECK(!visit(s, versions[i], &session));
        SSL_SESSION_free(session);
    }
    tls_server_free(s);
}

/* What outlook.com stumbled over on port 25: not a byte behind the handshake. */
TEST(without_tickets_the_server_is_silent_after_the_handshake)
{
    struct tls_server *s = new_server(false);
    struct error why = { 0 };
    struct tls_client *c = tls_client_new(&(struct tls_client_settings){ 0 }, &why);
    struct tls_want want = { .client = c };
    struct pair p = pair_of(tls_connect(&want, &why), tls_accept(s));

    CHECK_EQUAL(tls_handshake(p.client, &why), TLS_MORE);
    pair_carry(p.client, p.server, SIZE_MAX);
    CHECK_EQUAL(tls_handshake(p.server, &why), TLS_MORE);
    pair_carry(p.server, p.client, SIZE_MAX);
    CHECK_EQUAL(tls_handshake(p.client, &why), TLS_DONE);
    pair_carry(p.client, p.server, SIZE_MAX);
    CHECK_EQUAL(tls_handshake(p.server, &why), TLS_DONE);
    CHECK_EQUAL(buf_len(tls_output(p.server)), 0);
    pair_done(&p);
    tls_client_free(c);
    tls_server_free(s);
}

TEST(with_tickets_a_client_resumes_at_the_same_server_only)
{
    struct tls_server *s = new_server(true), *other = new_server(true);

    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *session = NULL;

        CHECK(!visit(s, versions[i], &session));
        CHECK(SSL_SESSION_has_ticket(session));
        CHECK_ID("STARTTLS-101", SSL_SESSION_get_ticket_lifetime_hint(session) == TICKET_LIFE / SECONDS(1));
        CHECK(visit(s, versions[i], &session));
        CHECK_ID("STARTTLS-016", !visit(other, versions[i], &session));
        SSL_SESSION_free(session);
    }
    tls_server_free(s);
    tls_server_free(other);
}

TEST(a_ticket_is_worthless_when_its_key_is_gone)
{
    struct tls_server *s;

    clock_freeze(clock_wall());
    s = new_server(true);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *session = NULL;

        CHECK(!visit(s, versions[i], &session));
        clock_advance(DAYS(1));
        CHECK(visit(s, versions[i], &session));
        SSL_SESSION_free(session);
        session = NULL;
        CHECK(!visit(s, versions[i], &session));
        clock_advance(DAYS(2));
        CHECK_ID("STARTTLS-101", !visit(s, versions[i], &session));
        SSL_SESSION_free(session);
    }
    tls_server_free(s);
    clock_thaw();
}

TEST(our_client_does_not_resume)
{
    struct tls_server *s = new_server(true);
    struct error why = { 0 };
    struct tls_client *c = tls_client_new(&(struct tls_client_settings){ 0 }, &why);
    struct tls_want want = { .client = c, .server_name = "mail.example.org" };

    for (int i = 0; i < 2; i++) {
        struct pair p = pair_new(s, &want);
        struct tls_facts facts;
        char clear;
        size_t got;

        CHECK_EQUAL(tls_read(p.client, &clear, 1, &got, &why), TLS_MORE);   /* a ticket that came passes unnoticed */
        tls_get_facts(p.client, &facts);
        CHECK_ID("STARTTLS-016", !facts.resumed);
        pair_done(&p);
    }
    tls_client_free(c);
    tls_server_free(s);
}

/* --- the keys ----------------------------------------------------------- */

TEST(a_key_seals_for_its_day_and_opens_for_one_more)
{
    struct tickets *t = tickets_new(DAYS(100) + HOURS(5));
    struct ticket_key first = *tickets_seal(t, DAYS(100) + HOURS(5)), second;

    CHECK(memcmp(tickets_seal(t, DAYS(101) - 1), &first, sizeof first) == 0);
    second = *tickets_seal(t, DAYS(101));
    CHECK(memcmp(second.name, first.name, sizeof first.name) != 0);
    CHECK(memcmp(second.cipher, first.cipher, sizeof first.cipher) != 0);
    CHECK(memcmp(second.mac, first.mac, sizeof first.mac) != 0);
    CHECK(memcmp(tickets_open(t, first.name, DAYS(102) - 1), &first, sizeof first) == 0);
    CHECK_ID("STARTTLS-101", tickets_open(t, first.name, DAYS(102)) == NULL);
    CHECK(memcmp(tickets_open(t, second.name, DAYS(102)), &second, sizeof second) == 0);
    CHECK(tickets_open(t, (const unsigned char *)"0123456789abcdef", DAYS(102)) == NULL);
    tickets_free(t);
}

TEST(a_clock_that_goes_back_keeps_the_newest_key)
{
    struct tickets *t = tickets_new(DAYS(100));
    struct ticket_key now = *tickets_seal(t, DAYS(110));

    CHECK(memcmp(tickets_seal(t, DAYS(90)), &now, sizeof now) == 0);
    CHECK(tickets_open(t, now.name, DAYS(90)) != NULL);
    tickets_free(t);
}

TEST(two_servers_have_nothing_in_common)
{
    struct tickets *a = tickets_new(DAYS(100)), *b = tickets_new(DAYS(100));

    CHECK(tickets_open(b, tickets_seal(a, DAYS(100))->name, DAYS(100)) == NULL);
    CHECK(memcmp(tickets_seal(a, DAYS(100))->cipher, tickets_seal(b, DAYS(100))->cipher, 32) != 0);
    tickets_free(a);
    tickets_free(b);
    tickets_free(NULL);
}

/* Workers that share a parent agree, however often each of them looked at the clock. */
TEST(the_steps_depend_on_the_day_alone)
{
    int ends[2];
    struct tickets *t = tickets_new(DAYS(100));
    struct ticket_key theirs, ours;
    pid_t child;

    CHECK_EQUAL(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        for (int day = 100; day < 120; day++)
            tickets_seal(t, DAYS(day));
        _exit(write(ends[1], tickets_seal(t, DAYS(120)), sizeof theirs) != (ssize_t)sizeof theirs);
    }
    CHECK_EQUAL(read(ends[0], &theirs, sizeof theirs), sizeof theirs);
    waitpid(child, NULL, 0);
    ours = *tickets_seal(t, DAYS(120) + HOURS(3));
    CHECK(memcmp(&ours, &theirs, sizeof ours) == 0);
    close(ends[0]);
    close(ends[1]);
    tickets_free(t);
}

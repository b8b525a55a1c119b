/* Handshakes that come to nothing, and what is said about it. */
#include "tests/tls/certs.h"
#include "tests/tls/pair.h"

#include <openssl/err.h>

static const struct tls_server *server(void)
{
    static struct tls_server *s;

    if (!s) {
        struct cert *c = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, NULL);
        struct tls_identity id = { cert_file("mx.pem", c, NULL), cert_key_file("mx.key", c) };
        struct tls_server_settings settings = { .identities = &id, .identity_count = 1 };
        struct error why = { 0 };

        s = tls_server_new(&settings, &why);
        CHECK_OK(s, &why);
        cert_free(c);
    }
    return s;
}

/* A session of a client that has said hello. */
static struct tls *greeting_client(void)
{
    static struct tls_client *c;
    struct error why = { 0 };
    struct tls *t;

    if (!c)
        c = tls_client_new(&(struct tls_client_settings){ 0 }, &why);
    CHECK_OK(c, &why);
    t = tls_connect(&(struct tls_want){ .client = c, .server_name = "mx.example.org" }, &why);
    CHECK_OK(t, &why);
    CHECK_EQUAL(tls_handshake(t, &why), TLS_MORE);
    return t;
}

TEST(a_server_that_answers_in_clear_is_quoted)
{
    struct error why = { 0 };
    struct tls *t = greeting_client();

    tls_feed(t, SLICE("220 mx.example.org ESMTP\r\n250-more than is shown"));
    CHECK_EQUAL(tls_handshake(t, &why), TLS_FAILED);
    CHECK_EQUAL(why.code, E_TLS_HANDSHAKE);
    CHECK_TEXT(why.text, "TLS handshake failed: the peer answered in clear "
                         "(starts \"220 mx.example.org ESMTP\\r\\n250-mo\")");
    CHECK_EQUAL(tls_handshake(t, &why), TLS_FAILED);
    tls_free(t);
}

TEST(garbage_for_a_client_hello_fails_and_stays_failed)
{
    static const struct slice garbage[] = {
        { "EHLO client.example.org\r\n", 25 },
        { "GET / HTTP/1.0\r\n\r\n", 18 },
        { "\x16\x03\x01\x00\x05hello world", 16 },
        { "\x80\x2e\x01\x03\x01 sslv2 or so", 17 },
        { "\xff\xff\xff\xff\xff\xff\xff\xff", 8 },
        { "\x17\x03\x03\x00\x02hi", 7 },
        { "\x15\x03\x01\x00\x02\x02\x28", 7 },
        { "\x14\x03\x03\x00\x02\x01\x01", 7 },
        { "\0\0\0\0\0\0\0\0", 8 },
    };

    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        struct tls *t = tls_accept(server());
        struct error why = { 0 };
        char clear[16];
        size_t got = 99;
        enum tls_step step;

        tls_feed(t, garbage[i]);
        step = tls_handshake(t, &why);
        if (step == TLS_MORE) {
            tls_feed_end(t);
            step = tls_handshake(t, &why);
        }
        CHECK_ID("STARTTLS-013", step == TLS_FAILED);
        CHECK_EQUAL(why.code, E_TLS_HANDSHAKE);
        CHECK(slice_starts(slice_of(why.text), SLICE("TLS handshake failed: ")));
        CHECK_EQUAL(tls_handshake(t, &why), TLS_FAILED);
        CHECK_ID("STARTTLS-013", tls_read(t, clear, sizeof clear, &got, &why) == TLS_FAILED);
        CHECK_EQUAL(got, 0);
        tls_close(t);
        tls_free(t);
    }
    CHECK_EQUAL(ERR_peek_error(), 0);
}

TEST(an_alert_of_the_peer_is_named)
{
    struct error why = { 0 };
    struct tls *t = greeting_client();

    tls_feed(t, SLICE("\x15\x03\x01\x00\x02\x02\x28"));
    CHECK_EQUAL(tls_handshake(t, &why), TLS_FAILED);
    CHECK_TEXT(why.text, "TLS handshake failed: peer sent alert handshake failure");
    tls_free(t);
}

TEST(a_close_notify_in_the_handshake_is_a_failure)
{
    struct error why = { 0 };
    struct tls *t = greeting_client();

    tls_feed(t, SLICE("\x15\x03\x01\x00\x02\x01\x00"));
    CHECK_EQUAL(tls_handshake(t, &why), TLS_FAILED);
    CHECK_EQUAL(why.code, E_TLS_HANDSHAKE);
    CHECK_TEXT(why.text, "TLS handshake failed: the peer closed the connection during the handshake");
    tls_free(t);
}

TEST(a_peer_that_hangs_up_in_the_handshake_is_told_apart)
{
    struct error why = { 0 };
    struct tls *client = greeting_client();

    tls_feed_end(client);
    CHECK_EQUAL(tls_handshake(client, &why), TLS_FAILED);
    CHECK_EQUAL(why.code, E_TLS_HANDSHAKE);
    CHECK_TEXT(why.text, "TLS handshake failed: the peer closed the connection during the handshake");
    tls_free(client);
}

TEST(a_client_hello_cut_anywhere_never_completes)
{
    struct error why = { 0 };
    struct tls *client = greeting_client();
    struct slice hello = buf_slice(tls_output(client));

    for (size_t len = 0; len < hello.len; len++) {
        struct tls *refused = tls_accept(server());

        tls_feed(refused, slice_first(hello, len));
        CHECK_EQUAL(tls_handshake(refused, &why), TLS_MORE);
        CHECK_EQUAL(buf_len(tls_output(refused)), 0);
        tls_feed_end(refused);
        CHECK_EQUAL(tls_handshake(refused, &why), TLS_FAILED);
        CHECK_TEXT(why.text, "TLS handshake failed: the peer closed the connection during the handshake");
        tls_free(refused);
    }
    tls_free(client);
}

TEST(every_damaged_byte_of_a_client_hello_is_survived)
{
    struct error why = { 0 };
    struct tls *client = greeting_client();
    struct slice hello = buf_slice(tls_output(client));

    for (size_t i = 0; i < hello.len; i++) {
        struct tls *refused = tls_accept(server());
        char damaged = (char)(hello.at[i] ^ 0xff);

        tls_feed(refused, slice_first(hello, i));
        tls_feed(refused, slice(&damaged, 1));
        tls_feed(refused, slice_after(hello, i + 1));
        CHECK(tls_handshake(refused, &why) != TLS_DONE);
        tls_free(refused);
    }
    tls_free(client);
}

/* A HelloRequest is to be ignored while a handshake goes on, RFC 5246 7.4.1.1: for ever? */
TEST(a_handshake_that_never_ends_is_cut)
{
    struct error why = { 0 };
    struct tls *t = greeting_client();
    enum tls_step step = TLS_MORE;
    size_t sent = 0;

    while (step == TLS_MORE && sent < 1024 * 1024) {
        for (int i = 0; i < 100; i++)
            tls_feed(t, SLICE("\x16\x03\x03\x00\x04\x00\x00\x00\x00"));
        sent += 900;
        step = tls_handshake(t, &why);
    }
    CHECK_ID("STARTTLS-014", step == TLS_FAILED);
    CHECK_ID("STARTTLS-014", sent < 200 * 1024);
    CHECK(strstr(why.text, "the peer sent more than"));
    tls_free(t);
}


/* Bytes both ways, the end of a session, and what it keeps while idle. */
#include "base/memory.h"
#include "tests/test.h"
#include "tests/tls/certs.h"
#include "tests/tls/pair.h"
#include "tls/inside.h"

#include <malloc.h>

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

static const struct tls_client *client(void)
{
    static struct tls_client *c;

    if (!c) {
        struct tls_client_settings settings = { .ca_file = NULL };
        struct error why = { 0 };

        c = tls_client_new(&settings, &why);
        CHECK_OK(c, &why);
    }
    return c;
}

static struct pair new_pair(void)
{
    return pair_new(server(), &(struct tls_want){ .client = client() });
}

/* What `t` has to read now, at most `size` at a time. */
static enum tls_step read_all(struct tls *t, struct buf *into, size_t size, struct error *why)
{
    enum tls_step step;
    char piece[20000];
    size_t got;

    while ((step = tls_read(t, piece, size, &got, why)) == TLS_DONE) {
        CHECK(got > 0 && got <= size);
        buf_add(into, slice(piece, got));
    }
    CHECK_EQUAL(got, 0);
    return step;
}

static void fill(char *bytes, size_t size)
{
    unsigned state = 1;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)((state = state * 1103515245 + 12345) >> 16);
}

/* Writes `sent` in pieces, carries at most `chunk` bytes at a time, reads `size` at a time. */
static void transfer(struct tls *from, struct tls *to, struct slice sent, size_t piece, size_t chunk, size_t size)
{
    struct buf received = { .max = 4 * 1024 * 1024 };
    struct error why = { 0 };
    struct slice rest = sent;

    while (rest.len > 0) {
        CHECK_EQUAL(tls_write(from, slice_first(rest, piece), &why), TLS_DONE);
        rest = slice_after(rest, piece);
    }
    while (pair_carry(from, to, chunk) > 0)
        CHECK_EQUAL(read_all(to, &received, size, &why), TLS_MORE);
    CHECK(slice_equal(buf_slice(&received), sent));
    buf_done(&received);
}

TEST(data_of_any_length_arrives_both_ways)
{
    static const size_t lengths[] = { 0, 1, 2, 1023, 16383, 16384, 16385, 65536, 1000 * 1000, 1024 * 1024 };
    auto_free char *bytes = memory_new(1024 * 1024);
    struct pair p = new_pair();

    fill(bytes, 1024 * 1024);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        transfer(p.client, p.server, slice(bytes, lengths[i]), SIZE_MAX, SIZE_MAX, 16384);
        transfer(p.server, p.client, slice(bytes, lengths[i]), SIZE_MAX, SIZE_MAX, 16384);
    }
    pair_done(&p);
}

TEST(data_cut_anywhere_arrives_whole)
{
    static const size_t sizes[] = { 1, 2, 3, 5, 7, 100, 1000, 16389, 20000 };
    auto_free char *bytes = memory_new(200 * 1000);
    struct pair p = new_pair();

    fill(bytes, 200 * 1000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        transfer(p.client, p.server, slice(bytes, 50 * 1000), SIZE_MAX, sizes[i], 20000);
        transfer(p.server, p.client, slice(bytes, 50 * 1000), 4096, SIZE_MAX, sizes[i]);
        transfer(p.server, p.client, slice(bytes, 5 * 1000), sizes[i], 77, sizes[i]);
    }
    pair_done(&p);
}

TEST(a_handshake_fed_byte_by_byte_works)
{
    struct error why = { 0 };
    struct tls_want want = { .client = client(), .server_name = "mx.example.org" };
    struct pair p = pair_of(tls_connect(&want, &why), tls_accept(server()));

    CHECK(pair_shake(&p, 1));
    transfer(p.client, p.server, SLICE("EHLO client.example.org\r\n"), SIZE_MAX, 1, 1);
    transfer(p.server, p.client, SLICE("250 mx.example.org\r\n"), 1, 1, 1);
    pair_done(&p);
}

/* A client that does not wait: its first command comes with its Finished. */
TEST(data_that_comes_with_the_end_of_the_handshake_is_not_lost)
{
    struct error why = { 0 };
    struct tls_want want = { .client = client() };
    struct pair p = pair_of(tls_connect(&want, &why), tls_accept(server()));
    struct buf received = { .max = 100 };

    CHECK_EQUAL(tls_handshake(p.client, &why), TLS_MORE);
    pair_carry(p.client, p.server, SIZE_MAX);
    CHECK_EQUAL(tls_handshake(p.server, &why), TLS_MORE);
    pair_carry(p.server, p.client, SIZE_MAX);
    CHECK_EQUAL(tls_handshake(p.client, &why), TLS_DONE);
    CHECK_EQUAL(tls_write(p.client, SLICE("NOOP\r\n"), &why), TLS_DONE);
    pair_carry(p.client, p.server, SIZE_MAX);
    CHECK_EQUAL(tls_handshake(p.server, &why), TLS_DONE);
    CHECK_EQUAL(read_all(p.server, &received, 50, &why), TLS_MORE);
    CHECK_SLICE(buf_slice(&received), "NOOP\r\n");
    buf_done(&received);
    pair_done(&p);
}

TEST(room_for_input_is_two_records_and_shrinks_as_it_fills)
{
    struct tls *t = tls_accept(server());

    CHECK_EQUAL(tls_input_room(t), TLS_INPUT_MAX);
    tls_feed(t, SLICE("\x16\x03"));
    CHECK_EQUAL(tls_input_room(t), TLS_INPUT_MAX - 2);
    tls_free(t);
}

TEST(close_notify_is_an_orderly_end)
{
    struct pair p = new_pair();
    struct buf received = { .max = 100 };
    struct error why = { 0 };

    CHECK_EQUAL(tls_write(p.server, SLICE("221 bye\r\n"), &why), TLS_DONE);
    tls_close(p.server);
    tls_close(p.server);
    pair_carry(p.server, p.client, SIZE_MAX);
    tls_feed_end(p.client);
    CHECK_ID("STARTTLS-015", read_all(p.client, &received, 3, &why) == TLS_ENDED);
    CHECK_ID("STARTTLS-015", read_all(p.client, &received, 3, &why) == TLS_ENDED);
    CHECK_SLICE(buf_slice(&received), "221 bye\r\n");
    CHECK_EQUAL(why.code, E_NONE);
    buf_done(&received);
    pair_done(&p);
}

TEST(after_the_peers_close_notify_we_may_still_speak)
{
    struct pair p = new_pair();
    struct buf received = { .max = 100 };
    struct error why = { 0 };

    tls_close(p.client);
    pair_carry(p.client, p.server, SIZE_MAX);
    CHECK_EQUAL(read_all(p.server, &received, 10, &why), TLS_ENDED);
    CHECK_EQUAL(tls_write(p.server, SLICE("421 as you like\r\n"), &why), TLS_DONE);
    CHECK(buf_len(tls_output(p.server)) > 0);
    buf_done(&received);
    pair_done(&p);
}

TEST(an_end_without_close_notify_is_truncation)
{
    struct pair p = new_pair();
    struct buf received = { .max = 100 };
    struct error why = { 0 };

    CHECK_EQUAL(tls_write(p.client, SLICE("MAIL FROM:<a@example.org>\r\n"), &why), TLS_DONE);
    pair_carry(p.client, p.server, SIZE_MAX);
    tls_feed_end(p.server);
    CHECK_ID("STARTTLS-015", read_all(p.server, &received, 100, &why) == TLS_FAILED);
    CHECK_EQUAL(why.code, E_TLS_TRUNCATED);
    CHECK_TEXT(why.text, "the connection ended without TLS's close_notify");
    CHECK_SLICE(buf_slice(&received), "MAIL FROM:<a@example.org>\r\n");
    buf_done(&received);
    pair_done(&p);
}

TEST(an_end_within_a_record_is_truncation)
{
    struct pair p = new_pair();
    struct error why = { 0 };
    char clear[100];
    size_t got;

    CHECK_EQUAL(tls_write(p.client, SLICE("MAIL FROM:<a@example.org>\r\n"), &why), TLS_DONE);
    pair_carry(p.client, p.server, 20);
    CHECK_EQUAL(tls_read(p.server, clear, sizeof clear, &got, &why), TLS_MORE);
    tls_feed_end(p.server);
    CHECK_ID("STARTTLS-015", tls_read(p.server, clear, sizeof clear, &got, &why) == TLS_FAILED);
    CHECK_EQUAL(why.code, E_TLS_TRUNCATED);
    CHECK_EQUAL(got, 0);
    pair_done(&p);
}

TEST(a_damaged_record_ends_the_session_with_an_alert)
{
    struct pair p = new_pair();
    struct error why = { 0 };
    struct buf *output = tls_output(p.client);
    char clear[100];
    size_t got;

    CHECK_EQUAL(tls_write(p.client, SLICE("DATA\r\n"), &why), TLS_DONE);
    output->memory[output->end - 1] ^= 1;
    pair_carry(p.client, p.server, SIZE_MAX);
    CHECK_EQUAL(tls_read(p.server, clear, sizeof clear, &got, &why), TLS_FAILED);
    CHECK_EQUAL(why.code, E_PROTOCOL);
    CHECK_TEXT(why.text, "a record was damaged on its way");
    CHECK(buf_len(tls_output(p.server)) > 0);
    CHECK_EQUAL(tls_write(p.server, SLICE("x"), &why), TLS_FAILED);
    pair_carry(p.server, p.client, SIZE_MAX);
    CHECK_EQUAL(tls_read(p.client, clear, sizeof clear, &got, &why), TLS_FAILED);
    CHECK_TEXT(why.text, "peer sent alert bad record mac");
    pair_done(&p);
}

TEST(clear_bytes_inside_tls_are_refused)
{
    struct pair p = new_pair();
    struct error why = { 0 };
    char clear[100];
    size_t got;

    tls_feed(p.server, SLICE("MAIL FROM:<a@example.org>\r\n"));
    CHECK_EQUAL(tls_read(p.server, clear, sizeof clear, &got, &why), TLS_FAILED);
    CHECK_EQUAL(why.code, E_PROTOCOL);
    pair_done(&p);
}

TEST(a_client_that_renegotiates_is_refused)
{
    struct raw r = raw_client();
    struct tls *ours = tls_accept(server());
    struct error why = { 0 };
    enum tls_step step;
    char clear[100];
    size_t got;

    SSL_set_max_proto_version(r.ssl, TLS1_2_VERSION);
    CHECK_OK(raw_shake(&r, ours, &step, &why), &why);
    CHECK_EQUAL(SSL_renegotiate(r.ssl), 1);
    SSL_do_handshake(r.ssl);
    raw_exchange(&r, ours);
    step = tls_read(ours, clear, sizeof clear, &got, &why);
    CHECK_ID("STARTTLS-099", step != TLS_DONE);
    raw_exchange(&r, ours);
    CHECK_ID("STARTTLS-099", SSL_do_handshake(r.ssl) != 1);
    CHECK_EQUAL(SSL_get_error(r.ssl, -1), SSL_ERROR_SSL);
    raw_done(&r);
    tls_free(ours);
}

TEST(key_updates_pass_unnoticed)
{
    struct raw r = raw_client();
    struct tls *ours = tls_accept(server());
    struct error why = { 0 };
    enum tls_step step;
    char clear[100];
    size_t got;

    CHECK_OK(raw_shake(&r, ours, &step, &why), &why);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(SSL_key_update(r.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        CHECK_EQUAL(SSL_write(r.ssl, "NOOP\r\n", 6), 6);
        raw_exchange(&r, ours);
        CHECK_EQUAL(tls_read(ours, clear, sizeof clear, &got, &why), TLS_DONE);
        CHECK_SLICE(slice(clear, got), "NOOP\r\n");
        CHECK_EQUAL(tls_write(ours, SLICE("250 OK\r\n"), &why), TLS_DONE);
        raw_exchange(&r, ours);
        CHECK_EQUAL(SSL_read(r.ssl, clear, sizeof clear), 8);
    }
    raw_done(&r);
    tls_free(ours);
}

TEST(an_idle_session_holds_no_buffers)
{
    struct pair p = new_pair();
    struct buf received = { .max = 100000 };
    struct error why = { 0 };
    char page[30000] = "";

    CHECK_EQUAL(tls_write(p.client, slice(page, sizeof page), &why), TLS_DONE);
    pair_carry(p.client, p.server, SIZE_MAX);
    CHECK_EQUAL(read_all(p.server, &received, 16384, &why), TLS_MORE);
    CHECK_EQUAL(read_all(p.client, &received, 16384, &why), TLS_MORE);
    CHECK(p.client->input.memory == NULL && p.client->output.memory == NULL);
    CHECK(p.server->input.memory == NULL && p.server->output.memory == NULL);
    buf_done(&received);
    pair_done(&p);
}

/* The figure for all of design's 10,000 idle sessions, OpenSSL's own memory included. */
TEST(an_idle_session_is_small)
{
    enum { SESSIONS = 50, MOST = 24 * 1024 };
    struct pair pairs[SESSIONS];
    struct buf received = { .max = 100 };
    struct error why = { 0 };
    struct raw r;
    struct tls *servers[SESSIONS];
    struct mallinfo2 before, after;
    enum tls_step step;

    pairs[0] = new_pair();      /* what is made once is made now */
    before = mallinfo2();
    for (int i = 0; i < SESSIONS; i++) {
        servers[i] = tls_accept(server());
        r = raw_client();
        CHECK_OK(raw_shake(&r, servers[i], &step, &why), &why);
        CHECK_EQUAL(read_all(servers[i], &received, 50, &why), TLS_MORE);
        raw_done(&r);
    }
    after = mallinfo2();
    print_message("an idle server session holds %zu bytes\n", (after.uordblks - before.uordblks) / SESSIONS);
    CHECK((after.uordblks - before.uordblks) / SESSIONS < MOST);
    for (int i = 0; i < SESSIONS; i++)
        tls_free(servers[i]);
    pair_done(&pairs[0]);
}

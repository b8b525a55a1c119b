#include "tests/test.h"

#include "base/memory.h"
#include "net/script.h"

enum { LINE_MAX_BYTES = 512, SKIP_MAX = 100000 };

/* Never looked into: scripts shake hands without it. */
static const struct tls_server *const any_server = (const void *)"server";
static const struct tls_want any_want;

struct scene {
    struct script *script;
    struct conn *conn;
    struct slice line;
    struct error why;
};

static struct scene play(char peer, const char *text)
{
    struct scene s = { .script = script_new(peer, text) };

    s.conn = script_conn(s.script);
    return s;
}

static struct scene play_bytes(struct slice bytes, size_t chunk)
{
    struct scene s = { .script = script_bytes(bytes, chunk) };

    s.conn = script_conn(s.script);
    return s;
}

static void curtain(struct scene *s)
{
    const char *complaint = script_complaint(s->script);

    if (complaint)
        fail_msg("%s", complaint);
    conn_close(s->conn);
    CHECK(script_closed(s->script));
    script_free(s->script);
}

static void leave(struct scene *s)      /* whatever is left of the script */
{
    conn_abort(s->conn);
    script_free(s->script);
}

static enum line_result next_line(struct scene *s)
{
    s->why = (struct error){ 0 };
    return conn_line(s->conn, LINE_MAX_BYTES, SKIP_MAX, &s->line, &s->why);
}

static void expect_line(struct scene *s, const char *wanted)
{
    if (next_line(s) != LINE_OK)
        fail_msg("instead of \"%s\": %s", wanted, s->why.text);
    CHECK_SLICE(s->line, wanted);
}

static char *filled(char byte, size_t len)
{
    char *text = memory_new(len + 1);

    memset(text, byte, len);
    return text;
}

/* --- lines ------------------------------------------------------------ */

TEST(lines_come_without_their_crlf)
{
    struct scene s = play('C', "C: EHLO client.example.org\nC:\nC: QUIT\n");

    expect_line(&s, "EHLO client.example.org");
    expect_line(&s, "");
    expect_line(&s, "QUIT");
    CHECK_EQUAL(next_line(&s), LINE_FAILED);
    CHECK_EQUAL(s.why.code, E_CLOSED);
    curtain(&s);
}

TEST(only_crlf_ends_a_line)     /* SMTP-040 */
{
    struct scene s = play('C', "C- NOOP\\n\nPAUSE\nC- RSET\\r\nPAUSE\nC- QUIT\\n\\r\\n\n");

    expect_line(&s, "NOOP\nRSET\rQUIT\n");
    curtain(&s);
}

TEST(a_line_split_between_cr_and_lf_is_one_line)
{
    struct scene s = play('C', "C- NOOP\\r\nPAUSE\nC- \\nRSET\\r\nPAUSE\nC- \\r\nPAUSE\nC- \\n\n");

    expect_line(&s, "NOOP");
    expect_line(&s, "RSET\r");
    curtain(&s);
}

TEST(lines_are_the_same_however_they_are_cut)
{
    struct slice bytes = SLICE("NOOP\r\n\r\r\n\n\r\nMAIL FROM:<>\n\r\n\r\nQUIT\r\n");

    for (size_t chunk = 1; chunk <= bytes.len; chunk++) {
        struct scene s = play_bytes(bytes, chunk);

        expect_line(&s, "NOOP");
        expect_line(&s, "\r");
        expect_line(&s, "\n");
        expect_line(&s, "MAIL FROM:<>\n");
        expect_line(&s, "");
        expect_line(&s, "QUIT");
        CHECK_EQUAL(next_line(&s), LINE_FAILED);
        CHECK_EQUAL(s.why.code, E_CLOSED);
        curtain(&s);
    }
}

TEST(the_maximum_counts_the_crlf)
{
    auto_free char *text = filled('a', LINE_MAX_BYTES);

    memcpy(text + LINE_MAX_BYTES - 2, "\r\n", 2);
    for (size_t chunk = 1; chunk < 600; chunk += 7) {
        struct scene s = play_bytes(slice(text, LINE_MAX_BYTES), chunk);

        CHECK_EQUAL(next_line(&s), LINE_OK);
        CHECK_EQUAL(s.line.len, LINE_MAX_BYTES - 2);
        curtain(&s);
    }
}

TEST(a_line_of_one_byte_too_many_is_skipped_and_the_next_is_read)
{
    char text[LINE_MAX_BYTES + 16];

    memset(text, 'a', LINE_MAX_BYTES - 1);
    memcpy(text + LINE_MAX_BYTES - 1, "\r\nNOOP\r\n", 8);
    for (size_t chunk = 1; chunk < 600; chunk += 3) {
        struct scene s = play_bytes(slice(text, LINE_MAX_BYTES + 7), chunk);

        CHECK_EQUAL(next_line(&s), LINE_TOO_LONG);
        expect_line(&s, "NOOP");
        curtain(&s);
    }
}

TEST(a_megabyte_line_is_skipped_in_constant_memory)
{
    const size_t len = 1024 * 1024;
    auto_free char *text = filled('a', len);
    static const size_t chunks[] = { 1, 511, 512, 513, 4096, CONN_READ_MAX, 2 * 1024 * 1024 };

    /* Bare CR and LF inside end nothing, wherever a read happens to end. */
    for (size_t i = 0; i < len; i += 97)
        text[i] = i % 2 ? '\r' : '\n';
    memcpy(text + len - 8, "\r\nNOOP\r\n", 8);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct scene s = play_bytes(slice(text, len), chunks[i]);

        CHECK_ID("SMTP-066", conn_line(s.conn, LINE_MAX_BYTES, len, &s.line, &s.why) == LINE_TOO_LONG);
        CHECK_ID("SMTP-067", conn_unread(s.conn) <= CONN_READ_MAX);
        expect_line(&s, "NOOP");
        CHECK_EQUAL(conn_bytes_in(s.conn), len);
        curtain(&s);
    }
}

TEST(a_line_without_end_is_given_up_after_its_limit)     /* SMTP-067 */
{
    const size_t len = 200000;
    auto_free char *text = filled('a', len);
    static const size_t chunks[] = { 1, 1000, 1000000 };

    for (size_t i = 0; i < 3; i++) {
        struct scene s = play_bytes(slice(text, len), chunks[i]);

        CHECK_EQUAL(next_line(&s), LINE_FAILED);
        CHECK_EQUAL(s.why.code, E_LIMIT);
        CHECK(conn_bytes_in(s.conn) <= SKIP_MAX + CONN_READ_MAX);
        leave(&s);
    }
}

TEST(the_limit_of_skipping_is_exact_for_every_chunk)
{
    auto_free char *text = filled('a', 1000);

    memcpy(text + 998, "\r\n", 2);
    for (size_t chunk = 1; chunk <= 1000; chunk += 9) {
        struct scene s = play_bytes(slice(text, 1000), chunk);
        struct scene t = play_bytes(slice(text, 1000), chunk);

        CHECK_EQUAL(conn_line(s.conn, 100, 1000, &s.line, &s.why), LINE_TOO_LONG);
        CHECK_EQUAL(conn_line(t.conn, 100, 999, &t.line, &t.why), LINE_FAILED);
        CHECK_EQUAL(t.why.code, E_LIMIT);
        leave(&s);
        leave(&t);
    }
}

TEST(an_end_within_a_line_is_no_line)
{
    struct scene s = play('C', "C- QUI\nEOF\n");

    CHECK_EQUAL(next_line(&s), LINE_FAILED);
    CHECK_EQUAL(s.why.code, E_CLOSED);
    CHECK_EQUAL(conn_unread(s.conn), 3);
    curtain(&s);
}

TEST(a_thousand_commands_in_one_read_are_a_thousand_lines)      /* SMTP-200 */
{
    auto_buf struct buf text;

    buf_init(&text, 100000);
    for (int i = 0; i < 1000; i++)
        buf_text(&text, "NOOP %d\r\n", i);

    struct scene s = play_bytes(buf_slice(&text), SIZE_MAX);

    for (int i = 0; i < 1000; i++) {
        char wanted[20];

        snprintf(wanted, sizeof wanted, "NOOP %d", i);
        expect_line(&s, wanted);
    }
    curtain(&s);
}

/* --- reading in pieces ------------------------------------------------ */

TEST(input_is_peeked_at_and_consumed_in_pieces)
{
    struct scene s = play('C', "C- abcdef\nPAUSE\nC- ghi\n");

    CHECK_EQUAL(conn_unread(s.conn), 0);
    CHECK_SLICE(conn_peek(s.conn), "");
    CHECK_OK(conn_more(s.conn, &s.why), &s.why);
    CHECK_SLICE(conn_peek(s.conn), "abcdef");
    conn_consume(s.conn, 2);
    CHECK_SLICE(conn_peek(s.conn), "cdef");
    CHECK_OK(conn_more(s.conn, &s.why), &s.why);
    CHECK_SLICE(conn_peek(s.conn), "cdefghi");
    conn_consume(s.conn, 7);
    CHECK_EQUAL(conn_unread(s.conn), 0);
    CHECK(!conn_more(s.conn, &s.why));
    CHECK_EQUAL(s.why.code, E_CLOSED);
    curtain(&s);
}

TEST(lines_and_pieces_mix)
{
    struct scene s = play('C', "C: BDAT 5\nC- a\\r\\nbcQU\nPAUSE\nC: IT\n");

    expect_line(&s, "BDAT 5");
    CHECK_SLICE(conn_peek(s.conn), "a\r\nbcQU");
    conn_consume(s.conn, 5);
    expect_line(&s, "QUIT");
    curtain(&s);
}

TEST(a_half_searched_line_that_is_consumed_leaves_the_next_one_whole)
{
    struct scene s = play('C', "C- 12345\nPAUSE\nC- 6\nPAUSE\nC: 789\n");

    CHECK_OK(conn_more(s.conn, &s.why), &s.why);
    CHECK_EQUAL(conn_line(s.conn, 5, 0, &s.line, &s.why), LINE_FAILED);     /* searched, none found */
    CHECK_EQUAL(s.why.code, E_LIMIT);
    conn_consume(s.conn, 3);
    expect_line(&s, "456789");
    curtain(&s);
}

TEST(no_more_is_held_than_the_bound)    /* SMTP-067 */
{
    auto_free char *text = filled('x', 100000);
    struct scene s = play_bytes(slice(text, 100000), 5000);

    while (conn_more(s.conn, &s.why))
        CHECK(conn_unread(s.conn) <= CONN_READ_MAX);
    CHECK_EQUAL(s.why.code, E_LIMIT);
    CHECK_EQUAL(conn_unread(s.conn), CONN_READ_MAX);
    conn_consume(s.conn, 1);
    CHECK_OK(conn_more(s.conn, &s.why), &s.why);
    CHECK_EQUAL(conn_unread(s.conn), CONN_READ_MAX);
    leave(&s);
}

TEST(silence_and_a_cut_connection_are_told_apart)
{
    struct scene s = play('C', "SILENCE\nS: 421 bye\nCUT\n");

    CHECK_EQUAL(next_line(&s), LINE_FAILED);
    CHECK_EQUAL(s.why.code, E_TIMEOUT);
    conn_text(s.conn, "421 bye\r\n");       /* a silent peer can still be told */
    CHECK_EQUAL(next_line(&s), LINE_FAILED);
    CHECK_EQUAL(s.why.code, E_CLOSED);
    curtain(&s);
}

/* --- writing ---------------------------------------------------------- */

TEST(output_leaves_when_a_read_would_wait_and_in_one_piece)
{
    struct scene s = play('C', "C: NOOP\nC: QUIT\nS: 250 ok\nS: 221 bye\n");

    expect_line(&s, "NOOP");
    conn_text(s.conn, "250 ok\r\n");
    expect_line(&s, "QUIT");
    conn_text(s.conn, "%d %s\r\n", 221, "bye");
    CHECK_SLICE(script_written(s.script), "");
    CHECK_EQUAL(conn_unsent(s.conn), 17);
    CHECK_EQUAL(next_line(&s), LINE_FAILED);
    CHECK_SLICE(script_written(s.script), "250 ok\r\n221 bye\r\n");
    CHECK_EQUAL(conn_unsent(s.conn), 0);
    CHECK_EQUAL(conn_bytes_out(s.conn), 17);
    curtain(&s);
}

TEST(a_flush_sends_and_an_empty_one_does_nothing)
{
    struct scene s = play('C', "S: 220 hello\n");

    CHECK_OK(conn_flush(s.conn, &s.why), &s.why);
    conn_write(s.conn, SLICE(""));
    conn_write(s.conn, SLICE("220 hello\r\n"));
    CHECK_OK(conn_flush(s.conn, &s.why), &s.why);
    CHECK_SLICE(script_written(s.script), "220 hello\r\n");
    curtain(&s);
}

TEST(pieces_of_every_size_leave_in_order)
{
    static const size_t sizes[] = { 1, 16383, 16384, 16385, 3, 100000, 16000, 5000, 32768, 7 };
    struct scene s = play_bytes(SLICE(""), 1);
    auto_buf struct buf all;
    char byte = 'a';

    buf_init(&all, 1000000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        auto_free char *text = filled(byte++, sizes[i]);

        buf_add(&all, slice(text, sizes[i]));
        conn_write(s.conn, slice(text, sizes[i]));
        CHECK(conn_unsent(s.conn) < 16384);
    }
    CHECK_OK(conn_flush(s.conn, &s.why), &s.why);
    CHECK(slice_equal(script_written(s.script), buf_slice(&all)));
    CHECK_EQUAL(conn_bytes_out(s.conn), buf_len(&all));
    curtain(&s);
}

/* A transport that cannot be written to. */
static bool no_read(void *self, char *into, size_t size, size_t *got, time_ms deadline, struct error *why)
{
    ++*(int *)self;
    *got = 1;
    into[0] = 'x';
    return true;
}

static bool no_write(void *self, struct slice bytes, time_ms deadline, struct error *why)
{
    ++*(int *)self;
    return deadline == 5 ? fail(why, E_TIMEOUT, "too slow") : fail(why, E_CLOSED, "gone");
}

static const struct tls_facts *no_tls(void *self)
{
    return NULL;
}

static void no_close(void *self, bool polite)
{
    *(int *)self = polite ? -1 : -2;
}

static const struct transport broken_transport = {
    .read = no_read, .write = no_write, .tls = no_tls, .close = no_close,
};

TEST(a_failure_to_write_is_kept_and_told_by_flush_and_read)
{
    int calls = 0;
    struct address peer, local = { 0 };
    struct error why = { 0 };
    struct conn *c;

    CHECK(address_parse(SLICE("192.0.2.1:25"), &peer, NULL));
    c = conn_new(&broken_transport, &calls, &peer, &local);
    CHECK(address_same_ip(conn_peer(c), &peer));
    CHECK_EQUAL(conn_local(c)->family, 0);
    conn_deadline(c, 5);
    for (int i = 0; i < 5000; i++)
        conn_write(c, SLICE("250 Ok\r\n"));     /* full buffers are tried once */
    CHECK_EQUAL(calls, 1);
    CHECK(!conn_flush(c, &why));
    CHECK_EQUAL(why.code, E_TIMEOUT);
    CHECK_TEXT(why.text, "too slow");
    CHECK(!conn_more(c, &why));
    CHECK_EQUAL(why.code, E_TIMEOUT);
    CHECK(!conn_start_tls(c, any_server, NULL, &why));
    CHECK_EQUAL(why.code, E_TIMEOUT);
    CHECK_EQUAL(calls, 1);
    conn_close(c);
    CHECK_EQUAL(calls, -2);     /* not polite to a peer that is gone */
}

TEST(closing_is_polite_and_aborting_is_not)
{
    int calls = 0;
    struct address none = { 0 };

    conn_close(conn_new(&broken_transport, &calls, &none, &none));
    CHECK_EQUAL(calls, -1);
    conn_abort(conn_new(&broken_transport, &calls, &none, &none));
    CHECK_EQUAL(calls, -2);
    conn_close(NULL);
    conn_abort(NULL);
}

/* --- TLS -------------------------------------------------------------- */

TEST(tls_starts_after_the_output_has_left)
{
    struct scene s = play('C', "C: STARTTLS\nS: 220 go\nTLS\nC: EHLO h\nS: 250 h\n");

    expect_line(&s, "STARTTLS");
    CHECK(conn_tls(s.conn) == NULL);
    conn_text(s.conn, "220 go\r\n");
    CHECK_ID("STARTTLS-012", conn_unsent(s.conn) > 0);
    CHECK_OK(conn_start_tls(s.conn, any_server, NULL, &s.why), &s.why);
    CHECK_ID("STARTTLS-012", conn_unsent(s.conn) == 0 && conn_unread(s.conn) == 0);
    CHECK_TEXT(conn_tls(s.conn)->cipher, "TLS_AES_256_GCM_SHA384");
    CHECK_EQUAL(conn_tls(s.conn)->version, TLS_1_3);
    expect_line(&s, "EHLO h");
    conn_text(s.conn, "250 h\r\n");
    CHECK_OK(conn_flush(s.conn, &s.why), &s.why);
    curtain(&s);
}

TEST(a_command_behind_starttls_in_the_same_segment_ends_the_connection)     /* STARTTLS-010, P3 */
{
    struct scene s = play('C', "C: STARTTLS\nC: NOOP\nS: 220 go\nTLS\n");

    expect_line(&s, "STARTTLS");
    conn_text(s.conn, "220 go\r\n");
    CHECK(!conn_start_tls(s.conn, any_server, NULL, &s.why));
    CHECK_EQUAL(s.why.code, E_STARTTLS_INJECTED);
    CHECK(conn_tls(s.conn) == NULL);
    CHECK(!conn_more(s.conn, &s.why));
    CHECK(!conn_flush(s.conn, &s.why));
    CHECK_EQUAL(s.why.code, E_STARTTLS_INJECTED);
    leave(&s);
}

TEST(a_single_byte_behind_starttls_is_enough)
{
    struct scene s = play('C', "C: STARTTLS\nC- \\0\nS: 220 go\nTLS\n");

    expect_line(&s, "STARTTLS");
    CHECK(!conn_start_tls(s.conn, any_server, NULL, &s.why));
    CHECK_EQUAL(s.why.code, E_STARTTLS_INJECTED);
    leave(&s);
}

TEST(a_reply_behind_the_go_ahead_ends_the_connection)      /* STARTTLS-011, P3 */
{
    struct scene s = play('S', "C: STARTTLS\nS: 220 go\nS: 250-AUTH PLAIN\nTLS\n");

    conn_text(s.conn, "STARTTLS\r\n");
    expect_line(&s, "220 go");
    CHECK(!conn_start_tls(s.conn, NULL, &any_want, &s.why));
    CHECK_EQUAL(s.why.code, E_STARTTLS_INJECTED);
    leave(&s);
}

TEST(clear_bytes_that_come_later_fail_the_handshake)
{
    struct scene s = play('C', "C: STARTTLS\nPAUSE\nC: NOOP\nTLS\n");

    expect_line(&s, "STARTTLS");
    CHECK(!conn_start_tls(s.conn, any_server, NULL, &s.why));
    CHECK_EQUAL(s.why.code, E_TLS_HANDSHAKE);
    curtain(&s);
}

TEST(a_failed_handshake_leaves_nothing_to_talk_to)      /* STARTTLS-013 */
{
    struct scene s = play('C', "C: STARTTLS\nS: 220 go\nTLSFAIL\nC: NOOP\n");

    expect_line(&s, "STARTTLS");
    conn_text(s.conn, "220 go\r\n");
    CHECK(!conn_start_tls(s.conn, any_server, NULL, &s.why));
    CHECK_EQUAL(s.why.code, E_TLS_HANDSHAKE);
    conn_text(s.conn, "454 no\r\n");
    CHECK(!conn_flush(s.conn, &s.why));
    CHECK_EQUAL(next_line(&s), LINE_FAILED);
    CHECK_EQUAL(s.why.code, E_TLS_HANDSHAKE);
    CHECK_SLICE(script_written(s.script), "220 go\r\n");
    leave(&s);
}

/* --- the listener ----------------------------------------------------- */

static void note(void *arg, bool sent, struct slice bytes)
{
    buf_text(arg, "%c<%.*s>", sent ? 'w' : 'r', SLICE_ARGS(bytes));
}

TEST(a_listener_hears_what_is_read_and_written)
{
    struct scene s = play('C', "C: NOOP\nS: 250 ok\nC: QUIT\n");
    auto_buf struct buf heard;

    buf_init(&heard, 1000);
    conn_listen_in(s.conn, note, &heard);
    expect_line(&s, "NOOP");
    conn_text(s.conn, "250 ok\r\n");
    conn_listen_in(s.conn, NULL, NULL);
    expect_line(&s, "QUIT");
    CHECK_SLICE(buf_slice(&heard), "r<NOOP\r\n>w<250 ok\r\n>");
    curtain(&s);
}

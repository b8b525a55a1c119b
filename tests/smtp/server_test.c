#include "tests/smtp/house.h"

#include "base/memory.h"
#include "net/script.h"

/* --- greeting and hello --------------------------------------------------------------- */

TEST(a_session_greets_and_says_goodbye)     /* SMTP-001, -015 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO QUIT);
    CHECK_EQUAL(h.ending.how, ENDED_QUIT);
    CHECK_TEXT(h.ending.why, "");
    CHECK_EQUAL(h.ending.commands, 2);
    CHECK_EQUAL(h.ending.errors, 0);
}

TEST(ehlo_lists_what_is_accepted)       /* SMTP-019, -190, -240 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING
          "C: EHLO client.example\n"
          "S: 250-mx.example.org\n" "S: 250-PIPELINING\n" "S: 250-8BITMIME\n" "S: 250-SIZE 52428800\n"
          "S: 250-STARTTLS\n" "S: 250 ENHANCEDSTATUSCODES\n" QUIT);
    server.limits.message_bytes = 0;
    server.tls = NULL;
    serve(&server, &h, GREETING
          "C: ehlo client.example\n"
          "S: 250-mx.example.org\n" "S: 250-PIPELINING\n" "S: 250-8BITMIME\n" "S: 250-SIZE\n"
          "S: 250 ENHANCEDSTATUSCODES\n" QUIT);
}

TEST(helo_is_answered_in_one_line)      /* SMTP-002, -020 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING "C: HELO [192.0.2.99]\n" "S: 250 mx.example.org\n" MAIL QUIT);
    CHECK(!h.seen.esmtp);
    CHECK_TEXT(h.seen.client_name, "[192.0.2.99]");
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG "reset\n");
}

TEST(mail_needs_a_hello_before_it)      /* SMTP-002 */
{
    serve_and_check(GREETING
                    "C: MAIL FROM:<a@example.org>\n" "S: 503 5.5.1 Say EHLO first\n"
                    "C: RCPT TO:<b@example.net>\n" "S=503\n" "C: DATA\n" "S=503\n" QUIT, "");
}

TEST(small_commands_work_before_the_hello)      /* SMTP-013, -028 */
{
    serve_and_check(GREETING
                    "C: NOOP\n" "S: 250 2.0.0 Ok\n" "C: RSET\n" "S: 250 2.0.0 Ok\n"
                    "C: HELP\n" "S: 214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT STARTTLS, as in RFC 5321\n"
                    "C: VRFY user\n" "S: 252 2.0.0 Cannot say; send mail and see\n"
                    "C: EXPN list\n" "S: 502 5.5.1 EXPN is not offered here\n" QUIT, "");
}

TEST(a_second_ehlo_resets_and_a_refused_one_does_not)       /* SMTP-003 */
{
    serve_and_check(GREETING EHLO MAIL EHLO "C: RCPT TO:<b@example.net>\n" "S=503\n" QUIT, MAIL_LOG "reset\n");
    serve_and_check(GREETING EHLO MAIL "C: EHLO not a name\n" "S=501\n" RCPT QUIT, MAIL_LOG RCPT_LOG "reset\n");
}

/* --- commands ---------------------------------------------------------------------------- */

TEST(unknown_and_unoffered_commands_leave_the_session_alone)        /* SMTP-010 */
{
    serve_and_check(GREETING
                    "C: FOO\n" "S: 500 5.5.1 Command not known\n"
                    "C: AUTH PLAIN AGEAYg==\n" "S: 502 5.5.1 AUTH is not offered here\n"
                    "C: BDAT 0 LAST\n" "S: 502 5.5.1 BDAT is not offered here\n"
                    "C: TURN\n" "S=502\n" "C: ETRN x\n" "S=502\n"
                    EHLO MAIL "C: FOO\n" "S=500\n" RCPT QUIT,
                    MAIL_LOG RCPT_LOG "reset\n");
}

TEST(commands_out_of_order_are_refused_and_change_nothing)      /* SMTP-011, -012 */
{
    serve_and_check(GREETING EHLO
                    "C: RCPT TO:<b@example.net>\n" "S: 503 5.5.1 MAIL comes first\n"
                    "C: DATA\n" "S: 503 5.5.1 MAIL comes first\n" MAIL
                    "C: DATA\n" "S: 503 5.5.1 RCPT comes first\n"
                    "C: MAIL FROM:<x@example.org>\n" "S: 503 5.5.1 There is a MAIL already; RSET ends it\n" RCPT
                    DATA "C: x\n" "C: .\n" ACCEPTED QUIT,
                    MAIL_LOG RCPT_LOG "data\n" "end 3\n");
}

TEST(arguments_where_none_belong_are_refused)       /* SMTP-009 */
{
    serve_and_check(GREETING EHLO MAIL RCPT
                    "C: DATA now\n" "S=501\n" "C: RSET all\n" "S=501\n" "C: QUIT please\n" "S=501\n"
                    DATA "C: .\n" ACCEPTED QUIT,
                    MAIL_LOG RCPT_LOG "data\n" "end 0\n");
}

TEST(rset_clears_the_transaction)       /* SMTP-014 */
{
    serve_and_check(GREETING EHLO MAIL RCPT "C: RSET  \n" "S: 250 2.0.0 Ok\n"
                    "C: DATA\n" "S=503\n" "C: RSET\n" "S=250\n" MAIL QUIT,
                    MAIL_LOG RCPT_LOG "reset\n" MAIL_LOG "reset\n");
}

TEST(syntax_errors_are_explained)       /* SMTP-018, -024, -026, -029 */
{
    serve_and_check(GREETING EHLO
                    "C: MAIL FROM:<> FOO=1\n" "S: 555 5.5.4 MAIL parameter FOO is not offered here\n"
                    "C: MAIL FROM:<\\xc3\\xa9@example.org>\n" "S: 550 5.6.7 Addresses beyond ASCII are not offered here\n"
                    "C: MAIL FROM:<a\\0b@example.org>\n" "S: 501 5.5.2 A control character cannot stand in a command\n"
                    "C: MAIL FROM:a@example.org\n" "S: 501 5.1.7 The address must stand in <angle brackets>\n"
                    MAIL
                    "C: RCPT TO:<u@[256.1.1.1]>\n"
                    "S: 501 5.1.3 Bad address: the address literal must be [192.0.2.1] or [IPv6:2001:db8::1]\n"
                    "C: RCPT TO:<u@x.example> NOTIFY=NEVER\n" "S=555\n" QUIT,
                    MAIL_LOG "reset\n");
}

TEST(commands_after_quit_are_not_heard)
{
    serve_and_check(GREETING "C: QUIT\n" "C: NOOP\n" "S: 221 2.0.0 mx.example.org Bye\n", "");
}

/* --- line ends, long lines ------------------------------------------------------------------- */

TEST(a_lone_newline_ends_no_command)        /* SMTP-040 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING "C- NOOP\\n\n" "EOF\n");
    CHECK_EQUAL(h.ending.how, ENDED_CLOSED);
    CHECK_EQUAL(h.ending.commands, 0);
}

TEST(a_bare_newline_in_a_command_ends_the_session)      /* SMTP-042 */
{
    static const char *const lines[] = {
        "C- NOOP\\nMAIL FROM:<a@example.org>\\r\\n\n", "C- NOOP\\rNOOP\\r\\n\n", "C- NOOP\\r\\r\\n\n", "C- \\n\\r\\n\n",
        "C- FOO\\nBAR\\r\\n\n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        auto_house struct house h;
        struct smtp_server server = plain_server();
        char script[500];

        house_init(&h);
        snprintf(script, sizeof script, "%s%s%sC: NOOP\n%s", GREETING, EHLO, lines[i],
                 "S: 500 5.5.2 A command must end in CRLF and hold no other CR or LF, closing\n");
        serve(&server, &h, script);
        CHECK_EQUAL(h.ending.how, ENDED_CUT_OFF);
        CHECK_SLICE(buf_slice(&h.log), "");
    }
}

/* What comes back for `bytes`, as lines of reply codes: "220 500 250 ". */
static void codes_for(struct slice bytes, size_t chunk, struct house *h, char *codes, size_t size)
{
    struct smtp_server server = plain_server();
    struct script *s = script_bytes(bytes, chunk);
    struct conn *c = script_conn(s);
    struct slice rest;
    size_t used = 0;

    smtp_serve(c, &server, &recording_house, h, &h->ending);
    codes[0] = '\0';
    for (rest = script_written(s); rest.len; ) {
        struct slice line = slice_cut(&rest, '\n');

        CHECK(line.len >= 4 && line.at[line.len - 1] == '\r');
        if (line.at[3] == ' ' && used + 5 < size)
            used += (size_t)snprintf(codes + used, size - used, "%.3s ", line.at);
    }
    conn_close(c);
    script_free(s);
}

static void long_line(size_t len, const char *codes_wanted)
{
    auto_house struct house h;
    size_t size = len + 8;
    auto_free char *bytes = memory_new(size);
    char codes[64];

    house_init(&h);
    memcpy(bytes, "NOOP ", 5);
    memset(bytes + 5, 'x', len - 7);
    memcpy(bytes + len - 2, "\r\nQUIT\r\n", 8);
    codes_for(slice(bytes, len + 6), 4096, &h, codes, sizeof codes);
    CHECK_TEXT(codes, codes_wanted);
}

TEST(an_over_long_command_is_one_error_and_no_new_command)      /* SMTP-060, -066 */
{
    long_line(512, "220 250 221 ");
    long_line(COMMAND_LINE_MAX, "220 250 221 ");
    long_line(COMMAND_LINE_MAX + 1, "220 500 221 ");
    long_line(1024 * 1024, "220 500 221 ");
    long_line(5 * 1024 * 1024, "220 421 ");
}

TEST(the_tail_of_an_over_long_line_is_never_executed)       /* SMTP-066 */
{
    auto_house struct house h;
    enum { LEN = 10000 };
    auto_free char *bytes = memory_new(LEN);
    char codes[64];

    house_init(&h);
    for (size_t i = 0; i + 6 <= LEN; i += 6)
        memcpy(bytes + i, "QUIT\r ", 6);
    memcpy(bytes + LEN - 6, "QUIT\r\n", 6);
    codes_for(slice(bytes, LEN), 1, &h, codes, sizeof codes);
    CHECK_TEXT(codes, "220 500 ");
}

/* --- pipelining -------------------------------------------------------------------------------- */

TEST(each_of_a_thousand_pipelined_commands_is_answered)     /* SMTP-005, -200 */
{
    for (size_t chunk = 1; chunk <= 100000; chunk *= 100) {
        auto_house struct house h;
        auto_buf struct buf bytes;
        static char codes[6000];
        size_t replies = 0;

        house_init(&h);
        buf_init(&bytes, 100000);
        buf_text(&bytes, "EHLO client.example\r\n");
        for (int i = 0; i < 1000; i++)
            buf_text(&bytes, "%s\r\n", i % 3 == 0 ? "NOOP" : i % 3 == 1 ? "MAIL FROM:<a@example.org>" : "RSET");
        codes_for(buf_slice(&bytes), chunk, &h, codes, sizeof codes);
        for (const char *at = codes; (at = strstr(at, "250 ")); at++)
            replies++;
        CHECK_EQUAL(replies, 1001);
        CHECK_EQUAL(h.ending.commands, 1001);
    }
}

TEST(a_pipelined_message_is_taken_and_its_replies_go_out_together)      /* SMTP-201 */
{
    serve_and_check(GREETING EHLO
                    "C: MAIL FROM:<a@example.org>\n" "C: RCPT TO:<b@example.net>\n" "C: RCPT TO:<nobody@example.net>\n"
                    "C: DATA\n"
                    "S: 250 2.1.0 Sender accepted\n" "S: 250 2.1.5 Recipient accepted\n"
                    "S: 550 5.1.1 No such user here\n" "S=354\n"
                    "C: hello\n" "C: .\n" "C: MAIL FROM:<a@example.org>\n" "C: QUIT\n"
                    ACCEPTED "S=250\n" "S=221\n",
                    MAIL_LOG RCPT_LOG "rcpt <nobody@example.net>\n" "data\n" "end 7\n" MAIL_LOG "reset\n");
}

struct heard {
    char pieces[400];
};

static bool piece_write(void *self, struct slice bytes, time_ms deadline, struct error *why)
{
    struct heard *h = self;

    strncat(h->pieces, "|", sizeof h->pieces - strlen(h->pieces) - 1);
    for (size_t i = 0; i + 3 < bytes.len; i++)
        if ((i == 0 || bytes.at[i - 1] == '\n') && bytes.at[i + 3] == ' ')
            strncat(h->pieces, slice(bytes.at + i, 3).at, 3);
    return true;
}

static bool piece_read(void *self, char *into, size_t size, size_t *got, time_ms deadline, struct error *why)
{
    static const char text[] = "EHLO c\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRSET\r\nMAIL FROM:<a@x>\r\nNOOP\r\n"
                               "RSET\r\nFOO\r\nRSET\r\n";
    struct heard *h = self;

    *got = strstr(h->pieces, "221") || strchr(h->pieces, '!') ? 0 : sizeof text - 1;
    memcpy(into, text, *got);
    strncat(h->pieces, "!", 2);
    return true;
}

static const struct tls_facts *no_tls(void *self)
{
    return NULL;
}

static void no_close(void *self, bool polite)
{
}

TEST(only_the_replies_that_may_be_held_are_held)        /* SMTP-201, RFC 2920 3.2 */
{
    static const struct transport transport = { .read = piece_read, .write = piece_write, .tls = no_tls,
                                                .close = no_close };
    auto_house struct house h;
    struct smtp_server server = plain_server();
    struct address none = { 0 };
    struct heard heard = { "" };
    struct conn *c = conn_new(&transport, &heard, &none, &none);

    house_init(&h);
    smtp_serve(c, &server, &recording_house, &h, &h.ending);
    conn_close(c);
    CHECK_TEXT(heard.pieces, "|220!|250|250250250250250|250500|250!");
}

/* --- no service ------------------------------------------------------------------------------------ */

static void refuse(int code, bool implicit_tls, const char *script)
{
    struct smtp_server server = plain_server();
    struct script *s = script_new('C', script);
    struct conn *c = script_conn(s);

    server.implicit_tls = implicit_tls;
    smtp_refuse(c, &server, code, code == 421 ? "4.7.0" : "5.7.1", "mx.example.org No mail from you");
    conn_close(c);
    if (script_complaint(s))
        print_error("%s\n", script_complaint(s));
    CHECK(!script_complaint(s));
    script_free(s);
}

TEST(a_refused_client_hears_503_until_it_quits)     /* SMTP-001 */
{
    refuse(554, false, "S: 554 5.7.1 mx.example.org No mail from you\n" "C: MAIL FROM:<a@example.org>\n" "S=503\n"
                "C: EHLO x\n" "S=503\n" "C: quit\n" "S: 221 2.0.0 mx.example.org Bye\n");
    refuse(421, false, "S: 421 4.7.0 mx.example.org No mail from you\n");
    refuse(554, false, "S=554\n" "EOF\n");
    refuse(554, false, "S=554\n" "SILENCE\n");
    refuse(554, true, "TLS\n" "S=554\n" "C: QUIT\n" "S=221\n");
    refuse(554, true, "TLSFAIL\n");
}

TEST(a_client_that_talks_before_the_greeting_is_refused_when_that_costs_nothing)        /* SMTP-205 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();
    struct script *s = script_new('C', "C: EHLO x\n" "S=554\n");
    struct conn *c = script_conn(s);

    house_init(&h);
    CHECK(conn_more(c, NULL));
    smtp_serve(c, &server, &recording_house, &h, &h.ending);
    conn_close(c);
    CHECK(!script_complaint(s));
    CHECK_EQUAL(h.ending.how, ENDED_REFUSED);
    script_free(s);
}

/* --- going down -------------------------------------------------------------------------------------- */

TEST(a_lost_client_is_told_from_a_silent_one)       /* SMTP-017, -082 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO MAIL RCPT "CUT\n");
    CHECK_EQUAL(h.ending.how, ENDED_CLOSED);
    serve(&server, &h, GREETING EHLO MAIL "EOF\n");
    CHECK_EQUAL(h.ending.how, ENDED_CLOSED);
    CHECK(h.ending.why[0] != '\0');
    serve(&server, &h, GREETING EHLO MAIL "SILENCE\n" "S: 421 4.4.2 mx.example.org Waited too long, closing\n");
    CHECK_EQUAL(h.ending.how, ENDED_TIMEOUT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "reset\n" MAIL_LOG "reset\n" MAIL_LOG "reset\n");
}

TEST(endings_have_names)
{
    CHECK_TEXT(smtp_end_name(ENDED_QUIT), "quit");
    CHECK_TEXT(smtp_end_name(ENDED_STOPPING), "stopping");
}

TEST(an_answer_is_one_harmless_line)
{
    struct smtp_answer a;

    smtp_answer_set(&a, 550, "5.7.1", "no\r\n250 %s", "\x1b[1m");
    CHECK_TEXT(a.text, "no\\r\\n250 \\x1b[1m");
    CHECK_TEXT(a.status, "5.7.1");
}

#include "tests/smtp/house.h"

#include "base/memory.h"
#include "net/script.h"

/* --- envelopes --------------------------------------------------------------------------- */

TEST(a_message_is_taken)
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO
          "C: mAiL fRoM:<A@Example.ORG> SIZE=1000 BODY=8BITMIME\n" "S=250\n" RCPT DATA
          "C: Subject: hello\n" "C: \n" "C: ..dot\n" "C: .\n" ACCEPTED QUIT);
    CHECK_SLICE(buf_slice(&h.log), "mail <A@example.org>\n" RCPT_LOG "data\n" "end 24\n");      /* SMTP-004 */
    CHECK_SLICE(buf_slice(&h.message), "Subject: hello\r\n\r\n.dot\r\n");
    CHECK(h.seen.has_size && h.seen.declared_size == 1000 && h.seen.body == BODY_8BITMIME && h.seen.esmtp);
    CHECK_EQUAL(h.seen.recipients, 1);
    CHECK_EQUAL(h.ending.messages, 1);
    CHECK_TEXT(h.seen.client_name, "client.example");
}

TEST(messages_follow_one_another)
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C: one\n" "C: .\n" ACCEPTED
          "C: MAIL FROM:<>\n" "S=250\n" "C: RCPT TO:<Postmaster>\n" "S=250\n" DATA "C: two\n" "C: .\n" ACCEPTED QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "data\n" "end 5\n"
                "mail <>\n" "rcpt <Postmaster>\n" "data\n" "end 5\n");      /* SMTP-022, -174 */
    CHECK_EQUAL(h.ending.messages, 2);
    CHECK(!h.seen.has_size && h.seen.messages == 1);
}

TEST(source_routes_and_quoted_strings_reach_the_house_in_plain_form)    /* SMTP-023, -025 */
{
    serve_and_check(GREETING EHLO MAIL
                    "C: RCPT TO:<@a.example,@b.example:u@example.net>\n" "S=250\n"
                    "C: RCPT TO:<\"u\"@example.net>\n" "S=250\n"
                    "C: RCPT TO:<\"a b\"@example.net>\n" "S=250\n"
                    "C: RCPT TO:<u@[IPv6:::1]>\n" "S=250\n" QUIT,
                    MAIL_LOG "rcpt <u@example.net>\n" "rcpt <u@example.net>\n" "rcpt <\"a b\"@example.net>\n"
                    "rcpt <u@[IPv6:::1]>\n" "reset\n");
}

TEST(a_refused_mail_opens_no_transaction)
{
    serve_and_check(GREETING EHLO
                    "C: MAIL FROM:<nobody@example.org>\n" "S: 550 5.1.1 No such user here\n"
                    "C: RCPT TO:<b@example.net>\n" "S=503\n" MAIL QUIT,
                    "mail <nobody@example.org>\n" MAIL_LOG "reset\n");
}

TEST(data_without_an_accepted_recipient_is_refused)     /* SMTP-047 */
{
    serve_and_check(GREETING EHLO MAIL
                    "C: RCPT TO:<nobody@example.net>\n" "S: 550 5.1.1 No such user here\n"
                    "C: DATA\n" "S: 554 5.5.1 No recipient was accepted\n" RCPT DATA "C: .\n" ACCEPTED QUIT,
                    MAIL_LOG "rcpt <nobody@example.net>\n" RCPT_LOG "data\n" "end 0\n");
}

TEST(the_house_may_refuse_data_and_be_asked_again)
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    smtp_answer_set(&h.data, 451, "4.3.1", "No room");
    serve(&server, &h, GREETING EHLO MAIL RCPT "C: DATA\n" "S: 451 4.3.1 No room\n" "C: DATA\n" "S=451\n" QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "data\n" "data\n" "reset\n");
}

TEST(the_house_may_end_the_session)     /* SMTP-015: after 421, or a cut-off */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO "C: MAIL FROM:<away@example.org>\n" "S: 421 4.7.0 Go away\n");
    CHECK_EQUAL(h.ending.how, ENDED_CUT_OFF);
    CHECK_TEXT(h.ending.why, "421 Go away");
    serve(&server, &h, GREETING EHLO MAIL "C: RCPT TO:<shut@example.net>\n" "S: 550 5.7.1 We are closed to you\n");
    CHECK_EQUAL(h.ending.how, ENDED_CUT_OFF);
    h.end = (struct smtp_answer){ .code = 550, .status = "5.7.1", .text = "Spam", .close = true };
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C: .\n" "S: 550 5.7.1 Spam\n");
    CHECK_EQUAL(h.ending.how, ENDED_CUT_OFF);
    h.data = (struct smtp_answer){ .code = 354, .text = "Go", .close = true };
    serve(&server, &h, GREETING EHLO MAIL RCPT "C: DATA\n" "S: 354 Go\n");
}

/* Fault of Postfix in 2026: the envelope outlived a rejected end of data, so
 * that the next DATA was accepted without MAIL. */
TEST(a_rejected_end_of_data_clears_the_envelope)
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    smtp_answer_set(&h.end, 550, "5.7.1", "Not this");
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C: x\n" "C: .\n" "S: 550 5.7.1 Not this\n"
          "C: DATA\n" "S: 503 5.5.1 MAIL comes first\n" "C: RCPT TO:<b@example.net>\n" "S=503\n" MAIL
          "C: DATA\n" "S: 503 5.5.1 RCPT comes first\n" QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "data\n" "end 3\n" MAIL_LOG "reset\n");
    CHECK_EQUAL(h.ending.messages, 0);
}

TEST(a_status_of_the_wrong_class_is_set_right)      /* SMTP-300 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    h.end = (struct smtp_answer){ .code = 451, .status = "5.7.1", .text = "Hm" };
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C: .\n" "S: 451 4.0.0 Hm\n" QUIT);
    h.end = (struct smtp_answer){ .code = 250, .text = "Fine" };
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C: .\n" "S: 250 2.0.0 Fine\n" QUIT);
}

TEST(submission_wants_full_domain_names)        /* SMTP-172 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    server.qualified_domains_only = true;
    serve(&server, &h, GREETING EHLO
          "C: MAIL FROM:<a@sales>\n" "S: 554 5.1.8 The sender's domain must be a full name, with a dot\n"
          "C: MAIL FROM:<>\n" "S=250\n"
          "C: RCPT TO:<a@sales>\n" "S: 554 5.1.2 The recipient's domain must be a full name, with a dot\n"
          "C: RCPT TO:<Postmaster>\n" "S=250\n" "C: RCPT TO:<u@[IPv6:::1]>\n" "S=250\n"
          "C: RCPT TO:<u@sales.example.org>\n" "S=250\n" QUIT);
    server.qualified_domains_only = false;
    serve(&server, &h, GREETING EHLO "C: MAIL FROM:<a@sales>\n" "S=250\n" QUIT);
}

/* --- sizes ----------------------------------------------------------------------------------- */

TEST(a_declared_size_over_the_limit_is_refused_at_mail)     /* SMTP-191, -195 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    server.limits.message_bytes = 1000;
    serve(&server, &h, GREETING EHLO
          "C: MAIL FROM:<> SIZE=1001\n" "S: 552 5.3.4 A message may have 1000 bytes\n"
          "C: MAIL FROM:<> SIZE=99999999999999999999\n" "S=552\n"
          "C: MAIL FROM:<> SIZE=1000\n" "S=250\n" QUIT);
    CHECK_SLICE(buf_slice(&h.log), "mail <>\n" "reset\n");
    server.limits.message_bytes = 0;
    serve(&server, &h, GREETING EHLO "C: MAIL FROM:<> SIZE=99999999999999999999\n" "S=250\n" QUIT);
}

TEST(the_limit_counts_the_message_and_not_its_dots)     /* SMTP-192, -193 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    server.limits.message_bytes = 10;
    serve(&server, &h, GREETING EHLO "C: MAIL FROM:<a@example.org> SIZE=10\n" "S=250\n" RCPT DATA
          "C: ..34\n" "C: ..8\n" "C: .\n" ACCEPTED QUIT);     /* 5 and 4 bytes */
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C: 12345678\n" "C: .\n" ACCEPTED QUIT);
    CHECK_SLICE(buf_slice(&h.message), "12345678\r\n");
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C: 123456789\n" "C: .\n"
          "S: 552 5.3.4 A message may have 10 bytes\n" "C: DATA\n" "S=503\n" QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "data\n" "end 9\n" MAIL_LOG RCPT_LOG "data\n" "end 10\n"
                MAIL_LOG RCPT_LOG "data\n" "reset\n");
}

TEST(a_small_declaration_does_not_cut_the_message)      /* SMTP-192 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO "C: MAIL FROM:<a@example.org> SIZE=10\n" "S=250\n" RCPT DATA
          "C: 0123456789012345678901234567890123456789\n" "C: .\n" ACCEPTED QUIT);
    CHECK_EQUAL(h.seen.bytes, 42);
}

TEST(commands_in_an_oversized_message_are_not_executed)     /* SMTP-051 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    server.limits.message_bytes = 20;
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA
          "C: 0123456789012345678901234567890123456789\n" "C: RSET\n" "C: MAIL FROM:<x@example.org>\n" "PAUSE\n"
          "C: QUIT\n" "C: .\n" "S=552\n" QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "data\n" "reset\n");
    CHECK(buf_len(&h.message) <= 20);
}

TEST(what_the_house_cannot_keep_is_read_to_its_end)     /* SMTP-051 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    h.keeps = 4;
    smtp_answer_set(&h.end, 452, "4.3.1", "Disk full");
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA
          "C: 0123456789\n" "PAUSE\n" "C: QUIT\n" "C: .\n" "S: 452 4.3.1 Disk full\n" QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "data\n" "end 18\n");
}

TEST(over_long_lines_pass_unless_they_are_limited)      /* SMTP-061 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    server.limits.line_bytes = 10;
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C: 12345678\n" "C: ..2345678\n" "C: .\n" ACCEPTED
          MAIL RCPT DATA "C: 123456789\n" "C: x\n" "C: .\n" "S: 550 5.6.0 A line may have 10 bytes\n" QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "data\n" "end 20\n" MAIL_LOG RCPT_LOG "data\n" "reset\n");
    CHECK_EQUAL(h.ending.messages, 1);
}

/* --- smuggling ---------------------------------------------------------------------------------- */

/* SMTP-041, -042: each sequence that some server takes for the end of data,
 * split at each byte, with commands behind it. */
TEST(a_smuggled_command_is_never_executed)
{
    static const char *const endings[] = { "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r" };
    static const char before[] = "EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\ntext";
    static const char behind[] = "MAIL FROM:<evil@example.org>\r\nRCPT TO:<v@example.net>\r\nDATA\r\nevil\r\n.\r\n"
                                 "QUIT\r\n";

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        for (size_t chunk = 1; chunk < 120; chunk++) {
            auto_house struct house h;
            struct smtp_server server = plain_server();
            char bytes[400];
            int len = snprintf(bytes, sizeof bytes, "%s%s%s", before, endings[i], behind);
            struct script *s = script_bytes(slice(bytes, (size_t)len), chunk);
            struct conn *c = script_conn(s);

            house_init(&h);
            smtp_serve(c, &server, &recording_house, &h, &h.ending);
            CHECK_ID("SMTP-042", memmem(script_written(s).at, script_written(s).len, "\r\n550 5.6.0 ", 12));
            CHECK_EQUAL(h.ending.how, ENDED_CUT_OFF);
            CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "data\n" "reset\n");
            conn_close(c);
            script_free(s);
        }
    }
}

TEST(a_bare_newline_is_refused_at_the_end_of_data_and_the_session_closed)      /* SMTP-042 */
{
    serve_and_check(GREETING EHLO MAIL RCPT DATA "C- a\\nb\\r\\n\n" "C: .\n" "C: NOOP\n"
                    "S: 550 5.6.0 The message holds a bare LF; lines must end in CRLF, closing\n",
                    MAIL_LOG RCPT_LOG "data\n" "reset\n");
    serve_and_check(GREETING EHLO MAIL RCPT DATA "C- a\\rb\\r\\n\n" "C: .\n"
                    "S: 550 5.6.0 The message holds a bare CR; lines must end in CRLF, closing\n",
                    MAIL_LOG RCPT_LOG "data\n" "reset\n");
}

/* --- content ---------------------------------------------------------------------------------------- */

TEST(all_octets_pass_whatever_body_was_declared)        /* SMTP-215, -052 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();
    auto_buf struct buf script, wanted;

    house_init(&h);
    buf_init(&script, 100000);
    buf_init(&wanted, 100000);
    buf_text(&script, "%s%sC: MAIL FROM:<a@example.org> BODY=7BIT\nS=250\n%s%sC: ", GREETING, EHLO, RCPT, DATA);
    for (int i = 0; i < 256; i++) {
        if (i == '\r' || i == '\n')
            continue;
        buf_text(&script, "\\x%02x", i);
        buf_byte(&wanted, (char)i);
    }
    buf_text(&script, "\nC: .\n%s%s%c", ACCEPTED, QUIT, 0);
    buf_text(&wanted, "\r\n");
    serve(&server, &h, buf_slice(&script).at);
    CHECK(slice_equal(buf_slice(&h.message), buf_slice(&wanted)));
    CHECK(h.seen.eight_bit);
}

TEST(a_large_message_passes_in_pieces_of_any_size)      /* SMTP-045, -063 */
{
    static const size_t chunks[] = { 1, 7, 1000, 100000 };
    enum { SIZE = 300000 };
    auto_buf struct buf wire, message;

    buf_init(&wire, 4 * SIZE);
    buf_init(&message, 4 * SIZE);
    buf_text(&wire, "EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    for (int i = 0; buf_len(&message) < SIZE; i++) {
        const char *line = i % 5 == 0 ? ".." : i % 7 == 0 ? "" : "some text of a line\xe9";

        buf_text(&wire, "%s\r\n", line);
        buf_text(&message, "%s\r\n", line + (i % 5 == 0));
    }
    buf_text(&wire, ".\r\nQUIT\r\n");
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        auto_house struct house h;
        struct smtp_server server = plain_server();
        struct script *s = script_bytes(buf_slice(&wire), chunks[i]);
        struct conn *c = script_conn(s);

        house_init(&h);
        smtp_serve(c, &server, &recording_house, &h, &h.ending);
        CHECK_EQUAL(h.ending.how, ENDED_QUIT);
        CHECK_EQUAL(h.ending.messages, 1);
        CHECK(slice_equal(buf_slice(&h.message), buf_slice(&message)));
        conn_close(c);
        script_free(s);
    }
}

TEST(a_client_lost_in_data_leaves_nothing_behind)       /* SMTP-017, STARTTLS-015 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C: half of it\n" "CUT\n");
    CHECK_EQUAL(h.ending.how, ENDED_CLOSED);
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C- half of it\\r\\n.\\r\n" "EOF\n");
    CHECK_EQUAL(h.ending.how, ENDED_CLOSED);
    serve(&server, &h, GREETING EHLO MAIL RCPT DATA "C: half of it\n" "SILENCE\n"
          "S: 421 4.4.2 mx.example.org Waited too long, closing\n");
    CHECK_EQUAL(h.ending.how, ENDED_TIMEOUT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "data\n" "reset\n" MAIL_LOG RCPT_LOG "data\n" "reset\n"
                MAIL_LOG RCPT_LOG "data\n" "reset\n");
    CHECK_EQUAL(h.ending.messages, 0);
}

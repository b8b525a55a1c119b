#include "tests/smtp/house.h"

#define GO "C: STARTTLS\n" "S: 220 2.0.0 Ready to start TLS\n" "TLS\n"

TEST(starttls_begins_a_new_session)     /* STARTTLS-001, -003, -021 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO GO
          "C: MAIL FROM:<a@example.org>\n" "S: 503 5.5.1 Say EHLO first\n"
          "C: EHLO other.example\n"
          "S: 250-mx.example.org\n" "S: 250-PIPELINING\n" "S: 250-8BITMIME\n" "S: 250-SIZE 52428800\n"
          "S: 250 ENHANCEDSTATUSCODES\n" MAIL RCPT DATA "C: x\n" "C: .\n" ACCEPTED QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG RCPT_LOG "data\n" "end 3\n");
    CHECK_TEXT(h.seen.client_name, "other.example");
}

TEST(starttls_within_tls_is_refused)        /* STARTTLS-003 */
{
    serve_and_check(GREETING EHLO GO EHLO "C: STARTTLS\n" "S: 503 5.5.1 TLS is active already\n" QUIT, "");
}

TEST(starttls_takes_no_argument)        /* STARTTLS-020 */
{
    serve_and_check(GREETING EHLO "C: STARTTLS now\n" "S: 501 5.5.4 STARTTLS takes no argument\n" GO EHLO QUIT, "");
}

TEST(starttls_needs_ehlo_and_no_transaction)        /* STARTTLS-025 */
{
    serve_and_check(GREETING "C: STARTTLS\n" "S: 503 5.5.1 Say EHLO first\n"
                    "C: HELO x\n" "S=250\n" "C: STARTTLS\n" "S: 503 5.5.1 Say EHLO first\n" EHLO MAIL
                    "C: STARTTLS\n" "S: 503 5.5.1 Not within a mail transaction\n" RCPT
                    "C: RSET\n" "S=250\n" GO EHLO QUIT,
                    MAIL_LOG RCPT_LOG "reset\n");
}

TEST(without_a_certificate_starttls_is_not_offered)     /* STARTTLS-021 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    server.tls = NULL;
    serve(&server, &h, GREETING EHLO "C: STARTTLS\n" "S: 454 4.7.0 TLS is not available\n"
          MAIL QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG "reset\n");
}

TEST(bytes_behind_starttls_end_the_session)     /* STARTTLS-010 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO "C: STARTTLS\n" "C: NOOP\n"
          "S: 554 5.5.0 Nothing may follow STARTTLS before the handshake, closing\n");
    CHECK_EQUAL(h.ending.how, ENDED_TLS_FAILED);
    CHECK_TEXT(h.ending.why, "6 bytes followed STARTTLS in clear");
    serve(&server, &h, GREETING EHLO "C: STARTTLS\n" "C- x\n" "S=554\n");
    CHECK_EQUAL(h.ending.how, ENDED_TLS_FAILED);
}

TEST(a_failed_handshake_ends_the_session_without_a_word)        /* STARTTLS-013 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO "C: STARTTLS\n" "S=220\n" "TLSFAIL\n");
    CHECK_EQUAL(h.ending.how, ENDED_TLS_FAILED);
    CHECK(h.ending.why[0] != '\0');
}

TEST(implicit_tls_comes_before_the_greeting)        /* SMTP-170, STARTTLS-039 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    server.implicit_tls = true;
    server.require_tls = true;
    serve(&server, &h, "TLS\n" GREETING
          "C: EHLO c\n" "S: 250-mx.example.org\n" "S: 250-PIPELINING\n" "S: 250-8BITMIME\n" "S: 250-SIZE 52428800\n"
          "S: 250 ENHANCEDSTATUSCODES\n" MAIL QUIT);
    serve(&server, &h, "TLSFAIL\n");
    CHECK_EQUAL(h.ending.how, ENDED_TLS_FAILED);
}

TEST(where_tls_is_required_only_harmless_commands_pass_in_clear)        /* STARTTLS-023 */
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    server.require_tls = true;
    serve(&server, &h, GREETING
          "C: NOOP\n" "S=250\n" "C: HELP\n" "S=214\n" "C: RSET\n" "S=250\n" "C: HELO x\n" "S=250\n" EHLO
          "C: MAIL FROM:<a@example.org>\n" "S: 530 5.7.0 Must issue a STARTTLS command first\n"
          "C: RCPT TO:<a@example.org>\n" "S=530\n" "C: DATA\n" "S=530\n" "C: VRFY a\n" "S=530\n"
          "C: EXPN a\n" "S=530\n" "C: AUTH PLAIN =\n" "S=530\n" "C: BDAT 1\n" "S=530\n" GO
          EHLO MAIL QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG "reset\n");
    serve(&server, &h, GREETING QUIT);
}

TEST(a_mail_refused_in_clear_excuses_nothing_under_tls)
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO "C: MAIL FROM:<nobody@example.org>\n" "S=550\n" GO
          "C: RCPT TO:<b@example.net>\n" "S: 503 5.5.1 MAIL comes first\n" QUIT);
    CHECK_EQUAL(h.ending.errors, 1);
}

TEST(what_was_counted_in_clear_still_counts)
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    server.limits.errors = 2;
    server.limits.messages = 1;
    serve(&server, &h, GREETING EHLO "C: FOO\n" "S=500\n" MAIL RCPT DATA "C: .\n" ACCEPTED GO
          EHLO "C: FOO\n" "S=500\n" "C: MAIL FROM:<a@example.org>\n" "S=421\n");
    CHECK_EQUAL(h.ending.errors, 2);
}

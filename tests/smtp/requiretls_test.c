/* RFC 8689 in both dialogues: the keyword, the parameter, and how long it holds. */
#include "tests/smtp/house.h"

#include "net/script.h"
#include "smtp/client.h"

/* --- the server -------------------------------------------------------------------------- */

#define GO "C: STARTTLS\n" "S: 220 2.0.0 Ready to start TLS\n" "TLS\n" EHLO
#define MAIL_REQUIRING "C: MAIL FROM:<a@example.org> REQUIRETLS\n" "S: 250 2.1.0 Sender accepted\n"

static struct smtp_server willing_server(void)
{
    struct smtp_server server = plain_server();

    server.requiretls = true;
    return server;
}

TEST(the_keyword_is_offered_inside_tls_only)
{
    auto_house struct house h;
    struct smtp_server server = willing_server();

    house_init(&h);
    serve(&server, &h, GREETING     /* REQTLS-002 */
          "C: EHLO client.example\n"
          "S: 250-mx.example.org\n" "S: 250-PIPELINING\n" "S: 250-8BITMIME\n" "S: 250-SIZE 52428800\n"
          "S: 250-STARTTLS\n" "S: 250 ENHANCEDSTATUSCODES\n"
          "C: STARTTLS\n" "S=220\n" "TLS\n"
          "C: EHLO client.example\n"
          "S: 250-mx.example.org\n" "S: 250-PIPELINING\n" "S: 250-8BITMIME\n" "S: 250-SIZE 52428800\n"
          "S: 250-REQUIRETLS\n" "S: 250 ENHANCEDSTATUSCODES\n" QUIT);
    server.implicit_tls = true;
    serve(&server, &h, "TLS\n" GREETING
          "C: EHLO client.example\n"
          "S: 250-mx.example.org\n" "S: 250-PIPELINING\n" "S: 250-8BITMIME\n" "S: 250-SIZE 52428800\n"
          "S: 250-REQUIRETLS\n" "S: 250 ENHANCEDSTATUSCODES\n" QUIT);
}

TEST(the_parameter_is_told_with_its_transaction)
{
    auto_house struct house h;
    struct smtp_server server = willing_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO GO
          "C: MAIL FROM:<a@example.org> SIZE=3 requireTLS BODY=8BITMIME\n" "S=250\n" RCPT DATA "C: x\n" "C: .\n" ACCEPTED
          QUIT);
    CHECK_ID("REQTLS-001", h.seen.requiretls);      /* as `end` saw it */
    CHECK(h.seen.has_size && h.seen.body == BODY_8BITMIME);
    serve(&server, &h, GREETING EHLO GO "C: MAIL FROM:<> REQUIRETLS\n" "S=250\n" QUIT);
    CHECK(h.seen.requiretls && h.seen.sender.is_null);
    serve(&server, &h, GREETING EHLO GO MAIL RCPT DATA "C: x\n" "C: .\n" ACCEPTED QUIT);
    CHECK(!h.seen.requiretls);
}

TEST(the_parameter_takes_no_value_and_is_given_once)        /* REQTLS-001 */
{
    auto_house struct house h;
    struct smtp_server server = willing_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO GO
          "C: MAIL FROM:<a@example.org> REQUIRETLS=1\n" "S: 501 5.5.4 REQUIRETLS takes no value\n"
          "C: MAIL FROM:<a@example.org> REQUIRETLS=\n" "S=501\n"
          "C: MAIL FROM:<a@example.org> REQUIRETLS requiretls\n" "S: 501 5.5.4 REQUIRETLS is given twice\n"
          "C: RCPT TO:<b@example.net>\n" "S=503\n" MAIL
          "C: RCPT TO:<b@example.net> REQUIRETLS\n" "S=555\n" QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG "reset\n");
    CHECK(!h.seen.requiretls);
}

TEST(in_clear_the_parameter_is_refused)     /* REQTLS-003 */
{
    auto_house struct house h;
    struct smtp_server server = willing_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO
          "C: MAIL FROM:<a@example.org> REQUIRETLS\n" "S: 530 5.7.10 REQUIRETLS needs TLS, say STARTTLS first\n"
          "C: RCPT TO:<b@example.net>\n" "S: 503 5.5.1 MAIL was refused\n" GO MAIL_REQUIRING QUIT);
    CHECK_SLICE(buf_slice(&h.log), MAIL_LOG "reset\n");
    CHECK_EQUAL(h.ending.errors, 1);
}

TEST(where_it_is_not_offered_the_parameter_is_unknown)      /* REQTLS-003 */
{
    static const char in_clear[] = GREETING EHLO
        "C: MAIL FROM:<a@example.org> REQUIRETLS\n" "S: 555 5.5.4 MAIL parameter REQUIRETLS is not offered here\n" QUIT;
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, in_clear);
    serve(&server, &h, GREETING EHLO GO
          "C: MAIL FROM:<a@example.org> REQUIRETLS\n" "S: 555 5.5.4 MAIL parameter REQUIRETLS is not offered here\n" QUIT);
    server.requiretls = true;       /* but never any TLS to offer it in */
    server.tls = NULL;
    serve(&server, &h, in_clear);
    CHECK_SLICE(buf_slice(&h.log), "");
}

TEST(a_mail_command_has_room_for_the_parameter)     /* REQTLS-001 */
{
    enum { OCTETS = 512 + 26 + 17 + 11 };
    char command[OCTETS - 1], script[2000];
    auto_house struct house h;
    struct smtp_server server = willing_server();

    house_init(&h);
    snprintf(command, sizeof command, "%-*sSIZE=1", OCTETS - 2 - 6, "MAIL FROM:<a@example.org> REQUIRETLS BODY=8BITMIME");
    CHECK_EQUAL(strlen(command) + 2, OCTETS);
    snprintf(script, sizeof script, "%s%s%sC: %s\nS=250\n%s", GREETING, EHLO, GO, command, QUIT);
    serve(&server, &h, script);
    CHECK(h.seen.requiretls && h.seen.declared_size == 1);
}

/* A transaction that required TLS, each way it can end, and one after it that
 * does not: what was asked for the first must not cling to the second, and an
 * envelope that was not reset has cost others dearly. */
TEST(the_demand_ends_with_its_transaction)
{
    static const char *const endings[] = {
        "C: RSET\n" "S=250\n",
        EHLO,
        "C: HELO client.example\n" "S=250\n",
        RCPT DATA "C: x\n" "C: .\n" ACCEPTED,
        RCPT DATA "C: 0123456789012345678901234567890123456789\n" "C: .\n" "S=552\n",
        RCPT DATA "C: a line of over 20 bytes\n" "C: .\n" "S=550\n",
        RCPT "C: RCPT TO:<nobody@example.net>\n" "S=550\n" "C: RSET\n" "S=250\n",
        "C: DATA\n" "S=503\n" "C: RSET\n" "S=250\n",
    };

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        auto_house struct house h;
        struct smtp_server server = willing_server();
        char script[2000];

        house_init(&h);
        server.limits.message_bytes = 40;
        server.limits.line_bytes = 20;
        snprintf(script, sizeof script, "%s%s%s%s%s%s%s", GREETING, EHLO, GO, MAIL_REQUIRING, endings[i], MAIL, QUIT);
        serve(&server, &h, script);
        CHECK(!h.seen.requiretls);
    }
}

TEST(the_demand_ends_with_a_message_that_the_house_refuses)
{
    auto_house struct house h;
    struct smtp_server server = willing_server();

    house_init(&h);
    smtp_answer_set(&h.end, 451, "4.3.0", "Not now");
    serve(&server, &h, GREETING EHLO GO MAIL_REQUIRING RCPT DATA "C: x\n" "C: .\n" "S: 451 4.3.0 Not now\n"
          "C: DATA\n" "S=503\n" MAIL QUIT);
    CHECK(!h.seen.requiretls);
    serve(&server, &h, GREETING EHLO GO "C: MAIL FROM:<nobody@example.org> REQUIRETLS\n" "S=550\n" MAIL QUIT);
    CHECK(!h.seen.requiretls);
}

TEST(a_second_mail_neither_sets_nor_lifts_the_demand)
{
    auto_house struct house h;
    struct smtp_server server = willing_server();

    house_init(&h);
    serve(&server, &h, GREETING EHLO GO MAIL_REQUIRING "C: MAIL FROM:<a@example.org>\n" "S=503\n" RCPT QUIT);
    CHECK(h.seen.requiretls);
    serve(&server, &h, GREETING EHLO GO MAIL "C: MAIL FROM:<a@example.org> REQUIRETLS\n" "S=503\n" RCPT QUIT);
    CHECK(!h.seen.requiretls);
}

/* --- the client ------------------------------------------------------------------------------ */

static struct smtp_client client;
static struct error why;
static struct script *script;

#define HELLO "S: 220 mx\n" "C: EHLO client.example\n"
#define SECURED HELLO "S: 250-mx\n" "S: 250 STARTTLS\n" "C: STARTTLS\n" "S: 220 go\n" "TLS\n" "C: EHLO client.example\n"

static void begin(const char *text)
{
    script = script_new('S', text);
    smtp_client_init(&client, script_conn(script), "client.example", &smtp_client_times);
    memset(&why, 0, sizeof why);
    CHECK_OK(smtp_hello(&client, false, &why), &why);
}

static void begin_secured(const char *text)
{
    static const struct tls_want any_want;

    begin(text);
    CHECK_OK(smtp_secure(&client, &any_want, NULL, NULL, &why), &why);
}

static void finish(void)
{
    const char *complaint;

    conn_close(client.conn);
    complaint = script_complaint(script);
    if (complaint)
        print_error("%s (%s)\n", complaint, why.text);
    CHECK(!complaint);
    script_free(script);
}

TEST(the_keyword_counts_in_the_ehlo_inside_tls_only)
{
    begin(HELLO "S: 250-mx\n" "S: 250-REQUIRETLS\n" "S: 250 STARTTLS\n");
    CHECK_ID("REQTLS-023", client.peer.starttls && !client.peer.requiretls);
    finish();
    begin_secured(HELLO "S: 250-mx\n" "S: 250-REQUIRETLS\n" "S: 250 STARTTLS\n" "C: STARTTLS\n" "S: 220 go\n" "TLS\n"
                  "C: EHLO client.example\n" "S: 250-mx\n" "S: 250 PIPELINING\n");
    CHECK_ID("REQTLS-023", client.peer.pipelining && !client.peer.requiretls);
    finish();
    begin_secured(SECURED "S: 250-mx\n" "S: 250 RequireTLS\n");
    CHECK_ID("REQTLS-023", client.peer.requiretls);
    finish();
    begin_secured(SECURED "S: 250-REQUIRETLS\n" "S: 250 REQUIRETLSX\n");
    CHECK(!client.peer.requiretls);
    finish();
}

static bool next_piece(void *self, struct slice *piece, struct error *reason)
{
    struct slice *left = self;

    *piece = *left;
    *left = slice("", 0);
    return true;
}

static void send_one(bool requiretls)
{
    struct slice text = SLICE("caf\xc3\xa9\r\n");
    struct smtp_recipient to = { .address = "b@example.net" };
    struct smtp_mail mail = {
        .sender = "a@example.org", .size = text.len, .needs_8bit = true, .requiretls = requiretls,
        .source = { &text, next_piece },
    };

    CHECK_OK(smtp_send(&client, &mail, &to, 1, &why), &why);
    CHECK_EQUAL(to.result, RCPT_DELIVERED);
}

TEST(mail_carries_the_parameter_when_it_is_asked_to)
{
#define REST "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n" "C: DATA\n" "S: 354 go\n" \
             "C: caf\\xc3\\xa9\n" "C: .\n" "S: 250 ok\n"

    begin_secured(SECURED "S: 250-mx\n" "S: 250-SIZE\n" "S: 250-REQUIRETLS\n" "S: 250 8BITMIME\n"
                  "C: MAIL FROM:<a@example.org> SIZE=7 BODY=8BITMIME REQUIRETLS\n" REST
                  "C: MAIL FROM:<a@example.org> SIZE=7 BODY=8BITMIME\n" REST);
    send_one(true);         /* REQTLS-024 */
    send_one(false);        /* offered, and not asked for by this message */
    finish();
}

TEST(a_refused_parameter_decides_every_recipient)
{
    struct slice text = SLICE("x\r\n");
    struct smtp_recipient to[2] = { { .address = "b@example.net" }, { .address = "c@example.net" } };
    struct smtp_mail mail = { .sender = "", .size = text.len, .requiretls = true, .source = { &text, next_piece } };

    begin_secured(SECURED "S: 250-mx\n" "S: 250 REQUIRETLS\n"
                  "C: MAIL FROM:<> REQUIRETLS\n" "S: 550 5.7.30 REQUIRETLS support required\n");
    CHECK_OK(smtp_send(&client, &mail, to, 2, &why), &why);
    CHECK(to[0].result == RCPT_FAILED && to[1].result == RCPT_FAILED);
    CHECK_TEXT(to[1].reply.status, "5.7.30");
    CHECK(!client.transaction_open);
    finish();
}

#include "tests/test.h"

#include "base/memory.h"
#include "net/script.h"
#include "smtp/client.h"
#include "tests/smtp/timed.h"

enum { MOST = 1000 };

static struct smtp_client client;
static struct error why;
static struct script *script;
static struct smtp_recipient recipients[MOST];

/* --- a message to send ------------------------------------------------------------------------- */
struct text_source {
    struct slice left;
    size_t piece;               /* bytes in each */
    bool breaks;                /* at the end, instead of ending */
};

static bool next_piece(void *self, struct slice *piece, struct error *reason)
{
    struct text_source *t = self;

    if (t->left.len == 0 && t->breaks)
        return fail(reason, E_STORAGE, "cannot read the message");
    *piece = slice_first(t->left, t->piece);
    t->left = slice_after(t->left, t->piece);
    return true;
}

static struct text_source source;

static struct smtp_mail mail_of(const char *text)
{
    source = (struct text_source){ slice_of(text), 5, false };
    return (struct smtp_mail){ .sender = "a@example.org", .size = strlen(text), .source = { &source, next_piece } };
}

/* --- a connection with EHLO behind it ------------------------------------------------------------ */

static void begin_as(const char *offer, const char *text)
{
    static char whole[200000];

    snprintf(whole, sizeof whole, "S: 220 mx\nC: EHLO client.example\n%s%s", offer, text);
    script = script_new('S', whole);
    smtp_client_init(&client, script_conn(script), "client.example", &smtp_client_times);
    memset(&why, 0, sizeof why);
    CHECK_OK(smtp_hello(&client, true, &why), &why);
}

#define PIPELINING "S: 250-mx\n" "S: 250 PIPELINING\n"
#define PLAIN "S: 250 mx\n"

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

static bool send_to(size_t count, struct smtp_mail mail)
{
    static const char *const names[] = { "b@example.net", "c@example.net", "d@example.net", "e@example.net" };

    for (size_t i = 0; i < count; i++)
        recipients[i] = (struct smtp_recipient){ .address = names[i % 4], .result = RCPT_DELIVERED };
    return smtp_send(&client, &mail, recipients, count, &why);
}

#define BODY "C: hello\n" "C: .\n"

/* --- one by one ----------------------------------------------------------------------------------- */

TEST(a_message_is_sent_step_by_step_without_pipelining)     /* SMTP-202 */
{
    begin_as(PLAIN, "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n"
             "C: RCPT TO:<c@example.net>\n" "S: 251 forwarded\n" "C: DATA\n" "S: 354 go\n" BODY "S: 250 2.0.0 taken\n");
    CHECK_OK(send_to(2, mail_of("hello\r\n")), &why);
    CHECK_EQUAL(recipients[0].result, RCPT_DELIVERED);
    CHECK_EQUAL(recipients[1].result, RCPT_DELIVERED);
    CHECK_EQUAL(recipients[1].reply.code, 250);
    CHECK_TEXT(recipients[1].reply.text, "taken");
    CHECK_TEXT(client.command, "end of data");
    CHECK(!client.transaction_open);
    finish();
}

TEST(recipients_are_decided_one_by_one)     /* SMTP-089 */
{
    begin_as(PLAIN, "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n"
             "C: RCPT TO:<c@example.net>\n" "S: 450 4.2.1 later\n" "C: RCPT TO:<d@example.net>\n" "S: 550 5.1.1 never\n"
             "C: DATA\n" "S: 354 go\n" BODY "S: 250 ok\n");
    CHECK_OK(send_to(3, mail_of("hello\r\n")), &why);
    CHECK_EQUAL(recipients[0].result, RCPT_DELIVERED);
    CHECK_EQUAL(recipients[1].result, RCPT_DEFERRED);
    CHECK_EQUAL(recipients[1].reply.code, 450);
    CHECK_TEXT(recipients[1].reply.status, "4.2.1");
    CHECK_EQUAL(recipients[2].result, RCPT_FAILED);
    CHECK_TEXT(recipients[2].reply.text, "never");
    finish();
}

TEST(a_refused_mail_decides_every_recipient)        /* SMTP-087: and the connection lives */
{
    begin_as(PLAIN, "C: MAIL FROM:<a@example.org>\n" "S: 550 5.7.1 not you\n"
             "C: MAIL FROM:<a@example.org>\n" "S: 451 4.3.0 not now\n");
    CHECK_OK(send_to(2, mail_of("hello\r\n")), &why);
    CHECK(recipients[0].result == RCPT_FAILED && recipients[1].result == RCPT_FAILED);
    CHECK_EQUAL(recipients[1].reply.code, 550);
    CHECK_OK(send_to(2, mail_of("hello\r\n")), &why);
    CHECK(recipients[0].result == RCPT_DEFERRED && recipients[1].result == RCPT_DEFERRED);
    finish();
}

TEST(without_recipients_there_is_no_data_and_the_next_mail_begins_with_rset)
{
    begin_as(PLAIN, "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 550 no\n"
             "C: RSET\n" "S: 250 ok\n" "C: MAIL FROM:<a@example.org>\n" "S: 550 no\n" "C: QUIT\n" "S: 221 bye\n");
    CHECK_OK(send_to(1, mail_of("hello\r\n")), &why);
    CHECK_EQUAL(recipients[0].result, RCPT_FAILED);
    CHECK(client.transaction_open);
    CHECK_OK(send_to(1, mail_of("hello\r\n")), &why);
    CHECK(!client.transaction_open);
    smtp_quit(&client);
    finish();
}

TEST(a_refused_data_decides_who_was_accepted)
{
    begin_as(PLAIN, "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n"
             "C: RCPT TO:<c@example.net>\n" "S: 550 no\n" "C: DATA\n" "S: 451 4.3.1 full\n"
             "C: RSET\n" "S: 250 ok\n" "C: MAIL FROM:<a@example.org>\n" "S: 550 no\n");
    CHECK_OK(send_to(2, mail_of("hello\r\n")), &why);
    CHECK_EQUAL(recipients[0].result, RCPT_DEFERRED);
    CHECK_EQUAL(recipients[0].reply.code, 451);
    CHECK_EQUAL(recipients[1].result, RCPT_FAILED);
    CHECK_OK(send_to(1, mail_of("hello\r\n")), &why);
    finish();
}

TEST(the_answer_to_the_dot_decides_who_was_accepted)
{
    static const struct { const char *reply; enum rcpt_result result; } rows[] = {
        { "250 ok", RCPT_DELIVERED }, { "299 ok", RCPT_DELIVERED }, { "451 later", RCPT_DEFERRED },
        { "477 later", RCPT_DEFERRED }, { "550 never", RCPT_FAILED }, { "552 large", RCPT_FAILED },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[500];

        snprintf(text, sizeof text, "C: MAIL FROM:<a@example.org>\nS: 250 ok\nC: RCPT TO:<b@example.net>\nS: 250 ok\n"
                 "C: DATA\nS: 354 go\n%sS: %s\n", BODY, rows[i].reply);
        begin_as(PLAIN, text);
        CHECK_OK(send_to(1, mail_of("hello\r\n")), &why);
        CHECK_EQUAL(recipients[0].result, rows[i].result);
        CHECK(!client.transaction_open);
        finish();
    }
}

/* --- pipelined ---------------------------------------------------------------------------------------- */

TEST(a_message_is_pipelined_when_offered_and_data_comes_last)       /* SMTP-202 */
{
    begin_as(PIPELINING, "C: MAIL FROM:<a@example.org>\n" "C: RCPT TO:<b@example.net>\n" "C: RCPT TO:<c@example.net>\n"
             "C: DATA\n" "S: 250 ok\n" "S: 250 ok\n" "S: 550 5.1.1 no\n" "S: 354 go\n" BODY "S: 250 ok\n"
             "C: MAIL FROM:<a@example.org>\n" "C: RCPT TO:<b@example.net>\n" "C: DATA\n"
             "S: 250 ok\n" "S: 250 ok\n" "S: 354 go\n" BODY "S: 250 ok\n");
    CHECK_OK(send_to(2, mail_of("hello\r\n")), &why);
    CHECK_EQUAL(recipients[0].result, RCPT_DELIVERED);
    CHECK_EQUAL(recipients[1].result, RCPT_FAILED);
    CHECK_OK(send_to(1, mail_of("hello\r\n")), &why);
    CHECK_EQUAL(recipients[0].result, RCPT_DELIVERED);
    finish();
}

TEST(a_go_ahead_without_recipients_gets_a_lone_dot)     /* SMTP-203 */
{
    static const char *const ends[] = { "250 queued", "554 no recipients", "451 what" };

    for (size_t i = 0; i < 3; i++) {
        char text[500];

        snprintf(text, sizeof text, "C: MAIL FROM:<a@example.org>\nC: RCPT TO:<b@example.net>\nC: DATA\n"
                 "S: 250 ok\nS: 550 5.1.1 no\nS: 354 go\nC: .\nS: %s\n", ends[i]);
        begin_as(PIPELINING, text);
        CHECK_OK(send_to(1, mail_of("secret\r\n")), &why);
        CHECK_EQUAL(recipients[0].result, RCPT_FAILED);
        CHECK_EQUAL(recipients[0].reply.code, 550);
        CHECK(!client.transaction_open);
        finish();
    }
}

TEST(a_refused_mail_in_a_group_still_hears_every_answer)        /* SMTP-203 */
{
    begin_as(PIPELINING, "C: MAIL FROM:<a@example.org>\n" "C: RCPT TO:<b@example.net>\n" "C: DATA\n"
             "S: 550 5.7.1 not you\n" "S: 503 no mail\n" "S: 503 no mail\n" "C: RSET\n" "S: 250 ok\n");
    CHECK_OK(send_to(1, mail_of("hello\r\n")), &why);
    CHECK_EQUAL(recipients[0].result, RCPT_FAILED);
    CHECK_EQUAL(recipients[0].reply.code, 550);
    CHECK_OK(smtp_reset(&client, &why), &why);
    finish();
    begin_as(PIPELINING, "C: MAIL FROM:<a@example.org>\n" "C: RCPT TO:<b@example.net>\n" "C: DATA\n"
             "S: 450 4.7.1 not now\n" "S: 250 strange\n" "S: 354 stranger\n" "C: .\n" "S: 250 strangest\n");
    CHECK_OK(send_to(1, mail_of("hello\r\n")), &why);
    CHECK_EQUAL(recipients[0].result, RCPT_DEFERRED);
    finish();
}

#define LONG_ADDRESS "someone.of.many.with.an.address.that.is.not.quite.short@mail.example.net"

TEST(many_recipients_go_in_groups)      /* SMTP-204 */
{
    auto_buf struct buf text;
    size_t said = 0, heard = 0, total = 500 + 2;

    buf_init(&text, 190000);
    for (size_t i = 0; i < 500; i++)
        recipients[i] = (struct smtp_recipient){ .address = LONG_ADDRESS };
    while (heard < total) {
        size_t bytes = 0, first = said;

        while (said < total && said - first < 100 && bytes < 4096) {
            const char *line = said == 0 ? "MAIL FROM:<a@example.org>" : said < total - 1 ?
                               "RCPT TO:<" LONG_ADDRESS ">" : "DATA";

            buf_text(&text, "C: %s\n", line);
            bytes += strlen(line) + 2;
            said++;
        }
        CHECK(bytes < 5000);
        for (; heard < said; heard++)
            buf_text(&text, "S: %s\n", heard < total - 1 ? "250 ok" : "354 go");
    }
    buf_text(&text, "%sS: 250 ok\n%c", BODY, 0);
    begin_as(PIPELINING, buf_slice(&text).at);
    {
        struct smtp_mail mail = mail_of("hello\r\n");

        CHECK_OK(smtp_send(&client, &mail, recipients, 500, &why), &why);
    }
    for (size_t i = 0; i < 500; i++)
        CHECK_EQUAL(recipients[i].result, RCPT_DELIVERED);
    finish();
}

TEST(a_mail_refused_in_the_first_group_needs_no_second)
{
    auto_buf struct buf text;

    buf_init(&text, 190000);
    for (size_t i = 0; i < 300; i++)
        recipients[i] = (struct smtp_recipient){ .address = "b@x" };
    buf_text(&text, "C: MAIL FROM:<a@example.org>\n");
    for (int i = 0; i < 99; i++)
        buf_text(&text, "C: RCPT TO:<b@x>\n");
    buf_text(&text, "S: 550 no\n");
    for (int i = 0; i < 99; i++)
        buf_text(&text, "S: 503 no\n");
    buf_byte(&text, '\0');
    begin_as(PIPELINING, buf_slice(&text).at);
    {
        struct smtp_mail mail = mail_of("hello\r\n");

        CHECK_OK(smtp_send(&client, &mail, recipients, 300, &why), &why);
    }
    for (size_t i = 0; i < 300; i++)
        CHECK_EQUAL(recipients[i].result, RCPT_FAILED);
    finish();
}

/* --- codes of their own ---------------------------------------------------------------------------------- */

TEST(too_many_recipients_is_temporary_once_one_was_taken)       /* SMTP-065 */
{
    begin_as(PLAIN, "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 552 full\n"
             "C: RCPT TO:<c@example.net>\n" "S: 250 ok\n" "C: RCPT TO:<d@example.net>\n" "S: 552 too many\n"
             "C: DATA\n" "S: 354 go\n" BODY "S: 250 ok\n");
    CHECK_OK(send_to(3, mail_of("hello\r\n")), &why);
    CHECK_EQUAL(recipients[0].result, RCPT_FAILED);
    CHECK_EQUAL(recipients[1].result, RCPT_DELIVERED);
    CHECK_EQUAL(recipients[2].result, RCPT_DEFERRED);
    CHECK_EQUAL(recipients[2].reply.code, 552);
    finish();
}

TEST(a_421_ends_the_session_and_leaves_the_undecided)       /* SMTP-094 */
{
    begin_as(PIPELINING, "C: MAIL FROM:<a@example.org>\n" "C: RCPT TO:<b@example.net>\n" "C: RCPT TO:<c@example.net>\n"
             "C: RCPT TO:<d@example.net>\n" "C: DATA\n"
             "S: 250 ok\n" "S: 250 ok\n" "S: 550 no\n" "S: 421 4.3.2 going down\n");
    CHECK(!send_to(3, mail_of("hello\r\n")));
    CHECK_EQUAL(why.code, E_CLOSED);
    CHECK_EQUAL(recipients[0].result, RCPT_UNDECIDED);
    CHECK_EQUAL(recipients[1].result, RCPT_FAILED);
    CHECK_EQUAL(recipients[2].result, RCPT_UNDECIDED);
    CHECK_EQUAL(recipients[2].reply.code, 0);
    CHECK_EQUAL(client.last.code, 421);
    CHECK_TEXT(client.command, "RCPT");
    finish();
    begin_as(PLAIN, "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n"
             "C: DATA\n" "S: 354 go\n" BODY "S: 421 oh\n");
    CHECK(!send_to(1, mail_of("hello\r\n")));
    CHECK_EQUAL(why.code, E_CLOSED);
    CHECK_EQUAL(recipients[0].result, RCPT_UNDECIDED);
    finish();
}

TEST(a_connection_lost_before_the_last_reply_decides_nothing)       /* SMTP-017 */
{
    static const struct { const char *text; enum error_code code; } rows[] = {
        { "C: MAIL FROM:<a@example.org>\n" "CUT\n", E_CLOSED },
        { "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "EOF\n", E_CLOSED },
        { "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n" "C: DATA\n"
          "SILENCE\n", E_TIMEOUT },
        { "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n" "C: DATA\n"
          "S: 354 go\n" BODY "CUT\n", E_CLOSED },
        { "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n" "C: DATA\n"
          "S: 354 go\n" BODY "S- 25\n" "EOF\n", E_CLOSED },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin_as(PLAIN, rows[i].text);
        CHECK(!send_to(1, mail_of("hello\r\n")));
        CHECK_EQUAL(why.code, rows[i].code);
        CHECK_EQUAL(recipients[0].result, RCPT_UNDECIDED);
        CHECK_EQUAL(recipients[0].reply.code, 0);
        CHECK_EQUAL(client.last.code, 0);
        finish();
    }
}

TEST(answers_that_fit_no_question_end_the_session)      /* SMTP-007, -092 */
{
    static const char *const texts[] = {
        "C: MAIL FROM:<a@example.org>\n" "S: 354 go\n",
        "C: MAIL FROM:<a@example.org>\n" "S: 999 go\n",
        "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "S: 250 ok\n",
        "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 354 go\n",
        "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n" "C: DATA\n"
        "S: 250 what\n",
        "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n" "C: DATA\n"
        "S: 354 go\n" BODY "S: 354 again\n",
        "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n" "C: DATA\n"
        "S: 354 go\n" "S: 250 taken before it was sent\n",       /* SMTP-092 */
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        begin_as(PLAIN, texts[i]);
        CHECK(!send_to(1, mail_of("hello\r\n")));
        CHECK_EQUAL(why.code, E_PROTOCOL);
        CHECK_EQUAL(recipients[0].result, RCPT_UNDECIDED);
        finish();
    }
}

TEST(an_answer_too_many_is_not_taken_for_the_next_messages)     /* SMTP-092 */
{
    begin_as(PIPELINING, "C: MAIL FROM:<a@example.org>\n" "C: RCPT TO:<b@example.net>\n" "C: DATA\n"
             "S: 250 ok\n" "S: 250 ok\n" "S: 354 go\n" BODY "S: 250 ok\n" "S: 250 more\n");
    CHECK_OK(send_to(1, mail_of("hello\r\n")), &why);
    CHECK(!send_to(1, mail_of("hello\r\n")));
    CHECK_EQUAL(why.code, E_PROTOCOL);
    CHECK_EQUAL(recipients[0].result, RCPT_UNDECIDED);
    finish();
}

/* --- parameters -------------------------------------------------------------------------------------------- */

TEST(size_and_body_are_said_when_offered_and_needed)        /* SMTP-018, -216 */
{
    struct smtp_mail mail;

    begin_as("S: 250-mx\n" "S: 250-8BITMIME\n" "S: 250 SIZE 100\n",
             "C: MAIL FROM:<a@example.org> SIZE=7 BODY=8BITMIME\n" "S: 550 no\n"
             "C: MAIL FROM:<> SIZE=7\n" "S: 550 no\n");
    mail = mail_of("h\xe9llo\r\n");
    mail.needs_8bit = true;
    CHECK_OK(send_to(1, mail), &why);
    mail = mail_of("hello\r\n");
    mail.sender = "";
    CHECK_OK(send_to(1, mail), &why);
    finish();
}

TEST(what_the_server_cannot_take_is_not_sent)       /* SMTP-194, -216 */
{
    struct smtp_mail mail = mail_of("hello\r\n");

    begin_as("S: 250-mx\n" "S: 250 SIZE 6\n", "");
    CHECK(send_to(2, mail));
    CHECK_EQUAL(why.code, E_MESSAGE_TOO_LARGE);
    CHECK(recipients[0].result == RCPT_FAILED && recipients[1].result == RCPT_FAILED);
    CHECK_EQUAL(recipients[0].reply.code, 0);
    finish();
    begin_as("S: 250-mx\n" "S: 250 SIZE 7\n", "C: MAIL FROM:<a@example.org> SIZE=7\n" "S: 550 no\n");
    CHECK_OK(send_to(1, mail), &why);
    CHECK_EQUAL(why.code, E_NONE);
    finish();
    begin_as("S: 250-mx\n" "S: 250 SIZE\n", "");
    mail.needs_8bit = true;
    CHECK(send_to(1, mail));
    CHECK_EQUAL(why.code, E_NEEDS_8BITMIME);
    CHECK_EQUAL(recipients[0].result, RCPT_FAILED);
    finish();
}

TEST(no_address_can_end_its_line)
{
    struct smtp_mail mail = mail_of("hello\r\n");
    const char *const evil[] = { "a@x>\r\nRCPT TO:<b@x", "a\n@x", "\x7f@x", "\xc3\xa9@x" };

    for (size_t i = 0; i < sizeof evil / sizeof evil[0]; i++) {
        begin_as(PLAIN, "");
        mail.sender = evil[i];
        CHECK(send_to(1, mail));
        CHECK_EQUAL(why.code, E_MALFORMED);
        CHECK_EQUAL(recipients[0].result, RCPT_FAILED);
        finish();
        begin_as(PLAIN, "");
        mail.sender = "a@example.org";
        recipients[0].address = evil[i];
        CHECK(smtp_send(&client, &mail, recipients, 1, &why));
        CHECK_EQUAL(why.code, E_MALFORMED);
        CHECK_EQUAL(recipients[0].result, RCPT_FAILED);
        finish();
    }
}

/* --- the body ------------------------------------------------------------------------------------------------- */

#define ENVELOPE "C: MAIL FROM:<a@example.org>\n" "S: 250 ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 ok\n" \
    "C: DATA\n" "S: 354 go\n"

TEST(the_body_is_stuffed_and_ended)     /* SMTP-044, -045, -046 */
{
    begin_as(PLAIN, ENVELOPE "C: ..\n" "C: ...a\n" "C: \n" "C: no end\n" "C: .\n" "S: 250 ok\n");
    CHECK_OK(send_to(1, mail_of(".\r\n..a\r\n\r\nno end")), &why);
    finish();
    begin_as(PLAIN, ENVELOPE "C: .\n" "S: 250 ok\n");
    CHECK_OK(send_to(1, mail_of("")), &why);
    finish();
}

TEST(over_long_lines_pass_as_they_are)      /* SMTP-061: what came in goes out */
{
    auto_buf struct buf text, message;

    buf_init(&text, 100000);
    buf_init(&message, 100000);
    for (int i = 0; i < 5000; i++)
        buf_byte(&message, 'x');
    buf_text(&text, "%sC: %.*s\nC: .\nS: 250 ok\n%c", ENVELOPE, (int)buf_len(&message), buf_slice(&message).at, 0);
    buf_text(&message, "\r\n%c", 0);
    begin_as(PLAIN, buf_slice(&text).at);
    CHECK_OK(send_to(1, mail_of(buf_slice(&message).at)), &why);
    finish();
}

TEST(a_bare_newline_never_leaves_and_no_dot_follows)        /* SMTP-043 */
{
    static const char *const messages[] = { "a\nb\r\n", "abcdefghij\r\n\n.\r\nMAIL FROM:<x@y>\r\n", "a\rb\r\n", "ab\r" };

    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        static const char bytes[] = "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n";

        /* one reply for each read, as a server would */
        script = script_bytes(slice(bytes, sizeof bytes - 1), 8);
        smtp_client_init(&client, script_conn(script), "client.example", &smtp_client_times);
        CHECK_OK(smtp_hello(&client, true, &why), &why);
        CHECK(!send_to(2, mail_of(messages[i])));
        CHECK_EQUAL(why.code, E_BARE_NEWLINE);
        CHECK_EQUAL(recipients[0].result, RCPT_FAILED);
        CHECK_EQUAL(recipients[0].reply.code, 0);
        CHECK_EQUAL(recipients[1].reply.code, 550);
        CHECK(source.left.len == 0 || source.left.len == strlen(messages[i]) - (i == 1 ? 15 : 5));
        conn_close(client.conn);
        CHECK_ID("SMTP-043", !memmem(script_written(script).at, script_written(script).len, "\r\n.\r\n", 5));
        script_free(script);
    }
}

TEST(a_source_that_breaks_leaves_no_whole_message_behind)
{
    struct smtp_mail mail = mail_of("half of it\r\n");

    source.breaks = true;
    begin_as(PLAIN, ENVELOPE);
    CHECK(!send_to(1, mail));
    CHECK_EQUAL(why.code, E_STORAGE);
    CHECK_EQUAL(recipients[0].result, RCPT_UNDECIDED);
    finish();
}

TEST(a_large_body_arrives_octet_for_octet)
{
    enum { SIZE = 200000 };
    static char message[SIZE + 1];
    auto_buf struct buf text;

    for (size_t i = 0; i + 50 <= SIZE; i += 50)
        snprintf(message + i, 51, "%-48.48s\r\n", i % 100 ? "line of the message" : ".line with a dot");
    buf_init(&text, 2 * SIZE);
    buf_text(&text, "%s", ENVELOPE);
    for (size_t i = 0; i + 50 <= SIZE; i += 50)
        buf_text(&text, "C: %s%.48s\n", message[i] == '.' ? "." : "", message + i);
    buf_text(&text, "C: .\nS: 250 ok\n%c", 0);
    for (size_t piece = 100; piece < 1000000; piece *= 30) {
        struct smtp_mail mail = mail_of(message);

        source.piece = piece;
        /* begin_as has a buffer of its own size */
        script = NULL;
        {
            auto_buf struct buf whole;

            buf_init(&whole, 3 * SIZE);
            buf_text(&whole, "S: 220 mx\nC: EHLO client.example\nS: 250 mx\n");
            buf_add(&whole, buf_slice(&text));
            script = script_new('S', buf_slice(&whole).at);
        }
        smtp_client_init(&client, script_conn(script), "client.example", &smtp_client_times);
        CHECK_OK(smtp_hello(&client, true, &why), &why);
        CHECK_OK(send_to(1, mail), &why);
        CHECK_EQUAL(recipients[0].result, RCPT_DELIVERED);
        finish();
    }
}

/* --- times ------------------------------------------------------------------------------------------------------ */

TEST(each_step_of_a_message_has_its_own_time)       /* SMTP-080 */
{
    static const struct smtp_times times = {
        .greeting = SECONDS(1), .ehlo = SECONDS(1), .mail = SECONDS(10), .rcpt = SECONDS(20), .data = SECONDS(30),
        .block = SECONDS(40), .final = SECONDS(50),
    };
    const struct timed_words words[] = {
        { 0, "220 mx\r\n" }, { 0, "250 mx\r\n" }, { SECONDS(10), "250 ok\r\n" }, { SECONDS(20), "250 ok\r\n" },
        { SECONDS(30), "354 go\r\n" }, { SECONDS(50), "250 ok\r\n" },
    };

    for (size_t late = 0; late <= 4; late++) {
        struct timed_words slower[6];
        struct timed timed;

        memcpy(slower, words, sizeof words);
        if (late > 0)
            slower[late + 1].after++;
        smtp_client_init(&client, timed_conn(&timed, slower, 6), "client.example", &times);
        CHECK_OK(smtp_hello(&client, true, &why), &why);
        CHECK(send_to(1, mail_of("hello\r\n")) == (late == 0));
        CHECK_EQUAL(recipients[0].result, late == 0 ? RCPT_DELIVERED : RCPT_UNDECIDED);
        if (late > 0)
            CHECK_EQUAL(why.code, E_TIMEOUT);
        conn_close(client.conn);
        timed_done(&timed);
    }
}

static bool next_slowly(void *self, struct slice *piece, struct error *reason)
{
    clock_advance(SECONDS(35));
    return next_piece(self, piece, reason);
}

TEST(a_block_has_its_time_from_when_it_was_read)        /* SMTP-080 */
{
    static const struct smtp_times times = {
        .greeting = SECONDS(1), .ehlo = SECONDS(1), .mail = SECONDS(1), .rcpt = SECONDS(1), .data = SECONDS(30),
        .block = SECONDS(1), .final = SECONDS(1),
    };
    static const struct timed_words words[] = {
        { 0, "220 mx\r\n" }, { 0, "250 mx\r\n" }, { 0, "250 ok\r\n" }, { 0, "250 ok\r\n" }, { 0, "354 go\r\n" },
        { 0, "250 ok\r\n" },
    };
    static char message[100001];
    struct timed timed;
    struct smtp_mail mail;

    memset(message, 'x', sizeof message - 1);
    mail = mail_of(message);
    mail.source.next = next_slowly;
    source.piece = 40000;
    smtp_client_init(&client, timed_conn(&timed, words, 6), "client.example", &times);
    CHECK_OK(smtp_hello(&client, true, &why), &why);
    CHECK_OK(send_to(1, mail), &why);
    CHECK_EQUAL(recipients[0].result, RCPT_DELIVERED);
    conn_close(client.conn);
    timed_done(&timed);
}

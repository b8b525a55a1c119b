#include "tests/smtp/house.h"
#include "tests/smtp/timed.h"

#include "net/script.h"

/* --- counts ------------------------------------------------------------------------------- */

/* The codes that come back, e.g. "220 250 " ; at most `size` bytes of them. */
static void codes_for(const struct smtp_server *server, struct slice bytes, struct house *h, struct buf *codes)
{
    struct script *s = script_bytes(bytes, 5000);
    struct conn *c = script_conn(s);
    struct slice rest;

    house_done(h);
    house_init(h);
    smtp_serve(c, server, &recording_house, h, &h->ending);
    for (rest = script_written(s); rest.len; ) {
        struct slice line = slice_cut(&rest, '\n');

        if (line.len > 4 && line.at[3] == ' ')
            buf_add(codes, slice_first(line, 4));
    }
    conn_close(c);
    script_free(s);
}

static size_t count_code(const struct buf *codes, const char *code)
{
    size_t count = 0;

    for (struct slice rest = buf_slice(codes); rest.len >= 4; rest = slice_after(rest, 4))
        count += slice_starts(rest, slice_of(code));
    return count;
}

static void repeat(struct buf *b, const char *line, int times)
{
    for (int i = 0; i < times; i++)
        buf_text(b, "%s\r\n", line);
}

static struct house house;
static struct buf bytes, codes;

static void begin(void)
{
    house_init(&house);
    buf_init(&bytes, 4 * 1024 * 1024);
    buf_init(&codes, 1024 * 1024);
}

static void finish(void)
{
    house_done(&house);
    buf_done(&bytes);
    buf_done(&codes);
}

TEST(after_twenty_bad_commands_the_next_is_the_last)        /* SMTP-030 */
{
    struct smtp_server server = plain_server();

    begin();
    repeat(&bytes, "JUNK", 25);
    codes_for(&server, buf_slice(&bytes), &house, &codes);
    CHECK_EQUAL(count_code(&codes, "500"), 20);
    CHECK_EQUAL(count_code(&codes, "421"), 1);
    CHECK_EQUAL(buf_len(&codes), 22 * 4);
    CHECK_EQUAL(house.ending.how, ENDED_CUT_OFF);
    CHECK_EQUAL(house.ending.errors, 21);
    finish();
}

TEST(errors_are_counted_across_kinds_and_good_commands_forgive_none)
{
    struct smtp_server server = plain_server();

    begin();
    server.limits.errors = 5;
    repeat(&bytes, "NOOP", 3);
    repeat(&bytes, "RCPT TO:<a@x>", 2);
    repeat(&bytes, "MAIL FROM:a@x", 2);
    repeat(&bytes, "NOOP", 3);
    repeat(&bytes, "AUTH PLAIN", 5);
    codes_for(&server, buf_slice(&bytes), &house, &codes);
    CHECK_SLICE(buf_slice(&codes), "220 250 250 250 503 503 501 501 250 250 250 502 421 ");
    finish();
}

/* A client that pipelines need not know yet that its MAIL was refused. */
TEST(what_was_pipelined_behind_a_refused_mail_is_no_error)
{
    struct smtp_server server = plain_server();

    begin();
    buf_text(&bytes, "EHLO x\r\nMAIL FROM:<nobody@x>\r\n");
    repeat(&bytes, "RCPT TO:<a@x>", 50);
    buf_text(&bytes, "DATA\r\nQUIT\r\n");
    codes_for(&server, buf_slice(&bytes), &house, &codes);
    CHECK_EQUAL(count_code(&codes, "503"), 51);
    CHECK_EQUAL(house.ending.errors, 0);
    CHECK_EQUAL(house.ending.how, ENDED_QUIT);
    finish();
}

TEST(after_a_reset_it_is_an_error_again)
{
    struct smtp_server server = plain_server();

    begin();
    buf_text(&bytes, "EHLO x\r\nMAIL FROM:<nobody@x>\r\nRSET\r\n");
    repeat(&bytes, "RCPT TO:<a@x>", 50);
    codes_for(&server, buf_slice(&bytes), &house, &codes);
    CHECK_EQUAL(count_code(&codes, "503"), 20);
    CHECK_EQUAL(count_code(&codes, "421"), 1);
    finish();
}

TEST(recipients_over_the_limit_are_put_off_and_none_is_dropped)     /* SMTP-064 */
{
    struct smtp_server server = plain_server();

    begin();
    server.limits.recipients = 100;
    buf_text(&bytes, "EHLO x\r\nMAIL FROM:<a@x>\r\n");
    repeat(&bytes, "RCPT TO:<a@x>", 101);
    buf_text(&bytes, "DATA\r\n.\r\nMAIL FROM:<a@x>\r\nRCPT TO:<a@x>\r\nQUIT\r\n");
    codes_for(&server, buf_slice(&bytes), &house, &codes);
    CHECK_EQUAL(count_code(&codes, "250"), 1 + 1 + 100 + 1 + 1 + 1);
    CHECK_EQUAL(count_code(&codes, "452"), 1);
    CHECK_EQUAL(house.ending.messages, 1);
    finish();
}

TEST(ten_thousand_recipients_are_all_answered)      /* SMTP-064, -067 */
{
    struct smtp_server server = plain_server();

    begin();
    buf_text(&bytes, "EHLO x\r\nMAIL FROM:<a@x>\r\n");
    for (int i = 0; i < 10000; i++)
        buf_text(&bytes, "RCPT TO:<user%d@example.net>\r\n", i);
    buf_text(&bytes, "DATA\r\nx\r\n.\r\nQUIT\r\n");
    codes_for(&server, buf_slice(&bytes), &house, &codes);
    CHECK_EQUAL(count_code(&codes, "250"), 1 + 1 + 1000 + 1);
    CHECK_EQUAL(count_code(&codes, "452"), 9000);
    CHECK_EQUAL(house.ending.messages, 1);
    CHECK_EQUAL(house.ending.how, ENDED_QUIT);
    finish();
}

TEST(endless_commands_without_a_message_come_to_an_end)     /* SMTP-067 */
{
    struct smtp_server server = plain_server();

    begin();
    server.limits.commands = 50;
    repeat(&bytes, "NOOP", 100);
    codes_for(&server, buf_slice(&bytes), &house, &codes);
    CHECK_EQUAL(count_code(&codes, "250"), 50);
    CHECK_EQUAL(count_code(&codes, "421"), 1);
    CHECK_EQUAL(house.ending.how, ENDED_CUT_OFF);

    buf_clear(&bytes);
    buf_clear(&codes);
    buf_text(&bytes, "EHLO x\r\n");
    for (int i = 0; i < 100; i++)
        buf_text(&bytes, "MAIL FROM:<a@x>\r\nRSET\r\n");
    codes_for(&server, buf_slice(&bytes), &house, &codes);
    CHECK_EQUAL(count_code(&codes, "421"), 1);
    CHECK_EQUAL(count_code(&codes, "250"), 50);
    finish();
}

TEST(a_session_that_brings_messages_may_go_on)
{
    struct smtp_server server = plain_server();

    begin();
    server.limits.commands = 20;
    buf_text(&bytes, "EHLO x\r\n");
    for (int i = 0; i < 50; i++) {
        buf_text(&bytes, "MAIL FROM:<a@x>\r\n");
        repeat(&bytes, "RCPT TO:<b@x>", 30);
        buf_text(&bytes, "DATA\r\nx\r\n.\r\n");
    }
    buf_text(&bytes, "QUIT\r\n");
    codes_for(&server, buf_slice(&bytes), &house, &codes);
    CHECK_EQUAL(house.ending.messages, 50);
    CHECK_EQUAL(house.ending.how, ENDED_QUIT);
    finish();
}

TEST(one_message_too_many_is_answered_421)
{
    struct smtp_server server = plain_server();

    begin();
    server.limits.messages = 2;
    serve(&server, &house, GREETING EHLO MAIL RCPT DATA "C: .\n" ACCEPTED MAIL RCPT DATA "C: .\n" ACCEPTED
          "C: NOOP\n" "S=250\n" "C: MAIL FROM:<a@x>\n"
          "S: 421 4.7.0 mx.example.org Enough messages for one session, come again\n");
    CHECK_EQUAL(house.ending.how, ENDED_CUT_OFF);
    CHECK_EQUAL(house.ending.messages, 2);
    finish();
}

/* --- times ------------------------------------------------------------------------------------- */

static struct timed timed;

static void serve_timed(const struct smtp_server *server, const struct timed_words *words, size_t count)
{
    struct conn *c = timed_conn(&timed, words, count);

    begin();
    smtp_serve(c, server, &recording_house, &house, &house.ending);
    conn_close(c);
    CHECK(!house.open);
}

static void timed_finish(void)
{
    timed_done(&timed);
    finish();
}

#define SERVE_TIMED(server, ...)                                                                            \
    serve_timed(server, (const struct timed_words[]){ __VA_ARGS__ },                                        \
                sizeof((const struct timed_words[]){ __VA_ARGS__ }) / sizeof(struct timed_words))

#define ENVELOPE "EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"

TEST(an_idle_client_has_five_minutes_for_each_command)      /* SMTP-082 */
{
    struct smtp_server server = plain_server();

    SERVE_TIMED(&server, { 0, "EHLO x\r\n" }, { MINUTES(5), "NOOP\r\n" }, { MINUTES(5), "NOOP\r\n" });
    CHECK_EQUAL(house.ending.how, ENDED_TIMEOUT);
    CHECK_EQUAL(house.ending.commands, 3);
    CHECK_EQUAL(timed_spent(&timed), MINUTES(15));
    CHECK(timed_wrote(&timed, "421 4.4.2 mx.example.org Waited too long, closing\r\n"));
    timed_finish();
}

TEST(trickling_a_command_wins_no_time)
{
    struct smtp_server server = plain_server();

    SERVE_TIMED(&server, { MINUTES(2), "N" }, { MINUTES(2), "O" }, { MINUTES(2), "O" }, { 0, "P\r\n" });
    CHECK_EQUAL(house.ending.how, ENDED_TIMEOUT);
    CHECK_EQUAL(timed_spent(&timed), MINUTES(5));
    timed_finish();
}

TEST(a_piece_of_data_may_take_three_minutes)
{
    struct smtp_server server = plain_server();

    SERVE_TIMED(&server, { 0, ENVELOPE }, { MINUTES(3), "one\r\n" }, { MINUTES(3), "two\r\n.\r\n" },
                { 0, "QUIT\r\n" });
    CHECK_EQUAL(house.ending.how, ENDED_QUIT);
    CHECK_EQUAL(house.ending.messages, 1);
    timed_finish();
    SERVE_TIMED(&server, { 0, ENVELOPE }, { MINUTES(3) + 1, "one\r\n.\r\n" });
    CHECK_EQUAL(house.ending.how, ENDED_TIMEOUT);
    CHECK_EQUAL(timed_spent(&timed), MINUTES(3));
    CHECK(timed_wrote(&timed, "421 4.4.2 "));
    CHECK_SLICE(buf_slice(&house.log), "mail <a@x>\n" "rcpt <b@x>\n" "data\n" "reset\n");
    timed_finish();
}

TEST(trickling_data_wins_a_second_for_each_kilobyte)
{
    struct smtp_server server = plain_server();
    static char kilobytes[10 * 1024 + 1];

    memset(kilobytes, 'x', sizeof kilobytes - 1);
    SERVE_TIMED(&server, { 0, ENVELOPE }, { MINUTES(3), "a" }, { MINUTES(3), "b" }, { MINUTES(3), "c" },
                { MINUTES(1), "d" }, { 1, "e" });
    CHECK_EQUAL(house.ending.how, ENDED_TIMEOUT);
    CHECK_EQUAL(timed_spent(&timed), MINUTES(10));
    timed_finish();
    SERVE_TIMED(&server, { 0, ENVELOPE }, { MINUTES(3), kilobytes }, { MINUTES(3), "b" }, { MINUTES(3), "c" },
                { MINUTES(1) + SECONDS(10), "\r\n.\r\nQUIT\r\n" });
    CHECK_EQUAL(house.ending.how, ENDED_QUIT);
    CHECK_EQUAL(house.ending.messages, 1);
    timed_finish();
}

TEST(a_session_may_be_limited_as_a_whole)
{
    struct smtp_server server = plain_server();

    server.limits.session_time = MINUTES(12);
    SERVE_TIMED(&server, { 0, "EHLO x\r\n" }, { MINUTES(5), "NOOP\r\n" }, { MINUTES(5), "NOOP\r\n" },
                { MINUTES(5), "NOOP\r\n" });
    CHECK_EQUAL(house.ending.how, ENDED_TIMEOUT);
    CHECK_EQUAL(timed_spent(&timed), MINUTES(12));
    timed_finish();
}

TEST(a_refused_client_has_ten_seconds_and_none_after_421)      /* SMTP-001 */
{
    static const struct timed_words words[] = { { SECONDS(4), "NOOP\r\n" }, { SECONDS(4), "NOOP\r\n" } };
    struct smtp_server server = plain_server();
    struct conn *c = timed_conn(&timed, words, 2);

    smtp_refuse(c, &server, 554, "5.7.1", "No");
    CHECK_EQUAL(timed_spent(&timed), SECONDS(10));
    CHECK(timed_wrote(&timed, "554 5.7.1 No\r\n503 5.5.1 "));
    conn_close(c);
    timed_done(&timed);
    c = timed_conn(&timed, words, 2);
    smtp_refuse(c, &server, 421, "4.7.0", "Not now");
    CHECK_EQUAL(timed_spent(&timed), 0);
    CHECK_SLICE(buf_slice(&timed.written), "421 4.7.0 Not now\r\n");
    conn_close(c);
    timed_done(&timed);
}

/* --- shutting down -------------------------------------------------------------------------------- */

TEST(a_server_that_stops_says_so_before_the_next_command)       /* SMTP-016 */
{
    struct smtp_server server = plain_server();
    bool stopping = true;

    begin();
    server.stopping = &stopping;
    serve(&server, &house, GREETING "S: 421 4.3.2 mx.example.org Shutting down\n");
    CHECK_EQUAL(house.ending.how, ENDED_STOPPING);
    stopping = false;
    serve(&server, &house, GREETING EHLO QUIT);
    CHECK_EQUAL(house.ending.how, ENDED_QUIT);
    finish();
}

TEST(an_idle_session_says_421_when_it_is_cancelled)     /* SMTP-016 */
{
    struct smtp_server server = plain_server();

    SERVE_TIMED(&server, { 0, "EHLO x\r\nMAIL FROM:<a@x>\r\n" }, { MINUTES(1), NULL });
    CHECK_EQUAL(house.ending.how, ENDED_STOPPING);
    CHECK(timed_wrote(&timed, "421 4.3.2 mx.example.org Shutting down\r\n"));
    CHECK_SLICE(buf_slice(&house.log), "mail <a@x>\n" "reset\n");
    timed_finish();
}

/* --- every reply ----------------------------------------------------------------------------------- */

/* SMTP-300: all replies but greeting, EHLO, HELO and 354 carry a status of
 * their own class, on each line. */
TEST(every_reply_carries_a_status_of_its_class)
{
    static const char *const lines[] = {
        "NOOP", "HELP", "VRFY x", "EXPN x", "RSET", "FOO", "", "AUTH x", "BDAT 1", "TURN", "ETRN x", "MAIL FROM:<a@x>",
        "EHLO x", "MAIL FROM:<nobody@x>", "MAIL FROM:<> SIZE=99999999999", "MAIL FROM:<> X=Y", "MAIL FROM:<\xe9@x>",
        "MAIL FROM:<a@x> SIZE=1", "MAIL FROM:<a@x>", "RCPT TO:<\xe9@x>", "RCPT TO:<a@x> Y", "RCPT TO:<nobody@x>",
        "RCPT TO:<later@x>", "DATA", "RCPT TO:<b@x>", "RCPT TO:<c@x>", "STARTTLS x", "STARTTLS", "DATA x", "DATA",
        "Subject: x", ".", "RCPT TO:<a@x>", "QUIT x", "NOOP \x01", "HELO", "QUIT",
    };
    struct smtp_server server = plain_server();
    struct script *s;
    struct conn *c;
    size_t seen = 0;

    begin();
    server.limits.recipients = 1;
    server.limits.errors = 100;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        buf_text(&bytes, "%s\r\n", lines[i]);
    s = script_bytes(buf_slice(&bytes), SIZE_MAX);
    c = script_conn(s);
    smtp_serve(c, &server, &recording_house, &house, &house.ending);
    for (struct slice rest = script_written(s); rest.len; seen++) {
        struct slice line = slice_cut(&rest, '\n'), text = slice_after(line, 4);

        if (seen == 0 || slice_starts(line, SLICE("250-")) || slice_equal(text, SLICE("ENHANCEDSTATUSCODES\r")) ||
            slice_starts(line, SLICE("354")))
            continue;
        CHECK(line.len > 12 && line.len <= 512);
        CHECK_ID("SMTP-300", line.at[4] == line.at[0] && line.at[5] == '.' && byte_is_digit(line.at[6]));
    }
    CHECK(seen > 38);
    CHECK_EQUAL(house.ending.how, ENDED_QUIT);
    conn_close(c);
    script_free(s);
    finish();
}

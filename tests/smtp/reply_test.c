#include "tests/test.h"

#include "base/memory.h"
#include "net/script.h"
#include "smtp/reply.h"

/* --- lines ------------------------------------------------------------------------------ */

TEST(reply_lines_need_a_code_and_nothing_else)      /* SMTP-006, -007 */
{
    static const struct { const char *line; int code; bool more; const char *text; } good[] = {
        { "250 ok", 250, false, "ok" }, { "250", 250, false, "" }, { "250 ", 250, false, "" },
        { "250-", 250, true, "" }, { "250-mx.example.org", 250, true, "mx.example.org" }, { "299 x", 299, false, "x" },
        { "477 x", 477, false, "x" }, { "599-x", 599, true, "x" }, { "354  two", 354, false, " two" },
    };
    static const char *const bad[] = {
        "", "2", "25", "25x", "2500", "250_ok", "250\tok", "199 x", "600 x", "999 x", "100", " 250 ok", "-50 x",
        "ok", "SSH-2.0", "2 50",
    };
    struct slice text;
    bool more;
    int code;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK(reply_line_parse(slice_of(good[i].line), &code, &more, &text));
        CHECK_EQUAL(code, good[i].code);
        CHECK(more == good[i].more);
        CHECK_SLICE(text, good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (reply_line_parse(slice_of(bad[i]), &code, &more, &text))
            fail_msg("accepted: %s", bad[i]);
}

TEST(enhanced_codes_are_recognised_strictly)        /* SMTP-301 */
{
    static const struct { const char *text, *status, *rest; } good[] = {
        { "5.1.1 no", "5.1.1", "no" }, { "2.0.0", "2.0.0", "" }, { "4.999.999 x", "4.999.999", "x" },
        { "5.1.10  x", "5.1.10", " x" }, { "4.7.5 ", "4.7.5", "" },
    };
    static const char *const bad[] = {
        "", "5", "5.", "5.1", "5.1.", "3.1.1 x", "1.1.1", "5.01.1", "5.1.01", "5.1000.1", "5.1.1000", "5.1.1x",
        "5.1.1-x", "5..1", "x5.1.1", "5.1.1.1", "6.1.1", " 5.1.1",
    };
    struct slice status, rest;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK(status_parse(slice_of(good[i].text), &status, &rest));
        CHECK_SLICE(status, good[i].status);
        CHECK_SLICE(rest, good[i].rest);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (status_parse(slice_of(bad[i]), &status, &rest))
            fail_msg("accepted: %s", bad[i]);
}

/* --- whole replies ------------------------------------------------------------------------- */

static struct reply reply;
static struct error why;

static bool read_reply(const char *text)
{
    struct script *s = script_new('S', text);
    struct conn *c = script_conn(s);
    bool got;

    memset(&why, 0, sizeof why);
    got = reply_read(c, &reply, NULL, NULL, &why);
    conn_close(c);
    script_free(s);
    return got;
}

TEST(a_reply_of_one_line_is_read)
{
    CHECK(read_reply("S: 550 5.1.1 no such user\n"));
    CHECK_EQUAL(reply.code, 550);
    CHECK_EQUAL(reply_class(&reply), 5);
    CHECK(reply.status_given);
    CHECK_TEXT(reply.status, "5.1.1");
    CHECK_TEXT(reply.text, "no such user");
    CHECK_EQUAL(reply.lines, 1);
}

TEST(a_reply_without_a_status_gets_one)     /* SMTP-302 */
{
    CHECK(read_reply("S: 550 no\n"));
    CHECK(!reply.status_given);
    CHECK_TEXT(reply.status, "5.0.0");
    CHECK(read_reply("S: 450\n"));
    CHECK_TEXT(reply.status, "4.0.0");
    CHECK_TEXT(reply.text, "");
    CHECK(read_reply("S: 354 go\n"));
    CHECK_TEXT(reply.status, "");
}

TEST(a_status_of_the_wrong_class_is_only_text)
{
    CHECK(read_reply("S: 550 4.1.1 what\n"));
    CHECK(!reply.status_given);
    CHECK_TEXT(reply.status, "5.0.0");
    CHECK_TEXT(reply.text, "4.1.1 what");
}

TEST(lines_of_one_reply_are_joined)
{
    CHECK(read_reply("S: 550-5.7.1 first\n" "S: 550-5.7.1 second\n" "S: 550 third\n"));
    CHECK_TEXT(reply.text, "first\nsecond\nthird");
    CHECK_TEXT(reply.status, "5.7.1");
    CHECK_EQUAL(reply.lines, 3);
    CHECK(read_reply("S: 250-a\n" "S: 250\n"));
    CHECK_TEXT(reply.text, "a\n");
}

TEST(a_reply_may_come_in_pieces)
{
    CHECK(read_reply("S- 2\n" "PAUSE\n" "S- 50-a\\r\n" "PAUSE\n" "S- \\n25\n" "PAUSE\n" "S: 0 b\n"));
    CHECK_TEXT(reply.text, "a\nb");
}

TEST(what_is_no_reply_is_a_protocol_error)
{
    static const char *const texts[] = {
        "S: hello\n", "S: 999 x\n", "S: 199 x\n", "S: \n", "S: 250_x\n", "S- 250 a\\n250 b\\r\\n\n",
        "S: 250-a\n" "S: 251 b\n", "S: 250-a\n" "S: nonsense\n",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK(!read_reply(texts[i]));
        CHECK_EQUAL(why.code, E_PROTOCOL);
    }
}

TEST(a_lost_or_silent_server_is_told_apart)
{
    CHECK(!read_reply("EOF\n"));
    CHECK_EQUAL(why.code, E_CLOSED);
    CHECK(!read_reply("S: 250-a\n" "CUT\n"));
    CHECK_EQUAL(why.code, E_CLOSED);
    CHECK(!read_reply("S- 250\n" "SILENCE\n"));
    CHECK_EQUAL(why.code, E_TIMEOUT);
}

static bool read_filled(size_t lines, size_t width)
{
    size_t size = lines * (width + 6), len = 0;
    auto_free char *text = memory_new(size + 1);
    struct script *s;
    struct conn *c;
    bool got;

    for (size_t i = 0; i < lines; i++) {
        memcpy(text + len, i + 1 == lines ? "250 " : "250-", 4);
        memset(text + len + 4, 'x', width);
        memcpy(text + len + 4 + width, "\r\n", 2);
        len += 6 + width;
    }
    s = script_bytes(slice(text, len), 1000);
    c = script_conn(s);
    memset(&why, 0, sizeof why);
    got = reply_read(c, &reply, NULL, NULL, &why);
    conn_close(c);
    script_free(s);
    return got;
}

TEST(replies_are_bounded_in_lines_and_line_length)      /* SMTP-062 */
{
    CHECK(read_filled(REPLY_LINES_MAX, 10));
    CHECK_EQUAL(reply.lines, REPLY_LINES_MAX);
    CHECK(!read_filled(REPLY_LINES_MAX + 1, 10));
    CHECK_EQUAL(why.code, E_PROTOCOL);
    CHECK(read_filled(1, REPLY_LINE_MAX - 6));
    CHECK(!read_filled(1, REPLY_LINE_MAX - 5));
    CHECK_EQUAL(why.code, E_PROTOCOL);
    CHECK(!read_filled(1, 100000));
    CHECK_EQUAL(why.code, E_PROTOCOL);
}

TEST(long_text_is_cut_and_ended)
{
    CHECK(read_filled(3, 3000));
    CHECK_EQUAL(strlen(reply.text), REPLY_TEXT_MAX - 1);
    CHECK(read_filled(80, 20));
    CHECK_EQUAL(strlen(reply.text), REPLY_TEXT_MAX - 1);
}

TEST(a_nul_in_the_text_does_not_hide_the_rest)
{
    CHECK(read_reply("S: 550 bad\\0ly done\n"));
    CHECK_TEXT(reply.text, "badly done");
}

static void count_line(void *arg, struct slice text)
{
    char (*seen)[64] = arg;

    strncat(*seen, text.len && text.at[0] == 'S' ? "S" : "-", 2);
}

TEST(each_line_is_shown_as_it_comes)
{
    struct script *s = script_new('S', "S: 250-mx\n" "S: 250-SIZE 1\n" "S: 250 STARTTLS\n");
    struct conn *c = script_conn(s);
    char seen[64] = "";

    CHECK(reply_read(c, &reply, count_line, &seen, &why));
    CHECK_TEXT(seen, "-SS");
    conn_close(c);
    script_free(s);
}

/* --- as errors, as text ---------------------------------------------------------------------- */

TEST(a_refusal_becomes_an_error_of_its_class)       /* SMTP-094 */
{
    static const struct { const char *text; enum error_code code; } rows[] = {
        { "S: 421 4.3.2 closing\n", E_CLOSED }, { "S: 451 4.7.1 later\n", E_REFUSED_FOR_NOW },
        { "S: 550 5.7.1 never\n", E_REFUSED }, { "S: 250 ok\n", E_PROTOCOL }, { "S: 354 go\n", E_PROTOCOL },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK(read_reply(rows[i].text));
        CHECK(!reply_refused(&reply, "MAIL", &why));
        CHECK_EQUAL(why.code, rows[i].code);
    }
    CHECK(read_reply("S: 550-5.7.1 go\n" "S: 550 away\x1b[1m\n"));
    CHECK(!reply_refused(&reply, "RCPT", &why));
    CHECK_TEXT(why.text, "RCPT was answered 550 5.7.1 go\\naway\\x1b[1m");
    CHECK(!reply_refused(&reply, "RCPT", NULL));
}

TEST(a_reply_is_shown_in_one_harmless_line)
{
    char text[400];

    CHECK(read_reply("S: 550-5.7.1 go\n" "S: 550 5.7.1 away\x1b[1m\n"));
    CHECK_TEXT(reply_shown(&reply, text), "550 5.7.1 go\\naway\\x1b[1m");
    CHECK(read_reply("S: 550 no\n"));
    CHECK_TEXT(reply_shown(&reply, text), "550 no");
    CHECK(read_reply("S: 250\n"));
    CHECK_TEXT(reply_shown(&reply, text), "250");
    CHECK(read_filled(1, 3000));
    CHECK(strlen(reply_shown(&reply, text)) < 400);
}

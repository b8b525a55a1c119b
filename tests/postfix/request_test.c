#include "tests/test.h"

#include "postfix/request.h"

static struct map_request r;
static size_t used;
static char key[TCP_TABLE_LINE_MAX];

static enum request_state socketmap(const char *text)
{
    return socketmap_read(slice_of(text), &r, &used);
}

static enum request_state table(const char *text)
{
    return tcp_table_read(slice_of(text), key, &r, &used);
}

/* --- socketmap ------------------------------------------------------------------ */

TEST(a_netstring_is_a_map_and_a_key)
{
    CHECK_ID("SOCKMAP-001", socketmap("17:QUERY example.org,") == REQUEST_WHOLE);
    CHECK_SLICE(r.map, "QUERY");
    CHECK_SLICE(r.key, "example.org");
    CHECK(r.understood);
    CHECK_EQUAL(used, 21);
}

TEST(the_key_is_all_behind_the_first_blank)
{
    CHECK_EQUAL(socketmap("5:a b ,"), REQUEST_PART);    /* the comma is the fifth byte, and the end is to come */
    CHECK_EQUAL(socketmap("4:a b ,"), REQUEST_WHOLE);
    CHECK_SLICE(r.key, "b ");
    CHECK_EQUAL(socketmap("2:a ,"), REQUEST_WHOLE);
    CHECK_SLICE(r.key, "");
    CHECK_EQUAL(socketmap("2: b,"), REQUEST_WHOLE);
    CHECK_SLICE(r.map, "");
}

TEST(of_several_requests_the_first_is_read)
{
    CHECK_EQUAL(socketmap("3:a b,3:c d,"), REQUEST_WHOLE);
    CHECK_EQUAL(used, 6);
    CHECK_SLICE(r.key, "b");
}

TEST(every_beginning_of_a_request_is_a_part_of_it)
{
    const char *whole = "17:QUERY example.org,";

    for (size_t n = 0; n < strlen(whole); n++)
        CHECK_EQUAL(socketmap_read(slice(whole, n), &r, &used), REQUEST_PART);
}

TEST(what_is_no_netstring_is_bad)
{
    static const char *const bad[] = { "x", ":", " 3:a b,", "03:a b,", "00", "-3:a b,", "3 :a b,", "3:a bX", "4:a b,x",
                                       "10001", "10001:", "99999:", "123456", "1:a,", "0:,", "3:abc,", "+3:a b," };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (socketmap(bad[i]) != REQUEST_BAD)
            fail_msg("%s is taken", bad[i]);
}

TEST(a_request_has_ten_thousand_bytes_at_most)
{
    static char text[SOCKETMAP_REQUEST_MAX + 16];
    int head = snprintf(text, sizeof text, "%d:", SOCKETMAP_REQUEST_MAX);

    memset(text + head, ' ', SOCKETMAP_REQUEST_MAX);
    text[head + SOCKETMAP_REQUEST_MAX] = ',';
    CHECK_ID("SOCKMAP-003", socketmap_read(slice(text, (size_t)head + SOCKETMAP_REQUEST_MAX + 1), &r, &used) == REQUEST_WHOLE);
    CHECK_EQUAL(r.key.len, SOCKETMAP_REQUEST_MAX - 1);
    CHECK_ID("SOCKMAP-003", socketmap("10001:x") == REQUEST_BAD);
}

TEST(a_key_may_hold_any_byte)
{
    CHECK_EQUAL(socketmap_read(slice("5:m \0,\n,", 8), &r, &used), REQUEST_WHOLE);
    CHECK_EQUAL(r.key.len, 3);
}

static const char *said(void (*put)(struct buf *, enum map_status, struct slice), enum map_status status, const char *text)
{
    static struct buf out;

    buf_done(&out);
    buf_init(&out, 200000);
    put(&out, status, slice_of(text));
    buf_byte(&out, '\0');
    return buf_slice(&out).at;
}

TEST(replies_of_socketmap)
{
    CHECK_TEXT(said(socketmap_put, MAP_FOUND, "dane-only"), "12:OK dane-only,");
    CHECK_ID("SOCKMAP-002", strcmp(said(socketmap_put, MAP_NOT_FOUND, ""), "9:NOTFOUND ,") == 0);
    CHECK_TEXT(said(socketmap_put, MAP_NOT_FOUND, "words"), "9:NOTFOUND ,");
    CHECK_TEXT(said(socketmap_put, MAP_TRY_LATER, "no answer"), "14:TEMP no answer,");
    CHECK_TEXT(said(socketmap_put, MAP_WRONG, "no such map"), "16:PERM no such map,");
}

TEST(a_reply_that_is_too_long_is_to_be_asked_again)
{
    auto_buf struct buf long_text = { 0 };

    buf_init(&long_text, SOCKETMAP_REPLY_MAX + 10);
    for (size_t i = 0; i < SOCKETMAP_REPLY_MAX - 3; i++)
        buf_byte(&long_text, 'x');
    buf_byte(&long_text, '\0');
    CHECK_ID("SOCKMAP-003", strncmp(said(socketmap_put, MAP_FOUND, buf_slice(&long_text).at), "100000:OK xx", 12) == 0);
    buf_clear(&long_text);
    for (size_t i = 0; i < SOCKETMAP_REPLY_MAX - 2; i++)
        buf_byte(&long_text, 'x');
    buf_byte(&long_text, '\0');
    CHECK_ID("SOCKMAP-003", strstr(said(socketmap_put, MAP_FOUND, buf_slice(&long_text).at), ":TEMP ") != NULL);
}

/* --- tcp_table -------------------------------------------------------------------- */

TEST(a_line_asks_for_a_key)
{
    CHECK_ID("TCPTBL-001", table("get example.org\nget more") == REQUEST_WHOLE);
    CHECK(r.understood);
    CHECK_SLICE(r.key, "example.org");
    CHECK_EQUAL(used, 16);
    CHECK_EQUAL(table("get exam"), REQUEST_PART);
    CHECK_EQUAL(table(""), REQUEST_PART);
}

TEST(a_key_is_decoded_before_it_is_looked_up)
{
    CHECK_ID("TCPTBL-002", table("get a%20b%25%0ac%C3%a4\n") == REQUEST_WHOLE);
    CHECK_SLICE(r.key, "a b%\nc\xc3\xa4");
}

TEST(what_is_no_question_is_said_to_be_none)
{
    static const char *const odd[] = { "put a b\n", "\n", "get\n", "GET a\n", "get a b\n", "get %\n", "get %4\n", "get %zz\n",
                                       "get a\r\n" };

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        CHECK_ID("TCPTBL-001", table(odd[i]) == REQUEST_WHOLE);
        if (r.understood)
            fail_msg("%s is understood", odd[i]);
        CHECK_EQUAL(used, strlen(odd[i]));
    }
}

TEST(a_line_has_4096_bytes_at_most)
{
    static char line[TCP_TABLE_LINE_MAX + 2];

    memset(line, 'a', sizeof line);
    memcpy(line, "get ", 4);
    CHECK_ID("TCPTBL-001", tcp_table_read(slice(line, TCP_TABLE_LINE_MAX), key, &r, &used) == REQUEST_BAD);
    CHECK_EQUAL(tcp_table_read(slice(line, TCP_TABLE_LINE_MAX - 1), key, &r, &used), REQUEST_PART);
    line[TCP_TABLE_LINE_MAX - 1] = '\n';
    CHECK_EQUAL(tcp_table_read(slice(line, TCP_TABLE_LINE_MAX), key, &r, &used), REQUEST_WHOLE);
    CHECK_EQUAL(r.key.len, TCP_TABLE_LINE_MAX - 5);
}

TEST(replies_of_tcp_table)
{
    CHECK_TEXT(said(tcp_table_put, MAP_FOUND, "secure match=a.b {x}%"), "200 secure%20match=a.b%20{x}%25\n");
    CHECK_TEXT(said(tcp_table_put, MAP_NOT_FOUND, ""), "500 not found\n");
    CHECK_TEXT(said(tcp_table_put, MAP_TRY_LATER, "no answer"), "400 no%20answer\n");
    CHECK_TEXT(said(tcp_table_put, MAP_WRONG, "what?"), "400 what?\n");
}

TEST(a_reply_that_does_not_fit_a_line_is_to_be_asked_again)
{
    static char text[TCP_TABLE_LINE_MAX + 1];

    memset(text, 'x', TCP_TABLE_LINE_MAX - 5);
    CHECK_EQUAL(strlen(said(tcp_table_put, MAP_FOUND, text)), TCP_TABLE_LINE_MAX);
    text[TCP_TABLE_LINE_MAX - 5] = 'x';
    CHECK_ID("TCPTBL-001", strncmp(said(tcp_table_put, MAP_FOUND, text), "400 ", 4) == 0);
}

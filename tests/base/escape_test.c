/* base/escape.h */
#include "tests/test.h"

#include "base/escape.h"

#include <jansson.h>

static const char *line(struct slice s)
{
    static char text[64];

    return escape_line(s, text, sizeof text);
}

static const char *json(struct slice s)
{
    static char text[200];
    auto_buf struct buf out = { 0 };

    buf_init(&out, sizeof text - 1);
    escape_json(&out, s);
    CHECK(!out.failed);
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(buf_slice(&out)));
    return text;
}

TEST(printable_ascii_is_kept)
{
    CHECK_TEXT(line(SLICE("250 mx.example.org \"ok\" ~")), "250 mx.example.org \"ok\" ~");
    CHECK_TEXT(line(slice(NULL, 0)), "");
}

TEST(everything_else_is_spelt_out)
{
    CHECK_TEXT(line(SLICE("a\r\n\tb\\")), "a\\r\\n\\tb\\\\");
    CHECK_TEXT(line(SLICE("\0\x1b[31m\x7f\x80\xff")), "\\x00\\x1b[31m\\x7f\\x80\\xff");
}

TEST(a_line_is_cut_between_escapes)
{
    char text[8];

    CHECK_TEXT(escape_line(SLICE("abcdefghij"), text, sizeof text), "abcdefg");
    CHECK_TEXT(escape_line(SLICE("abcdef\n"), text, sizeof text), "abcdef");
    CHECK_TEXT(escape_line(SLICE("abcde\nx"), text, sizeof text), "abcde\\n");
    CHECK_TEXT(escape_line(SLICE("abcd\x01"), text, sizeof text), "abcd");
    CHECK_TEXT(escape_line(SLICE("abc\x01"), text, sizeof text), "abc\\x01");
    CHECK_TEXT(escape_line(SLICE("abcd\x01z"), text, sizeof text), "abcd");     /* nothing after a gap */
    CHECK_TEXT(escape_line(SLICE("abc"), text, 1), "");
}

TEST(json_strings_keep_text_and_escape_what_json_must)
{
    CHECK_TEXT(json(SLICE("")), "\"\"");
    CHECK_TEXT(json(SLICE("a \"b\" \\ /")), "\"a \\\"b\\\" \\\\ /\"");
    CHECK_TEXT(json(SLICE("\r\n\t\0\x1f")), "\"\\u000d\\u000a\\u0009\\u0000\\u001f\"");
    CHECK_TEXT(json(SLICE("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xa8")), "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xa8\"");
}

TEST(characters_that_act_on_a_terminal_are_escaped_in_json)
{
    CHECK_TEXT(json(SLICE("\x7f")), "\"\\u007f\"");
    CHECK_TEXT(json(SLICE("\xc2\x9b" "2J")), "\"\\u009b2J\"");         /* CSI in one character */
    CHECK_TEXT(json(SLICE("\xc2\xa0")), "\"\xc2\xa0\"");
    CHECK_TEXT(json(SLICE("\xe2\x80\xa8\xe2\x80\xae")), "\"\\u2028\\u202e\"");
    CHECK_TEXT(json(SLICE("\xe2\x81\xa6\xe2\x80\x8e\xd8\x9c")), "\"\\u2066\\u200e\\u061c\"");
}

#define LOST "\xef\xbf\xbd"

TEST(bytes_that_are_not_utf8_are_replaced_one_by_one)
{
    CHECK_TEXT(json(SLICE("a\x80z")), "\"a" LOST "z\"");
    CHECK_TEXT(json(SLICE("\xc3")), "\"" LOST "\"");                    /* cut short */
    CHECK_TEXT(json(SLICE("\xc3(")), "\"" LOST "(\"");
    CHECK_TEXT(json(SLICE("\xc0\xaf")), "\"" LOST LOST "\"");           /* overlong "/" */
    CHECK_TEXT(json(SLICE("\xe0\x80\xaf")), "\"" LOST LOST LOST "\"");
    CHECK_TEXT(json(SLICE("\xf0\x80\x80\xaf")), "\"" LOST LOST LOST LOST "\"");
    CHECK_TEXT(json(SLICE("\xed\xa0\x80")), "\"" LOST LOST LOST "\"");  /* a surrogate */
    CHECK_TEXT(json(SLICE("\xf4\x90\x80\x80")), "\"" LOST LOST LOST LOST "\"");     /* above U+10FFFF */
    CHECK_TEXT(json(SLICE("\xf5\x80\xff")), "\"" LOST LOST LOST "\"");
    CHECK_TEXT(json(SLICE("\xf4\x8f\xbf\xbf")), "\"\xf4\x8f\xbf\xbf\"");            /* U+10FFFF itself */
}

TEST(every_pair_of_bytes_is_valid_json_of_one_line)
{
    for (unsigned pair = 0; pair < 65536; pair++) {
        const char bytes[] = { (char)(pair >> 8), (char)pair };
        const char *text = json(slice(bytes, 2));
        json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

        CHECK(json_is_string(value));
        if (pair < 0x8000 && !(pair & 0x80))
            CHECK(json_string_length(value) == 2 && memcmp(json_string_value(value), bytes, 2) == 0);
        CHECK(strpbrk(text, "\r\n\x1b") == NULL);
        json_decref(value);
    }
}

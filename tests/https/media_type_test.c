#include "https/media_type.h"

#include "tests/test.h"

static void check(const char *value, const char *name, const char *charset)
{
    auto_arena struct arena arena = { 0 };
    struct media_type type;

    arena_init(&arena, 4096);
    type = media_type_parse(slice_of(value), &arena);
    if (strcmp(type.name, name) != 0 || strcmp(type.charset, charset) != 0)
        fail_msg("\"%s\" is \"%s\" with \"%s\"", value, type.name, type.charset);
}

/* MTASTS-024 */
TEST(a_media_type_is_read_without_regard_to_case)
{
    check("text/plain", "text/plain", "");
    check("Text/Plain; charset=UTF-8", "text/plain", "utf-8");
    check("TEXT/PLAIN;CHARSET=us-ascii", "text/plain", "us-ascii");
    check(" \ttext/plain \t;\tcharset=utf-8 ", "text/plain", "utf-8");
}

TEST(a_charset_may_stand_in_quotes)
{
    check("text/plain; charset=\"UTF-8\"", "text/plain", "utf-8");
    check("text/plain; charset=\"utf-8", "text/plain", "utf-8");
    check("text/plain; charset=\"\"", "text/plain", "");
    check("text/plain; charset=\"a\\\"b\"", "text/plain", "a\\\"b");
    check("text/plain; charset=\"a\\", "text/plain", "a\\");
}

/* MTASTS-024: "parameters other than charset ... ignored" */
TEST(other_parameters_are_passed_over)
{
    check("text/plain; format=flowed; charset=utf-8; x=y", "text/plain", "utf-8");
    check("text/plain; x=\"; charset=latin1\"; charset=utf-8", "text/plain", "utf-8");
    check("text/plain; xcharset=a; charsetx=b", "text/plain", "");
    check("text/plain; charset=utf-8; charset=latin1", "text/plain", "utf-8");
    check("text/plain; charset; =; ;; charset = x; charset=utf-8 trailing; a=b", "text/plain", "utf-8");
    check("text/plain;", "text/plain", "");
}

TEST(what_is_no_media_type_has_no_name)
{
    check("", "", "");
    check(";", "", "");
    check("text", "", "");
    check("text/", "", "");
    check("/plain", "", "");
    check("text /plain", "", "");
    check("text/pl\xc3\xa4in", "", "");
    check("text/plain charset=utf-8", "", "");
    check("text/plain, text/html", "", "");
    check("; charset=utf-8", "", "");
}

TEST(without_memory_there_is_neither)
{
    auto_arena struct arena arena = { 0 };
    struct media_type type;

    arena_init(&arena, 0);
    type = media_type_parse(SLICE("text/plain; charset=utf-8"), &arena);
    CHECK(type.name[0] == '\0' && type.charset[0] == '\0' && arena.failed);
}

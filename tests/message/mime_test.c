#include "tests/test.h"

#include "base/buf.h"
#include "message/mime.h"

#include <stdio.h>

static struct error why;

/* Every leaf as "type[body]", in order. */
static bool note_leaf(void *arg, const struct mime_part *part)
{
    buf_text(arg, "%s[%.*s]", part->type, SLICE_ARGS(part->body));
    return true;
}

static void check_leaves(struct slice message, const char *wanted)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, 100000);
    CHECK_OK(mime_walk(message, note_leaf, &out, &why), &why);
    CHECK_SLICE(buf_slice(&out), wanted);
}

#define CHECK_LEAVES(literal, wanted) check_leaves(SLICE(literal), wanted)

/* --- header fields -------------------------------------------------------------- */

TEST(a_field_is_found_in_any_case_with_its_folds)
{
    const struct slice header = SLICE("A: 1\r\nSubject: one\r\n two\r\nsubject: three\r\nX :  y \r\n");
    auto_arena struct arena arena = { 0 };
    struct slice value;

    arena_init(&arena, 1000);
    CHECK(mime_field(header, SLICE("SUBJECT"), &value));
    CHECK_SLICE(value, "one\r\n two");
    CHECK_SLICE(mime_unfold(value, &arena), "one two");
    CHECK_EQUAL(mime_field_count(header, SLICE("Subject")), 2);
    CHECK(mime_field(header, SLICE("x"), &value));
    CHECK_SLICE(value, "y");
    CHECK(!mime_field(header, SLICE("Sub"), &value));
}

TEST(lines_without_a_colon_are_no_fields)
{
    struct slice value;

    CHECK(mime_field(SLICE("From someone\n>From: x\nTo: y"), SLICE("To"), &value));
    CHECK_SLICE(value, "y");
    CHECK(!mime_field(SLICE("nothing here\n"), SLICE("nothing here"), &value));
    CHECK(mime_field(SLICE("Empty:\n"), SLICE("Empty"), &value));
    CHECK_SLICE(value, "");
}

TEST(the_header_ends_at_the_first_empty_line_of_either_kind)
{
    struct slice header, body;

    mime_split(SLICE("A: b\n\r\nrest"), &header, &body);
    CHECK_SLICE(header, "A: b\n");
    CHECK_SLICE(body, "rest");
    mime_split(SLICE("\nrest\n\nmore"), &header, &body);
    CHECK_SLICE(header, "");
    CHECK_SLICE(body, "rest\n\nmore");
    mime_split(SLICE("A: b\r\nC: d"), &header, &body);
    CHECK_SLICE(header, "A: b\r\nC: d");
    CHECK_SLICE(body, "");
}

/* --- Content-Type ------------------------------------------------------------------- */

static const char *type_of(const char *header)
{
    static char type[MIME_TYPE_MAX];

    mime_type(slice_of(header), type);
    return type;
}

TEST(types_are_lower_case_and_nonsense_is_text)
{
    CHECK_TEXT(type_of("Content-Type: Application/TLSRPT+gzip; name=x\n"), "application/tlsrpt+gzip");
    CHECK_TEXT(type_of("content-type:\r\n text/html"), "text/html");
    CHECK_TEXT(type_of("Subject: x\n"), "text/plain");
    CHECK_TEXT(type_of("Content-Type: text\n"), "text/plain");
    CHECK_TEXT(type_of("Content-Type: a/b/c\n"), "text/plain");
    CHECK_TEXT(type_of("Content-Type:\n"), "text/plain");
    CHECK_TEXT(type_of("Content-Type: a/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"),
               "text/plain");
}

static const char *parameter(const char *value, const char *name)
{
    static char text[20];

    return mime_parameter(slice_of(value), slice_of(name), text, sizeof text) ? text : "(none)";
}

TEST(parameters_are_read_with_quotes_comments_and_folds)
{
    CHECK_TEXT(parameter("a/b; boundary=xyz", "boundary"), "xyz");
    CHECK_TEXT(parameter("a/b; charset=utf-8;\r\n\tBoundary=\"x \\\"y;z\"; q=1", "boundary"), "x \"y;z");
    CHECK_TEXT(parameter("a/b ; (com(me)nt;) boundary = xyz (why)", "boundary"), "xyz");
    CHECK_TEXT(parameter("a/b; name=\"boundary=no\"; boundary=yes", "boundary"), "yes");
    CHECK_TEXT(parameter("a/b;;;boundary=x", "boundary"), "x");
    CHECK_TEXT(parameter("a/b; flag; boundary=x", "boundary"), "x");
}

TEST(parameters_that_are_not_there_empty_or_too_long)
{
    CHECK_TEXT(parameter("a/b", "boundary"), "(none)");
    CHECK_TEXT(parameter("a/b; boundary", "boundary"), "(none)");
    CHECK_TEXT(parameter("a/b; boundary=", "boundary"), "(none)");
    CHECK_TEXT(parameter("a/b; boundary=\"\"", "boundary"), "(none)");
    CHECK_TEXT(parameter("a/b; boundary=12345678901234567890", "boundary"), "(none)");
    CHECK_TEXT(parameter("a/b; boundary=1234567890123456789", "boundary"), "1234567890123456789");
    CHECK_TEXT(parameter("a/b; boundary=\"never closed", "boundary"), "never closed");
}

/* --- parts ------------------------------------------------------------------------------ */

TEST(a_message_without_parts_is_one)
{
    CHECK_LEAVES("Subject: x\r\n\r\nhello\r\n", "text/plain[hello\r\n]");
    CHECK_LEAVES("", "text/plain[]");
}

TEST(parts_come_in_order_without_preamble_and_epilogue)
{
    CHECK_LEAVES("Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n--b\r\n"
                 "Content-Type: text/html\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n--b\r\n\r\nnot this\r\n",
                 "text/plain[one]text/html[two\r\n]");
}

TEST(bare_newlines_do_as_well)
{
    CHECK_LEAVES("Content-Type: multipart/report;\n boundary=\"a b\"\n\n--a b  \nContent-Type: x/y\n\n1\n--a b--", "x/y[1]");
}

TEST(a_line_that_only_begins_like_a_boundary_is_text)
{
    CHECK_LEAVES("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--bb\n --b\n--b x\n--b\n\n2\n--b--\n",
                 "text/plain[--bb\n --b\n--b x]text/plain[2]");
}

TEST(nested_parts_are_walked_depth_first)
{
    CHECK_LEAVES("Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/alternative; boundary=i\n\n"
                 "--i\n\n1\n--i\n\n2\n--i--\n--o\n\n3\n--o--\n", "text/plain[1]text/plain[2]text/plain[3]");
}

TEST(what_was_never_closed_is_read_to_its_end)
{
    CHECK_LEAVES("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b\n\n2\n", "text/plain[1]text/plain[2\n]");
    CHECK_LEAVES("Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n"
                 "--i\n\n1\n--o\n\n2\n--o--\n", "text/plain[1]text/plain[2]");
    CHECK_LEAVES("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b\n\n", "text/plain[1]text/plain[]");
    CHECK_LEAVES("Content-Type: multipart/mixed; boundary=b\n\n--b", "text/plain[]");
}

TEST(a_multipart_without_its_boundary_is_a_leaf)
{
    CHECK_LEAVES("Content-Type: multipart/mixed\n\n--b\n\n1\n--b--\n", "multipart/mixed[--b\n\n1\n--b--\n]");
    CHECK_LEAVES("Content-Type: multipart/mixed; boundary=c\n\n--b\n\n1\n", "multipart/mixed[--b\n\n1\n]");
}

static bool stop_at_second(void *arg, const struct mime_part *part)
{
    return ++*(int *)arg < 2;
}

TEST(the_walk_stops_when_told)
{
    int seen = 0;

    CHECK(mime_walk(SLICE("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n\n--b\n\n--b\n\n"), stop_at_second, &seen,
                    &why));
    CHECK_EQUAL(seen, 2);
}

static bool count_leaf(void *arg, const struct mime_part *part)
{
    ++*(size_t *)arg;
    return true;
}

/* TLSRPT-093. */
TEST(a_hundred_thousand_parts_are_not_all_looked_at)
{
    auto_buf struct buf message = { 0 };
    size_t seen = 0;

    buf_init(&message, 10 * 1000 * 1000);
    buf_text(&message, "Content-Type: multipart/mixed; boundary=b\n\n");
    for (int i = 0; i < 100000; i++)
        buf_text(&message, "--b\n\nx\n");
    CHECK(!mime_walk(buf_slice(&message), count_leaf, &seen, &why));
    CHECK_EQUAL(why.code, E_LIMIT);
    CHECK_EQUAL(seen, MIME_PARTS_MAX);
}

static size_t leaves_at_depth(int depth, bool *walked)
{
    auto_buf struct buf message = { 0 };
    size_t seen = 0;

    buf_init(&message, 1000 * 1000);
    for (int i = 0; i < depth; i++)
        buf_text(&message, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
    buf_text(&message, "\nleaf\n");
    *walked = mime_walk(buf_slice(&message), count_leaf, &seen, &why);
    return seen;
}

TEST(dashes_that_begin_no_delimiter_are_text)
{
    CHECK_LEAVES("Content-Type: multipart/mixed; boundary=b\n\n--b\n\na--b\n--\n--bb\n -\n---b\n--B\n-\n--b\n\nx\n--b--\n--b\n\ny\n",
                 "text/plain[a--b\n--\n--bb\n -\n---b\n--B\n-]text/plain[x]");
    CHECK_LEAVES("Content-Type: multipart/mixed; boundary=b\n\n\n--b", "text/plain[]");
}

TEST(fields_are_looked_for_in_so_much_of_a_header)
{
    auto_buf struct buf message = { 0 };
    struct slice header, body, value;

    buf_init(&message, 2 * MIME_HEADER_MAX);
    while (buf_len(&message) < MIME_HEADER_MAX - 4)
        buf_add(&message, SLICE("a:\n"));
    while (buf_len(&message) < MIME_HEADER_MAX)
        buf_add(&message, SLICE("\t"));
    buf_add(&message, SLICE("\nLate: x\n\nbody"));
    mime_split(buf_slice(&message), &header, &body);
    CHECK_EQUAL(header.len, MIME_HEADER_MAX);
    CHECK(!mime_field(header, SLICE("Late"), &value));
    CHECK_SLICE(body, "body");
    mime_split(slice_first(buf_slice(&message), buf_len(&message) - 5), &header, &body);
    CHECK_EQUAL(header.len, MIME_HEADER_MAX);
    CHECK_SLICE(body, "");
}

TEST(a_hundred_nested_parts_are_not_followed_down)
{
    bool walked;

    CHECK_EQUAL(leaves_at_depth(MIME_DEPTH_MAX, &walked), 1);
    CHECK(walked);
    CHECK_EQUAL(leaves_at_depth(MIME_DEPTH_MAX + 1, &walked), 0);
    CHECK(!walked);
    CHECK_EQUAL(leaves_at_depth(100, &walked), 0);
    CHECK_EQUAL(why.code, E_LIMIT);
}

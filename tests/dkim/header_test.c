#include "tests/test.h"

#include "base/buf.h"
#include "dkim/header.h"

/* Fields joined by "|", then the body, or the defect. */
static const char *read_all(struct slice message)
{
    static char text[1000];
    struct dkim_header h;
    size_t used = 0;

    dkim_header_read(message, &h);
    if (h.defect.code != E_NONE) {
        snprintf(text, sizeof text, "%s: %s", error_name(h.defect.code), h.defect.text);
        dkim_header_done(&h);
        return text;
    }
    for (size_t i = 0; i < h.count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s|", SLICE_ARGS(h.fields[i]));
    snprintf(text + used, sizeof text - used, "<%.*s>", SLICE_ARGS(h.body));
    dkim_header_done(&h);
    return text;
}

#define READ(literal) read_all(SLICE(literal))

TEST(fields_are_told_with_their_folds)
{
    CHECK_TEXT(READ("From: a\r\nSubject: b\r\n c\r\n\td\r\nX:\r\n\r\nbody\r\n"), "From: a|Subject: b\r\n c\r\n\td|X:|<body\r\n>");
}

TEST(lines_may_end_in_a_bare_lf)
{
    CHECK_TEXT(READ("From: a\nSubject: b\n c\n\nbody\n"), "From: a|Subject: b\n c|<body\n>");
    CHECK_TEXT(READ("From: a\r\nSubject: b\n\r\nbody\n"), "From: a|Subject: b|<body\n>");
}

TEST(a_message_may_have_no_body)
{
    CHECK_TEXT(READ("From: a\r\n\r\n"), "From: a|<>");
    CHECK_TEXT(READ("From: a\r\n"), "From: a|<>");
    CHECK_TEXT(READ("From: a"), "From: a|<>");
}

TEST(a_fold_of_blanks_does_not_end_the_header)
{
    CHECK_TEXT(READ("From: a\r\n \r\nTo: b\r\n\r\nbody"), "From: a\r\n |To: b|<body>");
}

/* RFC 5322 3.6 */
TEST(there_is_one_from_field)
{
    CHECK_TEXT(READ(""), "E_MALFORMED: the header has no From field");
    CHECK_TEXT(READ("\r\nFrom: a\r\n"), "E_MALFORMED: the header has no From field");
    CHECK_TEXT(READ("From: a\r\nfrom : b\r\n\r\n"), "E_MALFORMED: the header has more than one From field");
    CHECK_TEXT(READ("From: a\r\nFroma: b\r\n\r\n"), "From: a|Froma: b|<>");
}

TEST(lines_that_are_no_fields_are_a_defect)
{
    CHECK_TEXT(READ("From: a\r\nno field\r\n\r\n"), "E_MALFORMED: the header has a line that is no field: \"no field\"");
    CHECK_TEXT(READ(" From: a\r\n\r\n"), "E_MALFORMED: the header has a line that is no field: \" From: a\"");
    CHECK_TEXT(READ("From: a\r\n: b\r\n\r\n"), "E_MALFORMED: the header has a line that is no field: \": b\"");
    CHECK_TEXT(READ("From: a\r\na b: c\r\n\r\n"), "E_MALFORMED: the header has a line that is no field: \"a b: c\"");
    CHECK_TEXT(READ("From: a\r\n\xc3\xbc: c\r\n\r\n"), "E_MALFORMED: the header has a line that is no field: \"\\xc3\\xbc: c\"");
    CHECK_TEXT(READ("From: a\r\n\rb: c\r\n\r\n"), "E_MALFORMED: the header has a line that is no field: \"\\rb: c\"");
}

TEST(fields_before_a_defect_are_told)
{
    struct dkim_header h;

    dkim_header_read(SLICE("From: a\r\nTo: b\r\nno field\r\nCc: c\r\n\r\n"), &h);
    CHECK_EQUAL(h.defect.code, E_MALFORMED);
    CHECK_EQUAL(h.count, 2);
    dkim_header_done(&h);
    dkim_header_done(&h);
}

static void fill(struct buf *b, size_t size)
{
    buf_init(b, size);
    buf_add(b, SLICE("From: a\r\nX: "));
    while (buf_len(b) < size - 4)
        buf_byte(b, 'x');
    buf_add(b, SLICE("\r\n\r\n"));
}

TEST(a_header_has_a_bound)
{
    auto_buf struct buf b = { 0 }, more = { 0 };
    struct dkim_header h;

    fill(&b, DKIM_HEADER_MAX);
    dkim_header_read(buf_slice(&b), &h);
    CHECK_EQUAL(h.defect.code, E_NONE);
    CHECK_EQUAL(h.count, 2);
    dkim_header_done(&h);
    fill(&more, DKIM_HEADER_MAX + 1);
    dkim_header_read(buf_slice(&more), &h);
    CHECK_EQUAL(h.defect.code, E_LIMIT);
    CHECK(strstr(h.defect.text, "256 KiB"));
    dkim_header_done(&h);
}

TEST(fields_have_a_bound)
{
    auto_buf struct buf b = { 0 };
    struct dkim_header h;

    buf_init(&b, 100000);
    buf_add(&b, SLICE("From: a\n"));
    for (int i = 1; i < DKIM_FIELDS_MAX; i++)
        buf_add(&b, SLICE("a:\n"));
    dkim_header_read(buf_slice(&b), &h);
    CHECK_EQUAL(h.defect.code, E_NONE);
    CHECK_EQUAL(h.count, DKIM_FIELDS_MAX);
    dkim_header_done(&h);
    buf_add(&b, SLICE("a:\n"));
    dkim_header_read(buf_slice(&b), &h);
    CHECK_EQUAL(h.defect.code, E_LIMIT);
    CHECK_EQUAL(h.count, DKIM_FIELDS_MAX);
    dkim_header_done(&h);
}

TEST(names_and_values_are_parted_at_the_first_colon)
{
    CHECK_SLICE(dkim_field_name(SLICE("To : a: b")), "To");
    CHECK_SLICE(dkim_field_value(SLICE("To : a: b")), " a: b");
    CHECK_SLICE(dkim_field_value(SLICE("To:")), "");
    CHECK(dkim_field_is(SLICE("tO: x"), SLICE("To")));
    CHECK(!dkim_field_is(SLICE("Too: x"), SLICE("To")));
}

TEST(the_end_of_a_header_is_found_in_pieces)
{
    static const struct {
        const char *text;
        size_t end;         /* 0: there is none */
    } CASES[] = {
        { "From: a\r\n\r\nbody", 11 }, { "From: a\n\nbody", 9 }, { "\r\nbody", 2 }, { "\nbody", 1 }, { "a\r\n\nb", 4 }, { "a\n\r\nb", 4 },
        { "a\r\n\r", 0 }, { "a\r\n \r\n", 0 }, { "", 0 }, { "a\r\r\n", 0 }, { "a", 0 },
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct slice text = slice_of(CASES[i].text);
        size_t at = 0;

        for (size_t len = 0; len <= text.len; len++) {
            bool ended = dkim_header_ends(slice_first(text, len), &at);

            if (ended != (CASES[i].end > 0 && len >= CASES[i].end))
                fail_msg("%s at %zu", CASES[i].text, len);
            if (ended)
                break;
        }
        CHECK(CASES[i].end == 0 || at == CASES[i].end);
    }
}

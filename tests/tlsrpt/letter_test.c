#include "tests/test.h"

#include "tests/tlsrpt/fixture.h"
#include "tlsrpt/gzip.h"
#include "tlsrpt/read.h"

static struct error why;
static struct arena arena;
static struct report_letter letter;

static bool read_message(struct slice message)
{
    arena_done(&arena);
    arena_init(&arena, REPORT_ARENA_MAX);
    why = (struct error){ 0 };
    return report_letter_read(message, &arena, &letter, &why);
}

static void read_fixture(const char *name)
{
    auto_buf struct buf file = { 0 };

    CHECK_OK(read_message(fixture(name, &file)), &why);
}

/* With CRLF for LF. */
static struct slice as_sent(struct slice text, struct buf *out)
{
    buf_init(out, 2 * text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\n')
            buf_byte(out, '\r');
        buf_byte(out, text.at[i]);
    }
    return buf_slice(out);
}

static bool is_noted(const char *text)
{
    for (size_t i = 0; i < letter.notes.count; i++)
        if (strcmp(letter.notes.at[i], text) == 0)
            return true;
    return false;
}

/* --- as large senders write it: TLSRPT-094 ---------------------------------------- */

TEST(text_first_then_the_report_in_gzip)
{
    read_fixture("text_first.eml");
    CHECK_TEXT(letter.report.id, "2026-11-20T00:00:00Z_example.org");
    CHECK_TEXT(letter.from, "example.com");
    CHECK_TEXT(letter.submitter, "example.com");
    CHECK_TEXT(letter.domain, "example.org");
    CHECK_EQUAL(letter.notes.count, 0);
}

TEST(html_first_and_times_without_a_zone)
{
    read_fixture("html_first.eml");
    CHECK_EQUAL(letter.report.entry_count, 2);
    CHECK_EQUAL(letter.report.entries[0].failures, 12);
    CHECK_TEXT(letter.report.entries[0].details[0].result_type, "certificate-expired");
    CHECK_EQUAL(letter.report.entries[1].policy.type, POLICY_TLSA);
    CHECK_EQUAL(letter.report.begin, DAYS(20777));
    CHECK_EQUAL(letter.notes.count, 1);
    CHECK(is_noted("date-range has a time without a time zone, taken as UTC"));
    CHECK_TEXT(letter.from, "example.com");
}

/* And a file name that would like to be a path. */
TEST(parts_that_are_never_closed)
{
    read_fixture("never_closed.eml");
    CHECK_TEXT(letter.report.organization, "Example Net");
    CHECK_EQUAL(letter.report.entries[0].failures, 1);
    CHECK_EQUAL(letter.report.entries[0].detail_count, 2);
    CHECK_TEXT(letter.from, "corp.example.net");
    CHECK_TEXT(letter.submitter, "example.net");
}

/* TLSRPT-091: subject and file name speak of another domain. */
TEST(a_single_part_of_octets_whose_names_lie)
{
    read_fixture("octet_stream.eml");
    CHECK_TEXT(letter.report.entries[0].policy.domain, "example.org");
    CHECK(is_noted("policy-domain is missing, taken from the message's TLS-Report-Domain"));
    CHECK_TEXT(letter.submitter, "example gmbh");
    CHECK_TEXT(letter.report.id, "2026-11-20T00:00:00Z_idx1_example.org");
    CHECK_EQUAL(letter.report.begin, DAYS(20777));
}

TEST(plain_json_in_quoted_printable_among_nested_parts)
{
    read_fixture("nested_plain.eml");
    CHECK_TEXT(letter.report.id, "2026-11-20T00:00:00Z_example.org");
    CHECK_TEXT(letter.submitter, "");
    CHECK_TEXT(letter.from, "example.com");
}

TEST(line_ends_make_no_difference)
{
    static const char *const names[] = { "text_first.eml", "html_first.eml", "never_closed.eml", "octet_stream.eml",
                                         "nested_plain.eml" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        auto_buf struct buf file = { 0 }, sent = { 0 };

        CHECK_OK(read_message(as_sent(fixture(names[i], &file), &sent)), &why);
        CHECK(letter.report.entry_count > 0);
    }
}

/* --- single parts ---------------------------------------------------------------------- */

#define JSON "{\"organization-name\":\"o\",\"contact-info\":\"c@example.net\",\"report-id\":\"i\"," \
             "\"date-range\":{\"start-datetime\":\"2026-11-20T00:00:00Z\",\"end-datetime\":\"2026-11-20T23:59:59Z\"}," \
             "\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"in-the-body.example\"}," \
             "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}}]}"

TEST(json_is_found_under_any_type)
{
    CHECK_OK(read_message(SLICE("From: a@example.net\nContent-Type: application/tlsrpt+json\n\n" JSON "\n")), &why);
    CHECK_OK(read_message(SLICE("From: a@example.net\nContent-Type: text/plain\n\n" JSON "\n-- \nlist\n")), &why);
    CHECK_OK(read_message(SLICE("From: a@example.net\n\n\n\n" JSON)), &why);
    CHECK_OK(read_message(SLICE("From: a@example.net\nContent-Type: application/gzip\n\n" JSON "\n")), &why);
    CHECK_OK(read_message(SLICE("From: a@example.net\nContent-Transfer-Encoding: base64\n\n" JSON "\n")), &why);
    CHECK_OK(read_message(SLICE("From: a@example.net\nContent-Type: application/tlsrpt+gzip\n"
                                "Content-Transfer-Encoding: base64\n\n" JSON "\n")), &why);
    CHECK_TEXT(letter.report.id, "i");
}

TEST(raw_gzip_is_found)
{
    auto_buf struct buf message = { 0 }, packed = { 0 };

    buf_init(&packed, 10000);
    CHECK_OK(gzip_pack(SLICE(JSON), &packed, &why), &why);
    buf_init(&message, 10000);
    buf_text(&message, "From: a@example.net\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n");
    buf_add(&message, buf_slice(&packed));
    CHECK_OK(read_message(buf_slice(&message)), &why);
    CHECK_TEXT(letter.report.id, "i");
}

TEST(the_part_that_says_it_is_the_report_wins)
{
    CHECK_OK(read_message(SLICE("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n"
                                "{\"report-id\":\"bait\"}\n--b\nContent-Type: application/json\n\n{}\n"
                                "--b\nContent-Type: application/tlsrpt+json\n\n" JSON "\n--b--\n")), &why);
    CHECK_TEXT(letter.report.id, "i");
}

TEST(a_broken_report_beside_a_whole_one_is_passed_over)
{
    CHECK_OK(read_message(SLICE("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/tlsrpt+gzip\n\nH4sI\n"
                                "--b\nContent-Type: application/octet-stream\n\n" JSON "\n--b--\n")), &why);
    CHECK_TEXT(letter.report.id, "i");
}

/* --- what is none ------------------------------------------------------------------------- */

static enum error_code code_of(struct slice message)
{
    return read_message(message) ? E_NONE : why.code;
}

TEST(a_message_without_a_report_has_none)
{
    CHECK_EQUAL(code_of(SLICE("")), E_NOT_FOUND);
    CHECK_EQUAL(code_of(SLICE("Subject: hi\n\nHow are you?\n")), E_NOT_FOUND);
    CHECK_EQUAL(code_of(SLICE("Subject: Report Domain: example.org Submitter: example.com Report-ID: <a@b>\n\nsee file\n")),
                E_NOT_FOUND);
    CHECK_EQUAL(code_of(SLICE("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n" JSON "\n--b--\n")),
                E_NOT_FOUND);
}

TEST(what_could_have_been_one_says_why_it_is_none)
{
    CHECK_EQUAL(code_of(SLICE("\n{\"not\":\"a report\"}\n")), E_NOT_FOUND);
    CHECK(strstr(why.text, "date-range"));
    CHECK_EQUAL(code_of(SLICE("Content-Type: application/tlsrpt+json\n\n{\"not\":\"a report\"}\n")), E_MALFORMED);
    CHECK_EQUAL(code_of(SLICE("Content-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n\nH4sI!\n")),
                E_MALFORMED);
    CHECK_EQUAL(code_of(SLICE("Content-Type: application/tlsrpt+gzip\n\n")), E_MALFORMED);
}

/* --- who it is from -------------------------------------------------------------------------- */

static const char *from_of(const char *fields)
{
    static struct buf message;

    buf_done(&message);
    buf_init(&message, 100000);
    buf_text(&message, "%s\n\n%s\n", fields, JSON);
    CHECK_OK(read_message(buf_slice(&message)), &why);
    return letter.from;
}

TEST(the_domain_of_from_in_its_many_forms)
{
    CHECK_TEXT(from_of("From: a@Example.COM"), "example.com");
    CHECK_TEXT(from_of("From: <a@example.com>"), "example.com");
    CHECK_TEXT(from_of("From: \"Example, Inc.\" <a@example.com>"), "example.com");
    CHECK_TEXT(from_of("From: \"evil@example.net\" <a@example.com>"), "example.com");
    CHECK_TEXT(from_of("From:\n Reports\n\t<a@example.com>"), "example.com");
    CHECK_TEXT(from_of("From: a@example.com.evil <b@example.com> (c@example.org)"), "example.com");
}

TEST(where_nobody_could_say_who_it_is_from_it_is_from_nobody)
{
    CHECK_TEXT(from_of("Subject: x"), "");
    CHECK_TEXT(from_of("From: a@example.com\nFrom: b@example.net"), "");
    CHECK_TEXT(from_of("From: a@example.com, b@example.net"), "");
    CHECK_TEXT(from_of("From: <a@example.com>, <b@example.net>"), "");
    CHECK_TEXT(from_of("From: a@b@example.net"), "");
    CHECK_TEXT(from_of("From: a@[192.0.2.1]"), "");
    CHECK_TEXT(from_of("From: a@exa mple.com"), "");
    CHECK_TEXT(from_of("From: nobody"), "");
    CHECK_TEXT(from_of("From: a@"), "");
}

TEST(the_report_keeps_its_own_policy_domain)
{
    from_of("TLS-Report-Domain: other.example\nTLS-Report-Submitter: Example.NET");
    CHECK_TEXT(letter.report.entries[0].policy.domain, "in-the-body.example");
    CHECK_TEXT(letter.submitter, "example.net");
    CHECK(!letter.encoded);
    from_of("Content-Transfer-Encoding: 8bit");
    CHECK(letter.encoded);
}

/* --- TLSRPT-093 --------------------------------------------------------------------------------- */

TEST(a_message_larger_than_is_read_is_refused)
{
    auto_buf struct buf message = { 0 };

    buf_init(&message, REPORT_MESSAGE_MAX + 1);
    memset(buf_room(&message, REPORT_MESSAGE_MAX + 1), '\n', REPORT_MESSAGE_MAX + 1);
    buf_grew(&message, REPORT_MESSAGE_MAX + 1);
    CHECK_EQUAL(code_of(buf_slice(&message)), E_LIMIT);
    CHECK_EQUAL(code_of(slice_first(buf_slice(&message), REPORT_MESSAGE_MAX)), E_NOT_FOUND);
}

TEST(a_hundred_thousand_parts_that_look_like_reports)
{
    auto_buf struct buf message = { 0 };

    buf_init(&message, 9 * 1024 * 1024);
    buf_text(&message, "Content-Type: multipart/report; boundary=b\n\n");
    for (int i = 0; i < 100000; i++)
        buf_text(&message, "--b\nContent-Type: application/tlsrpt+json\n\n{\"x\":1}\n");
    CHECK(!read_message(buf_slice(&message)));
    buf_clear(&message);
    buf_text(&message, "Content-Type: multipart/report; boundary=b\n\n");
    for (int i = 0; i < 100000; i++)
        buf_text(&message, "--b\n\nhello\n");
    CHECK_EQUAL(code_of(buf_slice(&message)), E_LIMIT);
}

/* `size` bytes of JSON: `text`, after blanks and enough that cannot be packed well to be no bomb. */
static void add_packed(struct buf *message, const char *text, size_t size)
{
    auto_buf struct buf json = { 0 }, packed = { 0 };
    uint32_t seed = 8460;

    buf_init(&json, 40 * 1024 * 1024);
    buf_init(&packed, 4 * 1024 * 1024);
    buf_text(&json, "{\"x\":\"");
    for (int i = 0; i < 400 * 1000; i++) {
        seed = seed * 1664525 + 1013904223;
        buf_byte(&json, (char)('a' + (seed >> 24) % 26));
    }
    buf_text(&json, "\",");
    while (buf_len(&json) + strlen(text) < size)
        buf_byte(&json, ' ');
    buf_add(&json, slice_of(text));
    CHECK_OK(gzip_pack(buf_slice(&json), &packed, &why), &why);
    buf_text(message, "--b\nContent-Type: application/tlsrpt+gzip\n\n");
    buf_add(message, buf_slice(&packed));
    buf_text(message, "\n");
}

enum { MIB = 1024 * 1024 };

/* Of a first part that is no report, and a second that is. */
static enum error_code code_of_two(size_t first, size_t second)
{
    auto_buf struct buf message = { 0 };

    buf_init(&message, REPORT_MESSAGE_MAX);
    buf_text(&message, "From: a@example.net\nContent-Type: multipart/mixed; boundary=b\n\n");
    if (first)
        add_packed(&message, "\"no\":1}", first);
    add_packed(&message, &JSON[1], second);
    return code_of(buf_slice(&message));
}

TEST(the_parts_of_a_message_share_what_may_be_unpacked)
{
    CHECK_ID("TLSRPT-093", code_of_two(0, 31 * MIB) == E_NONE);
    CHECK_EQUAL(code_of_two(0, 33 * MIB), E_LIMIT);
    CHECK_EQUAL(code_of_two(20 * MIB, 11 * MIB), E_NONE);
    CHECK_EQUAL(code_of_two(20 * MIB, 13 * MIB), E_MALFORMED);      /* told of the first */
    CHECK_EQUAL(code_of_two(33 * MIB, 1 * MIB), E_LIMIT);           /* spent, though it came to nothing */
}

#define BROKEN "--b\nContent-Type: application/tlsrpt+json\n\n{}\n"
#define BROKEN_BESIDE "--b\n\n{}\n"
#define WHOLE "--b\nContent-Type: application/tlsrpt+json\n\n" JSON "\n"
#define WHOLE_BESIDE "--b\n\n" JSON "\n"
#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"

TEST(two_parts_are_tried)
{
    CHECK_EQUAL(code_of(SLICE(MIXED BROKEN WHOLE)), E_NONE);
    CHECK_EQUAL(code_of(SLICE(MIXED BROKEN BROKEN WHOLE)), E_MALFORMED);
    CHECK_EQUAL(code_of(SLICE(MIXED BROKEN WHOLE_BESIDE)), E_NONE);
    CHECK_EQUAL(code_of(SLICE(MIXED WHOLE_BESIDE BROKEN)), E_NONE);
    CHECK_EQUAL(code_of(SLICE(MIXED BROKEN BROKEN WHOLE_BESIDE)), E_MALFORMED);
    CHECK_EQUAL(code_of(SLICE(MIXED BROKEN BROKEN_BESIDE WHOLE_BESIDE)), E_MALFORMED);
    CHECK_EQUAL(code_of(SLICE(MIXED BROKEN_BESIDE BROKEN_BESIDE WHOLE_BESIDE)), E_NOT_FOUND);
    CHECK_EQUAL(code_of(SLICE(MIXED BROKEN_BESIDE BROKEN_BESIDE WHOLE)), E_NONE);
}

/* A bounce, or a forwarded message: its signer did not write what it quotes. */
TEST(messages_that_are_quoted_are_not_looked_into)
{
    CHECK_EQUAL(code_of(SLICE(MIXED "--b\n\nno such user\n--b\nContent-Type: message/rfc822\n\n" JSON "\n--b--\n")), E_NOT_FOUND);
    CHECK_EQUAL(code_of(SLICE(MIXED "--b\nContent-Type: text/rfc822-headers\n\n" JSON "\n--b--\n")), E_NOT_FOUND);
    CHECK_EQUAL(code_of(SLICE(MIXED "--b\nContent-Type: message/delivery-status\n\n" JSON "\n--b--\n")), E_NOT_FOUND);
}

TEST(an_arena_too_small_is_a_limit)
{
    auto_buf struct buf file = { 0 };
    struct slice message = fixture("html_first.eml", &file);

    for (size_t room = 0; room < 8000; room += 97) {
        struct arena small;
        bool good;

        arena_init(&small, room);
        why = (struct error){ 0 };
        good = report_letter_read(message, &small, &letter, &why);
        CHECK(good || why.code == E_LIMIT);
        arena_done(&small);
    }
}

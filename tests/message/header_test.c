#include "tests/test.h"

#include "message/header.h"

static struct header_scan scanned(struct slice text)
{
    struct header_scan h;

    header_scan_init(&h);
    header_scan(&h, text);
    return h;
}

#define SCAN(literal) scanned(SLICE(literal))

TEST(received_fields_are_counted_in_any_case)
{
    CHECK_EQUAL(SCAN("Received: a\r\nRECEIVED: b\r\nreceived:c\r\nSubject: d\r\n\r\n").received, 3);
}

TEST(an_obsolete_space_before_the_colon_counts_too)
{
    CHECK_EQUAL(SCAN("Received : a\r\nReceived\t: b\r\n\r\n").received, 2);
}

TEST(names_that_only_contain_received_do_not_count)
{
    CHECK_EQUAL(SCAN("X-Received: a\r\nReceived-SPF: b\r\nReceive: c\r\nRe ceived: d\r\nReceivedd: e\r\n").received, 0);
}

TEST(a_name_longer_than_we_keep_does_not_count)
{
    CHECK_EQUAL(SCAN("ReceivedReceivedReceived: a\r\n0123456789012345Received: b\r\n0123456789012345: c\r\n").received, 0);
}

TEST(folded_lines_and_lines_without_colon_do_not_count)
{
    CHECK_EQUAL(SCAN("Subject: a\r\n Received: b\r\n\tReceived: c\r\nReceived\r\n: d\r\n").received, 0);
}

TEST(nothing_counts_behind_the_empty_line)
{
    struct header_scan h = SCAN("Received: a\r\n\r\nReceived: b\r\n");

    CHECK(h.ended);
    CHECK_EQUAL(h.received, 1);
}

TEST(a_message_may_begin_with_its_empty_line)
{
    CHECK(SCAN("\r\nReceived: a\r\n").ended);
    CHECK_EQUAL(SCAN("\r\nReceived: a\r\n").received, 0);
}

/* SMTP-040: only CRLF ends a line. */
TEST(bare_carriage_returns_and_newlines_end_no_line)
{
    CHECK(!SCAN("a: b\n\nReceived: c").ended);
    CHECK(!SCAN("a: b\r\rReceived: c").ended);
    CHECK(!SCAN("a: b\r\n\n").ended);
    CHECK(!SCAN("a: b\r\n\rx\r\n").ended);
    CHECK_EQUAL(SCAN("a: b\nReceived: c\r\n").received, 0);
    CHECK_EQUAL(SCAN("a: b\rReceived: c\r\n").received, 0);
    CHECK_EQUAL(SCAN("a: b\r\n\rReceived: c\r\n").received, 0);
}

TEST(carriage_returns_in_a_row_end_with_the_last_one)
{
    CHECK_EQUAL(SCAN("a: b\r\r\r\nReceived: c\r\n").received, 1);
    CHECK(SCAN("a: b\r\r\n\r\n").ended);
}

TEST(the_pieces_a_header_comes_in_make_no_difference)
{
    const struct slice text = SLICE("Received: a\r\n b\r\nReceived :\r\nX: \r\r\nReceived: c\r\n\r\nReceived: body\r\n");
    struct header_scan whole = scanned(text);

    CHECK_EQUAL(whole.received, 3);
    for (size_t cut = 0; cut <= text.len; cut++) {
        for (size_t second = cut; second <= text.len; second++) {
            struct header_scan h;

            header_scan_init(&h);
            header_scan(&h, slice_first(text, cut));
            header_scan(&h, slice(text.at + cut, second - cut));
            header_scan(&h, slice_after(text, second));
            CHECK_EQUAL(h.received, whole.received);
            CHECK(h.ended);
        }
    }
}

TEST(the_header_reaches_to_and_with_the_empty_line)
{
    CHECK_SLICE(header_of(SLICE("a: b\r\n\r\nbody\r\n\r\n")), "a: b\r\n\r\n");
    CHECK_SLICE(header_of(SLICE("\r\nbody\r\n\r\n")), "\r\n");
    CHECK_SLICE(header_of(SLICE("a: b\r\n")), "a: b\r\n");
    CHECK_SLICE(header_of(SLICE("a: b\n\nbody")), "a: b\n\nbody");
    CHECK_SLICE(header_of(SLICE("")), "");
}

/* --- TLS-Required (RFC 8689 3) --------------------------------------------------- */

static enum tls_required_field field_of(struct slice text)
{
    struct header_scan h = scanned(text);

    return header_tls_required(&h, NULL);
}

TEST(tls_required_is_no_in_any_case_and_with_white_space_around_it)     /* REQTLS-006 */
{
    static const char *const headers[] = {
        "TLS-Required: No\r\n\r\n", "TLS-Required: no\r\n\r\n", "TLS-Required: NO\r\n\r\n", "tls-required:nO\r\n\r\n",
        "TLS-REQUIRED:\tNo \t\r\n\r\n", "TLS-Required:\r\n No\r\n\r\n", "TLS-Required: \r\n\t\r\n  No\r\n  \r\n\r\n",
        "Subject: x\r\nTLS-Required: No\r\nTo: y\r\n\r\n", "TLS-Required: No\r\n", "TLS-Required: No",
        "TLS-Required: No\r\n\r\nTLS-Required: Yes\r\n",
        "TLS-Required: No                                             \r\n\r\n",
        "TLS-Required: No\r\nSubject: x\r\nTLS-Required: no\r\n\r\n",      /* twice the same is not in conflict */
    };

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (field_of(slice_of(headers[i])) != TLS_REQUIRED_NO)
            fail_msg("not taken: %s", headers[i]);
}

TEST(tls_required_with_any_other_value_is_unclear)      /* REQTLS-006 */
{
    static const char *const headers[] = {
        "TLS-Required: Yes\r\n\r\n", "TLS-Required:\r\n\r\n", "TLS-Required: \r\n \r\n\r\n", "TLS-Required: N\r\n\r\n",
        "TLS-Required: N o\r\n\r\n", "TLS-Required: N\r\n o\r\n\r\n", "TLS-Required: None\r\n\r\n",
        "TLS-Required: No (really)\r\n\r\n", "TLS-Required: (no) No\r\n\r\n", "TLS-Required: \"No\"\r\n\r\n",
        "TLS-Required: No; x\r\n\r\n", "TLS-Required: No No\r\n\r\n", "TLS-Required: :No\r\n\r\n",
        "TLS-Required: No\r\n x\r\n\r\n", "TLS-Required: No\r\r\n\r\n", "TLS-Required: \rNo\r\n\r\n",
        "TLS-Required: No\n\r\n\r\n", "TLS-Required: \nNo\r\n\r\n",
        "TLS-Required: No                                             x\r\n\r\n",
        "TLS-Required: No\r\nTLS-Required: Yes\r\n\r\n", "TLS-Required: Yes\r\nTLS-Required: No\r\n\r\n",
        "TLS-Required: No\r\nTLS-Required:\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (field_of(slice_of(headers[i])) != TLS_REQUIRED_UNCLEAR)
            fail_msg("not unclear: %s", headers[i]);
    CHECK_EQUAL(field_of(SLICE("TLS-Required: No\0\r\n\r\n")), TLS_REQUIRED_UNCLEAR);
}

TEST(tls_required_counts_in_the_top_header_and_by_its_exact_name)       /* REQTLS-008 */
{
    static const char *const headers[] = {
        "", "Subject: x\r\n\r\n", "X-TLS-Required: No\r\n\r\n", "TLS-Required-X: No\r\n\r\n", "TLS-Required : No\r\n\r\n",
        "TLS-Require: No\r\n\r\n", "TLS_Required: No\r\n\r\n", "Subject: x\r\n TLS-Required: No\r\n\r\n",
        "Subject: TLS-Required: No\r\n\r\n", "TLS-Required\r\n: No\r\n\r\n", "a: b\nTLS-Required: No\r\n\r\n",
        "\r\nTLS-Required: No\r\n\r\n", "Subject: x\r\n\r\nTLS-Required: No\r\n",
        "Content-Type: message/rfc822\r\n\r\nTLS-Required: No\r\nSubject: nested\r\n\r\n",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nTLS-Required: No\r\n\r\n--b--\r\n",
    };

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (field_of(slice_of(headers[i])) != TLS_REQUIRED_ABSENT)
            fail_msg("found one: %s", headers[i]);
}

TEST(the_first_unclear_value_is_kept_for_the_log)
{
    struct header_scan h = SCAN("TLS-Required: No\r\nTLS-Required: \r\n maybe \r\nTLS-Required: never\r\n\r\n");
    struct slice value;

    CHECK_EQUAL(header_tls_required(&h, &value), TLS_REQUIRED_UNCLEAR);
    CHECK_SLICE(value, "maybe");
    h = SCAN("TLS-Required: it depends on so many things that nobody can tell\r\n");
    CHECK_EQUAL(header_tls_required(&h, &value), TLS_REQUIRED_UNCLEAR);
    CHECK_SLICE(value, "it depends on so many things tha");
}

/* However far down the header it stands, and however the header is cut. */
TEST(tls_required_is_found_behind_a_megabyte_of_other_fields)
{
    struct header_scan h;
    char line[1000];

    header_scan_init(&h);
    memset(line, 'x', sizeof line);
    memcpy(line, "X-Filler: TLS-Required: yes ", 28);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    for (int i = 0; i < 1100; i++)
        header_scan(&h, slice(line, sizeof line));
    CHECK_EQUAL(header_tls_required(&h, NULL), TLS_REQUIRED_ABSENT);
    header_scan(&h, SLICE("TLS-Required: No\r\n\r\n"));
    CHECK_EQUAL(header_tls_required(&h, NULL), TLS_REQUIRED_NO);
}

TEST(the_pieces_make_no_difference_to_tls_required)
{
    static const struct { struct slice text; enum tls_required_field wanted; } rows[] = {
        { { "A: b\r\nTLS-Required:\r\n No \r\nB: c\r\n\r\nTLS-Required: x\r\n", 53 }, TLS_REQUIRED_NO },
        { { "TLS-Required: No\r\nTLS-Required: N\ro\r\n\r\n", 40 }, TLS_REQUIRED_UNCLEAR },
        { { "TLS-Required : No\r\n\tTLS-Required: No\r\n\r\n", 40 }, TLS_REQUIRED_ABSENT },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice text = rows[i].text;

        for (size_t cut = 0; cut <= text.len; cut++) {
            for (size_t second = cut; second <= text.len; second++) {
                struct header_scan h;

                header_scan_init(&h);
                header_scan(&h, slice_first(text, cut));
                header_scan(&h, slice(text.at + cut, second - cut));
                header_scan(&h, slice_after(text, second));
                CHECK_EQUAL(header_tls_required(&h, NULL), rows[i].wanted);
            }
        }
    }
}

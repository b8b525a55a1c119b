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

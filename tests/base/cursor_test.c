/* base/cursor.h */
#include "tests/test.h"

#include "base/buf.h"
#include "base/cursor.h"

TEST(what_a_buf_wrote_a_cursor_reads)
{
    auto_buf struct buf b = { 0 };
    struct cursor in;

    buf_init(&b, 100);
    buf_u8(&b, 200);
    buf_u16(&b, 65535);
    buf_u32(&b, 4000000000u);
    buf_u64(&b, UINT64_MAX);
    buf_block(&b, SLICE("a\0b"));
    buf_block(&b, SLICE(""));
    buf_add(&b, SLICE("tail"));

    in = cursor_over(buf_slice(&b));
    CHECK_EQUAL(cursor_u8(&in), 200);
    CHECK_EQUAL(cursor_u16(&in), 65535);
    CHECK_EQUAL(cursor_u32(&in), 4000000000u);
    CHECK(cursor_u64(&in) == UINT64_MAX);
    CHECK(slice_equal(cursor_block(&in), SLICE("a\0b")));
    CHECK_SLICE(cursor_block(&in), "");
    CHECK(!cursor_ended(&in));
    CHECK_SLICE(cursor_rest(&in), "tail");
    CHECK(cursor_ended(&in));
    CHECK_SLICE(cursor_rest(&in), "");
    CHECK(cursor_ended(&in));
}

TEST(a_cursor_that_wanted_too_much_stays_failed)
{
    struct cursor in = cursor_over(SLICE("abc"));

    CHECK_EQUAL(cursor_u32(&in), 0);
    CHECK(in.failed);
    CHECK_EQUAL(cursor_u8(&in), 0);
    CHECK_SLICE(cursor_bytes(&in, 1), "");
    CHECK_SLICE(cursor_rest(&in), "");
    CHECK_SLICE(cursor_until(&in, 'c'), "");
    CHECK_SLICE(cursor_while(&in, byte_is_alpha), "");
    CHECK(!cursor_skip(&in, 'a'));
    CHECK(!cursor_skip_nocase(&in, SLICE("a")));
    CHECK_EQUAL(cursor_peek(&in), -1);
    CHECK(!cursor_ended(&in));
}

TEST(a_block_cannot_claim_more_than_there_is)
{
    struct cursor in = cursor_over(SLICE("\xff\xff\xff\xff" "abc"));

    CHECK_SLICE(cursor_block(&in), "");
    CHECK(in.failed);
    in = cursor_over(SLICE("\0\0\0\x04" "abc"));
    CHECK_SLICE(cursor_block(&in), "");
    CHECK(in.failed);
    in = cursor_over(SLICE("\0\0\0"));
    CHECK_SLICE(cursor_block(&in), "");
    CHECK(in.failed);
    in = cursor_over(SLICE("abc"));
    CHECK_SLICE(cursor_bytes(&in, SIZE_MAX), "");
    CHECK(in.failed);
}

TEST(an_empty_cursor_has_ended)
{
    struct cursor in = cursor_over(slice(NULL, 0));

    CHECK(cursor_ended(&in));
    CHECK_EQUAL(cursor_peek(&in), -1);
    CHECK(!cursor_skip(&in, '\0'));
    CHECK_SLICE(cursor_rest(&in), "");
    CHECK_SLICE(cursor_until(&in, 'x'), "");
    CHECK_SLICE(cursor_while(&in, byte_is_digit), "");
    CHECK(cursor_ended(&in));
    CHECK_EQUAL(cursor_u8(&in), 0);
    CHECK(in.failed);
}

TEST(skips_report_and_never_fail_the_cursor)
{
    struct cursor in = cursor_over(SLICE("mail FROM:<>"));

    CHECK(!cursor_skip(&in, 'M'));
    CHECK(!cursor_skip_nocase(&in, SLICE("MAIL FROM:<> SIZE=1")));
    CHECK(cursor_skip_nocase(&in, SLICE("MAIL")));
    CHECK(cursor_skip(&in, ' '));
    CHECK_EQUAL(cursor_peek(&in), 'F');
    CHECK_SLICE(cursor_rest(&in), "FROM:<>");
    CHECK(!in.failed);
}

TEST(text_is_read_up_to_what_ends_it)
{
    struct cursor in = cursor_over(SLICE("250-mx.example.org 1234 end"));

    CHECK_SLICE(cursor_while(&in, byte_is_digit), "250");
    CHECK_SLICE(cursor_while(&in, byte_is_digit), "");
    CHECK(cursor_skip(&in, '-'));
    CHECK_SLICE(cursor_until(&in, ' '), "mx.example.org");
    CHECK_EQUAL(cursor_peek(&in), ' ');
    CHECK(cursor_skip(&in, ' '));
    CHECK_SLICE(cursor_until(&in, '\n'), "1234 end");       /* all when absent */
    CHECK(cursor_ended(&in));
}

TEST(bytes_above_127_are_not_negative)
{
    struct cursor in = cursor_over(SLICE("\xff\xfe"));

    CHECK_EQUAL(cursor_peek(&in), 0xff);
    CHECK(cursor_skip(&in, '\xff'));
    CHECK_EQUAL(cursor_u8(&in), 0xfe);
}

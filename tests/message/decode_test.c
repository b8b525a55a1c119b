#include "tests/test.h"

#include "message/decode.h"

static struct error why;

static void check_base64(const char *text, const char *wanted)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, 1000);
    CHECK_OK(base64_decode(slice_of(text), &out, &why), &why);
    CHECK_SLICE(buf_slice(&out), wanted);
}

static void check_quoted(const char *text, const char *wanted)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, 1000);
    CHECK_OK(quoted_printable_decode(slice_of(text), &out, &why), &why);
    CHECK_SLICE(buf_slice(&out), wanted);
}

static enum error_code base64_error(const char *text, size_t max)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, max);
    why = (struct error){ 0 };
    CHECK(!base64_decode(slice_of(text), &out, &why));
    return why.code;
}

/* RFC 4648 10. */
TEST(base64_of_the_rfc)
{
    check_base64("", "");
    check_base64("Zg==", "f");
    check_base64("Zm8=", "fo");
    check_base64("Zm9v", "foo");
    check_base64("Zm9vYg==", "foob");
    check_base64("Zm9vYmE=", "fooba");
    check_base64("Zm9vYmFy", "foobar");
}

TEST(every_byte_comes_out_of_base64)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, 1000);
    CHECK_OK(base64_decode(SLICE("AAECA/7/+Pn6+/z9/v8="), &out, &why), &why);
    CHECK_EQUAL(buf_len(&out), 14);
    CHECK(memcmp(buf_slice(&out).at, "\x00\x01\x02\x03\xfe\xff\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff", 14) == 0);
}

TEST(base64_may_be_broken_anywhere_and_lack_its_padding)
{
    check_base64("Zm\r\n9v\n Y\tmF y\r\n", "foobar");
    check_base64("Zm9vYg", "foob");
    check_base64("Zm9vYmE", "fooba");
    check_base64("Zg==\r\nsignature of a list", "f");
}

TEST(what_is_no_base64_is_refused)
{
    CHECK_EQUAL(base64_error("Zm9v!", 100), E_MALFORMED);
    CHECK_EQUAL(base64_error("Zm9vY", 100), E_MALFORMED);
    CHECK_EQUAL(base64_error("-_", 100), E_MALFORMED);
    CHECK_EQUAL(base64_error("Z\xc3\xa4==", 100), E_MALFORMED);
}

TEST(decoding_stops_at_the_bound)
{
    auto_buf struct buf out = { 0 };

    CHECK_EQUAL(base64_error("Zm9vYmFy", 5), E_LIMIT);
    check_base64("Zm9v", "foo");
    buf_init(&out, 3);
    CHECK(!quoted_printable_decode(SLICE("=41=42=43=44"), &out, &why));
    CHECK_EQUAL(why.code, E_LIMIT);
    buf_clear(&out);
    CHECK(!transfer_decode(TRANSFER_PLAIN, SLICE("abcd"), &out, &why));
    buf_clear(&out);
    CHECK(transfer_decode(TRANSFER_PLAIN, SLICE("abc"), &out, &why));
}

TEST(quoted_printable_of_the_rfc)
{
    check_quoted("Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
                 "Now's the time for all folk to come to the aid of their country.");
    check_quoted("=E2=80=93 a=3db", "\xe2\x80\x93 a=b");
    check_quoted("a=\nb\nc\r\n", "ab\nc\r\n");
}

TEST(blanks_at_the_end_of_a_line_were_added_on_the_way)
{
    check_quoted("a  \t\r\nb \n", "a\r\nb\n");
    check_quoted("a=  \r\nb", "ab");
    check_quoted("a=20\r\n", "a \r\n");
}

TEST(an_equals_sign_that_means_nothing_stands_for_itself)
{
    check_quoted("1=1", "1=1");
    check_quoted("=zz=4", "=zz=4");
    check_quoted("=", "");
    check_quoted("==41", "=A");
    check_quoted("=4=41", "=4A");
}

TEST(encodings_are_known_in_any_case)
{
    CHECK_EQUAL(transfer_encoding_parse(SLICE("BASE64")), TRANSFER_BASE64);
    CHECK_EQUAL(transfer_encoding_parse(SLICE(" base64 (as always)")), TRANSFER_BASE64);
    CHECK_EQUAL(transfer_encoding_parse(SLICE("base64;")), TRANSFER_BASE64);
    CHECK_EQUAL(transfer_encoding_parse(SLICE("Quoted-Printable")), TRANSFER_QUOTED_PRINTABLE);
    CHECK_EQUAL(transfer_encoding_parse(SLICE("8bit")), TRANSFER_PLAIN);
    CHECK_EQUAL(transfer_encoding_parse(SLICE("")), TRANSFER_PLAIN);
    CHECK_EQUAL(transfer_encoding_parse(SLICE("x-uuencode")), TRANSFER_UNKNOWN);
}

/* base/slice.h */
#include "tests/test.h"

TEST(an_empty_slice_equals_any_other_even_without_memory)
{
    CHECK(slice_equal(slice(NULL, 0), SLICE("")));
    CHECK(slice_equal_nocase(slice(NULL, 0), slice_of(NULL)));
    CHECK(slice_empty(slice_of(NULL)));
    CHECK(slice_starts(slice(NULL, 0), SLICE("")));
    CHECK_EQUAL(slice_find(slice(NULL, 0), 'a'), 0);
    CHECK_EQUAL(slice_find_last(slice(NULL, 0), 'a'), 0);
}

TEST(a_slice_may_hold_any_byte)
{
    CHECK(slice_equal(SLICE("a\0b"), slice("a\0b", 3)));
    CHECK(!slice_equal(SLICE("a\0b"), SLICE("a\0c")));
    CHECK_EQUAL(slice_find(SLICE("ab\0c"), '\0'), 2);
}

TEST(case_is_ignored_for_ascii_letters_only)
{
    CHECK(slice_equal_nocase(SLICE("StartTLS"), SLICE("STARTtls")));
    CHECK(!slice_equal_nocase(SLICE("a"), SLICE("ab")));
    CHECK(!slice_equal_nocase(SLICE("[\\]"), SLICE("{|}")));           /* 0x20 apart, as letters are */
    CHECK(!slice_equal_nocase(SLICE("\xc3\x89"), SLICE("\xc3\xa9")));   /* É and é */
    CHECK(slice_starts_nocase(SLICE("mail FROM:<>"), SLICE("MAIL from:")));
    CHECK(!slice_starts_nocase(SLICE("MAIL"), SLICE("MAIL FROM")));
    CHECK(slice_ends_nocase(SLICE("mx.Example.ORG"), SLICE(".example.org")));
    CHECK(!slice_ends_nocase(SLICE("org"), SLICE(".org")));
}

TEST(find_says_where_or_the_length)
{
    CHECK_EQUAL(slice_find(SLICE("a@b@c"), '@'), 1);
    CHECK_EQUAL(slice_find_last(SLICE("a@b@c"), '@'), 3);
    CHECK_EQUAL(slice_find(SLICE("abc"), '@'), 3);
    CHECK_EQUAL(slice_find_last(SLICE("abc"), '@'), 3);
}

TEST(first_and_after_stop_at_the_end)
{
    CHECK_SLICE(slice_first(SLICE("abc"), 2), "ab");
    CHECK_SLICE(slice_first(SLICE("abc"), SIZE_MAX), "abc");
    CHECK_SLICE(slice_after(SLICE("abc"), 2), "c");
    CHECK_SLICE(slice_after(SLICE("abc"), 3), "");
    CHECK_SLICE(slice_after(SLICE("abc"), SIZE_MAX), "");
    CHECK(slice_after(slice(NULL, 0), 1).at != NULL);
}

TEST(trim_takes_blanks_at_both_ends_and_no_others)
{
    CHECK_SLICE(slice_trim(SLICE(" \t a b \r\n")), "a b");
    CHECK_SLICE(slice_trim(SLICE(" \r\n\t")), "");
    CHECK_SLICE(slice_trim(SLICE("")), "");
    CHECK_SLICE(slice_trim(SLICE("\va")), "\va");
}

TEST(cut_walks_through_a_list_and_knows_its_end)
{
    struct slice rest = SLICE("a,,b,");

    CHECK_SLICE(slice_cut(&rest, ','), "a");
    CHECK_SLICE(slice_cut(&rest, ','), "");
    CHECK_SLICE(slice_cut(&rest, ','), "b");
    CHECK(rest.at != NULL);                     /* an empty last element is still to come */
    CHECK_SLICE(slice_cut(&rest, ','), "");
    CHECK(rest.at == NULL);
    CHECK_EQUAL(rest.len, 0);
}

TEST(numbers_are_digits_only_and_never_overflow)
{
    uint64_t n = 7;

    CHECK(slice_to_number(SLICE("0"), 0, &n));
    CHECK_EQUAL(n, 0);
    CHECK(slice_to_number(SLICE("00025"), 100, &n));
    CHECK_EQUAL(n, 25);
    CHECK(slice_to_number(SLICE("18446744073709551615"), UINT64_MAX, &n));
    CHECK(n == UINT64_MAX);

    n = 7;
    CHECK(!slice_to_number(SLICE("18446744073709551616"), UINT64_MAX, &n));
    CHECK(!slice_to_number(SLICE("99999999999999999999999"), UINT64_MAX, &n));
    CHECK(!slice_to_number(SLICE("101"), 100, &n));
    CHECK(!slice_to_number(SLICE(""), 100, &n));
    CHECK(!slice_to_number(SLICE("+1"), 100, &n));
    CHECK(!slice_to_number(SLICE("-1"), 100, &n));
    CHECK(!slice_to_number(SLICE(" 1"), 100, &n));
    CHECK(!slice_to_number(SLICE("1 "), 100, &n));
    CHECK(!slice_to_number(SLICE("0x1"), 100, &n));
    CHECK(!slice_to_number(SLICE("1\0"), 100, &n));
    CHECK_EQUAL(n, 7);                          /* written only on success */
}

TEST(letters_and_digits_are_those_of_ascii)
{
    for (int c = 0; c < 256; c++) {
        bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';

        CHECK(byte_is_alpha((char)c) == (upper || lower));
        CHECK(byte_is_digit((char)c) == (c >= '0' && c <= '9'));
        CHECK_EQUAL((unsigned char)byte_lower((char)c), upper ? c + 32 : c);
    }
}

TEST(the_hash_is_fnv_1a)
{
    CHECK(slice_hash(SLICE("")) == 0xcbf29ce484222325u);
    CHECK(slice_hash(SLICE("a")) == 0xaf63dc4c8601ec8cu);
    CHECK(slice_hash(SLICE("foobar")) == 0x85944171f73967e8u);
}

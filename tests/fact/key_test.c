/* The parts of a tally's key: what was put in comes out, and nothing else is taken. */
#include "tests/test.h"

#include "fact/key.h"

TEST(texts_come_back_and_long_ones_are_cut)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf bytes = { 0 };
    char longest[301] = "", into[8];
    struct cursor in;

    memset(longest, 'x', 300);
    arena_init(&arena, 4096);
    buf_init(&bytes, 4096);
    key_put_text(&bytes, "one");
    key_put_text(&bytes, "");
    key_put_text(&bytes, longest);
    key_put_text(&bytes, "seventh");
    in = cursor_over(buf_slice(&bytes));
    CHECK_TEXT(key_get_text(&in, &arena), "one");
    CHECK_TEXT(key_get_text(&in, &arena), "");
    CHECK_EQUAL(strlen(key_get_text(&in, &arena)), KEY_TEXT_MAX);
    key_get_text_into(&in, into, sizeof into);
    CHECK_TEXT(into, "seventh");
    CHECK(key_ended(&in, &arena));
}

TEST(a_text_that_does_not_fit_or_is_cut_off_fails)
{
    auto_arena struct arena arena = { 0 };
    struct cursor in = cursor_over(SLICE("\x07seventh"));
    char into[7] = "before";

    arena_init(&arena, 4096);
    key_get_text_into(&in, into, sizeof into);
    CHECK(in.failed);
    CHECK_TEXT(into, "");
    in = cursor_over(SLICE("\x08seventh"));
    CHECK_TEXT(key_get_text(&in, &arena), "");
    CHECK(in.failed && !key_ended(&in, &arena));
}

TEST(a_nul_inside_a_text_fails)
{
    auto_arena struct arena arena = { 0 };
    struct cursor in = cursor_over(SLICE("\x03" "a\0b"));

    arena_init(&arena, 4096);
    CHECK_TEXT(key_get_text(&in, &arena), "");
    CHECK(in.failed);
}

TEST(a_number_must_be_one_of_its_enumeration)
{
    struct cursor in = cursor_over(SLICE("\x02\x03\x00"));

    CHECK_EQUAL(key_get_one_of(&in, 2), 2);
    CHECK_EQUAL(key_get_one_of(&in, 2), 0);
    CHECK(in.failed);
    CHECK_EQUAL(key_get_one_of(&in, 2), 0);
}

TEST(a_key_that_does_not_fit_the_arena_is_not_read)
{
    auto_arena struct arena arena = { 0 };
    struct cursor in = cursor_over(SLICE("\x07seventh"));

    arena_init(&arena, 4);
    CHECK_TEXT(key_get_text(&in, &arena), "");
    CHECK(cursor_ended(&in) && !key_ended(&in, &arena));
}

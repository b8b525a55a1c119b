/* base/buf.h */
#include "tests/test.h"

#include "base/buf.h"

TEST(bytes_leave_at_the_front_and_arrive_at_the_back)
{
    auto_buf struct buf b = { 0 };

    buf_init(&b, 100);
    CHECK_SLICE(buf_slice(&b), "");
    buf_add(&b, SLICE("hello "));
    buf_byte(&b, 'w');
    buf_text(&b, "%s %d", "orld", 7);
    CHECK_SLICE(buf_slice(&b), "hello world 7");
    buf_take(&b, 6);
    CHECK_SLICE(buf_slice(&b), "world 7");
    buf_take(&b, 1000);
    CHECK_EQUAL(buf_len(&b), 0);
    CHECK(!b.failed);
}

TEST(the_maximum_can_be_reached_exactly)
{
    auto_buf struct buf b = { 0 };

    buf_init(&b, 5);
    buf_add(&b, SLICE("abcde"));
    CHECK(!b.failed);
    CHECK_EQUAL(b.capacity, 5);
    buf_add(&b, slice(NULL, 0));
    CHECK(!b.failed);
    buf_byte(&b, 'f');
    CHECK(b.failed);
    CHECK_SLICE(buf_slice(&b), "abcde");
}

TEST(failure_is_remembered_until_the_buf_is_cleared)
{
    auto_buf struct buf b = { 0 };

    buf_init(&b, 4);
    buf_add(&b, SLICE("ab"));
    buf_add(&b, SLICE("cde"));
    CHECK(b.failed);
    buf_byte(&b, 'c');                          /* would fit, but what came before is missing */
    CHECK_SLICE(buf_slice(&b), "ab");
    CHECK(buf_room(&b, 1) == NULL);
    buf_take(&b, 1);
    CHECK(b.failed);
    buf_clear(&b);
    buf_byte(&b, 'c');
    CHECK(!b.failed);
    CHECK_SLICE(buf_slice(&b), "c");
}

TEST(what_was_taken_makes_room_again)
{
    auto_buf struct buf b = { 0 };

    buf_init(&b, 8);
    for (int i = 0; i < 100; i++) {
        buf_text(&b, "%06d", i);
        CHECK_EQUAL(buf_len(&b), 6);
        buf_take(&b, 4);
        CHECK_EQUAL(buf_len(&b), 2);
        buf_take(&b, 2);
    }
    buf_add(&b, SLICE("abcdefgh"));
    buf_take(&b, 3);
    buf_add(&b, SLICE("xyz"));
    CHECK_SLICE(buf_slice(&b), "defghxyz");
    CHECK(!b.failed);
}

TEST(room_is_written_in_place)
{
    auto_buf struct buf b = { 0 };
    char *room;

    buf_init(&b, 10);
    CHECK(buf_room(&b, 0) != NULL);             /* NULL would mean that nothing fits */
    room = buf_room(&b, 10);
    CHECK(room != NULL);
    memcpy(room, "abc", 3);
    buf_grew(&b, 3);
    CHECK_SLICE(buf_slice(&b), "abc");
    CHECK(buf_room(&b, 8) == NULL);
    CHECK(b.failed);
}

TEST(lengths_near_the_largest_do_not_wrap_around)
{
    auto_buf struct buf b = { 0 };

    buf_init(&b, 10);
    buf_byte(&b, 'a');
    CHECK(buf_room(&b, SIZE_MAX) == NULL);
    buf_clear(&b);
    CHECK(buf_room(&b, SIZE_MAX - 5) == NULL);
}

TEST(text_longer_than_the_first_guess_is_whole)
{
    auto_buf struct buf b = { 0 };

    buf_init(&b, 2000);
    for (size_t width = 250; width < 260; width++) {
        buf_clear(&b);
        buf_text(&b, "%*s", (int)width, "x");
        CHECK_EQUAL(buf_len(&b), width);
        CHECK_EQUAL(buf_slice(&b).at[width - 1], 'x');
    }
    buf_clear(&b);
    buf_text(&b, "%*s", 2001, "x");
    CHECK(b.failed);
    CHECK_EQUAL(buf_len(&b), 0);
}

TEST(numbers_are_in_network_order)
{
    auto_buf struct buf b = { 0 };

    buf_init(&b, 100);
    buf_u8(&b, 0xfe);
    buf_u16(&b, 0x0102);
    buf_u32(&b, 0xa0b0c0d0);
    buf_u64(&b, 0x0102030405060708);
    buf_block(&b, SLICE("xy"));
    buf_block(&b, slice(NULL, 0));
    CHECK(slice_equal(buf_slice(&b), SLICE("\xfe" "\x01\x02" "\xa0\xb0\xc0\xd0" "\x01\x02\x03\x04\x05\x06\x07\x08"
                                           "\0\0\0\x02" "xy" "\0\0\0\0")));
}

TEST(what_does_not_fit_is_left_out_whole)
{
    auto_buf struct buf b = { 0 };

    buf_init(&b, 7);
    buf_u64(&b, 1);
    CHECK(b.failed);
    CHECK_EQUAL(buf_len(&b), 0);
    buf_clear(&b);
    buf_block(&b, SLICE("abcd"));
    CHECK(b.failed);
    CHECK_EQUAL(buf_len(&b), 0);
    buf_clear(&b);
    buf_block(&b, SLICE("abc"));
    CHECK(!b.failed);
    CHECK_EQUAL(buf_len(&b), 7);
}

TEST(a_released_buf_keeps_only_its_bound)
{
    struct buf b;

    buf_init(&b, 3);
    buf_add(&b, SLICE("abcd"));
    buf_release(&b);
    CHECK(b.memory == NULL);
    CHECK(!b.failed);
    buf_add(&b, SLICE("abc"));
    CHECK_SLICE(buf_slice(&b), "abc");
    buf_done(&b);
    buf_done(&b);
    buf_byte(&b, 'x');                          /* a zeroed buf holds nothing */
    CHECK(b.failed);
}

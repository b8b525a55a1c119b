#include "queue/message_id.h"

#include "tests/test.h"

static const time_ms wall = SECONDS(1700000000);

TEST(ids_ascend_with_time)
{
    struct id_maker m = { .maker = 7 };
    message_id last = 0;

    for (time_ms at = wall; at < wall + 1000; at += 3) {
        message_id id = message_id_new(&m, at);

        CHECK(id > last);
        last = id;
    }
}

TEST(ids_of_one_millisecond_differ_and_ascend)
{
    struct id_maker m = { .maker = 1 };
    message_id last = 0;

    for (int i = 0; i < 3 * 4096; i++) {
        message_id id = message_id_new(&m, wall);

        CHECK(id > last);
        last = id;
    }
}

TEST(a_clock_that_steps_back_repeats_no_id)
{
    struct id_maker m = { .maker = 1 };
    message_id before = message_id_new(&m, wall);

    CHECK(message_id_new(&m, wall - HOURS(1)) > before);
    CHECK(message_id_new(&m, wall - DAYS(400)) > before);
    CHECK(message_id_new(&m, wall + 1) > before);
}

TEST(makers_never_meet)
{
    struct id_maker one = { .maker = 1 }, two = { .maker = 2 };

    for (int i = 0; i < 100; i++)
        CHECK(message_id_new(&one, wall + i / 10) != message_id_new(&two, wall + i / 10));
}

TEST(an_id_is_positive_and_not_zero_whatever_the_clock_says)
{
    const time_ms clocks[] = { 0, 1, -5, SECONDS(1577836800), SECONDS(1577836800) + 1, wall, SECONDS(5000000000) };

    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        struct id_maker m = { 0 };
        message_id id = message_id_new(&m, clocks[i]);

        CHECK(id > 0 && id <= INT64_MAX);
    }
}

TEST(text_and_id_are_the_same)
{
    const message_id ids[] = { 1, 31, 32, 0x123456789abcdef, INT64_MAX };
    char text[MESSAGE_ID_TEXT];

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        message_id back = 0;

        message_id_text(ids[i], text);
        CHECK_EQUAL(strlen(text), MESSAGE_ID_TEXT - 1);
        CHECK(message_id_parse(slice_of(text), &back));
        CHECK(back == ids[i]);
    }
    CHECK_TEXT(message_id_text(1, text), "0000000000001");
    CHECK_TEXT(message_id_text(INT64_MAX, text), "7zzzzzzzzzzzz");
}

TEST(the_order_of_texts_is_that_of_the_ids)
{
    char one[MESSAGE_ID_TEXT], two[MESSAGE_ID_TEXT];

    for (message_id id = 1; id < (message_id)1 << 61; id *= 3)
        CHECK(strcmp(message_id_text(id, one), message_id_text(id + 1, two)) < 0);
}

TEST(case_and_look_alikes_are_forgiven)
{
    message_id plain, read;

    CHECK(message_id_parse(SLICE("01abcdefghj10"), &plain));
    CHECK(message_id_parse(SLICE("O1ABCDEFGHJlO"), &read));
    CHECK(read == plain);
    CHECK(message_id_parse(SLICE("oIabcdefghjLo"), &read));
    CHECK(read == plain);
}

TEST(what_is_no_id_is_refused)
{
    const char *const wrong[] = { "", "1", "000000000000", "00000000000001", "0000000000000", "8000000000000",
                                  "zzzzzzzzzzzzz", "000000000000u", "00000000000-1", "000000000000 " };
    message_id id = 42;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!message_id_parse(slice_of(wrong[i]), &id));
    CHECK(!message_id_parse(slice("00000\0000000001", 13), &id));
    CHECK(id == 42);
}

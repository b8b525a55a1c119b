#include "queue/engine/extents.h"

#include "tests/test.h"

static void check_text(const struct extents *e, const char *wanted)
{
    auto_buf struct buf text;

    buf_init(&text, 1000);
    extents_text(e, &text);
    CHECK_SLICE(buf_slice(&text), wanted);
}

TEST(extents_are_written_for_people)
{
    struct extents e = { 0 };

    check_text(&e, "");
    extents_add(&e, (struct extent){ 12, 0, 8192 });
    extents_add(&e, (struct extent){ 12, 65536, 300 });
    extents_add(&e, (struct extent){ 13, 0, 1 });
    check_text(&e, "12:0:8192 12:65536:300 13:0:1");
    CHECK_EQUAL(extents_length(&e), 8493);
    extents_done(&e);
}

TEST(a_piece_that_continues_the_last_one_joins_it)
{
    struct extents e = { 0 };

    extents_add(&e, (struct extent){ 1, 100, 50 });
    extents_add(&e, (struct extent){ 1, 150, 50 });
    extents_add(&e, (struct extent){ 2, 200, 50 });     /* right offset, other segment */
    extents_add(&e, (struct extent){ 2, 200, 0 });      /* nothing */
    check_text(&e, "1:100:100 2:200:50");
    extents_done(&e);
}

TEST(a_piece_can_go_before_the_others)
{
    struct extents e = { 0 };

    extents_precede(&e, (struct extent){ 12, 500, 100 });
    extents_precede(&e, (struct extent){ 12, 0, 0 });
    extents_add(&e, (struct extent){ 12, 600, 5 });
    extents_precede(&e, (struct extent){ 13, 0, 7 });
    check_text(&e, "13:0:7 12:500:105");
    CHECK_EQUAL(extents_find(&e, 7).offset, 500);
    extents_done(&e);
}

TEST(what_was_written_is_read_back)
{
    const char *const texts[] = { "1:0:1", "12:0:8192 12:65536:300 11:7:9", "4294967295:0:9223372036854775807" };
    struct extents e;
    struct error why;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CHECK_OK(extents_parse(slice_of(texts[i]), &e, &why), &why);
        check_text(&e, texts[i]);
        extents_done(&e);
    }
}

TEST(bytes_are_found_by_their_offset_in_the_body)
{
    struct extents e = { 0 };
    struct extent piece;

    extents_add(&e, (struct extent){ 1, 100, 10 });
    extents_add(&e, (struct extent){ 2, 500, 5 });
    piece = extents_find(&e, 0);
    CHECK(piece.segment == 1 && piece.offset == 100 && piece.length == 10);
    piece = extents_find(&e, 9);
    CHECK(piece.segment == 1 && piece.offset == 109 && piece.length == 1);
    piece = extents_find(&e, 10);
    CHECK(piece.segment == 2 && piece.offset == 500 && piece.length == 5);
    piece = extents_find(&e, 14);
    CHECK(piece.segment == 2 && piece.offset == 504 && piece.length == 1);
    CHECK_EQUAL(extents_find(&e, 15).length, 0);
    CHECK_EQUAL(extents_find(&e, UINT64_MAX).length, 0);
    extents_done(&e);
}

TEST(anything_else_is_refused)
{
    const char *const wrong[] = {
        "", " ", "1", "1:", "1:0", "1:0:", ":0:1", "1::1", "1:0:1 ", " 1:0:1", "1:0:1  1:5:1", "1:0:0", "0:0:1",
        "1:0:1:1", "01:0:1", "1:00:1", "1:0:01", "+1:0:1", "1:-1:1", "4294967296:0:1", "1:9223372036854775808:1",
        "1:9223372036854775807:1", "1:1:9223372036854775807", "1:0:9223372036854775807 2:0:1", "inline", "1:0:1\n",
        "1:0:18446744073709551617",
    };
    struct extents e = { .count = 77 };
    struct error why;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(!extents_parse(slice_of(wrong[i]), &e, &why));
        CHECK_EQUAL(why.code, E_STORAGE);
    }
    CHECK(!extents_parse(slice("1:0:1\0", 6), &e, NULL));
    CHECK_EQUAL(e.count, 77);
}

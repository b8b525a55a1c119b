/* base/arena.h */
#include "tests/test.h"

#include "base/arena.h"

#include <stdalign.h>

TEST(memory_is_zeroed_and_aligned_for_anything)
{
    auto_arena struct arena a = { 0 };

    arena_init(&a, 100000);
    for (size_t size = 1; size < 200; size += 7) {
        char *memory = arena_take(&a, size);

        CHECK(memory != NULL);
        CHECK_EQUAL((uintptr_t)memory % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            CHECK_EQUAL(memory[i], 0);
        memset(memory, 0xff, size);             /* must not reach the next one */
    }
}

TEST(takes_do_not_overlap_across_blocks)
{
    auto_arena struct arena a = { 0 };
    char *small[300], *large;

    arena_init(&a, 1 << 20);
    for (int i = 0; i < 300; i++) {
        small[i] = arena_take(&a, 30);
        memset(small[i], i, 30);
    }
    large = arena_take(&a, 100000);             /* larger than a block */
    memset(large, 0xee, 100000);
    for (int i = 0; i < 300; i++)
        CHECK(small[i][0] == (char)i && small[i][29] == (char)i);
}

TEST(past_the_bound_there_is_nothing_and_it_is_remembered)
{
    auto_arena struct arena a = { 0 };

    arena_init(&a, 64);
    CHECK(arena_take(&a, 65) == NULL);
    CHECK(a.failed);
    arena_reset(&a);
    CHECK(!a.failed);
    CHECK(arena_take(&a, 64) != NULL);
    CHECK(!a.failed);
    CHECK(arena_take(&a, 1) == NULL);
    CHECK(a.failed);
    CHECK(arena_take(&a, SIZE_MAX) == NULL);
    CHECK_EQUAL(a.used, 64);
}

TEST(what_alignment_costs_counts_against_the_bound)
{
    auto_arena struct arena a = { 0 };
    size_t takes = 0;

    arena_init(&a, 1000);
    while (arena_take(&a, 1))
        takes++;
    CHECK(takes * alignof(max_align_t) >= 1000);
    CHECK((takes - 1) * alignof(max_align_t) < 1000);
    CHECK_EQUAL(a.used, 1000);
}

TEST(a_bound_of_everything_does_not_wrap_around)
{
    auto_arena struct arena a = { 0 };

    arena_init(&a, SIZE_MAX);
    CHECK(arena_take(&a, 3) != NULL);
    CHECK(a.used >= 3);
}

TEST(a_copy_is_also_a_c_string)
{
    auto_arena struct arena a = { 0 };
    struct slice copy;

    arena_init(&a, 1000);
    copy = arena_copy(&a, slice_first(SLICE("abcdef"), 3));
    CHECK_SLICE(copy, "abc");
    CHECK_TEXT(copy.at, "abc");
    CHECK_SLICE(arena_copy(&a, slice(NULL, 0)), "");
    CHECK_TEXT(arena_string(&a, SLICE("xyz")), "xyz");
    CHECK_SLICE(arena_text(&a, "%s-%03d", "id", 7), "id-007");
    CHECK(!a.failed);
}

TEST(copies_past_the_bound_are_empty_and_usable)
{
    auto_arena struct arena a = { 0 };

    arena_init(&a, 4);
    CHECK_SLICE(arena_copy(&a, SLICE("abcd")), "");     /* its NUL has no room */
    CHECK(a.failed);
    CHECK_TEXT(arena_string(&a, SLICE("abcd")), "");
    CHECK_SLICE(arena_text(&a, "%s", "abcd"), "");
    CHECK_SLICE(arena_copy(&a, SLICE("abc")), "abc");
}

TEST(a_zeroed_arena_holds_nothing_and_can_be_released)
{
    struct arena a = { 0 };

    CHECK(arena_take(&a, 1) == NULL);
    arena_done(&a);
    arena_done(&a);
}

TEST(a_reset_arena_starts_anew)
{
    auto_arena struct arena a = { 0 };

    arena_init(&a, 5000);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 4; i++)
            CHECK(arena_take(&a, 1200) != NULL);
        CHECK(arena_take(&a, 1200) == NULL);
        arena_reset(&a);
        CHECK_EQUAL(a.used, 0);
    }
}

#include "queue/table.h"

#include "base/memory.h"
#include "tests/test.h"

struct thing {
    int value;
    struct table_link link;
};

static struct thing *thing_of(struct table_link *link)
{
    return link ? TABLE_OF(struct thing, link, link) : NULL;
}

TEST(everything_put_in_is_found_and_nothing_else)
{
    enum { COUNT = 5000 };
    auto_free struct thing *things = memory_array(COUNT, sizeof *things);
    struct table t = { 0 };

    CHECK(table_find(&t, 1) == NULL);
    for (int i = 0; i < COUNT; i++) {
        things[i].value = i;
        things[i].link.key = (uint64_t)i << 20;
        table_add(&t, &things[i].link);
    }
    CHECK_EQUAL(t.count, COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQUAL(thing_of(table_find(&t, (uint64_t)i << 20))->value, i);
    CHECK(table_find(&t, 1) == NULL);
    for (int i = 0; i < COUNT; i += 2)
        table_remove(&t, &things[i].link);
    for (int i = 0; i < COUNT; i++)
        CHECK((table_find(&t, (uint64_t)i << 20) != NULL) == (i % 2 == 1));
    table_done(&t);
}

TEST(equal_keys_are_walked_through)
{
    struct thing things[3] = { { 0, { .key = 9 } }, { 1, { .key = 9 } }, { 2, { .key = 9 } } };
    struct table t = { 0 };
    int seen = 0;

    for (int i = 0; i < 3; i++)
        table_add(&t, &things[i].link);
    for (struct table_link *link = table_find(&t, 9); link; link = table_next(link))
        seen |= 1 << thing_of(link)->value;
    CHECK_EQUAL(seen, 7);
    table_done(&t);
}

TEST(a_table_is_emptied_in_one_walk)
{
    struct thing things[100] = { 0 };
    struct table t = { 0 };
    size_t bucket = 0, taken = 0;

    CHECK(table_take_any(&t, &bucket) == NULL);
    for (int i = 0; i < 100; i++) {
        things[i].link.key = (uint64_t)i * 77;
        table_add(&t, &things[i].link);
    }
    while (table_take_any(&t, &bucket))
        taken++;
    CHECK_EQUAL(taken, 100);
    CHECK_EQUAL(t.count, 0);
    table_done(&t);
}

TEST(a_walk_sees_everything_once_and_takes_nothing)
{
    struct thing things[300] = { 0 };
    struct table t = { 0 };
    struct table_link *link = NULL;
    size_t seen = 0;

    CHECK(table_walk(&t, NULL) == NULL);
    for (int i = 0; i < 300; i++) {
        things[i].link.key = (uint64_t)i / 3 * 77;      /* some keys repeat */
        table_add(&t, &things[i].link);
    }
    while ((link = table_walk(&t, link))) {
        CHECK_EQUAL(thing_of(link)->value++, 0);
        seen++;
    }
    CHECK_EQUAL(seen, 300);
    CHECK_EQUAL(t.count, 300);
    table_done(&t);
}

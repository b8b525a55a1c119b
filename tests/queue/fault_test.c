/* A disk that fails once, for a while, or is full: nothing is lost, nothing
 * appears, and the queue goes on by itself when the disk does. */
#include "tests/queue/disk.h"
#include "tests/queue/history.h"

static bool live_with(size_t at, size_t more, bool full)
{
    struct fixture f;
    bool failed;

    disk_install();
    history_begin();
    fixture_begin(&f);
    disk_record(f.directory);
    disk_fail(at, more, full);
    history_work(&f);
    failed = disk_failed();
    disk_fail(0, 0, false);
    history_finish(&f);
    history_check(&f, SIZE_MAX - 1);
    fixture_reopen(&f);
    history_check(&f, SIZE_MAX - 1);
    disk_stop();
    fixture_end(&f);
    return failed;
}

TEST(one_failure_at_any_change)
{
    size_t at = 1;

    while (live_with(at, 0, false))
        at++;
    CHECK(at > 100);
}

TEST(some_failures_in_a_row_from_any_change)
{
    size_t at = 1;

    while (live_with(at, 7, false))
        at += 3;
    CHECK(at > 100);
}

TEST(a_disk_that_is_full_for_a_while)
{
    size_t at = 1;

    while (live_with(at, 25, true))
        at += 2;
    CHECK(at > 100);
}

TEST(a_disk_that_is_full_from_some_moment_on)
{
    size_t at = 1;

    while (live_with(at, SIZE_MAX - 1, true))
        at += 5;
    CHECK(at > 100);
}

TEST(a_disk_that_fails_from_some_moment_on)
{
    size_t at = 1;

    while (live_with(at, SIZE_MAX - 1, false))
        at += 5;
    CHECK(at > 100);
}

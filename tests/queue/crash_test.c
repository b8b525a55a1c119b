/* The queue stopped after every single change of its disk, and brought back. */
#include "tests/queue/disk.h"
#include "tests/queue/history.h"

#include "base/memory.h"

#include <dirent.h>

static struct fixture past;             /* whose changes are written down */

static void record(void)
{
    disk_install();
    history_begin();
    fixture_begin(&past);               /* makes a directory that is not used: the recorded one is born empty */
    queue_close(past.q);
    remove_directory(past.directory);
    fixture_directory(past.directory);
    disk_record(past.directory);
    past.q = queue_open(&past.settings, NULL);
    CHECK(past.q != NULL);
    history_work(&past);
    fixture_reopen(&past);
    history_work(&past);
    disk_stop();
    fixture_end(&past);
}

static size_t files_in(const char *directory)
{
    DIR *files = opendir(directory);
    size_t n = 0;

    while (files && readdir(files))
        n++;
    if (files)
        closedir(files);
    return n;
}

/* It must open, hold what was promised, and go on working. */
static void check_replayed(struct fixture *f, size_t changes)
{
    struct error why = { 0 };
    char segments[96];

    f->settings = (struct queue_settings){ .directory = f->directory, .slots = 1, .per_destination = 1000 };
    f->now = past.now + HOURS(1);
    f->ids = past.ids;
    arena_init(&f->arena, 64 * 1024 * 1024);
    f->q = queue_open(&f->settings, &why);
    if (!f->q)
        fail_msg("after %zu changes: %s", changes, why.text);
    history_check(f, changes);
    deposit(f, "after.example", 100);
    deposit(f, "after.example", 50000);
    snprintf(segments, sizeof segments, "%s/segments", f->directory);
    CHECK(figures(f).segment_bytes > 0 || files_in(segments) == 2);
    fixture_end(f);
}

TEST(killed_after_any_change_the_queue_keeps_its_promises)
{
    record();
    for (size_t changes = 0; changes <= disk_changes(); changes++) {
        struct fixture f = { 0 };

        fixture_directory(f.directory);
        disk_replay_killed(f.directory, changes);
        check_replayed(&f, changes);
    }
}

/* SMTP-049: what was not synced is gone, whole or in part, in any order. */
TEST(without_power_after_any_change_the_queue_keeps_its_promises)
{
    record();
    for (size_t changes = 0; changes <= disk_changes(); changes++)
        for (uint32_t random = 0; random < 2; random++) {
            struct fixture f = { 0 };

            fixture_directory(f.directory);
            disk_replay_power_lost(f.directory, changes, (uint32_t)changes * 7 + random);
            check_replayed(&f, changes);
        }
}

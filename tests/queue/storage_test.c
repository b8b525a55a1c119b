/* The directory: who may have it, what else may lie there, and how it stays small. */
#include "tests/queue/disk.h"
#include "tests/queue/fixture.h"

#include "base/memory.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct queue *try_open(const char *directory, struct error *why)
{
    struct queue_settings s = { .directory = directory, .slots = 1, .per_destination = 1 };

    *why = (struct error){ 0 };
    return queue_open(&s, why);
}

static void database(struct fixture *f, const char *text)
{
    char path[128];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/queue.db", f->directory);
    CHECK_EQUAL(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_EQUAL(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int segment_path(struct fixture *f, unsigned number, char path[128])
{
    return snprintf(path, 128, "%s/segments/%08u.body", f->directory, number);
}

static bool segment_exists(struct fixture *f, unsigned number)
{
    char path[128];

    segment_path(f, number, path);
    return access(path, F_OK) == 0;
}

/* --- the lock ----------------------------------------------------------------- */

/* The other instance: opens, tells, waits to be told to go. */
static void other_instance(const char *directory, int ready, int go)
{
    struct error why;
    struct queue *q = try_open(directory, &why);
    char byte = q ? 'y' : 'n';

    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) < 0)
        _exit(1);
    queue_close(q);
    _exit(0);
}

TEST(a_second_instance_is_told_who_has_the_queue)
{
    char directory[64], pid[32], byte = 0;
    int ready[2], go[2], status;
    struct error why;
    struct queue *q;
    pid_t child;

    fixture_directory(directory);
    CHECK(pipe(ready) == 0 && pipe(go) == 0);
    child = fork();
    if (child == 0)
        other_instance(directory, ready[1], go[0]);
    CHECK(read(ready[0], &byte, 1) == 1);
    CHECK_EQUAL(byte, 'y');
    CHECK(try_open(directory, &why) == NULL);
    CHECK_EQUAL(why.code, E_STORAGE_LOCKED);
    snprintf(pid, sizeof pid, "process %ld", (long)child);
    CHECK(strstr(why.text, pid) != NULL);
    CHECK(write(go[1], "x", 1) == 1);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    q = try_open(directory, &why);
    CHECK(q != NULL);
    queue_close(q);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(go[i]);
    }
    remove_directory(directory);
}

TEST(a_directory_that_is_not_there_is_an_error)
{
    struct error why;

    CHECK(try_open("/nonexistent/queue", &why) == NULL);
    CHECK_EQUAL(why.code, E_STORAGE);
    CHECK(strstr(why.text, "/nonexistent/queue") != NULL);
}

TEST(nobody_else_can_read_the_files)
{
    const char *const names[] = { "queue.db", "queue.db-wal", "lock", "segments", "segments/00000001.body" };
    struct fixture f;

    fixture_begin(&f);
    deposit(&f, "a.example", 100000);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        struct stat about;

        snprintf(path, sizeof path, "%s/%s", f.directory, names[i]);
        CHECK(stat(path, &about) == 0);
        CHECK_EQUAL(about.st_mode & 077, 0);
    }
    fixture_end(&f);
}

/* --- versions -------------------------------------------------------------------- */

TEST(a_database_of_a_newer_postern_is_left_alone)
{
    struct fixture f;
    struct error why;

    fixture_begin(&f);
    deposit(&f, "a.example", 10);
    queue_close(f.q);
    database(&f, "PRAGMA user_version = 999");
    f.q = try_open(f.directory, &why);
    CHECK(f.q == NULL);
    CHECK_EQUAL(why.code, E_STORAGE_VERSION);
    CHECK(strstr(why.text, "999") != NULL);
    database(&f, "PRAGMA user_version = 2");
    f.q = try_open(f.directory, &why);
    CHECK(f.q != NULL);
    CHECK_EQUAL(deliver_all(&f), 1);
    fixture_end(&f);
}

TEST(an_empty_database_of_version_0_is_brought_up_to_date)
{
    struct fixture f;
    struct error why;
    struct queue *q;

    f = (struct fixture){ .now = SECONDS(1700000000), .settings = { .slots = 1, .per_destination = 1 } };
    fixture_directory(f.directory);
    database(&f, "CREATE TABLE something_else(x); DROP TABLE something_else; PRAGMA user_version = 0");
    q = try_open(f.directory, &why);
    CHECK(q != NULL);
    queue_close(q);
    database(&f, "INSERT INTO message VALUES(7, '', 1, 5, 0, 0, 0, 'by hand', 'inline', 0);"
                 "INSERT INTO body VALUES(7, 'hello');"
                 "INSERT INTO recipient VALUES(7, 0, 'a.example', 1, 0, 0, 0, 'user@a.example', '', '')");
    q = try_open(f.directory, &why);
    CHECK(q != NULL);
    {
        struct arena arena;
        struct lease l;

        arena_init(&arena, 100000);
        CHECK(queue_lease(q, f.now, 0, &arena, &l));
        CHECK_SLICE(l.body, "hello");
        arena_done(&arena);
    }
    queue_close(q);
    remove_directory(f.directory);
}

TEST(what_is_not_our_database_is_an_error)
{
    struct fixture f = { 0 };
    struct error why;
    char path[128];
    FILE *out;

    fixture_directory(f.directory);
    database(&f, "CREATE TABLE message(x)");
    CHECK(try_open(f.directory, &why) == NULL);
    CHECK_EQUAL(why.code, E_STORAGE);
    snprintf(path, sizeof path, "%s/queue.db", f.directory);
    out = fopen(path, "w");
    CHECK(out != NULL);
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database\n", out);
    fclose(out);
    CHECK(try_open(f.directory, &why) == NULL);
    CHECK_EQUAL(why.code, E_STORAGE);
    remove_directory(f.directory);
}

/* --- where bodies are ---------------------------------------------------------------- */

TEST(small_bodies_of_small_groups_need_no_segment)
{
    struct fixture f;

    fixture_begin(&f);
    post(&f, "a.example", 10000, NULL);
    post(&f, "a.example", 10000, NULL);
    commit(&f);
    CHECK_EQUAL(figures(&f).segment_bytes, 0);
    for (int i = 0; i < 3; i++)
        post(&f, "a.example", 10000, NULL);
    commit(&f);
    CHECK_EQUAL(figures(&f).segment_bytes, 30000);
    CHECK_EQUAL(figures(&f).body_bytes, 50000);
    fixture_reopen(&f);
    CHECK_EQUAL(figures(&f).segment_bytes, 30000);
    CHECK_EQUAL(figures(&f).body_bytes, 50000);
    fixture_end(&f);
}

TEST(each_start_begins_a_segment_of_its_own)
{
    struct fixture f;

    fixture_begin(&f);
    deposit(&f, "a.example", 50000);
    fixture_reopen(&f);
    CHECK(segment_exists(&f, 1) && !segment_exists(&f, 2));     /* not before it is needed */
    deposit(&f, "a.example", 50000);
    CHECK(segment_exists(&f, 1) && segment_exists(&f, 2));
    fixture_end(&f);
}

/* (Q8) */
TEST(a_dead_segment_goes_and_a_live_one_stays)
{
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example", 50000);
    fixture_reopen(&f);
    deposit(&f, "b.example", 50000);
    CHECK(take(&f, &l));
    if (l.destination[0] != 'a') {
        queue_revoke(f.q, l.number, f.now);
        CHECK(take(&f, &l));
    }
    settle(&f, &l, SETTLE_DELIVERED, 0, NULL);
    commit(&f);
    queue_tend(f.q, f.now);
    commit(&f);
    CHECK(!segment_exists(&f, 1) && segment_exists(&f, 2));
    CHECK_EQUAL(deliver_all(&f), 1);
    queue_tend(f.q, f.now);
    commit(&f);
    CHECK(!segment_exists(&f, 2));
    CHECK(queue_group(f.q) == NULL);
    fixture_end(&f);
}

TEST(segments_nobody_refers_to_go_at_the_start_and_strange_files_stay)
{
    const char *const strange[] = { "notes.txt", "1.body", "00000000.body", "00000001.body.bak", "0000000x.body" };
    struct fixture f;
    char path[128];
    int fd;

    fixture_begin(&f);
    deposit(&f, "a.example", 50000);
    segment_path(&f, 77, path);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        snprintf(path, sizeof path, "%s/segments/%s", f.directory, strange[i]);
        close(open(path, O_WRONLY | O_CREAT, 0600));
    }
    fixture_reopen(&f);
    CHECK(segment_exists(&f, 1) && !segment_exists(&f, 77));
    deposit(&f, "a.example", 50000);
    CHECK(segment_exists(&f, 78));      /* numbers are not used again */
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        snprintf(path, sizeof path, "%s/segments/%s", f.directory, strange[i]);
        CHECK(access(path, F_OK) == 0);
    }
    fixture_end(&f);
}

TEST(a_message_whose_body_is_lost_is_tried_later_and_stops_nobody)
{
    const char *const places[] = { "99:0:50000", "1:60000:50000", "nonsense", "", "inline" };
    char text[128];

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct fixture f;
        struct lease l;
        message_id lost;

        fixture_begin(&f);
        lost = deposit(&f, "a.example", 50000);
        deposit(&f, "a.example", 50000);
        queue_close(f.q);
        snprintf(text, sizeof text, "UPDATE message SET body = '%s' WHERE id = %llu", places[i],
                 (unsigned long long)lost);
        database(&f, text);
        f.q = queue_open(&f.settings, NULL);
        CHECK(f.q != NULL);
        CHECK(take(&f, &l));
        CHECK(l.envelope.id != lost);
        CHECK(!take(&f, &l));
        CHECK_EQUAL(queue_next_due(f.q), f.now + MINUTES(5));
        CHECK_EQUAL(figures(&f).messages, 2);
        f.now += MINUTES(5);
        CHECK(!take(&f, &l));
        fixture_end(&f);
    }
}

TEST(a_message_taken_out_of_the_database_by_hand_is_forgotten)
{
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example", 10);
    fixture_reopen(&f);
    database(&f, "DELETE FROM recipient; DELETE FROM message");
    CHECK(!take(&f, &l));
    CHECK_EQUAL(figures(&f).messages, 0);
    deposit(&f, "a.example", 10);
    database(&f, "DELETE FROM recipient; DELETE FROM message");
    CHECK(queue_lease(f.q, f.now, 0, &f.arena, &l));        /* that one was still in memory */
    settle(&f, &l, SETTLE_DELIVERED, 0, NULL);
    commit(&f);
    CHECK(!take(&f, &l));
    fixture_end(&f);
}

/* --- space ------------------------------------------------------------------------------ */

TEST(with_little_space_mail_is_refused_but_results_are_stored)
{
    struct answered a = { 0 }, big = { 0 }, s = { 0 };
    auto_buf struct buf body;
    struct incoming *in;
    struct error why = { 0 };
    struct fixture f;
    struct lease l;

    disk_install();
    fixture_begin(&f);
    f.settings.minimum_free = 1000000;
    fixture_reopen(&f);
    deposit(&f, "a.example", 10);
    CHECK(take(&f, &l));
    disk_set_free(999999);
    in = incoming_new(f.q);
    CHECK(!incoming_add(in, pattern(&body, 1, 100000), &why));
    CHECK_EQUAL(why.code, E_STORAGE_FULL);
    CHECK(!incoming_add(in, SLICE("more"), &why));
    CHECK_EQUAL(why.code, E_STORAGE_FULL);
    {
        struct queue_recipient to = { 0, "user@example.org", "example.org" };

        queue_accept(f.q, in, &(struct envelope){ .id = 5, .sender = "", .recipients = &to, .count = 1 },
                     note_answer, &big);
    }
    post(&f, "a.example", 10, &a);
    settle(&f, &l, SETTLE_DELIVERED, 0, &s);
    commit(&f);
    CHECK(a.count == 1 && !a.done && a.why.code == E_STORAGE_FULL);
    CHECK(big.count == 1 && !big.done && big.why.code == E_STORAGE_FULL);
    CHECK(s.count == 1 && s.done);
    disk_set_free(1000000);
    deposit(&f, "a.example", 10);
    f.settings.minimum_free = UINT64_MAX;       /* never more than an eighth */
    fixture_reopen(&f);
    disk_set_free((uint64_t)1 << 37);
    deposit(&f, "a.example", 10);
    disk_set_free(((uint64_t)1 << 37) - 1);
    post(&f, "a.example", 10, &a);
    commit(&f);
    CHECK(a.count == 2 && !a.done);
    disk_set_free(UINT64_MAX);
    fixture_end(&f);
}

TEST(a_result_that_cannot_be_stored_waits_without_haste)
{
    struct answered s = { 0 };
    struct fixture f;
    struct lease l, other;
    int groups = 0;

    disk_install();
    fixture_begin(&f);
    deposit(&f, "a.example", 10);
    CHECK(take(&f, &l));
    settle(&f, &l, SETTLE_DELIVERED, 0, &s);
    disk_fail(1, SIZE_MAX - 1, true);
    for (struct group *g; (g = queue_group(f.q)); groups++) {
        group_apply(g);
        queue_applied(f.q, g);
    }
    CHECK_EQUAL(groups, 1);
    CHECK_EQUAL(s.count, 0);
    CHECK(!take(&f, &other));                   /* the lease is still out */
    queue_revoke(f.q, l.number, f.now);
    CHECK(!take(&f, &other));
    queue_tend(f.q, f.now);
    commit(&f);
    CHECK_EQUAL(s.count, 0);
    disk_fail(0, 0, false);
    CHECK(queue_group(f.q) == NULL);            /* not before tend, or other mail */
    queue_tend(f.q, f.now);
    commit(&f);
    CHECK(s.count == 1 && s.done);
    CHECK_EQUAL(figures(&f).messages, 0);
    fixture_end(&f);
}

TEST(a_failed_sync_spoils_a_segment_for_what_was_not_stored)
{
    struct answered failed = { 0 }, under_way = { 0 }, after = { 0 };
    struct queue_recipient to = { 0, "user@example.org", "example.org" };
    auto_buf struct buf body;
    struct incoming *in;
    struct fixture f;
    struct error why;

    disk_install();
    fixture_begin(&f);
    deposit(&f, "a.example", 50000);            /* stored, in the same segment */
    in = incoming_new(f.q);
    CHECK_OK(incoming_add(in, pattern(&body, 1, 100000), &why), &why);
    post(&f, "a.example", 50000, &failed);
    disk_fail(1, 0, false);                     /* the next change is the sync */
    commit(&f);
    CHECK(disk_failed() && failed.count == 1 && !failed.done && failed.why.code == E_STORAGE);
    queue_accept(f.q, in, &(struct envelope){ .id = 5, .sender = "", .recipients = &to, .count = 1 }, note_answer,
                 &under_way);
    post(&f, "a.example", 50000, &after);       /* goes to another segment */
    commit(&f);
    CHECK(under_way.count == 1 && !under_way.done && under_way.why.code == E_STORAGE);
    CHECK(after.done);
    CHECK(segment_exists(&f, 2));
    CHECK_EQUAL(deliver_all(&f), 2);
    fixture_end(&f);
}

/* Counters by day: (Q11) of src/queue/README.md. */
#include "tests/queue/disk.h"
#include "tests/queue/fixture.h"

#include "base/memory.h"

#include <sqlite3.h>

static int64_t number(struct fixture *f, const char *text)
{
    char path[128];
    sqlite3_stmt *statement;
    sqlite3 *db;
    int64_t found;

    snprintf(path, sizeof path, "%s/queue.db", f->directory);
    CHECK_EQUAL(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_EQUAL(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
    CHECK_EQUAL(sqlite3_step(statement), SQLITE_ROW);
    found = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return found;
}

static void flush(struct fixture *f)
{
    queue_tally_flush(f->q);
    commit(f);
}

TEST(what_is_counted_adds_up_by_day_and_key)
{
    struct fixture f;

    fixture_begin(&f);
    CHECK_TEXT(tallies(&f, 10), "");
    tally(&f, 2, "b", 1);
    tally(&f, 1, "b", 10);
    tally(&f, 1, "a", 100);
    tally(&f, 2, "b", 1000);
    flush(&f);
    tally(&f, 2, "b", 3);
    tally(&f, UINT32_MAX, "a", 1);
    flush(&f);
    CHECK_TEXT(tallies(&f, 10), "1:a=100 1:b=10 2:b=1004 4294967295:a=1");
    CHECK_TEXT(tallies(&f, 1), "1:a=100 1:b=10 2:b=1004 4294967295:a=1");
    fixture_reopen(&f);
    CHECK_TEXT(tallies(&f, 3), "1:a=100 1:b=10 2:b=1004 4294967295:a=1");
    fixture_end(&f);
}

TEST(tallies_gather_until_they_are_flushed_and_want_no_group_before)
{
    struct fixture f;

    fixture_begin(&f);
    tally(&f, 1, "a", 1);
    CHECK(queue_group(f.q) == NULL);
    deposit(&f, "a.example", 10);               /* mail does not wait for them, nor carry them */
    CHECK_TEXT(tallies(&f, 10), "");
    queue_tally_flush(f.q);
    queue_tally_flush(f.q);
    commit(&f);
    CHECK_TEXT(tallies(&f, 10), "1:a=1");
    queue_tally_flush(f.q);                     /* nothing has gathered */
    CHECK(queue_group(f.q) == NULL);
    fixture_end(&f);
}

TEST(ten_thousand_equal_ones_are_one_row_written_once)
{
    size_t one, many;
    struct fixture f;

    disk_install();
    fixture_begin(&f);
    disk_record(f.directory);
    tally(&f, 1, "a", 1);
    flush(&f);
    one = disk_changes();
    for (int i = 0; i < 10000; i++)
        tally(&f, 1, "a", 1);
    flush(&f);
    many = disk_changes() - one;
    disk_stop();
    CHECK_TEXT(tallies(&f, 10), "1:a=10001");
    CHECK(many <= one);
    fixture_end(&f);
}

TEST(many_different_ones_are_counted_each)
{
    enum { KEYS = 5000 };
    struct fixture f;
    char key[16];

    fixture_begin(&f);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < KEYS; i++) {
            snprintf(key, sizeof key, "key%d", i);
            tally(&f, 7, key, 2);
        }
    flush(&f);
    CHECK_EQUAL(number(&f, "SELECT count(*) FROM tally"), KEYS);
    CHECK_EQUAL(number(&f, "SELECT count(*) FROM tally WHERE day = 7 AND count = 6"), KEYS);
    fixture_end(&f);
}

static void see_key(void *arg, const struct tally *t)
{
    struct slice *wanted = *(struct slice **)arg;

    CHECK(slice_equal(t->key, *wanted));
    ++*(struct slice **)arg;
}

TEST(a_key_may_have_any_bytes_and_the_longest_fits)
{
    static char longest[TALLY_KEY_MAX];
    struct slice wanted[] = { SLICE("a"), SLICE("a\0b"), SLICE("a\0c"), slice(longest, sizeof longest) }, *at = wanted;
    auto_buf struct buf after;
    struct fixture f;
    uint32_t day = 5;

    fixture_begin(&f);
    memset(longest, 0xff, sizeof longest);
    for (size_t i = 4; i-- > 0;)
        queue_tally(f.q, &(struct tally){ 5, wanted[i], 1 });
    flush(&f);
    buf_init(&after, TALLY_KEY_MAX);
    for (size_t left = 4; left > 0; left--)
        CHECK_EQUAL(queue_tally_list(f.q, &day, &after, 1, see_key, &at), 1);
    CHECK_EQUAL(queue_tally_list(f.q, &day, &after, 1, see_key, &at), 0);
    CHECK_EQUAL(day, 5);
    fixture_end(&f);
}

TEST(a_counter_at_its_end_stays_there)
{
    struct fixture f;

    fixture_begin(&f);
    tally(&f, 1, "in memory", UINT64_MAX);
    tally(&f, 1, "in memory", 1);
    tally(&f, 1, "on disk", INT64_MAX - 1);
    flush(&f);
    tally(&f, 1, "on disk", 5);
    tally(&f, 1, "in memory", INT64_MAX);
    flush(&f);
    CHECK_TEXT(tallies(&f, 10), "1:in memory=9223372036854775807 1:on disk=9223372036854775807");
    CHECK_EQUAL(number(&f, "SELECT count(*) FROM tally WHERE typeof(count) = 'integer'"), 2);
    fixture_end(&f);
}

TEST(old_days_are_forgotten_a_piece_with_each_group)
{
    struct fixture f;
    char key[16];
    int groups = 0;

    fixture_begin(&f);
    for (int i = 0; i < 25000; i++) {
        snprintf(key, sizeof key, "key%d", i);
        tally(&f, 10 + (uint32_t)i % 2, key, 1);
    }
    tally(&f, 12, "kept", 1);
    flush(&f);
    queue_tally_forget(f.q, 12);
    for (struct group *g; (g = queue_group(f.q)); groups++) {
        group_apply(g);
        queue_applied(f.q, g);
    }
    CHECK_EQUAL(groups, 3);
    CHECK_TEXT(tallies(&f, 10), "12:kept=1");
    queue_tally_forget(f.q, 12);
    commit(&f);
    queue_tally_forget(f.q, 0);
    commit(&f);
    CHECK_TEXT(tallies(&f, 10), "12:kept=1");
    fixture_end(&f);
}

TEST(what_could_not_be_stored_counts_on)
{
    struct fixture f;

    disk_install();
    fixture_begin(&f);
    tally(&f, 1, "a", 5);
    flush(&f);
    disk_fail(1, SIZE_MAX - 1, true);
    tally(&f, 1, "a", 10);
    flush(&f);
    tally(&f, 1, "a", 20);
    flush(&f);
    CHECK(disk_failed());
    CHECK_TEXT(tallies(&f, 10), "1:a=5");
    CHECK(queue_group(f.q) == NULL);            /* no haste: the next flush */
    disk_fail(0, 0, false);
    flush(&f);
    CHECK_TEXT(tallies(&f, 10), "1:a=35");
    fixture_end(&f);
}

TEST(what_gathers_is_bounded)
{
    struct fixture f;
    char key[TALLY_KEY_MAX + 1];

    fixture_begin(&f);
    memset(key, 'k', sizeof key);
    key[TALLY_KEY_MAX] = '\0';
    for (int i = 0; i < 20000; i++) {
        int digits = snprintf(key, sizeof key, "%d", i);

        key[digits] = 'k';
        tally(&f, 1, key, 1);
    }
    tally(&f, 1, "0" , 1);
    flush(&f);
    CHECK(number(&f, "SELECT count(*) FROM tally") < 17000);
    CHECK(number(&f, "SELECT count(*) FROM tally") > 10000);
    tally(&f, 2, "goes on", 1);
    flush(&f);
    CHECK_EQUAL(number(&f, "SELECT count FROM tally WHERE day = 2"), 1);
    fixture_end(&f);
}

TEST(what_has_gathered_when_the_queue_closes_is_gone_without_harm)
{
    struct fixture f;

    fixture_begin(&f);
    tally(&f, 1, "a", 1);
    queue_tally_flush(f.q);
    tally(&f, 1, "b", 1);
    fixture_reopen(&f);
    CHECK_TEXT(tallies(&f, 10), "");
    fixture_end(&f);
}

/* --- by prefix ------------------------------------------------------------- */

TEST(tallies_are_found_by_what_their_keys_begin_with)
{
    struct fixture f;

    fixture_begin(&f);
    for (const char *const *key = (const char *const[]){ "a", "ab", "ab1", "ab2", "abc", "b", "\xff", NULL }; *key; key++)
        for (uint32_t day = 4; day <= 6; day++)
            tally(&f, day, *key, day);
    flush(&f);
    for (size_t page = 1; page < 4; page++) {
        CHECK_TEXT(find_tallies(&f, 5, "ab", page), "5:ab=5 5:ab1=5 5:ab2=5 5:abc=5");
        CHECK_TEXT(find_tallies(&f, 5, "ab1", page), "5:ab1=5");
        CHECK_TEXT(find_tallies(&f, 5, "\xff", page), "5:\xff=5");
        CHECK_TEXT(find_tallies(&f, 5, "c", page), "");
        CHECK_TEXT(find_tallies(&f, 5, "", page), "5:a=5 5:ab=5 5:ab1=5 5:ab2=5 5:abc=5 5:b=5 5:\xff=5");
        CHECK_TEXT(find_tallies(&f, 7, "", page), "");
    }
    fixture_end(&f);
}

static void see_name(void *arg, const struct tally *t)
{
    snprintf(arg, 16, "%.*s", SLICE_ARGS(t->key));
}

/* So that a reader may leap from one domain to the next. */
TEST(the_place_behind_which_tallies_are_found_need_not_be_a_key)
{
    static const struct { const char *after, *prefix, *found; } cases[] = {
        { "", "b", "b1" }, { "a", "b", "b1" }, { "b1", "b", "b1x" }, { "b1\xff", "b", "b2" }, { "b2", "b", "" },
        { "b2\xff", "", "c" }, { "c", "b", "" }, { "\xff\xff", "", "" } };
    struct fixture f;

    fixture_begin(&f);
    for (const char *const *key = (const char *const[]){ "a", "b1", "b1x", "b2", "c", NULL }; *key; key++)
        tally(&f, 5, *key, 1);
    flush(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        auto_buf struct buf after;
        char found[16] = "";

        buf_init(&after, TALLY_KEY_MAX);
        buf_add(&after, slice_of(cases[i].after));
        queue_tally_find(f.q, 5, slice_of(cases[i].prefix), &after, 1, see_name, found);
        CHECK_TEXT(found, cases[i].found);
        CHECK_SLICE(buf_slice(&after), found[0] ? cases[i].found : cases[i].after);
    }
    fixture_end(&f);
}

/* --- too many keys ------------------------------------------------------------- */

/* `count` keys that begin with `kind`, from number `from`. */
static void crowd(struct fixture *f, uint32_t day, char kind, int from, int count)
{
    char key[16];

    for (int i = from; i < from + count; i++) {
        snprintf(key, sizeof key, "%c%d", kind, i);
        queue_tally(f->q, &(struct tally){ day, slice_of(key), 1, SLICE("rest") });
    }
}

static void check_full(struct fixture *f, uint32_t day, int rest)
{
    char text[96], wanted[64] = "";

    snprintf(text, sizeof text, "SELECT count(*) FROM tally WHERE day = %u AND substr(key, 1, 1) = x'6b'", day);
    CHECK_EQUAL(number(f, text), TALLY_KEYS_MAX);
    if (rest)
        snprintf(wanted, sizeof wanted, "%u:rest=%d", day, rest);
    CHECK_TEXT(find_tallies(f, day, "rest", 10), wanted);
}

TEST(a_day_has_so_many_keys_of_a_kind_and_the_others_count_under_their_rest)
{
    struct fixture f;

    fixture_begin(&f);
    crowd(&f, 7, 'k', 0, TALLY_KEYS_MAX - 5);
    flush(&f);
    crowd(&f, 7, 'k', TALLY_KEYS_MAX - 5, 10);          /* five fit */
    flush(&f);
    check_full(&f, 7, 5);
    crowd(&f, 7, 'k', 0, 3);                            /* those that have a place keep it */
    crowd(&f, 8, 'k', 0, 3);                            /* another day, */
    crowd(&f, 7, 'l', 0, 3);                            /* another kind */
    queue_tally(f.q, &(struct tally){ 7, SLICE("k and no rest"), 1 });
    flush(&f);
    check_full(&f, 7, 5);
    CHECK_TEXT(find_tallies(&f, 7, "k0", 10), "7:k0=2");
    CHECK_TEXT(find_tallies(&f, 8, "", 10), "8:k0=1 8:k1=1 8:k2=1");
    CHECK_TEXT(find_tallies(&f, 7, "l", 10), "7:l0=1 7:l1=1 7:l2=1");
    CHECK_TEXT(find_tallies(&f, 7, "k and", 10), "");
    fixture_reopen(&f);                                 /* what is known of the day is found again */
    crowd(&f, 7, 'k', TALLY_KEYS_MAX + 100, 20);
    flush(&f);
    check_full(&f, 7, 25);
    fixture_end(&f);
}

/* Even a rest that is as hostile as the keys: there is a little room for them, then none. */
TEST(rests_of_the_same_kind_are_bounded_as_well)
{
    struct fixture f;
    char key[16], rest[16];

    fixture_begin(&f);
    for (int i = 0; i < 2 * TALLY_KEYS_MAX; i++) {
        snprintf(key, sizeof key, "k%d", i);
        snprintf(rest, sizeof rest, "kr%d", i);
        queue_tally(f.q, &(struct tally){ 7, slice_of(key), 1, slice_of(rest) });
    }
    flush(&f);
    CHECK_EQUAL(number(&f, "SELECT count(*) FROM tally"), TALLY_KEYS_MAX + TALLY_KEYS_MAX / 10);
    fixture_end(&f);
}

/* What was rolled back takes no place, however often it was tried. */
TEST(keys_that_could_not_be_stored_take_no_place)
{
    struct fixture f;

    disk_install();
    fixture_begin(&f);
    crowd(&f, 7, 'k', 0, TALLY_KEYS_MAX - 50);
    flush(&f);
    for (int i = 0; i < 5; i++) {
        disk_fail(1, SIZE_MAX - 1, true);
        crowd(&f, 7, 'k', TALLY_KEYS_MAX - 50 + 10 * i, 10);
        flush(&f);
        CHECK(disk_failed());
        disk_fail(0, 0, false);
    }
    flush(&f);
    check_full(&f, 7, 0);
    crowd(&f, 7, 'k', TALLY_KEYS_MAX, 1);
    flush(&f);
    check_full(&f, 7, 1);
    fixture_end(&f);
}

TEST(more_days_and_kinds_than_are_remembered_are_counted_as_well)
{
    struct fixture f;
    char key[] = "?1";

    fixture_begin(&f);
    for (int round = 0; round < 2; round++)
        for (uint32_t day = 0; day < 10; day++)
            for (key[0] = 'a'; key[0] <= 'z'; key[0]++) {
                key[1] = (char)('1' + round);
                tally(&f, day, key, 1);
            }
    flush(&f);
    CHECK_EQUAL(number(&f, "SELECT count(*) FROM tally WHERE count = 1"), 2 * 10 * 26);
    fixture_end(&f);
}

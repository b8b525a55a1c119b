/* Queues that an older postern made: each version's tables as it left them. */
#include "tests/queue/fixture.h"

#include "base/memory.h"

#include <sqlite3.h>
#include <sys/stat.h>

static void database(const char *directory, const char *text)
{
    char path[128], *why = NULL;
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/queue.db", directory);
    CHECK_EQUAL(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    sqlite3_close(db);
}

static void segment(const char *directory, unsigned number, char byte, size_t size)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof path, "%s/segments", directory);
    CHECK(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/segments/%08u.body", directory, number);
    out = fopen(path, "w");
    CHECK(out != NULL);
    while (size-- > 0)
        fputc(byte, out);
    CHECK(fclose(out) == 0);
}

/* A dump of what version 1 wrote: a message to two, one of them deferred, and a large one. */
static const char version_1[] =
    "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; BEGIN;"
    "CREATE TABLE body( message INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "INSERT INTO body VALUES(7,X'5375626A6563743A206F6C640D0A0D0A68656C6C6F0D0A');"
    "CREATE TABLE message( id INTEGER PRIMARY KEY, sender TEXT NOT NULL, arrived INTEGER NOT NULL,"
    " size INTEGER NOT NULL, eight_bit INTEGER NOT NULL, held INTEGER NOT NULL, delay_told INTEGER NOT NULL,"
    " origin TEXT NOT NULL, body TEXT NOT NULL);"
    "INSERT INTO message VALUES(7,'sender@example.org',1700000000000,23,1,0,1,"
    "'client.example.org[192.0.2.7] ESMTPS TLSv1.3','inline');"
    "INSERT INTO message VALUES(8,'sender@example.org',1700000000001,40000,1,0,0,"
    "'client.example.org[192.0.2.7] ESMTPS TLSv1.3','1:0:40000');"
    "CREATE TABLE recipient( message INTEGER NOT NULL, number INTEGER NOT NULL, destination TEXT NOT NULL,"
    " due INTEGER NOT NULL, attempts INTEGER NOT NULL, first_attempt INTEGER NOT NULL, last_attempt INTEGER NOT NULL,"
    " address TEXT NOT NULL, status TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY(message, number)) WITHOUT ROWID;"
    "INSERT INTO recipient VALUES(7,0,'a.example',1700000300000,1,1700000001000,1700000001000,'user@a.example',"
    "'4.4.1','no route');"
    "INSERT INTO recipient VALUES(7,1,'b.example',1700000000000,0,0,0,'user@b.example','','');"
    "INSERT INTO recipient VALUES(8,0,'a.example',1700000000001,0,0,0,'user@a.example','','');"
    "PRAGMA user_version = 1; COMMIT;";

static void begin_with(struct fixture *f, const char *dump)
{
    struct error why = { 0 };

    *f = (struct fixture){ .settings = { .directory = f->directory, .slots = 1, .per_destination = 100 },
                           .now = SECONDS(1700000400) };
    fixture_directory(f->directory);
    arena_init(&f->arena, 16 * 1024 * 1024);
    database(f->directory, dump);
    segment(f->directory, 1, 'x', 40000);
    f->q = queue_open(&f->settings, &why);
    if (!f->q)
        fail_msg("%s", why.text);
}

static void see_old(void *arg, const struct queue_view *v)
{
    CHECK_EQUAL(v->envelope.tls, TLS_AS_USUAL);
    ++*(size_t *)arg;
}

TEST(a_queue_of_version_1_is_opened_and_its_mail_goes_as_usual)
{
    size_t seen = 0, inline_ones = 0, large_ones = 0;
    message_id after = 0;
    int64_t number = -1;
    struct fixture f;
    struct lease l;

    begin_with(&f, version_1);
    CHECK_EQUAL(queue_list(f.q, &after, &number, 100, see_old, &seen), 3);
    CHECK_EQUAL(seen, 3);
    while (queue_lease(f.q, f.now, 0, &f.arena, &l)) {
        CHECK_EQUAL(l.envelope.tls, TLS_AS_USUAL);
        CHECK_TEXT(l.envelope.sender, "sender@example.org");
        CHECK(l.envelope.eight_bit && l.envelope.count == 1);
        if (l.envelope.id == 7) {
            bool deferred = strcmp(l.destination, "a.example") == 0;

            inline_ones++;
            CHECK_SLICE(l.body, "Subject: old\r\n\r\nhello\r\n");
            CHECK(l.delay_told);
            CHECK_EQUAL(l.attempts, deferred ? 1 : 0);
            CHECK_EQUAL(l.first_attempt, deferred ? 1700000001000 : 0);
        } else {
            large_ones++;
            CHECK_EQUAL(l.body.len, 40000);
            CHECK(l.body.at[0] == 'x' && l.body.at[39999] == 'x');
        }
        settle(&f, &l, SETTLE_DELIVERED, 0, NULL);
    }
    CHECK(inline_ones == 2 && large_ones == 1);
    commit(&f);
    CHECK_EQUAL(figures(&f).messages, 0);
    fixture_end(&f);
}

TEST(a_queue_of_version_1_takes_all_that_is_new)
{
    struct fixture f;
    struct lease l;
    bool found = false;

    begin_with(&f, version_1);
    f.tls = TLS_REQUIRED;
    deposit(&f, "c.example", 100);
    put_note(&f, 1, "example.org", 5, "policy", NULL);
    tally(&f, 20000, "delivered", 3);
    queue_tally_flush(f.q);
    commit(&f);
    fixture_reopen(&f);
    CHECK_TEXT(note_value(&f, 1, "example.org"), "policy");
    CHECK_TEXT(tallies(&f, 10), "20000:delivered=3");
    while (queue_lease(f.q, f.now, 0, &f.arena, &l)) {
        bool ours = strcmp(l.destination, "c.example") == 0;

        found |= ours;
        CHECK_EQUAL(l.envelope.tls, ours ? TLS_REQUIRED : TLS_AS_USUAL);
    }
    CHECK(found);
    fixture_end(&f);
}

/* Killed between two migrations, or in one: SQLite undoes it, and the next start does it again. */
TEST(a_migration_that_cannot_be_made_leaves_the_queue_as_it_was)
{
    struct fixture f;
    struct error why;

    begin_with(&f, version_1);
    queue_close(f.q);
    database(f.directory, "DROP TABLE note; DROP TABLE tally; ALTER TABLE message DROP COLUMN tls;"
                          "CREATE TABLE tally(in_the_way INTEGER); PRAGMA user_version = 1");
    f.q = queue_open(&f.settings, &why);
    CHECK(f.q == NULL);
    CHECK_EQUAL(why.code, E_STORAGE);
    CHECK(strstr(why.text, "to version 2") != NULL);
    database(f.directory, "DROP TABLE tally");      /* the column tls is not there either, or it could not be added */
    f.q = queue_open(&f.settings, &why);
    CHECK(f.q != NULL);
    CHECK_EQUAL(figures(&f).messages, 2);
    fixture_end(&f);
}

/* (P2) What nobody here could have written must not lower the floor. */
TEST(a_wish_about_tls_that_is_not_known_counts_as_required)
{
    const int strange[] = { 4, -1, 99 };
    struct fixture f;
    struct lease l;

    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        char text[64];

        begin_with(&f, version_1);
        queue_close(f.q);
        snprintf(text, sizeof text, "UPDATE message SET tls = %d", strange[i]);
        database(f.directory, text);
        f.q = queue_open(&f.settings, NULL);
        CHECK(f.q != NULL);
        CHECK(queue_lease(f.q, f.now, 0, &f.arena, &l));
        CHECK_EQUAL(l.envelope.tls, TLS_REQUIRED);
        fixture_end(&f);
    }
}

#include "queue/engine/sqlite.h"

#include "base/memory.h"
#include "queue/engine/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

/* Each brings the database from one version to the next; the number of those
 * applied is in user_version. Never change one, add another. */
static const char *const migrations[] = {
    "CREATE TABLE message("
    " id INTEGER PRIMARY KEY,"
    " sender TEXT NOT NULL,"
    " arrived INTEGER NOT NULL,"        /* ms since 1970, as all times here; 0 is never */
    " size INTEGER NOT NULL,"
    " eight_bit INTEGER NOT NULL,"
    " held INTEGER NOT NULL,"
    " delay_told INTEGER NOT NULL,"
    " origin TEXT NOT NULL,"
    " body TEXT NOT NULL);"             /* 'inline', or 'segment:offset:length ...' */
    "CREATE TABLE recipient("
    " message INTEGER NOT NULL,"
    " number INTEGER NOT NULL,"
    " destination TEXT NOT NULL,"
    " due INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL,"
    " first_attempt INTEGER NOT NULL,"
    " last_attempt INTEGER NOT NULL,"
    " address TEXT NOT NULL,"
    " status TEXT NOT NULL,"
    " why TEXT NOT NULL,"
    " PRIMARY KEY(message, number)) WITHOUT ROWID;"
    "CREATE TABLE body("
    " message INTEGER PRIMARY KEY,"
    " data BLOB NOT NULL);",

    "ALTER TABLE message ADD COLUMN tls INTEGER NOT NULL DEFAULT 0;"       /* enum tls_request */
    "CREATE TABLE note("
    " kind INTEGER NOT NULL,"
    " key TEXT NOT NULL,"
    " due INTEGER NOT NULL,"
    " value BLOB NOT NULL,"
    " UNIQUE(kind, key));"
    "CREATE INDEX note_due ON note(kind, due, key);"    /* with the key: whose it is shows without its row */
    "CREATE TABLE tally("
    " day INTEGER NOT NULL,"            /* since 1970 */
    " key BLOB NOT NULL,"
    " count INTEGER NOT NULL,"
    " PRIMARY KEY(day, key)) WITHOUT ROWID;",
};

enum { VERSION = sizeof migrations / sizeof *migrations };

#define ROW_COLUMNS                                                                                         \
    "SELECT m.id, m.sender, m.arrived, m.size, m.eight_bit, m.held, m.delay_told, m.origin,"                \
    " r.number, r.destination, r.due, r.attempts, r.first_attempt, r.last_attempt, r.address, r.status, r.why," \
    " m.tls"                                                                                                \
    " FROM recipient r JOIN message m ON m.id = r.message "

static const char *const sql[ALL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_MARK] = "SAVEPOINT member",
    [SQL_KEEP] = "RELEASE member",
    [SQL_UNDO] = "ROLLBACK TO member",
    [SQL_PUT_MESSAGE] = "INSERT INTO message(id, sender, arrived, size, eight_bit, held, delay_told, origin, body, tls)"
                        " VALUES(?1, ?2, ?3, ?4, ?5, 0, 0, ?6, ?7, ?8)",
    [SQL_PUT_RECIPIENT] = "INSERT INTO recipient(message, number, address, destination, due, attempts, first_attempt,"
                          " last_attempt, status, why) VALUES(?1, ?2, ?3, ?4, ?5, 0, 0, 0, '', '')",
    [SQL_PUT_BODY] = "INSERT INTO body(message, data) VALUES(?1, ?2)",
    [SQL_END_RECIPIENT] = "DELETE FROM recipient WHERE message = ?1 AND number = ?2 AND destination = ?3",
    [SQL_DEFER_RECIPIENT] =
        "UPDATE recipient SET destination = ?4, due = ?5,"
        " status = CASE WHEN ?6 = '' THEN status ELSE ?6 END, why = CASE WHEN ?6 = '' THEN why ELSE ?7 END,"
        " attempts = attempts + (?8 > 0), last_attempt = max(last_attempt, ?8),"
        " first_attempt = CASE WHEN first_attempt = 0 THEN ?8 ELSE first_attempt END"
        " WHERE message = ?1 AND number = ?2 AND destination = ?3",
    [SQL_TELL_DELAY] = "UPDATE message SET delay_told = 1 WHERE id = ?1",
    [SQL_FINISH] = "DELETE FROM message WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = ?1)"
                   " RETURNING size, body",
    [SQL_DROP_BODY] = "DELETE FROM body WHERE message = ?1",
    [SQL_PICK] = "SELECT id FROM message WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3",
    [SQL_RETRY] = "UPDATE recipient SET due = ?3 WHERE message BETWEEN ?1 AND ?2",
    [SQL_HOLD] = "UPDATE message SET held = ?3 WHERE id BETWEEN ?1 AND ?2",
    [SQL_REMOVE_RECIPIENTS] = "DELETE FROM recipient WHERE message BETWEEN ?1 AND ?2",
    [SQL_REMOVE_BODIES] = "DELETE FROM body WHERE message BETWEEN ?1 AND ?2",
    [SQL_REMOVE_MESSAGES] = "DELETE FROM message WHERE id BETWEEN ?1 AND ?2 RETURNING size, body",
    [SQL_MOVE] = "UPDATE message SET body = ?2 WHERE id = ?1 AND body = ?3",
    [SQL_PUT_NOTE] = "INSERT INTO note(kind, key, due, value) VALUES(?1, ?2, ?3, ?4)"
                     " ON CONFLICT(kind, key) DO UPDATE SET due = excluded.due, value = excluded.value",
    [SQL_REMOVE_NOTE] = "DELETE FROM note WHERE kind = ?1 AND key = ?2",
    [SQL_FORGET_NOTES] = "DELETE FROM note WHERE rowid IN"
                         " (SELECT rowid FROM note WHERE kind = ?1 AND due <= ?2 ORDER BY due, key LIMIT ?3)",
    /* A sum past 64 bits would become a floating-point number. */
    [SQL_ADD_TALLY] = "UPDATE tally SET count = count + min(?3, 9223372036854775807 - count) WHERE day = ?1 AND key = ?2",
    [SQL_NEW_TALLY] = "INSERT INTO tally(day, key, count) VALUES(?1, ?2, ?3)",
    [SQL_COUNT_TALLIES] = "SELECT count(*) FROM tally WHERE day = ?1 AND key BETWEEN ?2 AND ?3",
    [SQL_FORGET_TALLIES] = "DELETE FROM tally WHERE (day, key) IN"
                           " (SELECT day, key FROM tally WHERE day < ?1 ORDER BY day, key LIMIT ?2)",
    [SQL_LOAD_MESSAGES] = "SELECT id, size, held, body FROM message ORDER BY id",
    [SQL_LOAD_RECIPIENTS] = "SELECT message, destination, due FROM recipient ORDER BY message, number",
    [SQL_ROWS] = ROW_COLUMNS "WHERE (r.message, r.number) > (?1, ?2) ORDER BY r.message, r.number LIMIT ?3",
    [SQL_ROWS_OF_ONE] = ROW_COLUMNS "WHERE r.message = ?1 AND r.number > ?2 ORDER BY r.number LIMIT ?3",
    [SQL_PLACE] = "SELECT body FROM message WHERE id = ?1",
    [SQL_BODY] = "SELECT data FROM body WHERE message = ?1",
    [SQL_PLACES] = "SELECT id, body FROM message WHERE id > ?1 ORDER BY id LIMIT ?2",
    [SQL_OLDEST] = "SELECT arrived FROM message ORDER BY id LIMIT 1",
    [SQL_FIND_NOTE] = "SELECT kind, key, due, value FROM note WHERE kind = ?1 AND key = ?2",
    [SQL_LIST_NOTES] = "SELECT kind, key, due, value FROM note WHERE kind = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
    [SQL_DUE_NOTES] = "SELECT kind, key, due, value FROM note WHERE kind = ?1 AND due <= ?2"
                      " AND (?4 = 4294967295 OR slot_of(key, ?3) = ?4) ORDER BY due, key LIMIT ?5",
    [SQL_LIST_TALLIES] = "SELECT day, key, count FROM tally WHERE (day, key) > (?1, ?2) ORDER BY day, key LIMIT ?3",
    [SQL_FIND_TALLIES] = "SELECT day, key, count FROM tally WHERE day = ?1 AND key >= ?2 AND key <> ?3 ORDER BY key"
                         " LIMIT ?4",
};

/* --- errors ------------------------------------------------------------- */

static bool *sickness(struct sqlite *s, sqlite3 *db)
{
    return db == s->writer ? &s->writer_sick : &s->reader_sick;
}

/* Whether the disk is full, the request is at fault, or the database is ill
 * and better opened anew. */
static bool sqlite_fail(struct sqlite *s, sqlite3 *db, struct error *why)
{
    int code = sqlite3_extended_errcode(db), cause = sqlite3_system_errno(db);
    enum error_code meaning = E_STORAGE;

    switch (code & 0xff) {
    case SQLITE_FULL:
        meaning = E_STORAGE_FULL;
        break;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        meaning = E_USAGE;
        break;
    case SQLITE_IOERR:
        if (cause == ENOSPC || cause == EDQUOT)
            meaning = E_STORAGE_FULL;
        *sickness(s, db) = true;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
        *sickness(s, db) = true;
        break;
    }
    return fail(why, meaning, "queue.db: %s (%d)", sqlite3_errmsg(db), code);
}

/* --- statements ----------------------------------------------------------- */

static void finalize(struct sqlite *s, enum statement from, enum statement to)
{
    for (int i = (int)from; i < (int)to; i++) {
        sqlite3_finalize(s->prepared[i]);
        s->prepared[i] = NULL;
    }
}

static bool run_text(struct sqlite *s, sqlite3 *db, const char *text, struct error *why)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_fail(s, db, why);
    return true;
}

/* A full sync at each commit: P1. */
static const char writer_settings[] = "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;"
                                      "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;"
                                      "PRAGMA cache_size = -32768;";
static const char reader_settings[] = "PRAGMA query_only = 1; PRAGMA cache_size = -8192;";

static bool connect(struct sqlite *s, sqlite3 **db, const char *settings, struct error *why)
{
    if (sqlite3_open_v2(s->path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        if (!*db)
            return fail(why, E_STORAGE, "queue.db: no memory for a connection");
        sqlite_fail(s, *db, why);
        sqlite3_close(*db);
        *db = NULL;
        return false;
    }
    sqlite3_extended_result_codes(*db, 1);
    sqlite3_busy_timeout(*db, 5000);        /* for people with the sqlite3 shell */
    if (!notes_define(*db))
        return sqlite_fail(s, *db, why);
    return run_text(s, *db, settings, why);
}

/* Close and open again what an I/O error has left in doubt. */
static bool recover(struct sqlite *s, bool reader, struct error *why)
{
    sqlite3 **db = reader ? &s->reader : &s->writer;

    if (!*sickness(s, *db) && *db)
        return true;
    finalize(s, reader ? WRITER_STATEMENTS : 0, reader ? ALL_STATEMENTS : WRITER_STATEMENTS);
    sqlite3_close(*db);
    *db = NULL;
    if (!connect(s, db, reader ? reader_settings : writer_settings, why))
        return false;
    *sickness(s, *db) = false;
    return true;
}

static sqlite3_stmt *prepare(struct sqlite *s, enum statement which, struct error *why)
{
    bool reader = which >= WRITER_STATEMENTS;
    sqlite3 *db;

    /* The writer recovers only between transactions: in begin(). */
    if ((reader || which == SQL_BEGIN) && !recover(s, reader, why))
        return NULL;
    db = reader ? s->reader : s->writer;
    if (!db) {
        fail(why, E_STORAGE, "queue.db: not open");
        return NULL;
    }
    if (!s->prepared[which] &&
        sqlite3_prepare_v3(db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, &s->prepared[which], NULL) != SQLITE_OK) {
        sqlite_fail(s, db, why);
        return NULL;
    }
    return s->prepared[which];
}

sqlite3_stmt *sqlite_bind(struct sqlite *s, enum statement which, struct error *why, const char *types, ...)
{
    sqlite3_stmt *statement = prepare(s, which, why);
    va_list values;

    if (!statement)
        return NULL;
    va_start(values, types);
    for (int i = 0; types[i]; i++) {
        if (types[i] == 'i') {
            sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t));
        } else if (types[i] == 't') {
            sqlite3_bind_text(statement, i + 1, va_arg(values, const char *), -1, SQLITE_STATIC);
        } else {
            struct slice blob = va_arg(values, struct slice);

            sqlite3_bind_blob64(statement, i + 1, blob.at, blob.len, SQLITE_STATIC);
        }
    }
    va_end(values);
    return statement;
}

void sqlite_done(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

bool sqlite_step(struct sqlite *s, sqlite3_stmt *statement, struct error *why)
{
    int code = sqlite3_step(statement);

    if (code == SQLITE_ROW)
        return true;
    if (code == SQLITE_DONE)
        why->code = E_NONE;
    else
        sqlite_fail(s, sqlite3_db_handle(statement), why);
    sqlite_done(statement);
    return false;
}

bool sqlite_run(struct sqlite *s, sqlite3_stmt *statement, struct error *why)
{
    struct error reason = { 0 };

    if (!statement)
        return false;
    while (sqlite_step(s, statement, &reason))
        ;
    if (reason.code != E_NONE && why)
        *why = reason;
    return reason.code == E_NONE;
}

/* --- transactions ---------------------------------------------------------- */

static bool begin(struct engine *e, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    buf_clear(&s->plan.freed);
    return sqlite_run(s, sqlite_bind(s, SQL_BEGIN, why, ""), why);
}

static bool commit(struct engine *e, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    housekeeping_rows(s);
    if (!sqlite_run(s, sqlite_bind(s, SQL_COMMIT, why, ""), why))
        return false;
    s->plan.committed = true;
    housekeeping_unlink(s);
    return true;
}

static void rollback(struct engine *e)
{
    struct sqlite *s = sqlite_of(e);

    buf_clear(&s->plan.freed);
    /* Some failures have ended the transaction already. */
    if (s->writer && !sqlite3_get_autocommit(s->writer) && !sqlite_run(s, sqlite_bind(s, SQL_ROLLBACK, NULL, ""), NULL))
        s->writer_sick = true;
}

static bool mark(struct engine *e, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    s->plan.freed_mark = buf_len(&s->plan.freed);
    return sqlite_run(s, sqlite_bind(s, SQL_MARK, why, ""), why);
}

static bool keep(struct engine *e, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    return sqlite_run(s, sqlite_bind(s, SQL_KEEP, why, ""), why);
}

static bool undo(struct engine *e)
{
    struct sqlite *s = sqlite_of(e);

    s->plan.freed.end = s->plan.freed.start + s->plan.freed_mark;
    return !sqlite3_get_autocommit(s->writer) && sqlite_run(s, sqlite_bind(s, SQL_UNDO, NULL, ""), NULL) &&
           keep(e, NULL);
}

/* --- opening --------------------------------------------------------------- */

static bool read_number(struct sqlite *s, const char *text, int64_t *number, struct error *why)
{
    sqlite3_stmt *statement;
    bool done;

    if (sqlite3_prepare_v2(s->writer, text, -1, &statement, NULL) != SQLITE_OK)
        return sqlite_fail(s, s->writer, why);
    done = sqlite3_step(statement) == SQLITE_ROW;
    *number = done ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return done || sqlite_fail(s, s->writer, why);
}

static bool migrate(struct sqlite *s, struct error *why)
{
    int64_t version;

    if (!read_number(s, "PRAGMA user_version", &version, why))
        return false;
    if (version < 0 || version > VERSION)
        return fail(why, E_STORAGE_VERSION,
                    "queue.db has version %lld, made by a newer postern; this one knows versions up to %d",
                    (long long)version, VERSION);
    for (; version < VERSION; version++) {
        char done[64];

        snprintf(done, sizeof done, "PRAGMA user_version = %d; COMMIT", (int)version + 1);
        if (!run_text(s, s->writer, "BEGIN IMMEDIATE", why) ||
            !run_text(s, s->writer, migrations[version], why) || !run_text(s, s->writer, done, why))
            return blame(why, "bringing queue.db to version %d", (int)version + 1);
    }
    return true;
}

static bool open_database(struct sqlite *s, struct error *why)
{
    /* Made here, not by SQLite, so that nobody else can read it; its companions take after it. */
    int fd = openat(s->directory, "queue.db", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int64_t is_wal;

    if (fd < 0)
        return io_fail(why, "queue.db");
    close(fd);
    if (sqlite3_threadsafe() == 0)
        return fail(why, E_STORAGE, "this SQLite was built without threads");
    if (!connect(s, &s->writer, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;", why) ||
        !run_text(s, s->writer, writer_settings, why) ||
        !read_number(s, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &is_wal, why))
        return false;
    if (!is_wal)
        return fail(why, E_STORAGE, "queue.db: no write-ahead log on this file system");
    return migrate(s, why) && connect(s, &s->reader, reader_settings, why);
}

static bool open_directory(struct sqlite *s, const char *directory, struct error *why)
{
    s->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->directory < 0)
        return io_fail(why, "open");
    s->lock = lock_take(s->directory, why);
    if (s->lock < 0 || !open_database(s, why) || !segments_open(&s->segments, s->directory, why))
        return false;
    if (io.sync_directory(s->directory) != 0)
        return io_fail(why, "sync");
    return true;
}

static void engine_close(struct engine *e)
{
    struct sqlite *s = sqlite_of(e);

    housekeeping_close(s);
    finalize(s, 0, ALL_STATEMENTS);
    sqlite3_close(s->reader);
    sqlite3_close(s->writer);
    segments_close(&s->segments);
    buf_done(&s->plan.freed);
    if (s->lock >= 0)
        close(s->lock);
    if (s->directory >= 0)
        close(s->directory);
    free(s->path);
    free(s);
}

static const struct engine_class sqlite_class = {
    .close = engine_close,
    .has_room = bodies_has_room,
    .spill = bodies_spill,
    .precede = bodies_precede,
    .drop = bodies_drop,
    .plan = bodies_plan,
    .write = bodies_write,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .mark = mark,
    .keep = keep,
    .undo = undo,
    .put = rows_put,
    .settle = rows_settle,
    .tell_delay = rows_tell_delay,
    .finish = rows_finish,
    .pick = rows_pick,
    .operate = rows_operate,
    .put_note = notes_put,
    .forget_notes = notes_forget,
    .add_tally = tallies_add,
    .new_tally = tallies_new,
    .count_tallies = tallies_count,
    .forget_tallies = tallies_forget,
    .applied = bodies_applied,
    .tend = housekeeping_tend,
    .load = reading_load,
    .rows = reading_rows,
    .body_open = reading_body_open,
    .body_read = reading_body_read,
    .body_close = reading_body_close,
    .find_note = notes_find,
    .list_notes = notes_list,
    .due_notes = notes_due,
    .list_tallies = tallies_list,
    .find_tallies = tallies_find,
    .figures = reading_figures,
};

struct engine *engine_sqlite_open(const char *directory, struct error *why)
{
    struct sqlite *s = NEW(struct sqlite);
    auto_buf struct buf path;

    s->engine.class = &sqlite_class;
    s->directory = s->lock = s->segments.directory = -1;
    buf_init(&s->plan.freed, SIZE_MAX / 2);
    buf_init(&path, SIZE_MAX / 2);
    buf_text(&path, "%s/queue.db", directory);
    s->path = memory_text(buf_slice(&path));
    if (open_directory(s, directory, why))
        return &s->engine;
    blame(why, "queue in %s", directory);
    engine_close(&s->engine);
    return NULL;
}

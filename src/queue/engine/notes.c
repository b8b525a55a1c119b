#include "queue/engine/sqlite.h"

#include "queue/schedule.h"

/* slot_of(key, slots): which slot a note belongs to is computed, not stored,
 * because the number of slots is a setting. */
static void slot_of(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *key = (const char *)sqlite3_value_text(values[0]);
    int64_t slots = sqlite3_value_int64(values[1]);

    if (slots > 0)
        sqlite3_result_int64(context, schedule_slot(slice_of(key), (unsigned)slots));
}

bool notes_define(sqlite3 *db)
{
    return sqlite3_create_function_v2(db, "slot_of", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                                      slot_of, NULL, NULL, NULL) == SQLITE_OK;
}

/* --- writing ---------------------------------------------------------------- */

bool notes_put(struct engine *e, const struct note *n, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    sqlite3_stmt *statement =
        slice_empty(n->value)
            ? sqlite_bind(s, SQL_REMOVE_NOTE, why, "it", (int64_t)n->kind, n->key)
            : sqlite_bind(s, SQL_PUT_NOTE, why, "itib", (int64_t)n->kind, n->key, (int64_t)n->due, n->value);

    return sqlite_run(s, statement, why) || blame(why, "note on %s", n->key);
}

bool notes_forget(struct engine *e, uint8_t kind, time_ms now, size_t limit, size_t *count, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    if (!sqlite_run(s, sqlite_bind(s, SQL_FORGET_NOTES, why, "iii", (int64_t)kind, (int64_t)now, (int64_t)limit), why))
        return false;
    *count = (size_t)sqlite3_changes64(s->writer);
    return true;
}

static bool change_tally(struct sqlite *s, enum statement which, const struct tally *t, struct error *why)
{
    return sqlite_run(s, sqlite_bind(s, which, why, "ibi", (int64_t)t->day, t->key, (int64_t)t->count), why) ||
           blame(why, "tally");
}

bool tallies_add(struct engine *e, const struct tally *t, bool *found, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    if (!change_tally(s, SQL_ADD_TALLY, t, why))
        return false;
    *found = sqlite3_changes64(s->writer) > 0;
    return true;
}

bool tallies_new(struct engine *e, const struct tally *t, struct error *why)
{
    return change_tally(sqlite_of(e), SQL_NEW_TALLY, t, why);
}

bool tallies_count(struct engine *e, uint32_t day, uint8_t first, uint64_t *count, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    char last[1 + TALLY_KEY_MAX];       /* no key is behind it, and has this first byte */
    sqlite3_stmt *statement;
    struct error reason = { 0 };

    memset(last, 0xff, sizeof last);
    last[0] = (char)first;
    statement = sqlite_bind(s, SQL_COUNT_TALLIES, why, "ibb", (int64_t)day, slice(last, 1), slice(last, sizeof last));
    if (!statement)
        return false;
    while (sqlite_step(s, statement, &reason))
        *count = (uint64_t)sqlite3_column_int64(statement, 0);
    if (reason.code != E_NONE && why)
        *why = reason;
    return reason.code == E_NONE;
}

bool tallies_forget(struct engine *e, uint32_t day, size_t limit, size_t *count, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    if (!sqlite_run(s, sqlite_bind(s, SQL_FORGET_TALLIES, why, "ii", (int64_t)day, (int64_t)limit), why))
        return false;
    *count = (size_t)sqlite3_changes64(s->writer);
    return true;
}

/* --- reading ------------------------------------------------------------------- */

static struct slice blob(sqlite3_stmt *row, int column)
{
    const void *bytes = sqlite3_column_blob(row, column);

    return slice(bytes ? bytes : "", bytes ? (size_t)sqlite3_column_bytes(row, column) : 0);
}

/* Of a SELECT kind, key, due, value. */
static bool give_notes(struct sqlite *s, sqlite3_stmt *statement, note_each *each, void *arg, struct error *why)
{
    struct error reason = { 0 };

    if (!statement)
        return false;
    while (sqlite_step(s, statement, &reason)) {
        struct note n = {
            .kind = (uint8_t)sqlite3_column_int(statement, 0),
            .key = (const char *)sqlite3_column_text(statement, 1),
            .due = sqlite3_column_int64(statement, 2),
            .value = blob(statement, 3),
        };

        each(arg, &n);
    }
    if (reason.code != E_NONE && why)
        *why = reason;
    return reason.code == E_NONE;
}

static int64_t most(size_t limit)
{
    return limit < INT64_MAX ? (int64_t)limit : INT64_MAX;
}

bool notes_find(struct engine *e, uint8_t kind, const char *key, note_each *each, void *arg, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    return give_notes(s, sqlite_bind(s, SQL_FIND_NOTE, why, "it", (int64_t)kind, key), each, arg, why);
}

bool notes_list(struct engine *e, uint8_t kind, const char *after, size_t limit, note_each *each, void *arg,
                struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    return give_notes(s, sqlite_bind(s, SQL_LIST_NOTES, why, "iti", (int64_t)kind, after, most(limit)), each, arg, why);
}

bool notes_due(struct engine *e, uint8_t kind, unsigned slot, unsigned slots, time_ms now, size_t limit,
               note_each *each, void *arg, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    sqlite3_stmt *statement = sqlite_bind(s, SQL_DUE_NOTES, why, "iiiii", (int64_t)kind, (int64_t)now, (int64_t)slots,
                                          (int64_t)slot, most(limit));

    return give_notes(s, statement, each, arg, why);
}

/* Of a SELECT day, key, count, by key; not those behind the last that begins with `prefix`. */
static bool give_tallies(struct sqlite *s, sqlite3_stmt *statement, struct slice prefix, engine_each_tally *each,
                         void *arg, struct error *why)
{
    struct error reason = { 0 };

    if (!statement)
        return false;
    while (sqlite_step(s, statement, &reason)) {
        struct tally t = {
            .day = (uint32_t)sqlite3_column_int64(statement, 0),
            .key = blob(statement, 1),
            .count = (uint64_t)sqlite3_column_int64(statement, 2),
        };

        if (!slice_starts(t.key, prefix)) {
            sqlite_done(statement);
            break;
        }
        each(arg, &t);
    }
    if (reason.code != E_NONE && why)
        *why = reason;
    return reason.code == E_NONE;
}

bool tallies_list(struct engine *e, uint32_t day, struct slice after, size_t limit, engine_each_tally *each, void *arg,
                  struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    sqlite3_stmt *statement = sqlite_bind(s, SQL_LIST_TALLIES, why, "ibi", (int64_t)day, after, most(limit));

    return give_tallies(s, statement, slice("", 0), each, arg, why);
}

/* As SQLite compares blobs. */
static bool is_behind(struct slice one, struct slice other)
{
    size_t both = one.len < other.len ? one.len : other.len;
    int order = both ? memcmp(one.at, other.at, both) : 0;

    return order != 0 ? order > 0 : one.len > other.len;
}

bool tallies_find(struct engine *e, uint32_t day, struct slice prefix, struct slice after, size_t limit,
                  engine_each_tally *each, void *arg, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    struct slice from = is_behind(after, prefix) ? after : prefix;
    sqlite3_stmt *statement = sqlite_bind(s, SQL_FIND_TALLIES, why, "ibbi", (int64_t)day, from, after, most(limit));

    return give_tallies(s, statement, prefix, each, arg, why);
}

#include "queue/engine/sqlite.h"

/* Remember what a deleted message took up. The books are the loop's: they
 * are changed when the group is over (bodies_applied). */
static void note_freed(struct sqlite *s, sqlite3_stmt *row)
{
    buf_text(&s->plan.freed, "%lld %s\n", (long long)sqlite3_column_int64(row, 0),
             (const char *)sqlite3_column_text(row, 1));
}

/* Runs a DELETE ... RETURNING size, body. */
static bool delete_messages(struct sqlite *s, sqlite3_stmt *statement, size_t *count, bool *were_inline,
                            struct error *why)
{
    struct error reason = { 0 };

    *count = 0;
    *were_inline = false;
    if (!statement)
        return false;
    while (sqlite_step(s, statement, &reason)) {
        note_freed(s, statement);
        *were_inline |= strcmp((const char *)sqlite3_column_text(statement, 1), BODY_INLINE) == 0;
        ++*count;
    }
    if (reason.code != E_NONE && why)
        *why = reason;
    return reason.code == E_NONE;
}

static bool put_recipient(struct sqlite *s, const struct envelope *m, const struct queue_recipient *r,
                          struct error *why)
{
    return sqlite_run(s, sqlite_bind(s, SQL_PUT_RECIPIENT, why, "iitti", (int64_t)m->id, (int64_t)r->number,
                                     r->address, r->destination, (int64_t)m->arrived), why);
}

static bool put_message(struct sqlite *s, const struct envelope *m, const char *place, struct error *why)
{
    return sqlite_run(s, sqlite_bind(s, SQL_PUT_MESSAGE, why, "itiiitti", (int64_t)m->id, m->sender,
                                     (int64_t)m->arrived, (int64_t)m->size, (int64_t)m->eight_bit, m->origin, place,
                                     (int64_t)m->tls), why);
}

bool rows_put(struct engine *e, const struct envelope *m, const struct draft *body, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    auto_buf struct buf place;

    buf_init(&place, SIZE_MAX / 2);
    if (body->place) {
        extents_text(&body->place->extents, &place);
    } else {
        buf_add(&place, SLICE(BODY_INLINE));
        if (!sqlite_run(s, sqlite_bind(s, SQL_PUT_BODY, why, "ib", (int64_t)m->id, buf_slice(&body->memory)), why))
            return blame(why, "message");
    }
    buf_byte(&place, '\0');
    if (!put_message(s, m, buf_slice(&place).at, why))
        return blame(why, "message");
    for (size_t i = 0; i < m->count; i++)
        if (!put_recipient(s, m, &m->recipients[i], why))
            return blame(why, "recipient %u", (unsigned)m->recipients[i].number);
    return true;
}

static sqlite3_stmt *bind_settlement(struct sqlite *s, message_id id, const char *destination,
                                     const struct settlement *now, time_ms attempted, struct error *why)
{
    if (now->state != SETTLE_DEFERRED)
        return sqlite_bind(s, SQL_END_RECIPIENT, why, "iit", (int64_t)id, (int64_t)now->number, destination);
    return sqlite_bind(s, SQL_DEFER_RECIPIENT, why, "iittitti", (int64_t)id, (int64_t)now->number, destination,
                       now->destination ? now->destination : destination, (int64_t)now->due,
                       now->status ? now->status : "", now->why ? now->why : "", (int64_t)attempted);
}

bool rows_settle(struct engine *e, message_id id, const char *destination, const struct settlement *now,
                 time_ms attempted, bool *touched, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    if (!sqlite_run(s, bind_settlement(s, id, destination, now, attempted, why), why))
        return false;
    *touched = sqlite3_changes(s->writer) > 0;
    return true;
}

bool rows_tell_delay(struct engine *e, message_id id, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    return sqlite_run(s, sqlite_bind(s, SQL_TELL_DELAY, why, "i", (int64_t)id), why);
}

bool rows_finish(struct engine *e, message_id id, bool *gone, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    bool was_inline;
    size_t count;

    if (!delete_messages(s, sqlite_bind(s, SQL_FINISH, why, "i", (int64_t)id), &count, &was_inline, why))
        return false;
    if (was_inline && !sqlite_run(s, sqlite_bind(s, SQL_DROP_BODY, why, "i", (int64_t)id), why))
        return false;
    *gone = count > 0;
    return true;
}

bool rows_pick(struct engine *e, message_id from, message_id to, size_t limit, message_id *ids, size_t *count,
               struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    sqlite3_stmt *statement =
        sqlite_bind(s, SQL_PICK, why, "iii", (int64_t)from, (int64_t)to, (int64_t)limit);
    struct error reason = { 0 };
    size_t n = 0;

    if (!statement)
        return false;
    while (sqlite_step(s, statement, &reason))
        if (n < limit)
            ids[n++] = (message_id)sqlite3_column_int64(statement, 0);
    if (reason.code != E_NONE) {
        if (why)
            *why = reason;
        return false;
    }
    *count = n;
    return true;
}

static bool on_all(struct sqlite *s, enum statement which, message_id from, message_id to, int64_t value,
                   struct error *why)
{
    return sqlite_run(s, sqlite_bind(s, which, why, "iii", (int64_t)from, (int64_t)to, value), why);
}

static bool remove_all(struct sqlite *s, message_id from, message_id to, uint64_t *removed, struct error *why)
{
    bool were_inline;
    size_t count;

    if (!sqlite_run(s, sqlite_bind(s, SQL_REMOVE_RECIPIENTS, why, "ii", (int64_t)from, (int64_t)to), why))
        return false;
    *removed = (uint64_t)sqlite3_changes64(s->writer);
    return sqlite_run(s, sqlite_bind(s, SQL_REMOVE_BODIES, why, "ii", (int64_t)from, (int64_t)to), why) &&
           delete_messages(s, sqlite_bind(s, SQL_REMOVE_MESSAGES, why, "ii", (int64_t)from, (int64_t)to), &count,
                           &were_inline, why);
}

bool rows_operate(struct engine *e, enum queue_act act, message_id from, message_id to, time_ms now,
                  uint64_t *removed, struct error *why)
{
    struct sqlite *s = sqlite_of(e);

    *removed = 0;
    switch (act) {
    case ACT_RETRY:
        return on_all(s, SQL_RETRY, from, to, now, why);
    case ACT_HOLD:
        return on_all(s, SQL_HOLD, from, to, 1, why);
    case ACT_RELEASE:
        return on_all(s, SQL_HOLD, from, to, 0, why) && on_all(s, SQL_RETRY, from, to, now, why);
    case ACT_REMOVE:
        return remove_all(s, from, to, removed, why);
    }
    return fail(why, E_USAGE, "no such act");
}

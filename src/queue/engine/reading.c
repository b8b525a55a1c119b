#include "queue/engine/sqlite.h"

#include "base/log.h"
#include "base/memory.h"

struct engine_body {
    struct extents extents;
    struct buf bytes;           /* of an inline one */
};

static const char *text(sqlite3_stmt *row, int column)
{
    const unsigned char *found = sqlite3_column_text(row, column);

    return found ? (const char *)found : "";
}

/* A failure, seen when the rows have ended. */
static bool ended(const struct error *reason, struct error *why)
{
    if (reason->code != E_NONE && why)
        *why = *reason;
    return reason->code == E_NONE;
}

/* --- the whole queue, at the start ----------------------------------------- */

static void load_body(struct sqlite *s, sqlite3_stmt *message)
{
    const char *place = text(message, 3);
    struct extents extents;
    struct error why;

    s->body_bytes += (uint64_t)sqlite3_column_int64(message, 1);
    if (strcmp(place, BODY_INLINE) == 0)
        return;
    if (extents_parse(slice_of(place), &extents, &why)) {
        segments_add_live(&s->segments, &extents);
        extents_done(&extents);
    } else {
        log_say(LOG_LEVEL_ERROR, "queue.load", &why, "a message has lost its body");
    }
}

struct loading {
    struct sqlite *s;
    sqlite3_stmt *messages;
    bool more;                  /* `messages` stands on a row */
    struct error why;
};

/* Both tables are in the order of ids: step on to the message `id`. */
static bool load_message(struct loading *l, message_id id)
{
    while (l->more && (message_id)sqlite3_column_int64(l->messages, 0) < id) {
        l->more = sqlite_step(l->s, l->messages, &l->why);
        if (l->more)
            load_body(l->s, l->messages);
    }
    return l->more && (message_id)sqlite3_column_int64(l->messages, 0) == id;
}

/* What no message points at was never stored, or is dead: a crash left it. */
static void remove_orphans(struct sqlite *s)
{
    struct segment *orphan;

    while ((orphan = segments_take_dead(&s->segments, true)))
        segments_remove(s->segments.directory, orphan);
}

bool reading_load(struct engine *e, void (*each)(void *arg, const struct engine_due *due), void *arg,
                  struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    struct loading l = { .s = s, .messages = sqlite_bind(s, SQL_LOAD_MESSAGES, why, "") };
    sqlite3_stmt *recipients = l.messages ? sqlite_bind(s, SQL_LOAD_RECIPIENTS, why, "") : NULL;
    struct error reason = { 0 };

    if (!recipients)
        return false;
    l.more = sqlite_step(s, l.messages, &l.why);
    if (l.more)
        load_body(s, l.messages);
    while (sqlite_step(s, recipients, &reason)) {
        struct engine_due due = { .id = (message_id)sqlite3_column_int64(recipients, 0),
                                  .destination = text(recipients, 1),
                                  .due = sqlite3_column_int64(recipients, 2) };

        if (!load_message(&l, due.id))
            continue;
        due.held = sqlite3_column_int64(l.messages, 2) != 0;
        each(arg, &due);
    }
    load_message(&l, INT64_MAX);
    sqlite_done(l.messages);
    if (!ended(&reason, why) || !ended(&l.why, why))
        return false;
    remove_orphans(s);
    return true;
}

/* --- rows -------------------------------------------------------------------- */

enum column {
    COLUMN_ID, COLUMN_SENDER, COLUMN_ARRIVED, COLUMN_SIZE, COLUMN_EIGHT_BIT, COLUMN_HELD, COLUMN_DELAY_TOLD,
    COLUMN_ORIGIN, COLUMN_NUMBER, COLUMN_DESTINATION, COLUMN_DUE, COLUMN_ATTEMPTS, COLUMN_FIRST_ATTEMPT,
    COLUMN_LAST_ATTEMPT, COLUMN_ADDRESS, COLUMN_STATUS, COLUMN_WHY, COLUMN_TLS,
};

/* A wish that we do not know, put there by hand or by somebody newer, must not lower the floor (P2). */
static enum tls_request tls_wish(int64_t stored)
{
    switch (stored) {
    case TLS_AS_USUAL:
    case TLS_OPTIONAL:
    case TLS_REPORT:
        return (enum tls_request)stored;
    default:
        return TLS_REQUIRED;
    }
}

static void hand_row(sqlite3_stmt *row, engine_each *each, void *arg)
{
    struct queue_recipient recipient = {
        .number = (uint32_t)sqlite3_column_int64(row, COLUMN_NUMBER),
        .address = text(row, COLUMN_ADDRESS),
        .destination = text(row, COLUMN_DESTINATION),
    };
    struct engine_row shown = {
        .view = {
            .envelope = {
                .id = (message_id)sqlite3_column_int64(row, COLUMN_ID),
                .sender = text(row, COLUMN_SENDER),
                .arrived = sqlite3_column_int64(row, COLUMN_ARRIVED),
                .size = (uint64_t)sqlite3_column_int64(row, COLUMN_SIZE),
                .eight_bit = sqlite3_column_int64(row, COLUMN_EIGHT_BIT) != 0,
                .tls = tls_wish(sqlite3_column_int64(row, COLUMN_TLS)),
                .origin = text(row, COLUMN_ORIGIN),
                .recipients = &recipient,
                .count = 1,
            },
            .attempts = (uint32_t)sqlite3_column_int64(row, COLUMN_ATTEMPTS),
            .due = sqlite3_column_int64(row, COLUMN_DUE),
            .last_attempt = sqlite3_column_int64(row, COLUMN_LAST_ATTEMPT),
            .held = sqlite3_column_int64(row, COLUMN_HELD) != 0,
            .status = text(row, COLUMN_STATUS),
            .why = text(row, COLUMN_WHY),
        },
        .first_attempt = sqlite3_column_int64(row, COLUMN_FIRST_ATTEMPT),
        .delay_told = sqlite3_column_int64(row, COLUMN_DELAY_TOLD) != 0,
    };

    each(arg, &shown);
}

/* One message has a statement of its own: the bound on both sides lets SQLite
 * stop at its last recipient. */
bool reading_rows(struct engine *e, message_id after, int64_t number, message_id last, size_t limit, engine_each *each,
                  void *arg, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    int64_t most = limit < INT64_MAX ? (int64_t)limit : INT64_MAX;
    struct error reason = { 0 };
    sqlite3_stmt *statement = sqlite_bind(s, after == last ? SQL_ROWS_OF_ONE : SQL_ROWS, why, "iii", (int64_t)after,
                                          number, most);

    if (!statement)
        return false;
    while (sqlite_step(s, statement, &reason)) {
        if ((message_id)sqlite3_column_int64(statement, COLUMN_ID) > last) {
            sqlite_done(statement);
            break;
        }
        hand_row(statement, each, arg);
    }
    return ended(&reason, why);
}

/* --- bodies -------------------------------------------------------------------- */

/* One column of one row, as bytes. */
static bool read_one(struct sqlite *s, enum statement which, message_id id, struct buf *out, struct error *why)
{
    sqlite3_stmt *statement = sqlite_bind(s, which, why, "i", (int64_t)id);
    struct error reason = { 0 };
    const void *bytes;

    if (!statement)
        return false;
    if (!sqlite_step(s, statement, &reason))
        return ended(&reason, why) && fail(why, E_NOT_FOUND, "no such message");
    bytes = sqlite3_column_blob(statement, 0);
    buf_add(out, slice(bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, 0)));
    sqlite_done(statement);
    return true;
}

struct engine_body *reading_body_open(struct engine *e, message_id id, struct error *why)
{
    struct sqlite *s = sqlite_of(e);
    struct engine_body *b = NEW(struct engine_body);
    auto_buf struct buf place;
    bool found;

    buf_init(&place, SIZE_MAX / 2);
    buf_init(&b->bytes, SIZE_MAX / 2);
    found = read_one(s, SQL_PLACE, id, &place, why);
    if (found && slice_equal(buf_slice(&place), SLICE(BODY_INLINE)))
        found = read_one(s, SQL_BODY, id, &b->bytes, why);
    else if (found)
        found = extents_parse(buf_slice(&place), &b->extents, why);
    if (!found) {
        buf_done(&b->bytes);
        free(b);
        return NULL;
    }
    segments_use(&s->segments, &b->extents);
    return b;
}

/* From one piece only; reading_body_read goes on with the next. */
static bool read_piece(struct sqlite *s, const struct engine_body *b, uint64_t offset, char *into, size_t size,
                       size_t *got, struct error *why)
{
    struct extent piece;
    int fd;

    if (b->extents.count == 0) {
        struct slice rest = slice_after(buf_slice(&b->bytes), offset < SIZE_MAX ? (size_t)offset : SIZE_MAX);

        *got = rest.len < size ? rest.len : size;
        if (*got)
            memcpy(into, rest.at, *got);
        return true;
    }
    piece = extents_find(&b->extents, offset);
    *got = piece.length < size ? (size_t)piece.length : size;
    if (*got == 0)
        return true;
    fd = segments_fd(&s->segments, piece.segment, why);
    if (fd < 0)
        return false;
    return io_read(fd, into, *got, piece.offset, why) || blame(why, "segment %u", (unsigned)piece.segment);
}

bool reading_body_read(struct engine *e, struct engine_body *b, uint64_t offset, char *into, size_t size, size_t *got,
                       struct error *why)
{
    size_t done = 0, more = 0;

    do {
        if (!read_piece(sqlite_of(e), b, offset + done, into + done, size - done, &more, why))
            return false;
        done += more;
    } while (more > 0 && done < size);
    *got = done;
    return true;
}

void reading_body_close(struct engine *e, struct engine_body *b)
{
    if (!b)
        return;
    segments_unuse(&sqlite_of(e)->segments, &b->extents);
    extents_done(&b->extents);
    buf_done(&b->bytes);
    free(b);
}

void reading_figures(struct engine *e, struct engine_figures *out)
{
    struct sqlite *s = sqlite_of(e);
    sqlite3_stmt *statement = sqlite_bind(s, SQL_OLDEST, NULL, "");
    struct error reason = { 0 };

    *out = (struct engine_figures){ .body_bytes = s->body_bytes, .segment_bytes = segments_bytes(&s->segments) };
    if (statement && sqlite_step(s, statement, &reason)) {
        out->oldest_arrival = sqlite3_column_int64(statement, 0);
        sqlite_done(statement);
    }
}

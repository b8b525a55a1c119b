#include "serve/asking.h"

#include "base/cursor.h"
#include "base/memory.h"
#include "run/channel.h"
#include "run/process.h"
#include "serve/control.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
    HEADER_SIZE = 6,                /* of a frame: run/channel.h */
    READ_SIZE = 64 * 1024,
    PATIENCE_SECONDS = 120,         /* between two frames: a whole queue may have to be changed */
    START_PATIENCE_MS = 5000,
};

struct asking {
    int fd;                         /* -1: the queue is ours */
    struct queue *queue;
    struct buf input;
    /* the question under way */
    asking_take *take;
    void *arg;
    bool ended, nonsense;
    bool broken;                    /* who knows what comes next */
};

/* --- opening ----------------------------------------------------------------- */

/* What is made in the data directory must belong to the service, not to root. */
static bool become_service(const struct config *c, struct error *why)
{
    struct account account;

    return geteuid() != 0 || (account_find(c->user, &account, why) && process_drop_to(&account, why));
}

static bool reach(struct asking *a, const struct config *c, enum asking_whom whom, struct error *why)
{
    struct queue_settings settings = { .directory = c->data_directory, .slots = 1, .per_destination = 1 };
    struct timeval patience = { .tv_sec = PATIENCE_SECONDS };

    a->fd = control_connect(c->data_directory, why);
    if (a->fd >= 0) {
        setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(a->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        return true;
    }
    if (why->code == E_NOT_FOUND && whom == ASK_RUNNING_OR_DISK && become_service(c, why))
        a->queue = queue_open(&settings, why);
    return a->queue != NULL;
}

/* An instance that is just starting, or replacing its store, has the lock but does not answer yet. */
struct asking *asking_open(const struct config *c, enum asking_whom whom, struct error *why)
{
    time_ms deadline = clock_now() + START_PATIENCE_MS;
    struct asking *a = NEW(struct asking);
    struct error reason = { 0 };

    buf_init(&a->input, HEADER_SIZE + CHANNEL_FRAME_MAX + READ_SIZE);
    while (!reach(a, c, whom, &reason)) {
        if (reason.code != E_STORAGE_LOCKED || clock_now() >= deadline) {
            if (why)
                *why = reason;
            asking_close(a);
            return NULL;
        }
        usleep(50000);
    }
    return a;
}

void asking_close(struct asking *a)
{
    if (!a)
        return;
    if (a->fd >= 0)
        close(a->fd);
    queue_close(a->queue);
    buf_done(&a->input);
    free(a);
}

/* --- one question ---------------------------------------------------------------- */

static void take_frame(struct asking *a, uint8_t type, struct slice body)
{
    a->nonsense |= a->ended || !a->take(a->arg, type, body);
    a->ended |= operator_ends_answer(type);
}

static void take_emitted(void *arg, enum frame_type type, struct slice body)
{
    take_frame(arg, (uint8_t)type, body);
}

static bool failed_call(const char *what, struct error *why)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return fail(why, E_TIMEOUT, "the running postern does not answer");
    if (errno == EPIPE || errno == ECONNRESET)
        return fail(why, E_CLOSED, "the running postern hung up");
    return fail_errno(why, E_SYSTEM, "%s", what);
}

static bool send_all(int fd, struct slice bytes, struct error *why)
{
    while (bytes.len) {
        ssize_t sent = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR)
            return failed_call("send", why);
        if (sent > 0)
            bytes = slice_after(bytes, (size_t)sent);
    }
    return true;
}

static bool send_frame(int fd, enum frame_type type, struct slice body, struct error *why)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, HEADER_SIZE + CHANNEL_FRAME_MAX);
    buf_u32(&frame, (uint32_t)body.len);
    buf_u8(&frame, (uint8_t)type);
    buf_u8(&frame, 0);
    buf_add(&frame, body);
    if (frame.failed)
        return fail(why, E_LIMIT, "the question is too long");
    return send_all(fd, buf_slice(&frame), why);
}

static bool read_more(struct asking *a, struct error *why)
{
    char *room = buf_room(&a->input, READ_SIZE);
    ssize_t got;

    if (!room)
        return fail(why, E_PROTOCOL, "the running postern answers without end");
    do
        got = recv(a->fd, room, READ_SIZE, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return failed_call("recv", why);
    if (got == 0)
        return fail(why, E_CLOSED, "the running postern hung up");
    buf_grew(&a->input, (size_t)got);
    return true;
}

/* False: its rest must be read first. */
static bool take_received(struct asking *a, struct error *why)
{
    struct cursor in = cursor_over(buf_slice(&a->input));
    uint32_t length = cursor_u32(&in);
    uint8_t type = cursor_u8(&in), flags = cursor_u8(&in);
    struct slice body = cursor_bytes(&in, length);

    if (length > CHANNEL_FRAME_MAX || flags != 0)
        a->nonsense = true;
    if (in.failed || a->nonsense)
        return false;
    take_frame(a, type, body);
    buf_take(&a->input, HEADER_SIZE + length);
    return true;
}

static bool ask_running(struct asking *a, enum frame_type question, struct slice body, struct error *why)
{
    if (!send_frame(a->fd, question, body, why))
        return false;
    while (!a->ended && !a->nonsense)
        if (!take_received(a, why) && !a->nonsense && !read_more(a, why))
            return false;
    return true;
}

/* The same frames, from the same code. */
static void ask_disk(struct asking *a, enum frame_type question, struct slice body)
{
    a->nonsense = !operator_request(a->queue, (uint8_t)question, body, take_emitted, a);
    queue_commit(a->queue);
}

bool asking_ask(struct asking *a, enum frame_type question, struct slice body, asking_take *take, void *arg,
                struct error *why)
{
    if (a->broken)
        return fail(why, E_CLOSED, "the line to the running postern is broken");
    a->take = take;
    a->arg = arg;
    a->ended = a->nonsense = false;
    if (a->fd < 0)
        ask_disk(a, question, body);
    else
        a->broken = !ask_running(a, question, body, why);
    if (a->broken)
        return false;
    a->broken = a->nonsense || !a->ended;
    return !a->broken || fail(why, E_PROTOCOL, "the answer makes no sense: is the running postern of another version?");
}

/* --- notes ------------------------------------------------------------------------- */

struct reading {
    note_each *each;
    void *arg;
    struct arena arena;             /* of one answer */
    struct frame_notes_listed end;
};

static bool take_note(void *arg, uint8_t type, struct slice body)
{
    struct reading *r = arg;
    struct note n;

    if (type == FRAME_NOTES_LISTED)
        return frame_get_notes_listed(body, &r->arena, &r->end);
    if (type != FRAME_NOTE_VIEW || !frame_get_note(body, &r->arena, &n))
        return false;
    r->each(r->arg, &n);
    return true;
}

struct copying {
    struct arena *arena;
    struct note *out;
};

static void copy_note(void *arg, const struct note *n)
{
    struct copying *to = arg;

    *to->out = *n;
    to->out->key = arena_string(to->arena, slice_of(n->key));
    to->out->value = arena_copy(to->arena, n->value);
}

bool asking_note(struct asking *a, enum note_kind kind, const char *key, struct arena *arena, struct note *out,
                 struct error *why)
{
    struct copying to = { arena, out };
    struct reading r = { .each = copy_note, .arg = &to };
    auto_buf struct buf frame = { 0 };
    bool answered, found;

    buf_init(&frame, CHANNEL_FRAME_MAX);
    arena_init(&r.arena, CHANNEL_FRAME_MAX);
    frame_put_note_key(&frame, &(struct frame_note_key){ (uint8_t)kind, key });
    answered = asking_ask(a, FRAME_NOTE_FIND, buf_slice(&frame), take_note, &r, why);
    found = r.end.count > 0;
    arena_done(&r.arena);
    if (!answered)
        return false;
    if (!found)
        return fail(why, E_NOT_FOUND, "nothing is known of %s", key);
    return !arena->failed || fail(why, E_LIMIT, "what is known of %s is too long", key);
}

bool asking_notes(struct asking *a, enum note_kind kind, note_each *each, void *arg, struct error *why)
{
    struct frame_note_list request = { (uint8_t)kind, "", FRAME_NOTES_MOST };
    auto_buf struct buf frame = { 0 };
    char after[NOTE_KEY_MAX + 1];
    uint32_t count;

    buf_init(&frame, CHANNEL_FRAME_MAX);
    do {
        struct reading r = { .each = each, .arg = arg };
        bool answered;

        buf_clear(&frame);
        frame_put_note_list(&frame, &request);
        arena_init(&r.arena, FRAME_NOTES_MOST * CHANNEL_FRAME_MAX);
        answered = asking_ask(a, FRAME_NOTE_LIST, buf_slice(&frame), take_note, &r, why);
        count = r.end.count;
        if (answered)
            snprintf(after, sizeof after, "%s", r.end.after);
        arena_done(&r.arena);
        if (!answered)
            return false;
        request.after = after;
    } while (count > 0);
    return true;
}

static bool take_operated(void *arg, uint8_t type, struct slice body)
{
    return type == FRAME_OPERATED && frame_get_answer(body, arg);
}

bool asking_put_note(struct asking *a, const struct note *n, struct error *why)
{
    auto_buf struct buf frame = { 0 };
    struct frame_answer answer = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_note(&frame, n);
    if (!asking_ask(a, FRAME_NOTE_PUT, buf_slice(&frame), take_operated, &answer, why))
        return false;
    if (!answer.done && why)
        *why = answer.why;
    return answer.done;
}

/* --- tallies ------------------------------------------------------------------------- */

struct tally_reading {
    void (*each)(void *arg, const struct tally *t);
    void *arg;
    uint32_t day;                   /* where the next page begins */
    struct buf after;
    uint32_t count;                 /* of this one */
};

static bool take_tally(void *arg, uint8_t type, struct slice body)
{
    struct tally_reading *r = arg;
    struct frame_tallies_listed end;
    struct tally t;

    if (type == FRAME_TALLY_VIEW && frame_get_tally(body, &t)) {
        r->each(r->arg, &t);
        return true;
    }
    if (type != FRAME_TALLIES_LISTED || !frame_get_tallies_listed(body, &end))
        return false;
    r->count = end.count;
    r->day = end.day;
    buf_clear(&r->after);
    buf_add(&r->after, end.after);
    return true;
}

bool asking_tallies(struct asking *a, uint32_t day, void (*each)(void *arg, const struct tally *t), void *arg,
                    struct error *why)
{
    struct tally_reading r = { .each = each, .arg = arg, .day = day };
    auto_buf struct buf frame = { 0 };
    bool answered;

    buf_init(&frame, CHANNEL_FRAME_MAX);
    buf_init(&r.after, TALLY_KEY_MAX);
    do {
        buf_clear(&frame);
        frame_put_tally_list(&frame, &(struct frame_tally_list){ r.day, buf_slice(&r.after), OPERATOR_PAGE });
        answered = asking_ask(a, FRAME_TALLY_LIST, buf_slice(&frame), take_tally, &r, why);
    } while (answered && r.count > 0);
    buf_done(&r.after);
    return answered;
}

bool asking_tallies_of(struct asking *a, uint32_t day, struct slice prefix, void (*each)(void *arg, const struct tally *t),
                       void *arg, struct error *why)
{
    struct tally_reading r = { .each = each, .arg = arg };
    auto_buf struct buf frame = { 0 };
    bool answered;

    buf_init(&frame, CHANNEL_FRAME_MAX);
    buf_init(&r.after, TALLY_KEY_MAX);
    do {
        buf_clear(&frame);
        frame_put_tally_find(&frame, &(struct frame_tally_find){ day, prefix, buf_slice(&r.after), OPERATOR_PAGE });
        answered = asking_ask(a, FRAME_TALLY_FIND, buf_slice(&frame), take_tally, &r, why);
    } while (answered && r.count > 0);
    buf_done(&r.after);
    return answered;
}

#include "postfix/map_server.h"

#include "base/memory.h"
#include "net/socket.h"
#include "postfix/answers.h"
#include "postfix/lookup.h"
#include "run/loop.h"

#include <errno.h>
#include <sys/random.h>

enum {
    READ_BYTES = 64 * 1024,         /* taken from a connection at once */
    WRITE_BYTES = 256 * 1024,       /* replies that wait for a slow reader, and then one more */
    TICK_MS = 1000,
    HURRIED_IDLE_MS = 5000,         /* while every place is taken */
};

const struct map_settings map_default_settings = {
    .port = 25, .connections = 1000, .lookups = 128, .answers = 50000,
    .answer_bytes = 64 * 1024 * 1024, .idle = SECONDS(60), .patience = SECONDS(60) };

/* One connection. */
struct line {
    struct map_server *server;
    enum map_protocol protocol;
    int fd;
    struct watch *watch;
    struct buf input;               /* came, and is not answered yet */
    struct buf output;              /* answered, and not taken yet */
    struct lookup_waiter waits;     /* for a lookup */
    enum answer_form form;          /* of the question that waits */
    time_ms since;                  /* when something last happened */
    bool ended;                     /* nothing more is read: it closes once all is said */
    struct line *next, **where;
};

struct door {
    struct map_server *server;
    struct listener *listener;
    enum map_protocol protocol;
    struct door *next;
};

struct map_server {
    struct map_settings settings;
    struct lookups *lookups;
    struct answers *answers;
    struct door *doors;
    struct line *lines;
    size_t line_count;
    struct timer *tick;
    bool full, draining, told;
    struct map_figures figures;
    struct buf reply;               /* what goes out with the next write */
    char received[READ_BYTES];
    void (*idle)(void *self);
    void *self;
};

/* --- replies -------------------------------------------------------------------- */

static void put(struct buf *out, enum map_protocol protocol, enum map_status status, struct slice text)
{
    if (protocol == MAP_SOCKETMAP)
        socketmap_put(out, status, text);
    else
        tcp_table_put(out, status, text);
}

static void told_if_idle(struct map_server *s)
{
    if (!s->draining || s->told || map_server_is_busy(s))
        return;
    s->told = true;
    s->idle(s->self);
}

/* --- connections ------------------------------------------------------------------- */

static void let_in(struct map_server *s)
{
    bool full = s->line_count >= s->settings.connections;

    if (full == s->full)
        return;
    s->full = full;
    for (struct door *d = s->doors; d; d = d->next)
        listener_pause(d->listener, full);
}

static void line_close(struct line *l)
{
    struct map_server *s = l->server;

    lookup_leave(&l->waits);
    *l->where = l->next;
    if (l->next)
        l->next->where = l->where;
    watch_free(l->watch);
    close(l->fd);
    buf_done(&l->input);
    buf_done(&l->output);
    free(l);
    s->line_count--;
    if (!s->draining)
        let_in(s);
    else
        told_if_idle(s);
}

static bool is_waiting(const struct line *l)
{
    return lookup_is_awaited(&l->waits);
}

static void set_watch(struct line *l)
{
    watch_set(l->watch, buf_len(&l->output) > 0 ? WATCH_WRITE : is_waiting(l) || l->ended ? 0 : WATCH_READ);
}

/* In one write, usually to its end; behind what an earlier one left. False: the connection is closed. */
static bool flush(struct line *l, struct slice bytes)
{
    bool at_once = bytes.len > 0 && buf_len(&l->output) == 0;
    ssize_t sent = at_once ? send(l->fd, bytes.at, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    bool broken = sent < 0 && errno != EAGAIN && errno != EINTR;

    buf_add(&l->output, slice_after(bytes, sent > 0 ? (size_t)sent : 0));
    if (broken || l->output.failed || (l->ended && buf_len(&l->output) == 0 && !is_waiting(l))) {
        line_close(l);
        return false;
    }
    set_watch(l);
    return true;
}

/* --- questions ------------------------------------------------------------------------ */

struct question {
    struct slice text;
    char bytes[MAP_KEY_MAX];
};

/* False: it names nothing that there could be an answer for. */
static bool make_question(struct slice key, struct question *q)
{
    if (key.len == 0 || key.len > MAP_KEY_MAX || key.at[0] == '.')
        return false;
    for (size_t i = 0; i < key.len; i++)
        q->bytes[i] = byte_lower(key.at[i]);
    q->text = slice(q->bytes, key.len);
    return true;
}

static bool form_of(const struct line *l, const struct map_request *r, enum answer_form *form)
{
    if (l->protocol == MAP_TCP_TABLE) {
        *form = ANSWER_TCP_TABLE;
        return r->understood;
    }
    *form = ANSWER_REPORTED;
    if (slice_equal_nocase(r->map, SLICE("QUERYwithTLSRPT")))
        return true;
    if (!l->server->settings.reported)
        *form = ANSWER_SOCKETMAP;
    return slice_equal_nocase(r->map, SLICE("QUERY"));
}

static void look_up(struct map_server *s, struct slice question, struct line *waiting)
{
    struct map_key key;

    map_key_parse(question, s->settings.port, &key);
    if (key.kind == MAP_KEY_NOTHING && waiting)
        put(&s->reply, waiting->protocol, MAP_NOT_FOUND, slice("", 0));
    if (key.kind == MAP_KEY_NOTHING)
        return;
    if (waiting) {
        waiting->since = loop_now();
        lookup_join(s->lookups, question, &key, &waiting->waits);
    } else {
        lookup_begin(s->lookups, question, &key);
    }
}

static void answer(struct line *l, const struct map_request *r)
{
    struct map_server *s = l->server;
    struct question q;
    struct answer *kept;

    s->figures.questions++;
    if (!form_of(l, r, &l->form)) {
        put(&s->reply, l->protocol, MAP_WRONG, l->protocol == MAP_SOCKETMAP ?
            SLICE("there are the maps QUERY and QUERYwithTLSRPT") : SLICE("a request is: get KEY"));
        return;
    }
    if (!make_question(r->key, &q)) {
        put(&s->reply, l->protocol, MAP_NOT_FOUND, slice("", 0));
        return;
    }
    kept = answers_find(s->answers, q.text, loop_now());
    if (!kept) {
        look_up(s, q.text, l);
        return;
    }
    s->figures.kept++;
    buf_add(&s->reply, kept->replies[l->form]);
    if (loop_now() >= kept->refresh && !s->draining) {
        kept->refresh = loop_now() + LOOKUP_AGAIN_MS;
        look_up(s, q.text, NULL);
    }
}

static enum request_state read_request(const struct line *l, struct slice in, char *decoded, struct map_request *r,
                                       size_t *used)
{
    return l->protocol == MAP_SOCKETMAP ? socketmap_read(in, r, used) : tcp_table_read(in, decoded, r, used);
}

/* Replies go in the order of the questions, and no faster than they are read. */
static bool may_answer(const struct line *l)
{
    return !is_waiting(l) && !l->ended && buf_len(&l->output) == 0 && buf_len(&l->server->reply) < WRITE_BYTES;
}

/* Answers what can be answered now; returns what is left. */
static struct slice work_through(struct line *l, struct slice in)
{
    char decoded[TCP_TABLE_LINE_MAX];
    struct map_request r;
    size_t used;

    while (in.len > 0 && may_answer(l)) {
        enum request_state state = read_request(l, in, decoded, &r, &used);

        if (state == REQUEST_PART)
            break;
        if (state == REQUEST_BAD) {
            l->ended = true;
            return slice("", 0);
        }
        answer(l, &r);
        in = slice_after(in, used);
    }
    return in;
}

/* What was kept back, once there is room or an answer. `s->reply` may hold the beginning of what goes out. */
static void go_on(struct line *l)
{
    struct buf *reply = &l->server->reply;
    bool more;

    do {
        struct slice rest = work_through(l, buf_slice(&l->input));

        buf_take(&l->input, buf_len(&l->input) - rest.len);
        if (buf_len(&l->input) == 0)
            buf_release(&l->input);
        more = buf_len(reply) >= WRITE_BYTES;
        if (!flush(l, buf_slice(reply)))
            return;
        buf_clear(reply);
    } while (more && may_answer(l));
}

static void take(struct line *l, struct slice came)
{
    struct buf *reply = &l->server->reply;
    struct slice rest = buf_len(&l->input) > 0 ? came : work_through(l, came);

    l->since = loop_now();
    buf_add(&l->input, rest);
    if (rest.len > 0)
        go_on(l);
    else
        flush(l, buf_slice(reply));
}

static void readable(struct line *l)
{
    ssize_t n = recv(l->fd, l->server->received, READ_BYTES, MSG_DONTWAIT);

    if (n > 0)
        take(l, slice(l->server->received, (size_t)n));
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        line_close(l);
}

static void writable(struct line *l)
{
    ssize_t sent = send(l->fd, buf_slice(&l->output).at, buf_len(&l->output), MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        line_close(l);
        return;
    }
    if (sent > 0)
        l->since = loop_now();
    buf_take(&l->output, sent > 0 ? (size_t)sent : 0);
    if (buf_len(&l->output) > 0)
        return;
    buf_release(&l->output);
    go_on(l);
}

static void ready(void *owner, int events)
{
    struct line *l = owner;

    buf_clear(&l->server->reply);
    if (buf_len(&l->output) > 0)
        writable(l);
    else
        readable(l);
}

/* --- lookups ------------------------------------------------------------------------- */

static void answered(void *owner, const struct slice replies[ANSWER_FORMS])
{
    struct line *l = owner;
    struct map_server *s = l->server;

    l->since = loop_now();
    buf_clear(&s->reply);
    buf_add(&s->reply, replies[l->form]);
    go_on(l);
}

static void looked_up(void *self, struct slice question, const struct map_key *key, const struct verdict *v, time_ms keep,
                      const struct slice replies[ANSWER_FORMS])
{
    struct map_server *s = self;
    struct answer *kept = answers_find(s->answers, question, loop_now());
    struct answer fresh;

    s->figures.lookups++;
    /* What was found before is in force until it expires, whatever befalls the lookup that was to renew it. */
    if (kept && v->status == MAP_TRY_LATER) {
        kept->refresh = loop_now() + LOOKUP_AGAIN_MS;
        return;
    }
    if (keep <= 0)
        return;
    fresh.expires = loop_now() + keep;
    fresh.refresh = fresh.expires - (keep / 4 < LOOKUP_AHEAD_MS ? keep / 4 : LOOKUP_AHEAD_MS);
    memcpy(fresh.replies, replies, sizeof fresh.replies);
    answers_put(s->answers, question, slice_of(key->name), &fresh);
}

static void lookups_idle(void *self)
{
    told_if_idle(self);
}

static const struct lookup_house house = { looked_up, answered, lookups_idle };

/* --- time ----------------------------------------------------------------------------- */

static void too_late(struct line *l)
{
    lookup_leave(&l->waits);
    l->since = loop_now();
    buf_clear(&l->server->reply);
    put(&l->server->reply, l->protocol, MAP_TRY_LATER, SLICE("the lookup takes too long"));
    go_on(l);
}

static time_ms next_tick(const struct map_server *s)
{
    time_ms step = TICK_MS;

    if (step > s->settings.idle / 4)
        step = s->settings.idle / 4;
    if (step > s->settings.patience / 4)
        step = s->settings.patience / 4;
    return loop_now() + step;
}

static void tick(void *owner)
{
    struct map_server *s = owner;
    time_ms idle = s->full && s->settings.idle > HURRIED_IDLE_MS ? HURRIED_IDLE_MS : s->settings.idle;

    for (struct line *l = s->lines, *next; l; l = next) {
        time_ms quiet = loop_now() - l->since;

        next = l->next;
        if (is_waiting(l) && quiet >= s->settings.patience)
            too_late(l);
        else if (!is_waiting(l) && quiet >= idle)
            line_close(l);
    }
    timer_set(s->tick, s->lines ? next_tick(s) : TIME_NEVER);
}

/* --- life ------------------------------------------------------------------------------ */

static void accepted(void *owner, int fd, const struct address *peer)
{
    struct door *d = owner;
    struct map_server *s = d->server;
    struct line *l = NEW(struct line);

    (void)peer;
    *l = (struct line){ .server = s, .protocol = d->protocol, .fd = fd, .since = loop_now(), .next = s->lines,
                        .where = &s->lines };
    l->waits.owner = l;
    buf_init(&l->input, READ_BYTES + SOCKETMAP_REQUEST_MAX + TCP_TABLE_LINE_MAX);
    buf_init(&l->output, 2 * (WRITE_BYTES + 2 * SOCKETMAP_REPLY_MAX));
    if (l->next)
        l->next->where = &l->next;
    s->lines = l;
    if (s->line_count++ == 0)
        timer_set(s->tick, next_tick(s));
    l->watch = watch_new(fd, ready, l);
    watch_set(l->watch, WATCH_READ);
    let_in(s);
}

struct map_server *map_server_new(const struct map_settings *settings, const struct map_finder *finder,
                                  void (*idle)(void *self), void *self)
{
    struct map_server *s = NEW(struct map_server);
    uint64_t seed = 0;

    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)clock_wall();
    s->settings = *settings;
    s->idle = idle;
    s->self = self;
    s->answers = answers_new(settings->answers, settings->answer_bytes, seed);
    s->lookups = lookups_new(settings->lookups, settings->reported, finder, &house, s);
    s->tick = timer_new(tick, s);
    buf_init(&s->reply, WRITE_BYTES + 2 * SOCKETMAP_REPLY_MAX);
    return s;
}

void map_server_listen(struct map_server *s, int fd, enum map_protocol protocol)
{
    struct door *d = NEW(struct door);

    *d = (struct door){ .server = s, .protocol = protocol, .next = s->doors };
    s->doors = d;
    d->listener = listener_new(fd, accepted, d);
}

static void close_doors(struct map_server *s)
{
    while (s->doors) {
        struct door *d = s->doors;

        s->doors = d->next;
        listener_free(d->listener);
        free(d);
    }
}

void map_server_drain(struct map_server *s, bool hurry)
{
    s->draining = true;
    close_doors(s);
    for (struct line *l = s->lines, *next; l; l = next) {
        next = l->next;
        l->ended = true;
        if (!is_waiting(l) && buf_len(&l->output) == 0)
            line_close(l);
    }
    lookups_stop(s->lookups, hurry);
    told_if_idle(s);
}

bool map_server_is_busy(const struct map_server *s)
{
    return s->lines || lookups_are_busy(s->lookups);
}

void map_server_forget(struct map_server *s, const char *domain)
{
    lookups_forget(s->lookups, domain);
    if (domain)
        answers_forget(s->answers, slice_of(domain));
    else
        answers_forget_all(s->answers);
}

struct map_figures map_server_figures(const struct map_server *s)
{
    struct map_figures f = s->figures;

    f.connections = s->line_count;
    f.answers = answers_count(s->answers);
    return f;
}

void map_server_free(struct map_server *s)
{
    if (!s)
        return;
    close_doors(s);
    while (s->lines)
        line_close(s->lines);
    timer_free(s->tick);
    lookups_free(s->lookups);
    answers_free(s->answers);
    buf_done(&s->reply);
    free(s);
}

#include "web/machine.h"

#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>

enum {
    HEAD_MAX = 32 * 1024,       /* a request's head, and the buffers of its connection */
    TURNS_MAX = 256,            /* of the library in one run: it needs a handful */
};

struct wire {
    struct machine *machine;
    void *owner;                /* NULL: closed, waiting for the library to let go */
    int fd;                     /* our end of the pair */
    struct MHD_Connection *connection;  /* NULL: the library has closed its end */
    bool suspended;
    const struct http_answer *answer;   /* until the library has copied it */
    bool last;
};

struct machine {
    struct MHD_Daemon *daemon;
    const struct machine_events *events;
    struct wire *arriving;      /* during machine_open */
};

/* --- answers ------------------------------------------------------------------ */

static void add_field(struct MHD_Response *r, const char *name, const char *value)
{
    if (MHD_add_response_header(r, name, value) != MHD_YES)
        log_say(LOG_LEVEL_WARNING, "web.field", NULL, "the field %s was left out of an answer", name);
}

/* Nothing here is to be guessed at, framed, run or kept. */
static void add_fields(struct MHD_Response *r, const struct http_answer *a, bool last)
{
    if (buf_len(&a->body) > 0)
        add_field(r, "Content-Type", a->type);
    for (size_t i = 0; i < a->field_count; i++)
        add_field(r, a->fields[i].name, a->fields[i].value);
    add_field(r, "Cache-Control", "no-store");
    add_field(r, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    add_field(r, "Referrer-Policy", "no-referrer");
    add_field(r, "X-Content-Type-Options", "nosniff");
    if (last)
        add_field(r, "Connection", "close");
}

static enum MHD_Result queue_answer(struct MHD_Connection *c, const struct http_answer *a, bool last)
{
    struct slice body = buf_slice(&a->body);
    struct MHD_Response *r = MHD_create_response_from_buffer(body.len, (void *)body.at, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result queued;

    if (!r)
        return MHD_NO;
    add_fields(r, a, last);
    queued = MHD_queue_response(c, a->status, r);
    MHD_destroy_response(r);
    return queued;
}

/* --- what the library calls ------------------------------------------------------ */

static struct wire *wire_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static enum MHD_Result look_at_field(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct http_head *h = arg;

    if (slice_equal_nocase(slice_of(name), SLICE("Content-Length"))) {
        h->length = value ? value : "";
        h->lengths++;
    } else if (slice_equal_nocase(slice_of(name), SLICE("Transfer-Encoding"))) {
        h->coding = value ? value : "";
        h->codings++;
    } else if (slice_equal_nocase(slice_of(name), SLICE("Content-Type"))) {
        h->type = value;
    }
    return MHD_YES;
}

static enum MHD_Result on_head(struct wire *w, const char *method, const char *path)
{
    struct http_head head = { .method = method, .path = path };
    auto_answer struct http_answer refusal = { 0 };

    answer_init(&refusal);
    MHD_get_connection_values(w->connection, MHD_HEADER_KIND, look_at_field, &head);
    if (w->machine->events->head(w->owner, &head, &refusal))
        return MHD_YES;
    return queue_answer(w->connection, &refusal, false);
}

/* Called with the head, with each part of the body, and without either when all is there: then again once it is resumed. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *version, const char *part, size_t *size, void **request)
{
    struct wire *w = wire_of(c);

    if (!w || !w->owner)
        return MHD_NO;
    if (!*request) {
        *request = w;
        return on_head(w, method, path);
    }
    if (*size > 0) {
        w->machine->events->body(w->owner, slice(part, *size));
        *size = 0;
        return MHD_YES;
    }
    if (w->answer) {
        const struct http_answer *a = w->answer;

        w->answer = NULL;
        return queue_answer(c, a, w->last);
    }
    MHD_suspend_connection(c);
    w->suspended = true;
    w->machine->events->complete(w->owner);
    return MHD_YES;
}

static void on_over(void *arg, struct MHD_Connection *c, void **request, enum MHD_RequestTerminationCode how)
{
    struct wire *w = wire_of(c);

    *request = NULL;
    if (w && w->owner)
        w->machine->events->over(w->owner);
}

static void on_connection(void *arg, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct machine *m = arg;
    struct wire *w = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = m->arriving;
        m->arriving->connection = c;
    } else if (w) {
        *context = NULL;
        w->connection = NULL;
        if (!w->owner)
            free(w);
    }
}

/* A path is a C string, so a NUL in it would cut it: then it is left as it is. */
static size_t on_escaped(void *arg, struct MHD_Connection *c, char *text)
{
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

/* --- the machine ------------------------------------------------------------------- */

struct machine *machine_new(const struct machine_events *events, unsigned connections, struct error *why)
{
    struct machine *m = NEW(struct machine);

    m->events = events;
    m->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_SUSPEND_RESUME, 0, NULL, NULL, on_request, m,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, m,
        MHD_OPTION_NOTIFY_COMPLETED, on_over, m,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX,
        MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_UNESCAPE_CALLBACK, on_escaped, m,
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_END);
    if (m->daemon)
        return m;
    fail_errno(why, E_SYSTEM, "libmicrohttpd does not start");
    free(m);
    return NULL;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    MHD_stop_daemon(m->daemon);
    free(m);
}

/* It says of itself when something is left that it could do at once. */
void machine_run(struct machine *m)
{
    MHD_UNSIGNED_LONG_LONG wait = 0;

    for (int i = 0; i < TURNS_MAX; i++) {
        MHD_run(m->daemon);
        if (MHD_get_timeout(m->daemon, &wait) != MHD_YES || wait > 0)
            return;
    }
}

/* --- wires ---------------------------------------------------------------------------- */

static void let_go(struct wire *w)
{
    close(w->fd);
    free(w);
}

struct wire *machine_open(struct machine *m, void *owner, struct error *why)
{
    const struct sockaddr_in nobody = { .sin_family = AF_INET };
    struct wire *w;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        fail_errno(why, E_SYSTEM, "no pair of sockets");
        return NULL;
    }
    w = NEW(struct wire);
    *w = (struct wire){ .machine = m, .owner = owner, .fd = ends[0] };
    m->arriving = w;
    if (MHD_add_connection(m->daemon, ends[1], (const struct sockaddr *)&nobody, sizeof nobody) != MHD_YES)
        fail(why, E_LIMIT, "libmicrohttpd takes no more connections");
    else
        machine_run(m);
    m->arriving = NULL;
    if (w->connection)
        return w;
    let_go(w);
    return NULL;
}

/* The library learns of it by the end of its input, and forgets the wire in its own time. */
void machine_close(struct wire *w)
{
    if (!w)
        return;
    if (!w->connection) {
        let_go(w);
        return;
    }
    close(w->fd);
    w->owner = NULL;
    w->answer = NULL;
    if (w->suspended)
        MHD_resume_connection(w->connection);
    machine_run(w->machine);
}

size_t machine_feed(struct wire *w, struct slice bytes)
{
    ssize_t n = send(w->fd, bytes.at, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    return n > 0 ? (size_t)n : 0;
}

size_t machine_drain(struct wire *w, char *into, size_t size, bool *ended)
{
    ssize_t n;

    do
        n = recv(w->fd, into, size, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    *ended = n == 0 || (n < 0 && errno != EAGAIN);
    return n > 0 ? (size_t)n : 0;
}

void machine_answer(struct wire *w, const struct http_answer *a, bool last)
{
    assert(w->suspended);
    w->suspended = false;
    w->answer = a;
    w->last = last;
    if (w->connection)
        MHD_resume_connection(w->connection);
}

/* --- what a page may ask of its request -------------------------------------------------- */

struct search {
    struct slice name;
    const char *value;
};

static enum MHD_Result compare_field(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct search *s = arg;

    if (slice_equal_nocase(slice_of(name), s->name))
        s->value = value ? value : "";
    return MHD_YES;
}

static const char *look_up(const struct http_request *r, enum MHD_ValueKind kind, const char *name)
{
    struct search s = { .name = slice_of(name) };

    if (r->wire && r->wire->connection)
        MHD_get_connection_values(r->wire->connection, kind, compare_field, &s);
    return s.value;
}

const char *http_field(const struct http_request *r, const char *name)
{
    return look_up(r, MHD_HEADER_KIND, name);
}

const char *http_argument(const struct http_request *r, const char *name)
{
    return look_up(r, MHD_GET_ARGUMENT_KIND, name);
}

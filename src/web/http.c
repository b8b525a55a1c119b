#include "web/http.h"

#include "base/escape.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/socket.h"
#include "run/fiber.h"
#include "web/machine.h"

#include <assert.h>

enum {
    PIECE = 4096,                   /* of an answer, on its way out */
    RETRY_SECONDS = 60,
    LINGER_MS = 2000,               /* for a client that still sends when it is refused, */
    LINGER_BYTES = 16 * 1024 * 1024,/* to hear why before the connection breaks */
};

#define BAD_REQUEST "400 Bad Request"
#define NOT_UNDERSTOOD "the request is not understood"
#define TOO_MUCH "too much is being sent at once, try again later"

const struct http_limits http_limits_usual = {
    .connections = 256,
    .connections_per_client = 32,
    .requests = 1000,
    .memory = 64 * 1024 * 1024,
    .handshake = SECONDS(10),
    .idle = SECONDS(30),
    .head = SECONDS(10),
    .body = MINUTES(3),             /* 10 MiB at half a megabit a second */
    .answer = MINUTES(1),
};

enum phase { PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_ANSWER };

/* One connection's dialogue. */
struct visit {
    struct http_server *server;
    struct conn *conn;
    bool by_proxy;
    struct wire *wire;
    enum phase phase;
    time_ms since;                  /* when the phase began */
    unsigned requests;
    /* of the request under way */
    const struct http_page *page;   /* NULL: none, or refused by its head */
    const char *path;
    enum http_method method;
    struct buf body;
    unsigned refused;               /* a status: its body cannot be taken */
    bool answered;                  /* by a page, or refused by its head: what the machine says is ours */
    bool unread;                    /* it is answered by its head alone, and its body may be on its way */
};

/* A connection from the listener to its end. */
struct guest {
    struct http_server *server;
    const struct tls_server *tls;
    int fd;
    struct address peer;
    struct fiber *fiber;
    const struct visit *visit;      /* NULL before the handshake is done */
    struct guest *next, **where;
};

struct door {
    struct http_server *server;
    const struct tls_server *tls;
    struct listener *listener;
};

struct http_server {
    const struct http_page *pages;
    size_t count;
    const struct http_limits *limits;
    void *self;
    struct machine *machine;
    struct door **doors;
    size_t door_count;
    struct guest *guests;
    unsigned guest_count;
    size_t held;                    /* bytes of bodies */
    bool draining;
    void (*drained)(void *self);
};

/* --- what the machine tells ------------------------------------------------------- */

static void enter(struct visit *v, enum phase phase)
{
    v->phase = phase;
    v->since = clock_now();
}

static void forget_request(struct visit *v)
{
    v->server->held -= buf_len(&v->body);
    buf_done(&v->body);
    v->page = NULL;
}

static bool has_room(const struct http_server *s, uint64_t more)
{
    return more <= s->limits->memory && s->held <= s->limits->memory - more;
}

/* Until the request is over its path is the library's. */
static bool on_head(void *owner, const struct http_head *h, struct http_answer *refusal)
{
    struct visit *v = owner;
    uint64_t declared = 0;

    enter(v, PHASE_BODY);
    v->unread = h->lengths + h->codings > 0;
    v->page = page_find(v->server->pages, v->server->count, h, &declared, refusal);
    if (v->page && !has_room(v->server, declared)) {
        answer_say(refusal, 503, TOO_MUCH);
        answer_field(refusal, "Retry-After", "%d", RETRY_SECONDS);
        v->page = NULL;
    }
    if (!v->page) {
        v->answered = true;
        return false;
    }
    v->unread = false;
    v->path = h->path;
    v->method = strcmp(h->method, "POST") == 0 ? HTTP_POST : HTTP_GET;
    buf_init(&v->body, v->page->body_max);
    return true;
}

static void on_body(void *owner, struct slice part)
{
    struct visit *v = owner;

    if (v->refused || !v->page)
        return;
    if (part.len > v->page->body_max - buf_len(&v->body))
        v->refused = 413;
    else if (!has_room(v->server, part.len))
        v->refused = 503;
    if (v->refused)
        return;
    buf_add(&v->body, part);
    v->server->held += part.len;
}

static void on_complete(void *owner)
{
    enter(owner, PHASE_ANSWER);
}

static void on_over(void *owner)
{
    struct visit *v = owner;

    forget_request(v);
    enter(v, PHASE_IDLE);
}

static const struct machine_events events = { on_head, on_body, on_complete, on_over };

/* --- the dialogue ------------------------------------------------------------------- */

static bool wait_to_end(struct conn *c)
{
    struct error why = { 0 };
    size_t left = LINGER_BYTES;

    conn_deadline(c, clock_now() + LINGER_MS);
    while (left > 0 && conn_more(c, &why)) {
        size_t got = conn_unread(c);

        conn_consume(c, got);
        left -= got < left ? got : left;
    }
    return false;
}

/* The library answers a request only when it has all of it, or nothing but the head. What it cannot say we do. */
static bool cut_off(struct visit *v, const char *status, const char *text)
{
    conn_deadline(v->conn, clock_now() + LINGER_MS);
    conn_text(v->conn, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\n", status);
    if (atoi(status) == 503)
        conn_text(v->conn, "Retry-After: %d\r\n", RETRY_SECONDS);
    conn_text(v->conn, "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n", strlen(text) + 1, text);
    return wait_to_end(v->conn);
}

static bool refuse_body(struct visit *v)
{
    return v->refused == 413 ? cut_off(v, "413 Content Too Large", "that is more than this address takes")
                             : cut_off(v, "503 Service Unavailable", TOO_MUCH);
}

/* Of what the library says of its own accord only the status is passed on: it says some heads twice (0.9.75). */
static bool is_own_answer(const struct visit *v, struct slice said)
{
    return !v->answered && slice_starts(said, SLICE("HTTP/1.")) && !slice_starts(slice_after(said, 9), SLICE("100 "));
}

static bool pass_on_status(struct visit *v, struct slice said)
{
    struct slice status = slice_after(said, sizeof "HTTP/1.1 " - 1);
    char text[60];

    escape_line(slice_first(status, slice_find(status, '\r')), text, sizeof text);
    return cut_off(v, text, NOT_UNDERSTOOD);
}

/* Whose request it is: a proxy's word for it is good, as it alone can connect in clear. */
static struct address client_of(const struct visit *v, const struct http_request *r)
{
    struct address client = *conn_peer(v->conn), told;
    struct slice list = slice_of(v->by_proxy ? http_field(r, "X-Forwarded-For") : NULL);
    size_t comma = slice_find_last(list, ',');

    if (comma < list.len)
        list = slice_after(list, comma + 1);
    if (!address_parse_ip(slice_trim(list), &told))
        return client;
    return told;
}

/* What the page says must be with the machine before this function's memory goes. */
static void answer_request(struct visit *v)
{
    struct http_request r = { .method = v->method, .path = v->path, .body = buf_slice(&v->body), .wire = v->wire };
    auto_answer struct http_answer a = { 0 };

    r.peer = client_of(v, &r);
    answer_init(&a);
    v->page->answer(v->server->self, &r, &a);
    if (a.body.failed)
        answer_say(&a, 500, "the answer is too long");
    v->answered = true;
    machine_answer(v->wire, &a, v->server->draining || ++v->requests >= v->server->limits->requests);
    enter(v, PHASE_BODY);       /* it is over when it has been written */
    machine_run(v->server->machine);
}

/* All that the machine has to say, to the client. False when it has ended the connection, or the client has. */
static bool pass_on(struct visit *v)
{
    char piece[PIECE];
    bool ended = false;
    struct error why;

    conn_deadline(v->conn, clock_now() + v->server->limits->answer);
    for (;;) {
        size_t got = machine_drain(v->wire, piece, sizeof piece, &ended);

        if (got > 0 && is_own_answer(v, slice(piece, got)))
            return pass_on_status(v, slice(piece, got));
        if (got > 0)
            conn_write(v->conn, slice(piece, got));
        else if (ended)
            break;
        else if (conn_unsent(v->conn) == 0)
            return conn_flush(v->conn, &why);
        else if (!conn_flush(v->conn, &why))
            return false;
        machine_run(v->server->machine);    /* there may be more than the pair of sockets held */
    }
    if (!v->answered && v->phase != PHASE_IDLE)
        return cut_off(v, BAD_REQUEST, NOT_UNDERSTOOD);
    return conn_flush(v->conn, &why) && v->unread && wait_to_end(v->conn);
}

static time_ms patience(const struct visit *v)
{
    const struct http_limits *l = v->server->limits;

    return v->phase == PHASE_IDLE ? l->idle : v->phase == PHASE_HEAD ? l->head : l->body;
}

static bool take_more(struct visit *v)
{
    struct error why = { 0 };
    size_t took;

    conn_deadline(v->conn, v->since + patience(v));
    if (conn_unread(v->conn) == 0 && !conn_more(v->conn, &why))
        return why.code == E_TIMEOUT && v->phase != PHASE_IDLE
            && cut_off(v, "408 Request Timeout", "the request took too long");
    v->answered = false;
    took = machine_feed(v->wire, conn_peek(v->conn));
    conn_consume(v->conn, took);
    if (v->phase == PHASE_IDLE)
        enter(v, PHASE_HEAD);
    return took > 0;
}

static bool go_on(struct visit *v)
{
    machine_run(v->server->machine);
    if (v->refused)
        return pass_on(v) && refuse_body(v);
    if (v->phase == PHASE_ANSWER)
        answer_request(v);
    return pass_on(v) && (v->phase == PHASE_ANSWER || take_more(v));
}

static void converse(struct visit *v)
{
    struct error why;

    v->wire = machine_open(v->server->machine, v, &why);
    if (!v->wire) {
        log_say(LOG_LEVEL_WARNING, "web.refused", &why, "a connection is closed");
        return;
    }
    enter(v, PHASE_IDLE);
    while (!(v->server->draining && v->phase == PHASE_IDLE) && go_on(v))
        ;
    machine_close(v->wire);
    forget_request(v);
}

void http_serve(struct http_server *s, struct conn *c, bool by_proxy)
{
    struct visit v = { .server = s, .conn = c, .by_proxy = by_proxy };

    converse(&v);
}

/* --- who comes and goes --------------------------------------------------------------- */

static void log_refused(const struct address *peer, const struct error *why, const char *text)
{
    struct log_line l = log_begin(LOG_LEVEL_DEBUG, "web.refused");
    char client[ADDRESS_TEXT_MAX];

    log_text(&l, "client", address_text(peer, client));
    if (why)
        log_why(&l, why);
    else
        log_text(&l, "why", text);
    log_end(&l);
}

static void leave(struct guest *g)
{
    struct http_server *s = g->server;

    *g->where = g->next;
    if (g->next)
        g->next->where = g->where;
    free(g);
    s->guest_count--;
    if (s->draining && !s->guests && s->drained)
        s->drained(s->self);
}

static void entertain(void *arg)
{
    struct guest *g = arg;
    struct visit v = { .server = g->server, .conn = socket_conn(g->fd), .by_proxy = !g->tls };
    struct error why = { 0 };

    conn_deadline(v.conn, clock_now() + g->server->limits->handshake);
    if (g->tls && !conn_start_tls(v.conn, g->tls, NULL, &why)) {
        log_refused(&g->peer, &why, NULL);
    } else {
        g->visit = &v;
        converse(&v);
    }
    conn_close(v.conn);
    leave(g);
}

/* IPv6 clients count by their /64: each has one at least. */
static bool is_same_client(const struct address *a, const struct address *b)
{
    if (a->family == AF_INET6 && b->family == AF_INET6)
        return memcmp(a->ip, b->ip, 8) == 0;
    return address_same_ip(a, b);
}

static const char *why_not(const struct door *d, const struct address *peer)
{
    const struct http_server *s = d->server;
    unsigned same = 0;

    if (s->guest_count >= s->limits->connections)
        return "too many connections";
    for (const struct guest *g = s->guests; g && d->tls; g = g->next)
        same += is_same_client(&g->peer, peer);
    return same >= s->limits->connections_per_client ? "too many connections of one client" : NULL;
}

static void arrived(void *owner, int fd, const struct address *peer)
{
    const struct door *d = owner;
    struct http_server *s = d->server;
    const char *refusal = why_not(d, peer);
    struct guest *g;

    if (refusal) {
        log_refused(peer, NULL, refusal);
        close(fd);
        return;
    }
    g = NEW(struct guest);
    *g = (struct guest){ .server = s, .tls = d->tls, .fd = fd, .peer = *peer, .next = s->guests, .where = &s->guests };
    if (g->next)
        g->next->where = &g->next;
    s->guests = g;
    s->guest_count++;
    g->fiber = fiber_start("web", entertain, g);
}

/* --- the server -------------------------------------------------------------------------- */

struct http_server *http_server_new(const struct http_page *pages, size_t count, const struct http_limits *limits,
                                    void *self, struct error *why)
{
    struct http_server *s = NEW(struct http_server);

    *s = (struct http_server){ .pages = pages, .count = count, .limits = limits, .self = self };
    s->machine = machine_new(&events, limits->connections + 16, why);   /* some are still being let go */
    if (s->machine)
        return s;
    free(s);
    return NULL;
}

static void close_doors(struct http_server *s)
{
    for (size_t i = 0; i < s->door_count; i++) {
        listener_free(s->doors[i]->listener);
        free(s->doors[i]);
    }
    free(s->doors);
    s->doors = NULL;
    s->door_count = 0;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    assert(!s->guests && s->held == 0);
    close_doors(s);
    machine_free(s->machine);
    free(s);
}

static bool is_loopback(const struct address *a)
{
    static const uint8_t ipv6[16] = { [15] = 1 };

    return a->family == AF_INET6 ? memcmp(a->ip, ipv6, sizeof ipv6) == 0 : a->family == AF_INET && a->ip[0] == 127;
}

bool http_server_listen(struct http_server *s, int fd, const struct tls_server *tls, struct error *why)
{
    struct sockaddr_storage name = { 0 };
    socklen_t len = sizeof name;
    char text[ADDRESS_TEXT_MAX];
    struct address here;
    struct door *d;

    if (getsockname(fd, (struct sockaddr *)&name, &len) != 0)
        return fail_errno(why, E_SYSTEM, "asking where a socket listens");
    here = address_from((struct sockaddr *)&name);
    if (!tls && !is_loopback(&here))
        return fail(why, E_USAGE, "%s: HTTP without TLS is served at loopback addresses only", address_text(&here, text));
    d = NEW(struct door);
    *d = (struct door){ .server = s, .tls = tls };
    d->listener = listener_new(fd, arrived, d);
    s->doors = memory_grow(s->doors, s->door_count + 1, sizeof *s->doors);
    s->doors[s->door_count++] = d;
    return true;
}

void http_server_drain(struct http_server *s, bool hurry, void (*drained)(void *self))
{
    bool first = !s->draining;

    close_doors(s);
    s->draining = true;
    s->drained = drained;
    for (struct guest *g = s->guests; g; g = g->next)
        if (hurry || !g->visit || g->visit->phase == PHASE_IDLE)
            fiber_cancel(g->fiber);
    if (first && !s->guests)
        drained(s->self);
}

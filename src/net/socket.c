#include "net/socket.h"

#include "base/memory.h"
#include "run/fiber.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum {
    IN_A_ROW_MAX = 32,              /* system calls before others get their turn */
    SEALED_AT_ONCE = 64 * 1024,     /* clear bytes that are encrypted before the first of them is sent */
    DRAINED_MAX = 8,                /* reads that a close spends on what nobody will read */
};

/* The transport of a conn. It keeps no input of its own in clear, so that
 * everything read before TLS lies in the conn, where (P3) is checked. */
struct socket {
    int fd;
    struct fiber_watch *watch;
    unsigned in_a_row;              /* system calls since the fiber last gave way */
    struct tls *tls;
    struct tls_facts *facts;        /* NULL before the handshake is done */
};

/* Where encrypted bytes land; fed to a session before the next wait. */
static char landing[TLS_INPUT_MAX];

/* --- the socket ------------------------------------------------------- */

static bool wait_for(struct socket *s, int event, time_ms deadline, struct error *why)
{
    s->in_a_row = 0;
    switch (fiber_wait_ready(s->watch, event, deadline, NULL)) {
    case FIBER_WOKEN:
        return true;
    case FIBER_TIMED_OUT:
        return fail(why, E_TIMEOUT, event == WATCH_READ ? "the peer was silent for too long"
                                                        : "the peer was too slow to take what it was sent");
    case FIBER_CANCELLED:
        break;
    }
    return fail(why, E_CANCELLED, "the connection is given up: shutting down");
}

/* Called before each system call: a peer that is faster than we are must not
 * keep the fiber from giving way. */
static bool give_way(struct socket *s, int event, time_ms deadline, struct error *why)
{
    return ++s->in_a_row <= IN_A_ROW_MAX || wait_for(s, event, deadline, why);
}

/* After a failed system call: true when it is worth another try. */
static bool try_again(struct socket *s, int event, time_ms deadline, struct error *why)
{
    switch (errno) {
    case EINTR:
        return true;
    case EAGAIN:
        return wait_for(s, event, deadline, why);
    case EPIPE:
    case ECONNRESET:
        return fail(why, E_CLOSED, "the peer reset the connection");
    default:
        return fail_errno(why, errno == ETIMEDOUT ? E_TIMEOUT : E_CLOSED, "the connection broke");
    }
}

static bool receive(struct socket *s, char *into, size_t size, size_t *got, time_ms deadline, struct error *why)
{
    for (;;) {
        ssize_t n;

        if (!give_way(s, WATCH_READ, deadline, why))
            return false;
        n = recv(s->fd, into, size, 0);
        if (n >= 0) {
            *got = (size_t)n;
            return true;
        }
        if (!try_again(s, WATCH_READ, deadline, why))
            return false;
    }
}

static bool send_some(struct socket *s, struct slice bytes, size_t *sent, time_ms deadline, struct error *why)
{
    for (;;) {
        ssize_t n;

        if (!give_way(s, WATCH_WRITE, deadline, why))
            return false;
        n = send(s->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (n >= 0) {
            *sent = (size_t)n;
            return true;
        }
        if (!try_again(s, WATCH_WRITE, deadline, why))
            return false;
    }
}

/* --- TLS over it ------------------------------------------------------ */

static bool send_output(struct socket *s, time_ms deadline, struct error *why)
{
    struct buf *out = tls_output(s->tls);

    while (buf_len(out) > 0) {
        size_t sent;

        if (!send_some(s, buf_slice(out), &sent, deadline, why))
            return false;
        buf_take(out, sent);
    }
    return true;
}

/* Once and without waiting: an alert or a close_notify on the way out. */
static void send_last_words(struct socket *s)
{
    struct slice words = buf_slice(tls_output(s->tls));

    if (words.len > 0)
        (void)!send(s->fd, words.at, words.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Gives the session what the network has, or that it has ended. */
static bool feed(struct socket *s, time_ms deadline, struct error *why)
{
    size_t room = tls_input_room(s->tls), got;

    assert(room > 0);
    if (!send_output(s, deadline, why) ||
        !receive(s, landing, room < sizeof landing ? room : sizeof landing, &got, deadline, why))
        return false;
    if (got > 0)
        tls_feed(s->tls, slice(landing, got));
    else
        tls_feed_end(s->tls);
    return true;
}

static bool handshake(struct socket *s, time_ms deadline, struct error *why)
{
    for (;;) {
        switch (tls_handshake(s->tls, why)) {
        case TLS_DONE:
            if (!send_output(s, deadline, why))
                return false;
            s->facts = NEW(struct tls_facts);
            tls_get_facts(s->tls, s->facts);
            return true;
        case TLS_MORE:
            if (!feed(s, deadline, why))
                return false;
            break;
        default:
            send_last_words(s);     /* the alert */
            return false;
        }
    }
}

/* A connection that breaks here is a handshake that failed: some servers answer so what they dislike. */
static bool shake_hands(struct socket *s, time_ms deadline, struct error *why)
{
    struct error reason = { 0 };

    if (handshake(s, deadline, &reason))
        return true;
    if (reason.code == E_CLOSED)
        return fail(why, E_TLS_HANDSHAKE, "TLS handshake failed: %s", reason.text);
    if (why)
        *why = reason;
    return false;
}

static bool socket_start_tls_server(void *self, const struct tls_server *server, time_ms deadline,
                                    struct error *why)
{
    struct socket *s = self;

    s->tls = tls_accept(server);
    return shake_hands(s, deadline, why);
}

static bool socket_start_tls_client(void *self, const struct tls_want *want, time_ms deadline, struct error *why)
{
    struct socket *s = self;

    s->tls = tls_connect(want, why);
    return s->tls && shake_hands(s, deadline, why);
}

static const struct tls_facts *socket_tls(void *self)
{
    struct socket *s = self;

    return s->facts;
}

/* --- the transport ---------------------------------------------------- */

static bool read_sealed(struct socket *s, char *into, size_t size, size_t *got, time_ms deadline,
                        struct error *why)
{
    for (;;) {
        switch (tls_read(s->tls, into, size, got, why)) {
        case TLS_DONE:
            return true;
        case TLS_ENDED:
            *got = 0;
            return true;
        case TLS_FAILED:
            send_last_words(s);
            return false;
        case TLS_MORE:
            break;
        }
        if (!feed(s, deadline, why))
            return false;
    }
}

static bool socket_read(void *self, char *into, size_t size, size_t *got, time_ms deadline, struct error *why)
{
    struct socket *s = self;

    return s->tls ? read_sealed(s, into, size, got, deadline, why) : receive(s, into, size, got, deadline, why);
}

static bool write_sealed(struct socket *s, struct slice bytes, time_ms deadline, struct error *why)
{
    while (bytes.len > 0) {
        struct slice part = slice_first(bytes, SEALED_AT_ONCE);

        if (tls_write(s->tls, part, why) != TLS_DONE) {
            send_last_words(s);
            return false;
        }
        if (!send_output(s, deadline, why))
            return false;
        bytes = slice_after(bytes, part.len);
    }
    return true;
}

static bool socket_write(void *self, struct slice bytes, time_ms deadline, struct error *why)
{
    struct socket *s = self;
    size_t sent;

    if (s->tls)
        return write_sealed(s, bytes, deadline, why);
    for (; bytes.len > 0; bytes = slice_after(bytes, sent))
        if (!send_some(s, bytes, &sent, deadline, why))
            return false;
    return true;
}

/* close() with input unread makes the kernel send a reset, which can overtake
 * our last reply; so what has come by now is read and forgotten. */
static void end_politely(struct socket *s)
{
    if (s->facts) {
        tls_close(s->tls);
        send_last_words(s);
    }
    shutdown(s->fd, SHUT_WR);
    for (int i = 0; i < DRAINED_MAX; i++)
        if (recv(s->fd, landing, sizeof landing, MSG_DONTWAIT) <= 0)
            break;
}

static void socket_close(void *self, bool polite)
{
    struct socket *s = self;

    if (polite)
        end_politely(s);
    tls_free(s->tls);
    free(s->facts);
    fiber_watch_free(s->watch);
    close(s->fd);
    free(s);
}

static const struct transport socket_transport = {
    .read = socket_read,
    .write = socket_write,
    .start_tls_server = socket_start_tls_server,
    .start_tls_client = socket_start_tls_client,
    .tls = socket_tls,
    .close = socket_close,
};

static struct address name_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_storage name = { 0 };
    socklen_t len = sizeof name;

    return get(fd, (struct sockaddr *)&name, &len) == 0 ? address_from((struct sockaddr *)&name)
                                                        : (struct address){ 0 };
}

struct conn *socket_conn(int fd)
{
    struct address peer = name_of(fd, getpeername), local = name_of(fd, getsockname);
    struct socket *s = NEW(struct socket);

    /* Output leaves in whole groups already; nothing is to wait for an ACK. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    s->fd = fd;
    s->watch = fiber_watch_new(fd);
    return conn_new(&socket_transport, s, &peer, &local);
}

#include "net/conn.h"

#include "base/memory.h"

#include <assert.h>

/* A full buffer leaves as exactly one TLS record of the largest size. */
enum { OUTPUT_MAX = 16 * 1024 };

struct conn {
    const struct transport *transport;
    void *self;
    struct address peer, local;
    time_ms deadline;
    struct buf in, out;
    size_t searched;            /* unread bytes at the front that hold no end of line */
    uint64_t bytes_in, bytes_out;
    struct error broken;        /* the first failure to write or to start TLS: nothing works after it */
    conn_listener *hear;
    void *hear_arg;
};

/* Where every read of this process lands before its conn takes it over, so
 * that a conn which waits holds no memory for what may come. Transports write
 * to it after their last wait only. */
static char landing[CONN_READ_MAX];

struct conn *conn_new(const struct transport *transport, void *self, const struct address *peer,
                      const struct address *local)
{
    struct conn *c = NEW(struct conn);

    c->transport = transport;
    c->self = self;
    c->peer = *peer;
    c->local = *local;
    c->deadline = TIME_NEVER;
    buf_init(&c->in, CONN_READ_MAX);
    buf_init(&c->out, OUTPUT_MAX);
    return c;
}

static void end(struct conn *c, bool polite)
{
    c->transport->close(c->self, polite);
    buf_done(&c->in);
    buf_done(&c->out);
    free(c);
}

void conn_close(struct conn *c)
{
    if (c)
        end(c, c->broken.code == E_NONE);
}

void conn_abort(struct conn *c)
{
    if (c)
        end(c, false);
}

const struct address *conn_peer(const struct conn *c)
{
    return &c->peer;
}

const struct address *conn_local(const struct conn *c)
{
    return &c->local;
}

void conn_deadline(struct conn *c, time_ms deadline)
{
    c->deadline = deadline;
}

static void hear(struct conn *c, bool sent, struct slice bytes)
{
    if (c->hear)
        c->hear(c->hear_arg, sent, bytes);
}

static bool is_broken(const struct conn *c, struct error *why)
{
    if (c->broken.code != E_NONE && why)
        *why = c->broken;
    return c->broken.code != E_NONE;
}

/* --- reading ---------------------------------------------------------- */

size_t conn_unread(const struct conn *c)
{
    return buf_len(&c->in);
}

struct slice conn_peek(const struct conn *c)
{
    return buf_slice(&c->in);
}

void conn_consume(struct conn *c, size_t n)
{
    assert(n <= conn_unread(c));
    c->searched -= n < c->searched ? n : c->searched;
    buf_take(&c->in, n);
}

bool conn_more(struct conn *c, struct error *why)
{
    size_t room = CONN_READ_MAX - conn_unread(c), got;

    if (room == 0)
        return fail(why, E_LIMIT, "%d bytes of input are waiting already", CONN_READ_MAX);
    if (!conn_flush(c, why))
        return false;
    if (conn_unread(c) == 0)
        buf_release(&c->in);
    buf_release(&c->out);
    if (!c->transport->read(c->self, landing, room, &got, c->deadline, why))
        return false;
    if (got == 0)
        return fail(why, E_CLOSED, "the peer closed the connection");
    assert(got <= room);
    buf_add(&c->in, slice(landing, got));
    c->bytes_in += got;
    hear(c, false, slice(landing, got));
    return true;
}

/* Looks for CRLF, never twice at the same byte. `*len` is what stands before it. */
static bool find_line(struct conn *c, size_t *len)
{
    struct slice held = conn_peek(c);

    while (c->searched < held.len) {
        size_t newline = c->searched + slice_find(slice_after(held, c->searched), '\n');

        if (newline == held.len)
            break;
        if (newline > 0 && held.at[newline - 1] == '\r') {
            *len = newline - 1;
            return true;
        }
        c->searched = newline + 1;
    }
    c->searched = held.len;
    return false;
}

/* The whole line goes, so that its tail never looks like a command (SMTP-066),
 * in memory that does not grow with it. `skipped` counts what is gone. */
static enum line_result skip_line(struct conn *c, size_t max_skipped, struct error *why)
{
    size_t skipped = 0, len;

    for (;;) {
        bool found = find_line(c, &len);
        struct slice held = conn_peek(c);
        size_t seen = found ? len + 2 : held.len;

        if (skipped + seen > max_skipped) {
            fail(why, E_LIMIT, "a line is longer than %zu bytes", max_skipped);
            return LINE_FAILED;
        }
        if (!found && seen > 0 && held.at[seen - 1] == '\r')
            seen--;     /* the LF may come next */
        conn_consume(c, seen);
        skipped += seen;
        if (found)
            return LINE_TOO_LONG;
        if (!conn_more(c, why))
            return LINE_FAILED;
    }
}

enum line_result conn_line(struct conn *c, size_t max, size_t max_skipped, struct slice *line, struct error *why)
{
    size_t len;

    assert(max >= 2 && max <= CONN_READ_MAX);
    while (!find_line(c, &len)) {
        if (conn_unread(c) >= max)
            return skip_line(c, max_skipped, why);
        if (!conn_more(c, why))
            return LINE_FAILED;
    }
    if (len + 2 > max)
        return skip_line(c, max_skipped, why);
    *line = slice_first(conn_peek(c), len);
    conn_consume(c, len + 2);
    return LINE_OK;
}

/* --- writing ---------------------------------------------------------- */

static void send_out(struct conn *c, struct slice bytes)
{
    if (!c->transport->write(c->self, bytes, c->deadline, &c->broken) && c->broken.code == E_NONE)
        fail(&c->broken, E_CLOSED, "the connection cannot be written to");
}

void conn_write(struct conn *c, struct slice bytes)
{
    if (is_broken(c, NULL) || bytes.len == 0)
        return;
    c->bytes_out += bytes.len;
    hear(c, true, bytes);
    while (bytes.len > 0 && !is_broken(c, NULL)) {
        struct slice part = slice_first(bytes, OUTPUT_MAX - buf_len(&c->out));

        if (bytes.len >= OUTPUT_MAX && buf_len(&c->out) == 0) {
            send_out(c, bytes);
            return;
        }
        buf_add(&c->out, part);
        bytes = slice_after(bytes, part.len);
        if (buf_len(&c->out) == OUTPUT_MAX && !conn_flush(c, NULL))
            return;
    }
}

void conn_text(struct conn *c, const char *format, ...)
{
    auto_buf struct buf text;
    va_list args;

    buf_init(&text, OUTPUT_MAX);
    va_start(args, format);
    buf_vtext(&text, format, args);
    va_end(args);
    assert(!text.failed);
    conn_write(c, buf_slice(&text));
}

bool conn_flush(struct conn *c, struct error *why)
{
    if (!is_broken(c, NULL) && buf_len(&c->out) > 0) {
        send_out(c, buf_slice(&c->out));
        buf_clear(&c->out);
    }
    return !is_broken(c, why);
}

size_t conn_unsent(const struct conn *c)
{
    return buf_len(&c->out);
}

/* --- TLS -------------------------------------------------------------- */

static bool shake_hands(struct conn *c, const struct tls_server *server, const struct tls_want *want,
                        struct error *why)
{
    if (server)
        return c->transport->start_tls_server(c->self, server, c->deadline, why);
    return c->transport->start_tls_client(c->self, want, c->deadline, why);
}

bool conn_start_tls(struct conn *c, const struct tls_server *server, const struct tls_want *want, struct error *why)
{
    assert(!server != !want && !conn_tls(c));
    if (!conn_flush(c, why))
        return false;

    /* Keeps (P3). RFC 3207 4.2: "The server MUST discard any knowledge obtained
     * from the client, such as the argument to the EHLO command, which was not
     * obtained from the TLS negotiation itself." We drop the connection too:
     * nobody honest speaks here (STARTTLS-010, -011). */
    if (conn_unread(c) > 0)
        fail(&c->broken, E_STARTTLS_INJECTED, "%zu bytes were sent in clear before the TLS handshake",
             conn_unread(c));
    else if (!shake_hands(c, server, want, &c->broken) && c->broken.code == E_NONE)
        fail(&c->broken, E_TLS_HANDSHAKE, "the TLS handshake failed");
    if (is_broken(c, why))
        return false;
    assert(conn_unread(c) == 0 && conn_unsent(c) == 0);     /* STARTTLS-012 */
    buf_release(&c->in);
    buf_release(&c->out);
    return true;
}

const struct tls_facts *conn_tls(const struct conn *c)
{
    return c->transport->tls(c->self);
}

uint64_t conn_bytes_in(const struct conn *c)
{
    return c->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *c)
{
    return c->bytes_out;
}

void conn_listen_in(struct conn *c, conn_listener *hear_it, void *arg)
{
    c->hear = hear_it;
    c->hear_arg = arg;
}

/* net/conn.h - the connection that dialogues see.
 *
 * Buffered reading and writing, one deadline, and the one function that starts
 * TLS. Under it lies a transport: a socket on a fiber (net/socket.c), or a
 * script in memory (net/script.h), so a dialogue is tested without fiber,
 * loop, socket or clock.
 *
 * Output is kept until conn_flush or until a read has to wait, so that a group
 * of replies or commands leaves in one segment (RFC 2920).
 *
 * (P3) What was read in clear is never taken as said under TLS:
 * conn_start_tls refuses while unread bytes are held. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/buf.h"
#include "base/clock.h"
#include "net/address.h"
#include "tls/session.h"

struct conn;

/* What lies under a conn. All may wait; on failure they fill `why` with
 * E_TIMEOUT, E_CLOSED, E_CANCELLED, E_TLS_HANDSHAKE or E_TLS_TRUNCATED. */
struct transport {
    /* At least one byte, at most `size`; *got == 0 is an orderly end. All conns
     * read `into` the same memory: it is written to after the last wait only. */
    bool (*read)(void *self, char *into, size_t size, size_t *got, time_ms deadline, struct error *why);
    /* All of it. Reads nothing meanwhile: against a peer that writes too, and
     * does not read, only the deadline helps (RFC 2920 3.1). */
    bool (*write)(void *self, struct slice bytes, time_ms deadline, struct error *why);
    bool (*start_tls_server)(void *self, const struct tls_server *server, time_ms deadline, struct error *why);
    bool (*start_tls_client)(void *self, const struct tls_want *want, time_ms deadline, struct error *why);
    /* NULL when TLS is not active. */
    const struct tls_facts *(*tls)(void *self);
    /* Orderly when `polite`: close_notify first. Then frees itself. */
    void (*close)(void *self, bool polite);
};

enum { CONN_READ_MAX = 32 * 1024 };     /* most unread input a conn holds */

/* `peer` and `local` may be zeroed (scripts). */
struct conn *conn_new(const struct transport *transport, void *self, const struct address *peer,
                      const struct address *local);
void conn_close(struct conn *c);        /* flushes nothing; close_notify under TLS; frees. NULL is fine */
void conn_abort(struct conn *c);        /* at once, without close_notify; frees */

const struct address *conn_peer(const struct conn *c);
const struct address *conn_local(const struct conn *c);

/* Absolute, clock_now time; every wait after it fails with E_TIMEOUT. A new
 * conn has TIME_NEVER. */
void conn_deadline(struct conn *c, time_ms deadline);

/* --- reading ---------------------------------------------------------- */

/* Bytes held that nobody has consumed; a slice of them valid until the next read. */
size_t conn_unread(const struct conn *c);
struct slice conn_peek(const struct conn *c);
void conn_consume(struct conn *c, size_t n);

/* Waits until more bytes than now are unread; flushes the output first. False
 * at the end of input (E_CLOSED). E_LIMIT when CONN_READ_MAX bytes are held
 * already. */
bool conn_more(struct conn *c, struct error *why) must_check;

enum line_result {
    LINE_OK,
    LINE_TOO_LONG,      /* more than `max` bytes without CRLF: the rest up to and with the next CRLF has been skipped */
    LINE_FAILED,        /* see `why` */
};
/* The next line, ended by CRLF and nothing else (SMTP-040), returned without
 * it; `max` counts it. The slice is valid until the next read. A bare CR or LF
 * inside is left in the slice for the grammar to refuse. Waits. A line that
 * never ends is skipped in constant memory, and fails with E_LIMIT after
 * `max_skipped` bytes; `max` is at most CONN_READ_MAX. */
enum line_result conn_line(struct conn *c, size_t max, size_t max_skipped, struct slice *line,
                           struct error *why) must_check;

/* --- writing ---------------------------------------------------------- */

/* Buffered; a large slice goes out at once, and may wait. A failure is kept
 * and returned by every conn_flush and read from then on. conn_text is for
 * short texts (16 KiB). */
void conn_write(struct conn *c, struct slice bytes);
void conn_text(struct conn *c, const char *format, ...) printf_like(2, 3);
bool conn_flush(struct conn *c, struct error *why) must_check;      /* Waits. */
size_t conn_unsent(const struct conn *c);

/* --- TLS -------------------------------------------------------------- */

/* Waits. Flushes the output, then fails with E_STARTTLS_INJECTED if any input
 * is unread (P3), else shakes hands. After a failure the conn is good only for
 * closing (STARTTLS-013). Exactly one of `server` and `want` is not NULL. */
bool conn_start_tls(struct conn *c, const struct tls_server *server, const struct tls_want *want,
                    struct error *why) must_check;
const struct tls_facts *conn_tls(const struct conn *c);    /* NULL while in clear; valid as long as the conn */

/* Bytes in and out so far, clear text. */
uint64_t conn_bytes_in(const struct conn *c);
uint64_t conn_bytes_out(const struct conn *c);

/* A watcher of all that is said, for `postern send -v` and traces: called with
 * each piece as it is written ('C' or 'S' by `is_client`) and read. NULL to stop. */
typedef void conn_listener(void *arg, bool sent, struct slice bytes);
void conn_listen_in(struct conn *c, conn_listener *hear, void *arg);

#endif

/* smtp/client.h - the client's side of the dialogue: greeting to QUIT.
 *
 * Plain functions over a conn, each one step of RFC 5321; whoever delivers
 * (deliver/) calls them in order and decides in between. They state facts and
 * contain no policy. All of them wait. Deadlines are set here, per phase
 * (RFC 5321 4.5.3.2, spec SMTP-080, -081).
 *
 * What the server says before it is asked is never taken for an answer: a
 * step that finds unread bytes fails with E_PROTOCOL (SMTP-092). A 421 ends
 * every step with E_CLOSED (SMTP-094). After any failure of a step the
 * connection is good only for closing, but for what smtp_secure says. */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "smtp/reply.h"

/* RFC 5321 4.5.3.2 and spec SMTP-081; smtp_client_times gives the defaults. */
struct smtp_times {
    time_ms greeting, ehlo, starttls, handshake, mail, rcpt, data, block, final, rset, quit;
};
extern const struct smtp_times smtp_client_times;

/* What the last EHLO said. Forgotten and asked again after TLS (STARTTLS-002). */
struct smtp_peer {
    char name[256];             /* first word of the 250, escaped */
    bool esmtp;                 /* EHLO was accepted; false after HELO */
    bool starttls, pipelining, eightbitmime, enhanced_status, dsn, smtputf8, chunking;
    bool requiretls;            /* of an EHLO inside TLS only (REQTLS-023) */
    bool has_size;
    uint64_t size_max;          /* 0: no fixed limit */
    char greeting[256];         /* text of the 220, escaped; for people only, so it outlives TLS */
};

/* `command` of a client that waits, or waited in vain, for the reply to the final dot. */
#define SMTP_END_OF_DATA "end of data"

struct smtp_client {
    struct conn *conn;
    const char *helo;           /* our name (SMTP-021) */
    const struct smtp_times *times;
    struct smtp_peer peer;
    struct reply last;          /* the reply that decided the last step, for logs and bounces; code 0: none came */
    char command[16];           /* the command it answered: "MAIL"; "connection", "end of data" */
    bool transaction_open;      /* a MAIL was accepted and its transaction has not ended */
};

void smtp_client_init(struct smtp_client *s, struct conn *c, const char *helo, const struct smtp_times *times);

/* Greeting and EHLO; HELO after a 5yz to EHLO only when `helo_allowed` (SMTP-093).
 * A 5yz greeting is E_HOST_REFUSES (SMTP-136, -139), and so is a 5yz to EHLO or HELO. */
bool smtp_hello(struct smtp_client *s, bool helo_allowed, struct error *why) must_check;

/* STARTTLS, handshake, EHLO again (RFC 3207 4.2). E_STARTTLS_NOT_OFFERED
 * before anything is sent; E_STARTTLS_REFUSED: the connection is still usable
 * in clear; E_STARTTLS_INJECTED, E_TLS_HANDSHAKE and all else: it is not.
 * Facts are in conn_tls(). Judging them is the caller's next act (STARTTLS-007):
 * `judge`, when not NULL, is called between handshake and EHLO, and when it
 * says false the connection is given QUIT and nothing else. */
bool smtp_secure(struct smtp_client *s, const struct tls_want *want,
                 bool (*judge)(void *arg, const struct tls_facts *facts, struct error *why), void *arg,
                 struct error *why) must_check;

/* --- one message ------------------------------------------------------ */

/* The message, CRLF lines, not dot-stuffed; in pieces of any size, valid until
 * the next call. *piece empty means the end. False aborts the connection, for
 * the far side must not take a piece for the whole. May wait. */
struct smtp_source {
    void *self;
    bool (*next)(void *self, struct slice *piece, struct error *why);
};

enum rcpt_result { RCPT_UNDECIDED, RCPT_DELIVERED, RCPT_DEFERRED, RCPT_FAILED };

struct smtp_recipient {
    const char *address;        /* without brackets */
    enum rcpt_result result;    /* out */
    struct reply reply;         /* out: what decided it; code 0 when no reply did, see `why` */
};

struct smtp_mail {
    const char *sender;         /* "" for null */
    uint64_t size;              /* bytes of the message */
    bool needs_8bit;            /* it has bytes above 127 */
    bool requiretls;            /* MAIL carries REQUIRETLS (RFC 8689 2); the caller knows that the server offers it */
    struct smtp_source source;
};

/* MAIL, RCPT, DATA, body, final reply; pipelined when the server allows
 * (RFC 2920, SMTP-202 to -204). Every recipient gets its own result; true when
 * the connection can be used again (all recipients decided). False: it
 * cannot, `why` tells, undecided recipients stay RCPT_UNDECIDED and are to be
 * tried again (SMTP-017, -094). Before anything is sent, E_MESSAGE_TOO_LARGE
 * (SMTP-194), E_NEEDS_8BITMIME (SMTP-216) and E_MALFORMED (an address that
 * cannot stand in a command) return true with all recipients RCPT_FAILED and
 * `why` set. 552 to RCPT after at least one accepted counts as deferred
 * (SMTP-065). A refused MAIL decides every recipient.
 *
 * The message passes as it is, lines over 998 bytes too: what came in goes out
 * byte for byte. Only a bare CR or LF does not (SMTP-043): at the first one
 * the transfer stops without its final dot, accepted recipients are
 * RCPT_FAILED, and false is returned with E_BARE_NEWLINE: the next message
 * needs a new connection. */
bool smtp_send(struct smtp_client *s, const struct smtp_mail *mail, struct smtp_recipient *recipients, size_t count,
               struct error *why) must_check;

/* Waits briefly for the answer; failures do not matter (SMTP-091). Does not close the conn. */
void smtp_quit(struct smtp_client *s);

/* Does an idle kept connection still stand? Sends RSET (SMTP-081: 30 s). */
bool smtp_reset(struct smtp_client *s, struct error *why) must_check;

#endif

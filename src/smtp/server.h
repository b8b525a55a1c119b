/* smtp/server.h - the server's side of the dialogue.
 *
 * smtp_serve speaks RFC 5321 with PIPELINING, SIZE, 8BITMIME,
 * ENHANCEDSTATUSCODES, STARTTLS and, inside TLS, REQUIRETLS until the client
 * leaves or is told to. It knows the protocol and holds no policy: whom to
 * take mail from and for, and where the message goes, it asks its house.
 * Memory per session is bounded whatever the client does (SMTP-067). */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "smtp/command.h"
#include "net/conn.h"

struct smtp_limits {
    uint64_t message_bytes;     /* SIZE; 0: no maximum */
    size_t line_bytes;          /* text line in DATA with CRLF; over it: 5.6.0 at the end of data. 0: no limit,
                                 * for real mail has lines far over the 1000 of RFC 5321, and lines are never held */
    size_t recipients;          /* of a message; over it: 452 4.5.3 */
    unsigned errors;            /* bad commands in a session; the next one is answered 421 (SMTP-030) */
    unsigned commands;          /* since the last accepted message, without accepted RCPTs; then 421 (endless NOOP) */
    unsigned messages;          /* in a session; the next MAIL is answered 421. 0: no limit */
    time_ms command_time;       /* wait for a command: 5 min (SMTP-082) */
    time_ms data_time;          /* wait for a piece of data: 3 min */
    time_ms transfer_time;      /* DATA as a whole, besides 1 s for each 1 KiB received: slow senders */
    time_ms handshake_time;     /* TLS: 60 s */
    time_ms session_time;       /* all of it; TIME_NEVER */
};
extern const struct smtp_limits smtp_default_limits;

/* What is known of the session; forgotten as RFC 3207 4.2 says. */
struct smtp_session {
    const struct conn *conn;            /* peer, local, TLS facts */
    char client_name[256];              /* of HELO or EHLO, escaped; "" before it */
    bool esmtp;                         /* EHLO, not HELO */
    unsigned messages;                  /* accepted so far */
    /* the transaction: valid between MAIL and its end */
    struct mailbox sender;
    bool has_size;
    uint64_t declared_size;
    enum smtp_body body;
    bool requiretls;                    /* MAIL asked for TLS on every hop to come (RFC 8689) */
    size_t recipients;                  /* accepted */
    /* the message: valid in `end` */
    uint64_t bytes;                     /* as given to `body` when it kept all of them */
    bool eight_bit;                     /* it has a byte above 127, whatever BODY= said */
};

struct smtp_answer {
    int code;
    char status[12];                    /* "2.1.0"; "" for 354 */
    char text[400];                     /* one line, printable ASCII */
    bool close;                         /* end the session after it; 421 always does */
};
/* The text is escaped, so it may hold what a stranger said. A status whose
 * class is not the code's is replaced by X.0.0 when it is sent. */
void smtp_answer_set(struct smtp_answer *a, int code, const char *status, const char *format, ...) printf_like(4, 5);

/* The house: what the dialogue asks. Every function may wait. Answers come
 * preset with the usual success reply; code 2yz accepts, others refuse. */
struct smtp_house {
    void (*mail)(void *self, const struct smtp_session *s, struct smtp_answer *a);
    void (*rcpt)(void *self, const struct smtp_session *s, const struct mailbox *to, struct smtp_answer *a);
    /* DATA: preset 354. Refused, the transaction stays open: DATA can be tried again. */
    void (*data)(void *self, const struct smtp_session *s, struct smtp_answer *a);
    /* Message bytes, dots unstuffed, in order. False: cannot be kept (the house
     * remembers why); the rest of the data is read and dropped, and `end` called. */
    bool (*body)(void *self, struct slice bytes);
    /* End of data, whole and well-formed, or what `body` could not keep: make
     * it durable, then answer (P1). The transaction is over whatever the answer. */
    void (*end)(void *self, const struct smtp_session *s, struct smtp_answer *a);
    /* The transaction is over without `end`: RSET, EHLO, refusal, lost connection.
     * Once for every accepted MAIL that never reached `end`. */
    void (*reset)(void *self);
};

struct smtp_server {
    const char *hostname;               /* in greeting and EHLO */
    const char *software;               /* behind it: "ESMTP postern" */
    const struct tls_server *tls;       /* NULL: STARTTLS is not offered */
    bool implicit_tls;                  /* TLS before the greeting (STARTTLS-039) */
    bool require_tls;                   /* 530 5.7.0 in clear, but for NOOP EHLO HELO STARTTLS RSET HELP QUIT
                                         * (STARTTLS-023) */
    bool requiretls;                    /* REQUIRETLS is offered inside TLS: the house sees to it that what was asked
                                         * is asked of the next server too (REQTLS-002) */
    bool qualified_domains_only;        /* submission, SMTP-172: for a domain without a dot 554, 5.1.8 in MAIL, 5.1.2
                                         * in RCPT */
    struct smtp_limits limits;
    const bool *stopping;               /* becomes true: 421 at the next moment between commands (SMTP-016). Or NULL */
};

/* How a session ended, for the log. */
enum smtp_end {
    ENDED_QUIT,
    ENDED_CLOSED,               /* the client went away */
    ENDED_TIMEOUT,
    ENDED_CUT_OFF,              /* by us: bare newlines, a limit, the house's answer */
    ENDED_REFUSED,              /* at the greeting */
    ENDED_TLS_FAILED,           /* the handshake, or bytes in clear before it */
    ENDED_STOPPING,             /* by us: shutting down */
};
const char *smtp_end_name(enum smtp_end e);     /* "quit", "closed", "timeout", "cut-off" ... */

struct smtp_ending {
    enum smtp_end how;
    char why[240];              /* one line, for the log; "" for QUIT */
    unsigned messages, commands, errors;
    char client_name[256];      /* of the last HELO or EHLO, whether TLS followed or not: for people only; "" */
    unsigned refused_in_clear;  /* MAILs (530 5.7.0): the client would have sent mail, but not by TLS */
};

/* Waits, for the whole session. Does not close the conn. A session that waits
 * for a command when its fiber is cancelled still says 421, if `stopping`. */
void smtp_serve(struct conn *c, const struct smtp_server *server, const struct smtp_house *house, void *self,
                struct smtp_ending *ending);

/* Waits. Refuse at the greeting with `text`: 421, which ends it, or 554, then
 * 503 to all but QUIT until it leaves or 10 s pass (SMTP-001). */
void smtp_refuse(struct conn *c, const struct smtp_server *server, int code, const char *status, const char *text);

#endif

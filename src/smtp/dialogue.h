/* smtp/dialogue.h - what the files of the server's dialogue share.
 *
 * server.c speaks: greeting, commands, STARTTLS, farewell. transaction.c
 * takes a message: MAIL, RCPT, DATA. Nobody else includes this. */
#ifndef SMTP_DIALOGUE_H
#define SMTP_DIALOGUE_H

#include "smtp/server.h"

struct dialogue {
    struct conn *conn;
    const struct smtp_server *server;
    const struct smtp_house *house;
    void *self;                         /* the house's */
    struct smtp_session session;
    struct smtp_ending *ending;
    time_ms last_moment;                /* of the session */
    bool over;
    unsigned commands;                  /* since the last accepted message */
    struct arena line;                  /* what the command under way needs */
    struct arena envelope;              /* what the transaction needs */
    bool in_transaction;                /* MAIL was accepted */
    bool rcpt_tried;                    /* in it, whether accepted or not */
    bool mail_refused;                  /* the last MAIL: what a client pipelined behind it is no error of its own */
};

/* --- server.c ------------------------------------------------------------- */

/* One reply of one line. `status` may be "". */
void dialogue_reply(struct dialogue *d, int code, const char *status, const char *format, ...) printf_like(4, 5);
/* A reply that counts as the client's error; 421 instead when it had enough of them (SMTP-030). */
void dialogue_refuse(struct dialogue *d, int code, const char *status, const char *format, ...) printf_like(4, 5);
/* What the house said. */
void dialogue_answer(struct dialogue *d, const struct smtp_answer *a);
/* The session ends, with these words for the log; the first reason stays. */
void dialogue_end(struct dialogue *d, enum smtp_end how, const char *format, ...) printf_like(3, 4);
/* As that, for a connection that failed: 421 where somebody may still listen. */
void dialogue_broken(struct dialogue *d, const struct error *why);
/* `patience` from now, or the session's last moment when that comes first. */
void dialogue_deadline(struct dialogue *d, time_ms patience);

/* --- transaction.c ---------------------------------------------------------- */

void transaction_mail(struct dialogue *d, const struct smtp_command *command);
void transaction_rcpt(struct dialogue *d, const struct smtp_command *command);
void transaction_data(struct dialogue *d, const struct smtp_command *command);
/* Over without a message, if there was one: the house is told. */
void transaction_reset(struct dialogue *d);

#endif

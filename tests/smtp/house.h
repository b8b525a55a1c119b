/* tests/smtp/house.h - a house that writes down what it is asked, and a
 * server to go with it.
 *
 * Its log has one line for each call: "mail <a@example.org>", "rcpt <b@...>",
 * "data", "end 14", "reset". What it answers is told by local parts: "nobody"
 * is 550, "later" 450, "away" 421, "shut" 550 and close. */
#ifndef TESTS_SMTP_HOUSE_H
#define TESTS_SMTP_HOUSE_H

#include "smtp/server.h"
#include "tests/test.h"

struct house {
    struct buf log, message;        /* the message: of the transaction under way, or the last one */
    size_t keeps;                   /* bytes of a message; `body` is false from there on */
    struct smtp_answer data, end;   /* used when the code is not 0 */
    struct smtp_session seen;       /* as in the last call that was given one */
    struct smtp_ending ending;
    bool open;                      /* a MAIL was accepted that reached neither end nor reset */
};
extern const struct smtp_house recording_house;
void house_init(struct house *h);
void house_done(struct house *h);
#define auto_house __attribute__((cleanup(house_done)))

/* mx.example.org with TLS on offer and the default limits. */
struct smtp_server plain_server(void);

/* Let the server talk to a client's script; complaints fail the test, as does
 * a transaction left open. */
void serve(const struct smtp_server *server, struct house *h, const char *script);
/* The same with default server and house; the log must read so. */
void serve_and_check(const char *script, const char *log);

#define GREETING "S: 220 mx.example.org ESMTP postern\n"
#define EHLO "C: EHLO client.example\n" "S=250\n"
#define MAIL "C: MAIL FROM:<a@example.org>\n" "S: 250 2.1.0 Sender accepted\n"
#define RCPT "C: RCPT TO:<b@example.net>\n" "S: 250 2.1.5 Recipient accepted\n"
#define DATA "C: DATA\n" "S: 354 Send the message, then a line with a single dot\n"
#define ACCEPTED "S: 250 2.0.0 Message accepted\n"
#define QUIT "C: QUIT\n" "S: 221 2.0.0 mx.example.org Bye\n"
#define MAIL_LOG "mail <a@example.org>\n"
#define RCPT_LOG "rcpt <b@example.net>\n"

#endif

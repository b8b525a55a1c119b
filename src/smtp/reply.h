/* smtp/reply.h - a server's answer, RFC 5321 4.2 and RFC 2034.
 *
 * The grammar is pure; reply_read reads one from a conn. Spec SMTP-005 to
 * -007, -062, -092, -302. */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "net/conn.h"

enum { REPLY_LINE_MAX = 4096, REPLY_LINES_MAX = 100, REPLY_TEXT_MAX = 1024 };

struct reply {
    int code;                   /* 200..599 */
    char status[12];            /* enhanced: "5.1.1"; derived as X.0.0 when the server gave none; "" for 3yz */
    bool status_given;
    char text[REPLY_TEXT_MAX];  /* all lines without codes and NULs, joined by "\n", cut; escape it where it is shown */
    size_t lines;
};

static inline int reply_class(const struct reply *r)
{
    return r->code / 100;
}

/* One line without CRLF: code, whether another follows, and the text. False when it is no reply line. */
bool reply_line_parse(struct slice line, int *code, bool *more, struct slice *text) must_check;

/* "5.1.1 text" → true with the code's length; digits without leading zeros, class 2, 4 or 5. */
bool status_parse(struct slice text, struct slice *status, struct slice *rest) must_check;

/* Waits. E_PROTOCOL when it is no SMTP reply or is over the caps; else as
 * conn_line. `each_line`, when not NULL, gets every line's text as it comes
 * (EHLO reads its keywords so). */
bool reply_read(struct conn *c, struct reply *out, void (*each_line)(void *arg, struct slice text), void *arg,
                struct error *why) must_check;

/* Turn a reply that is not what was hoped for into an error: 4yz E_REFUSED_FOR_NOW,
 * 5yz E_REFUSED, 421 E_CLOSED, anything else E_PROTOCOL; the text is the
 * server's own, escaped. `after` is what it answers: "MAIL". Returns false. */
bool reply_refused(const struct reply *r, const char *after, struct error *why);

/* One line for logs: "550 5.1.1 no such user", escaped; `text` takes 400
 * bytes. The status only when the server gave one. */
const char *reply_shown(const struct reply *r, char text[400]);

#endif

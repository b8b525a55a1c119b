/* message/dsn.h - delivery status notifications: bounces and delay notices.
 *
 * RFC 3464, RFC 6522, RFC 3834 5 (spec SMTP-280 to -285). Pure. */
#ifndef MESSAGE_DSN_H
#define MESSAGE_DSN_H

#include "base/buf.h"
#include "base/clock.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED };

struct dsn_recipient {
    const char *address;
    const char *status;             /* "5.1.1" */
    const char *remote_host;        /* who spoke; NULL when nobody did */
    const char *remote_words;       /* its reply, unescaped, may have several lines; NULL: none */
    const char *why;                /* our own sentence */
};

struct dsn {
    enum dsn_action action;
    const char *hostname;           /* reporting MTA */
    const char *postmaster;         /* From: "postmaster@mx.example.org" */
    const char *sender;             /* whom it goes to */
    const char *queue_id;           /* of the original */
    const char *own_id;             /* for Message-ID and the MIME boundary; stable for (message, event), SMTP-285 */
    time_ms arrived, wall;
    time_ms give_up;                /* delay notices: how long we go on trying */
    const struct dsn_recipient *recipients;
    size_t count;
    bool tls_optional;              /* the original said TLS-Required: No, and so does the notice (RFC 8689 5) */
    struct slice original_header;   /* goes in as text/rfc822-headers, cut at a line end to 32 KiB, 8-bit bytes as they are */
};

/* The whole message, CRLF lines of at most 998 bytes, 7-bit unless the original header is not. */
void dsn_write(const struct dsn *d, struct buf *out);

#endif

/* message/received.h - the trace fields we add.
 *
 * RFC 5321 4.4 (spec SMTP-150 to -153), RFC 3848 for `with`, STARTTLS-029. */
#ifndef MESSAGE_RECEIVED_H
#define MESSAGE_RECEIVED_H

#include "base/buf.h"
#include "base/clock.h"
#include "net/address.h"
#include "tls/session.h"

struct received {
    const char *client_name;        /* of HELO or EHLO; put in only when it is a domain or literal, else "unknown" */
    const struct address *client;
    const char *by;                 /* our name */
    bool esmtp, authenticated;
    const struct tls_facts *tls;    /* NULL in clear */
    const char *queue_id;
    const char *only_recipient;     /* for a single one, else NULL (SMTP-152) */
    time_ms wall;
};

/* One folded field with CRLF, lines of at most 78 bytes where words allow:
 *
 *   Received: from client.example.org ([192.0.2.7])
 *           by mx.example.org with ESMTPS
 *           (TLSv1.3 TLS_AES_256_GCM_SHA384 X25519)
 *           id 01j9x... for <user@example.org>;
 *           Mon, 02 Jan 2006 15:04:05 +0000
 */
void received_write(const struct received *r, struct buf *out);

/* "Return-Path: <sender>\r\n" */
void return_path_write(const char *sender, struct buf *out);

#endif

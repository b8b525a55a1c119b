/* serve/web.h - the process that answers over HTTPS: it takes the TLS reports of others.
 *
 * RFC 8460 5.4 (spec TLSRPT-096). What comes this way is unsigned and from
 * anybody, so there is a bound on how often a network may ask, on what is read,
 * and on what is kept in a day. Knows the store as a clerk does; touches no file. */
#ifndef SERVE_WEB_H
#define SERVE_WEB_H

#include "serve/config.h"

/* Where reports are posted to: "rua=https://mx.example.org/tlsrpt". */
#define WEB_REPORT_PATH "/tlsrpt"

struct web_start {
    const struct config *config;
    const struct tls_server *tls;   /* NULL: in clear, at loopback addresses only */
    const int *fds;                 /* listening, for each of config->web.listen */
    int control_fd;
};

int web_run(const struct web_start *start);

#endif

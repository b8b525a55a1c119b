/* serve/inbound.h - a process that takes mail from clients.
 *
 * Runs the SMTP server's dialogue for each connection on a fiber, decides whom
 * to take mail from and for, and hands each message to the store; 250 is said
 * when the store says that it is on disk (P1). Touches no file. */
#ifndef SERVE_INBOUND_H
#define SERVE_INBOUND_H

#include "serve/census.h"
#include "serve/config.h"

struct inbound_start {
    const struct config *config;
    struct tls_server *const *tls;  /* for each of config->listeners; NULL where TLS is off */
    const int *fds;                 /* listening, for each of config->listeners */
    struct signing_key *const *keys;    /* for each dkim section */
    struct census *census;
    unsigned slot;                  /* of this process; its census column and id maker */
    int control_fd;
};

int inbound_run(const struct inbound_start *start);

#endif

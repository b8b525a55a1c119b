/* serve/generation.h - one reading of the configuration, with what it makes: TLS
 * contexts and listening sockets. A reload makes the next generation. */
#ifndef SERVE_GENERATION_H
#define SERVE_GENERATION_H

#include "run/process.h"
#include "serve/wardrobe.h"
#include "tls/signature.h"
#include "serve/config.h"

struct generation {
    uint32_t number;
    struct config *config;
    struct account account;         /* what the workers become */
    bool drop;                      /* we are root and must become it */
    struct tls_server **tls;        /* for each listener; NULL where TLS is off */
    int *fds;                       /* listening, for each listener */
    struct tls_client *client;
    struct signing_key **keys;      /* for each dkim section */
    struct tls_server *web;         /* for what listens for HTTPS; NULL when nothing does */
    int *web_fds, *socketmap_fds, *tcp_table_fds;   /* for each of the configuration's */
    int tlsrpt_fd, record_fd;       /* -1: none */
    struct wardrobe *wardrobe;      /* our certificates */
};

/* Reads and checks everything; logs each problem. Sockets that `previous` (may
 * be NULL) has open for the same address are taken over: they stay open when
 * it is freed after generation_take_over. */
struct generation *generation_new(const char *config_file, const struct generation *previous);
/* Who signs for a domain; NULL: nobody. */
const struct signing_key *generation_key(const struct generation *g, struct slice domain);

/* Private keys are wiped from the memory of this process. */
void generation_forget_keys(struct generation *g);

void generation_free(struct generation *g, const struct generation *successor);

#endif

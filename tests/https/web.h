/* tests/https/web.h - policy hosts on loopback for the tests of this room.
 *
 * web_open() starts server.py, once for the program, and gives a loop with a
 * `struct https` on it; server.py says which hosts and paths there are. What
 * asks waits, so it runs on fibers. */
#ifndef TESTS_HTTPS_WEB_H
#define TESTS_HTTPS_WEB_H

#include "https/https.h"
#include "run/fiber.h"
#include "tests/test.h"

extern struct web {
    uint16_t port, old_port, plain_port;    /* TLS from 1.2 on, TLS 1.1 only, no TLS */
    char folder[64];                        /* with ca.pem */
} web;

/* Leaves out what needs server.py where Python cannot make certificates. */
#define NEEDS_WEB                                                           \
    do {                                                                    \
        if (!web_can_open())                                                \
            skip();                                                         \
    } while (0)
#define NEEDS_IPV6                                                          \
    do {                                                                    \
        if (!web_has_ipv6())                                                \
            skip();                                                         \
    } while (0)
bool web_can_open(void);
bool web_has_ipv6(void);

/* Settings of 0 are the usual ones; without a CA file it is server.py's. */
void web_open(const struct https_settings *s);
void web_close(void);

/* A GET; with a media type a POST. */
struct asking {
    const char *host, *path;            /* good.test, /good */
    const char *at[4];                  /* its addresses; 127.0.0.1 */
    uint16_t port;                      /* that of TLS */
    size_t most;                        /* 64 KiB */
    time_ms within;                     /* a minute */
    size_t arena_bytes;                 /* 1 MiB */
    struct slice document;              /* posted, when `media_type` is there */
    const char *media_type;
    bool any_certificate, clear;

    struct fiber *fiber;
    bool answered;
    struct https_reply reply;
    struct error why;
    time_ms took;
    struct arena arena;
};

/* Waits for the one answer; or begin, and loop_run until all are there. What was asked is freed by asking_done. */
void ask(struct asking *a);
void begin(struct asking *a);
void asking_done(struct asking *a);

/* A GET of `path` from good.test in one word: the status, or the negative of the error's code. */
int status_of(const char *path);

/* On loopback and in C: bound to `host` and port, it completes TCP handshakes and says nothing; `deaf`: not even those. */
int silent_listener(const char *host, uint16_t *port, bool deaf);

#endif

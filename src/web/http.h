/* web/http.h - an HTTP server whose pages are functions (web/page.h).
 *
 * TLS is ended by our own conn; libmicrohttpd behind it (web/machine.h) reads
 * and writes HTTP/1.1 and 1.0. Each connection has a fiber that moves the bytes
 * and runs the pages, so a page may wait. All that a client can size, delay or
 * multiply has its bound here, and an answer where one is due: 408, 413, 503. */
#ifndef WEB_HTTP_H
#define WEB_HTTP_H

#include "net/conn.h"
#include "web/page.h"

struct http_limits {
    unsigned connections;           /* at once */
    unsigned connections_per_client;    /* of one IPv4 address or IPv6 /64; not of those that come by a proxy */
    unsigned requests;              /* over one connection */
    size_t memory;                  /* bytes of all bodies under way; each page bounds its own */
    time_ms handshake;              /* TLS */
    time_ms idle;                   /* until a request's first byte */
    time_ms head;                   /* from then until its head is there */
    time_ms body;                   /* and from then until its body is */
    time_ms answer;                 /* until the answer is taken */
};
extern const struct http_limits http_limits_usual;

struct http_server;
/* `pages` and `limits` must outlive it; `self` is what pages are given. */
struct http_server *http_server_new(const struct http_page *pages, size_t count, const struct http_limits *limits,
                                    void *self, struct error *why) must_check;
/* No connection may be left. NULL is fine. */
void http_server_free(struct http_server *s);

/* Serve who connects to this listening socket, which stays the caller's. Without `tls` in clear: for a proxy on this
 * machine, so only at a loopback address (else E_USAGE); the last address of its X-Forwarded-For is the client's. */
bool http_server_listen(struct http_server *s, int fd, const struct tls_server *tls, struct error *why) must_check;

/* No more connections, and those without a request under way end; `drained` is called once when none is left, perhaps at
 * once. `hurry`: pages are cancelled as well. May be called again in a hurry. */
void http_server_drain(struct http_server *s, bool hurry, void (*drained)(void *self));

/* The dialogue on one connection. Takes requests until one side ends it; TLS is there already, or not wanted. Waits. */
void http_serve(struct http_server *s, struct conn *c, bool by_proxy);

#endif

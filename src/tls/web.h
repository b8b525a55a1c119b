/* tls/web.h - the WebPKI for a library that does its own TLS with OpenSSL.
 *
 * curl takes a certificate without any DNS-ID by its common name, which
 * RFC 9525 6.3 and RFC 8461 3.3 do not allow. This gives its OpenSSL context
 * our rule: the chain as OpenSSL verifies it, then a DNS-ID by tls/name.h.
 * A certificate that fails ends the handshake, before anything is asked. It
 * also tells what curl keeps to itself, how the connection ended. */
#ifndef TLS_WEB_H
#define TLS_WEB_H

#include <stdbool.h>

struct tls_web {
    const char *host;       /* the name that the certificate must have; a DNS name */
    char trouble[200];      /* what is wrong with the certificate, in words; "" before anything is */
    bool closed;            /* the peer sent close_notify: nothing was cut off behind what it said */
};

/* `ssl_ctx` is an SSL_CTX; `w` must outlive every handshake made from it. */
void tls_web_expect(void *ssl_ctx, struct tls_web *w);

#endif

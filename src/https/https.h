/* https/https.h - one document from, or to, a host that we do not know, over HTTPS.
 *
 * For MTA-STS policies (RFC 8461 3.3, spec MTASTS-020 to -031), TLS reports
 * and hooks. The only place that sees libcurl. One request on a new connection; no redirect, proxy, cookie,
 * cache, authentication, compression or HTTP/0.9; the addresses are given, so
 * curl asks no DNS. What the host may cost has a bound: bytes, time, header
 * size. Nothing blocks: curl is driven by the process's event loop, and runs
 * on its stack, not on those of the fibers that wait. */
#ifndef HTTPS_HTTPS_H
#define HTTPS_HTTPS_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/address.h"

struct https_settings {
    const char *ca_file;        /* PEM bundle; NULL: the system's */
    time_ms connect;            /* 10 s, for all addresses together and the TLS handshake */
    unsigned together;          /* requests at once; those beyond wait: 16 */
};

/* One per process. The CA bundle is read with the first request, which takes
 * some 30 ms, and again after an hour. NULL with E_SYSTEM. */
struct https;
struct https *https_new(const struct https_settings *s, struct error *why) must_check;
void https_free(struct https *h);       /* no request may be under way; NULL is fine */

struct https_request {
    const char *host;           /* for SNI, the certificate's name, and Host:; a DNS name, no address */
    uint16_t port;              /* 443 */
    const char *path;           /* "/.well-known/mta-sts.txt" */
    const struct address *addresses;    /* of `host`, in the order to try; the first eight, whatever their ports */
    size_t address_count;
    size_t most;                /* bytes of the body; more fails */
    time_ms deadline;           /* clock_now time, for all of it */
};

struct https_reply {
    int status;                 /* 200 ... */
    const char *media_type;     /* lower case, without parameters: "text/plain"; "" when none was given */
    const char *charset;        /* lower case; "" when none was given */
    struct slice body;
};

/* Waits. True when a complete answer came, whatever its status. Memory from
 * `arena`. E_STS_WEBPKI: the certificate (chain, dates, name), in words;
 * E_CANCELLED: the fiber is; E_STS_FETCH: everything else. */
bool https_get(struct https *h, const struct https_request *r, struct arena *arena, struct https_reply *out,
               struct error *why) must_check;

/* --- sending a document ----------------------------------------------------------
 * For TLS reports (RFC 8460 5.4) and the operator's hooks. The same bounds. */
struct https_post {
    struct https_request to;        /* `most`: of the reply's body */
    const char *media_type;         /* "application/tlsrpt+gzip" */
    struct slice body;              /* copied */
    bool any_certificate;           /* TLS, with whomever (TLSRPT-078) */
    bool clear;                     /* http, for an operator's own hook only; `host` may be an address then */
};

/* Waits, as https_get, with the same errors. True when an answer came, of whatever status: a redirect is one (TLSRPT-079).
 * What an unknown host says (any_certificate), or one in clear, may have been cut off. */
bool https_post(struct https *h, const struct https_post *p, struct arena *arena, struct https_reply *out,
                struct error *why) must_check;

#endif

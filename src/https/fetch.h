/* https/fetch.h - one GET or POST, as libcurl is told of it, and what came of it.
 *
 * Knows HTTP as far as curl does not see to it; no fibers. All but
 * fetch_init, fetch_done and fetch_too_late run on the loop: curl and OpenSSL
 * want more stack than a fiber has. */
#ifndef HTTPS_FETCH_H
#define HTTPS_FETCH_H

#include "base/buf.h"
#include "https/https.h"
#include "https/multi.h"
#include "tls/web.h"

enum { FETCH_ADDRESSES_MAX = 8 };       /* more than these are not tried */

enum fetch_phase { FETCH_QUEUED, FETCH_CONNECTING, FETCH_SHAKING_HANDS, FETCH_ASKED, FETCH_HEADER, FETCH_BODY };

struct fetch {
    char *host, *url;
    uint16_t port;
    struct address addresses[FETCH_ADDRESSES_MAX];
    size_t address_count;
    size_t most;
    bool clear, any_certificate;
    char *document_type;                /* "Content-Type: ..."; NULL: a GET */
    char *document;                     /* what is posted */
    size_t document_len;

    const char *ca_file;                /* these from the start on; the file's name is borrowed */
    void *transfer;
    time_ms connect_until;
    size_t round;                       /* of addresses: one of each family */

    struct multi *multi;                /* these while it is started */
    CURL *easy;
    CURLSH *names;                      /* its own DNS cache: that of the multi handle would keep every host for ever */
    struct curl_slist *resolve;         /* NULL for a host that is an address */
    struct curl_slist *fields;          /* of the request's header, besides curl's own; NULL: none */

    struct tls_web expected;
    enum fetch_phase phase;
    char peer[ADDRESS_TEXT_MAX];        /* the address last tried, or connected to; "" before */
    char refused[80];                   /* why we ended it ourselves, or "" */
    char words[CURL_ERROR_SIZE];        /* curl's */
    size_t header_bytes;

    struct buf body;
    int status;                         /* 0 unless it came to a complete answer ... */
    char *content_type;                 /* ... and then its last Content-Type, NULL for none */
    struct error why;                   /* what it came to otherwise */
};

/* Copies the request. False with E_STS_FETCH when it cannot even be tried. */
bool fetch_init(struct fetch *f, const struct https_request *r, struct error *why) must_check;
bool fetch_init_post(struct fetch *f, const struct https_post *p, struct error *why) must_check;
void fetch_done(struct fetch *f);       /* not while started */

/* `transfer` comes back from multi.h's `ended`. False when curl refused; f->why tells. */
bool fetch_start(struct fetch *f, struct multi *m, const char *ca_file, time_ms connect, void *transfer) must_check;
void fetch_stop(struct fetch *f);       /* at whatever point it is */

/* The transfer ended with `code`. False when it goes on with other addresses;
 * otherwise it is stopped, and status, content_type and why are filled. */
bool fetch_ended(struct fetch *f, CURLcode code);

/* How far it had come, for an error. Returns false. */
bool fetch_too_late(const struct fetch *f, struct error *why);

#endif

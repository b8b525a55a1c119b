#include "tls/web.h"

#include "base/buf.h"
#include "tls/identity.h"
#include "tls/name.h"

#include <openssl/ssl.h>
#include <stdio.h>

/* --- the chain ------------------------------------------------------------- */

static void tell_dates(const X509 *cert, int depth, bool expired, struct tls_web *w)
{
    char date[CLOCK_TEXT_MAX];

    clock_iso_date(expired ? certificate_expires(cert) : certificate_begins(cert), date);
    snprintf(w->trouble, sizeof w->trouble, "%s %s %.10s", depth > 0 ? "a certificate of the chain" : "the certificate",
             expired ? "expired on" : "is not valid before", date);
}

static void tell_chain(const X509_STORE_CTX *store, struct tls_web *w)
{
    const X509 *cert = X509_STORE_CTX_get_current_cert(store);
    int depth = X509_STORE_CTX_get_error_depth(store), problem = X509_STORE_CTX_get_error(store);

    if (cert && (problem == X509_V_ERR_CERT_HAS_EXPIRED || problem == X509_V_ERR_CERT_NOT_YET_VALID))
        tell_dates(cert, depth, problem == X509_V_ERR_CERT_HAS_EXPIRED, w);
    else
        snprintf(w->trouble, sizeof w->trouble, "the certificate is not trusted: %s",
                 X509_verify_cert_error_string(problem));
}

/* --- the name -------------------------------------------------------------- */

struct search {
    struct slice host;
    bool found;
    struct buf names;       /* for the words: the first few, the first perhaps cut */
};

enum { NAMES_SHOWN = 80 };

static bool compare_name(void *arg, struct slice name)
{
    struct search *s = arg;

    s->found = tls_name_covers(name, s->host);
    if (buf_len(&s->names) == 0)
        buf_add(&s->names, slice_first(name, NAMES_SHOWN));
    else if (buf_len(&s->names) + name.len + 2 <= NAMES_SHOWN)
        buf_text(&s->names, ", %.*s", SLICE_ARGS(name));
    return !s->found;
}

static bool has_name(const X509 *cert, struct tls_web *w)
{
    struct search search = { .host = slice_of(w->host) };

    buf_init(&search.names, NAMES_SHOWN);
    certificate_names(cert, compare_name, &search);
    if (!search.found && buf_len(&search.names))
        snprintf(w->trouble, sizeof w->trouble, "the certificate is for %.*s, not for %.60s",
                 SLICE_ARGS(buf_slice(&search.names)), w->host);
    else if (!search.found)
        snprintf(w->trouble, sizeof w->trouble, "the certificate has no usable DNS name (a common name does not count)");
    buf_done(&search.names);
    return search.found;
}

/* --- the context ----------------------------------------------------------- */

/* Takes the place of OpenSSL's verification; 1 is good. */
static int verify(X509_STORE_CTX *store, void *arg)
{
    struct tls_web *w = arg;

    if (X509_verify_cert(store) != 1) {
        if (X509_STORE_CTX_get_error(store) == X509_V_OK)
            X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
        tell_chain(store, w);
        return 0;
    }
    if (!has_name(X509_STORE_CTX_get0_cert(store), w)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
        return 0;
    }
    return 1;
}

/* Its owner is found as the app data of the context, which curl leaves alone. */
static void note_alert(const SSL *ssl, int where, int alert)
{
    struct tls_web *w = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (alert & 0xff) == SSL_AD_CLOSE_NOTIFY)
        w->closed = true;
}

void tls_web_expect(void *ssl_ctx, struct tls_web *w)
{
    SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ssl_ctx, verify, w);
    SSL_CTX_set_app_data(ssl_ctx, w);
    SSL_CTX_set_info_callback(ssl_ctx, note_alert);
}

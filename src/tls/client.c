/* What a client offers, and whom it trusts; see tls/context.h. */
#include "base/memory.h"
#include "tls/inside.h"
#include "tls/parameters.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

struct tls_client {
    SSL_CTX *ctx;
    enum tls_version minimum;
};

/* The bundle is read here and now, for the process may be confined later and
 * see no files. OpenSSL's own place is first: it obeys SSL_CERT_FILE. */
static void load_system_store(SSL_CTX *ctx)
{
    const char *from_environment = getenv(X509_get_default_cert_file_env());
    const char *const bundles[] = {
        from_environment ? from_environment : X509_get_default_cert_file(),
        "/etc/ssl/certs/ca-certificates.crt",   /* Debian, Arch, Gentoo */
        "/etc/pki/tls/certs/ca-bundle.crt",     /* Fedora, RHEL */
        "/etc/ssl/ca-bundle.pem",               /* SUSE */
        "/etc/ssl/cert.pem",                    /* Alpine, BSD */
    };

    for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++) {
        if (access(bundles[i], R_OK) == 0 && SSL_CTX_load_verify_file(ctx, bundles[i]))
            return;
    }
    SSL_CTX_set_default_verify_paths(ctx);
}

static bool load_anchors(SSL_CTX *ctx, const char *ca_file, struct error *why)
{
    if (!ca_file) {
        load_system_store(ctx);
        return true;
    }
    return SSL_CTX_load_verify_file(ctx, ca_file)
        || fail(why, E_TLS_SETUP, "no certificates could be read from the CA file %s: it must exist and hold PEM",
                ca_file);
}

struct tls_client *tls_client_new(const struct tls_client_settings *settings, struct error *why)
{
    const struct tls_parameters parameters = {
        .minimum = settings->minimum,
        .ciphers = settings->ciphers, .suites = settings->suites, .groups = settings->groups,
    };
    struct tls_client *c = NEW(struct tls_client);
    bool good;

    ERR_clear_error();
    c->minimum = settings->minimum == TLS_VERSION_NONE ? TLS_1_2 : settings->minimum;
    c->ctx = SSL_CTX_new(TLS_client_method());
    good = c->ctx && tls_parameters_apply(c->ctx, &parameters, why) && load_anchors(c->ctx, settings->ca_file, why);
    ERR_clear_error();
    if (!good) {
        tls_client_free(c);
        return NULL;
    }
    /* Resumption would need a cache keyed by next hop, policy and names
     * (STARTTLS-016); a connection is kept for many messages instead. */
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(c->ctx, chain_verify, NULL);
    if (SSL_CTX_dane_enable(c->ctx) <= 0)
        abort();    /* out of memory */

    /* Whatever the minimum version: RSA 2048 and SHA-256 are what we trust. */
    X509_VERIFY_PARAM_set_auth_level(SSL_CTX_get0_param(c->ctx), 2);
    return c;
}

void tls_client_free(struct tls_client *c)
{
    if (c)
        SSL_CTX_free(c->ctx);
    free(c);
}

SSL *client_ssl(const struct tls_client *c)
{
    return SSL_new(c->ctx);
}

enum tls_version client_minimum(const struct tls_client *c)
{
    return c->minimum;
}

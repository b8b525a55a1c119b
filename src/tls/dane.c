/* The peer's chain under TLSA records (RFC 7671 5, RFC 7672 3).
 *
 * OpenSSL matches records and builds chains. Names are ours to check, by the
 * one rule of tls/match.h, and so is what the outcome is called. */
#include "base/escape.h"
#include "tls/inside.h"
#include "tls/match.h"

#include <openssl/err.h>
#include <stdio.h>

enum { USAGE_ANCHOR = 2, USAGE_LEAF = 3 };

/* Each key of a "2 1 0" costs a verified signature, and a hostile domain could
 * hold us up with a thousand. RFC 7671 10.1.2 wants no such records at all. */
enum { BARE_KEYS_MAX = 32 };

/* --- what a record may hold ------------------------------------------------ */

/* OpenSSL compares a record with what it would write itself. Bytes that it
 * reads but writes otherwise could match nothing, and so are not usable. */
static bool is_written(const unsigned char *encoded, int len, struct slice given)
{
    return len > 0 && slice_equal(slice(encoded, (size_t)len), given);
}

bool tls_is_certificate(struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.at;
    unsigned char *encoded = NULL;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    int len = cert && X509_get0_pubkey(cert) ? i2d_X509(cert, &encoded) : 0;
    bool good = is_written(encoded, len, der);

    OPENSSL_free(encoded);
    X509_free(cert);
    ERR_clear_error();
    return good;
}

bool tls_is_public_key(struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.at;
    unsigned char *encoded = NULL;
    X509_PUBKEY *key = d2i_X509_PUBKEY(NULL, &at, (long)der.len);
    int len = key && X509_PUBKEY_get0(key) ? i2d_X509_PUBKEY(key, &encoded) : 0;
    bool good = is_written(encoded, len, der);

    OPENSSL_free(encoded);
    X509_PUBKEY_free(key);
    ERR_clear_error();
    return good;
}

/* --- the question ------------------------------------------------------------ */

static void settle(struct dane *d, enum tls_dane result, const char *problem)
{
    d->result = result;
    escape_line(slice_of(problem), d->problem, sizeof d->problem);
}

/* Usages 0 and 1 never get here to count: OpenSSL would look for a public
 * authority then, and the match would mean something else (DANE-061). */
static bool take_record(struct tls *t, const struct tlsa *r)
{
    bool bare_key = r->usage == USAGE_ANCHOR && r->selector == 1 && r->matching == 0;

    if ((r->usage != USAGE_ANCHOR && r->usage != USAGE_LEAF) || (bare_key && t->dane.bare_keys == BARE_KEYS_MAX)
        || SSL_dane_tlsa_add(t->ssl, r->usage, r->selector, r->matching, (const unsigned char *)r->data.at,
                             r->data.len) <= 0)
        return false;
    t->dane.bare_keys += bare_key;
    return true;
}

void dane_ask(struct tls *t, const struct tls_want *want)
{
    if (want->dane_count == 0)
        return;
    settle(&t->dane, TLS_DANE_NO_MATCH, "no certificate was shown");
    t->dane.names = names_copy(want->dane_names, want->dane_name_count);

    /* Without a name OpenSSL sets no SNI and checks no names: never for usage
     * 3 (RFC 7671 5.1), and for usage 2 we do. */
    if (SSL_dane_enable(t->ssl, NULL) <= 0)
        abort();    /* out of memory */
    for (size_t i = 0; i < want->dane_count; i++)
        t->dane.records += take_record(t, &want->dane[i]);
    ERR_clear_error();
}

void dane_done(struct dane *d)
{
    names_done(&d->names);
}

/* --- the answer ---------------------------------------------------------------- */

/* RFC 7672 3.2.3: DNS-IDs, and the CN of a certificate that has none. */
static bool has_name(const X509 *leaf, const struct names *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        if (match_name(leaf, wanted->at[i]) || match_common_name(leaf, wanted->at[i]))
            return true;
    }
    return false;
}

static void settle_name(struct dane *d)
{
    char text[400] = "no name is accepted";

    if (d->names.count > 0)
        snprintf(text, sizeof text, "the certificate is not for %s%s", d->names.at[0],
                 d->names.count > 1 ? " (or another name)" : "");
    settle(d, TLS_DANE_NAME, text);
}

/* DANE-067. RFC 6698 2.1.1: usage 2 is for what "MUST be used as the trust
 * anchor when validating the end entity certificate", and an anchor is no part
 * of the path that it begins (RFC 5280 6.1): a self-signed leaf has no path.
 * OpenSSL agrees but for "2 1 0", where any key will do that has signed the
 * last certificate of the chain, and so the leaf's own. */
static bool is_leaf_itself(SSL *ssl, X509 *leaf)
{
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;

    SSL_get0_dane_authority(ssl, &cert, &key);
    return cert ? X509_cmp(cert, leaf) == 0 : EVP_PKEY_eq(key, X509_get0_pubkey(leaf)) == 1;
}

/* "An anchored chain" is one that a record of usage 2 stands above. A
 * certificate for somebody else says nothing about our peer, so its name
 * outweighs its dates. */
static void judge_anchored(struct dane *d, X509 *leaf, const struct chain_problems *found)
{
    if (found->chain != X509_V_OK)
        settle(d, TLS_DANE_NO_MATCH, X509_verify_cert_error_string(found->chain));
    else if (!has_name(leaf, &d->names))
        settle_name(d);
    else if (found->dates != X509_V_OK)
        settle(d, TLS_DANE_EXPIRED, X509_verify_cert_error_string(found->dates));
    else
        settle(d, TLS_DANE_MATCH, "");
}

static void write_record(const struct tlsa *r, char *text, size_t size)
{
    int len = snprintf(text, size, "%d %d %d ", r->usage, r->selector, r->matching);

    for (size_t i = 0; i < 6 && i < r->data.len; i++)
        len += snprintf(text + len, size - (size_t)len, "%02x", (unsigned char)r->data.at[i]);
    if (r->data.len > 6)
        snprintf(text + len, size - (size_t)len, "...");
}

/* To be called before the handshake goes on: OpenSSL tells of the match only
 * while SSL_get_verify_result() is still good, and the PKIX walk decides that. */
static void judge(struct tls *t, X509 *leaf, const struct chain_problems *found)
{
    struct dane *d = &t->dane;
    const unsigned char *data = NULL;
    struct tlsa r;

    if (SSL_get0_dane_tlsa(t->ssl, &r.usage, &r.selector, &r.matching, &data, &r.data.len) < 0
        || (r.usage == USAGE_ANCHOR && is_leaf_itself(t->ssl, leaf))) {
        settle(d, TLS_DANE_NO_MATCH, "no TLSA record matches the certificate or what was sent above it");
        return;
    }

    /* RFC 7671 5.1: "the binding of the server public key to its name is based
     * entirely on the TLSA record association". That holds for a short key as
     * well: the domain itself says that it is the one. facts.trust tells of it. */
    if (r.usage == USAGE_LEAF)
        settle(d, TLS_DANE_MATCH, "");
    else
        judge_anchored(d, leaf, found);
    if (d->result != TLS_DANE_NO_MATCH) {
        r.data.at = (const char *)data;
        write_record(&r, d->record, sizeof d->record);
    }
}

void dane_verify(struct tls *t, X509_STORE_CTX *pkix)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(pkix);
    struct chain_problems found;
    X509_STORE_CTX *store;

    /* Given no record OpenSSL would do PKIX instead, which must not stand in (DANE-071). */
    if (t->dane.records == 0) {
        settle(&t->dane, TLS_DANE_NO_MATCH, "no TLSA record is usable");
        return;
    }
    store = X509_STORE_CTX_new();
    if (!store || !X509_STORE_CTX_init(store, NULL, leaf, X509_STORE_CTX_get0_untrusted(pkix))
        || !X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(store), X509_STORE_CTX_get0_param(pkix)))
        abort();    /* out of memory */
    X509_STORE_CTX_set0_dane(store, SSL_get0_dane(t->ssl));
    if (chain_walk(store, &found))
        judge(t, leaf, &found);
    else
        settle(&t->dane, TLS_DANE_NO_MATCH, X509_verify_cert_error_string(found.chain));
    X509_STORE_CTX_free(store);
}

#include "tls/issue.h"

#include "base/memory.h"
#include "tls/inside.h"
#include "tls/parameters.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

/* --- reading ------------------------------------------------------------------ */

/* The certificate at place `which` of a PEM file. */
static X509 *read_certificate(const char *file, size_t which, struct error *why)
{
    BIO *in = BIO_new_file(file, "r");
    X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

    for (; cert && which > 0; which--) {
        X509_free(cert);
        cert = PEM_read_bio_X509(in, NULL, NULL, NULL);
    }
    BIO_free(in);
    ERR_clear_error();
    if (!cert)
        fail(why, E_TLS_SETUP, "%s cannot be read, or has too few certificates", file);
    return cert;
}

static EVP_PKEY *read_key(const char *file, struct error *why)
{
    BIO *in = BIO_new_file(file, "r");
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;

    BIO_free(in);
    ERR_clear_error();
    if (!key)
        fail(why, E_TLS_SETUP, "%s holds no private key", file);
    return key;
}

/* --- making ------------------------------------------------------------------- */

/* Who signs: the certificate itself until another is read. */
struct signer {
    X509 *cert;
    EVP_PKEY *key;
};

static bool set_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    bool good = BN_rand(number, 159, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY)
        && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));

    BN_free(number);
    return good;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX context;
    bool good;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    good = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return good;
}

static bool add_extensions(X509 *cert, X509 *issuer, const struct tls_order *order)
{
    char names[300];

    snprintf(names, sizeof names, "DNS:%s", order->name);
    if (order->authority)
        return add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE")
            && add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign")
            && add_extension(cert, issuer, NID_subject_key_identifier, "hash");
    return add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE")
        && add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature")
        && add_extension(cert, issuer, NID_ext_key_usage, "serverAuth")
        && add_extension(cert, issuer, NID_subject_key_identifier, "hash")
        && (order->common_name_only || add_extension(cert, issuer, NID_subject_alt_name, names));
}

static bool fill(X509 *cert, EVP_PKEY *key, const struct tls_order *order, const struct signer *signer)
{
    X509_NAME *subject = X509_get_subject_name(cert);

    return X509_set_version(cert, X509_VERSION_3) && set_serial(cert)
        && ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(order->from / SECONDS(1)))
        && ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(order->until / SECONDS(1)))
        && X509_set_pubkey(cert, key)
        && X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC, (const unsigned char *)order->name, -1,
                                      -1, 0)
        && X509_set_issuer_name(cert, X509_get_subject_name(signer->cert))
        && add_extensions(cert, signer->cert, order)
        && X509_sign(cert, signer->key, EVP_sha256()) > 0;
}

/* --- writing ------------------------------------------------------------------- */

static bool write_files(X509 *cert, X509 *issuer, EVP_PKEY *key, const struct tls_identity *files)
{
    int fd = open(files->key_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *key_out = fd >= 0 ? fdopen(fd, "w") : NULL, *chain_out = fopen(files->chain_file, "we");
    bool good = key_out && chain_out && PEM_write_PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL)
        && PEM_write_X509(chain_out, cert) && (!issuer || PEM_write_X509(chain_out, issuer));

    if (key_out && fclose(key_out) != 0)
        good = false;
    if (chain_out && fclose(chain_out) != 0)
        good = false;
    return good;
}

static bool issue(const struct tls_order *order, const struct tls_identity *files, X509 *cert, EVP_PKEY *key,
                  const struct signer *signer, struct error *why)
{
    if (!fill(cert, key, order, signer))
        return fail(why, E_TLS_SETUP, "OpenSSL cannot make a certificate for %.80s", order->name);
    if (!write_files(cert, order->with_issuer ? signer->cert : NULL, key, files))
        return fail_errno(why, E_TLS_SETUP, "cannot write %s and %s", files->chain_file, files->key_file);
    return true;
}

bool tls_issue(const struct tls_order *order, const struct tls_identity *files, struct error *why)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    struct signer signer = { cert, key };
    bool good = key && cert;

    if (order->issuer) {
        signer.cert = read_certificate(order->issuer->chain_file, 0, why);
        signer.key = signer.cert ? read_key(order->issuer->key_file, why) : NULL;
        good = good && signer.key;
    }
    good = good && issue(order, files, cert, key, &signer, why);
    if (order->issuer) {
        X509_free(signer.cert);
        EVP_PKEY_free(signer.key);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}

/* --- TLSA ------------------------------------------------------------------------ */

bool tls_association(const char *chain_file, size_t which, unsigned selector, unsigned matching, struct buf *out,
                     struct error *why)
{
    X509 *cert = read_certificate(chain_file, which, why);
    unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int len;

    if (!cert)
        return false;
    len = selector == 0 ? i2d_X509(cert, &der) : i2d_PUBKEY(X509_get0_pubkey(cert), &der);
    X509_free(cert);
    if (len > 0 && matching == 0)
        buf_add(out, slice(der, (size_t)len));
    else if (len > 0 && EVP_Digest(der, (size_t)len, digest, &size, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL))
        buf_add(out, slice(digest, size));
    OPENSSL_free(der);
    if (len <= 0 || (matching != 0 && size == 0))
        return fail(why, E_TLS_SETUP, "OpenSSL cannot digest %s", chain_file);
    return true;
}

/* --- old servers ------------------------------------------------------------------ */

/* Every session begins in one context, and takes its versions from there. */
void tls_server_limit(const struct tls_server *server, enum tls_version most)
{
    SSL *ssl = server_ssl(server);

    SSL_CTX_set_max_proto_version(SSL_get_SSL_CTX(ssl), tls_version_number(most));
    SSL_free(ssl);
}

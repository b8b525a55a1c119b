#include "tls/signature.h"

#include "base/memory.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>

enum {
    RSA_LEAST_OURS = 2048,      /* RFC 8301 3.2: signers SHOULD use keys of at least 2048 bits */
    RSA_LEAST_THEIRS = 1024,    /* verifiers MUST NOT consider signatures using RSA keys of less than 1024 bits as valid */
    RSA_MOST_THEIRS = 8192,     /* more is nothing but work, which a stranger asks us for */
    ED25519_BYTES = 32,
    DER_MAX = 4096,
};

/* --- SHA-256 -------------------------------------------------------------------- */

struct sha256 {
    EVP_MD_CTX *context;
};

/* What can fail here is memory for something small. */
static void need(bool done)
{
    if (!done)
        abort();
}

struct sha256 *sha256_new(void)
{
    struct sha256 *h = NEW(struct sha256);

    h->context = EVP_MD_CTX_new();
    need(h->context && EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) == 1);
    return h;
}

void sha256_free(struct sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->context);
    free(h);
}

void sha256_add(struct sha256 *h, struct slice bytes)
{
    need(EVP_DigestUpdate(h->context, bytes.at, bytes.len) == 1);
}

void sha256_end(struct sha256 *h, uint8_t out[SHA256_BYTES])
{
    need(EVP_DigestFinal_ex(h->context, out, NULL) == 1);
}

void sha256_of(struct slice bytes, uint8_t out[SHA256_BYTES])
{
    need(EVP_Digest(bytes.at, bytes.len, out, NULL, EVP_sha256(), NULL) == 1);
}

/* --- private keys ----------------------------------------------------------------- */

struct signing_key {
    EVP_PKEY *key;
    enum signature_kind kind;
};

/* A daemon cannot type; remember that somebody would have had to. */
static int refuse_passphrase(char *buffer, int size, int writing, void *asked)
{
    *(bool *)asked = true;
    return -1;
}

static EVP_PKEY *read_pem(const char *file, struct error *why)
{
    FILE *in = fopen(file, "re");
    bool locked = false;
    EVP_PKEY *key;

    if (!in) {
        fail(why, E_TLS_SETUP, "cannot read the key %s (%s): check the path, and that postern's user may read it", file,
             strerror(errno));
        return NULL;
    }
    key = PEM_read_PrivateKey(in, NULL, refuse_passphrase, &locked);
    fclose(in);
    ERR_clear_error();
    if (locked)
        fail(why, E_TLS_SETUP, "the key %s is locked with a passphrase: unlock it with openssl pkey -in LOCKED -out UNLOCKED",
             file);
    else if (!key)
        fail(why, E_TLS_SETUP, "no usable private key in %s: expected \"-----BEGIN PRIVATE KEY-----\"", file);
    return key;
}

static bool judge(struct signing_key *k, const char *file, struct error *why)
{
    switch (EVP_PKEY_get_base_id(k->key)) {
    case EVP_PKEY_ED25519:
        k->kind = SIGNATURE_ED25519;
        return true;
    case EVP_PKEY_RSA:
        k->kind = SIGNATURE_RSA;
        return EVP_PKEY_get_bits(k->key) >= RSA_LEAST_OURS
            || fail(why, E_TLS_SETUP, "the RSA key %s has %d bits, %d are the least to sign with: make another with "
                    "openssl genrsa -out FILE 2048", file, EVP_PKEY_get_bits(k->key), RSA_LEAST_OURS);
    default:
        return fail(why, E_TLS_SETUP, "the key %s is neither RSA nor Ed25519: make one with openssl genrsa -out FILE 2048",
                    file);
    }
}

struct signing_key *signing_key_read(const char *file, struct error *why)
{
    struct signing_key *k = NEW(struct signing_key);

    ERR_clear_error();
    k->key = read_pem(file, why);
    if (k->key && judge(k, file, why))
        return k;
    signing_key_free(k);
    return NULL;
}

void signing_key_free(struct signing_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key);
    free(k);
}

enum signature_kind signing_key_kind(const struct signing_key *k)
{
    return k->kind;
}

void signing_key_publish(const struct signing_key *k, struct buf *out)
{
    unsigned char raw[ED25519_BYTES], *der = NULL;
    size_t len = sizeof raw;
    char *text;

    if (k->kind == SIGNATURE_ED25519) {
        need(EVP_PKEY_get_raw_public_key(k->key, raw, &len) == 1);
    } else {
        int der_len = i2d_PUBKEY(k->key, &der);

        need(der_len > 0);
        len = (size_t)der_len;
    }
    text = memory_new(len / 3 * 4 + 5);
    EVP_EncodeBlock((unsigned char *)text, der ? der : raw, (int)len);
    buf_add(out, slice_of(text));
    free(text);
    OPENSSL_free(der);
}

/* --- signing ------------------------------------------------------------------------ */

static bool sign_rsa(EVP_PKEY *key, const uint8_t *digest, unsigned char *signature, size_t *len)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool good = context && EVP_PKEY_sign_init(context) == 1
        && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1
        && EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1
        && EVP_PKEY_sign(context, signature, len, digest, SHA256_BYTES) == 1;

    EVP_PKEY_CTX_free(context);
    return good;
}

/* RFC 8463 3: "The Ed25519-SHA256 signing algorithm computes a message hash [...] using SHA-256, then signs it". */
static bool sign_ed25519(EVP_PKEY *key, const uint8_t *digest, unsigned char *signature, size_t *len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1
        && EVP_DigestSign(context, signature, len, digest, SHA256_BYTES) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

bool signing_key_sign(const struct signing_key *k, const uint8_t digest[SHA256_BYTES], struct buf *out, struct error *why)
{
    size_t len = (size_t)EVP_PKEY_get_size(k->key);
    auto_free unsigned char *signature = memory_new(len);
    bool good;

    ERR_clear_error();
    good = k->kind == SIGNATURE_RSA ? sign_rsa(k->key, digest, signature, &len)
                                    : sign_ed25519(k->key, digest, signature, &len);
    ERR_clear_error();
    if (!good)
        return fail(why, E_TLS_SETUP, "OpenSSL cannot sign with this key");
    buf_add(out, slice(signature, len));
    return !out->failed || fail(why, E_LIMIT, "no room for a signature of %zu bytes", len);
}

/* --- verifying ------------------------------------------------------------------------ */

/* RFC 6376 3.6.1 has the key as RSAPublicKey in words and as SubjectPublicKeyInfo in its examples; both are about. */
static EVP_PKEY *rsa_key(struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.at, *end = at + der.len;
    EVP_PKEY *key;

    if (der.len == 0 || der.len > DER_MAX)
        return NULL;
    key = d2i_PUBKEY(NULL, &at, (long)der.len);
    if (!key) {
        at = (const unsigned char *)der.at;
        key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)der.len);
    }
    if (key && (at != end || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static EVP_PKEY *public_key(enum signature_kind kind, struct slice bytes, struct error *why)
{
    EVP_PKEY *key;
    int bits;

    if (kind == SIGNATURE_ED25519) {
        key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)bytes.at, bytes.len);
        if (!key)
            fail(why, E_MALFORMED, "an Ed25519 key has %d bytes, this one %zu", ED25519_BYTES, bytes.len);
        return key;
    }
    key = rsa_key(bytes);
    bits = key ? EVP_PKEY_get_bits(key) : 0;
    if (!key) {
        fail(why, E_MALFORMED, "what should be an RSA key is none");
    } else if (bits < RSA_LEAST_THEIRS || bits > RSA_MOST_THEIRS) {
        fail(why, E_MALFORMED, "the RSA key has %d bits, allowed are %d to %d", bits, RSA_LEAST_THEIRS, RSA_MOST_THEIRS);
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static bool verify_rsa(EVP_PKEY *key, const uint8_t *digest, struct slice signature)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool good = context && EVP_PKEY_verify_init(context) == 1
        && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1
        && EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1
        && EVP_PKEY_verify(context, (const unsigned char *)signature.at, signature.len, digest, SHA256_BYTES) == 1;

    EVP_PKEY_CTX_free(context);
    return good;
}

static bool verify_ed25519(EVP_PKEY *key, const uint8_t *digest, struct slice signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1
        && EVP_DigestVerify(context, (const unsigned char *)signature.at, signature.len, digest, SHA256_BYTES) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

bool signature_verify(enum signature_kind kind, struct slice key, const uint8_t digest[SHA256_BYTES], struct slice signature,
                      struct error *why)
{
    EVP_PKEY *parsed;
    bool good;

    ERR_clear_error();
    parsed = public_key(kind, key, why);
    good = parsed && (kind == SIGNATURE_RSA ? verify_rsa : verify_ed25519)(parsed, digest, signature);
    if (parsed && !good)
        fail(why, E_CERT_NOT_TRUSTED, "the signature was not made by this key over these bytes");
    EVP_PKEY_free(parsed);
    ERR_clear_error();
    return good;
}

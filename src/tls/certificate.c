/* Reading what a certificate says; see tls/identity.h. */
#include "tls/identity.h"
#include "tls/name.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

static const char *curve_name(EVP_PKEY *key, char *name, size_t size)
{
    static const char *const usual[][2] = {
        { "prime256v1", "P-256" }, { "secp384r1", "P-384" }, { "secp521r1", "P-521" },
    };

    if (!EVP_PKEY_get_group_name(key, name, size, NULL))
        return "unnamed";
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (strcmp(name, usual[i][0]) == 0)
            return usual[i][1];
    }
    return name;
}

void certificate_key(X509 *cert, char text[KEY_TEXT_MAX])
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    char curve[64];

    text[0] = '\0';
    if (!key)
        return;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        snprintf(text, KEY_TEXT_MAX, "RSA %d", EVP_PKEY_get_bits(key));
        break;
    case EVP_PKEY_EC:
        snprintf(text, KEY_TEXT_MAX, "ECDSA %.16s", curve_name(key, curve, sizeof curve));
        break;
    case EVP_PKEY_ED25519:
        snprintf(text, KEY_TEXT_MAX, "Ed25519");
        break;
    case EVP_PKEY_ED448:
        snprintf(text, KEY_TEXT_MAX, "Ed448");
        break;
    default: {
        const char *name = EVP_PKEY_get0_type_name(key);

        snprintf(text, KEY_TEXT_MAX, "%s", name ? name : "unknown");
    }
    }
}

static time_ms time_of(const ASN1_TIME *when)
{
    struct tm tm;

    return ASN1_TIME_to_tm(when, &tm) ? SECONDS(timegm(&tm)) : 0;
}

time_ms certificate_begins(const X509 *cert)
{
    return time_of(X509_get0_notBefore(cert));
}

time_ms certificate_expires(const X509 *cert)
{
    return time_of(X509_get0_notAfter(cert));
}

void certificate_names(const X509 *cert, bool (*take)(void *arg, struct slice name), void *arg)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        struct slice text;

        if (name->type != GEN_DNS)
            continue;
        text = slice(ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName));
        if (tls_name_is_usable(text) && !take(arg, text))
            break;
    }
    GENERAL_NAMES_free(names);
}

bool certificate_has_names(const X509 *cert)
{
    int critical;
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
    bool found = !names && critical != -1;  /* -1 is absence; what cannot be read might hold one */

    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++)
        found = sk_GENERAL_NAME_value(names, i)->type == GEN_DNS;
    GENERAL_NAMES_free(names);
    return found;
}

static bool last_entry(const X509_NAME *name, int nid, char *text, size_t size)
{
    unsigned char *utf8 = NULL;
    int last = -1, len;
    bool usable;

    for (int i; (i = X509_NAME_get_index_by_NID(name, nid, last)) >= 0;)
        last = i;
    if (last < 0)
        return false;
    len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
    usable = len > 0 && (size_t)len < size && !memchr(utf8, '\0', (size_t)len);
    if (usable)
        snprintf(text, size, "%.*s", len, (const char *)utf8);
    OPENSSL_free(utf8);
    return usable;
}

bool certificate_common_name(const X509 *cert, char *text, size_t size)
{
    return last_entry(X509_get_subject_name(cert), NID_commonName, text, size);
}

bool certificate_issuer(const X509 *cert, char *text, size_t size)
{
    const X509_NAME *issuer = X509_get_issuer_name(cert);

    return last_entry(issuer, NID_commonName, text, size) || last_entry(issuer, NID_organizationName, text, size);
}

static void write_hex(const unsigned char *digest, unsigned len, char text[65])
{
    for (unsigned i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

void certificate_fingerprints(const X509 *cert, char fingerprint[65], char key_fingerprint[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE], *key = NULL;
    unsigned len = 0;
    int key_len;

    fingerprint[0] = key_fingerprint[0] = '\0';
    if (X509_digest(cert, EVP_sha256(), digest, &len))
        write_hex(digest, len, fingerprint);
    /* X509_pubkey_digest() leaves the algorithm out; a TLSA record has it in. */
    key_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &key);
    if (key_len > 0 && EVP_Digest(key, (size_t)key_len, digest, &len, EVP_sha256(), NULL))
        write_hex(digest, len, key_fingerprint);
    OPENSSL_free(key);
}

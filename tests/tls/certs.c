#include "tests/tls/certs.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>

struct cert {
    X509 *x509;
    EVP_PKEY *key;
    unsigned char *der, *key_der;
    int der_len, key_der_len;
};

static void must(bool done)
{
    if (!done) {
        fputs("tests/tls/certs.c: OpenSSL or the file system said no\n", stderr);
        abort();
    }
}

/* --- keys ---------------------------------------------------------------------- */

static EVP_PKEY *rsa_key(unsigned bits)
{
    static EVP_PKEY *kept[2];
    EVP_PKEY **key = &kept[bits == 1024];

    if (!*key)
        *key = EVP_RSA_gen(bits);
    must(*key && EVP_PKEY_up_ref(*key));
    return *key;
}

static EVP_PKEY *make_key(enum cert_key kind)
{
    switch (kind) {
    case CERT_P256: return EVP_EC_gen("P-256");
    case CERT_P384: return EVP_EC_gen("P-384");
    case CERT_RSA_2048: return rsa_key(2048);
    case CERT_RSA_1024: return rsa_key(1024);
    case CERT_ED25519: return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
    return NULL;
}

/* --- certificates ----------------------------------------------------------------- */

static void extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must(extension && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

static void push_name(GENERAL_NAMES *names, int type, struct slice bytes)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *text = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

    must(ASN1_STRING_set(text, bytes.at, (int)bytes.len));
    GENERAL_NAME_set0_value(name, type, text);
    must(sk_GENERAL_NAME_push(names, name));
}

static void add_odd_names(X509 *cert, struct slice bytes)
{
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;

    must(ASN1_OCTET_STRING_set(value, (const unsigned char *)bytes.at, (int)bytes.len));
    extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
    must(extension && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
}

static void add_names(X509 *cert, const struct cert_wish *wish)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    unsigned char octets[16];

    for (size_t i = 0; i < sizeof wish->dns / sizeof *wish->dns && wish->dns[i]; i++)
        push_name(names, GEN_DNS, slice_of(wish->dns[i]));
    if (wish->odd_dns.len)
        push_name(names, GEN_DNS, wish->odd_dns);
    if (wish->address) {
        bool v6 = strchr(wish->address, ':');

        must(inet_pton(v6 ? AF_INET6 : AF_INET, wish->address, octets) == 1);
        push_name(names, GEN_IPADD, slice(octets, v6 ? 16 : 4));
    }
    if (sk_GENERAL_NAME_num(names) > 0)
        must(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1);
    GENERAL_NAMES_free(names);
}

static void add_unknown_critical(X509 *cert)
{
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;

    must(ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\x00", 2));
    extension = X509_EXTENSION_create_by_OBJ(NULL, id, 1, value);
    must(extension && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(id);
}

static void add_extensions(X509 *cert, const struct cert_wish *wish)
{
    extend(cert, NID_basic_constraints,
           wish->basic ? wish->basic : wish->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(cert, NID_key_usage,
           wish->is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature,keyEncipherment");
    if (wish->usage || !wish->is_ca)
        extend(cert, NID_ext_key_usage, wish->usage ? wish->usage : "serverAuth");
    if (wish->name_constraints)
        extend(cert, NID_name_constraints, wish->name_constraints);
    if (wish->unknown_critical)
        add_unknown_critical(cert);
    add_names(cert, wish);
    if (wish->odd_names.len)
        add_odd_names(cert, wish->odd_names);
}

static void add_entry(X509 *cert, int nid, int type, struct slice text)
{
    if (text.len > 0)
        must(X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), nid, type, (const unsigned char *)text.at,
                                        (int)text.len, -1, 0));
}

static void add_subject(X509 *cert, const struct cert_wish *wish)
{
    add_entry(cert, NID_organizationName, MBSTRING_ASC, slice_of(wish->organization));
    add_entry(cert, NID_commonName, MBSTRING_ASC, slice_of(wish->common_name ? wish->common_name : wish->dns[0]));
    add_entry(cert, NID_commonName, V_ASN1_UTF8STRING, wish->odd_common_name);
}

struct cert *cert_make(const struct cert_wish *wish, const struct cert *issuer)
{
    static long serial = 1000;
    struct cert *c = NEW(struct cert);
    time_ms from = wish->from ? wish->from : clock_wall() - DAYS(1);
    time_ms until = wish->until ? wish->until : clock_wall() + DAYS(365);

    c->x509 = X509_new();
    c->key = wish->key_of ? wish->key_of->key : make_key(wish->key);
    must(c->x509 && c->key);
    if (wish->key_of)
        EVP_PKEY_up_ref(c->key);
    if (!issuer)
        issuer = c;
    X509_set_version(c->x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c->x509), serial++);
    ASN1_TIME_set(X509_getm_notBefore(c->x509), (time_t)(from / 1000));
    ASN1_TIME_set(X509_getm_notAfter(c->x509), (time_t)(until / 1000));
    X509_set_pubkey(c->x509, c->key);
    add_subject(c->x509, wish);
    X509_set_issuer_name(c->x509, X509_get_subject_name(issuer->x509));
    add_extensions(c->x509, wish);
    must(X509_sign(c->x509, issuer->key, EVP_PKEY_is_a(issuer->key, "ED25519") ? NULL :
                   wish->sha1 ? EVP_sha1() : EVP_sha256()) > 0);
    c->der_len = i2d_X509(c->x509, &c->der);
    c->key_der_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x509), &c->key_der);
    must(c->der_len > 0 && c->key_der_len > 0);
    return c;
}

void cert_free(struct cert *c)
{
    if (!c)
        return;
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
    OPENSSL_free(c->der);
    OPENSSL_free(c->key_der);
    free(c);
}

void cert_fingerprint(const struct cert *c, char text[65])
{
    unsigned char digest[32];

    must(X509_digest(c->x509, EVP_sha256(), digest, NULL));
    for (int i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

struct slice cert_der(const struct cert *c)
{
    return slice(c->der, (size_t)c->der_len);
}

struct slice cert_key_der(const struct cert *c)
{
    return slice(c->key_der, (size_t)c->key_der_len);
}

/* --- files --------------------------------------------------------------------------- */

static char folder[] = "/tmp/postern-certs-XXXXXX";
static char **paths;
static size_t path_count;

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(folder);
    while (path_count > 0)
        free(paths[--path_count]);
    free(paths);
}

const char *cert_path(const char *file)
{
    size_t size = sizeof folder + strlen(file) + 1;
    char *path = memory_new(size);

    if (!paths) {
        must(mkdtemp(folder));
        atexit(remove_folder);
    }
    snprintf(path, size, "%s/%s", folder, file);
    paths = memory_grow(paths, path_count + 1, sizeof *paths);
    paths[path_count++] = path;
    return path;
}

const char *cert_file(const char *file, const struct cert *first, ...)
{
    const char *path = cert_path(file);
    FILE *out = fopen(path, "w");
    va_list more;

    must(out);
    va_start(more, first);
    for (const struct cert *c = first; c; c = va_arg(more, const struct cert *))
        must(PEM_write_X509(out, c->x509));
    va_end(more);
    must(fclose(out) == 0);
    return path;
}

const char *cert_key_file(const char *file, const struct cert *c)
{
    const char *path = cert_path(file);
    FILE *out = fopen(path, "w");

    must(out && PEM_write_PrivateKey(out, c->key, NULL, NULL, 0, NULL, NULL));
    must(fclose(out) == 0);
    return path;
}

const char *cert_text_file(const char *file, const char *text)
{
    const char *path = cert_path(file);
    FILE *out = fopen(path, "w");

    must(out && fputs(text, out) >= 0);
    must(fclose(out) == 0);
    return path;
}

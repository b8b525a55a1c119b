/* A certificate for a host that has none yet; see tls/context.h. */
#include "base/memory.h"
#include "tls/context.h"
#include "tls/name.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

enum { COMMON_NAME_MAX = 64 };      /* ub-common-name, RFC 5280 A.1 */

/* --- the certificate --------------------------------------------------------- */

/* 159 random bits: RFC 5280 4.1.2.2 allows 20 octets, positive. */
static bool set_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    bool good = BN_rand(number, 159, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY)
        && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));

    BN_free(number);
    return good;
}

/* Built by hand, for OpenSSL's textual form would read commas in a name. */
static bool set_alternative_name(X509 *cert, const char *name, bool critical)
{
    unsigned char octets[TLS_ADDRESS_MAX];
    size_t len = tls_name_address(name, octets);
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *one = GENERAL_NAME_new();
    ASN1_STRING *text = len > 0 ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    bool good = ASN1_STRING_set(text, len > 0 ? (const void *)octets : name, len > 0 ? (int)len : -1);

    GENERAL_NAME_set0_value(one, len > 0 ? GEN_IPADD : GEN_DNS, text);
    sk_GENERAL_NAME_push(names, one);
    good = good && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, critical, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return good;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool good = extension && X509_add_ext(cert, extension, -1);

    X509_EXTENSION_free(extension);
    return good;
}

/* A name too long for a CN leaves the subject empty; RFC 5280 4.1.2.6 wants
 * the alternative name critical then. */
static bool set_names(X509 *cert, const char *name)
{
    bool fits = strlen(name) <= COMMON_NAME_MAX;
    X509_NAME *subject = X509_get_subject_name(cert);

    if (fits && !X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC, (const unsigned char *)name,
                                            -1, -1, 0))
        return false;
    return X509_set_issuer_name(cert, subject) && set_alternative_name(cert, name, !fits);
}

static bool fill_certificate(X509 *cert, const char *name, EVP_PKEY *key, time_ms wall)
{
    time_t from = (time_t)((wall - DAYS(1)) / SECONDS(1));

    return X509_set_version(cert, X509_VERSION_3) && set_serial(cert)
        && ASN1_TIME_set(X509_getm_notBefore(cert), from)
        && ASN1_TIME_adj(X509_getm_notAfter(cert), from, 10 * 365 + 3, 0)
        && X509_set_pubkey(cert, key) && set_names(cert, name)
        && add_extension(cert, NID_basic_constraints, "critical,CA:FALSE")
        && add_extension(cert, NID_key_usage, "critical,digitalSignature")
        && add_extension(cert, NID_ext_key_usage, "serverAuth")
        && X509_sign(cert, key, EVP_sha256()) > 0;
}

/* --- the files ------------------------------------------------------------------ */

static bool write_synced(int fd, BIO *content)
{
    char *at;
    long len = BIO_get_mem_data(content, &at);

    while (len > 0) {
        ssize_t written = write(fd, at, (size_t)len);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            at += written;
            len -= written;
        }
    }
    return fsync(fd) == 0;
}

/* So that the file's name survives a crash as well. */
static bool sync_folder_of(const char *file)
{
    auto_free char *folder = memory_text(slice_of(file));
    char *slash = strrchr(folder, '/');
    auto_close int fd = -1;

    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

/* Whole or not at all, and never over something: link(2) fails where rename(2) would replace. */
static bool write_file(const char *file, mode_t mode, BIO *content, struct error *why)
{
    size_t size = strlen(file) + sizeof ".new";
    auto_free char *fresh = memory_new(size);
    auto_close int fd = -1;
    bool good;

    snprintf(fresh, size, "%s.new", file);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return fail_errno(why, E_TLS_SETUP, "cannot make %s", fresh);
    good = write_synced(fd, content) && link(fresh, file) == 0;
    if (!good)
        fail_errno(why, E_TLS_SETUP, "cannot write %s", file);
    unlink(fresh);
    if (good && !sync_folder_of(file))
        good = fail_errno(why, E_TLS_SETUP, "cannot sync the folder of %s", file);
    return good;
}

static bool write_key(const char *file, EVP_PKEY *key, struct error *why)
{
    BIO *text = BIO_new(BIO_s_secmem());
    bool good = PEM_write_bio_PKCS8PrivateKey(text, key, NULL, NULL, 0, NULL, NULL)
        ? write_file(file, 0600, text, why)
        : fail(why, E_TLS_SETUP, "OpenSSL cannot write the key %s", file);

    BIO_free(text);
    return good;
}

static bool write_certificate(const char *file, X509 *cert, struct error *why)
{
    BIO *text = BIO_new(BIO_s_mem());
    bool good = PEM_write_bio_X509(text, cert)
        ? write_file(file, 0644, text, why)
        : fail(why, E_TLS_SETUP, "OpenSSL cannot write the certificate %s", file);

    BIO_free(text);
    return good;
}

static bool check_request(const char *name, const char *chain_file, const char *key_file, struct error *why)
{
    unsigned char octets[TLS_ADDRESS_MAX];

    if (!tls_name_is_usable(slice_of(name)) && tls_name_address(name, octets) == 0)
        return fail(why, E_USAGE, "\"%.80s\" is neither a host name nor an address", name);
    if (strcmp(chain_file, key_file) == 0)
        return fail(why, E_USAGE, "certificate and key need two files, not %s for both", key_file);
    if (access(chain_file, F_OK) == 0)
        return fail(why, E_TLS_SETUP, "%s exists already and is left as it is", chain_file);
    if (access(key_file, F_OK) == 0)
        return fail(why, E_TLS_SETUP, "%s exists already and is left as it is", key_file);
    return true;
}

bool tls_make_self_signed(const char *name, const char *chain_file, const char *key_file, time_ms wall,
                          struct error *why)
{
    EVP_PKEY *key;
    X509 *cert;
    bool good;

    if (!check_request(name, chain_file, key_file, why))
        return false;
    ERR_clear_error();
    key = EVP_EC_gen("P-256");
    cert = X509_new();
    if (!key || !cert || !fill_certificate(cert, name, key, wall)) {
        good = fail(why, E_TLS_SETUP, "OpenSSL cannot make a certificate for %.80s", name);
    } else {
        good = write_key(key_file, key, why);
        if (good && !write_certificate(chain_file, cert, why)) {
            unlink(key_file);   /* else the next try would stumble over it */
            good = false;
        }
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}

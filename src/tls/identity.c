#include "tls/identity.h"

#include "base/memory.h"
#include "tls/name.h"
#include "tls/own.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* --- loading ------------------------------------------------------------- */

static FILE *open_file(const char *what, const char *file, struct error *why)
{
    FILE *in = fopen(file, "re");

    if (!in)
        fail(why, E_TLS_SETUP, "cannot read the %s %s (%s): check the path, and that postern's user may read it",
             what, file, strerror(errno));
    return in;
}

static bool read_chain(struct identity *id, struct error *why)
{
    FILE *in = open_file("certificate", id->chain_file, why);
    X509 *next;

    if (!in)
        return false;
    ERR_clear_error();
    id->above = sk_X509_new_null();
    id->leaf = PEM_read_X509_AUX(in, NULL, NULL, NULL);
    while (id->leaf && (next = PEM_read_X509(in, NULL, NULL, NULL)))
        sk_X509_push(id->above, next);
    fclose(in);
    if (!id->leaf)
        return fail(why, E_TLS_SETUP, "no usable certificate in %s: expected \"-----BEGIN CERTIFICATE-----\", "
                    "the server's own first, then its intermediates", id->chain_file);
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return fail(why, E_TLS_SETUP, "certificate %d in %s is damaged: copy the file again",
                    sk_X509_num(id->above) + 2, id->chain_file);
    ERR_clear_error();
    return true;
}

/* A daemon cannot type; remember that somebody would have had to. */
static int refuse_passphrase(char *buffer, int size, int writing, void *asked)
{
    *(bool *)asked = true;
    return -1;
}

static bool read_key(struct identity *id, struct error *why)
{
    FILE *in = open_file("key", id->key_file, why);
    bool locked = false;

    if (!in)
        return false;
    ERR_clear_error();
    id->key = PEM_read_PrivateKey(in, NULL, refuse_passphrase, &locked);
    fclose(in);
    ERR_clear_error();
    if (locked)
        return fail(why, E_TLS_SETUP, "the key %s is locked with a passphrase: unlock it with "
                    "openssl pkey -in LOCKED -out UNLOCKED", id->key_file);
    if (!id->key)
        return fail(why, E_TLS_SETUP, "no usable private key in %s: expected \"-----BEGIN PRIVATE KEY-----\"",
                    id->key_file);
    return true;
}

static bool check_pair(const struct identity *id, struct error *why)
{
    bool fits = X509_check_private_key(id->leaf, id->key) == 1;

    ERR_clear_error();
    return fits || fail(why, E_TLS_SETUP, "the key %s does not belong to the first certificate in %s: "
                        "name the right key, or put the server's own certificate first",
                        id->key_file, id->chain_file);
}

static enum key_kind kind_of(EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA: return KEY_RSA;
    case EVP_PKEY_RSA_PSS: return KEY_RSA_PSS;
    case EVP_PKEY_EC: return KEY_EC;
    case EVP_PKEY_ED25519: return KEY_ED25519;
    case EVP_PKEY_ED448: return KEY_ED448;
    default: return KEY_OTHER;
    }
}

static bool add_name(void *identity, struct slice name)
{
    struct identity *id = identity;

    id->names = memory_grow(id->names, id->name_count + 1, sizeof *id->names);
    id->names[id->name_count++] = memory_text(name);
    return true;
}

static void read_names(struct identity *id)
{
    char common_name[256];

    certificate_names(id->leaf, add_name, id);
    /* To find our own certificate, not to trust it: then a CN is good enough. */
    if (id->name_count == 0 && certificate_common_name(id->leaf, common_name, sizeof common_name)
        && tls_name_is_usable(slice_of(common_name)))
        add_name(id, slice_of(common_name));
}

bool identity_load(struct identity *out, const struct tls_identity *files, struct error *why)
{
    struct identity id = {
        .chain_file = memory_text(slice_of(files->chain_file)),
        .key_file = memory_text(slice_of(files->key_file)),
    };

    if (!read_chain(&id, why) || !read_key(&id, why) || !check_pair(&id, why)) {
        ERR_clear_error();
        identity_done(&id);
        return false;
    }
    id.kind = kind_of(id.key);
    read_names(&id);
    *out = id;
    return true;
}

void identity_done(struct identity *id)
{
    for (size_t i = 0; i < id->name_count; i++)
        free(id->names[i]);
    free(id->names);
    EVP_PKEY_free(id->key);
    sk_X509_pop_free(id->above, X509_free);
    X509_free(id->leaf);
    free(id->key_file);
    free(id->chain_file);
    *id = (struct identity){ 0 };
}

enum fit identity_fits(const struct identity *id, struct slice name)
{
    enum fit best = FIT_NOT;

    for (size_t i = 0; i < id->name_count; i++) {
        struct slice own = slice_of(id->names[i]);

        if (slice_equal_nocase(own, name))
            return FIT_EXACT;
        if (tls_name_covers(own, name))
            best = FIT_WILDCARD;
    }
    return best;
}

bool tls_own_read(const struct tls_identity *files, struct tls_own *out, struct error *why)
{
    struct identity id;

    if (!identity_load(&id, files, why))
        return false;
    *out = (struct tls_own){ .not_before = certificate_begins(id.leaf), .not_after = certificate_expires(id.leaf) };
    snprintf(out->name, sizeof out->name, "%s", id.name_count ? id.names[0] : "");
    certificate_key(id.leaf, out->key);
    certificate_fingerprints(id.leaf, out->fingerprint, out->key_fingerprint);
    ERR_clear_error();
    identity_done(&id);
    return true;
}

/* --- review -------------------------------------------------------------- */

struct reviewer {
    void (*tell)(void *arg, const char *text);
    void *arg;
};

static void tell(const struct reviewer *to, const char *format, ...) printf_like(2, 3);

static void tell(const struct reviewer *to, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    to->tell(to->arg, text);
}

static void review_dates(const struct identity *id, time_ms wall, const struct reviewer *to)
{
    time_ms left = certificate_expires(id->leaf) - wall;

    if (left <= 0)
        tell(to, "certificate %s has expired: renew it", id->chain_file);
    else if (left < DAYS(14))
        tell(to, "certificate %s expires in %d days: renew it", id->chain_file, (int)(left / DAYS(1)));
    if (certificate_begins(id->leaf) > wall)
        tell(to, "certificate %s is not valid yet", id->chain_file);
}

static void review_strength(const struct identity *id, const struct reviewer *to)
{
    int digest = NID_undef;
    int bits = EVP_PKEY_get_bits(id->key);

    if ((id->kind == KEY_RSA || id->kind == KEY_RSA_PSS) && bits < 2048)
        tell(to, "key %s has %d bits: RSA keys need 2048 at least, many senders refuse less", id->key_file, bits);
    for (int i = -1; i < sk_X509_num(id->above); i++) {
        X509 *cert = i < 0 ? id->leaf : sk_X509_value(id->above, i);

        /* Nobody checks the signature that an anchor makes over itself. */
        if (X509_get_signature_info(cert, &digest, NULL, NULL, NULL) && (digest == NID_sha1 || digest == NID_md5)
            && X509_check_issued(cert, cert) != X509_V_OK)
            tell(to, "certificate %d in %s is signed with %s: nobody trusts it, get a new one", i + 2,
                 id->chain_file, OBJ_nid2ln(digest));
    }
}

static void review_order(const struct identity *id, const struct reviewer *to)
{
    X509 *below = id->leaf;

    for (int i = 0; i < sk_X509_num(id->above); i++) {
        X509 *issuer = sk_X509_value(id->above, i);

        if (X509_check_issued(issuer, below) != X509_V_OK) {
            tell(to, "certificate %d in %s did not issue the one before it: the order is the server's own, "
                 "then its issuer, and so on", i + 2, id->chain_file);
            return;
        }
        below = issuer;
    }
}

void identity_review(const struct identity *id, time_ms wall, void (*to)(void *arg, const char *text), void *arg)
{
    struct reviewer reviewer = { to, arg };

    ERR_clear_error();
    review_dates(id, wall, &reviewer);
    review_strength(id, &reviewer);
    review_order(id, &reviewer);
    ERR_clear_error();
}

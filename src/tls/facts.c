/* What a handshake came to; see tls/session.h. */
#include "base/escape.h"
#include "tls/identity.h"
#include "tls/inside.h"
#include "tls/name.h"
#include "tls/parameters.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* --- the chain ------------------------------------------------------------- */

static bool is_about_dates(int problem)
{
    return problem == X509_V_ERR_CERT_HAS_EXPIRED || problem == X509_V_ERR_CERT_NOT_YET_VALID
        || problem == X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD || problem == X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD;
}

int facts_note_problem(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);
    int problem = X509_STORE_CTX_get_error(store);
    int *first = is_about_dates(problem) ? &t->date_error : &t->chain_error;

    if (!ok && *first == X509_V_OK)
        *first = problem;
    return 1;
}

/* Not trusted outweighs expired: an unknown issuer's dates say nothing. */
static void judge_chain(const struct tls *t, struct tls_facts *facts)
{
    int problem = t->chain_error != X509_V_OK ? t->chain_error : t->date_error;

    if (problem == X509_V_OK) {
        facts->trust = TLS_TRUST_PKIX;
        return;
    }
    facts->trust = t->chain_error != X509_V_OK ? TLS_TRUST_UNTRUSTED : TLS_TRUST_EXPIRED;
    snprintf(facts->trust_problem, sizeof facts->trust_problem, "%s", X509_verify_cert_error_string(problem));
}

/* --- the name --------------------------------------------------------------- */

struct search {
    struct slice reference;
    bool found;
};

static bool compare_name(void *arg, struct slice name)
{
    struct search *s = arg;

    s->found = tls_name_covers(name, s->reference);
    return !s->found;
}

/* RFC 9525 6.4: an IP-ID matches octet for octet. */
static bool has_address(const X509 *cert, struct slice octets)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool found = false;

    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_IPADD)
            found = slice_equal(octets, slice(ASN1_STRING_get0_data(name->d.iPAddress),
                                              (size_t)ASN1_STRING_length(name->d.iPAddress)));
    }
    GENERAL_NAMES_free(names);
    return found;
}

static bool name_matches(const X509 *cert, const char *reference)
{
    unsigned char octets[TLS_ADDRESS_MAX];
    size_t len = tls_name_address(reference, octets);
    struct search search = { slice_of(reference), false };

    if (len > 0)
        return has_address(cert, slice(octets, len));
    certificate_names(cert, compare_name, &search);
    return search.found;
}

/* --- the certificate ---------------------------------------------------------- */

static bool take_first(void *arg, struct slice name)
{
    struct tls_facts *facts = arg;

    escape_line(name, facts->subject, sizeof facts->subject);
    return false;
}

static void describe_subject(const X509 *cert, struct tls_facts *facts)
{
    char common_name[256];

    certificate_names(cert, take_first, facts);
    if (facts->subject[0] == '\0' && certificate_common_name(cert, common_name, sizeof common_name))
        escape_line(slice_of(common_name), facts->subject, sizeof facts->subject);
}

static void describe_fingerprint(const X509 *cert, struct tls_facts *facts)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (!X509_digest(cert, EVP_sha256(), digest, &len))
        return;
    for (unsigned i = 0; i < len; i++)
        snprintf(facts->fingerprint + 2 * i, 3, "%02x", digest[i]);
}

/* --- the session ---------------------------------------------------------------- */

static void describe_group(SSL *ssl, struct tls_facts *facts)
{
    static const char *const usual[][2] = {
        { "x25519", "X25519" }, { "x448", "X448" },
        { "secp256r1", "P-256" }, { "secp384r1", "P-384" }, { "secp521r1", "P-521" },
    };
    int group = (int)SSL_get_negotiated_group(ssl);
    const char *name = group != NID_undef ? SSL_group_to_name(ssl, group) : NULL;

    for (size_t i = 0; name && i < sizeof usual / sizeof *usual; i++) {
        if (strcmp(name, usual[i][0]) == 0)
            name = usual[i][1];
    }
    snprintf(facts->group, sizeof facts->group, "%s", name ? name : "");
}

static void describe_session(SSL *ssl, struct tls_facts *facts)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

    facts->version = tls_version_of(SSL_version(ssl));
    facts->resumed = SSL_session_reused(ssl);
    snprintf(facts->cipher, sizeof facts->cipher, "%s", SSL_CIPHER_get_name(cipher));
    facts->cipher_bits = SSL_CIPHER_get_bits(cipher, NULL);
    describe_group(ssl, facts);
    escape_line(slice_of(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)), facts->server_name,
                sizeof facts->server_name);
}

void tls_get_facts(const struct tls *t, struct tls_facts *facts)
{
    X509 *peer = SSL_get0_peer_certificate(t->ssl);

    *facts = (struct tls_facts){ 0 };
    ERR_clear_error();
    describe_session(t->ssl, facts);
    if (peer) {
        judge_chain(t, facts);
        facts->name_matches = t->check_name && name_matches(peer, t->check_name);
        describe_fingerprint(peer, facts);
        describe_subject(peer, facts);
        certificate_key(peer, facts->key);
        facts->not_after = certificate_expires(peer);
    }
    ERR_clear_error();
}

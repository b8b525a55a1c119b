/* What a handshake came to; see tls/session.h. */
#include "base/escape.h"
#include "tls/identity.h"
#include "tls/inside.h"
#include "tls/match.h"
#include "tls/parameters.h"

#include <openssl/err.h>
#include <stdio.h>

/* --- the chain ------------------------------------------------------------- */

/* Not trusted outweighs expired: an unknown issuer's dates say nothing. */
static void judge_chain(const struct tls *t, struct tls_facts *facts)
{
    const struct chain_problems *p = &t->pkix;
    int problem = p->chain != X509_V_OK ? p->chain : p->dates;

    if (problem == X509_V_OK) {
        facts->trust = TLS_TRUST_PKIX;
        return;
    }
    facts->trust = p->chain != X509_V_OK ? TLS_TRUST_UNTRUSTED : TLS_TRUST_EXPIRED;
    snprintf(facts->trust_problem, sizeof facts->trust_problem, "%s", X509_verify_cert_error_string(problem));
}

/* --- the names -------------------------------------------------------------- */

static bool any_listed(const X509 *cert, const struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (match_listed(cert, names->at[i]))
            return true;
    }
    return false;
}

static void judge_names(const struct tls *t, const X509 *cert, struct tls_facts *facts)
{
    facts->name_matches = t->check_name && match_name(cert, t->check_name);
    facts->common_name_matches = t->check_name && match_common_name(cert, t->check_name);
    facts->listed_name = any_listed(cert, &t->names);
}

static void tell_dane(const struct dane *d, struct tls_facts *facts)
{
    facts->dane = d->result;
    memcpy(facts->dane_record, d->record, sizeof facts->dane_record);
    memcpy(facts->dane_problem, d->problem, sizeof facts->dane_problem);
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

static void describe_issuer(const X509 *cert, struct tls_facts *facts)
{
    char issuer[256];

    if (certificate_issuer(cert, issuer, sizeof issuer))
        escape_line(slice_of(issuer), facts->issuer, sizeof facts->issuer);
}

static void describe_certificate(X509 *cert, struct tls_facts *facts)
{
    facts->self_signed = X509_self_signed(cert, 0) > 0;
    certificate_fingerprints(cert, facts->fingerprint, facts->key_fingerprint);
    describe_subject(cert, facts);
    describe_issuer(cert, facts);
    certificate_key(cert, facts->key);
    facts->not_after = certificate_expires(cert);
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
    tell_dane(&t->dane, facts);
    if (peer) {
        judge_chain(t, facts);
        judge_names(t, peer, facts);
        describe_certificate(peer, facts);
    }
    ERR_clear_error();
}

#include "tls/parameters.h"

#include "base/buf.h"

static const struct {
    const char *name, *digits;
    int number;
} versions[] = {
    [TLS_VERSION_NONE] = { "none", "", 0 },
    [TLS_1_0] = { "TLSv1.0", "1.0", TLS1_VERSION },
    [TLS_1_1] = { "TLSv1.1", "1.1", TLS1_1_VERSION },
    [TLS_1_2] = { "TLSv1.2", "1.2", TLS1_2_VERSION },
    [TLS_1_3] = { "TLSv1.3", "1.3", TLS1_3_VERSION },
};

const char *tls_version_name(enum tls_version v)
{
    return versions[v].name;
}

bool tls_version_parse(struct slice text, enum tls_version *v)
{
    for (enum tls_version i = TLS_1_0; i <= TLS_1_3; i++) {
        if (slice_equal(text, slice_of(versions[i].digits))) {
            *v = i;
            return true;
        }
    }
    return false;
}

int tls_version_number(enum tls_version v)
{
    return versions[v].number;
}

enum tls_version tls_version_of(int number)
{
    for (enum tls_version i = TLS_1_0; i <= TLS_1_3; i++) {
        if (versions[i].number == number)
            return i;
    }
    return TLS_VERSION_NONE;
}

/* --- suites ------------------------------------------------------------ */

/* RFC 9325 4.2, strongest first. */
#define CIPHERS_STRONG                                                  \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"        \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"        \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"

/* Still forward secret. Senders on Windows Server 2012 R2 have nothing better
 * to offer to an RSA certificate, and would come in clear (STARTTLS-107). */
#define CIPHERS_CBC                                                     \
    ":ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384"                \
    ":ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256"

#define CIPHERS_CBC_SHA1                                                \
    ":ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"                      \
    ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"

/* Without forward secrecy. A client offers them last, for a server that has
 * only these would otherwise get the mail in clear (STARTTLS-105). DHE is not
 * among them on purpose: an old server would choose it with a group too small
 * to accept, and so turn a working connection into a failed one. */
#define CIPHERS_STATIC_RSA                                              \
    ":AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256"  \
    ":AES256-SHA:AES128-SHA"

/* What only TLS 1.0 and 1.1 need of a server that was told to allow them. */
#define CIPHERS_OLD                                                     \
    CIPHERS_CBC_SHA1 ":DHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA:AES256-SHA:AES128-SHA"

/* STARTTLS-096: whatever the operator's list says. */
#define CIPHERS_NEVER                                                   \
    ":!aNULL:!eNULL:!EXPORT:!LOW:!RC4:!DES:!3DES:!IDEA:!SEED:!RC2:!MD5:!PSK:!SRP"

static const char *our_ciphers(const struct tls_parameters *p)
{
    if (!p->server)
        return CIPHERS_STRONG CIPHERS_CBC CIPHERS_CBC_SHA1 CIPHERS_STATIC_RSA;
    return p->minimum < TLS_1_2 ? CIPHERS_STRONG CIPHERS_CBC CIPHERS_OLD : CIPHERS_STRONG CIPHERS_CBC;
}

/* Ends in a NUL. */
static struct buf without_the_worst(const char *ciphers)
{
    struct buf list = { .max = 64 * 1024 };

    buf_text(&list, "%s%s", ciphers, CIPHERS_NEVER);
    buf_byte(&list, '\0');
    return list;
}

static bool set_suites(SSL_CTX *ctx, const struct tls_parameters *p, struct error *why)
{
    const char *ciphers = p->ciphers ? p->ciphers : our_ciphers(p);
    auto_buf struct buf list = without_the_worst(ciphers);

    if (list.failed || !SSL_CTX_set_cipher_list(ctx, list.memory))
        return fail(why, E_USAGE, "no usable cipher in the list \"%s\": see openssl-ciphers(1)", ciphers);
    if (p->suites && !SSL_CTX_set_ciphersuites(ctx, p->suites))
        return fail(why, E_USAGE, "unknown TLS 1.3 suite in \"%s\": see openssl-ciphers(1)", p->suites);
    return true;
}

/* --- key exchange ------------------------------------------------------- */

/* The first list that the library knows is used. The first one is in the
 * spelling of OpenSSL 3.5: "*" sends a key share at once, so that a server
 * without the hybrid group needs no second round trip. */
static const char *const group_lists[] = {
    "*X25519MLKEM768 / *X25519:P-256:P-384",
    "X25519MLKEM768:X25519:P-256:P-384",
    "X25519:P-256:P-384",
    "P-256:P-384",
};

static bool set_groups(SSL_CTX *ctx, const char *groups, struct error *why)
{
    if (groups)
        return SSL_CTX_set1_groups_list(ctx, groups)
            || fail(why, E_USAGE, "unknown key exchange group in \"%s\"", groups);
    for (size_t i = 0; i < sizeof group_lists / sizeof *group_lists; i++) {
        if (SSL_CTX_set1_groups_list(ctx, group_lists[i]))
            return true;
    }
    return fail(why, E_TLS_SETUP, "OpenSSL has none of the groups %s",
                group_lists[sizeof group_lists / sizeof *group_lists - 1]);
}

/* --- security level ------------------------------------------------------ */

typedef int security_judge(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other, void *arg);

static security_judge *usual_judge;     /* OpenSSL's own, the same for every context */

enum { LEAST_BITS = 112 };      /* STARTTLS-098; SHA-1 counts 64 */

static bool is_old(const SSL *ssl)
{
    return ssl && SSL_version(ssl) < TLS1_2_VERSION;
}

/* A weak certificate never fails a handshake. Our own is the operator's choice,
 * and tls_server_review warns; the peer's is judged when its chain is verified,
 * and becomes a fact (STARTTLS-105). Weak signatures are for old versions only,
 * where these are allowed. All else is as the level says. */
static int judge(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other, void *arg)
{
    switch (op & ~SSL_SECOP_PEER) {
    case SSL_SECOP_EE_KEY:
    case SSL_SECOP_CA_KEY:
    case SSL_SECOP_CA_MD:
        return 1;
    case SSL_SECOP_SIGALG_SUPPORTED:
    case SSL_SECOP_SIGALG_SHARED:
    case SSL_SECOP_SIGALG_CHECK:
    case SSL_SECOP_SIGALG_MASK:
        if (bits < LEAST_BITS && !is_old(ssl))
            return 0;
        break;
    default:
        break;
    }
    return usual_judge(ssl, ctx, op, bits, nid, other, arg);
}

/* Level 2 is LEAST_BITS for all. TLS 1.0 and 1.1 sign with SHA-1 and MD5 and need level 0. */
static int level_for(enum tls_version minimum)
{
    return minimum < TLS_1_2 ? 0 : 2;
}

static void set_security(SSL_CTX *ctx, enum tls_version minimum)
{
    if (!usual_judge)
        usual_judge = SSL_CTX_get_security_callback(ctx);
    SSL_CTX_set_security_callback(ctx, judge);
    SSL_CTX_set_security_level(ctx, level_for(minimum));
}

bool tls_parameters_apply(SSL_CTX *ctx, const struct tls_parameters *given, struct error *why)
{
    struct tls_parameters p = *given;

    if (p.minimum == TLS_VERSION_NONE)
        p.minimum = TLS_1_2;
    set_security(ctx, p.minimum);
    SSL_CTX_set_min_proto_version(ctx, tls_version_number(p.minimum));
    SSL_CTX_set_max_proto_version(ctx, 0);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_early_data(ctx, 0);
    if (p.server && p.minimum < TLS_1_2)
        SSL_CTX_set_dh_auto(ctx, 1);
    return set_suites(ctx, &p, why) && set_groups(ctx, p.groups, why);
}

bool tls_parameters_narrow(SSL *ssl, enum tls_version minimum, const char *ciphers, struct error *why)
{
    if (minimum != TLS_VERSION_NONE) {
        SSL_set_security_level(ssl, level_for(minimum));
        if (!SSL_set_min_proto_version(ssl, tls_version_number(minimum)))
            return fail(why, E_TLS_SETUP, "OpenSSL here does not speak %s", tls_version_name(minimum));
    }
    if (ciphers) {
        auto_buf struct buf list = without_the_worst(ciphers);

        if (list.failed || !SSL_set_cipher_list(ssl, list.memory))
            return fail(why, E_TLS_SETUP, "no usable cipher in the list \"%s\": see openssl-ciphers(1)", ciphers);
    }
    return true;
}

/* What OpenSSL's error queue says, for an operator or a TLS-RPT report; see tls/inside.h. */
#include "tls/inside.h"
#include "tls/parameters.h"

#include <openssl/err.h>

/* The queue begins with the cause; what follows are its consequences. */
static unsigned long take_cause(void)
{
    unsigned long cause = ERR_peek_error(), next;

    while ((next = ERR_get_error()) != 0) {
        if (ERR_GET_LIB(next) == ERR_LIB_SSL) {
            cause = next;
            break;
        }
    }
    ERR_clear_error();
    return cause;
}

/* Our words where OpenSSL's are hard to read; NULL for its own. */
static const char *plain_words(int reason)
{
    switch (reason) {
    case SSL_R_NO_SHARED_CIPHER:
        return "no shared cipher";
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
        return "no shared signature algorithm";
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
        return "no shared key exchange group";
    case SSL_R_WRONG_VERSION_NUMBER:
        return "what the peer sent is not a TLS handshake";
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
        return "a record was damaged on its way";
    default:
        return NULL;
    }
}

static void tell_version(const struct tls *t, struct error *why)
{
    enum tls_version theirs = tls_version_of(SSL_client_version(t->ssl));

    if (t->server && theirs != TLS_VERSION_NONE)
        fail(why, E_TLS_HANDSHAKE, "the peer speaks at most %s, the least allowed here is %s",
             tls_version_name(theirs), tls_version_name(t->minimum));
    else
        fail(why, E_TLS_HANDSHAKE, "the peer speaks no TLS version from %s on", tls_version_name(t->minimum));
}

static bool speaks_in_clear(const struct tls *t)
{
    for (size_t i = 0; i < t->opening_len; i++) {
        char c = t->opening[i];

        if ((c < ' ' || c > '~') && c != '\r' && c != '\n' && c != '\t')
            return false;
    }
    return t->opening_len > 0;
}

static void tell(const struct tls *t, unsigned long cause, enum error_code code, struct error *why)
{
    int reason = ERR_GET_REASON(cause);
    bool from_ssl = ERR_GET_LIB(cause) == ERR_LIB_SSL;
    const char *words = from_ssl ? plain_words(reason) : NULL;

    if (from_ssl && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
        fail(why, code, "peer sent alert %s", SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
        return;
    }
    if (!words)
        words = ERR_reason_error_string(cause);
    fail(why, code, "%s", words ? words : "OpenSSL gives no reason");
}

static bool is_about_version(unsigned long cause)
{
    switch (ERR_GET_LIB(cause) == ERR_LIB_SSL ? ERR_GET_REASON(cause) : 0) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
        return true;
    default:
        return false;
    }
}

void trouble_in_handshake(const struct tls *t, struct error *why)
{
    unsigned long cause = take_cause();
    const char *name = t->name_refused ? SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name) : NULL;

    if (name)
        fail(why, E_TLS_HANDSHAKE, "no certificate here is for the name \"%.100s\" that the peer asked for", name);
    else if (cause && speaks_in_clear(t))
        fail(why, E_TLS_HANDSHAKE, "the peer answered in clear (starts \"%.*s\")", (int)t->opening_len, t->opening);
    else if (cause == 0 && t->input_ended)
        fail(why, E_TLS_HANDSHAKE, "the peer closed the connection during the handshake");
    else if (is_about_version(cause))
        tell_version(t, why);
    else
        tell(t, cause, E_TLS_HANDSHAKE, why);
    blame(why, "TLS handshake failed");
}

void trouble_later(const struct tls *t, struct error *why)
{
    unsigned long cause = take_cause();

    if (cause == 0 && t->input_ended)
        fail(why, E_TLS_TRUNCATED, "the connection ended without TLS's close_notify");
    else
        tell(t, cause, E_PROTOCOL, why);
}

/* base/error.h - what went wrong, said once, for the operator.
 *
 * A function that can fail returns bool (or a pointer), takes a
 * `struct error *why` last, and writes its outputs only on success. The
 * caller owns the struct, usually on its stack; there is nothing to free.
 * `why` may be NULL. Whoever handles an error logs it, once. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/slice.h"

/* One table gives every code its meaning everywhere: name, enhanced status
 * code (RFC 3463, 5248), TLS-RPT result type (RFC 8460 4.3, NULL when it is
 * none), and whether trying again later can help. */
#define ERROR_CODES(X)                                                                                    \
    X(E_SYSTEM,                "4.3.0",  NULL,                        RETRY)   /* a system call failed */  \
    X(E_LIMIT,                 "4.3.2",  NULL,                        RETRY)   /* one of our own bounds */ \
    X(E_USAGE,                 "5.5.4",  NULL,                        GIVE_UP) /* wrong argument or configuration */ \
    X(E_STORAGE_FULL,          "4.3.1",  NULL,                        RETRY)                              \
    X(E_STORAGE,               "4.3.0",  NULL,                        RETRY)   /* the disk or database failed */ \
    X(E_STORAGE_LOCKED,        "4.3.0",  NULL,                        RETRY)   /* another instance has it */ \
    X(E_STORAGE_VERSION,       "4.3.0",  NULL,                        GIVE_UP) /* made by a newer postern */ \
    X(E_NOT_FOUND,             "5.5.4",  NULL,                        GIVE_UP) /* e.g. no such queue id */ \
    X(E_CANCELLED,             "4.3.2",  NULL,                        RETRY)   /* shutting down */        \
    X(E_TIMEOUT,               "4.4.2",  NULL,                        RETRY)   /* the peer was silent too long */ \
    X(E_CLOSED,                "4.4.2",  NULL,                        RETRY)   /* the peer went away */    \
    X(E_CONNECT,               "4.4.1",  NULL,                        RETRY)   /* no connection to the host */ \
    X(E_PROTOCOL,              "4.5.0",  NULL,                        RETRY)   /* the peer broke its protocol */ \
    X(E_MALFORMED,             "5.5.2",  NULL,                        GIVE_UP) /* a grammar says no */     \
    X(E_DNS,                   "4.4.3",  NULL,                        RETRY)   /* SERVFAIL, timeout, bogus */ \
    X(E_DNS_BOGUS,             "4.7.5",  "dnssec-invalid",            RETRY)                              \
    X(E_NO_SUCH_DOMAIN,        "5.1.2",  NULL,                        GIVE_UP) /* NXDOMAIN */              \
    X(E_NO_USABLE_HOST,        "4.4.4",  NULL,                        RETRY)   /* MX records, none usable */ \
    X(E_NULL_MX,               "5.1.10", NULL,                        GIVE_UP) /* RFC 7505 */              \
    X(E_LOOP,                  "5.4.6",  NULL,                        GIVE_UP) /* we are the best MX, or too many hops */ \
    X(E_REFUSED_FOR_NOW,       "4.0.0",  NULL,                        RETRY)   /* 4yz; its own status counts */ \
    X(E_REFUSED,               "5.0.0",  NULL,                        GIVE_UP) /* 5yz; its own status counts */ \
    X(E_HOST_REFUSES,          "4.3.2",  NULL,                        RETRY)   /* 5yz greeting: bad host, not bad recipient */ \
    X(E_MESSAGE_TOO_LARGE,     "5.3.4",  NULL,                        GIVE_UP)                            \
    X(E_NEEDS_8BITMIME,        "5.6.3",  NULL,                        GIVE_UP) /* RFC 6152 3 */            \
    X(E_BARE_NEWLINE,          "5.6.0",  NULL,                        GIVE_UP) /* a CR or LF alone */      \
    X(E_LINE_TOO_LONG,         "5.6.0",  NULL,                        GIVE_UP)                            \
    X(E_STARTTLS_NOT_OFFERED,  "4.7.4",  "starttls-not-supported",    RETRY)                              \
    X(E_STARTTLS_REFUSED,      "4.7.4",  "starttls-not-supported",    RETRY)   /* 4yz or 5yz to STARTTLS */ \
    X(E_STARTTLS_INJECTED,     "4.7.5",  "validation-failure",        RETRY)   /* clear bytes behind the go-ahead */ \
    X(E_TLS_HANDSHAKE,         "4.7.5",  "validation-failure",        RETRY)                              \
    X(E_TLS_TRUNCATED,         "4.4.2",  NULL,                        RETRY)   /* end without close_notify */ \
    X(E_TLS_SETUP,             "4.3.0",  NULL,                        RETRY)   /* our own certificate or key */ \
    X(E_CERT_NOT_TRUSTED,      "4.7.5",  "certificate-not-trusted",   RETRY)                              \
    X(E_CERT_EXPIRED,          "4.7.5",  "certificate-expired",       RETRY)                              \
    X(E_CERT_NAME_MISMATCH,    "4.7.5",  "certificate-host-mismatch", RETRY)                              \
    X(E_TLSA_LOOKUP,           "4.7.5",  "dnssec-invalid",            RETRY)   /* a lookup that locates TLSA */ \
    X(E_TLSA_UNUSABLE,         "4.7.5",  "tlsa-invalid",              RETRY)   /* records, none usable */  \
    X(E_DANE_REQUIRED,         "4.7.5",  "dane-required",             RETRY)   /* the operator's rule: dane-only */ \
    X(E_DANE_MISMATCH,         "4.7.5",  "certificate-not-trusted",   RETRY)   /* no TLSA record matches */ \
    X(E_STS_MX_MISMATCH,       "4.7.5",  "validation-failure",        RETRY)   /* host is not in the policy */ \
    X(E_STS_FETCH,             "4.7.5",  "sts-policy-fetch-error",    RETRY)                              \
    X(E_STS_WEBPKI,            "4.7.5",  "sts-webpki-invalid",        RETRY)                              \
    X(E_STS_INVALID,           "4.7.5",  "sts-policy-invalid",        RETRY)                              \
    X(E_PIN_MISMATCH,          "4.7.5",  NULL,                        RETRY)   /* the operator's names or fingerprints */ \
    X(E_CLEARTEXT_HELD,        "4.7.5",  NULL,                        RETRY)   /* TLS was there before (memory) */ \
    X(E_CLEARTEXT_FORCED,      "4.7.5",  NULL,                        RETRY)   /* level off, but the domain asks for TLS */ \
    X(E_REQUIRETLS_UNMET,      "4.7.5",  NULL,                        RETRY)   /* at this host; another may do better */ \
    X(E_REQUIRETLS_MISSING,    "5.7.30", NULL,                        GIVE_UP) /* RFC 8689 7: keyword, or name */ \
    X(E_REQUIRETLS_NO_TLS,     "5.7.10", NULL,                        GIVE_UP) /* RFC 8689 7: no authenticated TLS */ \
    X(E_UNDELIVERED_TOO_LONG,  "5.4.7",  NULL,                        GIVE_UP) /* queue life is over */    \
    X(E_HELD,                  "4.3.0",  NULL,                        RETRY)   /* by the operator */       \
    X(E_UNSIGNED,              "5.7.20", NULL,                        GIVE_UP) /* RFC 7372: no DKIM signature that will do */

enum error_code {
    E_NONE,
#define X(code, dsn, tls_rpt, remedy) code,
    ERROR_CODES(X)
#undef X
    E_COUNT
};

struct error {
    enum error_code code;       /* E_NONE until something fails */
    char text[240];             /* one line, outermost context first */
};

/* Both return false, so that a function can `return fail(...)`. The text is
 * one line: bytes that are not printable ASCII are escaped. */
bool fail(struct error *why, enum error_code code, const char *format, ...) printf_like(3, 4);
bool fail_errno(struct error *why, enum error_code code, const char *format, ...) printf_like(3, 4);

/* Put context in front of what is there: "context: text". Returns false. */
bool blame(struct error *why, const char *format, ...) printf_like(2, 3);

const char *error_name(enum error_code code);       /* "E_TIMEOUT" */
const char *error_dsn(enum error_code code);        /* "4.4.2"; "" for E_NONE */
const char *error_tls_rpt(enum error_code code);    /* NULL when it is none */
bool error_is_final(enum error_code code);          /* trying again cannot help */

#endif

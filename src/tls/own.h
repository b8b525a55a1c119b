/* tls/own.h - what a certificate of ours says, for those who do not see OpenSSL. */
#ifndef TLS_OWN_H
#define TLS_OWN_H

#include "tls/context.h"

struct tls_own {
    char name[256];             /* the first of its DNS-IDs that is usable, else its CN; "" for none */
    char key[24];               /* "ECDSA P-256" */
    char fingerprint[65];       /* SHA-256 of the certificate, hex */
    char key_fingerprint[65];   /* SHA-256 of its SubjectPublicKeyInfo, hex, as in "3 1 1" */
    time_ms not_before, not_after;
};

/* Reads the files. E_TLS_SETUP. */
bool tls_own_read(const struct tls_identity *files, struct tls_own *out, struct error *why) must_check;

#endif

/* tls/signature.h - hashes, and signatures by RSA and Ed25519 keys: what DKIM is made of. */
#ifndef TLS_SIGNATURE_H
#define TLS_SIGNATURE_H

#include "base/buf.h"
#include "base/error.h"

enum { SHA256_BYTES = 32 };
struct sha256;
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *h);                 /* NULL is fine */
void sha256_add(struct sha256 *h, struct slice bytes);
void sha256_end(struct sha256 *h, uint8_t out[SHA256_BYTES]);
void sha256_of(struct slice bytes, uint8_t out[SHA256_BYTES]);

enum signature_kind { SIGNATURE_RSA, SIGNATURE_ED25519 };

/* A private key from a PEM file: RSA of 2048 bits or more, or Ed25519. E_TLS_SETUP says what is wrong and what to do. */
struct signing_key;
struct signing_key *signing_key_read(const char *file, struct error *why) must_check;
void signing_key_free(struct signing_key *k);       /* NULL is fine */
enum signature_kind signing_key_kind(const struct signing_key *k);
/* The public half as DKIM publishes it: base64 of SubjectPublicKeyInfo (RSA) or of the raw key (Ed25519). */
void signing_key_publish(const struct signing_key *k, struct buf *out);

/* RSASSA-PKCS1-v1_5 over the digest; or PureEdDSA over the 32 bytes of the digest (RFC 8463 3). */
bool signing_key_sign(const struct signing_key *k, const uint8_t digest[SHA256_BYTES], struct buf *out, struct error *why) must_check;

/* `key`: DER SubjectPublicKeyInfo or PKCS#1 (RSA), 32 raw bytes (Ed25519). False: E_MALFORMED, the key is none or an RSA
 * key of less than 1024 bits (RFC 8301 3.2); E_CERT_NOT_TRUSTED: the signature is not by it. */
bool signature_verify(enum signature_kind kind, struct slice key, const uint8_t digest[SHA256_BYTES], struct slice signature,
                      struct error *why) must_check;

#endif

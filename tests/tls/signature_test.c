#include "tests/test.h"

#include "base/memory.h"
#include "tests/tls/certs.h"
#include "tls/signature.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* --- hashes ---------------------------------------------------------------------- */

static const char *hex(const uint8_t digest[SHA256_BYTES])
{
    static char text[2 * SHA256_BYTES + 1];

    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

/* FIPS 180-4. */
TEST(hashes_are_those_of_sha256)
{
    uint8_t digest[SHA256_BYTES];

    sha256_of(SLICE(""), digest);
    CHECK_TEXT(hex(digest), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_of(SLICE("abc"), digest);
    CHECK_TEXT(hex(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(a_hash_does_not_depend_on_the_pieces)
{
    struct slice text = SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");

    for (size_t cut = 0; cut <= text.len; cut++) {
        struct sha256 *h = sha256_new();
        uint8_t digest[SHA256_BYTES];

        sha256_add(h, slice_first(text, cut));
        sha256_add(h, slice("", 0));
        sha256_add(h, slice_after(text, cut));
        sha256_end(h, digest);
        sha256_free(h);
        CHECK_TEXT(hex(digest), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    sha256_free(NULL);
}

/* --- keys -------------------------------------------------------------------------- */

static const char *key_file(enum cert_key kind)
{
    struct cert *c = cert_make(&(struct cert_wish){ .common_name = "key", .key = kind }, NULL);
    char name[20];
    const char *file;

    snprintf(name, sizeof name, "%d.key", (int)kind);
    file = cert_key_file(name, c);
    cert_free(c);
    return file;
}

static struct signing_key *read_key(enum cert_key kind)
{
    struct error why = { 0 };
    struct signing_key *k = signing_key_read(key_file(kind), &why);

    if (!k)
        fail_msg("%s", why.text);
    return k;
}

static void refused(const char *file, const char *words)
{
    struct error why = { 0 };

    CHECK(!signing_key_read(file, &why));
    CHECK_EQUAL(why.code, E_TLS_SETUP);
    if (!strstr(why.text, words))
        fail_msg("\"%s\" does not say \"%s\"", why.text, words);
    CHECK(!signing_key_read(file, NULL));
}

TEST(keys_for_signing_are_rsa_or_ed25519)
{
    struct signing_key *rsa = read_key(CERT_RSA_2048), *ed = read_key(CERT_ED25519);

    CHECK_EQUAL(signing_key_kind(rsa), SIGNATURE_RSA);
    CHECK_EQUAL(signing_key_kind(ed), SIGNATURE_ED25519);
    signing_key_free(rsa);
    signing_key_free(ed);
    signing_key_free(NULL);
    refused(key_file(CERT_P256), "neither RSA nor Ed25519");
}

/* RFC 8301 3.2 */
TEST(short_rsa_keys_are_not_signed_with)
{
    refused(key_file(CERT_RSA_1024), "has 1024 bits");
}

TEST(files_that_hold_no_key_are_told_apart)
{
    refused(cert_path("none.key"), "cannot read");
    refused(cert_text_file("text.key", "no key at all\n"), "no usable private key");
    refused(cert_text_file("empty.key", ""), "no usable private key");
    refused(cert_text_file("damaged.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "no usable private key");
}

TEST(a_key_with_a_passphrase_is_told)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    const char *file = cert_text_file("locked.key", "");
    FILE *out = fopen(file, "we");

    CHECK(out && PEM_write_PrivateKey(out, key, EVP_aes_128_cbc(), NULL, 0, NULL, (void *)"secret"));
    fclose(out);
    EVP_PKEY_free(key);
    refused(file, "passphrase");
}

/* --- signatures ---------------------------------------------------------------------- */

static const uint8_t DIGEST[SHA256_BYTES] = "0123456789abcdef0123456789abcde";

/* The bytes that `k` publishes. */
static struct slice published(const struct signing_key *k, char *room, size_t size)
{
    auto_buf struct buf text = { 0 };
    struct slice s;
    int len;

    buf_init(&text, 4096);
    signing_key_publish(k, &text);
    s = buf_slice(&text);
    CHECK(s.len <= size);
    len = EVP_DecodeBlock((unsigned char *)room, (const unsigned char *)s.at, (int)s.len);
    while (s.len > 0 && s.at[s.len - 1] == '=') {
        len--;
        s.len--;
    }
    return slice(room, (size_t)len);
}

static void check_pair(enum cert_key kind)
{
    struct signing_key *k = read_key(kind);
    enum signature_kind as = signing_key_kind(k), other = as == SIGNATURE_RSA ? SIGNATURE_ED25519 : SIGNATURE_RSA;
    auto_buf struct buf out = { 0 };
    char room[4096];
    struct slice key = published(k, room, sizeof room);
    uint8_t changed[SHA256_BYTES];
    struct error why = { 0 };

    buf_init(&out, 1024);
    CHECK_OK(signing_key_sign(k, DIGEST, &out, &why), &why);
    CHECK_OK(signature_verify(as, key, DIGEST, buf_slice(&out), &why), &why);
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        memcpy(changed, DIGEST, sizeof changed);
        changed[i] ^= 1;
        CHECK(!signature_verify(as, key, changed, buf_slice(&out), &why));
        CHECK_EQUAL(why.code, E_CERT_NOT_TRUSTED);
    }
    for (size_t i = 0; i < buf_len(&out); i++) {
        out.memory[out.start + i] ^= 0x10;
        CHECK(!signature_verify(as, key, DIGEST, buf_slice(&out), &why));
        CHECK_EQUAL(why.code, E_CERT_NOT_TRUSTED);
        out.memory[out.start + i] ^= 0x10;
        CHECK(!signature_verify(as, key, DIGEST, slice_first(buf_slice(&out), i), &why));
        CHECK_EQUAL(why.code, E_CERT_NOT_TRUSTED);
    }
    CHECK(!signature_verify(other, key, DIGEST, buf_slice(&out), &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
    signing_key_free(k);
}

TEST(what_an_rsa_key_signs_its_public_half_verifies)
{
    check_pair(CERT_RSA_2048);
}

TEST(what_an_ed25519_key_signs_its_public_half_verifies)
{
    check_pair(CERT_ED25519);
}

TEST(a_signature_needs_room)
{
    struct signing_key *k = read_key(CERT_ED25519);
    auto_buf struct buf out = { 0 };
    struct error why = { 0 };

    buf_init(&out, 63);
    CHECK(!signing_key_sign(k, DIGEST, &out, &why));
    CHECK_EQUAL(why.code, E_LIMIT);
    signing_key_free(k);
}

/* --- keys of others ---------------------------------------------------------------------- */

/* Made once: valgrind is slow at it. */
static EVP_PKEY *key_of_1024_bits(void)
{
    static EVP_PKEY *key;

    if (!key)
        key = EVP_RSA_gen(1024);
    return key;
}

/* A key of `bits`, its signature over DIGEST, and its public half as SubjectPublicKeyInfo or as RSAPublicKey. */
static bool verify_with(unsigned bits, bool info, size_t extra, struct error *why)
{
    EVP_PKEY *key = bits == 1024 ? key_of_1024_bits() : EVP_RSA_gen(bits);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    unsigned char signature[2048], *der = NULL;
    size_t len = sizeof signature;
    int der_len = info ? i2d_PUBKEY(key, &der) : i2d_PublicKey(key, &der);
    auto_buf struct buf public = { 0 };
    bool good;

    CHECK(der_len > 0 && EVP_PKEY_sign_init(context) == 1 && EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1
          && EVP_PKEY_sign(context, signature, &len, DIGEST, sizeof DIGEST) == 1);
    buf_init(&public, 8192);
    buf_add(&public, slice(der, (size_t)der_len));
    for (; extra > 0; extra--)
        buf_byte(&public, '\0');
    good = signature_verify(SIGNATURE_RSA, buf_slice(&public), DIGEST, slice(signature, len), why);
    EVP_PKEY_CTX_free(context);
    if (bits != 1024)
        EVP_PKEY_free(key);
    OPENSSL_free(der);
    return good;
}

TEST(rsa_keys_come_in_two_forms)
{
    struct error why = { 0 };

    CHECK_OK(verify_with(1024, true, 0, &why), &why);
    CHECK_OK(verify_with(1024, false, 0, &why), &why);
}

/* RFC 8301 3.2: "Verifiers MUST NOT consider signatures using RSA keys of less than 1024 bits as valid signatures." */
TEST(rsa_keys_of_less_than_1024_bits_are_none)
{
    struct error why = { 0 };

    CHECK(!verify_with(1016, true, 0, &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
    CHECK(strstr(why.text, "1016 bits"));
    CHECK(!verify_with(768, false, 0, &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
}

TEST(bytes_behind_a_key_make_it_none)
{
    struct error why = { 0 };

    CHECK(!verify_with(1024, true, 1, &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
    CHECK(!verify_with(1024, false, 1, &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
    CHECK(!verify_with(1024, true, 5000, &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
}

TEST(keys_that_are_none_are_told)
{
    struct cert *c = cert_make(&(struct cert_wish){ .common_name = "key", .key = CERT_P256 }, NULL);
    struct slice bad[] = { SLICE(""), SLICE("x"), SLICE("0"), SLICE("\x30\x82\xff\xff"), cert_key_der(c), cert_der(c) };
    struct error why;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why = (struct error){ 0 };
        CHECK(!signature_verify(SIGNATURE_RSA, bad[i], DIGEST, SLICE("signature"), &why));
        CHECK_EQUAL(why.code, E_MALFORMED);
        why = (struct error){ 0 };
        CHECK(!signature_verify(SIGNATURE_ED25519, bad[i], DIGEST, SLICE("signature"), &why));
        CHECK_EQUAL(why.code, E_MALFORMED);
    }
    CHECK(!signature_verify(SIGNATURE_RSA, SLICE(""), DIGEST, SLICE("signature"), NULL));
    cert_free(c);
}

/* RFC 8032 7.1, test 1: its key with an empty signature, and with one that is all zero. */
TEST(signatures_that_are_none_are_told)
{
    static const char key[] = "\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a"
                              "\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";
    static const char zero[64];
    struct error why = { 0 };

    CHECK(!signature_verify(SIGNATURE_ED25519, slice(key, 32), DIGEST, slice("", 0), &why));
    CHECK_EQUAL(why.code, E_CERT_NOT_TRUSTED);
    CHECK(!signature_verify(SIGNATURE_ED25519, slice(key, 32), DIGEST, slice(zero, 64), &why));
    CHECK_EQUAL(why.code, E_CERT_NOT_TRUSTED);
}

/* What a want asks of its one session beyond DANE and names, and facts about the certificate. */
#include "tests/tls/meet.h"
#include "tests/tls/pair.h"

#include <openssl/evp.h>

static const struct cert *leaf(void)
{
    static struct cert *c;

    if (!c)
        c = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, meet_between());
    return c;
}

static struct raw server(const struct cert *c)
{
    return raw_server(cert_file("want.pem", c, NULL), cert_key_file("want.key", c));
}

static struct tls_client *client_from(enum tls_version minimum)
{
    struct error why = { 0 };
    struct tls_client *c = tls_client_new(&(struct tls_client_settings){ .minimum = minimum }, &why);

    CHECK_OK(c, &why);
    return c;
}

/* The version reached with a server that speaks no more than `most`; TLS_VERSION_NONE when it failed. */
static enum tls_version reach(const struct tls_want *want, const struct cert *shown, int most, struct error *why)
{
    struct raw r = server(shown);
    struct tls *t = tls_connect(want, why);
    enum tls_step step;
    struct tls_facts facts = { 0 };

    CHECK_OK(t, why);
    SSL_set_max_proto_version(r.ssl, most);
    if (raw_shake(&r, t, &step, why))
        tls_get_facts(t, &facts);
    tls_free(t);
    raw_done(&r);
    return facts.version;
}

TEST(a_want_raises_the_minimum_for_its_session_only)
{
    struct tls_client *c = client_from(TLS_1_2);
    struct tls_want plain = { .client = c }, higher = { .client = c, .minimum = TLS_1_3 };
    struct error why = { 0 };

    CHECK_EQUAL(reach(&higher, leaf(), TLS1_2_VERSION, &why), TLS_VERSION_NONE);
    CHECK_EQUAL(why.code, E_TLS_HANDSHAKE);
    CHECK_EQUAL(reach(&higher, leaf(), TLS1_3_VERSION, &why), TLS_1_3);
    CHECK_EQUAL(reach(&plain, leaf(), TLS1_2_VERSION, &why), TLS_1_2);
    tls_client_free(c);
}

TEST(the_raised_minimum_is_named)
{
    static const char hello[] = "\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03"     /* of TLS 1.2 */
                                "0123456789abcdef0123456789abcdef\x00\xc0\x2f\x00";
    struct tls_client *c = client_from(TLS_1_2);
    struct tls *t = tls_connect(&(struct tls_want){ .client = c, .minimum = TLS_1_3 }, NULL);
    struct error why = { 0 };

    CHECK(t);
    CHECK_EQUAL(tls_handshake(t, &why), TLS_MORE);
    tls_feed(t, slice(hello, sizeof hello - 1));
    CHECK_EQUAL(tls_handshake(t, &why), TLS_FAILED);
    CHECK_TEXT(why.text, "TLS handshake failed: the peer speaks no TLS version from TLSv1.3 on");
    tls_free(t);
    tls_client_free(c);
}

TEST(a_want_never_lowers_the_minimum)
{
    struct tls_client *c = client_from(TLS_1_2), *strict = client_from(TLS_1_3);
    struct tls_want lower = { .client = c, .minimum = TLS_1_0 }, same = { .client = strict, .minimum = TLS_1_2 };
    struct error why = { 0 };

    CHECK_EQUAL(reach(&lower, leaf(), TLS1_1_VERSION, &why), TLS_VERSION_NONE);
    CHECK_EQUAL(reach(&lower, leaf(), TLS1_2_VERSION, &why), TLS_1_2);
    CHECK_EQUAL(reach(&same, leaf(), TLS1_2_VERSION, &why), TLS_VERSION_NONE);
    tls_client_free(c);
    tls_client_free(strict);
}

/* A client that may speak TLS 1.0 takes weak parameters too, for those versions have no others. */
TEST(a_raised_minimum_is_a_raised_level_as_well)
{
    struct tls_client *lax = client_from(TLS_1_0);
    struct tls_want plain = { .client = lax, .ciphers = "DHE-RSA-AES128-GCM-SHA256" }, higher = plain;
    struct cert *weak = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" }, .key = CERT_RSA_1024 }, NULL);
    struct error why = { 0 };

    higher.minimum = TLS_1_2;
    CHECK_EQUAL(reach(&(struct tls_want){ .client = lax }, leaf(), TLS1_VERSION, &why), TLS_1_0);
    CHECK_EQUAL(reach(&plain, weak, TLS1_2_VERSION, &why), TLS_1_2);
    CHECK_EQUAL(reach(&higher, weak, TLS1_2_VERSION, &why), TLS_VERSION_NONE);
    CHECK_TEXT(why.text, "TLS handshake failed: dh key too small");
    cert_free(weak);
    tls_client_free(lax);
}

static void check_cipher(const struct tls_client *c, const char *list, const char *wanted)
{
    struct raw r = server(leaf());
    struct tls_want want = { .client = c };
    struct error why = { 0 };
    struct tls_facts facts;
    enum tls_step step;
    struct tls *t;
    char borrowed[64];

    if (list) {
        snprintf(borrowed, sizeof borrowed, "%s", list);
        want.ciphers = borrowed;
    }
    t = tls_connect(&want, &why);
    CHECK_OK(t, &why);
    memset(borrowed, 'x', sizeof borrowed);
    SSL_set_max_proto_version(r.ssl, TLS1_2_VERSION);
    if (!raw_shake(&r, t, &step, &why))
        fail_msg("no handshake: %s", why.text);
    tls_get_facts(t, &facts);
    CHECK_TEXT(facts.cipher, wanted);
    tls_free(t);
    raw_done(&r);
}

TEST(a_want_chooses_ciphers_for_its_session_only)
{
    struct tls_client *c = client_from(TLS_1_2);

    check_cipher(c, "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256");
    check_cipher(c, "ECDHE-ECDSA-CHACHA20-POLY1305:aNULL", "ECDHE-ECDSA-CHACHA20-POLY1305");
    check_cipher(c, NULL, "ECDHE-ECDSA-AES256-GCM-SHA384");
    tls_client_free(c);
}

TEST(a_bad_list_of_ciphers_fails_at_once)
{
    static const char *const bad[] = { "NO-SUCH-CIPHER", "", "aNULL", "!ALL", "RC4-MD5", "%n%s" };
    struct tls_client *c = client_from(TLS_1_2);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tls_want want = { .client = c, .ciphers = bad[i], .names = bad, .name_count = 3 };
        struct error why = { 0 };
        char wanted[120];

        CHECK(!tls_connect(&want, &why));
        CHECK_EQUAL(why.code, E_TLS_SETUP);
        snprintf(wanted, sizeof wanted, "no usable cipher in the list \"%s\": see openssl-ciphers(1)", bad[i]);
        CHECK_TEXT(why.text, wanted);
        CHECK(!tls_connect(&want, NULL));
    }
    tls_client_free(c);
}

/* DANE-074 */
TEST(anonymous_suites_are_never_offered)
{
    struct tls_client *c = client_from(TLS_1_2);
    struct tls_want want = { .client = c, .ciphers = "aNULL:eNULL" };
    struct error why = { 0 };

    CHECK_ID("DANE-074", !tls_connect(&want, &why) && why.code == E_TLS_SETUP);
    tls_client_free(c);
}

/* --- facts ------------------------------------------------------------------------ */

static void hex_of(struct slice bytes, char text[65])
{
    unsigned char digest[32];

    CHECK(EVP_Digest(bytes.at, bytes.len, digest, NULL, EVP_sha256(), NULL));
    for (int i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

TEST(both_fingerprints_are_those_of_tlsa_records)
{
    static const enum cert_key keys[] = { CERT_P256, CERT_RSA_2048, CERT_ED25519 };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct cert *c = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" }, .key = keys[i] }, NULL);
        struct tls_facts f = meet(&(struct meeting){ .shown = { c } });
        char wanted[65];

        hex_of(cert_der(c), wanted);
        CHECK_TEXT(f.fingerprint, wanted);
        hex_of(cert_key_der(c), wanted);
        CHECK_TEXT(f.key_fingerprint, wanted);
        cert_free(c);
    }
}

TEST(a_key_keeps_its_fingerprint_in_a_new_certificate)
{
    struct cert *first = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, NULL);
    struct cert *next = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" }, .key_of = first }, NULL);
    struct tls_facts a = meet(&(struct meeting){ .shown = { first } });
    struct tls_facts b = meet(&(struct meeting){ .shown = { next } });

    CHECK_TEXT(a.key_fingerprint, b.key_fingerprint);
    CHECK(strcmp(a.fingerprint, b.fingerprint) != 0);
    cert_free(first);
    cert_free(next);
}

static struct tls_facts meet_below(struct cert_wish issuer_wish)
{
    struct cert *issuer = cert_make(&issuer_wish, NULL);
    struct cert *c = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, issuer);
    struct tls_facts f = meet(&(struct meeting){ .shown = { c } });

    cert_free(issuer);
    cert_free(c);
    return f;
}

TEST(the_issuer_is_its_common_name_or_organization)
{
    CHECK_TEXT(meet_below((struct cert_wish){ .common_name = "R3", .organization = "Example CA" }).issuer, "R3");
    CHECK_TEXT(meet_below((struct cert_wish){ .organization = "Example CA" }).issuer, "Example CA");
    CHECK_TEXT(meet_below((struct cert_wish){ 0 }).issuer, "");
    CHECK_TEXT(meet_below((struct cert_wish){ .odd_common_name = SLICE("a\0b"), .organization = "O" }).issuer, "O");
    CHECK_TEXT(meet_below((struct cert_wish){ .odd_common_name = SLICE("\x1b[2J\r\n\xc3\xb6") }).issuer,
               "\\x1b[2J\\r\\n\\xc3\\xb6");
}

TEST(a_self_signed_leaf_is_told_from_one_with_an_issuer)
{
    struct cert *own = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, NULL);

    CHECK(meet(&(struct meeting){ .shown = { own } }).self_signed);
    CHECK(!meet(&(struct meeting){ .shown = { leaf() } }).self_signed);
    CHECK(!meet_below((struct cert_wish){ .common_name = "CA", .is_ca = true }).self_signed);
    cert_free(own);
}

/* --- what a record may hold ---------------------------------------------------------- */

TEST(certificates_and_keys_are_recognised)
{
    CHECK_ID("DANE-060", tls_is_certificate(cert_der(meet_root())));
    CHECK_ID("DANE-060", tls_is_public_key(cert_key_der(meet_root())));
    CHECK(!tls_is_certificate(cert_key_der(meet_root())));
    CHECK(!tls_is_public_key(cert_der(meet_root())));
    for (enum cert_key k = CERT_P256; k <= CERT_ED25519; k++) {
        struct cert *c = cert_make(&(struct cert_wish){ .key = k }, NULL);

        CHECK(tls_is_certificate(cert_der(c)));
        CHECK(tls_is_public_key(cert_key_der(c)));
        cert_free(c);
    }
}

/* `good` cut anywhere, with a byte behind it, and with a length that is not the shortest. */
static void check_only_whole(struct slice good, bool (*is)(struct slice der))
{
    char odd[2048];

    CHECK(good.len + 2 < sizeof odd);
    for (size_t len = 0; len < good.len; len++)
        CHECK_ID("DANE-060", !is(slice_first(good, len)));
    memcpy(odd, good.at, good.len);
    odd[good.len] = 0;
    CHECK(is(slice(odd, good.len)));
    CHECK_ID("DANE-060", !is(slice(odd, good.len + 1)));
    CHECK_ID("DANE-060", !is(slice("", 0)));
    CHECK_ID("DANE-060", !is((struct slice){ NULL, 0 }));
}

TEST(only_whole_ones_are_recognised)
{
    check_only_whole(cert_der(meet_root()), tls_is_certificate);
    check_only_whole(cert_key_der(meet_root()), tls_is_public_key);
}

/* BER that is not DER could match nothing that is sent. */
TEST(a_length_must_be_in_its_shortest_form)
{
    struct slice cert = cert_der(meet_root()), key = cert_key_der(meet_root());
    char odd[2048];

    CHECK(memcmp(cert.at, "\x30\x82", 2) == 0 && cert.len < 2000);
    memcpy(odd, "\x30\x83\x00", 3);
    memcpy(odd + 3, cert.at + 2, cert.len - 2);
    CHECK_ID("DANE-060", !tls_is_certificate(slice(odd, cert.len + 1)));
    CHECK(key.at[0] == 0x30 && key.len < 130);
    memcpy(odd, "\x30\x81", 2);
    memcpy(odd + 2, key.at + 1, key.len - 1);
    CHECK_ID("DANE-060", !tls_is_public_key(slice(odd, key.len + 1)));
}

TEST(a_key_that_is_no_point_of_its_curve_is_none)
{
    struct slice key = cert_key_der(meet_root()), cert = cert_der(meet_root());
    char odd[2048], *inside;

    memcpy(odd, key.at, key.len);
    odd[key.len - 1] ^= 1;
    CHECK_ID("DANE-060", !tls_is_public_key(slice(odd, key.len)));

    memcpy(odd, cert.at, cert.len);
    inside = memmem(odd, cert.len, key.at, key.len);
    CHECK(inside);
    inside[key.len - 1] ^= 1;
    CHECK_ID("DANE-060", !tls_is_certificate(slice(odd, cert.len)));
}

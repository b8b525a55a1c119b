/* Loading certificates and settings, what is said when that fails, and making a first certificate. */
#include "tests/tls/certs.h"
#include "tests/tls/pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cert *some_cert(void)
{
    static struct cert *c;

    if (!c)
        c = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, NULL);
    return c;
}

static const char *good_chain(void)
{
    return cert_file("good.pem", some_cert(), NULL);
}

static const char *good_key(void)
{
    return cert_key_file("good.key", some_cert());
}

static struct tls_server *load(const char *chain_file, const char *key_file, struct error *why)
{
    struct tls_identity id = { chain_file, key_file };
    struct tls_server_settings settings = { .identities = &id, .identity_count = 1 };

    return tls_server_new(&settings, why);
}

/* Loading must fail, and say `words`, and name `file`. */
static void check_load_fails(const char *chain_file, const char *key_file, const char *file, const char *words)
{
    struct error why = { 0 };

    CHECK(!load(chain_file, key_file, &why));
    CHECK_EQUAL(why.code, E_TLS_SETUP);
    if (!strstr(why.text, words) || !strstr(why.text, file))
        fail_msg("\"%s\" says nothing of \"%s\" or %s", why.text, words, file);
    CHECK_EQUAL(ERR_peek_error(), 0);
}

TEST(a_missing_file_is_named)
{
    check_load_fails(cert_path("absent.pem"), good_key(), "/absent.pem", "No such file or directory");
    check_load_fails(good_chain(), cert_path("absent.key"), "/absent.key", "No such file or directory");
}

TEST(a_file_without_a_certificate_is_named)
{
    check_load_fails(cert_text_file("empty.pem", ""), good_key(), "/empty.pem", "no usable certificate");
    check_load_fails(good_key(), good_key(), "/good.key", "no usable certificate");
    check_load_fails(cert_text_file("prose.pem", "Dear server,\nthis is no certificate.\n"), good_key(), "/prose.pem",
                     "BEGIN CERTIFICATE");
    check_load_fails("/tmp", good_key(), "/tmp", "no usable certificate");
}

TEST(a_damaged_chain_is_named)
{
    const char *path = good_chain();
    FILE *out = fopen(path, "a");

    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", out);
    fclose(out);
    check_load_fails(path, good_key(), "/good.pem", "certificate 2 in");
}

TEST(a_key_that_is_none_is_named)
{
    check_load_fails(good_chain(), cert_text_file("empty.key", ""), "/empty.key", "no usable private key");
    check_load_fails(good_chain(), good_chain(), "/good.pem", "no usable private key");
}

TEST(a_locked_key_is_named_with_the_remedy)
{
    const char *path = cert_path("locked.key");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *out = fopen(path, "w");

    CHECK(PEM_write_PKCS8PrivateKey(out, key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL));
    fclose(out);
    EVP_PKEY_free(key);
    check_load_fails(good_chain(), path, "/locked.key", "openssl pkey -in");
}

TEST(a_key_of_another_certificate_is_named)
{
    struct cert *other = cert_make(&(struct cert_wish){ .common_name = "Other" }, NULL);

    check_load_fails(good_chain(), cert_key_file("other.key", other), "/other.key", "does not belong to");
    check_load_fails(cert_file("turned.pem", other, some_cert(), NULL), good_key(), "/turned.pem",
                     "put the server's own certificate first");
    cert_free(other);
}

TEST(chain_and_key_may_be_one_file)
{
    const char *chain = good_chain();
    struct error why = { 0 };
    struct tls_server *s;
    char line[200];
    FILE *in = fopen(good_key(), "r"), *out = fopen(chain, "a");

    while (fgets(line, sizeof line, in))
        fputs(line, out);
    fclose(in);
    fclose(out);
    s = load(chain, chain, &why);
    CHECK_OK(s, &why);
    tls_server_free(s);
}

TEST(a_server_without_a_certificate_is_refused)
{
    struct error why = { 0 };

    CHECK(!tls_server_new(&(struct tls_server_settings){ 0 }, &why));
    CHECK_EQUAL(why.code, E_USAGE);
    CHECK_TEXT(why.text, "a TLS server needs a certificate and its key");
    CHECK(!tls_server_new(&(struct tls_server_settings){ 0 }, NULL));
}

TEST(settings_that_openssl_does_not_know_are_quoted)
{
    struct tls_identity id = { good_chain(), good_key() };
    struct error why = { 0 };

    CHECK(!tls_server_new(&(struct tls_server_settings){ &id, 1, .ciphers = "NO-SUCH-CIPHER" }, &why));
    CHECK_EQUAL(why.code, E_USAGE);
    CHECK(strstr(why.text, "\"NO-SUCH-CIPHER\""));
    CHECK(!tls_server_new(&(struct tls_server_settings){ &id, 1, .ciphers = "RC4-SHA:eNULL" }, &why));
    CHECK_ID("STARTTLS-096", strstr(why.text, "\"RC4-SHA:eNULL\""));
    CHECK(!tls_server_new(&(struct tls_server_settings){ &id, 1, .suites = "TLS_NONE" }, &why));
    CHECK(strstr(why.text, "\"TLS_NONE\""));
    CHECK(!tls_server_new(&(struct tls_server_settings){ &id, 1, .groups = "P-1" }, &why));
    CHECK(strstr(why.text, "\"P-1\""));
    CHECK(!tls_client_new(&(struct tls_client_settings){ .groups = "P-1" }, &why));
    CHECK_EQUAL(why.code, E_USAGE);
    CHECK_EQUAL(ERR_peek_error(), 0);
}

TEST(a_ca_file_must_hold_certificates)
{
    struct error why = { 0 };

    CHECK(!tls_client_new(&(struct tls_client_settings){ .ca_file = cert_path("absent-ca.pem") }, &why));
    CHECK_EQUAL(why.code, E_TLS_SETUP);
    CHECK(strstr(why.text, "/absent-ca.pem"));
    CHECK(!tls_client_new(&(struct tls_client_settings){ .ca_file = cert_text_file("empty-ca.pem", "\n") }, &why));
    CHECK_EQUAL(why.code, E_TLS_SETUP);
    CHECK_EQUAL(ERR_peek_error(), 0);
}

/* --- review ----------------------------------------------------------------- */

static void note(void *arg, const char *text)
{
    struct buf *notes = arg;

    buf_text(notes, "%s\n", text);
}

static const char *review(struct cert *leaf, const struct cert *above, time_ms wall)
{
    static char text[2000];
    struct error why = { 0 };
    struct tls_server *s = load(cert_file("review.pem", leaf, above, NULL), cert_key_file("review.key", leaf), &why);
    auto_buf struct buf notes = { .max = sizeof text - 1 };

    CHECK_OK(s, &why);
    tls_server_review(s, wall, note, &notes);
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(buf_slice(&notes)));
    tls_server_free(s);
    cert_free(leaf);
    return text;
}

TEST(a_good_certificate_gives_no_warning)
{
    CHECK_TEXT(review(cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, NULL), NULL, clock_wall()), "");
}

TEST(dates_are_warned_of)
{
    time_ms now = clock_wall();
    struct cert_wish wish = { .dns = { "mx.example.org" }, .from = now - DAYS(1), .until = now + DAYS(20) };

    CHECK_TEXT(review(cert_make(&wish, NULL), NULL, now + DAYS(5)), "");
    CHECK(strstr(review(cert_make(&wish, NULL), NULL, now + DAYS(7)), "expires in 12 days"));
    CHECK(strstr(review(cert_make(&wish, NULL), NULL, now + DAYS(21)), "has expired"));
    CHECK(strstr(review(cert_make(&wish, NULL), NULL, now - DAYS(2)), "is not valid yet"));
}

TEST(weak_keys_and_signatures_are_warned_of)
{
    struct cert *ca = cert_make(&(struct cert_wish){ .common_name = "CA", .is_ca = true }, NULL);
    struct cert *sha1_ca = cert_make(&(struct cert_wish){ .common_name = "CA", .is_ca = true, .sha1 = true }, NULL);
    struct cert_wish weak = { .dns = { "mx.example.org" }, .key = CERT_RSA_1024 },
                     sha1 = { .dns = { "mx.example.org" }, .sha1 = true }, good = { .dns = { "mx.example.org" } };

    CHECK_ID("STARTTLS-098", strstr(review(cert_make(&weak, ca), NULL, clock_wall()), "has 1024 bits"));
    CHECK_ID("STARTTLS-098", strstr(review(cert_make(&sha1, ca), NULL, clock_wall()), "certificate 1 in"));
    CHECK_TEXT(review(cert_make(&good, sha1_ca), sha1_ca, clock_wall()), "");
    cert_free(ca);
    cert_free(sha1_ca);
}

TEST(a_chain_out_of_order_is_warned_of)
{
    struct cert *ca = cert_make(&(struct cert_wish){ .common_name = "CA", .is_ca = true }, NULL);
    struct cert *stranger = cert_make(&(struct cert_wish){ .common_name = "Stranger", .is_ca = true }, NULL);
    struct cert_wish wish = { .dns = { "mx.example.org" } };

    CHECK_TEXT(review(cert_make(&wish, ca), ca, clock_wall()), "");
    CHECK(strstr(review(cert_make(&wish, ca), stranger, clock_wall()), "did not issue the one before it"));
    cert_free(ca);
    cert_free(stranger);
}

TEST(a_certificate_that_is_never_used_is_warned_of)
{
    struct cert *again = cert_make(&(struct cert_wish){ .dns = { "MX.example.org" } }, NULL);
    struct tls_identity ids[] = {
        { good_chain(), good_key() }, { cert_file("again.pem", again, NULL), cert_key_file("again.key", again) },
    };
    struct error why = { 0 };
    struct tls_server *s = tls_server_new(&(struct tls_server_settings){ ids, 2 }, &why);
    auto_buf struct buf notes = { .max = 1000 };

    CHECK_OK(s, &why);
    tls_server_review(s, clock_wall(), note, &notes);
    buf_byte(&notes, '\0');
    CHECK(strstr(notes.memory, "/again.pem is never used"));
    tls_server_free(s);
    cert_free(again);
}

/* --- making one ---------------------------------------------------------------- */

static X509 *read_back(const char *file)
{
    FILE *in = fopen(file, "r");
    X509 *cert = PEM_read_X509(in, NULL, NULL, NULL);

    fclose(in);
    CHECK(cert);
    return cert;
}

TEST(a_self_signed_certificate_serves_at_once)
{
    const char *chain = cert_path("self.pem"), *key = cert_path("self.key");
    struct error why = { 0 };
    struct tls_server *s;
    struct tls_client *c;
    struct tls_facts facts;
    struct pair p;
    struct stat status;

    CHECK_OK(tls_make_self_signed("mx.example.org", chain, key, clock_wall(), &why), &why);
    CHECK_EQUAL(stat(key, &status), 0);
    CHECK_EQUAL(status.st_mode & 0777, 0600);
    CHECK(access(cert_path("self.key.new"), F_OK) != 0);
    CHECK(access(cert_path("self.pem.new"), F_OK) != 0);
    s = load(chain, key, &why);
    CHECK_OK(s, &why);
    c = tls_client_new(&(struct tls_client_settings){ .ca_file = chain }, &why);
    CHECK_OK(c, &why);
    p = pair_new(s, &(struct tls_want){ .client = c, .check_name = "mx.example.org" });
    tls_get_facts(p.client, &facts);
    CHECK_EQUAL(facts.trust, TLS_TRUST_PKIX);
    CHECK(facts.name_matches);
    CHECK_TEXT(facts.key, "ECDSA P-256");
    CHECK(facts.not_after > clock_wall() + DAYS(3640));
    CHECK(facts.not_after < clock_wall() + DAYS(3660));
    pair_done(&p);
    tls_client_free(c);
    tls_server_free(s);
}

TEST(a_self_signed_certificate_is_well_formed)
{
    const char *chain = cert_path("form.pem"), *key = cert_path("form.key");
    struct error why = { 0 };
    X509 *cert;
    char text[100];

    CHECK_OK(tls_make_self_signed("mx.example.org", chain, key, clock_wall(), &why), &why);
    cert = read_back(chain);
    CHECK_EQUAL(X509_get_version(cert), X509_VERSION_3);
    CHECK_EQUAL(X509_check_ca(cert), 0);
    CHECK_EQUAL(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
    CHECK_EQUAL(X509_get_extended_key_usage(cert), XKU_SSL_SERVER);
    CHECK(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text, sizeof text) > 0);
    CHECK_TEXT(text, "mx.example.org");
    CHECK_EQUAL(X509_check_host(cert, "mx.example.org", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
    CHECK_EQUAL(X509_verify(cert, X509_get0_pubkey(cert)), 1);
    CHECK(X509_cmp_time(X509_get0_notBefore(cert), &(time_t){ time(NULL) - 80000 }) < 0);
    X509_free(cert);
}

TEST(a_self_signed_certificate_may_be_for_an_address_or_a_long_name)
{
    char name[] = "a-label-that-is-rather-long.another-label-that-is-rather-long.mx.example.org";
    struct error why = { 0 };
    X509 *cert;

    CHECK_OK(tls_make_self_signed("2001:db8::25", cert_path("ip.pem"), cert_path("ip.key"), clock_wall(), &why), &why);
    cert = read_back(cert_path("ip.pem"));
    CHECK_EQUAL(X509_check_ip_asc(cert, "2001:db8::25", 0), 1);
    X509_free(cert);
    CHECK_OK(tls_make_self_signed(name, cert_path("long.pem"), cert_path("long.key"), clock_wall(), &why), &why);
    cert = read_back(cert_path("long.pem"));
    CHECK_EQUAL(X509_check_host(cert, name, 0, 0, NULL), 1);
    CHECK_EQUAL(X509_NAME_entry_count(X509_get_subject_name(cert)), 0);
    CHECK(X509_EXTENSION_get_critical(X509_get_ext(cert, X509_get_ext_by_NID(cert, NID_subject_alt_name, -1))));
    X509_free(cert);
}

TEST(no_file_is_ever_overwritten)
{
    struct error why = { 0 };
    const char *taken = cert_text_file("taken", "precious\n");
    const char *chain = cert_path("new.pem"), *key = cert_path("new.key");
    struct stat status;

    CHECK(!tls_make_self_signed("mx.example.org", taken, key, clock_wall(), &why));
    CHECK_EQUAL(why.code, E_TLS_SETUP);
    CHECK(strstr(why.text, "/taken exists already"));
    CHECK(!tls_make_self_signed("mx.example.org", chain, taken, clock_wall(), &why));
    CHECK(strstr(why.text, "/taken exists already"));
    CHECK_EQUAL(stat(taken, &status), 0);
    CHECK_EQUAL(status.st_size, 9);
    CHECK(!tls_make_self_signed("mx.example.org", chain, chain, clock_wall(), &why));
    CHECK_EQUAL(why.code, E_USAGE);
    CHECK(access(chain, F_OK) != 0);
    CHECK(access(key, F_OK) != 0);
}

TEST(a_failure_leaves_no_key_behind)
{
    struct error why = { 0 };
    const char *key = cert_path("alone.key");

    CHECK(!tls_make_self_signed("mx.example.org", cert_path("no/such/folder.pem"), key, clock_wall(), &why));
    CHECK_EQUAL(why.code, E_TLS_SETUP);
    CHECK(strstr(why.text, "No such file or directory"));
    CHECK(access(key, F_OK) != 0);
}

TEST(a_certificate_is_not_made_for_nonsense)
{
    static const char *const bad[] = { "", "a b", "mx.example.org,DNS:evil.example", "m*.example.org", "x\n" };
    struct error why = { 0 };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!tls_make_self_signed(bad[i], cert_path("bad.pem"), cert_path("bad.key"), clock_wall(), &why));
        CHECK_EQUAL(why.code, E_USAGE);
    }
}

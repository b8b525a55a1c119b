/* What a client finds out about its peer's certificate. */
#include "tests/tls/certs.h"
#include "tests/tls/pair.h"

/* A root that the client knows, and an intermediate below it. */
static struct cert *root, *between;

static const struct tls_client *client(void)
{
    static struct tls_client *c;
    struct error why = { 0 };

    if (!c) {
        struct tls_client_settings settings = { 0 };

        root = cert_make(&(struct cert_wish){ .common_name = "Root", .is_ca = true }, NULL);
        between = cert_make(&(struct cert_wish){ .common_name = "Between", .is_ca = true }, root);
        settings.ca_file = cert_file("root.pem", root, NULL);
        c = tls_client_new(&settings, &why);
    }
    CHECK_OK(c, &why);
    return c;
}

/* Shake hands with a server that shows the chain of `leaf`, and free the leaf. */
static struct tls_facts meet_chain(struct cert *leaf, const char *chain_file, const struct tls_client *c,
                                   const char *name)
{
    struct tls_identity id = { chain_file, cert_key_file("leaf.key", leaf) };
    struct tls_server_settings settings = { .identities = &id, .identity_count = 1 };
    struct tls_want want = { .client = c, .server_name = name, .check_name = name };
    struct error why = { 0 };
    struct tls_server *s = tls_server_new(&settings, &why);
    struct tls_facts facts;
    struct pair p;
    char fingerprint[65];

    CHECK_OK(s, &why);
    p = pair_new(s, &want);     /* STARTTLS-105: whatever the certificate is */
    tls_get_facts(p.client, &facts);
    cert_fingerprint(leaf, fingerprint);
    CHECK_TEXT(facts.fingerprint, fingerprint);
    pair_done(&p);
    tls_server_free(s);
    cert_free(leaf);
    return facts;
}

/* The same with perhaps one certificate above the leaf. */
static struct tls_facts meet(struct cert *leaf, const struct cert *above, const char *name)
{
    return meet_chain(leaf, cert_file("leaf.pem", leaf, above, NULL), client(), name);
}

/* A leaf below the known intermediate. */
static struct tls_facts meet_wish(struct cert_wish wish, const char *name)
{
    client();
    return meet(cert_make(&wish, between), between, name);
}

/* A leaf below an intermediate of its own kind, itself below the known root. */
static struct tls_facts meet_below(struct cert_wish issuer_wish, struct cert_wish wish)
{
    struct cert *issuer;
    struct tls_facts facts;

    client();
    issuer = cert_make(&issuer_wish, root);
    facts = meet(cert_make(&wish, issuer), issuer, "mx.example.org");
    cert_free(issuer);
    return facts;
}

#define CHECK_DISTRUSTS(facts, words)                           \
    do {                                                        \
        struct tls_facts f = facts;                             \
        CHECK_EQUAL(f.trust, TLS_TRUST_UNTRUSTED);              \
        CHECK_TEXT(f.trust_problem, words);                     \
    } while (0)

TEST(a_good_chain_and_name_are_facts)
{
    time_ms until = (clock_wall() + DAYS(50)) / 1000 * 1000;
    struct tls_facts f = meet_wish((struct cert_wish){ .dns = { "mx.example.org" }, .until = until }, "mx.example.org");

    CHECK_EQUAL(f.trust, TLS_TRUST_PKIX);
    CHECK(f.name_matches);
    CHECK_TEXT(f.trust_problem, "");
    CHECK_TEXT(f.subject, "mx.example.org");
    CHECK_TEXT(f.key, "ECDSA P-256");
    CHECK_EQUAL(f.not_after, until);
}

TEST(keys_are_named)
{
    struct cert_wish wish = { .dns = { "mx.example.org" } };

    wish.key = CERT_P384;
    CHECK_TEXT(meet_wish(wish, NULL).key, "ECDSA P-384");
    wish.key = CERT_RSA_2048;
    CHECK_TEXT(meet_wish(wish, NULL).key, "RSA 2048");
    wish.key = CERT_ED25519;
    CHECK_TEXT(meet_wish(wish, NULL).key, "Ed25519");
}

TEST(the_name_is_skipped_when_none_is_wanted)
{
    struct tls_facts f = meet_wish((struct cert_wish){ .dns = { "mx.example.org" } }, NULL);

    CHECK_EQUAL(f.trust, TLS_TRUST_PKIX);
    CHECK(!f.name_matches);
    CHECK_TEXT(f.server_name, "");
}

TEST(another_name_does_not_match)
{
    struct tls_facts f = meet_wish((struct cert_wish){ .dns = { "a.example.org", "b.example.org" } }, "c.example.org");

    CHECK_EQUAL(f.trust, TLS_TRUST_PKIX);
    CHECK(!f.name_matches);
    CHECK(meet_wish((struct cert_wish){ .dns = { "a.example.org", "b.example.org" } }, "B.example.org").name_matches);
}

TEST(names_match_as_rfc_9525_says)
{
    struct cert_wish wild = { .dns = { "*.example.org" } }, part = { .dns = { "m*.example.org", "*.*.org", "*.org" } };

    CHECK_ID("STARTTLS-082", meet_wish(wild, "mx.example.org").name_matches);
    CHECK_ID("STARTTLS-082", !meet_wish(wild, "example.org").name_matches);
    CHECK_ID("STARTTLS-082", !meet_wish(wild, "a.mx.example.org").name_matches);
    CHECK_ID("STARTTLS-082", !meet_wish(part, "mx.example.org").name_matches);
}

TEST(the_common_name_is_never_used)
{
    struct tls_facts f = meet_wish((struct cert_wish){ .common_name = "mx.example.org" }, "mx.example.org");

    CHECK_ID("STARTTLS-083", !f.name_matches);
    CHECK_TEXT(f.subject, "mx.example.org");
    f = meet_wish((struct cert_wish){ .common_name = "mx.example.org", .dns = { "other.example.org" } },
                  "mx.example.org");
    CHECK_ID("STARTTLS-083", !f.name_matches);
    CHECK_TEXT(f.subject, "other.example.org");
}

TEST(a_name_with_a_nul_is_as_if_absent)
{
    struct cert_wish wish = { .odd_dns = SLICE("mx.example.org\0.evil.example") };
    struct tls_facts f = meet_wish(wish, "mx.example.org");

    CHECK_ID("STARTTLS-087", !f.name_matches);
    CHECK_TEXT(f.subject, "");
    CHECK_EQUAL(f.trust, TLS_TRUST_PKIX);
}

TEST(addresses_match_addresses_only)
{
    struct cert_wish v4 = { .dns = { "mx.example.org" }, .address = "192.0.2.1" }, v6 = { .address = "2001:db8::1" },
                     digits = { .dns = { "192.0.2.1" } };

    CHECK_ID("STARTTLS-085", meet_wish(v4, "192.0.2.1").name_matches);
    CHECK_ID("STARTTLS-085", !meet_wish(v4, "192.0.2.10").name_matches);
    CHECK_ID("STARTTLS-085", meet_wish(v6, "2001:DB8:0::1").name_matches);
    CHECK_ID("STARTTLS-085", !meet_wish(v6, "192.0.2.1").name_matches);
    CHECK_ID("STARTTLS-085", !meet_wish(digits, "192.0.2.1").name_matches);
}

TEST(an_expired_certificate_is_told_from_an_untrusted_one)
{
    time_ms now = clock_wall();
    struct cert_wish old = { .dns = { "mx.example.org" }, .from = now - DAYS(100), .until = now - DAYS(1) };
    struct cert_wish young = { .dns = { "mx.example.org" }, .from = now + DAYS(1), .until = now + DAYS(9) };
    struct tls_facts f = meet_wish(old, "mx.example.org");

    CHECK_EQUAL(f.trust, TLS_TRUST_EXPIRED);
    CHECK_TEXT(f.trust_problem, "certificate has expired");
    CHECK(f.name_matches);
    f = meet_wish(young, NULL);
    CHECK_ID("PD-E11", f.trust == TLS_TRUST_UNTRUSTED);
    CHECK_TEXT(f.trust_problem, "certificate is not yet valid");

    /* An unknown issuer weighs more than a date. */
    f = meet(cert_make(&old, NULL), NULL, "mx.example.org");
    CHECK_EQUAL(f.trust, TLS_TRUST_UNTRUSTED);
    CHECK_TEXT(f.trust_problem, "self-signed certificate");
}

TEST(the_clock_that_counts_is_ours)
{
    struct cert_wish wish = { .dns = { "mx.example.org" } };
    struct cert *leaf;

    client();
    leaf = cert_make(&wish, between);
    clock_freeze(clock_wall() + DAYS(400));
    CHECK_EQUAL(meet(leaf, between, NULL).trust, TLS_TRUST_EXPIRED);
    clock_thaw();
}

TEST(a_chain_to_nowhere_is_untrusted)
{
    struct cert_wish wish = { .dns = { "mx.example.org" } };
    struct cert *stranger = cert_make(&(struct cert_wish){ .common_name = "Stranger", .is_ca = true }, NULL);

    CHECK_DISTRUSTS(meet(cert_make(&wish, NULL), NULL, "mx.example.org"), "self-signed certificate");
    CHECK_DISTRUSTS(meet(cert_make(&wish, stranger), stranger, "mx.example.org"),
                    "self-signed certificate in certificate chain");
    CHECK_DISTRUSTS(meet(cert_make(&wish, stranger), NULL, "mx.example.org"), "unable to get local issuer certificate");
    cert_free(stranger);
}

TEST(a_missing_intermediate_is_untrusted)
{
    struct cert_wish wish = { .dns = { "mx.example.org" } };

    client();
    CHECK_DISTRUSTS(meet(cert_make(&wish, between), NULL, "mx.example.org"), "unable to get local issuer certificate");
}

/* One bad chain for each rule of RFC 5280 6.1: STARTTLS-086. */
TEST(every_rule_for_chains_is_kept)
{
    struct cert_wish leaf = { .dns = { "mx.example.org" } };
    time_ms now = clock_wall();

    CHECK_EQUAL(meet_below((struct cert_wish){ .common_name = "CA", .is_ca = true }, leaf).trust, TLS_TRUST_PKIX);
    CHECK_DISTRUSTS(meet_below((struct cert_wish){ .common_name = "Not a CA" }, leaf), "invalid CA certificate");
    CHECK_DISTRUSTS(meet_below((struct cert_wish){ .common_name = "CA", .is_ca = true,
                                                   .name_constraints = "permitted;DNS:example.net" }, leaf),
                    "permitted subtree violation");
    CHECK_DISTRUSTS(meet_below((struct cert_wish){ .common_name = "CA", .is_ca = true,
                                                   .name_constraints = "excluded;DNS:example.org" }, leaf),
                    "excluded subtree violation");
    CHECK_DISTRUSTS(meet_below((struct cert_wish){ .common_name = "CA", .is_ca = true, .usage = "clientAuth" }, leaf),
                    "unsuitable certificate purpose");
    CHECK_EQUAL(meet_below((struct cert_wish){ .common_name = "CA", .is_ca = true, .from = now - DAYS(9),
                                               .until = now - DAYS(2) }, leaf).trust, TLS_TRUST_EXPIRED);
    leaf.usage = "clientAuth";
    CHECK_DISTRUSTS(meet_wish(leaf, "mx.example.org"), "unsuitable certificate purpose");
    leaf.usage = NULL;
    leaf.unknown_critical = true;
    CHECK_DISTRUSTS(meet_wish(leaf, "mx.example.org"), "unhandled critical extension");
}

TEST(a_path_longer_than_allowed_is_untrusted)
{
    struct cert_wish narrow_wish = { .common_name = "Narrow", .is_ca = true, .basic = "critical,CA:TRUE,pathlen:0" };
    struct cert *narrow, *last, *leaf;

    client();
    narrow = cert_make(&narrow_wish, root);
    last = cert_make(&(struct cert_wish){ .common_name = "One too many", .is_ca = true }, narrow);
    leaf = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, last);
    CHECK_DISTRUSTS(meet_chain(leaf, cert_file("long.pem", leaf, last, narrow, NULL), client(), NULL),
                    "path length constraint exceeded");
    cert_free(narrow);
    cert_free(last);
}

TEST(weak_keys_and_signatures_are_untrusted_but_used)
{
    struct cert_wish weak_key = { .dns = { "mx.example.org" }, .key = CERT_RSA_1024 },
                     sha1 = { .dns = { "mx.example.org" }, .sha1 = true };

    CHECK_DISTRUSTS(meet_wish(weak_key, "mx.example.org"), "EE certificate key too weak");
    CHECK_DISTRUSTS(meet_wish(sha1, "mx.example.org"), "CA signature digest algorithm too weak");
}

/* STARTTLS-098 */
TEST(what_is_trusted_does_not_depend_on_the_minimum_version)
{
    struct cert_wish wish = { .dns = { "mx.example.org" }, .key = CERT_RSA_1024 };
    struct tls_client_settings settings = { .minimum = TLS_1_0 };
    struct error why = { 0 };
    struct tls_client *lax;
    struct cert *leaf;

    client();
    settings.ca_file = cert_file("root.pem", root, NULL);
    lax = tls_client_new(&settings, &why);
    CHECK_OK(lax, &why);
    leaf = cert_make(&wish, between);
    CHECK_DISTRUSTS(meet_chain(leaf, cert_file("lax.pem", leaf, between, NULL), lax, NULL),
                    "EE certificate key too weak");
    tls_client_free(lax);
}

TEST(a_damaged_signature_is_untrusted)
{
    struct cert *impostor = cert_make(&(struct cert_wish){ .common_name = "Between", .is_ca = true }, NULL);

    /* Signed by a key that only has the right issuer's name. */
    client();
    CHECK_DISTRUSTS(meet(cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, impostor), between, NULL),
                    "certificate signature failure");
    cert_free(impostor);
}

TEST(a_self_signed_certificate_may_be_its_own_anchor)
{
    struct cert *own = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, NULL);
    struct tls_identity id = { cert_file("own.pem", own, NULL), cert_key_file("own.key", own) };
    struct tls_server_settings server_settings = { .identities = &id, .identity_count = 1 };
    struct tls_client_settings client_settings = { .ca_file = id.chain_file };
    struct error why = { 0 };
    struct tls_server *s = tls_server_new(&server_settings, &why);
    struct tls_client *c = tls_client_new(&client_settings, &why);
    struct tls_want want = { .client = c, .check_name = "mx.example.org" };
    struct pair p = pair_new(s, &want);
    struct tls_facts facts;

    tls_get_facts(p.client, &facts);
    CHECK_EQUAL(facts.trust, TLS_TRUST_PKIX);
    CHECK(facts.name_matches);
    pair_done(&p);
    tls_client_free(c);
    tls_server_free(s);
    cert_free(own);
}

TEST(what_a_certificate_says_is_escaped)
{
    struct tls_facts f = meet_wish((struct cert_wish){ .common_name = "a\r\nb\x1b[2J" }, NULL);

    CHECK_TEXT(f.subject, "a\\r\\nb\\x1b[2J");
}

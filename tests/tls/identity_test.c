/* Which certificate a client gets: by the name it asks for and the keys it knows. */
#include "tests/tls/certs.h"
#include "tests/tls/pair.h"

/* A certificate for up to two names, as the identity `file`. */
static struct tls_identity identity(const char *file, enum cert_key key, const char *name, const char *other)
{
    struct cert *c = cert_make(&(struct cert_wish){ .dns = { name, other }, .key = key, .common_name = file }, NULL);
    char key_file[64];
    struct tls_identity id = { .chain_file = cert_file(file, c, NULL) };

    snprintf(key_file, sizeof key_file, "%s.key", file);
    id.key_file = cert_key_file(key_file, c);
    cert_free(c);
    return id;
}

static struct tls_server *serve(const struct tls_identity *identities, size_t count, bool refuse)
{
    struct tls_server_settings settings = {
        .identities = identities, .identity_count = count, .refuse_unknown_name = refuse,
    };
    struct error why = { 0 };
    struct tls_server *s = tls_server_new(&settings, &why);

    CHECK_OK(s, &why);
    return s;
}

static const struct tls_client *anybody(void)
{
    static struct tls_client *c;
    struct error why = { 0 };

    if (!c)
        c = tls_client_new(&(struct tls_client_settings){ 0 }, &why);
    CHECK_OK(c, &why);
    return c;
}

static bool asks_for(const struct tls_server *s, const char *name, struct tls_facts *facts, struct error *server_why)
{
    struct tls_want want = { .client = anybody(), .server_name = name, .check_name = name };
    struct error why = { 0 };
    struct pair p = pair_of(tls_connect(&want, &why), tls_accept(s));
    bool done = pair_shake(&p, SIZE_MAX);

    if (done) {
        struct tls_facts of_server;

        tls_get_facts(p.client, facts);
        tls_get_facts(p.server, &of_server);
        CHECK_TEXT(of_server.server_name, facts->server_name);
    }
    *server_why = p.server_why;
    pair_done(&p);
    return done;
}

/* The key and the match that `name` gets. */
#define CHECK_GETS(server, name, wanted_key, matches)               \
    do {                                                            \
        struct tls_facts f;                                         \
        struct error w = { 0 };                                     \
        CHECK_OK(asks_for(server, name, &f, &w), &w);               \
        CHECK_TEXT(f.key, wanted_key);                              \
        CHECK_EQUAL(f.name_matches, matches);                       \
    } while (0)

/* A bare client that can verify only some signatures: the key it is shown. */
static void gets_by_algorithms(const struct tls_server *s, const char *algorithms, int version, const char *name,
                               char *subject, size_t size)
{
    struct raw r = raw_client();
    struct tls *ours = tls_accept(s);
    struct error why = { 0 };
    enum tls_step step;

    SSL_set_max_proto_version(r.ssl, version);
    CHECK(SSL_set1_sigalgs_list(r.ssl, algorithms));
    if (name)
        SSL_set_tlsext_host_name(r.ssl, name);
    if (raw_shake(&r, ours, &step, &why)) {
        X509 *cert = SSL_get0_peer_certificate(r.ssl);

        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, subject, (int)size);
    } else {
        snprintf(subject, size, "%s", why.text);
    }
    raw_done(&r);
    tls_free(ours);
}

TEST(ecdsa_and_rsa_stand_side_by_side_for_one_name)
{
    struct tls_identity both[] = {
        identity("ec", CERT_P256, "mx.example.org", NULL), identity("rsa", CERT_RSA_2048, "mx.example.org", NULL),
    };
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    static const char *const names[] = { NULL, "mx.example.org", "unknown.example.org" };
    char subject[100];

    for (int turned = 0; turned < 2; turned++) {
        struct tls_identity pair[] = { both[turned], both[!turned] };
        struct tls_server *s = serve(pair, 2, false);

        for (size_t v = 0; v < 2; v++) {
            for (size_t n = 0; n < 3; n++) {
                gets_by_algorithms(s, "RSA-PSS+SHA256:RSA+SHA256", versions[v], names[n], subject, sizeof subject);
                CHECK_TEXT(subject, "rsa");
                gets_by_algorithms(s, "ECDSA+SHA256", versions[v], names[n], subject, sizeof subject);
                CHECK_TEXT(subject, "ec");
                gets_by_algorithms(s, "RSA-PSS+SHA256:ECDSA+SHA256", versions[v], names[n], subject, sizeof subject);
                CHECK_TEXT(subject, "ec");
            }
        }
        tls_server_free(s);
    }
}

TEST(without_a_certificate_that_the_client_can_verify_the_handshake_fails)
{
    struct tls_identity only = identity("ec", CERT_P256, "mx.example.org", NULL);
    struct tls_server *s = serve(&only, 1, false);
    char text[240];

    gets_by_algorithms(s, "RSA-PSS+SHA256", TLS1_3_VERSION, NULL, text, sizeof text);
    CHECK_TEXT(text, "TLS handshake failed: no shared signature algorithm");
    tls_server_free(s);
}

TEST(each_name_gets_its_own_certificate)
{
    struct tls_identity three[] = {
        identity("a", CERT_P256, "a.example.org", "A2.Example.ORG"),
        identity("b", CERT_P384, "b.example.net", NULL),
        identity("c", CERT_ED25519, "*.c.example.com", NULL),
    };
    struct tls_server *s = serve(three, 3, false);

    CHECK_GETS(s, "a.example.org", "ECDSA P-256", true);
    CHECK_GETS(s, "a2.example.org", "ECDSA P-256", true);
    CHECK_GETS(s, "B.example.NET", "ECDSA P-384", true);
    CHECK_GETS(s, "x.c.example.com", "Ed25519", true);
    CHECK_GETS(s, "y.C.example.com.", "Ed25519", true);
    tls_server_free(s);
}

/* STARTTLS-102 */
TEST(an_unknown_or_missing_name_gets_the_default_on_an_mx)
{
    struct tls_identity two[] = {
        identity("a", CERT_P256, "a.example.org", NULL), identity("b", CERT_P384, "*.b.example.org", NULL),
    };
    struct tls_server *s = serve(two, 2, false);

    CHECK_GETS(s, "b.example.org", "ECDSA P-256", false);
    CHECK_GETS(s, "x.y.b.example.org", "ECDSA P-256", false);
    CHECK_GETS(s, "nowhere.example.net", "ECDSA P-256", false);
    CHECK_GETS(s, "localhost", "ECDSA P-256", false);
    CHECK_GETS(s, NULL, "ECDSA P-256", false);
    tls_server_free(s);
}

TEST(an_unknown_name_is_refused_where_that_is_asked_for)
{
    struct tls_identity one = identity("a", CERT_P256, "a.example.org", NULL);
    struct tls_server *s = serve(&one, 1, true);
    struct tls_want want = { .client = anybody(), .server_name = "b.example.org" };
    struct error why = { 0 };
    struct pair p = pair_of(tls_connect(&want, &why), tls_accept(s));

    CHECK_ID("STARTTLS-103", !pair_shake(&p, SIZE_MAX));
    CHECK_TEXT(p.server_why.text,
               "TLS handshake failed: no certificate here is for the name \"b.example.org\" that the peer asked for");
    CHECK_TEXT(p.client_why.text, "TLS handshake failed: peer sent alert unrecognized name");
    pair_done(&p);
    CHECK_GETS(s, "a.example.org", "ECDSA P-256", true);
    CHECK_GETS(s, NULL, "ECDSA P-256", false);
    tls_server_free(s);
}

TEST(an_exact_name_beats_a_wildcard_for_each_type_of_key)
{
    struct tls_identity three[] = {
        identity("wild-ec", CERT_P256, "*.example.org", NULL),
        identity("wild-rsa", CERT_RSA_2048, "*.example.org", NULL),
        identity("exact-ec", CERT_P384, "mail.example.org", NULL),
    };
    struct tls_server *s = serve(three, 3, false);
    char subject[100];

    CHECK_GETS(s, "mail.example.org", "ECDSA P-384", true);
    CHECK_GETS(s, "other.example.org", "ECDSA P-256", true);
    gets_by_algorithms(s, "RSA-PSS+SHA256", TLS1_3_VERSION, "mail.example.org", subject, sizeof subject);
    CHECK_TEXT(subject, "wild-rsa");
    tls_server_free(s);
}

TEST(sets_of_names_may_overlap_in_part)
{
    struct tls_identity two[] = {
        identity("ec", CERT_P256, "mx.example.org", NULL),
        identity("rsa", CERT_RSA_2048, "mail.example.org", "mx.example.org"),
    };
    struct tls_server *s = serve(two, 2, true);
    char subject[100];

    gets_by_algorithms(s, "RSA-PSS+SHA256:ECDSA+SHA256", TLS1_3_VERSION, "mx.example.org", subject, sizeof subject);
    CHECK_TEXT(subject, "ec");
    gets_by_algorithms(s, "RSA-PSS+SHA256", TLS1_3_VERSION, "mx.example.org", subject, sizeof subject);
    CHECK_TEXT(subject, "rsa");
    gets_by_algorithms(s, "RSA-PSS+SHA256:ECDSA+SHA256", TLS1_3_VERSION, "mail.example.org", subject, sizeof subject);
    CHECK_TEXT(subject, "rsa");
    tls_server_free(s);
}

TEST(a_certificate_with_a_common_name_only_is_still_found_by_it)
{
    struct tls_identity two[] = {
        identity("first", CERT_P256, "a.example.org", NULL), identity("cn.example.org", CERT_P384, NULL, NULL),
    };
    struct tls_server *s = serve(two, 2, false);

    /* Chosen by its CN, which is convenience; not matched by it, which would be trust (STARTTLS-083). */
    CHECK_GETS(s, "cn.example.org", "ECDSA P-384", false);
    tls_server_free(s);
}

TEST(many_certificates_are_told_apart)
{
    enum { COUNT = 60 };
    struct tls_identity ids[COUNT];
    struct tls_server *s;
    char file[32], name[64];

    for (int i = 0; i < COUNT; i++) {
        snprintf(file, sizeof file, "host%d", i);
        snprintf(name, sizeof name, "%s%d.example.org", i % 3 ? "mx" : "*.mx", i);
        ids[i] = identity(file, i % 2 ? CERT_P256 : CERT_ED25519, name, NULL);
    }
    s = serve(ids, COUNT, true);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "%s%d.example.org", i % 3 ? "mx" : "a.mx", i);
        CHECK_GETS(s, name, i % 2 ? "ECDSA P-256" : "Ed25519", true);
    }
    tls_server_free(s);
}

TEST(intermediates_are_sent)
{
    struct cert *ca = cert_make(&(struct cert_wish){ .common_name = "Root", .is_ca = true }, NULL);
    struct cert *between = cert_make(&(struct cert_wish){ .common_name = "Between", .is_ca = true }, ca);
    struct cert *leaf = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, between);
    struct tls_identity id = { cert_file("chain.pem", leaf, between, NULL), cert_key_file("chain.key", leaf) };
    struct tls_server *s = serve(&id, 1, false);
    struct raw r = raw_client();
    struct tls *ours = tls_accept(s);
    struct error why = { 0 };
    enum tls_step step;

    CHECK_OK(raw_shake(&r, ours, &step, &why), &why);
    CHECK_EQUAL(sk_X509_num(SSL_get_peer_cert_chain(r.ssl)), 2);
    raw_done(&r);
    tls_free(ours);
    tls_server_free(s);
    cert_free(ca);
    cert_free(between);
    cert_free(leaf);
}

TEST(a_weak_certificate_is_served_all_the_same)
{
    struct cert *ca = cert_make(&(struct cert_wish){ .common_name = "Old CA", .is_ca = true }, NULL);
    struct cert_wish weak = { .dns = { "mx.example.org" }, .key = CERT_RSA_1024, .sha1 = true };
    struct cert *leaf = cert_make(&weak, ca);
    struct tls_identity id = { cert_file("weak.pem", leaf, NULL), cert_key_file("weak.key", leaf) };
    struct tls_server *s = serve(&id, 1, false);

    CHECK_GETS(s, "mx.example.org", "RSA 1024", true);      /* STARTTLS-105 */
    tls_server_free(s);
    cert_free(ca);
    cert_free(leaf);
}

TEST(no_name_is_sent_for_an_address)
{
    struct tls_identity one = identity("a", CERT_P256, "a.example.org", NULL);
    struct tls_server *s = serve(&one, 1, true);
    struct tls_facts facts;
    struct error why = { 0 };

    CHECK_ID("STARTTLS-102", asks_for(s, "192.0.2.1", &facts, &why));
    CHECK_TEXT(facts.server_name, "");
    CHECK_ID("STARTTLS-102", asks_for(s, "2001:db8::1", &facts, &why));
    CHECK_TEXT(facts.server_name, "");
    CHECK(asks_for(s, "a.example.org.", &facts, &why));
    CHECK_TEXT(facts.server_name, "a.example.org");
    tls_server_free(s);
}

TEST(a_host_name_too_long_for_tls_is_an_error)
{
    char name[400];
    struct tls_want want = { .client = anybody(), .server_name = name };
    struct error why = { 0 };

    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    CHECK(!tls_connect(&want, &why));
    CHECK_EQUAL(why.code, E_USAGE);
}

/* An SNI may hold any bytes; what reaches a log is one line of them. */
TEST(a_strangers_server_name_is_escaped)
{
    struct tls_identity one = identity("a", CERT_P256, "a.example.org", NULL);
    struct tls_server *s = serve(&one, 1, false);
    struct raw r = raw_client();
    struct tls *ours = tls_accept(s);
    struct error why = { 0 };
    struct tls_facts facts;
    enum tls_step step;

    SSL_set_tlsext_host_name(r.ssl, "evil\r\nname=\x1b[31m");
    CHECK_OK(raw_shake(&r, ours, &step, &why), &why);
    tls_get_facts(ours, &facts);
    CHECK_TEXT(facts.server_name, "evil\\r\\nname=\\x1b[31m");
    raw_done(&r);
    tls_free(ours);
    tls_server_free(s);
}

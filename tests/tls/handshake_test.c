/* Versions, suites and groups: what two sides agree on, and what never. */
#include "tests/test.h"
#include "tests/tls/certs.h"
#include "tests/tls/pair.h"

static struct tls_identity ecdsa(void)
{
    static struct tls_identity id;

    if (!id.chain_file) {
        struct cert *c = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, NULL);

        id = (struct tls_identity){ cert_file("ec.pem", c, NULL), cert_key_file("ec.key", c) };
        cert_free(c);
    }
    return id;
}

static struct tls_identity rsa(void)
{
    static struct tls_identity id;

    if (!id.chain_file) {
        struct cert *c = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" }, .key = CERT_RSA_2048 }, NULL);

        id = (struct tls_identity){ cert_file("rsa.pem", c, NULL), cert_key_file("rsa.key", c) };
        cert_free(c);
    }
    return id;
}

static struct tls_server *new_server(struct tls_server_settings settings)
{
    struct tls_identity both[] = { ecdsa(), rsa() };
    struct error why = { 0 };
    struct tls_server *s;

    if (!settings.identities) {
        settings.identities = both;
        settings.identity_count = 2;
    }
    s = tls_server_new(&settings, &why);
    CHECK_OK(s, &why);
    return s;
}

static struct tls_client *new_client(struct tls_client_settings settings)
{
    struct error why = { 0 };
    struct tls_client *c;

    settings.ca_file = ecdsa().chain_file;
    c = tls_client_new(&settings, &why);
    CHECK_OK(c, &why);
    return c;
}

/* Both settings in one handshake; the facts of each side. */
static bool shake(struct tls_server_settings server, struct tls_client_settings client, struct tls_facts *facts,
                  struct tls_facts *server_facts)
{
    struct tls_server *s = new_server(server);
    struct tls_client *c = new_client(client);
    struct tls_want want = { .client = c, .server_name = "mx.example.org", .check_name = "mx.example.org" };
    struct error why;
    struct pair p = pair_of(tls_connect(&want, &why), tls_accept(s));
    bool done = pair_shake(&p, SIZE_MAX);

    if (done) {
        tls_get_facts(p.client, facts);
        tls_get_facts(p.server, server_facts);
    }
    pair_done(&p);
    tls_client_free(c);
    tls_server_free(s);
    return done;
}

/* A bare client that speaks `from` to `until` against a server of ours. */
static bool raw_reaches(struct tls_server_settings settings, int from, int until, int *version, struct error *why)
{
    struct tls_server *s = new_server(settings);
    struct tls *ours = tls_accept(s);
    struct raw r = raw_client();
    enum tls_step step;
    bool done;

    SSL_set_min_proto_version(r.ssl, from);
    SSL_set_max_proto_version(r.ssl, until);
    done = raw_shake(&r, ours, &step, why);
    *version = SSL_version(r.ssl);
    if (!done)
        CHECK_EQUAL(step, TLS_FAILED);
    raw_done(&r);
    tls_free(ours);
    tls_server_free(s);
    return done;
}

TEST(both_sides_prefer_tls_1_3_and_say_so)
{
    struct tls_facts client, server;

    CHECK(shake((struct tls_server_settings){ 0 }, (struct tls_client_settings){ 0 }, &client, &server));
    CHECK_ID("STARTTLS-095", client.version == TLS_1_3);
    CHECK_ID("STARTTLS-095", server.version == TLS_1_3);
    CHECK_TEXT(client.cipher, "TLS_AES_256_GCM_SHA384");
    CHECK_TEXT(server.cipher, "TLS_AES_256_GCM_SHA384");
    CHECK_EQUAL(client.cipher_bits, 256);
    CHECK_TEXT(client.group, server.group);
    CHECK(strcmp(client.group, "X25519") == 0 || strcmp(client.group, "X25519MLKEM768") == 0);
    CHECK_TEXT(client.server_name, "mx.example.org");
    CHECK_TEXT(server.server_name, "mx.example.org");
    CHECK(!client.resumed);
}

TEST(a_server_shows_nothing_of_a_client_that_has_no_certificate)
{
    struct tls_facts client, server;

    CHECK(shake((struct tls_server_settings){ 0 }, (struct tls_client_settings){ 0 }, &client, &server));
    CHECK_EQUAL(server.trust, TLS_TRUST_NONE);
    CHECK(!server.name_matches);
    CHECK_TEXT(server.fingerprint, "");
    CHECK_TEXT(server.key, "");
    CHECK_TEXT(server.subject, "");
    CHECK_EQUAL(server.not_after, 0);
}

TEST(versions_are_named_as_rfc_8996_spells_them)
{
    enum tls_version v = TLS_1_3;

    CHECK_TEXT(tls_version_name(TLS_1_0), "TLSv1.0");
    CHECK_TEXT(tls_version_name(TLS_1_3), "TLSv1.3");
    CHECK(tls_version_parse(SLICE("1.2"), &v));
    CHECK_EQUAL(v, TLS_1_2);
    CHECK(tls_version_parse(SLICE("1.0"), &v));
    CHECK_EQUAL(v, TLS_1_0);
    CHECK(!tls_version_parse(SLICE("1.4"), &v));
    CHECK(!tls_version_parse(SLICE(""), &v));
    CHECK(!tls_version_parse(SLICE("TLSv1.2"), &v));
    CHECK_EQUAL(v, TLS_1_0);
}

TEST(the_minimum_version_holds_on_the_server)
{
    static const int numbers[] = { 0, TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };

    for (enum tls_version least = TLS_VERSION_NONE; least <= TLS_1_3; least++) {
        for (enum tls_version peer = TLS_1_0; peer <= TLS_1_3; peer++) {
            struct tls_server_settings settings = { .minimum = least };
            struct error why = { 0 };
            int version;
            bool allowed = peer >= (least == TLS_VERSION_NONE ? TLS_1_2 : least);
            bool done = raw_reaches(settings, numbers[peer], numbers[peer], &version, &why);

            CHECK_ID("STARTTLS-095", done == allowed);
            if (done)
                CHECK_EQUAL(version, numbers[peer]);
            else
                CHECK(strstr(why.text, tls_version_name(peer)));
        }
    }
}

TEST(an_old_client_is_told_so_in_words)
{
    struct error why = { 0 };
    int version;

    CHECK(!raw_reaches((struct tls_server_settings){ 0 }, TLS1_VERSION, TLS1_VERSION, &version, &why));
    CHECK_EQUAL(why.code, E_TLS_HANDSHAKE);
    CHECK_TEXT(why.text, "TLS handshake failed: the peer speaks at most TLSv1.0, the least allowed here is TLSv1.2");
}

TEST(the_minimum_version_holds_in_the_client)
{
    struct tls_client *c = new_client((struct tls_client_settings){ 0 });
    struct tls_want want = { .client = c };
    struct raw old = raw_server(rsa().chain_file, rsa().key_file);
    struct error why = { 0 };
    enum tls_step step;
    struct tls *ours = tls_connect(&want, &why);

    SSL_set_max_proto_version(old.ssl, TLS1_1_VERSION);
    CHECK_ID("STARTTLS-095", !raw_shake(&old, ours, &step, &why));
    CHECK_EQUAL(why.code, E_TLS_HANDSHAKE);
    CHECK_TEXT(why.text, "TLS handshake failed: peer sent alert protocol version");
    CHECK_EQUAL(tls_handshake(ours, &why), TLS_FAILED);
    raw_done(&old);
    tls_free(ours);
    tls_client_free(c);
}

TEST(a_client_that_is_allowed_to_reaches_old_servers)
{
    struct tls_client *c = new_client((struct tls_client_settings){ .minimum = TLS_1_0 });
    struct tls_want want = { .client = c };
    struct tls_identity ids[] = { rsa(), ecdsa() };

    for (int i = 0; i < 4; i++) {
        struct raw old = raw_server(ids[i % 2].chain_file, ids[i % 2].key_file);
        struct error why = { 0 };
        struct tls_facts facts;
        enum tls_step step;
        struct tls *ours = tls_connect(&want, &why);

        SSL_set_max_proto_version(old.ssl, i < 2 ? TLS1_VERSION : TLS1_1_VERSION);
        CHECK_OK(raw_shake(&old, ours, &step, &why), &why);
        tls_get_facts(ours, &facts);
        CHECK_EQUAL(facts.version, i < 2 ? TLS_1_0 : TLS_1_1);
        CHECK_EQUAL(facts.trust, i % 2 ? TLS_TRUST_PKIX : TLS_TRUST_UNTRUSTED);
        raw_done(&old);
        tls_free(ours);
    }
    tls_client_free(c);
}

TEST(tls_1_2_uses_the_strongest_common_suite_in_our_order)
{
    static const struct { const char *offered, *chosen; } table[] = {
        { "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384" },
        { "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256" },
        { "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305" },
        { "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305" },
        { "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384" },
        { "AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256" },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct tls_server *s = new_server((struct tls_server_settings){ 0 });
        struct tls *ours = tls_accept(s);
        struct raw r = raw_client();
        struct error why = { 0 };
        struct tls_facts facts;
        enum tls_step step;

        SSL_set_max_proto_version(r.ssl, TLS1_2_VERSION);
        CHECK(SSL_set_cipher_list(r.ssl, table[i].offered));
        CHECK_OK(raw_shake(&r, ours, &step, &why), &why);
        tls_get_facts(ours, &facts);
        CHECK_TEXT(facts.cipher, table[i].chosen);
        CHECK_EQUAL(facts.version, TLS_1_2);
        CHECK_TEXT(facts.group, "X25519");
        CHECK_ID("STARTTLS-099", SSL_get_extms_support(r.ssl) == 1);
        CHECK_ID("STARTTLS-099", SSL_get_secure_renegotiation_support(r.ssl) == 1);
        CHECK_ID("STARTTLS-100", SSL_get_current_compression(r.ssl) == NULL);
        raw_done(&r);
        tls_free(ours);
        tls_server_free(s);
    }
}

TEST(weak_suites_are_never_agreed_whatever_the_operator_lists)
{
    static const char *const weak[] = {
        "eNULL", "aNULL", "NULL-SHA256", "ECDHE-RSA-NULL-SHA", "ADH-AES256-GCM-SHA384", "AECDH-AES256-SHA",
        "PSK-AES256-CBC-SHA",
    };

    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
        struct tls_server_settings settings = {
            .ciphers = "ALL:COMPLEMENTOFALL", .minimum = i % 2 ? TLS_1_0 : TLS_1_2,
        };
        struct tls_server *s = new_server(settings);
        struct tls *ours = tls_accept(s);
        struct raw r = raw_client();
        struct error why = { 0 };
        enum tls_step step;

        SSL_set_max_proto_version(r.ssl, TLS1_2_VERSION);
        CHECK(SSL_set_cipher_list(r.ssl, weak[i]));
        CHECK_ID("STARTTLS-096", !raw_shake(&r, ours, &step, &why));
        raw_done(&r);
        tls_free(ours);
        tls_server_free(s);
    }
}

TEST(without_a_common_suite_the_error_says_so)
{
    struct tls_server *s = new_server((struct tls_server_settings){ 0 });
    struct tls *ours = tls_accept(s);
    struct raw r = raw_client();
    struct error why = { 0 };
    enum tls_step step;

    SSL_set_max_proto_version(r.ssl, TLS1_2_VERSION);
    CHECK(SSL_set_cipher_list(r.ssl, "AES128-SHA"));
    CHECK_ID("STARTTLS-096", !raw_shake(&r, ours, &step, &why));
    CHECK_TEXT(why.text, "TLS handshake failed: no shared cipher");
    raw_done(&r);
    tls_free(ours);
    tls_server_free(s);
}

/* Not even where old versions are allowed, for those who speak TLS 1.2. */
TEST(sha_1_signatures_are_not_made_in_tls_1_2)
{
    for (enum tls_version least = TLS_1_0; least <= TLS_1_2; least++) {
        struct tls_server *s = new_server((struct tls_server_settings){ .minimum = least });
        struct tls *ours = tls_accept(s);
        struct raw r = raw_client();
        struct error why = { 0 };
        enum tls_step step;

        SSL_set_max_proto_version(r.ssl, TLS1_2_VERSION);
        CHECK(SSL_set1_sigalgs_list(r.ssl, "RSA+SHA1:ECDSA+SHA1"));
        CHECK_ID("STARTTLS-098", !raw_shake(&r, ours, &step, &why));
        raw_done(&r);
        tls_free(ours);
        tls_server_free(s);
    }
}

/* Handshakes of our client with a bare server that knows one thing only. */
static bool client_accepts(const char *ciphers, int version, const char *groups, struct tls_facts *facts,
                           struct error *why)
{
    struct tls_client *c = new_client((struct tls_client_settings){ 0 });
    struct tls_want want = { .client = c };
    struct raw r = raw_server(rsa().chain_file, rsa().key_file);
    enum tls_step step;
    struct tls *ours = tls_connect(&want, why);
    bool done;

    SSL_set_max_proto_version(r.ssl, version);
    CHECK(!ciphers || SSL_set_cipher_list(r.ssl, ciphers));
    CHECK(!groups || SSL_set1_groups_list(r.ssl, groups));
    done = raw_shake(&r, ours, &step, why);
    if (done)
        tls_get_facts(ours, facts);
    raw_done(&r);
    tls_free(ours);
    tls_client_free(c);
    return done;
}

TEST(a_client_takes_weaker_encryption_rather_than_none)
{
    struct tls_facts facts;
    struct error why = { 0 };

    CHECK_ID("STARTTLS-107", client_accepts("ECDHE-RSA-AES256-SHA", TLS1_2_VERSION, NULL, &facts, &why));
    CHECK_TEXT(facts.cipher, "ECDHE-RSA-AES256-SHA");
    CHECK_ID("STARTTLS-107", client_accepts("AES128-SHA", TLS1_2_VERSION, NULL, &facts, &why));
    CHECK_TEXT(facts.cipher, "AES128-SHA");
    CHECK_EQUAL(facts.cipher_bits, 128);
    CHECK_TEXT(facts.group, "");
    CHECK_TEXT(facts.key, "RSA 2048");
    CHECK(client_accepts(NULL, TLS1_3_VERSION, "P-256", &facts, &why));
    CHECK_TEXT(facts.group, "P-256");
    CHECK(client_accepts(NULL, TLS1_3_VERSION, "P-384", &facts, &why));
    CHECK_TEXT(facts.group, "P-384");
}

TEST(a_client_never_takes_what_is_as_good_as_none)
{
    struct tls_facts facts;
    struct error why = { 0 };

    CHECK_ID("STARTTLS-096", !client_accepts("eNULL", TLS1_2_VERSION, NULL, &facts, &why));
    CHECK_ID("STARTTLS-096", !client_accepts("ADH-AES128-SHA", TLS1_2_VERSION, NULL, &facts, &why));
    CHECK_ID("STARTTLS-096", !client_accepts("DHE-RSA-AES128-SHA", TLS1_2_VERSION, NULL, &facts, &why));
    CHECK_TEXT(why.text, "TLS handshake failed: peer sent alert handshake failure");
    CHECK_ID("STARTTLS-098", !client_accepts(NULL, TLS1_3_VERSION, "P-521", &facts, &why));
}

TEST(early_data_is_not_taken)
{
    struct tls_server *s = new_server((struct tls_server_settings){ .tickets = true });
    struct raw r = raw_client();
    struct tls *ours = tls_accept(s);
    struct error why = { 0 };
    enum tls_step step;
    SSL_SESSION *session;

    CHECK_OK(raw_shake(&r, ours, &step, &why), &why);
    CHECK_EQUAL(SSL_read(r.ssl, &(char){ 0 }, 1), -1);      /* takes the ticket */
    session = SSL_get1_session(r.ssl);
    CHECK(SSL_SESSION_is_resumable(session));
    CHECK_ID("STARTTLS-100", SSL_SESSION_get_max_early_data(session) == 0);
    SSL_SESSION_free(session);
    tls_free(ours);
    raw_done(&r);
    tls_server_free(s);
}

TEST(groups_and_suites_of_the_operator_are_obeyed)
{
    struct tls_facts client, server;
    struct tls_server_settings settings = { .groups = "P-384", .suites = "TLS_CHACHA20_POLY1305_SHA256" };

    CHECK(shake(settings, (struct tls_client_settings){ 0 }, &client, &server));
    CHECK_TEXT(client.group, "P-384");
    CHECK_TEXT(server.group, "P-384");
    CHECK_TEXT(client.cipher, "TLS_CHACHA20_POLY1305_SHA256");
    CHECK(!shake(settings, (struct tls_client_settings){ .suites = "TLS_AES_128_GCM_SHA256" }, &client, &server));
    CHECK(!shake(settings, (struct tls_client_settings){ .groups = "X25519" }, &client, &server));
}

TEST(a_server_may_be_freed_while_its_sessions_shake_hands)
{
    struct tls_server *s = new_server((struct tls_server_settings){ .tickets = true });
    struct tls_client *c = new_client((struct tls_client_settings){ 0 });
    struct tls_want want = { .client = c, .server_name = "mx.example.org" };
    struct error why = { 0 };
    struct pair p = pair_of(tls_connect(&want, &why), tls_accept(s));

    tls_server_free(s);
    tls_client_free(c);
    CHECK(pair_shake(&p, 100));
    pair_done(&p);
}

TEST(releases_take_null)
{
    tls_free(NULL);
    tls_server_free(NULL);
    tls_client_free(NULL);
}

/* Facts, counted: nothing of use is lost on the way, and another rule can be tried on them. */
#include "tests/test.h"

#include "fact/digest.h"

#include <stdlib.h>

static const struct tls_rule may = { .level = TLS_LEVEL_MAY }, encrypt = { .level = TLS_LEVEL_ENCRYPT },
    verify = { .level = TLS_LEVEL_VERIFY }, dane_only = { .level = TLS_LEVEL_DANE_ONLY };
static const struct decide_settings settings;

static struct fact a_fact(const struct tls_facts *tls, enum dane_finding dane)
{
    const struct decide_input input = { .dane = dane, .sts = STS_NONE, .authentic = true, .tlsa_usable = dane == DANE_AUTH };

    return (struct fact){ .next_hop = "example.net", .host = "mx.example.net", .relay = "mx.example.net[192.0.2.7]:25",
        .decision = decide(&may, &settings, &input, NULL), .why = "", .tls = tls, .messages = 1 };
}

static struct fact_digest through(const struct fact *f, struct arena *arena)
{
    auto_buf struct buf bytes = { 0 };
    struct fact_digest d;

    buf_init(&bytes, 4096);
    fact_digest_encode(f, &bytes);
    CHECK(!bytes.failed);
    CHECK(fact_digest_decode(buf_slice(&bytes), arena, &d));
    return d;
}

TEST(a_digest_keeps_what_a_later_question_needs)
{
    auto_arena struct arena arena = { 0 };
    struct tls_facts tls = { .version = TLS_1_3, .trust = TLS_TRUST_PKIX, .name_matches = true, .dane = TLS_DANE_MATCH };
    struct fact f = a_fact(&tls, DANE_AUTH);
    struct fact_digest d;

    arena_init(&arena, 4096);
    f.keyword = true;
    d = through(&f, &arena);
    CHECK_TEXT(d.next_hop, "example.net");
    CHECK_TEXT(d.host, "mx.example.net");
    CHECK(d.level == TLS_LEVEL_MAY && d.input.dane == DANE_AUTH && d.input.authentic && d.input.tlsa_usable);
    CHECK(d.encrypted && d.keyword && d.tls.version == TLS_1_3 && d.tls.trust == TLS_TRUST_PKIX);
    CHECK(d.tls.name_matches && !d.tls.common_name_matches && d.tls.dane == TLS_DANE_MATCH && d.how == E_NONE);
}

TEST(what_ended_an_attempt_is_kept_by_name)
{
    auto_arena struct arena arena = { 0 };

    arena_init(&arena, 1024 * 1024);
    for (int code = E_NONE; code < E_COUNT; code++) {
        struct fact f = a_fact(NULL, DANE_NONE);
        struct fact_digest d;

        f.how = (enum error_code)code;
        d = through(&f, &arena);
        CHECK(d.how == f.how && !d.encrypted);
    }
}

TEST(a_stricter_rule_is_tried_on_what_was_seen)
{
    auto_arena struct arena arena = { 0 };
    struct tls_facts self_signed = { .version = TLS_1_2, .trust = TLS_TRUST_UNTRUSTED, .self_signed = true };
    struct tls_facts good = { .version = TLS_1_3, .trust = TLS_TRUST_PKIX, .name_matches = true };
    struct fact facts[] = { a_fact(NULL, DANE_NONE), a_fact(&self_signed, DANE_NONE), a_fact(&good, DANE_NONE) };
    const struct { const struct tls_rule *rule; bool pass[3]; } rows[] = {
        { &may, { true, true, true } }, { &encrypt, { false, true, true } }, { &verify, { false, false, true } },
        { &dane_only, { false, false, false } },
    };

    arena_init(&arena, 65536);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t n = 0; n < 3; n++) {
            struct fact_digest d = through(&facts[n], &arena);
            struct error why = { 0 };

            CHECK(fact_digest_would_pass(&d, rows[i].rule, &settings, &why) == rows[i].pass[n]);
            CHECK((why.code != E_NONE) == !rows[i].pass[n]);
        }
    }
}

TEST(what_is_no_digest_is_refused)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf bytes = { 0 };
    struct fact f = a_fact(NULL, DANE_NONE);
    struct fact_digest d;

    arena_init(&arena, 1024 * 1024);
    buf_init(&bytes, 4096);
    fact_digest_encode(&f, &bytes);
    for (size_t cut = 0; cut < buf_len(&bytes); cut++)
        CHECK(!fact_digest_decode(slice_first(buf_slice(&bytes), cut), &arena, &d));
    buf_byte(&bytes, '\0');
    CHECK(!fact_digest_decode(buf_slice(&bytes), &arena, &d));
}

TEST(keys_begin_with_their_kind_and_those_of_one_next_hop_stand_together)
{
    const struct fact f = a_fact(NULL, DANE_NONE);
    auto_buf struct buf bytes = { 0 };
    const char start[] = "\x02\x0b" "example.net\x0e" "mx.example.net";

    buf_init(&bytes, 4096);
    fact_digest_encode(&f, &bytes);
    CHECK(slice_starts(buf_slice(&bytes), slice(start, sizeof start - 1)));
}

TEST(a_digest_keeps_key_exchange_cipher_and_what_was_wrong_with_the_certificate)
{
    auto_arena struct arena arena = { 0 };
    const struct tls_facts tls = { .version = TLS_1_2, .group = "P-256", .cipher = "ECDHE-RSA-AES128-GCM-SHA256",
                                   .trust = TLS_TRUST_UNTRUSTED, .trust_problem = "self-signed certificate", .self_signed = true };
    const struct fact f = a_fact(&tls, DANE_NONE);
    struct fact_digest d;

    arena_init(&arena, 4096);
    d = through(&f, &arena);
    CHECK_TEXT(d.tls.group, "P-256");
    CHECK_TEXT(d.tls.cipher, "ECDHE-RSA-AES128-GCM-SHA256");
    CHECK_TEXT(d.tls.trust_problem, "self-signed certificate");
    CHECK(d.tls.self_signed && d.tls.trust == TLS_TRUST_UNTRUSTED && d.authentication == AUTHENTICATED_NOT);
}

/* A table of the four sources; what logs call it is told beside it. */
TEST(how_the_other_side_proved_who_it_is_is_kept)
{
    static const char *const names[] = { "mx.example.net" };
    static const struct tls_rule by_name = { .level = TLS_LEVEL_VERIFY, .names = names, .name_count = 1 };
    const struct tls_facts good = { .version = TLS_1_3, .trust = TLS_TRUST_PKIX, .name_matches = true, .listed_name = true },
                           self_signed = { .version = TLS_1_3, .trust = TLS_TRUST_UNTRUSTED },
                           matched = { .version = TLS_1_3, .trust = TLS_TRUST_UNTRUSTED, .dane = TLS_DANE_MATCH };
    const struct {
        const struct tls_rule *rule;
        enum dane_finding dane;
        enum sts_finding sts;
        const struct tls_facts *tls;
        enum authentication wanted;
        const char *verdict;
    } rows[] = {
        { &may, DANE_NONE, STS_NONE, NULL, AUTHENTICATED_NOT, "none" },
        { &may, DANE_NONE, STS_NONE, &self_signed, AUTHENTICATED_NOT, "encrypted" },
        { &may, DANE_NONE, STS_NONE, &good, AUTHENTICATED_PKIX, "trusted" },
        { &may, DANE_AUTH_INSECURE, STS_NONE, &matched, AUTHENTICATED_PKIX, "trusted" },
        { &may, DANE_AUTH, STS_NONE, &matched, AUTHENTICATED_DANE, "verified" },
        { &may, DANE_AUTH, STS_NONE, &self_signed, AUTHENTICATED_NOT, "encrypted" },
        { &may, DANE_NONE, STS_ENFORCE_MATCH, &good, AUTHENTICATED_STS, "verified" },
        { &may, DANE_NONE, STS_TEST_MATCH, &good, AUTHENTICATED_PKIX, "trusted" },
        { &by_name, DANE_NONE, STS_NONE, &good, AUTHENTICATED_OPERATOR, "verified" },
    };
    auto_arena struct arena arena = { 0 };

    arena_init(&arena, 65536);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct decide_input input = { .dane = rows[i].dane, .sts = rows[i].sts };
        struct fact f = a_fact(rows[i].tls, DANE_NONE);

        f.decision = decide(rows[i].rule, &settings, &input, NULL);
        CHECK_TEXT(verdict_name(&f.decision, f.tls), rows[i].verdict);
        CHECK_EQUAL(through(&f, &arena).authentication, rows[i].wanted);
    }
}

TEST(beyond_a_days_bound_where_to_is_forgotten_and_nothing_else)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf one = { 0 }, other = { 0 };
    struct tls_facts tls = { .version = TLS_1_3, .group = "X25519", .cipher = "TLS_AES_256_GCM_SHA384", .trust = TLS_TRUST_PKIX,
                             .name_matches = true };
    struct fact f = a_fact(&tls, DANE_NONE);
    struct fact_digest d;

    arena_init(&arena, 4096);
    buf_init(&one, 4096);
    buf_init(&other, 4096);
    fact_digest_rest(&f, &one);
    f.next_hop = "example.com";
    f.host = "mail.example.com";
    snprintf(tls.cipher, sizeof tls.cipher, "TLS_CHACHA20_POLY1305_SHA256");
    fact_digest_rest(&f, &other);
    CHECK(slice_equal(buf_slice(&one), buf_slice(&other)));
    CHECK(fact_digest_decode(buf_slice(&one), &arena, &d));
    CHECK_TEXT(d.next_hop, "(others)");
    CHECK_TEXT(d.tls.group, "X25519");
    CHECK(d.host[0] == '\0' && d.tls.cipher[0] == '\0' && d.encrypted && d.authentication == AUTHENTICATED_PKIX);
}

/* Digests of the first layout are on disks: they began with 1. */
TEST(keys_of_another_layout_are_passed_over)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf bytes = { 0 };
    const struct fact f = a_fact(NULL, DANE_NONE);
    struct fact_digest d;

    arena_init(&arena, 4096);
    buf_init(&bytes, 4096);
    buf_u8(&bytes, 1);
    fact_digest_encode(&f, &bytes);
    CHECK(!fact_digest_decode(buf_slice(&bytes), &arena, &d));
    CHECK(!fact_digest_decode(SLICE(""), &arena, &d));
}

TEST(names_that_are_too_long_are_cut_and_the_key_stays_within_its_bound)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf bytes = { 0 };
    char name[1001] = "";
    struct fact f = a_fact(NULL, DANE_NONE);
    struct fact_digest d;

    arena_init(&arena, 4096);
    memset(name, 'a', sizeof name - 1);
    f.next_hop = f.host = name;
    buf_init(&bytes, 2048);
    fact_digest_encode(&f, &bytes);
    CHECK(!bytes.failed && fact_digest_decode(buf_slice(&bytes), &arena, &d));
    CHECK_EQUAL(strlen(d.next_hop), 255);
}

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

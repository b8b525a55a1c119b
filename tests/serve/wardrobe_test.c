/* Our certificates, and what is remembered of them. */
#include "serve/wardrobe.h"

#include "base/memory.h"
#include "tests/test.h"
#include "tests/tls/certs.h"

static struct tls_identity identity(const char *file, const struct cert_wish *wish)
{
    struct cert *c = cert_make(wish, NULL);
    char key_file[64];
    struct tls_identity id = { .chain_file = cert_file(file, c, NULL) };

    snprintf(key_file, sizeof key_file, "%s.key", file);
    id.key_file = cert_key_file(key_file, c);
    cert_free(c);
    return id;
}

static struct wardrobe_piece piece(char c, time_ms seen)
{
    struct wardrobe_piece p = { .seen = seen, .not_before = seen - 5, .not_after = seen + DAYS(90) };

    memset(p.fingerprint, c, 64);
    memset(p.key_fingerprint, '0', 64);
    return p;
}

static struct slice bytes_of(const struct wardrobe_history *h)
{
    static struct buf out;

    buf_done(&out);
    buf_init(&out, NOTE_VALUE_MAX);
    wardrobe_history_encode(h, &out);
    CHECK(!out.failed);
    return buf_slice(&out);
}

/* --- those in force -------------------------------------------------------------- */

TEST(each_certificate_is_known_by_its_first_name_and_what_it_says)
{
    struct cert_wish wish = { .dns = { "mx.example.org", "mx2.example.org" }, .from = 1700000000000, .until = 1800000000000 };
    struct cert *c = cert_make(&wish, NULL);
    struct tls_identity id = { cert_file("one.pem", c, NULL), cert_key_file("one.key", c) };
    struct error why = { 0 };
    struct wardrobe *w = wardrobe_new(&id, 1, &why);
    char fingerprint[65];

    CHECK_OK(w, &why);
    CHECK_EQUAL(w->count, 1);
    cert_fingerprint(c, fingerprint);
    CHECK_TEXT(w->items[0].name, "mx.example.org");
    CHECK_TEXT(w->items[0].file, id.chain_file);
    CHECK_TEXT(w->items[0].own.key, "ECDSA P-256");
    CHECK_TEXT(w->items[0].own.fingerprint, fingerprint);
    CHECK(strlen(w->items[0].own.key_fingerprint) == 64 && strcmp(w->items[0].own.key_fingerprint, fingerprint) != 0);
    CHECK(w->items[0].own.not_before == 1700000000000 && w->items[0].own.not_after == 1800000000000);
    wardrobe_free(w);
    cert_free(c);
}

TEST(certificates_of_one_name_are_told_apart)
{
    struct tls_identity ids[] = {
        identity("a.pem", &(struct cert_wish){ .dns = { "mx.example.org" } }),
        identity("b.pem", &(struct cert_wish){ .dns = { "mx.example.org" }, .key = CERT_RSA_2048 }),
        identity("c.pem", &(struct cert_wish){ .dns = { "mx.example.org" }, .key = CERT_RSA_2048 }),
        identity("d.pem", &(struct cert_wish){ .common_name = "mx.example.net" }),
        identity("e.pem", &(struct cert_wish){ .common_name = "" }),
    };
    struct error why = { 0 };
    struct wardrobe *w = wardrobe_new(ids, 5, &why);

    CHECK_OK(w, &why);
    CHECK_TEXT(w->items[0].name, "mx.example.org");
    CHECK_TEXT(w->items[1].name, "mx.example.org (RSA 2048)");
    CHECK_TEXT(w->items[2].name, "mx.example.org (RSA 2048, 2)");
    CHECK_TEXT(w->items[3].name, "mx.example.net");
    CHECK_TEXT(w->items[4].name, "(no name)");
    wardrobe_free(w);
}

TEST(a_certificate_that_cannot_be_read_is_an_error)
{
    struct tls_identity ids[] = { identity("f.pem", &(struct cert_wish){ .dns = { "mx.example.org" } }),
                                  { "/nonexistent.pem", "/nonexistent.key" } };
    struct error why = { 0 };

    CHECK(!wardrobe_new(ids, 2, &why));
    CHECK(why.code == E_TLS_SETUP && strstr(why.text, "/nonexistent.pem"));
    wardrobe_free(NULL);
}

/* --- history ---------------------------------------------------------------------- */

TEST(only_another_certificate_makes_history)
{
    struct wardrobe_history h = { 0 };
    struct wardrobe_piece a = piece('a', 1000), b = piece('b', 2000), again = piece('a', 3000);

    CHECK(wardrobe_history_add(&h, &a));
    CHECK(!wardrobe_history_add(&h, &again) && h.count == 1 && h.at[0].seen == 1000);
    CHECK(wardrobe_history_add(&h, &b) && h.count == 2);
    CHECK(!wardrobe_history_add(&h, &b));
    CHECK(wardrobe_history_add(&h, &again) && h.count == 3 && h.at[2].seen == 3000);
}

TEST(a_full_history_loses_its_oldest)
{
    struct wardrobe_history h = { 0 }, back;

    for (int i = 0; i < 100; i++) {
        struct wardrobe_piece p = piece(i % 2 ? 'a' : 'b', 1000 + i);

        CHECK(wardrobe_history_add(&h, &p));
    }
    CHECK(h.count == WARDROBE_PIECES_MAX && h.at[0].seen == 1100 - WARDROBE_PIECES_MAX && h.at[h.count - 1].seen == 1099);
    CHECK(wardrobe_history_decode(bytes_of(&h), &back));
    CHECK(back.count == h.count && memcmp(back.at, h.at, sizeof h.at) == 0);
}

TEST(a_history_is_read_as_it_was_written)
{
    struct wardrobe_history h = { 0 }, back;
    struct wardrobe_piece a = piece('a', 10000), b = piece('f', 20000);

    CHECK(wardrobe_history_decode(bytes_of(&h), &back) && back.count == 0);
    b.key_fingerprint[0] = '\0';
    wardrobe_history_add(&h, &a);
    wardrobe_history_add(&h, &b);
    CHECK(wardrobe_history_decode(bytes_of(&h), &back));
    CHECK(back.count == 2 && back.at[1].seen == 20000 && back.at[1].not_after == 20000 + DAYS(90));
    CHECK(back.at[0].not_before == 9995);
    CHECK_TEXT(back.at[0].fingerprint, a.fingerprint);
    CHECK_TEXT(back.at[1].key_fingerprint, "");
}

static bool decodes_with(size_t at, char byte)
{
    struct wardrobe_history h = { 0 }, back;
    struct wardrobe_piece a = piece('a', 10000);
    auto_free char *copy = NULL;
    struct slice whole;

    wardrobe_history_add(&h, &a);
    whole = bytes_of(&h);
    copy = memory_text(whole);
    copy[at] = byte;
    return wardrobe_history_decode(slice(copy, whole.len), &back);
}

TEST(what_is_no_history_is_refused)
{
    struct wardrobe_history h = { 0 }, back;
    struct wardrobe_piece a = piece('a', 10000);
    struct slice whole;

    wardrobe_history_add(&h, &a);
    whole = bytes_of(&h);
    for (size_t i = 0; i < whole.len; i++)
        CHECK(!wardrobe_history_decode(slice_first(whole, i), &back));
    CHECK(decodes_with(0, 1));
    CHECK(!decodes_with(0, 2));                                 /* another format */
    CHECK(!decodes_with(1, 2) && !decodes_with(1, 0));          /* pieces that are not there, or not announced */
    CHECK(!decodes_with(1, WARDROBE_PIECES_MAX + 1));
    CHECK(!decodes_with(2, (char)0x80));                        /* a time out of this world */
    CHECK(!decodes_with(29, 63) && !decodes_with(30, 'g'));     /* no fingerprint */
}

/* A chain under TLSA records: what matches, what does not, and that PKIX is another question. */
#include "tests/tls/meet.h"
#include "tests/test.h"

#include <openssl/evp.h>

#define HOST "mx.example.org"

/* What most tests show: a good leaf below the known intermediate. */
static const struct cert *leaf(void)
{
    static struct cert *c;

    if (!c)
        c = cert_make(&(struct cert_wish){ .dns = { HOST } }, meet_between());
    return c;
}

/* Its own issuer, known to nobody. */
static const struct cert *own(void)
{
    static struct cert *c;

    if (!c)
        c = cert_make(&(struct cert_wish){ .dns = { HOST } }, NULL);
    return c;
}

/* An authority that the client does not know. */
static const struct cert *stranger(void)
{
    static struct cert *c;

    if (!c)
        c = cert_make(&(struct cert_wish){ .common_name = "Stranger", .is_ca = true }, NULL);
    return c;
}

/* `first` and perhaps `second` shown, one record. */
static struct tls_facts meet_record(const struct cert *first, const struct cert *second, struct tlsa r)
{
    return meet(&(struct meeting){ .shown = { first, second }, .check_name = HOST, .dane_names = { HOST },
                                   RECORDS(r) });
}

/* A leaf made for this alone, below an anchor that a record of usage 2 names. */
static struct tls_facts meet_anchored(struct cert_wish wish, const struct cert *issuer)
{
    struct cert *c = cert_make(&wish, issuer);
    struct tls_facts facts = meet_record(c, issuer, tlsa_of(2, 0, 1, issuer));

    cert_free(c);
    return facts;
}

static struct tls_facts meet_pinned(struct cert_wish wish, const struct cert *issuer)
{
    struct cert *c = cert_make(&wish, issuer);
    struct tls_facts facts = meet_record(c, NULL, tlsa_of(3, 1, 1, c));

    cert_free(c);
    return facts;
}

#define CHECK_REFUSES(id, facts, words)                                 \
    do {                                                                \
        struct tls_facts f_ = facts;                                    \
        CHECK_ID(id, f_.dane == TLS_DANE_NO_MATCH);                     \
        CHECK_TEXT(f_.dane_problem, words);                             \
        CHECK_TEXT(f_.dane_record, "");                                 \
    } while (0)

#define UNMATCHED "no TLSA record matches the certificate or what was sent above it"

/* --- not asked ------------------------------------------------------------- */

TEST(without_records_dane_is_not_asked)
{
    struct tls_facts f = meet(&(struct meeting){ .shown = { leaf(), meet_between() }, .dane_names = { HOST } });

    CHECK_EQUAL(f.dane, TLS_DANE_NOT_ASKED);
    CHECK_TEXT(f.dane_record, "");
    CHECK_TEXT(f.dane_problem, "");
    CHECK_EQUAL(f.trust, TLS_TRUST_PKIX);
}

TEST(records_alone_send_no_server_name)
{
    struct meeting m = { .shown = { own() }, RECORDS(tlsa_of(3, 1, 1, own())), .dane_names = { HOST } };

    CHECK_TEXT(meet(&m).server_name, "");
    m.server_name = "base.example.org";
    CHECK_ID("DANE-070", strcmp(meet(&m).server_name, "base.example.org") == 0);
}

/* --- the two questions ------------------------------------------------------ */

/* DANE-071: neither answer stands in for the other. */
TEST(pkix_and_dane_are_answered_apart)
{
    struct tls_facts f = meet_record(leaf(), meet_between(), tlsa_of(3, 1, 1, leaf()));

    CHECK(f.trust == TLS_TRUST_PKIX && f.name_matches && f.dane == TLS_DANE_MATCH);
    CHECK_TEXT(f.trust_problem, "");
    CHECK_TEXT(f.dane_problem, "");

    f = meet_record(leaf(), meet_between(), tlsa_of(3, 1, 1, own()));
    CHECK_ID("DANE-071", f.trust == TLS_TRUST_PKIX && f.name_matches && f.dane == TLS_DANE_NO_MATCH);
    CHECK_TEXT(f.dane_problem, UNMATCHED);

    f = meet_record(own(), NULL, tlsa_of(3, 1, 1, own()));
    CHECK(f.trust == TLS_TRUST_UNTRUSTED && f.name_matches && f.dane == TLS_DANE_MATCH);
    CHECK_TEXT(f.trust_problem, "self-signed certificate");

    f = meet_record(own(), NULL, tlsa_of(3, 1, 1, leaf()));
    CHECK(f.trust == TLS_TRUST_UNTRUSTED && f.name_matches && f.dane == TLS_DANE_NO_MATCH);
}

TEST(an_anchor_of_either_kind_helps_only_its_own_question)
{
    struct cert *strange = cert_make(&(struct cert_wish){ .dns = { HOST } }, stranger());
    struct tls_facts f = meet_record(strange, stranger(), tlsa_of(2, 0, 1, stranger()));

    CHECK(f.trust == TLS_TRUST_UNTRUSTED && f.dane == TLS_DANE_MATCH);
    CHECK_TEXT(f.trust_problem, "self-signed certificate in certificate chain");

    f = meet_record(leaf(), meet_between(), tlsa_of(2, 0, 1, stranger()));
    CHECK(f.trust == TLS_TRUST_PKIX && f.dane == TLS_DANE_NO_MATCH);

    /* RFC 7671 5.2.2: the anchor must be sent; that we know it ourselves does not count. */
    f = meet_record(leaf(), meet_between(), tlsa_of(2, 0, 1, meet_root()));
    CHECK_ID("DANE-064", f.trust == TLS_TRUST_PKIX && f.dane == TLS_DANE_NO_MATCH);
    cert_free(strange);
}

TEST(both_answers_are_there_in_each_version_of_tls)
{
    struct meeting m = { .shown = { own() }, RECORDS(tlsa_of(3, 1, 1, own())), .most = TLS_1_2 };
    struct tls_facts f = meet(&m);

    CHECK_EQUAL(f.version, TLS_1_2);
    CHECK(f.trust == TLS_TRUST_UNTRUSTED && f.dane == TLS_DANE_MATCH);
    m.most = TLS_VERSION_NONE;
    f = meet(&m);
    CHECK_EQUAL(f.version, TLS_1_3);
    CHECK(f.trust == TLS_TRUST_UNTRUSTED && f.dane == TLS_DANE_MATCH);
}

/* --- usage 3 ------------------------------------------------------------------ */

TEST(usage_3_takes_each_selector_and_matching_type)
{
    for (int selector = 0; selector <= 1; selector++) {
        for (int matching = 0; matching <= 2; matching++) {
            struct tlsa r = tlsa_of(3, (uint8_t)selector, (uint8_t)matching, own());

            CHECK_ID("DANE-065", meet_record(own(), NULL, r).dane == TLS_DANE_MATCH);
            CHECK_REFUSES("DANE-065", meet_record(leaf(), NULL, r), UNMATCHED);
        }
    }
}

/* RFC 7671 5.1: names, dates and issuer "MUST be ignored" */
TEST(usage_3_asks_nothing_of_the_leaf_but_to_match)
{
    time_ms now = clock_wall();

    CHECK_ID("DANE-065", meet_pinned((struct cert_wish){ .dns = { HOST }, .from = now - DAYS(9),
                                                         .until = now - DAYS(1) }, NULL).dane == TLS_DANE_MATCH);
    CHECK_ID("DANE-065", meet_pinned((struct cert_wish){ .dns = { HOST }, .from = now + DAYS(1),
                                                         .until = now + DAYS(9) }, NULL).dane == TLS_DANE_MATCH);
    CHECK_ID("DANE-065", meet_pinned((struct cert_wish){ .dns = { "other.example.net" } }, NULL).dane
             == TLS_DANE_MATCH);
    CHECK_ID("DANE-065", meet_pinned((struct cert_wish){ .usage = "clientAuth" }, NULL).dane == TLS_DANE_MATCH);
    CHECK_ID("DANE-065", meet_pinned((struct cert_wish){ .unknown_critical = true }, NULL).dane == TLS_DANE_MATCH);
    CHECK_ID("DANE-065", meet_pinned((struct cert_wish){ .sha1 = true }, stranger()).dane == TLS_DANE_MATCH);
    CHECK_ID("DANE-065", meet_pinned((struct cert_wish){ .is_ca = true }, NULL).dane == TLS_DANE_MATCH);
}

/* The domain itself says that this key is its own. That it is short is a fact
 * of its own (facts.key, facts.trust); refusing it would leave nothing better. */
TEST(usage_3_matches_a_short_key)
{
    struct tls_facts f = meet_pinned((struct cert_wish){ .dns = { HOST }, .key = CERT_RSA_1024 }, NULL);

    CHECK_EQUAL(f.dane, TLS_DANE_MATCH);
    CHECK_TEXT(f.key, "RSA 1024");
    CHECK_EQUAL(f.trust, TLS_TRUST_UNTRUSTED);
}

TEST(a_digest_must_match_to_the_last_bit)
{
    struct tlsa r = tlsa_of(3, 1, 1, own());
    char damaged[32];

    for (size_t i = 0; i < sizeof damaged; i++) {
        memcpy(damaged, r.data.at, sizeof damaged);
        damaged[i] ^= 1;
        CHECK_REFUSES("DANE-065", meet_record(own(), NULL, (struct tlsa){ 3, 1, 1, { damaged, 32 } }), UNMATCHED);
    }
}

TEST(usage_3_never_matches_an_issuer)
{
    for (int selector = 0; selector <= 1; selector++) {
        for (int matching = 0; matching <= 2; matching++) {
            struct tlsa r = tlsa_of(3, (uint8_t)selector, (uint8_t)matching, meet_between());

            CHECK_REFUSES("DANE-067", meet_record(leaf(), meet_between(), r), UNMATCHED);
        }
    }
}

/* --- usage 2 ------------------------------------------------------------------- */

TEST(usage_2_takes_each_selector_and_matching_type_of_any_issuer)
{
    const struct cert *anchors[] = { meet_between(), meet_root() };

    for (int i = 0; i < 12; i++) {
        struct tlsa r = tlsa_of(2, i % 2, (uint8_t)(i / 2 % 3), anchors[i / 6]);
        struct meeting m = { .shown = { leaf(), meet_between(), meet_root() }, .dane_names = { HOST }, RECORDS(r) };

        CHECK_ID("DANE-064", meet(&m).dane == TLS_DANE_MATCH);
    }
}

TEST(usage_2_needs_the_anchor_sent_unless_the_record_holds_it)
{
    CHECK_REFUSES("DANE-064", meet_record(leaf(), NULL, tlsa_of(2, 0, 1, meet_between())), UNMATCHED);
    CHECK_REFUSES("DANE-064", meet_record(leaf(), NULL, tlsa_of(2, 1, 2, meet_between())), UNMATCHED);
    CHECK_ID("DANE-064", meet_record(leaf(), NULL, tlsa_of(2, 0, 0, meet_between())).dane == TLS_DANE_MATCH);
    CHECK_ID("DANE-064", meet_record(leaf(), NULL, tlsa_of(2, 1, 0, meet_between())).dane == TLS_DANE_MATCH);
    CHECK_ID("DANE-064", meet_record(leaf(), meet_between(), tlsa_of(2, 0, 0, meet_root())).dane == TLS_DANE_MATCH);
    CHECK_ID("DANE-064", meet_record(leaf(), meet_between(), tlsa_of(2, 1, 0, meet_root())).dane == TLS_DANE_MATCH);

    /* With a link missing in between even those are of no use. */
    CHECK_REFUSES("DANE-064", meet_record(leaf(), NULL, tlsa_of(2, 0, 0, meet_root())), UNMATCHED);
    CHECK_REFUSES("DANE-064", meet_record(leaf(), NULL, tlsa_of(2, 1, 0, meet_root())), UNMATCHED);
}

/* DANE-067, also where the leaf is its own issuer; see is_leaf_itself() in dane.c. */
TEST(usage_2_never_matches_the_leaf)
{
    struct cert *authority = cert_make(&(struct cert_wish){ .dns = { HOST }, .is_ca = true, .usage = "serverAuth" },
                                       NULL);

    for (int i = 0; i < 6; i++) {
        uint8_t selector = i % 2, matching = (uint8_t)(i / 2);

        CHECK_REFUSES("DANE-067", meet_record(leaf(), meet_between(), tlsa_of(2, selector, matching, leaf())),
                      UNMATCHED);
        CHECK_REFUSES("DANE-067", meet_record(own(), NULL, tlsa_of(2, selector, matching, own())), UNMATCHED);
        CHECK_REFUSES("DANE-067", meet_record(own(), own(), tlsa_of(2, selector, matching, own())), UNMATCHED);
        CHECK_REFUSES("DANE-067", meet_record(authority, NULL, tlsa_of(2, selector, matching, authority)), UNMATCHED);
        CHECK_REFUSES("DANE-067", meet_record(authority, authority, tlsa_of(2, selector, matching, authority)),
                      UNMATCHED);
    }
    cert_free(authority);
}

/* PD-E09 */
TEST(an_anchored_chain_may_have_expired)
{
    time_ms now = clock_wall();
    struct cert_wish old = { .dns = { HOST }, .from = now - DAYS(9), .until = now - DAYS(1) };
    struct cert_wish young = { .dns = { HOST }, .from = now + DAYS(1), .until = now + DAYS(9) };
    struct cert_wish old_ca = { .common_name = "Old", .is_ca = true, .from = old.from, .until = old.until };
    struct tls_facts f = meet_anchored(old, meet_between());
    struct cert *below, *middle;

    CHECK_ID("PD-E09", f.dane == TLS_DANE_EXPIRED);
    CHECK_TEXT(f.dane_problem, "certificate has expired");
    CHECK(strncmp(f.dane_record, "2 0 1 ", 6) == 0);
    f = meet_anchored(young, meet_between());
    CHECK_ID("PD-E07", f.dane == TLS_DANE_NO_MATCH);
    CHECK_TEXT(f.dane_problem, "certificate is not yet valid");

    /* Between leaf and anchor. */
    middle = cert_make(&old_ca, stranger());
    below = cert_make(&(struct cert_wish){ .dns = { HOST } }, middle);
    f = meet(&(struct meeting){ .shown = { below, middle, stranger() }, .dane_names = { HOST },
                                RECORDS(tlsa_of(2, 1, 1, stranger())) });
    CHECK_ID("PD-E09", f.dane == TLS_DANE_EXPIRED);
    cert_free(below);
    cert_free(middle);
}

TEST(the_clock_that_counts_for_dane_is_ours)
{
    struct meeting m = { .shown = { leaf(), meet_between() }, .dane_names = { HOST },
                         RECORDS(tlsa_of(2, 0, 1, meet_between())) };

    CHECK_EQUAL(meet(&m).dane, TLS_DANE_MATCH);
    clock_freeze(clock_wall() + DAYS(400));
    CHECK_EQUAL(meet(&m).dane, TLS_DANE_EXPIRED);
    clock_thaw();
}

/* DANE-064: one bad chain for each rule, with the anchor in place. */
TEST(every_rule_for_chains_is_kept_below_an_anchor)
{
    struct cert_wish good = { .dns = { HOST } }, wish = good;
    struct cert *no_ca = cert_make(&(struct cert_wish){ .common_name = "No CA" }, meet_root());
    struct cert *narrow = cert_make(&(struct cert_wish){ .common_name = "Narrow", .is_ca = true,
                                                         .name_constraints = "permitted;DNS:example.net" }, NULL);
    struct cert *impostor = cert_make(&(struct cert_wish){ .common_name = "Stranger", .is_ca = true }, NULL);
    struct cert *forged = cert_make(&good, impostor);

    CHECK_EQUAL(meet_anchored(good, stranger()).dane, TLS_DANE_MATCH);
    CHECK_REFUSES("DANE-064", meet_anchored(good, no_ca), "invalid CA certificate");
    CHECK_REFUSES("DANE-064", meet_anchored(good, narrow), "permitted subtree violation");
    CHECK_REFUSES("DANE-064", meet_record(forged, stranger(), tlsa_of(2, 0, 1, stranger())),
                  "certificate signature failure");
    CHECK_REFUSES("DANE-064", meet_record(forged, NULL, tlsa_of(2, 1, 0, stranger())), UNMATCHED);
    wish.usage = "clientAuth";
    CHECK_REFUSES("DANE-064", meet_anchored(wish, stranger()), "unsuitable certificate purpose");
    wish = good;
    wish.unknown_critical = true;
    CHECK_REFUSES("DANE-064", meet_anchored(wish, stranger()), "unhandled critical extension");

    /* Whoever can forge an issuer's signature is as good as the issuer. */
    wish = good;
    wish.sha1 = true;
    CHECK_REFUSES("DANE-064", meet_anchored(wish, stranger()), "CA signature digest algorithm too weak");
    wish = good;
    wish.key = CERT_RSA_1024;
    CHECK_REFUSES("DANE-064", meet_anchored(wish, stranger()), "EE certificate key too weak");
    cert_free(no_ca);
    cert_free(narrow);
    cert_free(impostor);
    cert_free(forged);
}

TEST(a_path_longer_than_the_anchor_allows_is_refused)
{
    struct cert_wish narrow_wish = { .common_name = "Narrow", .is_ca = true, .basic = "critical,CA:TRUE,pathlen:0" };
    struct cert *narrow = cert_make(&narrow_wish, NULL);
    struct cert *last = cert_make(&(struct cert_wish){ .common_name = "One too many", .is_ca = true }, narrow);
    struct cert *below = cert_make(&(struct cert_wish){ .dns = { HOST } }, last);
    struct meeting m = { .shown = { below, last, narrow }, .dane_names = { HOST }, RECORDS(tlsa_of(2, 0, 1, narrow)) };

    CHECK_REFUSES("DANE-064", meet(&m), "path length constraint exceeded");
    cert_free(narrow);
    cert_free(last);
    cert_free(below);
}

/* --- several records -------------------------------------------------------------- */

TEST(one_record_that_matches_is_enough)
{
    struct meeting m = { .shown = { leaf(), meet_between() }, .dane_names = { HOST },
                         RECORDS(tlsa_of(3, 1, 1, own()), tlsa_of(2, 0, 1, stranger()), tlsa_of(3, 0, 1, own()),
                                 tlsa_of(3, 1, 1, leaf())) };
    struct tls_facts f = meet(&m);

    CHECK_ID("DANE-066", f.dane == TLS_DANE_MATCH);
    CHECK(strncmp(f.dane_record, "3 1 1 ", 6) == 0);
    m.dane_count--;
    CHECK_ID("DANE-066", meet(&m).dane == TLS_DANE_NO_MATCH);
}

/* Spec: usage 3 before usage 2, whatever their order. */
TEST(usage_3_saves_what_usage_2_would_refuse)
{
    struct cert *c = cert_make(&(struct cert_wish){ .dns = { "other.example.net" } }, meet_between());
    struct meeting m = { .shown = { c, meet_between() }, .dane_names = { HOST },
                         RECORDS(tlsa_of(2, 0, 1, meet_between()), tlsa_of(3, 0, 2, c)) };

    CHECK_EQUAL(meet(&m).dane, TLS_DANE_MATCH);
    m.dane_count = 1;
    CHECK_EQUAL(meet(&m).dane, TLS_DANE_NAME);
    cert_free(c);
}

TEST(sixty_records_are_read)
{
    struct tlsa all[60];
    struct meeting m = { .shown = { leaf(), meet_between() }, .dane_names = { HOST }, .dane = all, .dane_count = 60 };

    for (int i = 0; i < 60; i++)
        all[i] = tlsa_of(2 + i % 2, i / 2 % 2, (uint8_t)(i / 4 % 3), own());
    CHECK_EQUAL(meet(&m).dane, TLS_DANE_NO_MATCH);
    all[59] = tlsa_of(3, 0, 0, leaf());
    CHECK_EQUAL(meet(&m).dane, TLS_DANE_MATCH);
    all[59] = tlsa_of(2, 1, 0, meet_between());
    CHECK_EQUAL(meet(&m).dane, TLS_DANE_MATCH);
}

/* A domain could make us verify signatures for half a second: only the first 32 of this kind count. */
TEST(a_host_of_bare_keys_is_cut_short)
{
    struct tlsa all[40];
    struct meeting m = { .shown = { leaf() }, .dane_names = { HOST }, .dane = all, .dane_count = 40 };

    for (int i = 0; i < 40; i++)
        all[i] = tlsa_of(2, 1, 0, i == 31 ? meet_between() : stranger());
    CHECK_EQUAL(meet(&m).dane, TLS_DANE_MATCH);
    all[31] = all[0];
    all[32] = tlsa_of(2, 1, 0, meet_between());
    CHECK_EQUAL(meet(&m).dane, TLS_DANE_NO_MATCH);
    all[39] = tlsa_of(3, 1, 0, leaf());
    CHECK_EQUAL(meet(&m).dane, TLS_DANE_MATCH);

    /* Those that are no keys do not count among them. */
    for (int i = 0; i < 39; i++)
        all[i] = (struct tlsa){ 2, 1, 0, { "no key", 6 } };
    all[39] = tlsa_of(2, 1, 0, meet_between());
    CHECK_EQUAL(meet(&m).dane, TLS_DANE_MATCH);
}

/* DANE-063: callers have done this already; OpenSSL sees to it as well. */
TEST(a_weaker_digest_does_not_count_beside_a_stronger_one)
{
    struct meeting m = { .shown = { leaf() }, RECORDS(tlsa_of(3, 1, 1, leaf()), tlsa_of(3, 1, 2, own())) };

    CHECK_ID("DANE-063", meet(&m).dane == TLS_DANE_NO_MATCH);
}

TEST(the_record_that_matched_is_told)
{
    struct tls_facts f = meet_record(own(), NULL, tlsa_of(3, 1, 1, own()));
    char wanted[32];

    snprintf(wanted, sizeof wanted, "3 1 1 %.12s...", f.key_fingerprint);
    CHECK_TEXT(f.dane_record, wanted);
    snprintf(wanted, sizeof wanted, "3 0 1 %.12s...", f.fingerprint);
    CHECK_TEXT(meet_record(own(), NULL, tlsa_of(3, 0, 1, own())).dane_record, wanted);
    CHECK(strncmp(meet_record(own(), NULL, tlsa_of(3, 0, 0, own())).dane_record, "3 0 0 3082", 10) == 0);
}

/* --- records that are none ----------------------------------------------------------- */

static struct tlsa with(struct tlsa r, size_t len)
{
    r.data.len = len;
    return r;
}

TEST(malformed_records_harm_nobody)
{
    struct tlsa good = tlsa_of(3, 1, 1, own()), full = tlsa_of(3, 0, 0, own()), key = tlsa_of(2, 1, 0, own());
    char garbage[300], behind[2048];
    struct tlsa all[] = {
        with(good, 0), with(good, 1), with(good, 31), { 3, 1, 2, slice_first(good.data, 32) }, { 3, 1, 1, { NULL, 0 } },
        with(full, 0), with(full, 1), with(full, full.data.len - 1), with(full, 5), { 3, 0, 0, { garbage, 300 } },
        { 3, 1, 0, { garbage, 300 } }, { 2, 0, 0, { garbage, 1 } }, { 2, 1, 0, { garbage, 300 } },
        with(key, key.data.len - 1), with(key, 0), { 3, 0, 0, { behind, full.data.len + 1 } },
        { 3, 2, 1, good.data }, { 3, 255, 1, good.data }, { 3, 1, 3, good.data }, { 3, 1, 255, good.data },
        { 4, 1, 1, good.data }, { 255, 1, 1, good.data }, { 0, 1, 1, good.data }, { 1, 1, 1, good.data },
        good,
    };
    struct meeting m = { .shown = { own() }, .dane_names = { HOST }, .dane = all, .dane_count = 25 };

    memset(garbage, 0x30, sizeof garbage);
    memcpy(behind, full.data.at, full.data.len);
    behind[full.data.len] = 0;
    CHECK_ID("DANE-062", meet(&m).dane == TLS_DANE_MATCH);

    /* PKIX must not stand in for records that are gone. */
    m.dane_count--;
    CHECK_REFUSES("DANE-071", meet(&m), "no TLSA record is usable");
    m.shown[0] = leaf();
    m.shown[1] = meet_between();
    CHECK_REFUSES("DANE-071", meet(&m), "no TLSA record is usable");
    CHECK_EQUAL(meet(&m).trust, TLS_TRUST_PKIX);
}

/* DANE-061 */
TEST(usages_0_and_1_never_match)
{
    CHECK_REFUSES("DANE-061", meet_record(leaf(), meet_between(), tlsa_of(1, 1, 1, leaf())),
                  "no TLSA record is usable");
    CHECK_REFUSES("DANE-061", meet_record(leaf(), meet_between(), tlsa_of(0, 0, 1, meet_between())),
                  "no TLSA record is usable");
}

TEST(a_record_of_the_longest_kind_is_read)
{
    static char longest[65531];
    struct tlsa r = { 2, 0, 0, { longest, sizeof longest } };

    memcpy(longest, "\x30\x82\xff\xf7", 4);
    CHECK_REFUSES("DANE-060", meet_record(leaf(), meet_between(), r), "no TLSA record is usable");
}

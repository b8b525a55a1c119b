/* Lists of reasons: every fault has its name, and a minimum hides the rare ones. */
#include "tests/fact/counting.h"

#include "fact/stats.h"

enum { TODAY = 20000 };

static struct stats *stats_of(uint64_t minimum, const enum sent *how, const uint64_t *counts, size_t count)
{
    const struct stats_want want = { .since = TODAY, .until = TODAY, .minimum = minimum };
    struct stats *s = stats_new(&want);
    auto_buf struct buf key = { 0 };

    buf_init(&key, 2048);
    for (size_t i = 0; i < count; i++) {
        sent_key("example.net", how[i], &key);
        stats_take(s, TODAY, buf_slice(&key), counts[i]);
    }
    stats_finish(s);
    return s;
}

static void check_item(const struct stats_item *item, const char *name, uint64_t count)
{
    CHECK_TEXT(item->name, name);
    CHECK_EQUAL(item->count, count);
    CHECK(item->words[0]);
}

TEST(why_certificates_do_not_validate)
{
    static const enum sent how[] = { BY_DANE, SELF_SIGNED, OLD, EXPIRED, OTHER_NAME, DANE_WRONG, CLEAR };
    static const uint64_t counts[] = { 50, 3, 4, 5, 1, 2, 60 };
    struct stats *s = stats_of(0, how, counts, 7);
    struct stats_item items[STATS_ITEMS_MAX];

    CHECK_EQUAL(stats_list_certificates(s, items), 4);
    check_item(&items[0], "self-signed", 7);
    check_item(&items[1], "expired", 5);
    check_item(&items[2], "dane-mismatch", 2);
    check_item(&items[3], "name-mismatch", 1);
    CHECK_EQUAL(stats_side(s, STATS_SENT)->certificates[STATS_CERTIFICATE_VALID], 50);
    stats_free(s);
}

TEST(why_mail_went_in_clear)
{
    static const enum sent how[] = { CLEAR, CLEAR_REFUSED, CLEAR_HANDSHAKE, CLEAR_OFF, BY_STS };
    static const uint64_t counts[] = { 1, 4, 2, 3, 9 };
    struct stats *s = stats_of(0, how, counts, 5);
    struct stats_item items[STATS_ITEMS_MAX];

    CHECK_EQUAL(stats_list_clear(s, items), 4);
    check_item(&items[0], "starttls-refused", 4);
    check_item(&items[1], "level-off", 3);
    check_item(&items[2], "handshake-failed", 2);
    check_item(&items[3], "starttls-not-offered", 1);
    stats_free(s);
}

TEST(why_attempts_failed)
{
    static const enum sent how[] = { FAILED_CONNECT, FAILED_DANE };
    static const uint64_t counts[] = { 2, 3 };
    struct stats *s = stats_of(0, how, counts, 2);
    struct stats_item items[STATS_ITEMS_MAX];

    CHECK_EQUAL(stats_list_failures(s, items), 2);
    check_item(&items[0], "E_DANE_MISMATCH", 3);
    check_item(&items[1], "E_CONNECT", 2);
    CHECK_TEXT(items[1].words, "no connection to the host");
    stats_free(s);
}

TEST(what_is_rare_stands_together)
{
    static const enum sent how[] = { SELF_SIGNED, EXPIRED, OTHER_NAME };
    static const uint64_t counts[] = { 10, 9, 8 };
    struct stats *s = stats_of(10, how, counts, 3);
    struct stats_item items[STATS_ITEMS_MAX];

    CHECK_EQUAL(stats_list_certificates(s, items), 2);
    check_item(&items[0], "self-signed", 10);
    check_item(&items[1], "(fewer)", 17);
    stats_free(s);
}

TEST(key_exchange_is_listed_and_hybrids_are_summed)
{
    static const enum sent how[] = { POST_QUANTUM, BY_STS, CLEAR };
    static const uint64_t counts[] = { 6, 5, 9 };
    struct stats *s = stats_of(0, how, counts, 3);
    const struct stats_sum *sum = &stats_side(s, STATS_SENT)->sum;
    struct stats_item items[STATS_ITEMS_MAX];

    CHECK_EQUAL(stats_list_groups(s, sum, items), 2);
    check_item(&items[0], "X25519MLKEM768", 6);
    check_item(&items[1], "X25519", 5);
    CHECK_EQUAL(stats_post_quantum(s, sum), 6);
    stats_free(s);
}

TEST(hybrids_are_known_by_their_names)
{
    CHECK(stats_is_post_quantum("X25519MLKEM768") && stats_is_post_quantum("SecP256r1MLKEM768"));
    CHECK(stats_is_post_quantum("x25519_kyber768") && stats_is_post_quantum("MLKEM1024"));
    CHECK(!stats_is_post_quantum("X25519") && !stats_is_post_quantum("") && !stats_is_post_quantum("MLKE"));
}

TEST(more_groups_than_there_is_room_for_are_counted_together)
{
    const struct stats_want want = { .since = TODAY, .until = TODAY };
    struct stats *s = stats_new(&want);
    struct stats_item items[STATS_ITEMS_MAX];
    auto_buf struct buf key = { 0 };
    uint64_t sum = 0;
    size_t count;

    buf_init(&key, 2048);
    for (int i = 0; i < 40; i++) {
        char group[16];
        const struct receipt r = { "example.net", TLS_1_3, i ? group : "", "" };

        snprintf(group, sizeof group, "group%d", i);
        buf_clear(&key);
        receipt_encode(&r, &key);
        stats_take(s, TODAY, buf_slice(&key), 2);
    }
    stats_finish(s);
    count = stats_list_groups(s, &stats_side(s, STATS_RECEIVED)->sum, items);
    CHECK_EQUAL(count, STATS_GROUPS_MAX);
    check_item(&items[0], "(others)", 2 * (40 - (STATS_GROUPS_MAX - 1)));
    check_item(&items[1], "(not known)", 2);
    for (size_t i = 0; i < count; i++)
        sum += items[i].count;
    CHECK_EQUAL(sum, 80);
    stats_free(s);
}

/* The words are OpenSSL's: X509_verify_cert_error_string(). */
TEST(the_first_fault_of_a_certificate_is_told)
{
    static const struct {
        struct tls_facts tls;
        enum stats_certificate is;
    } rows[] = {
        { { .trust = TLS_TRUST_PKIX, .name_matches = true }, STATS_CERTIFICATE_VALID },
        { { .trust = TLS_TRUST_PKIX, .listed_name = true }, STATS_CERTIFICATE_VALID },
        { { .trust = TLS_TRUST_PKIX }, STATS_OTHER_NAME },
        { { .trust = TLS_TRUST_NONE }, STATS_NO_CERTIFICATE },
        { { .trust = TLS_TRUST_UNTRUSTED, .self_signed = true, .trust_problem = "self-signed certificate" }, STATS_SELF_SIGNED },
        { { .trust = TLS_TRUST_UNTRUSTED, .trust_problem = "self-signed certificate in certificate chain" }, STATS_UNKNOWN_ISSUER },
        { { .trust = TLS_TRUST_UNTRUSTED, .trust_problem = "unable to get local issuer certificate" }, STATS_UNKNOWN_ISSUER },
        { { .trust = TLS_TRUST_UNTRUSTED, .trust_problem = "unable to verify the first certificate" }, STATS_UNKNOWN_ISSUER },
        { { .trust = TLS_TRUST_UNTRUSTED, .trust_problem = "EE certificate key too weak" }, STATS_WEAK },
        { { .trust = TLS_TRUST_UNTRUSTED, .trust_problem = "CA md too weak" }, STATS_WEAK },
        { { .trust = TLS_TRUST_UNTRUSTED, .trust_problem = "unsuitable certificate purpose" }, STATS_UNTRUSTED },
        { { .trust = TLS_TRUST_EXPIRED, .trust_problem = "certificate has expired" }, STATS_EXPIRED },
        { { .trust = TLS_TRUST_EXPIRED, .trust_problem = "certificate is not yet valid" }, STATS_NOT_YET_VALID },
        { { .trust = TLS_TRUST_UNTRUSTED, .self_signed = true, .dane = TLS_DANE_MATCH }, STATS_CERTIFICATE_VALID },
        { { .trust = TLS_TRUST_PKIX, .name_matches = true, .dane = TLS_DANE_NO_MATCH }, STATS_DANE_MISMATCH },
        { { .trust = TLS_TRUST_EXPIRED, .dane = TLS_DANE_EXPIRED }, STATS_DANE_EXPIRED },
        { { .trust = TLS_TRUST_PKIX, .dane = TLS_DANE_NAME }, STATS_DANE_NAME },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_EQUAL(stats_certificate_of(&rows[i].tls), rows[i].is);
}

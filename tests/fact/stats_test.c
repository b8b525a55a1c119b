/* Statistics: every number is told exactly, whatever is folded, hidden or too large. */
#include "tests/fact/counting.h"

#include "fact/count.h"
#include "fact/stats.h"

enum { TODAY = 20000 };

struct fixture {
    struct stats *stats;
    struct buf key;
};

static struct fixture begin(const struct stats_want *want)
{
    struct fixture f = { .stats = stats_new(want) };

    buf_init(&f.key, 2048);
    return f;
}

static struct fixture begin_days(uint32_t days)
{
    const struct stats_want want = { .since = TODAY - days + 1, .until = TODAY };

    return begin(&want);
}

static void end(struct fixture *f)
{
    stats_free(f->stats);
    buf_done(&f->key);
}

static void sent(struct fixture *f, uint32_t ago, const char *domain, enum sent how, uint64_t count)
{
    sent_key(domain, how, &f->key);
    stats_take(f->stats, TODAY - ago, buf_slice(&f->key), count);
}

static void received(struct fixture *f, uint32_t ago, const char *domain, enum tls_version version, uint64_t count)
{
    receipt_key(domain, version, &f->key);
    stats_take(f->stats, TODAY - ago, buf_slice(&f->key), count);
}

static const struct stats_side *finish(struct fixture *f, enum stats_direction d)
{
    stats_finish(f->stats);
    return stats_side(f->stats, d);
}

/* --- what is counted ----------------------------------------------------------- */

TEST(messages_are_counted_by_how_well_they_were_protected)
{
    struct fixture f = begin_days(7);
    const struct stats_side *side;

    sent(&f, 0, "example.net", BY_DANE, 40);
    sent(&f, 1, "example.net", BY_STS, 30);
    sent(&f, 2, "example.com", BY_CERTIFICATE, 10);
    sent(&f, 6, "example.com", SELF_SIGNED, 15);
    sent(&f, 6, "example.com", CLEAR, 5);
    side = finish(&f, STATS_SENT);
    CHECK_EQUAL(side->sum.messages, 100);
    CHECK_EQUAL(side->sum.encrypted, 95);
    CHECK_EQUAL(side->sum.authentication[AUTHENTICATED_DANE], 40);
    CHECK_EQUAL(side->sum.authentication[AUTHENTICATED_STS], 30);
    CHECK_EQUAL(side->sum.authentication[AUTHENTICATED_PKIX], 10);
    CHECK_EQUAL(side->sum.authentication[AUTHENTICATED_NOT], 15);
    CHECK_EQUAL(stats_authenticated(&side->sum), 80);
    CHECK_EQUAL(side->sum.versions[TLS_1_3], 95);
    CHECK_EQUAL(side->sum.versions[TLS_VERSION_NONE], 5);
    CHECK_EQUAL(stats_side(f.stats, STATS_RECEIVED)->sum.messages, 0);
    end(&f);
}

TEST(domains_come_by_messages_and_then_by_name)
{
    struct fixture f = begin_days(1);
    const struct stats_side *side;

    sent(&f, 0, "b.example", BY_DANE, 5);
    sent(&f, 0, "a.example", CLEAR, 5);
    sent(&f, 0, "c.example", BY_STS, 4);
    sent(&f, 0, "c.example", OLD, 4);
    side = finish(&f, STATS_SENT);
    CHECK_EQUAL(side->row_count, 3);
    CHECK_EQUAL(side->domains, 3);
    CHECK_TEXT(side->rows[0]->domain, "c.example");
    CHECK_EQUAL(side->rows[0]->sum.versions[TLS_1_0], 4);
    CHECK_TEXT(side->rows[1]->domain, "a.example");
    CHECK_TEXT(side->rows[2]->domain, "b.example");
    end(&f);
}

TEST(what_failed_is_no_message_but_is_told_with_its_reason)
{
    struct fixture f = begin_days(1);
    const struct stats_side *side;

    sent(&f, 0, "example.net", FAILED_CONNECT, 7);
    sent(&f, 0, "example.net", FAILED_DANE, 2);
    side = finish(&f, STATS_SENT);
    CHECK_EQUAL(side->sum.messages, 0);
    CHECK_EQUAL(side->sum.failed, 9);
    CHECK_EQUAL(side->failures[E_CONNECT], 7);
    CHECK_EQUAL(side->failures[E_DANE_MISMATCH], 2);
    CHECK_EQUAL(side->certificates[STATS_DANE_MISMATCH], 2);
    CHECK_EQUAL(side->row_count, 1);
    CHECK_EQUAL(side->rows[0]->sum.failed, 9);
    end(&f);
}

TEST(received_mail_is_counted_by_sender_and_version)
{
    struct fixture f = begin_days(2);
    const struct stats_side *side;

    received(&f, 0, "example.net", TLS_1_3, 8);
    received(&f, 1, "example.net", TLS_VERSION_NONE, 2);
    received(&f, 1, "", TLS_1_2, 3);
    side = finish(&f, STATS_RECEIVED);
    CHECK_EQUAL(side->sum.messages, 13);
    CHECK_EQUAL(side->sum.encrypted, 11);
    CHECK_EQUAL(stats_authenticated(&side->sum), 0);
    CHECK_TEXT(side->rows[0]->domain, "example.net");
    CHECK_TEXT(side->rows[1]->domain, "");
    CHECK_EQUAL(side->rows[1]->kind, STATS_DOMAIN);
    end(&f);
}

TEST(other_kinds_nonsense_and_the_first_layout_are_passed_over)
{
    struct fixture f = begin_days(1);
    const struct visit v = { .role = VISIT_MX, .version = TLS_1_3 };

    visit_key(&v, "192.0.2.7", &f.key);
    stats_take(f.stats, TODAY, buf_slice(&f.key), 1);
    stats_take(f.stats, TODAY, SLICE("\x05whatever"), 1);
    stats_take(f.stats, TODAY, SLICE("\x02"), 1);
    stats_take(f.stats, TODAY, SLICE("\x01\0\0\0\x01" "a"), 1);
    stats_take(f.stats, TODAY, SLICE(""), 1);
    CHECK_EQUAL(finish(&f, STATS_SENT)->row_count, 0);
    CHECK_EQUAL(stats_counted_since(f.stats), 0);
    end(&f);
}

/* --- days ----------------------------------------------------------------------- */

TEST(days_are_told_apart_and_the_period_before_is_compared_with)
{
    struct fixture f = begin_days(3);
    const struct stats_side *side;

    sent(&f, 0, "example.net", BY_DANE, 1);
    sent(&f, 2, "example.net", CLEAR, 2);
    sent(&f, 3, "example.net", CLEAR, 4);         /* the last day of the period before */
    sent(&f, 5, "example.net", BY_STS, 8);        /* its first */
    sent(&f, 6, "example.net", BY_STS, 16);
    side = finish(&f, STATS_SENT);
    CHECK_EQUAL(side->sum.messages, 3);
    CHECK_EQUAL(side->days[0].messages, 2);
    CHECK_EQUAL(side->days[0].encrypted, 0);
    CHECK_EQUAL(side->days[1].messages, 0);
    CHECK_EQUAL(side->days[2].authenticated, 1);
    CHECK_EQUAL(side->before.messages, 12);
    CHECK_EQUAL(side->before.encrypted, 8);
    CHECK_EQUAL(side->before.authenticated, 8);
    CHECK_EQUAL(side->rows[0]->before.messages, 12);
    CHECK_EQUAL(side->clear[STATS_NOT_OFFERED], 2);
    CHECK_EQUAL(stats_counted_since(f.stats), TODAY - 5);
    end(&f);
}

TEST(a_period_may_end_before_today)
{
    const struct stats_want want = { .since = TODAY - 2, .until = TODAY - 1 };
    struct fixture f = begin(&want);

    CHECK_EQUAL(stats_first_day(&want), TODAY - 4);
    sent(&f, 0, "example.net", BY_DANE, 1);
    sent(&f, 1, "example.net", BY_DANE, 2);
    CHECK_EQUAL(finish(&f, STATS_SENT)->sum.messages, 2);
    end(&f);
}

TEST(a_domain_that_had_mail_only_before_is_no_row)
{
    struct fixture f = begin_days(1);

    sent(&f, 1, "example.net", BY_DANE, 5);
    CHECK_EQUAL(finish(&f, STATS_SENT)->row_count, 0);
    CHECK_EQUAL(stats_side(f.stats, STATS_SENT)->domains, 0);
    CHECK_EQUAL(stats_side(f.stats, STATS_SENT)->before.messages, 5);
    end(&f);
}

TEST(the_first_days_of_all_have_nothing_before_them)
{
    const struct stats_want want = { .since = 3, .until = 20000 % STATS_DAYS_MAX };

    CHECK_EQUAL(stats_first_day(&want), 0);
}

/* --- choosing ------------------------------------------------------------------------ */

TEST(one_domain_alone_is_found_whatever_its_case)
{
    const struct stats_want want = { .since = TODAY, .until = TODAY, .domain = "Example.NET" };
    struct fixture f = begin(&want);

    sent(&f, 0, "example.net", BY_DANE, 3);
    sent(&f, 0, "sub.example.net", BY_DANE, 5);
    received(&f, 0, "example.net", TLS_1_3, 7);
    received(&f, 0, "example.com", TLS_1_3, 9);
    CHECK_EQUAL(finish(&f, STATS_SENT)->sum.messages, 3);
    CHECK_EQUAL(stats_side(f.stats, STATS_RECEIVED)->sum.messages, 7);
    end(&f);
}

TEST(what_is_not_among_the_top_is_one_row_that_loses_nothing)
{
    const struct stats_want want = { .since = TODAY, .until = TODAY, .top = 1 };
    struct fixture f = begin(&want);
    const struct stats_side *side;

    sent(&f, 0, "a.example", BY_DANE, 10);
    sent(&f, 0, "b.example", CLEAR, 5);
    sent(&f, 0, "c.example", BY_STS, 4);
    sent(&f, 0, "c.example", FAILED_CONNECT, 1);
    sent(&f, 1, "c.example", BY_STS, 2);
    side = finish(&f, STATS_SENT);
    CHECK_EQUAL(side->row_count, 2);
    CHECK_EQUAL(side->domains, 3);
    CHECK_EQUAL(side->rows[1]->kind, STATS_BEYOND);
    CHECK_EQUAL(side->rows[1]->domains, 2);
    CHECK_EQUAL(side->rows[1]->sum.messages, 9);
    CHECK_EQUAL(side->rows[1]->sum.encrypted, 4);
    CHECK_EQUAL(side->rows[1]->sum.failed, 1);
    CHECK_EQUAL(side->rows[1]->before.messages, 2);
    end(&f);
}

TEST(what_the_store_counted_beyond_its_bound_is_a_row_of_its_own)
{
    struct fixture f = begin_days(1);
    const struct stats_side *side;
    const struct receipt r = { "whoever.example", TLS_1_2, "P-256", "x" };

    buf_clear(&f.key);
    receipt_rest(&r, &f.key);
    stats_take(f.stats, TODAY, buf_slice(&f.key), 1000);
    received(&f, 0, "example.net", TLS_1_3, 1);
    side = finish(&f, STATS_RECEIVED);
    CHECK_EQUAL(side->row_count, 2);
    CHECK_EQUAL(side->domains, 1);
    CHECK_TEXT(side->rows[0]->domain, "example.net");
    CHECK_EQUAL(side->rows[1]->kind, STATS_UNNAMED);
    CHECK_EQUAL(side->rows[1]->sum.messages, 1000);
    CHECK_EQUAL(side->sum.messages, 1001);
    end(&f);
}

TEST(domains_beyond_our_own_bound_are_counted_together)
{
    struct fixture f = begin_days(1);
    const struct stats_side *side;
    char domain[32];

    for (int i = 0; i < STATS_ROWS_MAX + 7; i++) {
        snprintf(domain, sizeof domain, "d%d.example", i);
        received(&f, 0, domain, TLS_1_3, 1);
    }
    side = finish(&f, STATS_RECEIVED);
    CHECK_EQUAL(side->domains, STATS_ROWS_MAX);
    CHECK_EQUAL(side->row_count, STATS_ROWS_MAX + 1);
    CHECK_EQUAL(side->rows[STATS_ROWS_MAX]->kind, STATS_UNNAMED);
    CHECK_EQUAL(side->rows[STATS_ROWS_MAX]->sum.messages, 7);
    end(&f);
}

/* --- for publishing ---------------------------------------------------------------------- */

TEST(rows_with_fewer_messages_than_the_minimum_are_one_row)
{
    const struct stats_want want = { .since = TODAY, .until = TODAY, .minimum = 10, .top = 1 };
    struct fixture f = begin(&want);
    const struct stats_side *side;

    sent(&f, 0, "a.example", BY_DANE, 100);
    sent(&f, 0, "b.example", BY_DANE, 10);
    sent(&f, 0, "c.example", CLEAR, 9);
    sent(&f, 0, "d.example", CLEAR, 1);
    sent(&f, 0, "e.example", FAILED_CONNECT, 50);
    side = finish(&f, STATS_SENT);
    CHECK_EQUAL(side->row_count, 3);
    CHECK_EQUAL(side->rows[1]->kind, STATS_BEYOND);
    CHECK_EQUAL(side->rows[1]->sum.messages, 10);
    CHECK_EQUAL(side->rows[2]->kind, STATS_FEW);
    CHECK_EQUAL(side->rows[2]->domains, 3);
    CHECK_EQUAL(side->rows[2]->sum.messages, 10);
    CHECK_EQUAL(side->sum.messages, 120);
    end(&f);
}

TEST(rare_days_and_rare_periods_before_are_not_told)
{
    const struct stats_want want = { .since = TODAY - 1, .until = TODAY, .minimum = 10 };
    struct fixture f = begin(&want);
    const struct stats_side *side;

    sent(&f, 0, "a.example", BY_DANE, 9);
    sent(&f, 1, "a.example", BY_DANE, 10);
    sent(&f, 2, "a.example", CLEAR, 9);
    sent(&f, 2, "b.example", CLEAR, 1);
    side = finish(&f, STATS_SENT);
    CHECK(side->days[1].few && side->days[1].messages == 0 && side->days[1].encrypted == 0);
    CHECK(!side->days[0].few && side->days[0].messages == 10);
    CHECK(!side->before.few && side->before.messages == 10);
    CHECK(side->rows[0]->before.few && side->rows[0]->before.messages == 0);
    end(&f);
}

TEST(a_direction_with_too_few_messages_tells_nothing_at_all)
{
    const struct stats_want want = { .since = TODAY, .until = TODAY, .minimum = 10, .domain = "a.example" };
    struct fixture f = begin(&want);
    const struct stats_side *side;

    sent(&f, 0, "a.example", CLEAR, 9);
    sent(&f, 0, "a.example", FAILED_CONNECT, 100);
    side = finish(&f, STATS_SENT);
    CHECK(side->few && side->sum.messages == 0 && side->sum.failed == 0 && side->row_count == 0);
    CHECK(side->failures[E_CONNECT] == 0 && side->clear[STATS_NOT_OFFERED] == 0 && side->days[0].few);
    end(&f);
}

/* --- numbers --------------------------------------------------------------------------------- */

TEST(sums_stay_where_they_are_once_they_are_too_large)
{
    struct fixture f = begin_days(1);
    const struct stats_side *side;

    sent(&f, 0, "a.example", BY_DANE, UINT64_MAX);
    sent(&f, 0, "a.example", BY_STS, UINT64_MAX - 1);
    sent(&f, 0, "b.example", CLEAR, INT64_MAX);
    sent(&f, 0, "b.example", CLEAR, 1);
    side = finish(&f, STATS_SENT);
    CHECK(side->sum.messages == INT64_MAX && side->sum.encrypted == INT64_MAX);
    CHECK(stats_authenticated(&side->sum) == INT64_MAX);
    CHECK(side->rows[0]->sum.messages == INT64_MAX && side->days[0].messages == INT64_MAX);
    CHECK(side->clear[STATS_NOT_OFFERED] == INT64_MAX);
    end(&f);
}

TEST(a_share_never_hides_the_one_message)
{
    CHECK_EQUAL(count_share(0, 0), 0);
    CHECK_EQUAL(count_share(0, 7), 0);
    CHECK_EQUAL(count_share(7, 7), 1000);
    CHECK_EQUAL(count_share(1, 3), 333);
    CHECK_EQUAL(count_share(2, 3), 667);
    CHECK_EQUAL(count_share(1, 1000000), 1);
    CHECK_EQUAL(count_share(999999, 1000000), 999);
    CHECK_EQUAL(count_share(INT64_MAX - 1, INT64_MAX), 999);
    CHECK_EQUAL(count_share(UINT64_MAX, UINT64_MAX), 1000);
}

#include "tests/test.h"

#include "tlsrpt/build.h"

#include <stdio.h>

enum { DAY = 20778 };       /* 2026-11-21 */

static const struct report_author author = { "Example Org", "tls-reports@example.org" };
static const char *const sts_lines[] = { "version: STSv1", "mode: enforce" }, *const records[] = { "3 1 1 00" };
static const struct report_policy sts = { POLICY_STS, "example.net", sts_lines, 2, NULL, 0 };
static const struct report_policy tlsa_1 = { POLICY_TLSA, "mx1.example.net", records, 1, NULL, 0 };
static const struct report_policy tlsa_2 = { POLICY_TLSA, "mx2.example.net", records, 1, NULL, 0 };

static struct error why;
static struct report report;

static void add(struct report_build *b, uint64_t policy, const char *type, const char *mx, uint64_t count)
{
    const struct report_tally t = { .domain = "example.net", .policy = policy, .result_type = type, .sending_ip = "",
                                    .receiving_ip = "", .mx = mx, .helo = "", .reason = "" };

    build_add(b, &t, count);
}

static void end(struct report_build *b)
{
    report = (struct report){ 0 };
    CHECK_OK(build_end(b, &author, false, &report, &why), &why);
}

static struct report_build *with_failures(size_t kinds)
{
    struct report_build *b = build_new("example.net", DAY);
    char mx[40];

    for (size_t i = 0; i < kinds; i++) {
        snprintf(mx, sizeof mx, "mx%06zu.example.net", i);
        add(b, REPORT_POLICY_NONE, "starttls-not-supported", mx, i + 1);
    }
    return b;
}

/* TLSRPT-015, -031 */
TEST(a_report_is_of_one_whole_day)
{
    struct report_build *b = with_failures(1);
    char text[CLOCK_TEXT_MAX];

    end(b);
    CHECK_TEXT(clock_iso_date(report.begin, text), "2026-11-21T00:00:00.000Z");
    CHECK_TEXT(clock_iso_date(report.end, text), "2026-11-21T23:59:59.000Z");
    CHECK_TEXT(report.organization, "Example Org");
    CHECK_TEXT(report.contact, "tls-reports@example.org");
    build_free(b);
}

/* TLSRPT-018, -034, -036 */
TEST(each_policy_has_an_entry)
{
    struct report_build *b = build_new("example.net", DAY);
    uint64_t ids[4] = { 0 };

    add(b, REPORT_POLICY_NONE, "", "", 5);
    add(b, 100, "", "", 3);
    add(b, 100, "certificate-expired", "mx1.example.net", 2);
    add(b, 200, "certificate-not-trusted", "mx2.example.net", 1);
    add(b, 300, "", "", 7);
    CHECK_EQUAL(build_policies(b, ids, 4), 3);
    CHECK(ids[0] == 100 && ids[1] == 200 && ids[2] == 300 && ids[3] == 0);
    CHECK_EQUAL(build_policies(b, ids, 1), 3);
    build_policy(b, 300, &tlsa_1);
    build_policy(b, 200, &tlsa_2);
    build_policy(b, 100, &sts);
    CHECK_EQUAL(build_policies(b, ids, 4), 0);
    end(b);
    CHECK_EQUAL(report.entry_count, 4);
    CHECK_TEXT(report.entries[0].policy.domain, "mx1.example.net");
    CHECK_EQUAL(report.entries[0].successes, 7);
    CHECK_EQUAL(report.entries[0].detail_count, 0);
    CHECK_TEXT(report.entries[1].policy.domain, "mx2.example.net");
    CHECK_EQUAL(report.entries[1].failures, 1);
    CHECK_EQUAL(report.entries[2].policy.type, POLICY_STS);
    CHECK_EQUAL(report.entries[2].successes, 3);
    CHECK_EQUAL(report.entries[2].failures, 2);
    CHECK_TEXT(report.entries[2].details[0].result_type, "certificate-expired");
    CHECK_TEXT(report.entries[2].details[0].mx, "mx1.example.net");
    CHECK_EQUAL(report.entries[3].policy.type, POLICY_NONE_FOUND);
    CHECK_TEXT(report.entries[3].policy.domain, "example.net");
    CHECK_EQUAL(report.entries[3].successes, 5);
    build_free(b);
}

TEST(what_a_tally_says_is_what_the_report_says)
{
    struct report_build *b = build_new("example.net", DAY);
    char helo[] = "mx.example.net";
    const struct report_tally t = { "example.net", REPORT_POLICY_NONE, "validation-failure", "192.0.2.1", "192.0.2.2",
                                    "mx1.example.net", helo, "tls-eof" };
    const struct report_failure *f;

    build_add(b, &t, 42);
    memset(helo, 'x', sizeof helo - 1);     /* nothing is borrowed */
    end(b);
    f = report.entries[0].details;
    CHECK_TEXT(f->result_type, "validation-failure");
    CHECK_TEXT(f->sending_ip, "192.0.2.1");
    CHECK_TEXT(f->receiving_ip, "192.0.2.2");
    CHECK_TEXT(f->mx, "mx1.example.net");
    CHECK_TEXT(f->helo, "mx.example.net");
    CHECK_TEXT(f->reason, "tls-eof");
    CHECK_TEXT(f->information, "");
    CHECK_EQUAL(f->count, 42);
    build_free(b);
}

TEST(failures_stand_by_count_then_by_words)
{
    struct report_build *b = build_new("example.net", DAY);

    add(b, REPORT_POLICY_NONE, "certificate-expired", "b.example.net", 1);
    add(b, REPORT_POLICY_NONE, "certificate-expired", "a.example.net", 1);
    add(b, REPORT_POLICY_NONE, "starttls-not-supported", "a.example.net", 9);
    add(b, REPORT_POLICY_NONE, "certificate-expired", "c.example.net", 9);
    end(b);
    CHECK_EQUAL(report.entries[0].detail_count, 4);
    CHECK_EQUAL(report.entries[0].failures, 20);
    CHECK_TEXT(report.entries[0].details[0].mx, "c.example.net");
    CHECK_TEXT(report.entries[0].details[1].result_type, "starttls-not-supported");
    CHECK_TEXT(report.entries[0].details[2].mx, "a.example.net");
    CHECK_TEXT(report.entries[0].details[3].mx, "b.example.net");
    build_free(b);
}

/* TLSRPT-020 */
TEST(equal_failures_are_one)
{
    struct report_build *b = build_new("example.net", DAY);

    add(b, REPORT_POLICY_NONE, "certificate-expired", "a.example.net", 1);
    add(b, REPORT_POLICY_NONE, "certificate-expired", "b.example.net", 1);
    add(b, REPORT_POLICY_NONE, "certificate-expired", "a.example.net", 2);
    end(b);
    CHECK_EQUAL(report.entries[0].detail_count, 2);
    CHECK_EQUAL(report.entries[0].details[0].count, 3);
    build_free(b);
}

static uint64_t sum(const struct report_entry *e)
{
    uint64_t total = 0;

    for (size_t i = 0; i < e->detail_count; i++)
        total += e->details[i].count;
    return total;
}

static size_t rests(const struct report_entry *e)
{
    size_t number = 0;

    for (size_t i = 0; i < e->detail_count; i++)
        number += strcmp(e->details[i].reason, "truncated") == 0;
    return number;
}

/* TLSRPT-020: "at most 1000 tuples per policy, rest merged into one" */
TEST(a_flood_of_failures_is_cut)
{
    static const size_t kinds[] = { 1, 999, 1000, 1001, 1999, 2000, 2001, 2002, 10007 };

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct report_build *b = with_failures(kinds[k]);
        const struct report_entry *e;
        char least[40];

        end(b);
        e = report.entries;
        CHECK_EQUAL(e->detail_count, kinds[k] < 1000 ? kinds[k] : 1000);
        CHECK_EQUAL(e->failures, kinds[k] * (kinds[k] + 1) / 2);
        CHECK_EQUAL(sum(e), e->failures);
        CHECK_EQUAL(rests(e), kinds[k] > 1000);
        if (kinds[k] > 1000) {      /* the 999 most frequent are there */
            snprintf(least, sizeof least, "mx%06zu.example.net", kinds[k] - 999);
            CHECK_TEXT(e->details[998 + (e->details[999].reason[0] == '\0')].mx, least);
        }
        build_free(b);
    }
}

/* TLSRPT-020: what was cut while it was counted, and what is cut now, are one. */
TEST(there_is_only_one_rest)
{
    struct report_build *b = with_failures(1500);
    const struct report_tally rest = { .domain = "example.net", .policy = REPORT_POLICY_NONE,
                                       .result_type = REPORT_REST_TYPE, .reason = REPORT_REST_REASON };

    build_add(b, &rest, 1000 * 1000);
    build_add(b, &rest, 1);
    end(b);
    CHECK_EQUAL(report.entries[0].detail_count, 1000);
    CHECK_EQUAL(rests(report.entries), 1);
    CHECK_TEXT(report.entries[0].details[0].result_type, "validation-failure");
    CHECK_TEXT(report.entries[0].details[0].reason, "truncated");
    CHECK_EQUAL(report.entries[0].details[0].count, 1000 * 1000 + 1 + 501 * 502 / 2);
    build_free(b);
    b = build_new("example.net", DAY);
    build_add(b, &rest, 3);
    end(b);
    CHECK_EQUAL(report.entries[0].detail_count, 1);
    CHECK_EQUAL(report.entries[0].details[0].count, 3);
    build_free(b);
}

TEST(a_policy_whose_text_is_lost_counts_as_none)
{
    struct report_build *b = build_new("example.net", DAY);

    add(b, 100, "", "", 3);
    add(b, 100, "certificate-expired", "a.example.net", 2);
    add(b, 200, "", "", 1);
    add(b, 200, "certificate-expired", "a.example.net", 5);
    build_policy(b, 999, &sts);
    build_policy(b, REPORT_POLICY_NONE, &sts);
    end(b);
    CHECK_EQUAL(report.entry_count, 1);
    CHECK_EQUAL(report.entries[0].policy.type, POLICY_NONE_FOUND);
    CHECK_EQUAL(report.entries[0].successes, 4);
    CHECK_EQUAL(report.entries[0].failures, 7);
    CHECK_EQUAL(report.entries[0].detail_count, 1);
    CHECK_EQUAL(report.entries[0].details[0].count, 7);
    build_free(b);
}

TEST(a_policy_that_never_rests_fills_no_memory)
{
    struct report_build *b = build_new("example.net", DAY);
    uint64_t ids[REPORT_POLICIES_MAX + 1], total = 0;
    size_t details = 0;
    char mx[40];

    for (uint64_t id = 10; id < 510; id++)
        for (int i = 0; i < 300; i++) {
            snprintf(mx, sizeof mx, "mx%d.example.net", i);
            add(b, id, "starttls-not-supported", mx, 1);
        }
    CHECK_EQUAL(build_policies(b, ids, REPORT_POLICIES_MAX + 1), REPORT_POLICIES_MAX);
    for (size_t i = 0; i < REPORT_POLICIES_MAX; i++)
        build_policy(b, ids[i], &sts);
    end(b);
    CHECK_EQUAL(report.entry_count, REPORT_POLICIES_MAX + 1);
    for (size_t i = 0; i < report.entry_count; i++) {
        total += report.entries[i].failures;
        details += report.entries[i].detail_count;
        CHECK_EQUAL(sum(&report.entries[i]), report.entries[i].failures);
    }
    CHECK_EQUAL(total, 500 * 300);
    CHECK_EQUAL(details, 10 * 300 + 90 * 100 + 300);
    build_free(b);
}

/* TLSRPT-024 */
TEST(days_without_failures_are_reported_unless_not_wanted)
{
    struct report_build *b = build_new("example.net", DAY);

    add(b, REPORT_POLICY_NONE, "", "", 5);
    why = (struct error){ 0 };
    CHECK(!build_end(b, &author, true, &report, &why));
    CHECK_EQUAL(why.code, E_NOT_FOUND);
    CHECK_OK(build_end(b, &author, false, &report, &why), &why);
    build_free(b);
    b = with_failures(1);
    CHECK_OK(build_end(b, &author, true, &report, &why), &why);
    build_free(b);
}

TEST(where_nothing_happened_there_is_no_report)
{
    struct report_build *b = build_new("example.net", DAY);

    CHECK(!build_end(b, &author, false, &report, &why));
    CHECK_EQUAL(why.code, E_NOT_FOUND);
    add(b, REPORT_POLICY_NONE, "", "", 0);
    CHECK(!build_end(b, &author, false, &report, &why));
    build_free(b);
    build_free(build_new("", 0));
    build_free(NULL);
}

static void id_of(const char *domain, uint32_t day, const struct report_author *by, char id[400])
{
    struct report_build *b = build_new(domain, day);

    add(b, REPORT_POLICY_NONE, "", "", 1);
    CHECK_OK(build_end(b, by, false, &report, &why), &why);
    snprintf(id, 400, "%s", report.id);
    build_free(b);
}

/* TLSRPT-033 */
TEST(an_id_is_stable_and_tells_reports_apart)
{
    const struct report_author other = { "Example Org, second site", "tls-reports@example.org" };
    char one[400], two[400];

    id_of("example.net", DAY, &author, one);
    CHECK(strncmp(one, "20261121.example.net.", 21) == 0);
    CHECK_TEXT(strchr(one, '@'), "@example.org");
    id_of("example.net", DAY, &author, two);
    CHECK_TEXT(one, two);
    id_of("example.net", DAY + 1, &author, two);
    CHECK(strcmp(one, two) != 0);
    id_of("example.com", DAY, &author, two);
    CHECK(strcmp(one, two) != 0);
    id_of("example.net", DAY, &other, two);
    CHECK(strcmp(one, two) != 0);
}

/* It stands in a Message-ID and in a Subject. */
TEST(an_id_is_always_one_word)
{
    const struct report_author nobody = { "", "no address" };
    char id[400];

    id_of("a b<c>\r\nd@[192.0.2.1]", DAY, &nobody, id);
    for (char *c = id; *c; c++)
        CHECK(byte_is_alpha(*c) || byte_is_digit(*c) || strchr(".-@", *c));
    CHECK(strchr(id, '@') == strrchr(id, '@'));
    CHECK_TEXT(strchr(id, '@'), "@localhost");
}

TEST(counts_do_not_turn_over)
{
    struct report_build *b = build_new("example.net", DAY);

    for (int i = 0; i < 3; i++) {
        add(b, REPORT_POLICY_NONE, "", "", UINT64_MAX / 2);
        add(b, REPORT_POLICY_NONE, "certificate-expired", "a.example.net", UINT64_MAX / 2);
    }
    end(b);
    CHECK(report.entries[0].successes == UINT64_MAX);
    CHECK(report.entries[0].failures == UINT64_MAX);
    CHECK(report.entries[0].details[0].count == UINT64_MAX);
    build_free(b);
}

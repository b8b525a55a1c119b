#include "tests/test.h"

#include "tests/tlsrpt/fixture.h"
#include "tlsrpt/gzip.h"
#include "tlsrpt/read_inside.h"

#include <stdio.h>

static struct error why;
static struct arena arena;
static struct report report;
static struct report_notes notes;

static bool read_bytes(struct slice bytes)
{
    arena_done(&arena);
    arena_init(&arena, REPORT_ARENA_MAX);
    why = (struct error){ 0 };
    return report_read(bytes, &arena, &report, &notes, &why);
}

static void read_fixture(const char *name)
{
    auto_buf struct buf file = { 0 };

    CHECK_OK(read_bytes(fixture(name, &file)), &why);
}

static bool is_noted(const char *text)
{
    for (size_t i = 0; i < notes.count; i++)
        if (strcmp(notes.at[i], text) == 0)
            return true;
    return false;
}

#define RANGE "\"date-range\":{\"start-datetime\":\"2026-11-20T00:00:00Z\",\"end-datetime\":\"2026-11-20T23:59:59Z\"}"
#define ENTRY "{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"example.org\"}," \
              "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}}"
#define REPORT(members) "{\"organization-name\":\"o\",\"contact-info\":\"c@example.net\",\"report-id\":\"i\"," members "}"
#define GOOD REPORT(RANGE ",\"policies\":[" ENTRY "]")

static const time_ms day = DAYS(20777);     /* 2026-11-20 */

/* --- as the RFC has it ------------------------------------------------------------ */

TEST(the_example_of_the_rfc_is_read_without_a_note)
{
    const struct report_entry *e;

    read_fixture("rfc8460.json");
    CHECK_EQUAL(notes.count, 0);
    CHECK_TEXT(report.organization, "Company-X");
    CHECK_TEXT(report.contact, "sts-reporting@company-x.example");
    CHECK_TEXT(report.id, "5065427c-23d3-47ca-b6e0-946ea0e8c4be");
    CHECK_EQUAL(report.begin, SECONDS(1459468800));
    CHECK_EQUAL(report.end, SECONDS(1459468800 + 86399));
    CHECK_EQUAL(report.entry_count, 1);
    e = &report.entries[0];
    CHECK_EQUAL(e->policy.type, POLICY_STS);
    CHECK_TEXT(e->type_text, "");
    CHECK_TEXT(e->policy.domain, "company-y.example");
    CHECK_EQUAL(e->policy.string_count, 4);
    CHECK_TEXT(e->policy.strings[2], "mx: *.mail.company-y.example");
    CHECK_EQUAL(e->policy.mx_count, 1);
    CHECK_TEXT(e->policy.mx[0], "*.mail.company-y.example");
    CHECK_EQUAL(e->successes, 5326);
    CHECK_EQUAL(e->failures, 303);
    CHECK_EQUAL(e->detail_count, 3);
    CHECK_TEXT(e->details[0].result_type, "certificate-expired");
    CHECK_TEXT(e->details[1].receiving_ip, "203.0.113.56");
    CHECK_EQUAL(e->details[1].count, 200);
    CHECK_TEXT(e->details[1].helo, "");
    CHECK_TEXT(e->details[2].reason, "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED");
    CHECK_TEXT(e->details[2].mx, "mx-backup.mail.company-y.example");
}

TEST(gzip_is_unpacked_whatever_it_is_called)
{
    auto_buf struct buf file = { 0 }, packed = { 0 };

    buf_init(&packed, 100000);
    CHECK_OK(gzip_pack(fixture("rfc8460.json", &file), &packed, &why), &why);
    CHECK_OK(read_bytes(buf_slice(&packed)), &why);
    CHECK_EQUAL(report.entries[0].failures, 303);
    CHECK(!read_bytes(slice_first(buf_slice(&packed), buf_len(&packed) / 2)));
    CHECK_EQUAL(why.code, E_MALFORMED);
}

/* TLSRPT-019. */
TEST(details_may_add_up_to_more_than_the_failures)
{
    CHECK_OK(read_bytes(SLICE(REPORT(RANGE ",\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.org\"},"
                                     "\"summary\":{\"total-successful-session-count\":0,\"total-failure-session-count\":1},"
                                     "\"failure-details\":[{\"result-type\":\"certificate-expired\",\"failed-session-count\":1},"
                                     "{\"result-type\":\"certificate-host-mismatch\",\"failed-session-count\":1}]}]"))), &why);
    CHECK_EQUAL(notes.count, 0);
    CHECK_EQUAL(report.entries[0].failures, 1);
}

/* --- what is sent instead: TLSRPT-094 ------------------------------------------------ */

TEST(a_missing_policy_domain_stays_empty)
{
    read_fixture("no_policy_domain.json");
    CHECK_EQUAL(report.entries[0].policy.type, POLICY_NONE_FOUND);
    CHECK_TEXT(report.entries[0].policy.domain, "");
    CHECK_EQUAL(report.entries[0].successes, 1);
}

TEST(null_and_empty_members_are_absent_ones)
{
    read_fixture("sparse.json");
    CHECK_TEXT(report.contact, "");
    CHECK(is_noted("contact-info is missing"));
    CHECK_EQUAL(report.entries[0].details[0].count, 3);
    CHECK_TEXT(report.entries[0].details[0].sending_ip, "");
    CHECK_EQUAL(report.entries[0].policy.string_count, 0);
    CHECK_EQUAL(report.entries[0].policy.mx_count, 0);
}

TEST(a_report_with_everything_odd_is_read_and_told_of)
{
    const struct report_entry *e;

    read_fixture("odd.json");
    CHECK_EQUAL(report.begin, day);
    CHECK_EQUAL(report.end, day + HOURS(23) + MINUTES(59));
    CHECK_TEXT(report.id, "20261120");
    CHECK_EQUAL(report.entry_count, 1);
    e = &report.entries[0];
    CHECK_EQUAL(e->policy.type, POLICY_STS);
    CHECK_TEXT(e->policy.domain, "example.org");
    CHECK_EQUAL(e->policy.string_count, 4);
    CHECK_TEXT(e->policy.strings[3], "max_age: 86400");
    CHECK_EQUAL(e->policy.mx_count, 1);
    CHECK_EQUAL(e->successes, 12);
    CHECK_EQUAL(e->failures, 7);
    CHECK_EQUAL(e->detail_count, 2);
    CHECK_TEXT(e->details[0].result_type, "certificate-expired");
    CHECK_EQUAL(e->details[0].count, 4);
    CHECK_TEXT(e->details[0].reason, "expired yesterday");
    CHECK_TEXT(e->details[1].result_type, "tls-too-old");
    CHECK_EQUAL(e->details[1].count, 1);
    CHECK_TEXT(e->details[1].information, "https://odd.example/why");
    CHECK_EQUAL(notes.count, REPORT_NOTES_MAX);
    CHECK(is_noted("policies is one object, not an array"));
    CHECK(is_noted("policy-string is one string, not an array"));
    CHECK(is_noted("and there is more that is not as it should be"));
}

TEST(the_shape_of_old_drafts_is_read)
{
    const struct report_entry *e;

    read_fixture("draft.json");
    e = &report.entries[0];
    CHECK_EQUAL(report.begin, SECONDS(1494288000 - 7200));
    CHECK_EQUAL(e->policy.type, POLICY_TLSA);
    CHECK_EQUAL(e->successes, 5);
    CHECK_EQUAL(e->failures, 2);
    CHECK_EQUAL(e->details[0].count, 2);
    CHECK(is_noted("policies is missing: one policy stands in its place"));
    CHECK(is_noted("failure-details is one object, not an array"));
}

TEST(a_missing_summary_is_counted_from_the_details)
{
    CHECK_OK(read_bytes(SLICE(REPORT(RANGE ",\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.org\"},"
                                     "\"failure-details\":[{\"result-type\":\"certificate-expired\",\"failed-session-count\":2},"
                                     "{\"result-type\":\"certificate-host-mismatch\",\"failed-session-count\":5}]}]"))), &why);
    CHECK_EQUAL(report.entries[0].failures, 7);
    CHECK(is_noted("summary is missing, counted from the details"));
}

TEST(counts_that_do_not_add_up_are_kept_as_they_came)
{
    CHECK_OK(read_bytes(SLICE(REPORT(RANGE ",\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.org\"},"
                                     "\"summary\":{\"total-successful-session-count\":4,\"total-failure-session-count\":9},"
                                     "\"failure-details\":[{\"result-type\":\"certificate-expired\",\"failed-session-count\":2}]}]"))),
             &why);
    CHECK_EQUAL(report.entries[0].failures, 9);
    CHECK(is_noted("the counts do not add up: the details have fewer failures than the summary"));
    CHECK_OK(read_bytes(SLICE(REPORT(RANGE ",\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.org\"},"
                                     "\"summary\":{\"total-successful-session-count\":4,\"total-failure-session-count\":0},"
                                     "\"failure-details\":[{\"result-type\":\"certificate-expired\",\"failed-session-count\":2}]}]"))),
             &why);
    CHECK_EQUAL(report.entries[0].failures, 0);
    CHECK(is_noted("the counts do not add up: failure details, but no failure in the summary"));
}

static uint64_t successes_of(const char *count)
{
    char text[1000];

    snprintf(text, sizeof text, REPORT(RANGE ",\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.org\"},"
                                       "\"summary\":{\"total-successful-session-count\":%s,\"total-failure-session-count\":0}}]"), count);
    return read_bytes(slice_of(text)) ? report.entries[0].successes : UINT64_MAX;
}

TEST(counts_of_every_kind)
{
    CHECK_EQUAL(successes_of("12"), 12);
    CHECK_EQUAL(notes.count, 0);
    CHECK_EQUAL(successes_of("\" 12 \""), 12);
    CHECK_EQUAL(successes_of("12.0"), 12);
    CHECK_EQUAL(successes_of("1.2e1"), 12);
    CHECK_EQUAL(successes_of("12.5"), 0);
    CHECK(is_noted("total-successful-session-count is no count, left out"));
    CHECK_EQUAL(successes_of("-3"), 0);
    CHECK_EQUAL(successes_of("\"many\""), 0);
    CHECK_EQUAL(successes_of("null"), 0);
    CHECK_EQUAL(successes_of("true"), 0);
    CHECK_EQUAL(successes_of("1e300"), 0);
    CHECK_EQUAL(successes_of("9007199254740991"), REPORT_COUNT_MAX);
    CHECK_EQUAL(successes_of("9223372036854775807"), REPORT_COUNT_MAX);
}

TEST(sums_stay_at_the_largest_count)
{
    CHECK_OK(read_bytes(SLICE(REPORT(RANGE ",\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.org\"},"
                                     "\"failure-details\":[{\"result-type\":\"a\",\"failed-session-count\":9223372036854775807},"
                                     "{\"result-type\":\"b\",\"failed-session-count\":9223372036854775807}]}]"))), &why);
    CHECK(report.entries[0].failures == REPORT_COUNT_MAX);
}

TEST(unknown_types_are_kept_in_their_own_words)
{
    CHECK_OK(read_bytes(SLICE(REPORT(RANGE ",\"policies\":[{\"policy\":{\"policy-type\":\"dane+sts\",\"policy-domain\":\"example.org\"},"
                                     "\"failure-details\":[{\"result-type\":\"bad\\u001b[31m\",\"failed-session-count\":1}]}]"))), &why);
    CHECK_TEXT(report.entries[0].type_text, "dane+sts");
    CHECK_EQUAL(report.entries[0].policy.type, POLICY_NONE_FOUND);
    CHECK_TEXT(report.entries[0].details[0].result_type, "bad\x1b[31m");
    CHECK(is_noted("result-type bad\\x1b[31m is not known"));
}

TEST(a_report_without_an_id_is_told_from_others_by_what_it_says)
{
    char first[100];

    CHECK_OK(read_bytes(SLICE("{" RANGE ",\"policies\":[" ENTRY "]}")), &why);
    CHECK(is_noted("report-id is missing"));
    snprintf(first, sizeof first, "%s", report.id);
    CHECK_OK(read_bytes(SLICE("{\"organization-name\":\"other\"," RANGE ",\"policies\":[" ENTRY "]}")), &why);
    CHECK(strcmp(first, report.id) != 0);
    CHECK_OK(read_bytes(SLICE("{" RANGE ",\"policies\":[" ENTRY "]}")), &why);
    CHECK_TEXT(report.id, first);
}

TEST(a_byte_order_mark_and_what_follows_are_overlooked)
{
    CHECK_OK(read_bytes(SLICE("\xef\xbb\xbf" GOOD "\r\n")), &why);
    CHECK_EQUAL(notes.count, 1);
    CHECK_OK(read_bytes(SLICE("\n\t " GOOD "\n--\nA list's footer {")), &why);
    CHECK(is_noted("something follows the JSON"));
    CHECK_OK(read_bytes(SLICE(GOOD " \n")), &why);
    CHECK_EQUAL(notes.count, 0);
}

/* --- times ----------------------------------------------------------------------------- */

static time_ms moment(const char *text, const char **oddity)
{
    time_ms wall = -1;

    *oddity = NULL;
    return read_time(slice_of(text), &wall, oddity) ? wall : -1;
}

TEST(times_of_the_rfc_are_read_as_they_stand)
{
    const char *oddity;

    CHECK_EQUAL(moment("2026-11-20T00:00:00Z", &oddity), day);
    CHECK_EQUAL(moment("2026-11-20t01:02:03z", &oddity), day + HOURS(1) + MINUTES(2) + SECONDS(3));
    CHECK_EQUAL(moment("2026-11-20T00:00:00.123456Z", &oddity), day);
    CHECK_EQUAL(moment("2026-11-20T02:00:00+02:00", &oddity), day);
    CHECK_EQUAL(moment("2026-11-19T18:30:00-05:30", &oddity), day);
    CHECK_EQUAL(moment("2026-11-20T00:00:00-00:00", &oddity), day);
    CHECK(!oddity);
    CHECK_EQUAL(moment("1970-01-01T00:00:00Z", &oddity), 0);
}

TEST(odd_times_are_read_and_told_of)
{
    const char *oddity;

    CHECK_EQUAL(moment("2026-11-20T00:00:00", &oddity), day);
    CHECK_TEXT(oddity, "a time without a time zone, taken as UTC");
    CHECK_EQUAL(moment("2026-11-20 00:00:00Z", &oddity), day);
    CHECK_TEXT(oddity, "a blank between date and time");
    CHECK_EQUAL(moment(" 2026-11-20T00:00:00 UTC", &oddity), day);
    CHECK_TEXT(oddity, "a time zone in letters");
    CHECK_EQUAL(moment("2026-11-20T00:00Z", &oddity), day);
    CHECK_TEXT(oddity, "a time without seconds");
    CHECK_EQUAL(moment("2026-11-20", &oddity), day);
    CHECK_TEXT(oddity, "a date without a time");
    CHECK_EQUAL(moment("2026-11-20T01:00:00+0100", &oddity), day);
}

TEST(what_is_no_time_is_none)
{
    static const char *const wrong[] = {
        "", "yesterday", "20261120T000000Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00", "2026-01-32",
        "2026-11-20T25:00:00Z", "2026-11-20T00:60:00Z", "2026-11-20T00:00:61Z", "2026-11-20T00:00:00.Z", "2026-11-20T",
        "2026-11-20T00:00:00X", "2026-11-20T00:00:00+1", "2026-11-20T00:00:00+24:00", "2026-11-20T00:00:00Zx",
        "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00", "-026-11-20", "2026-11-2\xd9\xa0", "2026-11-20T00:00:00Z\0x",
    };
    const char *oddity;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong - 1; i++)
        CHECK_EQUAL(moment(wrong[i], &oddity), -1);
}

TEST(a_range_that_ends_with_the_next_day_ends_with_its_own)
{
    CHECK_OK(read_bytes(SLICE(REPORT("\"date-range\":{\"start-datetime\":\"2026-11-20T00:00:00Z\","
                                     "\"end-datetime\":\"2026-11-21T00:00:00Z\"},\"policies\":[" ENTRY "]"))), &why);
    CHECK_EQUAL(report.end, day + DAYS(1) - SECONDS(1));
    CHECK(is_noted("date-range ends where the next day begins"));
}

TEST(a_range_without_an_end_is_a_day_and_without_a_start_is_none)
{
    CHECK_OK(read_bytes(SLICE(REPORT("\"date-range\":{\"start-datetime\":1795132800},\"policies\":[" ENTRY "]"))), &why);
    CHECK_EQUAL(report.begin, day);
    CHECK_EQUAL(report.end, day + DAYS(1) - SECONDS(1));
    CHECK(is_noted("date-range has no end that can be used, taken as one day"));
    CHECK_OK(read_bytes(SLICE(REPORT("\"date-range\":{\"start-datetime\":\"2026-11-20\",\"end-datetime\":\"2026-11-19\"},"
                                     "\"policies\":[" ENTRY "]"))), &why);
    CHECK_EQUAL(report.end, day + DAYS(1) - SECONDS(1));
    CHECK(!read_bytes(SLICE(REPORT("\"date-range\":{\"end-datetime\":\"2026-11-20\"},\"policies\":[" ENTRY "]"))));
    CHECK_EQUAL(why.code, E_MALFORMED);
}

/* --- what is refused ---------------------------------------------------------------------- */

static void check_refused(struct slice bytes, enum error_code code)
{
    struct report_notes untouched = { .count = 77 };
    struct report before = { .id = "before" };

    report = before;
    notes = untouched;
    CHECK(!read_bytes(bytes));
    CHECK_EQUAL(why.code, code);
    CHECK_TEXT(report.id, "before");        /* outputs are written only on success */
    CHECK_EQUAL(notes.count, 77);
}

TEST(what_is_no_report_is_refused)
{
    static const char *const wrong[] = {
        "", " ", "null", "[]", "\"{}\"", "{", "{}", "{]", "{\"a\":}", "{\"policies\":[]}", "<html>", "{\"a\":\"b",
        REPORT(RANGE), REPORT(RANGE ",\"policies\":[]"), REPORT(RANGE ",\"policies\":null"),
        REPORT(RANGE ",\"policies\":[1,2]"), REPORT(RANGE ",\"policies\":\"none\""), REPORT("\"policies\":[" ENTRY "]"),
        REPORT("\"date-range\":[],\"policies\":[" ENTRY "]"), "{\"a\":\"\\", "{\"a\":\"\\\"",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_refused(slice_of(wrong[i]), E_MALFORMED);
}

/* RFC 7493 2.3, 2.2, 2.1. */
TEST(what_i_json_forbids_is_refused)
{
    check_refused(SLICE(REPORT(RANGE ",\"report-id\":\"other\",\"policies\":[" ENTRY "]")), E_MALFORMED);
    check_refused(SLICE(REPORT(RANGE ",\"x\":\"a\\u0000b\",\"policies\":[" ENTRY "]")), E_MALFORMED);
    check_refused(SLICE(REPORT(RANGE ",\"x\":\"a\0b\",\"policies\":[" ENTRY "]")), E_MALFORMED);
    check_refused(SLICE(REPORT(RANGE ",\"x\":\"\xc3(\",\"policies\":[" ENTRY "]")), E_MALFORMED);
    check_refused(SLICE(REPORT(RANGE ",\"x\":\"\\ud800\",\"policies\":[" ENTRY "]")), E_MALFORMED);
    check_refused(SLICE(REPORT(RANGE ",\"x\":1e400,\"policies\":[" ENTRY "]")), E_MALFORMED);
    check_refused(SLICE(REPORT(RANGE ",\"x\":NaN,\"policies\":[" ENTRY "]")), E_MALFORMED);
    check_refused(SLICE(REPORT(RANGE ",\"x\":99999999999999999999,\"policies\":[" ENTRY "]")), E_MALFORMED);
}

/* --- TLSRPT-093: bounds ------------------------------------------------------------------- */

static void repeat(struct buf *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_add(out, slice_of(text));
}

TEST(json_a_million_deep_is_refused_before_it_is_read)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, 8 * 1024 * 1024);
    buf_text(&text, "{\"a\":");
    repeat(&text, "[", 1000000);
    check_refused(buf_slice(&text), E_LIMIT);
    buf_clear(&text);
    repeat(&text, "{\"a\":", 1000000);
    check_refused(buf_slice(&text), E_LIMIT);
}

TEST(more_values_than_a_report_has_are_refused)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, 8 * 1024 * 1024);
    buf_text(&text, "{\"a\":[");
    repeat(&text, "{},", 150000);
    buf_text(&text, "1]}");
    check_refused(buf_slice(&text), E_LIMIT);
}

TEST(a_string_without_end_is_refused)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, 8 * 1024 * 1024);
    buf_text(&text, "{\"a\":\"");
    repeat(&text, "0123456789abcdef", 100000);
    buf_text(&text, "\"}");
    check_refused(buf_slice(&text), E_LIMIT);
}

TEST(more_bytes_than_are_read_are_refused)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, REPORT_JSON_MAX + 1);
    buf_text(&text, "{");
    memset(buf_room(&text, REPORT_JSON_MAX), ' ', REPORT_JSON_MAX);
    buf_grew(&text, REPORT_JSON_MAX);
    check_refused(buf_slice(&text), E_LIMIT);
}

TEST(a_gzip_bomb_is_refused)
{
    auto_buf struct buf zeros = { 0 }, packed = { 0 };
    const size_t size = 48 * 1024 * 1024;

    buf_init(&zeros, size);
    memset(buf_room(&zeros, size), ' ', size);
    buf_grew(&zeros, size);
    buf_init(&packed, size);
    CHECK_OK(gzip_pack(buf_slice(&zeros), &packed, &why), &why);
    check_refused(buf_slice(&packed), E_LIMIT);
}

TEST(strings_are_cut_between_characters)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, 100000);
    buf_text(&text, "{" RANGE ",\"policies\":[" ENTRY "],\"organization-name\":\"x");
    repeat(&text, "\xc3\xa4", 1000);
    buf_text(&text, "\"}");
    CHECK_OK(read_bytes(buf_slice(&text)), &why);
    CHECK_EQUAL(strlen(report.organization), 255);
    CHECK(is_noted("a string that is too long was cut"));
    CHECK_SLICE(report_text_cut(SLICE("x\xc3\xa4"), 2), "x");
    CHECK_SLICE(report_text_cut(SLICE("x\xc3\xa4"), 3), "x\xc3\xa4");
}

TEST(details_beyond_the_bound_are_folded_into_one)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, 1000000);
    buf_text(&text, "{" RANGE ",\"policies\":[{\"policy\":{\"policy-type\":\"sts\"},\"failure-details\":[");
    for (int i = 0; i < REPORT_DETAILS_MAX + 5; i++)
        buf_text(&text, "%s{\"result-type\":\"certificate-expired\",\"sending-mta-ip\":\"192.0.2.%d\",\"failed-session-count\":2}",
                 i ? "," : "", i);
    buf_text(&text, "]}]}");
    CHECK_OK(read_bytes(buf_slice(&text)), &why);
    CHECK_EQUAL(report.entries[0].detail_count, REPORT_DETAILS_MAX);
    CHECK_TEXT(report.entries[0].details[REPORT_DETAILS_MAX - 1].reason, "truncated");
    CHECK_EQUAL(report.entries[0].details[REPORT_DETAILS_MAX - 1].count, 12);
    CHECK_EQUAL(report.entries[0].failures, 2 * (REPORT_DETAILS_MAX + 5));
}

TEST(policies_and_strings_beyond_the_bound_are_left_out)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, 4000000);
    buf_text(&text, "{" RANGE ",\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"a\"");
    repeat(&text, ",\"a\"", REPORT_STRINGS_MAX);
    buf_text(&text, "],\"mx-host\":\"a");
    repeat(&text, "\\na", REPORT_STRINGS_MAX - 1);
    buf_text(&text, "\"}}");
    repeat(&text, "," ENTRY, REPORT_ENTRIES_MAX);
    buf_text(&text, "]}");
    CHECK_OK(read_bytes(buf_slice(&text)), &why);
    CHECK_EQUAL(report.entry_count, REPORT_ENTRIES_MAX);
    CHECK_EQUAL(report.entries[0].policy.string_count, REPORT_STRINGS_MAX);
    CHECK_EQUAL(report.entries[0].policy.mx_count, REPORT_STRINGS_MAX);
    CHECK(is_noted("policy-string has more than 300 strings, the rest was left out"));
    CHECK(!is_noted("mx-host has more than 300 strings, the rest was left out"));
}

TEST(an_arena_too_small_is_a_limit)
{
    arena_done(&arena);
    for (size_t room = 0; room < 1000; room += 50) {
        struct arena small;
        bool good;

        arena_init(&small, room);
        why = (struct error){ 0 };
        good = report_read(SLICE(GOOD), &small, &report, &notes, &why);
        CHECK(good || why.code == E_LIMIT);
        CHECK(!good || room > 100);
        arena_done(&small);
    }
}

#include "tests/test.h"

#include "tlsrpt/report.h"

#include <jansson.h>

static struct error why;
static struct buf out;

static const char *const policy_strings[] = { "version: STSv1", "mode: testing", "mx: *.example.net", "max_age: 86400" };
static const char *const patterns[] = { "*.example.net" };
static struct report_failure details[] = {
    { "certificate-expired", "2001:db8::1", "203.0.113.56", "mx1.mail.example.net", "mail.example.net", "X509_V_ERR",
      "https://reports.example.org/1", 100 },
    { .result_type = "sts-policy-fetch-error", .sending_ip = "", .receiving_ip = "", .mx = "", .helo = "", .reason = "",
      .information = "", .count = 1 },
};
static struct report_entry entries[] = {
    { { POLICY_STS, "example.net", policy_strings, 4, patterns, 1 }, "", 5326, 303, details, 2 },
    { { POLICY_NONE_FOUND, "example.net", NULL, 0, NULL, 0 }, "", 7, 0, NULL, 0 },
};
static const struct report sample = {
    .organization = "Company-X", .contact = "sts-reporting@company-x.example", .id = "5065427c@company-x.example",
    .begin = SECONDS(1459468800), .end = SECONDS(1459555199), .entries = entries, .entry_count = 2,
};

static const char *written(const struct report *r)
{
    buf_done(&out);
    buf_init(&out, 1024 * 1024);
    CHECK_OK(report_write(r, &out, &why), &why);
    buf_byte(&out, '\0');
    return buf_slice(&out).at;
}

/* TLSRPT-030 to -045 */
TEST(a_report_has_the_members_of_the_rfc)
{
    CHECK_TEXT(written(&sample),
               "{\"organization-name\":\"Company-X\",\"date-range\":{\"start-datetime\":\"2016-04-01T00:00:00Z\","
               "\"end-datetime\":\"2016-04-01T23:59:59Z\"},\"contact-info\":\"sts-reporting@company-x.example\","
               "\"report-id\":\"5065427c@company-x.example\",\"policies\":[{\"policy\":{\"policy-type\":\"sts\","
               "\"policy-string\":[\"version: STSv1\",\"mode: testing\",\"mx: *.example.net\",\"max_age: 86400\"],"
               "\"policy-domain\":\"example.net\",\"mx-host\":[\"*.example.net\"]},\"summary\":"
               "{\"total-successful-session-count\":5326,\"total-failure-session-count\":303},\"failure-details\":["
               "{\"result-type\":\"certificate-expired\",\"sending-mta-ip\":\"2001:db8::1\","
               "\"receiving-mx-hostname\":\"mx1.mail.example.net\",\"receiving-mx-helo\":\"mail.example.net\","
               "\"receiving-ip\":\"203.0.113.56\",\"failed-session-count\":100,"
               "\"additional-information\":\"https://reports.example.org/1\",\"failure-reason-code\":\"X509_V_ERR\"},"
               "{\"result-type\":\"sts-policy-fetch-error\",\"failed-session-count\":1}]},"
               "{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"example.net\"},\"summary\":"
               "{\"total-successful-session-count\":7,\"total-failure-session-count\":0}}]}");
}

/* TLSRPT-018 */
TEST(policies_are_an_array_even_when_there_are_none)
{
    struct report r = sample;
    json_t *json;

    r.entry_count = 0;
    json = json_loads(written(&r), JSON_REJECT_DUPLICATES, NULL);
    CHECK(json_is_array(json_object_get(json, "policies")));
    json_decref(json);
}

TEST(the_form_for_people_says_the_same)
{
    auto_buf struct buf pretty;
    json_t *one, *two;

    buf_init(&pretty, 1024 * 1024);
    CHECK_OK(report_write_pretty(&sample, &pretty, &why), &why);
    one = json_loads(written(&sample), JSON_REJECT_DUPLICATES, NULL);
    two = json_loadb(buf_slice(&pretty).at, buf_len(&pretty), JSON_REJECT_DUPLICATES, NULL);
    CHECK(one && two && json_equal(one, two));
    CHECK(slice_find(buf_slice(&pretty), '\n') < 10);
    json_decref(one);
    json_decref(two);
}

/* Some words of a received report, in those of its sender. */
TEST(a_type_that_we_have_no_word_for_is_written_as_it_came)
{
    struct report r = sample;
    struct report_entry e = entries[1];

    e.type_text = "dane \"2\"\n";
    r.entries = &e;
    r.entry_count = 1;
    CHECK(strstr(written(&r), "\"policy-type\":\"dane \\\"2\\\"\\n\""));
    CHECK_TEXT(report_entry_type(&e), "dane \"2\"\n");
    CHECK_TEXT(report_entry_type(&entries[0]), "sts");
}

/* RFC 7493 2.1 */
TEST(only_utf8_is_written)
{
    struct report r = sample;
    struct report_entry e = entries[0];
    struct report_failure f = details[0];

    r.organization = "M\xc3\xbcller \xe2\x82\xac";
    CHECK(strstr(written(&r), "M\xc3\xbcller \xe2\x82\xac"));
    r.organization = "M\xfcller";
    buf_clear(&out);
    CHECK(!report_write(&r, &out, &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
    r = sample;
    r.entries = &e;
    r.entry_count = 1;
    e.details = &f;
    e.detail_count = 1;
    f.helo = "\xed\xa0\x80";
    CHECK(!report_write(&r, &out, &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
    f.helo = "";
    e.policy.strings = &(const char *const){ "\xff" };
    e.policy.string_count = 1;
    CHECK(!report_write(&r, &out, &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
}

/* RFC 7493 2.2 */
TEST(counts_stay_where_every_reader_gets_them_right)
{
    struct report r = sample;
    struct report_entry e = entries[1];

    r.entries = &e;
    r.entry_count = 1;
    e.successes = UINT64_MAX;
    e.failures = (UINT64_C(1) << 53) - 1;
    CHECK(strstr(written(&r), "\"total-successful-session-count\":9007199254740991,\"total-failure-session-count\":9007199254740991"));
}

TEST(a_full_buffer_is_told)
{
    size_t whole = strlen(written(&sample));

    for (size_t max = 0; max < whole; max += 13) {
        auto_buf struct buf small;

        buf_init(&small, max);
        CHECK(!report_write(&sample, &small, &why));
        CHECK_EQUAL(why.code, E_LIMIT);
        CHECK(buf_len(&small) <= max);
    }
}

/* TLSRPT-032, -074 */
TEST(the_submitter_is_the_domain_of_the_contact)
{
    struct report r = { .contact = "\"a@b\"@example.org" };

    CHECK_TEXT(report_submitter(&r), "example.org");
    r.contact = "nobody";
    CHECK_TEXT(report_submitter(&r), "");
    r.contact = NULL;
    CHECK_TEXT(report_submitter(&r), "");
}

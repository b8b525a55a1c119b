#include "tests/test.h"

#include "postfix/datagram.h"

static struct arena arena;
static struct datagram d;
static struct error why;
static char counted[4000];

static bool parse(const char *text)
{
    arena_done(&arena);
    arena_init(&arena, 1 << 20);
    why = (struct error){ 0 };
    return datagram_parse(slice_of(text), &arena, &d, &why);
}

static uint64_t policy_id(void *self, const struct report_policy *p)
{
    return 100 + (uint64_t)p->type;
}

static void result(void *self, const struct report_tally *t)
{
    size_t at = strlen(counted);

    snprintf(counted + at, sizeof counted - at, "%s %u %s %s %s %s %s %s\n", t->domain, (unsigned)t->policy,
             t->result_type[0] ? t->result_type : "success", t->sending_ip, t->receiving_ip, t->mx, t->helo, t->reason);
}

static const char *results(const char *text)
{
    static const struct datagram_reader reader = { policy_id, result, NULL };

    counted[0] = '\0';
    CHECK_OK(parse(text), &why);
    datagram_results(&d, &reader);
    return counted;
}

#define TOP "{\"dpv\":\"1\",\"d\":\"example.org\",\"pr\":\"v=TLSRPTv1;rua=mailto:t@example.org\",\"policies\":["
#define END "]}"

TEST(a_success_without_a_policy_is_the_recipients)
{
    CHECK_TEXT(results(TOP "{\"policy-type\":9,\"f\":0,\"t\":0}" END), "example.org 1 success     \n");
    CHECK_TEXT(d.policies[0].policy.domain, "example.org");
    CHECK_TEXT(results(TOP "{\"policy-type\":9,\"policy-domain\":\"other.example\",\"f\":0}" END), "example.org 1 success     \n");
    CHECK_TEXT(d.policies[0].policy.domain, "example.org");
    CHECK(!d.miscounted);
    CHECK_TEXT(d.version, "1");
}

TEST(a_policy_is_quoted_as_told)
{
    CHECK_TEXT(results(TOP "{\"policy-type\":2,\"policy-domain\":\"Example.ORG\",\"policy-string\":[\"version: STSv1\",\"mode: enforce\"],"
                       "\"mx-host\":[\"*.example.org\"],\"f\":0,\"t\":0}" END), "example.org 101 success     \n");
    CHECK_EQUAL(d.policies[0].policy.type, POLICY_STS);
    CHECK_TEXT(d.policies[0].policy.domain, "example.org");
    CHECK_EQUAL(d.policies[0].policy.string_count, 2);
    CHECK_TEXT(d.policies[0].policy.strings[1], "mode: enforce");
    CHECK_EQUAL(d.policies[0].policy.mx_count, 1);
    CHECK_TEXT(d.policies[0].policy.mx[0], "*.example.org");
}

TEST(a_failure_is_told_with_all_that_is_known)
{
    CHECK_TEXT(results(TOP "{\"policy-type\":1,\"policy-domain\":\"mx.example.org\",\"policy-string\":[\"3 1 1 00\"],\"f\":1,\"t\":1,"
                       "\"failure-details\":[{\"c\":202,\"s\":\"192.0.2.1\",\"r\":\"2001:db8::25\",\"n\":\"mx.example.org\","
                       "\"h\":\"mx.example.org\",\"f\":\"no match\",\"a\":\"more\"}]}" END),
               "example.org 100 certificate-host-mismatch 192.0.2.1 2001:db8::25 mx.example.org mx.example.org no match\n");
    CHECK_TEXT(results(TOP "{\"policy-type\":9,\"f\":1,\"t\":1,\"failure-details\":[{\"c\":201,\"a\":\"more\",\"s\":\"no address\"}]}" END),
               "example.org 1 starttls-not-supported     more\n");
}

TEST(every_code_has_its_name)
{
    static const struct { int code; const char *name; } codes[] = {
        { 201, "starttls-not-supported" }, { 202, "certificate-host-mismatch" }, { 203, "certificate-not-trusted" },
        { 204, "certificate-expired" }, { 205, "validation-failure" }, { 301, "sts-policy-fetch-error" },
        { 302, "sts-policy-invalid" }, { 303, "sts-webpki-invalid" }, { 304, "tlsa-invalid" }, { 305, "dnssec-invalid" },
        { 306, "dane-required" } };
    char text[300], wanted[100];

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        snprintf(text, sizeof text, TOP "{\"policy-type\":9,\"f\":1,\"t\":1,\"failure-details\":[{\"c\":%d}]}" END, codes[i].code);
        snprintf(wanted, sizeof wanted, "example.org 1 %s     \n", codes[i].name);
        CHECK_TEXT(results(text), wanted);
    }
}

TEST(what_is_the_librarys_own_is_no_failure_of_the_domain)
{
    CHECK_TEXT(results(TOP "{\"policy-type\":9,\"f\":1,\"t\":1,\"failure-details\":[{\"c\":901}]}" END), "");
    CHECK_TEXT(results(TOP "{\"policy-type\":9,\"f\":1,\"t\":2,\"failure-details\":[{\"c\":901},{\"c\":204}]}" END),
               "example.org 1 certificate-expired     \n");
    CHECK(!d.miscounted);
}

TEST(a_failure_before_a_success_counts_too)
{
    CHECK_TEXT(results(TOP "{\"policy-type\":9,\"f\":0,\"t\":1,\"failure-details\":[{\"c\":205}]}" END),
               "example.org 1 success     \nexample.org 1 validation-failure     \n");
}

TEST(several_policies_are_counted_each)
{
    CHECK_TEXT(results(TOP "{\"policy-type\":1,\"f\":0},{\"policy-type\":2,\"f\":0},{\"policy-type\":7,\"f\":0}" END),
               "example.org 100 success     \nexample.org 101 success     \n");
}

TEST(another_version_and_another_count_are_noted_and_counted)
{
    CHECK_TEXT(results("{\"dpv\":\"2\",\"d\":\"EXAMPLE.org.\",\"policies\":[{\"policy-type\":9,\"f\":1,\"t\":3,"
                       "\"failure-details\":[{\"c\":204}]}]}"), "example.org 1 certificate-expired     \n");
    CHECK_TEXT(d.version, "2");
    CHECK(d.miscounted);
}

TEST(what_makes_no_sense_is_refused)
{
    static const char *const bad[] = { "", "{", "[]", "\"x\"", "1", "{}", TOP END, TOP "{}" END, TOP "1" END,
        "{\"d\":\"\",\"policies\":[{\"policy-type\":9,\"f\":0}]}", "{\"d\":\"a b\",\"policies\":[{\"policy-type\":9,\"f\":0}]}",
        "{\"d\":7,\"policies\":[{\"policy-type\":9,\"f\":0}]}", "{\"d\":\".\",\"policies\":[{\"policy-type\":9,\"f\":0}]}",
        "{\"d\":\"example.org\",\"policies\":{}}", "{\"d\":\"example.org\"}", TOP "{\"policy-type\":\"9\",\"f\":0}" END,
        "{\"d\":\"a.example\",\"d\":\"b.example\",\"policies\":[{\"policy-type\":9,\"f\":0}]}", "\xff",
        "{\"d\":\"a\\u0000b\",\"policies\":[{\"policy-type\":9,\"f\":0}]}" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(bad[i]) || why.code != E_MALFORMED)
            fail_msg("%s is taken", bad[i]);
}

TEST(too_much_of_it_is_bounded)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, 2 * DATAGRAM_BYTES_MAX);
    buf_text(&text, TOP "{\"policy-type\":2,\"f\":1,\"t\":200,\"policy-string\":[\"0\"");
    for (int i = 0; i < 1000; i++)
        buf_text(&text, ",\"%d\"", i);
    buf_text(&text, "],\"failure-details\":[{\"c\":204}");
    for (int i = 0; i < 199; i++)
        buf_text(&text, ",{\"c\":204}");
    buf_text(&text, "]}" END "%c", '\0');
    CHECK_OK(parse(buf_slice(&text).at), &why);
    CHECK_EQUAL(d.policies[0].failure_count, DATAGRAM_FAILURES_MAX);
    CHECK_EQUAL(d.policies[0].policy.string_count, REPORT_STRINGS_MAX);
    CHECK(!d.miscounted);
    buf_clear(&text);
    buf_text(&text, TOP "{\"policy-type\":9,\"f\":0}");
    for (int i = 0; i < DATAGRAM_POLICIES_MAX; i++)
        buf_text(&text, ",{\"policy-type\":9,\"f\":0}");
    buf_text(&text, END "%c", '\0');
    CHECK(!parse(buf_slice(&text).at));
    buf_clear(&text);
    while (buf_len(&text) <= DATAGRAM_BYTES_MAX)
        buf_text(&text, "                                                                ");
    CHECK(!datagram_parse(buf_slice(&text), &arena, &d, &why) && why.code == E_LIMIT);
}

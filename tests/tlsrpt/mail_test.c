#include "tests/test.h"

#include "tlsrpt/mail.h"

#include <stdio.h>

static struct report_failure details[12] = {
    { "certificate-expired", "192.0.2.1", "192.0.2.2", "mx1.example.net", "mx1.example.net", "", "", 12 },
    { "validation-failure", "192.0.2.1", "192.0.2.2", "mx1.example.net", "mx1.example.net", "tls-eof", "", 1 },
};
static struct report_entry entries[] = {
    { { POLICY_STS, "example.net", NULL, 0, NULL, 0 }, "", 1200, 13, details, 2 },
    { { POLICY_NONE_FOUND, "example.net", NULL, 0, NULL, 0 }, "", 1, 1, NULL, 0 },
};
static const struct report sample = {
    .organization = "Example Org", .contact = "tls-reports@example.org", .id = "20261121.example.net.0123456789abcdef@example.org",
    .begin = SECONDS(1795219200), .end = SECONDS(1795305599), .entries = entries, .entry_count = 2,
};
static const struct report_mail letter = {
    .report = &sample, .domain = "example.net", .to = "reports@example.net", .hostname = "mx.example.org",
    .wall = SECONDS(1795312800), .gzipped = { "\x1f\x8b binary", 9 },
};

static struct buf out;

/* The message, a C string. Whatever is in it, its lines are such as mail may have. */
static const char *written(const struct report_mail *m)
{
    const char *line, *next;

    buf_done(&out);
    buf_init(&out, 16 * 1024 * 1024);
    report_mail_write(m, &out);
    buf_byte(&out, '\0');
    CHECK(!out.failed);
    for (line = buf_slice(&out).at; *line; line = next + 2) {
        next = strstr(line, "\r\n");
        CHECK(next && next - line <= 998);
        for (const char *c = line; c < next; c++)
            CHECK(*c >= ' ' && *c <= '~');
    }
    return buf_slice(&out).at;
}

static size_t occurrences(const char *text, const char *word)
{
    size_t count = 0;

    while ((text = strstr(text, word))) {
        count++;
        text++;
    }
    return count;
}

/* TLSRPT-071 to -077 */
TEST(a_report_is_mailed_as_the_rfc_says)
{
    const char *text = written(&letter);
    char boundary[80], line[100];

    CHECK(sscanf(strstr(text, "boundary=\"") + strlen("boundary=\""), "%79[^\"]", boundary) == 1);
    CHECK(strncmp(text, "From: <tls-reports@example.org>\r\nTo: <reports@example.net>\r\n"
                        "Date: Sun, 22 Nov 2026 02:00:00 +0000\r\nMessage-ID: <20261121.example.net.0123456789abcdef.",
                  strlen("From: <tls-reports@example.org>\r\nTo: <reports@example.net>\r\n"
                         "Date: Sun, 22 Nov 2026 02:00:00 +0000\r\nMessage-ID: <20261121.example.net.0123456789abcdef.")) == 0);
    CHECK_ID("TLSRPT-075", strstr(text, "\r\nSubject: Report Domain: example.net Submitter: example.org Report-ID:\r\n"
                                        " <20261121.example.net.0123456789abcdef@example.org>\r\n"));
    CHECK_ID("TLSRPT-074", strstr(text, "\r\nTLS-Report-Domain: example.net\r\nTLS-Report-Submitter: example.org\r\n"));
    CHECK_ID("TLSRPT-077", strstr(text, "\r\nTLS-Required: No\r\n"));
    CHECK(strstr(text, "\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"));
    CHECK_ID("TLSRPT-073", strstr(text, "\r\nContent-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\""));
    CHECK_ID("TLSRPT-072", strstr(text, "\r\nContent-Disposition: attachment;\r\n filename="
                                        "\"example.org!example.net!1795219200!1795305599!001.json.gz\"\r\n"));
    CHECK_ID("TLSRPT-071", strstr(text, "\r\nContent-Type: application/tlsrpt+gzip;\r\n name="));
    CHECK(strstr(text, "\r\nContent-Transfer-Encoding: base64\r\n\r\nH4sgYmluYXJ5\r\n--"));
    snprintf(line, sizeof line, "\r\n--%s\r\n", boundary);
    CHECK_EQUAL(occurrences(text, line), 2);
    snprintf(line, sizeof line, "\r\n--%s--\r\n", boundary);
    CHECK_EQUAL(occurrences(text, line), 1);
    CHECK_TEXT(strstr(text, line) + strlen(line), "");
}

TEST(people_read_what_happened)
{
    auto_buf struct buf text;

    buf_init(&text, 64 * 1024);
    report_summary_write(&sample, "example.net", &text);
    CHECK_SLICE(buf_slice(&text),
        "How mail to example.net was encrypted on 2026-11-21 (UTC), as seen by\r\n"
        "  example.org\r\n"
        "\r\n"
        "This report is sent because the domain asks for it in the DNS (RFC 8460). The\r\n"
        "attached file says the same, and more, to programs.\r\n"
        "\r\n"
        "  Policy sts of example.net\r\n"
        "    1200 sessions were encrypted as it asks, 13 were not\r\n"
        "      12 x certificate-expired at mx1.example.net 192.0.2.2\r\n"
        "      1 x validation-failure because of tls-eof at mx1.example.net 192.0.2.2\r\n"
        "\r\n"
        "  Policy no-policy-found of example.net\r\n"
        "    1 session was encrypted, 1 was not\r\n"
        "\r\n"
        "Questions: tls-reports@example.org\r\n");
}

TEST(long_reports_have_short_summaries)
{
    struct report r = sample;
    struct report_entry many[30];
    auto_buf struct buf text;

    for (size_t i = 0; i < 30; i++) {
        many[i] = entries[0];
        many[i].detail_count = 12;
    }
    for (size_t i = 2; i < 12; i++)
        details[i] = details[0];
    r.entries = many;
    r.entry_count = 30;
    buf_init(&text, 64 * 1024);
    report_summary_write(&r, "example.net", &text);
    buf_byte(&text, '\0');
    CHECK(!text.failed);
    CHECK_EQUAL(occurrences(buf_slice(&text).at, "Policy sts"), 20);
    CHECK_EQUAL(occurrences(buf_slice(&text).at, " x "), 20 * 8);
    CHECK_EQUAL(occurrences(buf_slice(&text).at, "and 4 more kinds of failure\r\n"), 20);
    CHECK(strstr(buf_slice(&text).at, "\r\n  and 10 more policies\r\n"));
}

/* TLSRPT-033: a retry repeats it. */
TEST(a_message_is_the_same_when_it_is_made_again)
{
    auto_buf struct buf first = { 0 };
    struct report_mail other = letter;

    written(&letter);
    buf_init(&first, 1024 * 1024);
    buf_add(&first, buf_slice(&out));
    written(&letter);
    CHECK(slice_equal(buf_slice(&first), buf_slice(&out)));
    other.to = "others@example.net";
    written(&other);
    CHECK(strncmp(strstr(buf_slice(&first).at, "Message-ID"), strstr(buf_slice(&out).at, "Message-ID"), 74) != 0);
}

/* Whatever strangers said stays within its line. */
TEST(words_of_strangers_forge_no_structure)
{
    struct report_failure evil = {
        "a\r\n--b", "\r\n.\r\n", "x\r\n\r\n--", "mx\r\nBcc: c@example.net\r\n\r\n", "\n", "because\r\n\r\n<html>", "", 1 };
    struct report_entry e = entries[0];
    struct report r = sample;
    struct report_mail m = letter;
    char boundary[80], line[100];
    const char *text;

    e.details = &evil;
    e.detail_count = 1;
    e.type_text = "x\r\n--y";
    e.policy.domain = "p\r\n\r\n--q";
    r.entries = &e;
    r.entry_count = 1;
    r.id = "l\r\nX: y@r\r\n\r\nz";
    r.contact = "c\r\nBcc: d@e\r\n\r\nf";
    m.report = &r;
    m.domain = "\"\r\nX-Evil: 1\r\n\r\n--\"; filename=../../x";
    m.to = "t@u>\r\nX-Evil: 2\r\n";
    text = written(&m);
    CHECK_EQUAL(occurrences(text, "\r\nX-Evil"), 0);
    CHECK_EQUAL(occurrences(text, "\r\nBcc"), 0);
    CHECK_EQUAL(occurrences(text, "\r\nX:"), 0);
    CHECK_EQUAL(occurrences(text, "\r\n\r\n--"), 2);
    CHECK_EQUAL(occurrences(text, "\r\n.\r\n"), 0);
    CHECK_EQUAL(occurrences(text, "<html>"), 1);
    CHECK(!strstr(strstr(text, "filename=\"") + 10, "/x"));
    CHECK(sscanf(strstr(text, "boundary=\"") + strlen("boundary=\""), "%79[^\"]", boundary) == 1);
    snprintf(line, sizeof line, "--%s", boundary);
    CHECK_EQUAL(occurrences(text, line), 3);
}

/* RFC 2046 5.1.1 */
TEST(a_boundary_that_somebody_foresaw_is_not_used)
{
    struct report_failure evil = details[0];
    struct report_entry e = entries[0];
    struct report r = sample;
    struct report_mail m = letter;
    char first[80], second[80];

    CHECK(sscanf(strstr(written(&letter), "boundary=\"") + strlen("boundary=\""), "%79[^\"]", first) == 1);
    evil.mx = first;
    e.details = &evil;
    e.detail_count = 1;
    r.entries = &e;
    r.entry_count = 1;
    m.report = &r;
    CHECK(sscanf(strstr(written(&m), "boundary=\"") + strlen("boundary=\""), "%79[^\"]", second) == 1);
    CHECK(strcmp(first, second) != 0);
}

static const char *base64(struct slice bytes)
{
    static char text[4096];
    struct report_mail m = letter;
    const char *at;
    size_t len;

    m.gzipped = bytes;
    at = strstr(written(&m), "base64\r\n\r\n") + strlen("base64\r\n\r\n");
    len = (size_t)(strstr(at, "--=_") - at);
    snprintf(text, sizeof text, "%.*s", (int)len, at);
    return text;
}

/* RFC 4648 10; RFC 2045 6.8 */
TEST(base64_is_as_others_write_it)
{
    char long_one[115];

    CHECK_TEXT(base64(SLICE("")), "");
    CHECK_TEXT(base64(SLICE("f")), "Zg==\r\n");
    CHECK_TEXT(base64(SLICE("fo")), "Zm8=\r\n");
    CHECK_TEXT(base64(SLICE("foo")), "Zm9v\r\n");
    CHECK_TEXT(base64(SLICE("foob")), "Zm9vYg==\r\n");
    CHECK_TEXT(base64(SLICE("\xff\xff\xfe\xfb")), "///++w==\r\n");
    memset(long_one, '\0', sizeof long_one);
    CHECK_EQUAL(strlen(base64(slice(long_one, 57))), 78);
    CHECK_EQUAL(strlen(base64(slice(long_one, 58))), 78 + 6);
    CHECK_EQUAL(strlen(base64(slice(long_one, 114))), 2 * 78);
}

/* TLSRPT-072 */
TEST(file_names_are_names)
{
    char text[REPORT_FILE_NAME_MAX], longest[400];
    struct report r = sample;

    CHECK_TEXT(report_file_name(&r, "example.net", true, text), "example.org!example.net!1795219200!1795305599!001.json.gz");
    CHECK_TEXT(report_file_name(&r, "example.net", false, text), "example.org!example.net!1795219200!1795305599!001.json");
    r.contact = "a@-rf/../x";
    CHECK_TEXT(report_file_name(&r, ".\"\r\n!", false, text), "_rf_.._x!_____!1795219200!1795305599!001.json");
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '@';
    longest[sizeof longest - 1] = '\0';
    r.contact = longest;
    CHECK(strstr(report_file_name(&r, longest + 1, true, text), ".json.gz"));
    CHECK(strlen(text) < REPORT_FILE_NAME_MAX - 1);
}

TEST(a_contact_without_a_domain_still_has_a_message_id)
{
    struct report r = sample;
    struct report_mail m = letter;

    r.contact = "nobody";
    m.report = &r;
    CHECK(strstr(strstr(written(&m), "\r\nMessage-ID: <20261121."), "@mx.example.org>\r\n"));
}

#include "tests/test.h"

#include "tlsrpt/judge.h"

static struct error why;

/* "" when nobody is found to have signed. */
static const char *signer(const struct dkim_result *results, size_t count, const char *from, const char *submitter)
{
    const struct report_letter letter = { .from = from, .submitter = submitter, .domain = "" };
    const struct dkim_result *found;

    why = (struct error){ 0 };
    found = judge_signer(results, count, &letter, &why);
    return found ? found->domain : "";
}

#define USUAL SLICE("From:Content-Type:TLS-Report-Submitter")

static const char *passed(const char *domain, const char *from, const char *submitter)
{
    return signer(&(struct dkim_result){ DKIM_PASS, domain, "s", "", USUAL }, 1, from, submitter);
}

/* --- TLSRPT-090: d= equal to or parent of submitter or From, within one organisation ------- */

TEST(the_reporting_domain_signs_for_itself)
{
    CHECK_TEXT(passed("example.com", "example.com", "example.com"), "example.com");
    CHECK_TEXT(passed("example.com", "example.com", ""), "example.com");
    CHECK_TEXT(passed("example.com", "", "example.com"), "example.com");
}

TEST(a_parent_signs_for_what_is_below_it)
{
    CHECK_TEXT(passed("example.com", "tls.example.com", "tls.example.com"), "example.com");
    CHECK_TEXT(passed("example.com", "a.example.com", "b.example.com"), "example.com");
}

TEST(the_domain_of_from_signs_where_the_submitter_is_its_parent)
{
    CHECK_TEXT(passed("corp.example.net", "corp.example.net", "example.net"), "corp.example.net");
}

TEST(the_name_of_a_company_is_no_submitter)
{
    CHECK_TEXT(passed("mail.example.net", "mail.example.net", "example gmbh"), "mail.example.net");
    CHECK_TEXT(passed("mail.example.net", "mail.example.net", "example inc."), "mail.example.net");
    CHECK_TEXT(passed("example.net", "", "example gmbh"), "");
}

TEST(a_child_does_not_sign_for_its_parent)
{
    CHECK_TEXT(passed("list.example.com", "example.com", "example.com"), "");
    CHECK_EQUAL(why.code, E_UNSIGNED);
}

TEST(a_stranger_does_not_sign)
{
    CHECK_TEXT(passed("evil.example", "example.com", "example.com"), "");
    CHECK_TEXT(why.text, "it is signed by evil.example, but says that it is from example.com");
    CHECK_TEXT(passed("evil.example", "evil.example", "example.com"), "");
    CHECK_TEXT(passed("evil.example", "example.com", "evil.example"), "");
    CHECK_TEXT(passed("com", "example.com", "example.com"), "");
    CHECK_TEXT(passed("co.uk", "example.co.uk", "example.co.uk"), "");
    CHECK_TEXT(passed("ample.com", "example.com", "example.com"), "");
    CHECK_TEXT(passed("", "example.com", "example.com"), "");
}

TEST(from_nobody_is_signed_by_nobody)
{
    CHECK_TEXT(passed("example.com", "", ""), "");
    CHECK_TEXT(why.text, "it is signed by example.com, but says that it is from nobody in particular");
}

TEST(only_what_passes_counts)
{
    static const enum dkim_verdict bad[] = { DKIM_FAIL, DKIM_NO_KEY, DKIM_INVALID, DKIM_EXPIRED };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct dkim_result r = { bad[i], "example.com", "s", "the body was changed", USUAL };

        CHECK_TEXT(signer(&r, 1, "example.com", "example.com"), "");
        CHECK_EQUAL(why.code, E_UNSIGNED);
        CHECK_TEXT(why.text, "its DKIM signature of example.com is not good: the body was changed");
    }
    CHECK_TEXT(signer(NULL, 0, "example.com", "example.com"), "");
    CHECK_EQUAL(why.code, E_UNSIGNED);
}

TEST(one_good_signature_among_others_is_enough)
{
    const struct dkim_result results[] = {
        { DKIM_FAIL, "example.com", "a", "x", SLICE("") }, { DKIM_PASS, "list.example", "b", "", USUAL },
        { DKIM_UNKNOWN, "example.com", "c", "no answer", SLICE("") }, { DKIM_PASS, "example.com", "d", "", USUAL },
    };

    CHECK_TEXT(signer(results, 4, "example.com", "example.com"), "example.com");
    CHECK_TEXT(signer(results, 3, "example.com", "example.com"), "");
    CHECK_EQUAL(why.code, E_DNS);
    CHECK(!error_is_final(why.code));
    CHECK_TEXT(signer(results, 2, "example.com", "example.com"), "");
    CHECK_EQUAL(why.code, E_UNSIGNED);
}

TEST(a_strangers_key_that_cannot_be_had_is_no_reason_to_wait)
{
    const struct dkim_result r = { DKIM_UNKNOWN, "list.example", "s", "no answer", SLICE("") };

    CHECK_TEXT(signer(&r, 1, "example.com", "example.com"), "");
    CHECK_EQUAL(why.code, E_UNSIGNED);
}

/* --- what it covers ------------------------------------------------------------------------ */

static bool counts(const char *names, const struct report_letter *letter)
{
    const struct dkim_result r = { DKIM_PASS, "example.com", "s", "", slice_of(names) };

    why = (struct error){ 0 };
    return judge_signer(&r, 1, letter, &why) != NULL;
}

TEST(a_submitter_that_is_not_signed_is_nobodys_word)
{
    const struct report_letter by_submitter = { .from = "", .submitter = "example.com", .domain = "" },
                               by_both = { .from = "example.com", .submitter = "example.com", .domain = "" },
                               against = { .from = "example.com", .submitter = "example.net", .domain = "" };

    CHECK(counts("From:Content-Type:tls-report-submitter", &by_submitter));
    CHECK(!counts("From:Content-Type", &by_submitter));
    CHECK(counts("From:Content-Type", &by_both));
    CHECK(!counts("From:Content-Type", &against));
}

/* A bounce that quotes a report is none, whatever Content-Type somebody gives it. */
TEST(a_signature_says_that_it_signs_a_report_or_how_the_body_is_read)
{
    const struct report_letter bare = { .from = "example.com", .submitter = "", .domain = "" },
                               encoded = { .from = "example.com", .submitter = "", .domain = "", .encoded = true },
                               full = { .from = "example.com", .submitter = "example.com", .domain = "example.org",
                                        .encoded = true };

    CHECK(counts("from:content-type", &bare));
    CHECK(!counts("From:Subject:To:Date", &bare));
    CHECK_EQUAL(why.code, E_UNSIGNED);
    CHECK_TEXT(why.text, "its DKIM signature of example.com covers neither Content-Type nor a TLS-Report field");
    CHECK(!counts("From:TLS-Report-Domain:TLS-Report-Submitter", &bare));    /* there was none to be signed */
    CHECK(!counts("From:Content-Type", &encoded));
    CHECK(counts("From:Content-Type:Content-Transfer-Encoding", &encoded));
    CHECK(!counts("From:Subject", &full));
    CHECK(counts("From:TLS-Report-Domain", &full));
    CHECK(counts("From:TLS-Report-Submitter", &full));
}

/* --- TLSRPT-095 -------------------------------------------------------------------------------- */

static bool is_ours(const char *first, const char *second)
{
    static const char *const domains[] = { "Example.org", ".example.net" }, *const hosts[] = { "mx.provider.example" };
    const struct report_ours ours = { domains, 2, hosts, 1 };
    struct report_entry entries[2] = { { .policy.domain = first }, { .policy.domain = second } };
    const struct report r = { .entries = entries, .entry_count = 2 };

    why = (struct error){ 0 };
    return judge_is_ours(&r, &ours, &why);
}

TEST(our_domains_what_is_below_them_and_our_hosts_are_ours)
{
    CHECK(is_ours("example.org", "example.org"));
    CHECK(is_ours("example.org", "mx1.example.org"));
    CHECK(is_ours("example.org", "mx.provider.example"));
    CHECK(is_ours("sub.example.net", ""));
}

TEST(one_entry_about_others_puts_the_report_aside)
{
    CHECK(!is_ours("example.org", "example.com"));
    CHECK_TEXT(why.text, "it is about example.com, which is none of ours");
    CHECK(!is_ours("provider.example", "example.org"));
    CHECK(!is_ours("example.net", "example.org"));
    CHECK(!is_ours("notexample.org", ""));
}

TEST(a_report_about_nobody_is_not_ours)
{
    CHECK(!is_ours("", ""));
    CHECK(!judge_is_ours(&(struct report){ 0 }, &(struct report_ours){ 0 }, &why));
}

/* --- of when ------------------------------------------------------------------------------------ */

TEST(reports_of_these_days_are_recent)
{
    const time_ms now = DAYS(20780);
    static const struct {
        time_ms end;
        bool recent;
    } cases[] = {
        { 0, true }, { -DAYS(1), true }, { -DAYS(10), true }, { -DAYS(10) - 1, false }, { -DAYS(365), false },
        { DAYS(2), true }, { DAYS(2) + 1, false }, { DAYS(3650), false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct report r = { .begin = now + cases[i].end - DAYS(1), .end = now + cases[i].end };

        CHECK(judge_is_recent(&r, now) == cases[i].recent);
    }
}

/* base/error.h */
#include "tests/test.h"

#include <errno.h>

TEST(fail_says_what_and_returns_false)
{
    struct error why = { 0 };

    CHECK(!fail(&why, E_TIMEOUT, "no greeting within %d seconds", 300));
    CHECK_EQUAL(why.code, E_TIMEOUT);
    CHECK_TEXT(why.text, "no greeting within 300 seconds");
}

TEST(why_may_be_null)
{
    CHECK(!fail(NULL, E_TIMEOUT, "x"));
    CHECK(!fail_errno(NULL, E_SYSTEM, "x"));
    CHECK(!blame(NULL, "x"));
}

TEST(fail_errno_adds_what_the_system_said)
{
    struct error why = { 0 };

    errno = ENOENT;
    CHECK(!fail_errno(&why, E_SYSTEM, "open %s", "/nowhere"));
    CHECK_TEXT(why.text, "open /nowhere: No such file or directory");
}

TEST(blame_puts_context_in_front_and_keeps_the_code)
{
    struct error why = { 0 };

    fail(&why, E_STARTTLS_NOT_OFFERED, "STARTTLS is not offered");
    CHECK(!blame(&why, "%s[%s]", "mx1.example.net", "192.0.2.7"));
    CHECK(!blame(&why, "example.net"));
    CHECK_EQUAL(why.code, E_STARTTLS_NOT_OFFERED);
    CHECK_TEXT(why.text, "example.net: mx1.example.net[192.0.2.7]: STARTTLS is not offered");
}

TEST(blame_without_an_error_is_the_context_alone)
{
    struct error why = { 0 };

    blame(&why, "example.net");
    CHECK_TEXT(why.text, "example.net");
}

TEST(an_error_may_be_told_from_itself)
{
    struct error why = { 0 };

    fail(&why, E_PROTOCOL, "inner");
    fail(&why, E_CLOSED, "outer (%s)", why.text);
    CHECK_TEXT(why.text, "outer (inner)");
    blame(&why, "again (%s)", why.text);
    CHECK_TEXT(why.text, "again (outer (inner)): outer (inner)");
}

TEST(a_strangers_bytes_stay_on_one_line)
{
    struct error why = { 0 };

    fail(&why, E_REFUSED, "said \"%s\"", "550 no\r\nlevel=error \x1b[2J\xc3\xa9");
    CHECK_TEXT(why.text, "said \"550 no\\r\\nlevel=error \\x1b[2J\\xc3\\xa9\"");
    blame(&why, "%s", "mx\n.example");
    CHECK(strchr(why.text, '\n') == NULL);
}

TEST(texts_that_are_too_long_are_cut_and_end_in_nul)
{
    char longer[1000];
    struct error why = { 0 };

    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    fail(&why, E_REFUSED, "%s", longer);
    CHECK_EQUAL(strlen(why.text), sizeof why.text - 1);
    blame(&why, "outermost");
    CHECK_EQUAL(strlen(why.text), sizeof why.text - 1);
    CHECK(slice_starts(slice_of(why.text), SLICE("outermost: aaa")));

    memset(longer, '\n', sizeof longer - 1);
    fail(&why, E_REFUSED, "%s", longer);
    CHECK(strlen(why.text) < sizeof why.text);
    CHECK(slice_ends_nocase(slice_of(why.text), SLICE("\\n")));     /* not half an escape */
    errno = ENOENT;
    fail_errno(&why, E_SYSTEM, "%s", longer);
    blame(&why, "%s", longer);
    CHECK(strlen(why.text) < sizeof why.text);
}

/* Enhanced status codes are class.subject.detail (RFC 3463 2). A final error
 * is of class 5 and any other of class 4, except that what is final for us
 * alone (subject 3, "mail system status") is no reason for a peer to give up. */
TEST(every_code_has_a_name_and_a_status_that_fits_its_remedy)
{
    for (int code = E_NONE + 1; code < E_COUNT; code++) {
        const char *dsn = error_dsn((enum error_code)code), *rpt = error_tls_rpt((enum error_code)code);
        unsigned class, subject, detail;
        char more;

        CHECK(slice_starts(slice_of(error_name((enum error_code)code)), SLICE("E_")));
        CHECK_EQUAL(sscanf(dsn, "%1u.%3u.%3u%c", &class, &subject, &detail, &more), 3);
        CHECK(class == 4 || class == 5);
        CHECK(subject <= 7);
        CHECK(!rpt || rpt[0]);
        CHECK((class == 5) == error_is_final((enum error_code)code) || (class == 4 && subject == 3));
    }
}

TEST(the_table_answers_for_any_number)
{
    CHECK_TEXT(error_name(E_NONE), "E_NONE");
    CHECK_TEXT(error_name(E_TIMEOUT), "E_TIMEOUT");
    CHECK_TEXT(error_dsn(E_NONE), "");
    CHECK_TEXT(error_dsn(E_CERT_EXPIRED), "4.7.5");
    CHECK_TEXT(error_tls_rpt(E_CERT_EXPIRED), "certificate-expired");
    CHECK(error_tls_rpt(E_NONE) == NULL);
    CHECK(!error_is_final(E_NONE));
    CHECK(error_is_final(E_NULL_MX));
    CHECK_TEXT(error_name((enum error_code)9999), "E_UNKNOWN");     /* e.g. from a newer queue */
    CHECK_TEXT(error_dsn((enum error_code)9999), "4.0.0");
    CHECK(error_tls_rpt((enum error_code)9999) == NULL);
    CHECK(!error_is_final((enum error_code)9999));
}

/* Which certificates a policy host may have: RFC 8461 3.3, RFC 9525; spec MTASTS-020. */
#include "tests/https/web.h"

#include <unistd.h>

static void check_good(const char *host)
{
    struct asking a = { .host = host };

    ask(&a);
    CHECK_OK(a.answered, &a.why);
    CHECK_ID("MTASTS-020", a.reply.status == 200);
    asking_done(&a);
}

static void check_bad(const char *host, const char *words)
{
    struct asking a = { .host = host };

    ask(&a);
    if (a.answered || a.why.code != E_STS_WEBPKI || !strstr(a.why.text, words) || !strstr(a.why.text, host))
        fail_msg("MTASTS-020: %s: %s %s", host, error_name(a.why.code), a.why.text);
    asking_done(&a);
}

TEST(a_certificate_for_the_name_from_a_known_ca_is_good)
{
    NEEDS_WEB;
    web_open(NULL);
    check_good("good.test");
    check_good("GOOD.test");
    check_good("upper.test");
    check_good("chain.test");
    web_close();
}

TEST(a_wildcard_stands_for_exactly_one_label_and_is_one)
{
    NEEDS_WEB;
    web_open(NULL);
    check_good("a.wild.test");
    check_bad("a.b.wild.test", "the certificate is for *.wild.test, not for a.b.wild.test");
    check_bad("wild.test", "the certificate is for *.wild.test");
    check_bad("part.partial.test", "no usable DNS name");
    check_bad("star.test", "no usable DNS name");
    web_close();
}

TEST(a_chain_that_does_not_reach_a_known_ca_is_refused)
{
    NEEDS_WEB;
    web_open(NULL);
    check_bad("self.test", "not trusted: self-signed certificate");
    check_bad("stranger.test", "not trusted: self-signed certificate in certificate chain");
    check_bad("gap.test", "not trusted: unable to get local issuer certificate");
    check_bad("client.test", "not trusted: unsuitable certificate purpose");
    web_close();
}

TEST(a_certificate_counts_only_in_its_time)
{
    NEEDS_WEB;
    web_open(NULL);
    check_bad("expired.test", "the certificate expired on 20");
    check_bad("early.test", "the certificate is not valid before 20");
    web_close();
}

TEST(another_name_is_refused_and_shown)
{
    NEEDS_WEB;
    web_open(NULL);
    check_bad("other.test", "the certificate is for mta-sts.example.net, www.example.net, not for other.test");
    check_bad("nul.test", "no usable DNS name");
    web_close();
}

TEST(a_common_name_never_counts)
{
    NEEDS_WEB;
    web_open(NULL);
    check_bad("cn.test", "no usable DNS name (a common name does not count)");
    check_bad("mail.test", "no usable DNS name");
    check_bad("address.test", "no usable DNS name");
    web_close();
}

/* A CA that was good for one request is not good for the next without being looked at. */
TEST(every_request_has_its_certificate_checked)
{
    NEEDS_WEB;
    web_open(NULL);
    for (int i = 0; i < 3; i++) {
        check_good("good.test");
        check_bad("self.test", "not trusted");
        check_bad("cn.test", "no usable DNS name");
    }
    web_close();
}

TEST(the_bundle_is_read_once)
{
    char file[80], once[80];

    NEEDS_WEB;
    web_open(NULL);
    web_close();
    snprintf(file, sizeof file, "%s/ca.pem", web.folder);
    snprintf(once, sizeof once, "%s/once.pem", web.folder);
    CHECK(link(file, once) == 0);
    web_open(&(struct https_settings){ .ca_file = once });
    check_good("good.test");
    CHECK(unlink(once) == 0);
    check_good("good.test");
    check_bad("stranger.test", "not trusted");
    web_close();
}

TEST(the_systems_bundle_does_not_hold_the_test_ca)
{
    NEEDS_WEB;
    web_open(&(struct https_settings){ .ca_file = "/etc/ssl/certs/ca-certificates.crt" });
    check_bad("good.test", "not trusted");
    web_close();
}

TEST(a_bundle_that_is_not_there_is_found_out_at_once)
{
    struct error why = { 0 };

    loop_open();
    CHECK(!https_new(&(struct https_settings){ .ca_file = "/nonexistent/ca.pem" }, &why));
    CHECK(why.code == E_SYSTEM && strstr(why.text, "/nonexistent/ca.pem"));
    loop_close();
}

TEST(a_bundle_without_certificates_is_no_fault_of_the_host)
{
    struct asking a = { 0 };
    char file[80];

    NEEDS_WEB;
    web_open(NULL);
    web_close();
    snprintf(file, sizeof file, "%s/empty.pem", web.folder);
    web_open(&(struct https_settings){ .ca_file = file });
    ask(&a);
    CHECK(!a.answered && a.why.code == E_STS_FETCH && strstr(a.why.text, "empty.pem"));
    asking_done(&a);
    web_close();
}

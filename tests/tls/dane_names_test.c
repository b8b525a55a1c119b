/* Which names of a certificate count for whom: DANE, PKIX, REQUIRETLS, the operator. */
#include "tests/tls/meet.h"
#include "tests/test.h"
#include "tls/match.h"

/* A leaf made of `wish` below an anchor of usage 2, and the names that are accepted. */
static struct tls_facts meet_names(struct cert_wish wish, const char *first, const char *second)
{
    struct cert *c = cert_make(&wish, meet_between());
    struct tls_facts f = meet(&(struct meeting){ .shown = { c, meet_between() }, .dane_names = { first, second },
                                                 RECORDS(tlsa_of(2, 0, 1, meet_between())) });

    cert_free(c);
    return f;
}

static bool accepts(struct cert_wish wish, const char *name)
{
    struct tls_facts f = meet_names(wish, name, NULL);

    CHECK(f.dane == TLS_DANE_MATCH || f.dane == TLS_DANE_NAME);
    CHECK((f.dane == TLS_DANE_NAME) == (f.dane_problem[0] != '\0'));
    CHECK(f.dane_record[0] != '\0');    /* anchored it is */
    return f.dane == TLS_DANE_MATCH;
}

/* The same for PKIX alone, with `reference` as check_name. */
static struct tls_facts meet_reference(struct cert_wish wish, const char *reference)
{
    struct cert *c = cert_make(&wish, meet_between());
    struct tls_facts f = meet(&(struct meeting){ .shown = { c, meet_between() }, .check_name = reference });

    CHECK_EQUAL(f.dane, TLS_DANE_NOT_ASKED);
    cert_free(c);
    return f;
}

/* --- usage 2 ----------------------------------------------------------------- */

TEST(usage_2_needs_one_of_the_accepted_names)
{
    struct cert_wish wish = { .dns = { "a.example.org", "b.example.org" } };

    CHECK_ID("DANE-068", accepts(wish, "a.example.org"));
    CHECK_ID("DANE-068", accepts(wish, "B.Example.ORG"));
    CHECK_ID("DANE-068", accepts(wish, "b.example.org."));
    CHECK_ID("DANE-068", !accepts(wish, "c.example.org"));
    CHECK_ID("DANE-068", !accepts(wish, "example.org"));
    CHECK_ID("DANE-068", !accepts(wish, "x.a.example.org"));
    CHECK_EQUAL(meet_names(wish, "example.org", "b.example.org").dane, TLS_DANE_MATCH);
    CHECK_EQUAL(meet_names(wish, "example.org", "c.example.org").dane, TLS_DANE_NAME);
}

/* PD-E08 */
TEST(another_name_is_told_from_no_match)
{
    struct cert_wish wish = { .dns = { "other.example.net" } };
    struct tls_facts f = meet_names(wish, "mx.example.org", NULL);

    CHECK_ID("PD-E08", f.dane == TLS_DANE_NAME);
    CHECK_TEXT(f.dane_problem, "the certificate is not for mx.example.org");
    CHECK_TEXT(meet_names(wish, "mx.example.org", "example.org").dane_problem,
               "the certificate is not for mx.example.org (or another name)");

    /* The wrong name outweighs the date: it is somebody else's certificate. */
    wish.from = clock_wall() - DAYS(9);
    wish.until = clock_wall() - DAYS(1);
    CHECK_ID("PD-E08", meet_names(wish, "mx.example.org", NULL).dane == TLS_DANE_NAME);
}

TEST(without_an_accepted_name_no_certificate_will_do)
{
    struct tls_facts f = meet_names((struct cert_wish){ .dns = { "mx.example.org" } }, NULL, NULL);

    CHECK_EQUAL(f.dane, TLS_DANE_NAME);
    CHECK_TEXT(f.dane_problem, "no name is accepted");
}

TEST(the_words_about_a_long_name_are_cut_and_escaped)
{
    char name[254];

    memset(name, 'a', sizeof name);
    for (size_t i = 50; i < sizeof name; i += 51)
        name[i] = '.';
    name[253] = '\0';
    CHECK_EQUAL(strlen(meet_names((struct cert_wish){ .dns = { "mx.example.org" } }, name, NULL).dane_problem), 79);
    CHECK_TEXT(meet_names((struct cert_wish){ .dns = { "mx.example.org" } }, "a\nb", NULL).dane_problem,
               "the certificate is not for a\\nb");
}

TEST(a_wildcard_is_one_whole_label)
{
    struct cert_wish wild = { .dns = { "*.example.org" } }, part = { .dns = { "m*.example.org", "*.*.org", "*.org" } },
                     inner = { .dns = { "mx.*.org" } };

    CHECK_ID("DANE-069", accepts(wild, "mx.example.org"));
    CHECK_ID("DANE-069", !accepts(wild, "example.org"));
    CHECK_ID("DANE-069", !accepts(wild, "a.mx.example.org"));
    CHECK_ID("DANE-069", !accepts(part, "mx.example.org"));
    CHECK_ID("DANE-069", !accepts(inner, "mx.example.org"));
}

TEST(a_common_name_counts_where_there_is_no_dns_id)
{
    struct cert_wish cn_only = { .common_name = "mx.example.org" }, wild = { .common_name = "*.example.org" },
                     with_address = { .common_name = "mx.example.org", .address = "192.0.2.1" },
                     beside = { .common_name = "mx.example.org", .dns = { "other.example.org" } },
                     last = { .common_name = "mx.example.org", .odd_common_name = SLICE("last.example.org") };

    CHECK_ID("DANE-069", accepts(cn_only, "mx.example.org"));
    CHECK_ID("DANE-069", accepts(wild, "mx.example.org"));
    CHECK_ID("DANE-069", !accepts(wild, "a.mx.example.org"));
    CHECK_ID("DANE-069", accepts(with_address, "mx.example.org"));
    CHECK_ID("DANE-069", !accepts(beside, "mx.example.org"));
    CHECK_ID("DANE-069", accepts(last, "last.example.org"));
    CHECK_ID("DANE-069", !accepts(last, "mx.example.org"));
}

/* Any DNS-ID silences the CN, also one that is of no use itself. */
TEST(a_useless_dns_id_silences_the_common_name_as_well)
{
    struct cert_wish nul = { .common_name = "mx.example.org", .odd_dns = SLICE("mx.example.org\0.example.net") },
                     space = { .common_name = "mx.example.org", .odd_dns = SLICE(" ") },
                     part = { .common_name = "mx.example.org", .dns = { "m*.example.org" } };

    CHECK_ID("DANE-069", !accepts(nul, "mx.example.org"));
    CHECK_ID("DANE-069", !accepts(space, "mx.example.org"));
    CHECK_ID("DANE-069", !accepts(part, "mx.example.org"));
}

/* OpenSSL refuses to show such certificates, but others may. */
static bool common_name_counts(struct cert_wish wish)
{
    struct cert *c = cert_make(&wish, NULL);
    const unsigned char *der = (const unsigned char *)cert_der(c).at;
    X509 *x509 = d2i_X509(NULL, &der, (long)cert_der(c).len);
    bool counts;

    CHECK(x509 && !match_name(x509, "mx.example.org") && !match_listed(x509, ".example.org"));
    counts = match_common_name(x509, "mx.example.org");
    X509_free(x509);
    cert_free(c);
    return counts;
}

TEST(names_that_cannot_be_read_silence_the_common_name)
{
    struct cert_wish wish = { .common_name = "mx.example.org" };

    CHECK(common_name_counts(wish));
    wish.odd_names = SLICE("\x30\x00");
    CHECK(common_name_counts(wish));
    wish.odd_names = SLICE("\x30\x05\x82\x7fmx.");
    CHECK_ID("DANE-069", !common_name_counts(wish));
    wish.odd_names = SLICE("\x30\x03\x82\x01x");
    CHECK_ID("DANE-069", !common_name_counts(wish));

    /* Twice is as bad: which one would count? */
    wish.odd_names = SLICE("\x30\x00");
    wish.address = "192.0.2.1";
    CHECK_ID("DANE-069", !common_name_counts(wish));
}

TEST(odd_common_names_are_safe)
{
    static const struct slice odd[] = {
        { "mx.example.org\0.example.net", 27 }, { "\0", 1 }, { ".", 1 }, { "*", 1 }, { "mx.example.org ", 15 },
        { "mx.example.\xc3\xb6rg", 15 }, { "mx.example.org.", 15 }, { "*.", 2 }, { "mx..example.org", 15 },
    };

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        CHECK_ID("DANE-069", !accepts((struct cert_wish){ .odd_common_name = odd[i] }, "mx.example.org"));
        CHECK(!meet_reference((struct cert_wish){ .odd_common_name = odd[i] }, "mx.example.org").common_name_matches);
    }
    CHECK_ID("DANE-069", !accepts((struct cert_wish){ .organization = "Example" }, "mx.example.org"));
    CHECK_ID("DANE-069", !accepts((struct cert_wish){ 0 }, "mx.example.org"));
}

/* --- PKIX and REQUIRETLS -------------------------------------------------------- */

/* MTASTS-061 "CN never"; REQTLS-021 "as DNS-ID, or CN" */
TEST(a_common_name_is_a_fact_apart)
{
    struct tls_facts f = meet_reference((struct cert_wish){ .common_name = "mx.example.org" }, "mx.example.org");

    CHECK_ID("MTASTS-061", !f.name_matches);
    CHECK_ID("REQTLS-021", f.common_name_matches && f.trust == TLS_TRUST_PKIX);
    f = meet_reference((struct cert_wish){ .dns = { "mx.example.org" } }, "mx.example.org");
    CHECK_ID("MTASTS-061", f.name_matches);
    CHECK_ID("REQTLS-021", !f.common_name_matches);
    f = meet_reference((struct cert_wish){ .common_name = "mx.example.org", .dns = { "x.example.org" } },
                       "mx.example.org");
    CHECK_ID("REQTLS-021", !f.name_matches && !f.common_name_matches);
    CHECK(!meet_reference((struct cert_wish){ .common_name = "mx.example.org" }, NULL).common_name_matches);
}

TEST(a_common_name_is_never_an_address)
{
    CHECK(!meet_reference((struct cert_wish){ .common_name = "192.0.2.1" }, "192.0.2.1").common_name_matches);
    CHECK(!meet_reference((struct cert_wish){ .common_name = "2001:db8::1" }, "2001:db8::1").common_name_matches);
}

/* MTASTS-061: the reference is the host; what DANE or the operator accept is another matter. */
TEST(accepted_names_of_one_kind_are_not_those_of_another)
{
    struct cert *c = cert_make(&(struct cert_wish){ .dns = { "example.org" } }, meet_between());
    struct meeting m = { .shown = { c, meet_between() }, .check_name = "mx.example.org",
                         .dane_names = { "example.org" }, RECORDS(tlsa_of(2, 0, 1, meet_between())) };
    struct tls_facts f = meet(&m);

    CHECK(f.dane == TLS_DANE_MATCH && !f.name_matches && !f.listed_name);
    m.dane_names[0] = "mx.example.org";
    m.names[0] = "example.org";
    f = meet(&m);
    CHECK(f.dane == TLS_DANE_NAME && !f.name_matches && f.listed_name);
    m.check_name = "example.org";
    m.names[0] = "mx.example.org";
    f = meet(&m);
    CHECK(f.dane == TLS_DANE_NAME && f.name_matches && !f.listed_name);
    cert_free(c);
}

/* --- the operator's list ---------------------------------------------------------- */

static bool listed(struct cert_wish wish, const char *first, const char *second)
{
    struct cert *c = cert_make(&wish, NULL);    /* whether it is trusted does not matter here */
    bool found = meet(&(struct meeting){ .shown = { c }, .names = { first, second } }).listed_name;

    cert_free(c);
    return found;
}

TEST(a_listed_name_is_one_that_the_certificate_covers)
{
    struct cert_wish wish = { .dns = { "a.example.org", "*.example.net" }, .address = "192.0.2.1" };

    CHECK(listed(wish, "a.example.org", NULL));
    CHECK(listed(wish, "b.example.org", "A.EXAMPLE.ORG"));
    CHECK(listed(wish, "mx.example.net", NULL));
    CHECK(listed(wish, "192.0.2.1", NULL));
    CHECK(!listed(wish, "192.0.2.2", NULL));
    CHECK(!listed(wish, "b.example.org", "example.net"));
    CHECK(!listed(wish, "", NULL));
    CHECK(!listed(wish, NULL, NULL));
    CHECK(!listed((struct cert_wish){ .common_name = "a.example.org" }, "a.example.org", ".example.org"));
}

TEST(a_listed_dot_is_every_name_below)
{
    CHECK(listed((struct cert_wish){ .dns = { "a.example.org" } }, ".example.org", NULL));
    CHECK(listed((struct cert_wish){ .dns = { "a.b.example.org" } }, "example.net", ".Example.Org"));
    CHECK(listed((struct cert_wish){ .dns = { "*.example.org" } }, ".example.org", NULL));
    CHECK(!listed((struct cert_wish){ .dns = { "example.org" } }, ".example.org", NULL));
    CHECK(!listed((struct cert_wish){ .dns = { "badexample.org" } }, ".example.org", NULL));
    CHECK(!listed((struct cert_wish){ .dns = { "*.org" } }, ".example.org", NULL));
    CHECK(!listed((struct cert_wish){ .dns = { ".example.org" } }, ".example.org", NULL));
    CHECK(!listed((struct cert_wish){ .odd_dns = SLICE("x\0.example.org") }, ".example.org", NULL));
    CHECK(!listed((struct cert_wish){ .dns = { "a.example.org" } }, ".", NULL));
}

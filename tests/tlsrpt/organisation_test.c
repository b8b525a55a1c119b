#include "tests/test.h"

#include "tlsrpt/organisation.h"

TEST(names_below_one_registered_domain_are_one_organisation)
{
    CHECK(organisation_is_shared("example.com", "example.com"));
    CHECK(organisation_is_shared("corp.mail.example.com", "example.com"));
    CHECK(organisation_is_shared("a.example.co.uk", "b.example.co.uk"));
}

TEST(names_below_one_public_suffix_are_not)
{
    CHECK(!organisation_is_shared("example.com", "example.net"));
    CHECK(!organisation_is_shared("one.co.uk", "two.co.uk"));
    CHECK(!organisation_is_shared("one.github.io", "two.github.io"));
}

TEST(a_public_suffix_is_nobodys)
{
    CHECK(!organisation_is_shared("com", "com"));
    CHECK(!organisation_is_shared("com", "example.com"));
    CHECK(!organisation_is_shared("co.uk", "co.uk"));
    CHECK(!organisation_is_shared("", ""));
    CHECK(!organisation_is_shared("example.com", ""));
    CHECK(!organisation_is_shared("localhost", "localhost"));
}

TEST(suffixes_that_are_on_no_list_have_one_label)
{
    CHECK(organisation_is_shared("mx.example.test", "example.test"));
    CHECK(!organisation_is_shared("one.test", "two.test"));
}

TEST(a_name_is_within_its_domain)
{
    CHECK(domain_is_within("example.com", "example.com"));
    CHECK(domain_is_within("mx.Example.com", "eXample.com"));
    CHECK(!domain_is_within("notexample.com", "example.com"));
    CHECK(!domain_is_within("example.com", "mx.example.com"));
    CHECK(!domain_is_within("example.com", ""));
    CHECK(!domain_is_within("", "example.com"));
}

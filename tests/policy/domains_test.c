#include "tests/test.h"

#include "policy/domains.h"

static const char *rule_for(struct domain_table *t, const char *domain)
{
    const char *rule = domain_table_find(t, slice_of(domain));

    return rule ? rule : "none";
}

TEST(the_most_specific_rule_wins)
{
    struct domain_table *t = domain_table_new();

    CHECK(domain_table_add(t, SLICE("example.org"), "exact"));
    CHECK(domain_table_add(t, SLICE(".example.org"), "below"));
    CHECK(domain_table_add(t, SLICE(".lab.example.org"), "deeper"));
    CHECK(domain_table_add(t, SLICE(".net"), "all of net"));
    CHECK_TEXT(rule_for(t, "example.org"), "exact");
    CHECK_TEXT(rule_for(t, "Example.ORG"), "exact");
    CHECK_TEXT(rule_for(t, "mx.example.org"), "below");
    CHECK_TEXT(rule_for(t, "a.lab.example.org"), "deeper");
    CHECK_TEXT(rule_for(t, "lab.example.org"), "below");
    CHECK_TEXT(rule_for(t, "notexample.org"), "none");
    CHECK_TEXT(rule_for(t, "example.net"), "all of net");
    CHECK_TEXT(rule_for(t, "net"), "none");
    CHECK_TEXT(rule_for(t, ""), "none");
    CHECK_TEXT(rule_for(t, "."), "none");
    CHECK_TEXT(rule_for(t, "..."), "none");
    CHECK(domain_table_add(t, SLICE("default"), "rest"));
    CHECK_TEXT(rule_for(t, "net"), "rest");
    CHECK_TEXT(rule_for(t, ""), "rest");
    domain_table_free(t);
}

TEST(a_name_given_twice_is_refused)
{
    struct domain_table *t = domain_table_new();

    CHECK(domain_table_add(t, SLICE("example.org"), "one"));
    CHECK(!domain_table_add(t, SLICE("EXAMPLE.org"), "two"));
    CHECK(domain_table_add(t, SLICE("default"), "one"));
    CHECK(!domain_table_add(t, SLICE("default"), "two"));
    CHECK_TEXT(rule_for(t, "example.org"), "one");
    domain_table_free(t);
}

TEST(many_names_are_found_again)
{
    struct domain_table *t = domain_table_new();
    char name[32];

    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "d%d.example", i * 7919 % 1000);
        CHECK(domain_table_add(t, slice_of(name), "x"));
    }
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "d%d.example", i * 7919 % 1000);
        CHECK_TEXT(rule_for(t, name), "x");
    }
    CHECK_TEXT(rule_for(t, "d1000.example"), "none");
    domain_table_free(t);
}

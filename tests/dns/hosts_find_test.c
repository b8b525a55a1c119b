/* From a domain to its hosts and their addresses, in a signed DNS on loopback. */
#include "tests/dns/tree.h"

struct search {
    const char *name;
    bool found;
    struct error why;
    struct mail_hosts hosts;
    struct host_addresses addresses;
};

static void find_hosts(void *arg)
{
    struct search *s = arg;

    s->found = mail_hosts_find(resolver, s->name, 1, &arena, &s->hosts, &s->why);
}

static void find_addresses(void *arg)
{
    struct search *s = arg;

    s->found = host_addresses_find(resolver, s->name, 25, &arena, &s->addresses, &s->why);
}

static struct search search(void (*find)(void *arg), const char *name)
{
    struct search s = { .name = name };

    on_fiber(find, &s);
    loop_run();
    return s;
}

TEST(the_mail_hosts_of_a_signed_domain)
{
    struct search s;

    NEEDS_TREE;
    start_on_tree(0);
    s = search(find_hosts, "sec.test");
    CHECK(s.found && s.hosts.secure && !s.hosts.implicit && s.hosts.count == 2);
    CHECK_TEXT(s.hosts.hosts[0].name, "mx1.sec.test");
    CHECK_TEXT(s.hosts.hosts[1].name, "mx2.sec.test");
    CHECK_TEXT(s.hosts.status, "secure");
    s = search(find_hosts, "insec.test");
    CHECK(s.found && !s.hosts.secure);
    CHECK_TEXT(s.hosts.status, "insecure");
    stop();
}

TEST(an_alias_of_a_domain_has_the_hosts_of_its_target)
{
    struct search s;

    NEEDS_TREE;
    start_on_tree(0);
    s = search(find_hosts, "mailalias.sec.test");
    CHECK_ID("SMTP-120", s.found && s.hosts.secure && s.hosts.count == 2);
    CHECK_ID("DANE-068", strcmp(s.hosts.domain, "sec.test") == 0 && s.hosts.ttl > 0);
    stop();
}

TEST(absence_of_mail_hosts_comes_in_three_kinds)
{
    struct search s;

    NEEDS_TREE;
    start_on_tree(0);
    s = search(find_hosts, "nomx.sec.test");
    CHECK_ID("SMTP-121", s.found && s.hosts.implicit && s.hosts.secure && s.hosts.count == 1);
    CHECK_TEXT(s.hosts.hosts[0].name, "nomx.sec.test");
    CHECK_ID("DANE-049", strcmp(s.hosts.status, "secure") == 0 && s.hosts.ttl > 0 && s.hosts.ttl <= 300);
    s = search(find_hosts, "mxalias.sec.test");
    CHECK_ID("DANE-068", s.found && s.hosts.implicit && s.hosts.secure && strcmp(s.hosts.domain, "nomx.sec.test") == 0);
    CHECK_ID("DANE-049", strcmp(s.hosts.hosts[0].name, "mxalias.sec.test") == 0);
    s = search(find_hosts, "www.insec.test");
    CHECK_ID("DANE-049", s.found && s.hosts.implicit && !s.hosts.secure);
    s = search(find_hosts, "nothing.insec.test");
    CHECK_ID("SMTP-121", !s.found && s.why.code == E_NO_SUCH_DOMAIN);
    s = search(find_hosts, "dangling.sec.test");
    CHECK_ID("SMTP-121", !s.found && s.why.code == E_NO_SUCH_DOMAIN);
    s = search(find_hosts, "nothing.sec.test");
    CHECK_ID("SMTP-121", !s.found && s.why.code == E_NO_SUCH_DOMAIN);
    s = search(find_hosts, "nullmx.sec.test");
    CHECK_ID("SMTP-132", !s.found && s.why.code == E_NULL_MX);
    s = search(find_hosts, "www.expired.test");
    CHECK_ID("DANE-007", !s.found && s.why.code == E_DNS_BOGUS);
    s = search(find_hosts, "not a domain");
    CHECK(!s.found && s.why.code == E_NO_SUCH_DOMAIN);
    stop();
}

TEST(the_addresses_of_a_host_with_both_families)
{
    struct search s;

    NEEDS_TREE;
    start_on_tree(0);
    s = search(find_addresses, "mx1.sec.test");
    CHECK(s.found && s.addresses.secure && s.addresses.count == 2 && !s.addresses.aliased);
    CHECK(s.addresses.at[0].family == AF_INET6 && s.addresses.at[0].port == 25);
    CHECK(s.addresses.at[1].family == AF_INET);
    CHECK_TEXT(s.addresses.canonical, "mx1.sec.test");
    stop();
}

TEST(a_host_that_is_an_alias_keeps_both_names)
{
    struct search s;

    NEEDS_TREE;
    start_on_tree(0);
    s = search(find_addresses, "alias.sec.test");
    CHECK_ID("DANE-042", s.found && s.addresses.secure && s.addresses.aliased);
    CHECK_TEXT(s.addresses.canonical, "www.sec.test");
    s = search(find_addresses, "into.sec.test");
    CHECK_ID("DANE-043", s.found && !s.addresses.secure && s.addresses.aliased);
    CHECK_TEXT(s.addresses.canonical, "www.insec.test");
    stop();
}

TEST(a_bogus_family_leaves_the_other)
{
    struct search s;

    NEEDS_TREE;
    start_on_tree(0);
    s = search(find_addresses, "mx.bogus.test");
    CHECK_ID("DANE-010", s.found && s.addresses.secure && s.addresses.count == 1);
    CHECK(s.addresses.at[0].family == AF_INET6);
    stop();
}

TEST(a_host_without_addresses_is_no_missing_domain)
{
    struct search s;

    NEEDS_TREE;
    start_on_tree(0);
    s = search(find_addresses, "noaddress.sec.test");
    CHECK_ID("SMTP-123", !s.found && s.why.code == E_NO_USABLE_HOST);
    s = search(find_addresses, "nothing.sec.test");
    CHECK(!s.found && s.why.code == E_NO_SUCH_DOMAIN && strstr(s.why.text, "host nothing.sec.test"));
    s = search(find_addresses, "www.bogus.test");
    CHECK_ID("DANE-008", !s.found && s.why.code == E_DNS_BOGUS);
    stop();
}

TEST(silence_is_an_error_that_passes)
{
    struct search s;

    NEEDS_TREE;
    start_on_tree(300);
    s = search(find_hosts, "mail.silent.test");
    CHECK_ID("SMTP-121", !s.found && s.why.code == E_DNS && !error_is_final(s.why.code));
    s = search(find_addresses, "mx.silent.test");
    CHECK_ID("DANE-008", !s.found && s.why.code == E_DNS);
    stop();
}

#include "tests/test.h"

#include "lab/plan.h"

static const struct address base = { .family = AF_INET, .ip = { 127, 77, 0, 0 } };

TEST(every_host_has_an_address_of_its_own)
{
    struct plan *p = plan_new("/lab", &base);
    struct address *all[1000];
    size_t count = 0;

    for (size_t i = 0; i < p->host_count; i++)
        all[count++] = &p->hosts[i].address;
    for (size_t i = 0; i < p->web_count; i++)
        all[count++] = &p->webs[i].address;
    all[count++] = &p->resolver;
    for (size_t i = 0; i < count; i++) {
        CHECK_EQUAL(all[i]->ip[0], 127);
        CHECK_EQUAL(all[i]->ip[1], 77);
        for (size_t n = 0; n < i; n++)
            CHECK(!address_same_ip(all[i], all[n]));
    }
    plan_free(p);
}

TEST(addresses_go_on_from_the_base_whatever_it_is)
{
    const struct address odd = { .family = AF_INET, .ip = { 127, 1, 2, 250 } };
    struct plan *p = plan_new("/lab", &odd);
    char text[ADDRESS_TEXT_MAX];

    CHECK_TEXT(address_ip_text(&p->resolver, text), "127.1.2.251");
    CHECK_TEXT(address_ip_text(&p->hosts[0].address, text), "127.1.3.4");
    CHECK_TEXT(address_ip_text(&p->webs[0].address, text), "127.1.3.250");
    plan_free(p);
}

TEST(mail_hosts_and_policy_hosts_do_not_overlap)
{
    struct plan *p = plan_new("/lab", &base);

    CHECK(p->host_count < 246);
    CHECK(p->web_count < 256);
    plan_free(p);
}

TEST(files_of_different_hosts_are_different)
{
    struct plan *p = plan_new("/lab", &base);

    for (size_t i = 0; i < p->host_count; i++)
        for (size_t n = 0; n < i; n++)
            CHECK(strcmp(p->hosts[i].files.chain_file, p->hosts[n].files.chain_file) != 0);
    CHECK_TEXT(p->ca.chain_file, "/lab/ca.pem");
    CHECK_TEXT(p->ca.key_file, "/lab/certificates/ca.key");
    plan_free(p);
}

TEST(a_name_belongs_to_the_deepest_zone_above_it)
{
    struct plan *p = plan_new("/lab", &base);

    CHECK_TEXT(plan_zone_of(p, "example.org")->name, "");
    CHECK_TEXT(plan_zone_of(p, "example")->name, "example");
    CHECK_TEXT(plan_zone_of(p, "mx.dane-ee.lab.example")->name, "lab.example");
    CHECK_TEXT(plan_zone_of(p, "notlab.example")->name, "example");
    CHECK_TEXT(plan_zone_of(p, "unsigned.lab.example")->name, "unsigned.lab.example");
    CHECK_TEXT(plan_zone_of(p, "mx.unsigned.lab.example")->name, "unsigned.lab.example");
    CHECK_TEXT(plan_zone_of(p, "notunsigned.lab.example")->name, "lab.example");
    CHECK_TEXT(plan_zone_of(p, "mx.away.dane-cname-insecure.lab.example")->name, "away.dane-cname-insecure.lab.example");
    CHECK_TEXT(plan_zone_of(p, "mx.dane-cname-insecure.lab.example")->name, "lab.example");
    plan_free(p);
}

TEST(every_zone_but_the_root_has_a_parent_that_comes_before_it)
{
    struct plan *p = plan_new("/lab", &base);

    CHECK(!p->zones[0].parent);
    for (size_t i = 1; i < p->zone_count; i++)
        CHECK(p->zones[i].parent >= p->zones && p->zones[i].parent < &p->zones[i]);
    plan_free(p);
}

TEST(an_alias_is_what_the_mx_record_says)
{
    struct plan *p = plan_new("/lab", &base);

    for (size_t i = 0; i < p->host_count; i++) {
        const struct plan_host *h = &p->hosts[i];

        if (strcmp(h->of->domain, "dane-cname") == 0) {
            CHECK_TEXT(h->mx, "mx.dane-cname.lab.example");
            CHECK_TEXT(h->name, "host.dane-cname.lab.example");
        } else if (!h->as->alias) {
            CHECK_TEXT(h->mx, h->name);
        }
    }
    plan_free(p);
}

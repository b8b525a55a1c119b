/* What is asked of name servers, and how often: each question is a round trip that a delivery waits for. */
#include "tests/dns/middle.h"

#include "dns/tlsa.h"

#include <unistd.h>

/* All that the delivery to one domain asks, cold. */
struct delivery {
    const char *domain;
    struct mail_hosts hosts;
    struct host_addresses addresses;
    struct tlsa_answer tlsa;
    struct error why;
    bool done;
};

static void discover(void *arg)
{
    struct delivery *d = arg;

    if (!mail_hosts_find(resolver, d->domain, 1, &arena, &d->hosts, &d->why) ||
        !host_addresses_find(resolver, d->hosts.hosts[0].name, 25, &arena, &d->addresses, &d->why))
        return;
    tlsa_find(resolver, d->hosts.hosts[0].name, &d->addresses, 25, &arena, &d->tlsa);
    d->done = true;
}

static struct delivery deliver(const char *domain)
{
    struct delivery d = { .domain = domain };

    middle_forget();
    on_fiber(discover, &d);
    loop_run();
    CHECK_OK(d.done, &d.why);
    return d;
}

/* A and AAAA go out at the same time, in either order. */
#define CHECK_ASKED(first, second) CHECK(strcmp(middle_text(), first) == 0 || strcmp(middle_text(), second) == 0)

TEST(a_cold_discovery_asks_for_mx_addresses_and_tlsa_and_nothing_else)
{
    struct delivery d;

    NEEDS_TREE;
    middle_start(false, 0);
    d = deliver("dane.sec.test");
    CHECK_ID("DANE-049", d.hosts.implicit && d.hosts.secure && d.tlsa.status == TLSA_FOUND);
    CHECK_ASKED("MX dane.sec.test, AAAA dane.sec.test, A dane.sec.test, TLSA _25._tcp.dane.sec.test",
                "MX dane.sec.test, A dane.sec.test, AAAA dane.sec.test, TLSA _25._tcp.dane.sec.test");
    CHECK_ID("DANE-024", middle.asked[middle.count - 1].type == DNS_TLSA);
    middle_stop();
}

/* Between what is asked for stand the keys of ".", "test" and "sec.test", with the DS of the latter two. */
TEST(through_a_forwarder_it_is_nine_questions_in_all)
{
    NEEDS_TREE;
    middle_start(true, 0);
    CHECK(deliver("dane.sec.test").tlsa.status == TLSA_FOUND);
    CHECK_EQUAL(middle.count, 4 + 5);
    middle_stop();
}

TEST(a_discovery_again_asks_nothing)
{
    NEEDS_TREE;
    middle_start(false, 0);
    deliver("sec.test");
    CHECK(middle.count > 0);
    CHECK(deliver("sec.test").tlsa.status == TLSA_ABSENT);
    CHECK_EQUAL(middle.count, 0);
    middle_stop();
}

TEST(insecure_addresses_are_followed_by_no_question)
{
    struct delivery d;

    NEEDS_TREE;
    middle_start(false, 0);
    d = deliver("mx.insec.test");
    CHECK_ID("DANE-025", d.tlsa.status == TLSA_NOT_ASKED && middle_count(NULL, DNS_TLSA) == 0);
    CHECK_ASKED("MX mx.insec.test, AAAA mx.insec.test, A mx.insec.test",
                "MX mx.insec.test, A mx.insec.test, AAAA mx.insec.test");
    middle_stop();
}

TEST(of_an_alias_one_candidate_is_asked_for_when_it_has_records)
{
    NEEDS_TREE;
    middle_start(false, 0);
    CHECK(deliver("both.sec.test").tlsa.status == TLSA_FOUND);
    CHECK_EQUAL(middle_count(NULL, DNS_TLSA), 1);
    CHECK_EQUAL(middle_count(NULL, DNS_CNAME), 0);
    CHECK(deliver("into.sec.test").tlsa.status == TLSA_FOUND);
    CHECK_ID("DANE-043", middle_count(NULL, DNS_TLSA) == 1);
    CHECK_EQUAL(middle_count(NULL, DNS_CNAME), 0);      /* the library knows it from the chain */
    middle_stop();
}

TEST(questions_ask_for_signatures)
{
    struct delivery d;

    NEEDS_TREE;
    middle_start(true, 0);
    d = deliver("dane.sec.test");
    CHECK_ID("DANE-005", d.addresses.secure && d.tlsa.status == TLSA_FOUND);
    for (size_t i = 0; i < middle.count; i++) {
        const struct middle_question *q = &middle.asked[i];

        CHECK_ID("DANE-005", q->wants_dnssec);
        CHECK_ID("DANE-005", !q->checking_disabled || middle_is_about_keys(q));    /* those are for this validator */
    }
    middle_stop();
}

TEST(what_a_forwarder_calls_authentic_is_not_believed)
{
    struct dns_answer a;

    NEEDS_TREE;
    middle_start(true, 0);
    middle.rules[0] = (struct middle_rule){ NULL, 0, AS_IF_AUTHENTIC };
    a = ask("www.insec.test", DNS_A);
    CHECK_ID("DANE-004", a.status == DNS_FOUND && !a.secure);
    a = ask("www.bogus.test", DNS_A);
    CHECK_ID("DANE-004", a.status == DNS_BOGUS && a.count == 0);
    middle_stop();
}

/* Records of 0 to 3 bytes have crashed others; the library takes an answer with empty ones for an error. */
TEST(records_of_odd_lengths_pass_without_harm)
{
    struct delivery d = { .domain = "odd.insec.test" };
    struct dns_answer a;
    size_t bytes = 0;

    NEEDS_TREE;
    middle_start(false, 0);
    middle.rules[0] = (struct middle_rule){ NULL, DNS_TLSA, ODD_LENGTHS };
    middle.rules[1] = (struct middle_rule){ "odd.insec.test", 0, ODD_LENGTHS };
    a = ask("_25._tcp.odd.insec.test", DNS_TLSA);
    CHECK(a.status == DNS_FOUND && !a.secure && a.count == 7);
    for (size_t i = 0; i < a.count; i++)    /* in any order */
        bytes += a.records[i].len;
    CHECK_EQUAL(bytes, 1 + 2 + 3 + 4 + 5 + 65 + 400);
    on_fiber(discover, &d);         /* MX records too short to be any */
    loop_run();
    CHECK(!d.done && (d.why.code == E_DNS || d.why.code == E_NO_USABLE_HOST));
    a = ask("odd.insec.test", DNS_TXT);
    CHECK(a.status == DNS_FOUND || a.status == DNS_FAILED);
    middle_stop();
}

/* The record is good for one second. */
TEST(an_answer_is_not_used_beyond_its_time)
{
    NEEDS_TREE;
    middle_start(false, 0);
    CHECK(ask("short.insec.test", DNS_A).ttl == 1);
    CHECK_EQUAL(middle_count("short.insec.test", DNS_A), 1);
    usleep(2100 * 1000);        /* the library counts whole seconds */
    CHECK_ID("DANE-013", ask("short.insec.test", DNS_A).status == DNS_FOUND);
    CHECK_ID("DANE-013", middle_count("short.insec.test", DNS_A) == 2);
    middle_stop();
}

#include "tests/test.h"

#include "base/buf.h"
#include "dns/hosts.h"

#include <arpa/inet.h>
#include <stdlib.h>

static struct arena arena;
static struct error why;

/* --- answers made by hand ---------------------------------------------------- */

static struct dns_answer answer(enum dns_status status, bool secure)
{
    arena_reset(&arena);
    arena_init(&arena, 256 * 1024);
    why = (struct error){ 0 };
    return (struct dns_answer){ .status = status, .secure = secure, .canonical = "example.org", .why = "" };
}

static void add(struct dns_answer *a, struct slice rdata)
{
    struct slice *more = arena_take(&arena, (a->count + 1) * sizeof *more);

    if (a->count)
        memcpy(more, a->records, a->count * sizeof *more);
    more[a->count++] = arena_copy(&arena, rdata);
    a->records = more;
    a->status = DNS_FOUND;
}

static void add_mx(struct dns_answer *a, uint16_t preference, const char *name)
{
    struct slice rest = slice_of(name);
    auto_buf struct buf rdata;

    buf_init(&rdata, 600);
    buf_u16(&rdata, preference);
    while (rest.len) {
        struct slice label = slice_cut(&rest, '.');

        buf_u8(&rdata, (uint8_t)label.len);
        buf_add(&rdata, label);
    }
    buf_u8(&rdata, 0);
    add(a, buf_slice(&rdata));
}

static void add_ip(struct dns_answer *a, const char *ip)
{
    unsigned char bytes[16];

    if (strchr(ip, ':')) {
        CHECK(inet_pton(AF_INET6, ip, bytes) == 1);
        add(a, slice(bytes, 16));
    } else {
        CHECK(inet_pton(AF_INET, ip, bytes) == 1);
        add(a, slice(bytes, 4));
    }
}

/* "name name name", in the order found. */
static const char *found(const struct dns_answer *mx, uint64_t seed)
{
    static char text[2000];
    struct mail_hosts hosts;
    size_t used = 0;

    CHECK_OK(mail_hosts_from(mx, "example.org", seed, &arena, &hosts, &why), &why);
    text[0] = '\0';
    for (size_t i = 0; i < hosts.count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", hosts.hosts[i].name);
    return text;
}

static enum error_code refused(const struct dns_answer *mx)
{
    struct mail_hosts hosts = { .count = 77 };

    CHECK(!mail_hosts_from(mx, "example.org", 1, &arena, &hosts, &why));
    CHECK_EQUAL(hosts.count, 77);
    return why.code;
}

/* --- mail hosts ---------------------------------------------------------------- */

TEST(hosts_come_by_preference)
{
    struct dns_answer mx = answer(DNS_FOUND, true);

    add_mx(&mx, 30, "c.example.org");
    add_mx(&mx, 10, "A.Example.ORG");
    add_mx(&mx, 65535, "d.example.org");
    add_mx(&mx, 20, "b.example.org");
    CHECK_ID("SMTP-124", strcmp(found(&mx, 1), "a.example.org b.example.org c.example.org d.example.org") == 0);
}

TEST(the_facts_of_the_answer_are_kept)
{
    struct dns_answer mx = answer(DNS_FOUND, true);
    struct mail_hosts hosts;

    mx.canonical = "target.example.net";
    mx.aliased = true;
    add_mx(&mx, 10, "mx.example.net");
    CHECK_OK(mail_hosts_from(&mx, "example.org", 1, &arena, &hosts, &why), &why);
    CHECK(hosts.secure && !hosts.implicit);
    CHECK_TEXT(hosts.status, "secure");
    CHECK_ID("SMTP-120", strcmp(hosts.domain, "target.example.net") == 0);
    CHECK_EQUAL(hosts.hosts[0].preference, 10);
    mx.secure = false;
    CHECK_OK(mail_hosts_from(&mx, "example.org", 1, &arena, &hosts, &why), &why);
    CHECK(!hosts.secure);
    CHECK_TEXT(hosts.status, "insecure");
}

/* SMTP-124: the same seed gives the same order, whatever the order of the records. */
TEST(equal_preferences_are_shuffled_by_the_seed_alone)
{
    struct dns_answer one = answer(DNS_FOUND, false), other = one;
    char first[200];

    add_mx(&one, 10, "a.example.org");
    add_mx(&one, 10, "b.example.org");
    add_mx(&one, 10, "c.example.org");
    add_mx(&other, 10, "c.example.org");
    add_mx(&other, 10, "a.example.org");
    add_mx(&other, 10, "b.example.org");
    for (uint64_t seed = 0; seed < 50; seed++) {
        snprintf(first, sizeof first, "%s", found(&one, seed));
        CHECK_TEXT(found(&other, seed), first);
    }
}

TEST(over_many_seeds_each_order_comes_about_as_often)
{
    struct dns_answer mx = answer(DNS_FOUND, false);
    unsigned firsts[3] = { 0 }, seconds[3] = { 0 };

    add_mx(&mx, 10, "a.example.org");
    add_mx(&mx, 10, "b.example.org");
    add_mx(&mx, 10, "c.example.org");
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct mail_hosts hosts;
        auto_arena struct arena own;

        arena_init(&own, 65536);
        CHECK_OK(mail_hosts_from(&mx, "example.org", seed, &own, &hosts, &why), &why);
        firsts[hosts.hosts[0].name[0] - 'a']++;
        seconds[hosts.hosts[1].name[0] - 'a']++;
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK_ID("SMTP-124", firsts[i] > 900 && firsts[i] < 1100);
        CHECK_ID("SMTP-124", seconds[i] > 900 && seconds[i] < 1100);
    }
}

TEST(a_host_named_twice_counts_where_it_stands_first)
{
    struct dns_answer mx = answer(DNS_FOUND, false);

    add_mx(&mx, 30, "A.example.org");
    add_mx(&mx, 20, "b.example.org");
    add_mx(&mx, 10, "a.example.org");
    add_mx(&mx, 10, "a.example.org");
    CHECK_TEXT(found(&mx, 1), "a.example.org b.example.org");
}

TEST(without_mx_records_the_domain_is_its_own_host)
{
    struct dns_answer none = answer(DNS_NO_DATA, true);
    struct mail_hosts hosts;

    none.canonical = "target.example.net";
    CHECK_OK(mail_hosts_from(&none, "Example.ORG", 1, &arena, &hosts, &why), &why);
    CHECK_ID("SMTP-121", hosts.implicit && hosts.count == 1 && hosts.hosts[0].preference == 0);
    CHECK_ID("DANE-049", strcmp(hosts.hosts[0].name, "example.org") == 0 && hosts.secure);
    CHECK_TEXT(hosts.domain, "target.example.net");
    CHECK_TEXT(hosts.status, "secure");
}

TEST(a_domain_that_does_not_exist_is_final_and_an_error_is_not)
{
    struct dns_answer a = answer(DNS_NO_NAME, false);

    CHECK_ID("SMTP-121", refused(&a) == E_NO_SUCH_DOMAIN && error_is_final(why.code));
    a.status = DNS_FAILED;
    a.why = "no answer in time";
    CHECK_ID("SMTP-121", refused(&a) == E_DNS && !error_is_final(why.code));
    CHECK_TEXT(why.text, "MX record of example.org cannot be looked up: no answer in time");
    a.status = DNS_BOGUS;
    a.why = "signature expired";
    CHECK_ID("DANE-007", refused(&a) == E_DNS_BOGUS && !error_is_final(why.code));
    CHECK(strstr(why.text, "signature expired"));
}

TEST(a_single_dot_is_a_null_mx)
{
    struct dns_answer mx = answer(DNS_FOUND, false);

    add_mx(&mx, 0, "");
    CHECK_ID("SMTP-132", refused(&mx) == E_NULL_MX && error_is_final(why.code));
    CHECK_TEXT(error_dsn(why.code), "5.1.10");
    mx = answer(DNS_FOUND, false);
    add_mx(&mx, 10, "");
    CHECK_ID("SMTP-132", refused(&mx) == E_NULL_MX);
}

TEST(a_dot_among_others_is_passed_over)
{
    struct dns_answer mx = answer(DNS_FOUND, false);

    add_mx(&mx, 0, "");
    add_mx(&mx, 10, "mx.example.org");
    CHECK_ID("SMTP-133", strcmp(found(&mx, 1), "mx.example.org") == 0);
    mx = answer(DNS_FOUND, false);
    add_mx(&mx, 0, "");
    add_mx(&mx, 10, "");
    CHECK_ID("SMTP-133", refused(&mx) == E_NO_USABLE_HOST);
}

TEST(addresses_and_impossible_names_are_no_hosts)
{
    static const char *const names[] = { "192.0.2.1", "*.example.org", "a b.example.org", "a:b", "b\xc3\xbc.example" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct dns_answer mx = answer(DNS_FOUND, false);

        add_mx(&mx, 5, names[i]);
        CHECK_ID("SMTP-130", refused(&mx) == E_NO_USABLE_HOST && !error_is_final(why.code));
        add_mx(&mx, 10, "mx.example.org");
        CHECK_ID("SMTP-130", strcmp(found(&mx, 1), "mx.example.org") == 0);
    }
}

TEST(malformed_records_are_no_hosts)
{
    static const struct slice bad[] = {
        SLICE(""), SLICE("\0"), SLICE("\0\12"), SLICE("\0\12\2mx"), SLICE("\0\12\2mx\0x"), SLICE("\0\12\xc0\x0c"),
        SLICE("\0\12\2mx\0\0"),
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct dns_answer mx = answer(DNS_FOUND, false);

        add(&mx, bad[i]);
        CHECK_ID("SMTP-123", refused(&mx) == E_NO_USABLE_HOST);
        add_mx(&mx, 10, "mx.example.org");
        CHECK_TEXT(found(&mx, 1), "mx.example.org");
    }
}

TEST(of_too_many_hosts_the_best_are_kept)
{
    struct dns_answer mx = answer(DNS_FOUND, false);
    struct mail_hosts hosts;

    for (unsigned i = 0; i < 100; i++) {
        char name[32];

        snprintf(name, sizeof name, "mx%u.example.org", i);
        add_mx(&mx, (uint16_t)(1000 - i), name);
    }
    CHECK_OK(mail_hosts_from(&mx, "example.org", 1, &arena, &hosts, &why), &why);
    CHECK_EQUAL(hosts.count, MAIL_HOSTS_MAX);
    CHECK_TEXT(hosts.hosts[0].name, "mx99.example.org");
}

TEST(an_arena_that_is_full_is_an_error_of_ours)
{
    struct dns_answer mx = answer(DNS_FOUND, false), none = mx, aaaa = mx, a = mx;
    struct host_addresses addresses;
    struct arena small;

    none.status = DNS_NO_DATA;
    add_mx(&mx, 10, "mx.example.org");
    add_ip(&a, "192.0.2.1");
    aaaa.status = DNS_NO_DATA;
    for (size_t room = 0; room < 64; room += 16) {
        struct mail_hosts hosts;

        arena_init(&small, room);
        CHECK(!mail_hosts_from(&mx, "example.org", 1, &small, &hosts, &why) && why.code == E_LIMIT);
        arena_done(&small);
        arena_init(&small, room);
        CHECK(!host_addresses_from(&aaaa, &a, "h", 25, &small, &addresses, &why) && why.code == E_LIMIT);
        arena_done(&small);
    }
    arena_init(&small, 8);
    CHECK(!mail_hosts_from(&none, "example.org", 1, &small, &(struct mail_hosts){ 0 }, &why) && why.code == E_LIMIT);
    arena_done(&small);
}

/* --- SMTP-126, SMTP-127 ----------------------------------------------------------- */

static bool is_named(void *arg, const char *host)
{
    return strcmp(host, arg) == 0;
}

static bool drop(struct mail_hosts *hosts, const char *us)
{
    char name[64];

    snprintf(name, sizeof name, "%s", us);
    return mail_hosts_drop_us(hosts, is_named, name, &why);
}

static struct mail_hosts four(void)
{
    static const struct mail_host as_given[] = { { "five.example", 5 }, { "ten.example", 10 }, { "also-ten.example", 10 },
                                                 { "twenty.example", 20 } };
    struct mail_hosts hosts = { .count = 4, .domain = "example.org" };

    answer(DNS_FOUND, false);
    hosts.hosts = arena_take(&arena, sizeof as_given);
    CHECK(hosts.hosts);
    memcpy(hosts.hosts, as_given, sizeof as_given);
    return hosts;
}

TEST(from_our_own_preference_on_hosts_are_dropped)
{
    struct mail_hosts hosts = four();

    CHECK_OK(drop(&hosts, "ten.example"), &why);
    CHECK_ID("SMTP-126", hosts.count == 1 && strcmp(hosts.hosts[0].name, "five.example") == 0);
    hosts = four();
    CHECK_OK(drop(&hosts, "also-ten.example"), &why);
    CHECK_ID("SMTP-126", hosts.count == 1);
    hosts = four();
    CHECK_OK(drop(&hosts, "twenty.example"), &why);
    CHECK_EQUAL(hosts.count, 3);
}

TEST(hosts_that_are_not_us_stay)
{
    struct mail_hosts hosts = four();

    CHECK_OK(drop(&hosts, "other.example"), &why);
    CHECK_EQUAL(hosts.count, 4);
}

TEST(being_the_best_host_ourselves_is_a_loop)
{
    struct mail_hosts hosts = four();

    CHECK_ID("SMTP-126", !drop(&hosts, "five.example") && why.code == E_LOOP);
    CHECK(error_is_final(why.code));
    hosts = four();
    hosts.hosts[0].preference = 10;
    CHECK_ID("SMTP-126", !drop(&hosts, "ten.example") && why.code == E_LOOP);
}

/* --- addresses --------------------------------------------------------------------- */

static const char *addresses_of(const struct dns_answer *aaaa, const struct dns_answer *a, struct host_addresses *out)
{
    static char text[2000];
    size_t used = 0;

    CHECK_OK(host_addresses_from(aaaa, a, "mx.example.org", 25, &arena, out, &why), &why);
    text[0] = '\0';
    for (size_t i = 0; i < out->count && used < sizeof text; i++) {
        char one[ADDRESS_TEXT_MAX];

        CHECK_EQUAL(out->at[i].port, 25);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", address_ip_text(&out->at[i], one));
    }
    return text;
}

TEST(the_families_take_turns_and_ipv6_begins)
{
    struct dns_answer a = answer(DNS_FOUND, true), aaaa = a;
    struct host_addresses h;

    add_ip(&a, "192.0.2.1");
    add_ip(&a, "192.0.2.2");
    add_ip(&a, "192.0.2.3");
    add_ip(&aaaa, "2001:db8::1");
    add_ip(&aaaa, "2001:db8::2");
    CHECK_TEXT(addresses_of(&aaaa, &a, &h), "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 192.0.2.3");
    CHECK(h.secure && !h.aliased);
}

/* Both families are of one host, so one of them is enough to look for TLSA. */
TEST(addresses_are_secure_when_a_family_used_is)
{
    static const struct {
        bool v6, v6_secure, v4, v4_secure, secure;
    } table[] = {
        { true, true, true, true, true },   { true, true, true, false, true },    { true, false, true, true, true },
        { true, true, false, false, true }, { false, false, true, true, true },   { true, false, false, true, false },
        { true, false, true, false, false }, { false, true, true, false, false },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct dns_answer a = answer(DNS_NO_DATA, table[i].v4_secure), aaaa = a;
        struct host_addresses h;

        aaaa.secure = table[i].v6_secure;
        if (table[i].v4)
            add_ip(&a, "192.0.2.1");
        if (table[i].v6)
            add_ip(&aaaa, "2001:db8::1");
        addresses_of(&aaaa, &a, &h);
        CHECK_EQUAL(h.secure, table[i].secure);
    }
}

TEST(an_error_in_one_family_leaves_the_other)
{
    struct dns_answer a = answer(DNS_FOUND, true), aaaa = a;
    struct host_addresses h;

    add_ip(&a, "192.0.2.1");
    aaaa.status = DNS_BOGUS;
    aaaa.secure = false;
    CHECK_ID("DANE-010", strcmp(addresses_of(&aaaa, &a, &h), "192.0.2.1") == 0 && h.secure);
    aaaa.status = DNS_FAILED;
    CHECK_ID("DANE-010", strcmp(addresses_of(&aaaa, &a, &h), "192.0.2.1") == 0 && h.secure);
}

TEST(without_any_address_the_error_says_why)
{
    static const struct {
        enum dns_status aaaa, a;
        enum error_code code;
    } table[] = {
        { DNS_NO_DATA, DNS_NO_DATA, E_NO_USABLE_HOST }, { DNS_NO_NAME, DNS_NO_NAME, E_NO_SUCH_DOMAIN },
        { DNS_NO_DATA, DNS_NO_NAME, E_NO_USABLE_HOST }, { DNS_FAILED, DNS_NO_DATA, E_DNS },
        { DNS_NO_DATA, DNS_FAILED, E_DNS },             { DNS_FAILED, DNS_FAILED, E_DNS },
        { DNS_BOGUS, DNS_NO_DATA, E_DNS_BOGUS },        { DNS_NO_NAME, DNS_BOGUS, E_DNS_BOGUS },
        { DNS_BOGUS, DNS_FAILED, E_DNS_BOGUS },         { DNS_FAILED, DNS_BOGUS, E_DNS_BOGUS },
        { DNS_BOGUS, DNS_BOGUS, E_DNS_BOGUS },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct dns_answer aaaa = answer(table[i].aaaa, false), a = aaaa;
        struct host_addresses h;

        a.status = table[i].a;
        CHECK(!host_addresses_from(&aaaa, &a, "mx.example.org", 25, &arena, &h, &why));
        CHECK_ID("DANE-026", why.code == table[i].code);
        CHECK(strstr(why.text, "mx.example.org"));
    }
}

TEST(records_of_the_wrong_size_and_addresses_of_nobody_are_passed_over)
{
    struct dns_answer a = answer(DNS_FOUND, false), aaaa = a;
    struct host_addresses h;

    add(&a, SLICE(""));
    add(&a, SLICE("\1\2\3"));
    add(&a, SLICE("\1\2\3\4\5"));
    add_ip(&a, "0.0.0.0");
    add_ip(&aaaa, "::");
    add_ip(&aaaa, "::ffff:192.0.2.9");
    add_ip(&aaaa, "2001:db8::1");
    CHECK_TEXT(addresses_of(&aaaa, &a, &h), "2001:db8::1");
}

TEST(of_too_many_addresses_both_families_keep_some)
{
    struct dns_answer a = answer(DNS_FOUND, false), aaaa = a;
    struct host_addresses h;
    char ip[40];

    for (unsigned i = 1; i <= 100; i++) {
        snprintf(ip, sizeof ip, "192.0.2.%u", i);
        add_ip(&a, ip);
        snprintf(ip, sizeof ip, "2001:db8::%u", i);
        add_ip(&aaaa, ip);
    }
    addresses_of(&aaaa, &a, &h);
    CHECK_EQUAL(h.count, HOST_ADDRESSES_MAX);
    CHECK(h.at[0].family == AF_INET6 && h.at[HOST_ADDRESSES_MAX - 1].family == AF_INET);
}

TEST(the_end_of_the_cname_chain_is_kept)
{
    struct dns_answer a = answer(DNS_FOUND, true), aaaa = a;
    struct host_addresses h;

    aaaa.status = DNS_NO_DATA;
    a.canonical = "real.example.net";
    a.aliased = true;
    add_ip(&a, "192.0.2.1");
    addresses_of(&aaaa, &a, &h);
    CHECK_ID("DANE-042", h.aliased && strcmp(h.canonical, "real.example.net") == 0);
}

TEST(of_two_chains_the_secure_one_has_the_name)
{
    struct dns_answer a = answer(DNS_FOUND, true), aaaa = a;
    struct host_addresses h;

    add_ip(&a, "192.0.2.1");
    add_ip(&aaaa, "2001:db8::1");
    a.canonical = "four.example.net";
    aaaa.canonical = "six.example.net";
    addresses_of(&aaaa, &a, &h);
    CHECK_TEXT(h.canonical, "six.example.net");
    aaaa.secure = false;
    addresses_of(&aaaa, &a, &h);
    CHECK_TEXT(h.canonical, "four.example.net");
    a.secure = false;
    addresses_of(&aaaa, &a, &h);
    CHECK_TEXT(h.canonical, "six.example.net");
    aaaa.status = DNS_FAILED;
    addresses_of(&aaaa, &a, &h);
    CHECK_TEXT(h.canonical, "four.example.net");
}

TEST(what_is_found_is_good_as_long_as_the_shortest_of_its_answers)
{
    struct dns_answer a = answer(DNS_FOUND, true), aaaa = a;
    struct host_addresses h;
    struct mail_hosts hosts;

    add_ip(&a, "192.0.2.1");
    add_ip(&aaaa, "2001:db8::1");
    a.ttl = 60;
    aaaa.ttl = 30;
    addresses_of(&aaaa, &a, &h);
    CHECK_ID("DANE-013", h.ttl == 30);
    aaaa.ttl = 90;
    addresses_of(&aaaa, &a, &h);
    CHECK_ID("DANE-013", h.ttl == 60);
    a.status = DNS_FAILED;
    addresses_of(&aaaa, &a, &h);
    CHECK_EQUAL(h.ttl, 90);
    aaaa.status = DNS_NO_DATA;
    CHECK_OK(mail_hosts_from(&aaaa, "example.org", 1, &arena, &hosts, &why), &why);
    CHECK_ID("DANE-013", hosts.ttl == 90);
}

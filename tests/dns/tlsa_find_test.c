/* From a host to its TLSA records, in a signed DNS on loopback. */
#include "tests/dns/middle.h"

#include "dns/tlsa.h"

struct search {
    const char *host;
    uint16_t port;
    bool reached;
    struct error why;
    struct host_addresses addresses;
    struct tlsa_answer tlsa;
};

static void find(void *arg)
{
    struct search *s = arg;

    s->reached = host_addresses_find(resolver, s->host, s->port, &arena, &s->addresses, &s->why);
    if (s->reached)
        tlsa_find(resolver, s->host, &s->addresses, s->port, &arena, &s->tlsa);
}

static struct search search_port(const char *host, uint16_t port)
{
    struct search s = { .host = host, .port = port };

    on_fiber(find, &s);
    loop_run();
    CHECK_OK(s.reached, &s.why);
    return s;
}

static struct tlsa_answer search(const char *host)
{
    return search_port(host, 25).tlsa;
}

/* The digest ends in these decimal digits, by which the tree marks each record. */
static bool is_found(const struct tlsa_answer *t, const char *base, unsigned mark)
{
    unsigned last;

    if (t->status != TLSA_FOUND || t->count != 1 || t->records[0].len != 35 || strcmp(t->base, base) != 0)
        return false;
    last = (unsigned char)t->records[0].at[34] + 256u * (unsigned char)t->records[0].at[33];
    return mark == (last >> 8 & 15) * 100 + (last >> 4 & 15) * 10 + (last & 15);
}

TEST(a_host_with_records)
{
    struct search s;
    struct tlsa_answer t;

    NEEDS_TREE;
    start_on_tree(0);
    t = search("dane.sec.test");
    CHECK_ID("DANE-041", is_found(&t, "dane.sec.test", 60));
    CHECK(t.ttl > 0 && t.ttl <= 600);
    s = search_port("DANE.sec.test", 587);
    CHECK_ID("DANE-027", is_found(&s.tlsa, "dane.sec.test", 587));
    t = search("mx2.sec.test");
    CHECK_ID("DANE-003", t.status == TLSA_ABSENT);
    CHECK_TEXT(t.asked[0].status, "absent (secure)");
    stop();
}

TEST(an_alias_all_of_whose_chain_is_secure)
{
    struct tlsa_answer t;

    NEEDS_TREE;
    start_on_tree(0);
    t = search("both.sec.test");
    CHECK_ID("DANE-042", is_found(&t, "bothend.sec.test", 61) && t.asked_count == 1);
    t = search("first.sec.test");
    CHECK_ID("DANE-042", is_found(&t, "first.sec.test", 62) && t.asked_count == 2);
    t = search("middle1.sec.test");
    CHECK_ID("DANE-045", t.status == TLSA_ABSENT && t.asked_count == 2);
    CHECK_TEXT(t.asked[0].owner, "_25._tcp.middle3.sec.test");
    CHECK_TEXT(t.asked[1].owner, "_25._tcp.middle1.sec.test");
    t = search("worse.sec.test");
    CHECK_ID("DANE-047", is_found(&t, "worseend.sec.test", 64) && t.records[0].at[0] == 0);
    stop();
}

TEST(an_alias_that_leaves_the_secure_zones)
{
    struct tlsa_answer t;

    NEEDS_TREE;
    start_on_tree(0);
    t = search("into.sec.test");
    CHECK_ID("DANE-043", is_found(&t, "into.sec.test", 21) && t.asked_count == 1);
    t = search("intonone.sec.test");
    CHECK_ID("DANE-043", t.status == TLSA_ABSENT && t.asked_count == 1);
    t = search("through.sec.test");     /* and comes back */
    CHECK_ID("DANE-011", t.status == TLSA_ABSENT && t.asked_count == 1);
    CHECK_TEXT(t.asked[0].base, "through.sec.test");
    t = search("back.insec.test");      /* begins outside */
    CHECK_ID("DANE-044", t.status == TLSA_NOT_ASKED && t.asked_count == 0);
    t = search("mx.insec.test");        /* has records, unsigned */
    CHECK_ID("DANE-025", t.status == TLSA_NOT_ASKED && t.asked_count == 0);
    stop();
}

TEST(an_alias_at_the_owner_name_is_followed_and_the_base_stays)
{
    struct tlsa_answer t;

    NEEDS_TREE;
    start_on_tree(0);
    t = search("shared.sec.test");
    CHECK_ID("DANE-046", is_found(&t, "shared.sec.test", 65));
    t = search("away.sec.test");
    CHECK_ID("DANE-046", t.status == TLSA_INSECURE && t.count == 0);
    CHECK_TEXT(t.asked[0].status, "insecure");
    t = search("awayalias.sec.test");
    CHECK_ID("DANE-046", is_found(&t, "awayalias.sec.test", 66) && t.asked_count == 2);
    t = search("loop.sec.test");
    CHECK_ID("DANE-012", t.status == TLSA_ERROR);
    stop();
}

TEST(a_redirected_subtree_is_an_alias_like_others)
{
    struct search s;

    NEEDS_TREE;
    start_on_tree(0);
    s = search_port("mx.moved.sec.test", 25);
    CHECK_ID("DANE-050", s.addresses.secure && s.addresses.aliased);
    CHECK_ID("DANE-050", is_found(&s.tlsa, "mx.real.sec.test", 68));
    stop();
}

TEST(a_bogus_answer_at_any_candidate_is_an_error)
{
    struct search s;
    struct tlsa_answer t;

    NEEDS_TREE;
    start_on_tree(0);
    s = search_port("tlsa.bogus.test", 25);
    CHECK(s.addresses.secure);
    CHECK_ID("DANE-009", s.tlsa.status == TLSA_ERROR && s.tlsa.why.code == E_TLSA_LOOKUP && s.tlsa.count == 0);
    CHECK(strstr(s.tlsa.why.text, "_25._tcp.tlsa.bogus.test"));
    t = search("halfbad.sec.test");     /* its own name would have good ones */
    CHECK_ID("DANE-048", t.status == TLSA_ERROR && t.asked_count == 1);
    t = search("alias.bogus.test");     /* the second candidate */
    CHECK_ID("DANE-048", t.status == TLSA_ERROR && t.asked_count == 2);
    CHECK_TEXT(t.asked[0].status, "absent (secure)");
    CHECK_TEXT(t.asked[1].status, "bogus");
    stop();
}

/* DANE-010: the A record is bogus, the AAAA record and the chain to it are good. */
TEST(one_good_family_of_an_alias_is_enough)
{
    struct search s;

    NEEDS_TREE;
    start_on_tree(0);
    s = search_port("onefamily.sec.test", 25);
    CHECK_ID("DANE-010", s.addresses.secure && s.addresses.count == 1 && s.addresses.at[0].family == AF_INET6);
    CHECK_ID("DANE-010", is_found(&s.tlsa, "mx.bogus.test", 33));
    stop();
}

TEST(absence_that_is_not_proved_leads_to_the_next_candidate)
{
    struct tlsa_answer t;

    NEEDS_TREE;
    start_on_tree(0);
    t = search("www.optout.test");
    CHECK_ID("DANE-048", t.status == TLSA_INSECURE);
    CHECK_TEXT(t.asked[0].status, "absent (insecure)");
    t = search("unsure.sec.test");
    CHECK_ID("DANE-048", is_found(&t, "unsure.sec.test", 51));
    stop();
}

TEST(large_record_sets_come_whole_or_not_at_all)
{
    struct tlsa_answer t;

    NEEDS_TREE;
    start_on_tree(0);
    t = search("big.sec.test");
    CHECK_ID("DANE-014", t.status == TLSA_FOUND && t.count == 60 && t.records[59].len == 67);
    t = search("many.sec.test");
    CHECK(t.status == TLSA_FOUND && t.count == 200);
    t = search("toomany.sec.test");
    CHECK_ID("DANE-009", t.status == TLSA_ERROR && t.count == 0 && strstr(t.why.text, "the 300 TLSA records"));
    stop();
}

TEST(the_longest_owner_name_is_asked_for_and_a_longer_one_is_absent)
{
    static const char label[] = "000000000000000000000000000000000000000000000000000000000000000";
    char host[260];
    struct tlsa_answer t;

    NEEDS_TREE;
    start_on_tree(0);
    for (int length = 47; length <= 48; length++) {
        snprintf(host, sizeof host, "%0*d.%s.%s.%s.test", length, 0, label, label, label);
        t = search(host);
        CHECK(length == 47 ? is_found(&t, host, 72) : t.status == TLSA_ABSENT);
    }
    CHECK_TEXT(t.asked[0].status, "absent (name too long)");
    stop();
}

/* --- servers that fail -------------------------------------------------------------- */

static struct tlsa_answer search_with(enum trick trick)
{
    struct tlsa_answer t;

    middle_start(false, trick == SILENCE ? 500 : 0);
    middle.rules[0] = (struct middle_rule){ "_25._tcp.dane.sec.test", DNS_TLSA, trick };
    for (int tries = 0; tries < 40; tries++)    /* a short deadline is for TLSA alone, however slow the machine */
        if (ask("dane.sec.test", DNS_A).secure && ask("dane.sec.test", DNS_AAAA).secure)
            break;
    t = search("dane.sec.test");
    CHECK(middle_count("_25._tcp.dane.sec.test", DNS_TLSA) > 0);
    return t;
}

TEST(a_server_that_fails_for_tlsa_alone_makes_the_host_unreachable)
{
    static const enum trick tricks[] = { SERVFAIL, REFUSED, TRUNCATED, GARBAGE, SILENCE, WITHOUT_SIGNATURES };

    NEEDS_TREE;
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        struct tlsa_answer t = search_with(tricks[i]);

        CHECK_ID("DANE-009", t.status == TLSA_ERROR && t.why.code == E_TLSA_LOOKUP && t.count == 0);
        CHECK(t.ttl == 0 && !error_is_final(t.why.code));
        middle_stop();
    }
}

TEST(a_broken_tlsa_server_in_an_unsigned_zone_does_not_hurt)
{
    struct tlsa_answer t;

    NEEDS_TREE;
    middle_start(false, 0);
    middle.rules[0] = (struct middle_rule){ NULL, DNS_TLSA, SERVFAIL };
    t = search("mx.insec.test");
    CHECK_ID("DANE-025", t.status == TLSA_NOT_ASKED && middle_count(NULL, DNS_TLSA) == 0);
    middle_stop();
}

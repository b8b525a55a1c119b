#include "tests/test.h"

#include "lab/cases.h"
#include "lab/zone.h"
#include "smtp/address.h"

#include <strings.h>

TEST(no_two_cases_have_the_same_domain)
{
    for (size_t i = 0; i < lab_case_count; i++)
        CHECK(lab_case_find(slice_of(lab_cases[i].domain)) == &lab_cases[i]);
}

TEST(every_case_says_what_it_is_about)
{
    for (size_t i = 0; i < lab_case_count; i++) {
        CHECK(strlen(lab_cases[i].shows) > 10 && strlen(lab_cases[i].shows) < 100);
        CHECK(strchr(lab_cases[i].spec, '-'));
        CHECK(lab_outcome_name(lab_cases[i].outcome)[0]);
    }
}

TEST(every_outcome_is_shown_by_some_case)
{
    unsigned seen = 0;

    for (size_t i = 0; i < lab_case_count; i++)
        seen |= 1u << lab_cases[i].outcome;
    CHECK_EQUAL(seen, 1u << LAB_VERIFIED | 1u << LAB_ENCRYPTED | 1u << LAB_CLEAR | 1u << LAB_DEFERRED | 1u << LAB_BOUNCED);
}

TEST(every_attack_of_a_case_has_a_name)
{
    enum attack found;

    for (enum attack a = 0; a < ATTACK_COUNT; a++) {
        CHECK(attack_parse(slice_of(attack_name(a)), &found));
        CHECK_EQUAL(found, a);
        CHECK(strstr(attack_words(), attack_name(a)));
    }
    CHECK(!attack_parse(SLICE("Strip"), &found));
    CHECK(!attack_parse(SLICE(""), &found));
}

TEST(all_names_are_names_of_hosts)
{
    struct arena names;

    arena_init(&names, 1024 * 1024);
    for (size_t i = 0; i < lab_case_count; i++) {
        const struct lab_case *c = &lab_cases[i];

        CHECK(domain_is_valid(slice_of(lab_name(c, "@", &names)), false));
        for (size_t n = 0; n < lab_host_count(c); n++) {
            const char *name = c->hosts[n].name ? c->hosts[n].name : "mx.@";

            CHECK(domain_is_valid(slice_of(lab_name(c, name, &names)), false));
            CHECK(!c->hosts[n].alias || domain_is_valid(slice_of(lab_name(c, c->hosts[n].alias, &names)), false));
        }
    }
    arena_done(&names);
}

TEST(all_tlsa_records_make_sense)
{
    for (size_t i = 0; i < lab_case_count; i++) {
        for (size_t n = 0; n < lab_host_count(&lab_cases[i]); n++) {
            struct slice rest = slice_of(lab_cases[i].hosts[n].tlsa);
            struct zone_tlsa t;

            while (!slice_empty(rest))
                CHECK(zone_tlsa_next(&rest, &t));
        }
    }
}

/* What no correct sender could do, whatever its settings. */
TEST(outcomes_do_not_contradict_the_hosts)
{
    for (size_t i = 0; i < lab_case_count; i++) {
        const struct lab_case *c = &lab_cases[i];
        bool tls = false, proof = c->policy.mode && strcmp(c->policy.mode, "enforce") == 0;

        for (size_t n = 0; n < lab_host_count(c); n++) {
            tls = tls || !c->hosts[n].no_tls;
            proof = proof || c->hosts[n].tlsa;
        }
        CHECK(c->outcome != LAB_VERIFIED || (tls && proof));
        CHECK(c->outcome != LAB_ENCRYPTED || tls);
        CHECK(c->outcome != LAB_CLEAR || !proof);
    }
}

TEST(names_are_short_for_the_cases_own)
{
    const struct lab_case *c = lab_case_find(SLICE("may"));
    struct arena names;

    arena_init(&names, 4096);
    CHECK_TEXT(lab_name(c, "@", &names), "may.lab.example");
    CHECK_TEXT(lab_name(c, "mx.@", &names), "mx.may.lab.example");
    CHECK_TEXT(lab_name(c, "*.@", &names), "*.may.lab.example");
    CHECK_TEXT(lab_name(c, "mx.elsewhere", &names), "mx.elsewhere.lab.example");
    arena_done(&names);
}

TEST(a_case_is_found_by_its_domain_in_full_too)
{
    CHECK(lab_case_find(SLICE("may.lab.example")) == lab_case_find(SLICE("may")));
    CHECK(lab_case_find(SLICE("MAY.Lab.Example")) == lab_case_find(SLICE("may")));
    CHECK(!lab_case_find(SLICE("")));
    CHECK(!lab_case_find(SLICE(".lab.example")));
    CHECK(!lab_case_find(SLICE("mx.may")));
    CHECK(!lab_case_find(SLICE("may.example")));
}

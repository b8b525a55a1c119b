#include "tests/test.h"

#include "lab/hosts.h"

static enum attack attack_on(const char *text, const char *domain)
{
    return hosts_attack_on(slice_of(text), lab_case_find(slice_of(domain)));
}

TEST(the_file_of_attacks_names_domain_and_kind)
{
    CHECK_EQUAL(attack_on("may strip\n", "may"), ATTACK_STRIP);
    CHECK_EQUAL(attack_on("may.lab.example  refuse\r\n", "may"), ATTACK_REFUSE);
    CHECK_EQUAL(attack_on("plain strip\nmay inject", "may"), ATTACK_INJECT);
    CHECK_EQUAL(attack_on("plain strip\n", "may"), ATTACK_NONE);
    CHECK_EQUAL(attack_on("", "may"), ATTACK_NONE);
}

TEST(the_last_line_about_a_domain_counts)
{
    CHECK_EQUAL(attack_on("may strip\nmay stall\n", "may"), ATTACK_STALL);
    CHECK_EQUAL(attack_on("may strip\nmay none\n", "may"), ATTACK_NONE);
}

TEST(lines_without_meaning_mean_nothing)
{
    CHECK_EQUAL(attack_on("may strip\nmay tickle\nmay\n\n   \nnobody stall\n# may stall\n", "may"), ATTACK_STRIP);
}

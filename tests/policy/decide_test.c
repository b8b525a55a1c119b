/* What decide() is told and what it tells: names, findings, the words of gates. decide_table_test.c walks the tables. */
#include "tests/policy/corner.h"
#include "tests/test.h"

static const struct decide_settings usual;

/* --- names ---------------------------------------------------------------------- */

TEST(levels_are_read_as_they_are_written)
{
    enum tls_level level;

    for (int i = 0; i < LEVELS; i++) {
        CHECK(tls_level_parse(slice_of(tls_level_name((enum tls_level)i)), &level));
        CHECK_EQUAL(level, i);
    }
    CHECK(tls_level_parse(SLICE("Dane-Only"), &level));
    CHECK_EQUAL(level, TLS_LEVEL_DANE_ONLY);
    CHECK(!tls_level_parse(SLICE("always"), &level));
    CHECK(!tls_level_parse(SLICE(""), &level));
    CHECK(!tls_level_parse(SLICE("dane"), &level));
    CHECK(!tls_level_parse(SLICE("off "), &level));
}

TEST(what_a_rule_makes_of_requiretls_is_read_as_it_is_written)
{
    enum requiretls_rule r;

    for (int i = 0; i < 3; i++) {
        CHECK(requiretls_rule_parse(slice_of(requiretls_rule_name((enum requiretls_rule)i)), &r));
        CHECK_EQUAL(r, i);
    }
    CHECK(!requiretls_rule_parse(SLICE("disable"), &r));
    CHECK(!requiretls_rule_parse(SLICE(""), &r));
}

/* --- is this the right host? ------------------------------------------------------ */

TEST(a_host_name_is_authentic_by_dnssec_by_policy_or_by_the_operator)
{
    const struct decide_settings enforce_only = { .requiretls_enforce_only = true };
    const struct name_source operator = { .by_operator = true }, secure = { .mx = true, .mx_secure = true },
                             insecure = { .mx = true, .addresses_secure = true },
                             without_mx = { .mx_secure = true, .addresses_secure = true },
                             without_mx_insecure = { .mx_secure = true };

    CHECK_ID("REQTLS-020", decide_authentic(&usual, &operator, STS_NONE));
    CHECK_ID("REQTLS-020", decide_authentic(&usual, &secure, STS_NONE));
    CHECK_ID("REQTLS-020", decide_authentic(&usual, &without_mx, STS_NONE));
    CHECK_ID("REQTLS-020", !decide_authentic(&usual, &insecure, STS_NONE));
    CHECK(!decide_authentic(&usual, &without_mx_insecure, STS_NONE));
    CHECK(decide_authentic(&usual, &insecure, STS_ENFORCE_MATCH));
    CHECK(decide_authentic(&usual, &insecure, STS_TEST_MATCH));
    CHECK(!decide_authentic(&usual, &insecure, STS_ENFORCE_MISMATCH));
    CHECK(!decide_authentic(&usual, &insecure, STS_TEST_MISMATCH));
    CHECK(decide_authentic(&enforce_only, &insecure, STS_ENFORCE_MATCH));
    CHECK(!decide_authentic(&enforce_only, &insecure, STS_TEST_MATCH));
    CHECK(decide_authentic(&enforce_only, &secure, STS_TEST_MATCH));
}

/* --- what DANE was asked with --------------------------------------------------------- */

TEST(the_key_of_what_dane_was_asked_with_changes_with_each_part_of_it)
{
    const char *const names[] = { "mx.example.org", "example.org" };
    const struct tlsa one = { 3, 1, 1, SLICE("aaaa") }, other = { 3, 1, 1, SLICE("aaab") }, usage = { 2, 1, 1, SLICE("aaaa") };
    const struct tlsa both[] = { one, other };
    uint64_t key = decide_dane_key("mx.example.org", names, 2, &one, 1);

    CHECK(key != 0);
    CHECK(key == decide_dane_key("mx.example.org", names, 2, &one, 1));
    CHECK(key != decide_dane_key("mx2.example.org", names, 2, &one, 1));
    CHECK(key != decide_dane_key("mx.example.org", names, 1, &one, 1));
    CHECK(key != decide_dane_key("mx.example.org", names, 2, &other, 1));
    CHECK(key != decide_dane_key("mx.example.org", names, 2, &usage, 1));
    CHECK(key != decide_dane_key("mx.example.org", names, 2, both, 2));
    CHECK(decide_dane_key("mx.example.org", names, 2, NULL, 0) == 0);
}

TEST(the_key_tells_where_one_name_ends_and_the_next_begins)
{
    const char *const cut_here[] = { "ab", "c" }, *const cut_there[] = { "a", "bc" };
    const struct tlsa record = { 3, 1, 1, SLICE("x") };

    CHECK(decide_dane_key("b", cut_here, 2, &record, 1) != decide_dane_key("b", cut_there, 2, &record, 1));
}

TEST(dane_is_asked_wherever_there_are_records_even_if_nothing_depends_on_it)
{
    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);
        struct decision d = corner_decide(&c, NULL);
        bool records = c.input.dane != DANE_NONE && c.input.dane != DANE_FAIL;

        CHECK(decide_asks_dane(&d) == records);
    }
}

/* --- what a gate says --------------------------------------------------------------------- */

static void check_text(enum mail_need need, enum tls_level level, enum dane_finding dane, enum sts_finding sts,
                       const char *row, const char *text)
{
    const struct corner c = { .rule = { .level = level }, .input = { .need = need, .dane = dane, .sts = sts } };
    struct error why = { 0 };
    struct decision d = corner_decide(&c, &why);

    CHECK_TEXT(d.row, row);
    CHECK_TEXT(why.text, text);
}

TEST(a_host_that_is_skipped_is_skipped_for_a_reason_that_can_be_read)
{
    check_text(NEED_REQUIRETLS, TLS_LEVEL_OFF, DANE_NONE, STS_NONE, "PD-G2",
               "the message must not go without TLS (REQUIRETLS), and the rule says tls level=off");
    check_text(NEED_STANDARD, TLS_LEVEL_MAY, DANE_FAIL, STS_NONE, "PD-G4",
               "the lookup of its addresses or TLSA records failed, and without that answer no connection is made");
    check_text(NEED_STANDARD, TLS_LEVEL_DANE_ONLY, DANE_TLS, STS_NONE, "PD-G5",
               "no usable TLSA records over secure DNS, and the rule says tls level=dane-only");
    check_text(NEED_STANDARD, TLS_LEVEL_MAY, DANE_NONE, STS_ENFORCE_MISMATCH, "PD-G6",
               "the host is in no mx line of the domain's MTA-STS policy (mode enforce)");
    check_text(NEED_REQUIRETLS, TLS_LEVEL_MAY, DANE_NONE, STS_NONE, "PD-G8",
               "neither DNSSEC nor MTA-STS says that this is the domain's host, and the message asks for that (REQUIRETLS)");
    check_text(NEED_STANDARD, TLS_LEVEL_OFF, DANE_TLS, STS_ENFORCE_MATCH, "PD-G9",
               "the rule says tls level=off, but the domain asks for TLS (DANE)");
    check_text(NEED_STANDARD, TLS_LEVEL_OFF, DANE_NONE, STS_ENFORCE_MATCH, "PD-G9",
               "the rule says tls level=off, but the domain asks for TLS (MTA-STS)");
}

TEST(a_reason_is_optional)
{
    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);
        struct error why = { 0 };
        struct decision with = corner_decide(&c, &why), without = corner_decide(&c, NULL);

        CHECK(with.outcome == without.outcome && strcmp(with.row, without.row) == 0);
    }
}

TEST(the_decision_keeps_what_was_found_beside_what_counts)
{
    const struct tls_rule rule = { .level = TLS_LEVEL_ENCRYPT };
    const struct decide_input in = { .need = NEED_TLS_OPTIONAL, .dane = DANE_AUTH, .sts = STS_ENFORCE_MATCH, .dane_key = 7 };
    struct decision d = decide(&rule, &usual, &in, NULL);

    CHECK_EQUAL(d.dane, DANE_NONE);
    CHECK_EQUAL(d.sts, STS_NONE);
    CHECK_EQUAL(d.level, TLS_LEVEL_ENCRYPT);
    CHECK_EQUAL(d.input.dane, DANE_AUTH);
    CHECK_EQUAL(d.input.sts, STS_ENFORCE_MATCH);
    CHECK(d.rule == &rule && d.input.dane_key == 7);
}

TEST(requiretls_is_passed_on_with_mail_that_asked_for_it)
{
    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);
        struct decision d = corner_decide(&c, NULL);

        if (d.outcome == DECIDED_GO)
            CHECK_ID("REQTLS-024", d.send_keyword == (c.input.need == NEED_REQUIRETLS || c.input.need == NEED_REQUIRETLS_NULL));
    }
}

/* --- for people ------------------------------------------------------------------------------ */

static const char *held_by(enum mail_need need, enum tls_level level, enum dane_finding dane, enum sts_finding sts,
                           bool memory)
{
    static const struct decide_settings settings;
    const struct tls_rule rule = { .level = level };
    const struct decide_input in = { .need = need, .dane = dane, .sts = sts, .authentic = true, .memory_holds = memory };

    return decide(&rule, &settings, &in, NULL).held_by;
}

TEST(a_decision_says_who_raised_the_floor)
{
    CHECK_TEXT(held_by(NEED_STANDARD, TLS_LEVEL_MAY, DANE_NONE, STS_NONE, false), "");
    CHECK_TEXT(held_by(NEED_STANDARD, TLS_LEVEL_MAY, DANE_NONE, STS_TEST_MATCH, false), "");
    CHECK_TEXT(held_by(NEED_STANDARD, TLS_LEVEL_MAY, DANE_NONE, STS_NONE, true), "memory");
    CHECK_TEXT(held_by(NEED_TLS_OPTIONAL, TLS_LEVEL_MAY, DANE_NONE, STS_NONE, true), "");
    CHECK_TEXT(held_by(NEED_STANDARD, TLS_LEVEL_OFF, DANE_NONE, STS_NONE, true), "");
    CHECK_TEXT(held_by(NEED_STANDARD, TLS_LEVEL_ENCRYPT, DANE_NONE, STS_NONE, true), "tls level=encrypt");
    CHECK_TEXT(held_by(NEED_STANDARD, TLS_LEVEL_VERIFY, DANE_NONE, STS_NONE, false), "tls level=verify");
    CHECK_TEXT(held_by(NEED_STANDARD, TLS_LEVEL_DANE_ONLY, DANE_AUTH, STS_NONE, false), "dane");
    CHECK_TEXT(held_by(NEED_REQUIRETLS, TLS_LEVEL_ENCRYPT, DANE_NONE, STS_NONE, true), "requiretls");
    CHECK_TEXT(held_by(NEED_REQUIRETLS, TLS_LEVEL_MAY, DANE_NONE, STS_ENFORCE_MATCH, true), "mta-sts");
    CHECK_TEXT(held_by(NEED_REQUIRETLS, TLS_LEVEL_MAY, DANE_TLS, STS_ENFORCE_MATCH, true), "dane");
}

TEST(somebody_is_named_exactly_where_tls_is_needed)
{
    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);
        struct decision d = corner_decide(&c, NULL);

        CHECK(d.tls_needed == (d.held_by[0] != '\0'));
    }
}

static void check_words(struct decision d, const char *words)
{
    char text[DECISION_TEXT_MAX];

    CHECK_TEXT(decision_text(&d, text), words);
}

TEST(a_decision_can_be_read)
{
    check_words((struct decision){ .tls_tried = true }, "TLS if offered; any certificate");
    check_words((struct decision){ .tls_tried = true, .tls_needed = true }, "TLS needed; any certificate");
    check_words((struct decision){ .tls_tried = false }, "in clear, STARTTLS is not tried");
    check_words((struct decision){ .tls_tried = true, .tls_needed = true, .checks = CHECK_DANE },
                "TLS needed; must pass DANE");
    check_words((struct decision){ .tls_tried = true, .tls_needed = true, .checks = CHECK_DANE | CHECK_STS },
                "TLS needed; must pass DANE and MTA-STS");
    check_words((struct decision){ .tls_tried = true, .tls_needed = true, .checks = CHECK_PKIX | CHECK_OPERATOR | CHECK_KEYWORD },
                "TLS needed; must pass PKIX, the operator's check and REQUIRETLS");
    check_words((struct decision){ .tls_tried = true, .tls_needed = true, .checks = 31 },
                "TLS needed; must pass DANE, MTA-STS, PKIX, the operator's check and REQUIRETLS");
    check_words((struct decision){ .outcome = DECIDED_SKIP }, "not to this host now");
    check_words((struct decision){ .outcome = DECIDED_SKIP_FINAL }, "not to this host");
}

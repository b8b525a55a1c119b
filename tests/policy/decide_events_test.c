/* What follows from what happens on the wire: step 3 of docs/policy.md for every decision that lets mail go, and step 4. */
#include "tests/policy/table.h"
#include "tests/test.h"

static const struct tls_facts perfect = {
    .version = TLS_1_3,
    .trust = TLS_TRUST_PKIX,
    .name_matches = true,
    .listed_name = true,
    .dane = TLS_DANE_MATCH,
    .fingerprint = "f1",
    .key_fingerprint = "f2",
    .subject = "mx.example.org",
};

/* What the page says of an event, where it counts and else. */
static struct slice says(const char *id, bool counts)
{
    const struct table *t = table_find("Step 3: what happens on the wire", "ID|Event|Where it counts|Else|TLS report");

    for (size_t row = 0; row < t->rows; row++)
        if (slice_equal(table_cell(t, row, "ID"), slice_of(id)))
            return table_cell(t, row, counts ? "Where it counts" : "Else");
    fail_msg("the page does not know %s", id);
    return SLICE("");
}

static bool says_so(const char *id, bool counts, const char *words)
{
    return slice_equal(says(id, counts), slice_of(words));
}

/* The decisions that let mail go, one after the other. */
static bool next_go(size_t *at, struct corner *c, struct decision *d)
{
    while (*at < CORNERS) {
        *c = corner_at((*at)++);
        *d = corner_decide(c, NULL);
        if (d->outcome == DECIDED_GO)
            return true;
    }
    return false;
}

/* What has no function of its own here: the dialogue leaves, goes on or sends. */
TEST(the_page_says_the_same_of_events_that_leave_no_choice)
{
    static const struct {
        const char *id, *counts, *otherwise;
    } fixed[] = {
        { "PD-E01", "next host", "next host" },
        { "PD-E04", "next host", "next host" },
        { "PD-E10", "go on", "go on" },
        { "PD-E14", "next host", "go on" },
        { "PD-E16", "next host, never again", "go on" },
        { "PD-E17", "deliver", "deliver" },
        { "PD-E18", "–", "–" },
        { "PD-E19", "–", "deliver" },
        { "PD-E20", "usual rules", "usual rules" },
    };

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        CHECK(says_so(fixed[i].id, true, fixed[i].counts) && says_so(fixed[i].id, false, fixed[i].otherwise));
}

/* --- without TLS ---------------------------------------------------------------------- */

TEST(a_missing_starttls_leads_where_the_page_says)
{
    struct corner c;
    struct decision d;

    for (size_t at = 0; next_go(&at, &c, &d);) {
        struct error why = { 0 };
        enum tls_plan plan = decide_plan(&d, false, &why);

        CHECK_ID("PD-E02", says_so("PD-E02", d.tls_needed, plan == PLAN_CLEAR ? "in clear" : "next host"));
        CHECK(plan != PLAN_STARTTLS);
        CHECK_EQUAL(why.code, plan == PLAN_NEXT_HOST ? E_STARTTLS_NOT_OFFERED : E_NONE);
        CHECK_ID("PD-12", decide_plan(&d, true, NULL) == (d.tls_tried ? PLAN_STARTTLS : PLAN_CLEAR));
        CHECK(decide_plan(&d, false, NULL) == plan);
    }
}

TEST(a_refused_starttls_leads_where_the_page_says)
{
    struct corner c;
    struct decision d;

    for (size_t at = 0; next_go(&at, &c, &d);)
        CHECK_ID("STARTTLS-026",
                 says_so("PD-E03", d.tls_needed, decide_clear_after_refusal(&d) ? "in clear" : "next host"));
}

static bool page_lets_retry(enum error_code how, bool needed)
{
    const char *id = how == E_TLS_HANDSHAKE ? "PD-E05" : how == E_STARTTLS_INJECTED ? "PD-E04"
                     : how == E_STARTTLS_NOT_OFFERED ? "PD-E02" : how == E_STARTTLS_REFUSED ? "PD-E03" : "PD-E01";

    return says_so(id, needed, "clear retry");
}

TEST(a_new_connection_in_clear_follows_only_a_failed_handshake_in_lines_that_say_so)
{
    struct corner c;
    struct decision d;

    CHECK(slice_equal(says("PD-E05", false), says("PD-E06", false)) && slice_equal(says("PD-E05", true), says("PD-E06", true)));
    for (size_t at = 0; next_go(&at, &c, &d);) {
        for (int how = E_NONE; how < E_COUNT; how++) {
            bool may = d.tls_tried && page_lets_retry((enum error_code)how, d.tls_needed);

            CHECK_ID("PD-32", decide_clear_retry(&d, (enum error_code)how, MINUTES(5)) == may);
            CHECK_ID("PD-32", decide_clear_retry(&d, (enum error_code)how, MINUTES(5) - 1) ==
                              (may && c.input.need == NEED_TLS_OPTIONAL));
        }
        CHECK_ID("PD-E04", !decide_clear_retry(&d, E_STARTTLS_INJECTED, DAYS(4)));
        CHECK_ID("PD-32", !d.clear_retry || d.checks == 0);
    }
}

TEST(the_wish_of_the_sender_not_to_wait_is_no_wish_for_clear_text_where_the_rule_forbids_it)
{
    const struct corner c = { .rule = { .level = TLS_LEVEL_ENCRYPT, .cleartext_after = 0 },
                              .input = { .need = NEED_TLS_OPTIONAL } };
    struct decision d = corner_decide(&c, NULL);

    CHECK_ID("REQTLS-052", !decide_clear_retry(&d, E_TLS_HANDSHAKE, DAYS(4)) && !decide_clear_after_refusal(&d));
}

static void check_plan(const struct corner *c, const char *text)
{
    struct decision d = corner_decide(c, NULL);
    struct error why = { 0 };

    CHECK_EQUAL(decide_plan(&d, false, &why), PLAN_NEXT_HOST);
    CHECK_TEXT(why.text, text);
}

static void check_plan_text(enum mail_need need, enum tls_level level, enum dane_finding dane, enum sts_finding sts,
                            bool memory, const char *text)
{
    check_plan(&(struct corner){ .rule = { .level = level }, .input = { need, dane, .sts = sts, .authentic = true,
                                                                        .memory_holds = memory } }, text);
}

TEST(a_missing_starttls_names_all_who_asked_for_it)
{
    check_plan_text(NEED_STANDARD, TLS_LEVEL_MAY, DANE_TLS, STS_NONE, false, "STARTTLS is not offered, and DANE asks for TLS");
    check_plan_text(NEED_STANDARD, TLS_LEVEL_MAY, DANE_NONE, STS_ENFORCE_MATCH, false,
                    "STARTTLS is not offered, and MTA-STS asks for TLS");
    check_plan_text(NEED_STANDARD, TLS_LEVEL_ENCRYPT, DANE_NONE, STS_TEST_MATCH, true,
                    "STARTTLS is not offered, and the rule says tls level=encrypt");
    check_plan_text(NEED_STANDARD, TLS_LEVEL_MAY, DANE_NONE, STS_NONE, true,
                    "STARTTLS is not offered, and it has been for long (memory)");
    check_plan_text(NEED_REQUIRETLS, TLS_LEVEL_MAY, DANE_NONE, STS_NONE, true,
                    "STARTTLS is not offered, and the message (REQUIRETLS) asks for TLS");
    check_plan_text(NEED_STANDARD, TLS_LEVEL_DANE_ONLY, DANE_AUTH, STS_NONE, false,
                    "STARTTLS is not offered, and DANE and the rule ask for TLS");
    check_plan_text(NEED_REQUIRETLS, TLS_LEVEL_VERIFY, DANE_AUTH, STS_ENFORCE_MATCH, true,
                    "STARTTLS is not offered, and DANE, MTA-STS, the message (REQUIRETLS) and the rule ask for TLS");
}

TEST(what_a_rule_leaves_of_requiretls_still_asks_for_tls)
{
    struct corner c = { .rule = { .level = TLS_LEVEL_MAY, .requiretls = REQUIRETLS_WITH_TLS },
                        .input = { .need = NEED_REQUIRETLS, .dane = DANE_TLS } };
    struct decision d;

    check_plan(&c, "STARTTLS is not offered, and DANE and the message (REQUIRETLS) ask for TLS");
    c.input.dane = DANE_NONE;
    check_plan(&c, "STARTTLS is not offered, and the message (REQUIRETLS) asks for TLS");
    d = corner_decide(&c, NULL);
    CHECK_ID("REQTLS-030", d.tls_needed && d.checks == 0 && d.send_keyword && strcmp(d.held_by, "requiretls") == 0);
    CHECK_ID("REQTLS-030", !decide_is_definitive(&d, E_STARTTLS_NOT_OFFERED));
    c.rule.requiretls = REQUIRETLS_WHERE_OFFERED;
    d = corner_decide(&c, NULL);
    CHECK_ID("REQTLS-030", !d.tls_needed && d.send_keyword && d.held_by[0] == '\0');
    c.rule.level = TLS_LEVEL_ENCRYPT;
    check_plan(&c, "STARTTLS is not offered, and the rule says tls level=encrypt");
}

/* --- with TLS: which fault is whose event ------------------------------------------------- */

static const struct fault {
    const char *id;
    unsigned check;
    enum tls_dane dane;
    enum tls_trust trust;
    bool name;
    enum error_code how;
} faults[] = {
    { "PD-E07", CHECK_DANE, TLS_DANE_NO_MATCH, TLS_TRUST_PKIX, true, E_DANE_MISMATCH },
    { "PD-E08", CHECK_DANE, TLS_DANE_NAME, TLS_TRUST_PKIX, true, E_CERT_NAME_MISMATCH },
    { "PD-E09", CHECK_DANE, TLS_DANE_EXPIRED, TLS_TRUST_PKIX, true, E_CERT_EXPIRED },
    { "PD-E07", CHECK_DANE, TLS_DANE_NOT_ASKED, TLS_TRUST_PKIX, true, E_DANE_MISMATCH },
    { "PD-E11", CHECK_STS, TLS_DANE_MATCH, TLS_TRUST_UNTRUSTED, true, E_CERT_NOT_TRUSTED },
    { "PD-E11", CHECK_STS, TLS_DANE_MATCH, TLS_TRUST_NONE, true, E_CERT_NOT_TRUSTED },
    { "PD-E12", CHECK_STS, TLS_DANE_MATCH, TLS_TRUST_EXPIRED, true, E_CERT_EXPIRED },
    { "PD-E13", CHECK_STS, TLS_DANE_MATCH, TLS_TRUST_PKIX, false, E_CERT_NAME_MISMATCH },
    { "PD-E15", CHECK_PKIX, TLS_DANE_MATCH, TLS_TRUST_UNTRUSTED, true, E_REQUIRETLS_NO_TLS },
    { "PD-E15", CHECK_PKIX, TLS_DANE_MATCH, TLS_TRUST_EXPIRED, true, E_REQUIRETLS_NO_TLS },
    { "PD-E15", CHECK_PKIX, TLS_DANE_MATCH, TLS_TRUST_PKIX, false, E_REQUIRETLS_NO_TLS },
};

static struct tls_facts with(const struct fault *f)
{
    struct tls_facts facts = perfect;

    facts.dane = f->dane;
    facts.trust = f->trust;
    facts.name_matches = f->name;
    return facts;
}

TEST(each_fault_of_a_certificate_leads_where_the_page_says)
{
    static const char *const mine[] = { "this.fingerprint" };   /* so that the operator is content whatever the chain */
    struct corner c;
    struct decision d;

    for (size_t at = 0; next_go(&at, &c, &d);) {
        c.rule.fingerprints = mine;
        c.rule.fingerprint_count = 1;
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
            struct tls_facts facts = with(&faults[i]);
            bool counts = d.checks & faults[i].check;
            struct error why = { 0 };
            bool enough;

            snprintf(facts.fingerprint, sizeof facts.fingerprint, "%s", mine[0]);
            if ((faults[i].check == CHECK_STS && (d.checks & CHECK_PKIX)) ||
                (faults[i].check == CHECK_PKIX && (d.checks & CHECK_STS)))
                continue;       /* the same fault is the other's event */
            enough = decide_facts(&d, &facts, &why);
            if (!(enough ? says_so(faults[i].id, counts, "go on")
                  : slice_starts(says(faults[i].id, counts), SLICE("next host"))))
                fail_msg("%s: %s: %s", faults[i].id, enough ? "goes on" : why.text, corner_text(&c));
            CHECK_EQUAL(why.code, counts ? faults[i].how : E_NONE);
            CHECK(enough == (why.text[0] == '\0'));
        }
    }
}

TEST(perfect_facts_are_enough_for_every_decision)
{
    struct corner c;
    struct decision d;

    CHECK(says_so("PD-E17", true, "deliver"));
    for (size_t at = 0; next_go(&at, &c, &d);) {
        CHECK_ID("PD-E17", decide_facts(&d, &perfect, NULL));
        CHECK_ID("PD-E17", decide_keyword(&d, true, NULL));
        CHECK_EQUAL(decide_passed(&d, &perfect), CHECK_DANE | CHECK_STS | CHECK_PKIX | CHECK_OPERATOR);
        CHECK_EQUAL(decide_passed(&d, NULL), 0);
    }
}

TEST(requiretls_must_be_offered_under_tls_for_mail_that_asks_and_has_a_sender)
{
    struct corner c;
    struct decision d;

    for (size_t at = 0; next_go(&at, &c, &d);) {
        struct error why = { 0 };
        bool counts = d.need == NEED_REQUIRETLS;

        CHECK_ID("PD-E16", decide_keyword(&d, false, &why) != counts);
        CHECK_EQUAL(why.code, counts ? E_REQUIRETLS_MISSING : E_NONE);
    }
}

/* --- every combination of facts: what passes, by itself and all together ------------------------ */

static struct tls_facts facts_at(unsigned number)
{
    return (struct tls_facts){
        .version = number & 1 ? TLS_1_2 : TLS_1_1,
        .name_matches = number >> 1 & 1,
        .common_name_matches = number >> 2 & 1,
        .listed_name = number >> 3 & 1,
        .trust = (enum tls_trust)(number >> 4 & 3),
        .dane = (enum tls_dane)((number >> 6 & 7) % 5),
        .fingerprint = "a1",
        .key_fingerprint = "a2",
    };
}

TEST(no_check_that_must_pass_is_ever_passed_over)
{
    struct corner c;
    struct decision d;

    for (unsigned number = 0; number < 512; number++) {
        struct tls_facts facts = facts_at(number);
        bool trusted = facts.trust == TLS_TRUST_PKIX;
        unsigned passed = 0;

        passed |= facts.dane == TLS_DANE_MATCH ? CHECK_DANE : 0;
        passed |= trusted && facts.name_matches && facts.version == TLS_1_2 ? CHECK_STS : 0;    /* MTASTS-061, -062 */
        passed |= trusted && (facts.name_matches || facts.common_name_matches) ? CHECK_PKIX : 0;    /* REQTLS-021 */
        passed |= trusted && facts.name_matches ? CHECK_OPERATOR : 0;       /* a rule without lists */
        for (size_t at = number % 7; next_go(&at, &c, &d); at += 13) {      /* in turn, each meets each */
            CHECK_EQUAL(decide_passed(&d, &facts), passed);
            CHECK(decide_facts(&d, &facts, NULL) == ((d.checks & ~passed & ~(unsigned)CHECK_KEYWORD) == 0));
        }
    }
}

TEST(mta_sts_does_not_take_a_version_below_tls_1_2)
{
    const struct corner c = { .rule = { .level = TLS_LEVEL_MAY }, .input = { .sts = STS_ENFORCE_MATCH } };
    struct decision d = corner_decide(&c, NULL);
    struct tls_facts facts = perfect;
    struct error why = { 0 };

    facts.version = TLS_1_1;
    CHECK_ID("MTASTS-062", !decide_facts(&d, &facts, &why));
    CHECK_EQUAL(why.code, E_TLS_HANDSHAKE);
    CHECK_TEXT(why.text, "MTA-STS: TLSv1.1 is older than TLSv1.2");
    CHECK(!decide_clear_retry(&d, why.code, DAYS(4)));
}

/* --- the operator's check ------------------------------------------------------------------------- */

static const char *const names[] = { "mx.partner.example" }, *const prints[] = { "0f", "1e" };

static bool operator_takes(size_t name_count, size_t print_count, const struct tls_facts *facts, struct error *why)
{
    const struct tls_rule rule = { .level = TLS_LEVEL_VERIFY, .names = names, .name_count = name_count,
                                   .fingerprints = prints, .fingerprint_count = print_count };
    static const struct decide_settings settings;
    const struct decide_input in = { .need = NEED_STANDARD };
    struct decision d = decide(&rule, &settings, &in, NULL);

    return decide_facts(&d, facts, why);
}

TEST(a_listed_name_needs_a_trusted_chain_and_the_hosts_own_name_does_not_replace_it)
{
    struct tls_facts facts = perfect;
    struct error why = { 0 };

    CHECK(operator_takes(1, 0, &facts, &why));
    facts.listed_name = false;
    CHECK(facts.name_matches && !operator_takes(1, 0, &facts, &why));
    CHECK_EQUAL(why.code, E_PIN_MISMATCH);
    CHECK_TEXT(why.text, "the certificate (for mx.example.org) has none of the rule's names");
    facts.listed_name = true;
    facts.trust = TLS_TRUST_UNTRUSTED;
    snprintf(facts.trust_problem, sizeof facts.trust_problem, "self-signed certificate");
    CHECK(!operator_takes(1, 0, &facts, &why));
    CHECK_TEXT(why.text, "the certificate has a name of the rule, but is not trusted: self-signed certificate");
    facts.listed_name = false;
    CHECK(!operator_takes(1, 0, &facts, &why));
    CHECK_TEXT(why.text, "the certificate (for mx.example.org) has none of the rule's names");
}

TEST(a_listed_fingerprint_of_certificate_or_key_needs_nothing_else)
{
    struct tls_facts facts = { .version = TLS_1_3, .trust = TLS_TRUST_UNTRUSTED, .fingerprint = "aa", .key_fingerprint = "bb" };
    struct error why = { 0 };

    CHECK(!operator_takes(0, 2, &facts, &why));
    CHECK_EQUAL(why.code, E_PIN_MISMATCH);
    snprintf(facts.fingerprint, sizeof facts.fingerprint, "1e");
    CHECK(operator_takes(0, 2, &facts, &why));
    snprintf(facts.fingerprint, sizeof facts.fingerprint, "aa");
    snprintf(facts.key_fingerprint, sizeof facts.key_fingerprint, "0f");
    CHECK(operator_takes(0, 2, &facts, &why));
    CHECK(!operator_takes(0, 0, &facts, &why));     /* what is not listed does not count */
    CHECK_EQUAL(why.code, E_CERT_NOT_TRUSTED);
}

TEST(of_names_and_fingerprints_either_will_do)
{
    struct tls_facts facts = perfect;
    struct error why = { 0 };

    CHECK(operator_takes(1, 2, &facts, &why));
    facts.listed_name = false;
    CHECK(!operator_takes(1, 2, &facts, &why));
    CHECK_TEXT(why.text, "the certificate (for mx.example.org) has none of the rule's names or fingerprints");
    snprintf(facts.fingerprint, sizeof facts.fingerprint, "0f");
    CHECK(operator_takes(1, 2, &facts, &why));
    facts.listed_name = true;
    facts.trust = TLS_TRUST_EXPIRED;
    CHECK(operator_takes(1, 2, &facts, &why));
}

TEST(a_name_that_is_not_listed_any_more_does_not_count_for_a_rule_of_fingerprints)
{
    struct tls_facts facts = perfect;
    struct error why = { 0 };

    CHECK(facts.listed_name && !operator_takes(0, 2, &facts, &why));
    facts.trust = TLS_TRUST_UNTRUSTED;
    CHECK(!operator_takes(0, 2, &facts, &why));
    CHECK_TEXT(why.text, "the certificate (for mx.example.org) has none of the rule's fingerprints");
}

TEST(no_certificate_has_no_fingerprint)
{
    static const char *const empty[] = { "" };
    const struct tls_rule rule = { .level = TLS_LEVEL_VERIFY, .fingerprints = empty, .fingerprint_count = 1 };
    static const struct decide_settings settings;
    const struct decide_input in = { .need = NEED_STANDARD };
    struct decision d = decide(&rule, &settings, &in, NULL);
    const struct tls_facts facts = { .version = TLS_1_3, .trust = TLS_TRUST_NONE };

    CHECK(!decide_facts(&d, &facts, NULL));
}

TEST(a_rule_without_lists_wants_a_trusted_chain_and_the_hosts_name_but_no_common_name)
{
    struct tls_facts facts = perfect;
    struct error why = { 0 };

    facts.listed_name = false;
    CHECK(operator_takes(0, 0, &facts, &why));
    facts.name_matches = false;
    facts.common_name_matches = true;
    CHECK_ID("STARTTLS-083", !operator_takes(0, 0, &facts, &why));
    CHECK_EQUAL(why.code, E_CERT_NAME_MISMATCH);
    CHECK_TEXT(why.text, "the certificate is for mx.example.org");
    facts.trust = TLS_TRUST_NONE;
    CHECK(!operator_takes(0, 0, &facts, &why));
    CHECK_TEXT(why.text, "no certificate was shown");
}

/* --- the words of a failed check -------------------------------------------------------------------- */

TEST(a_failed_check_says_whose_it_was)
{
    const struct corner dane = { .rule = { .level = TLS_LEVEL_MAY }, .input = { .dane = DANE_AUTH } };
    const struct corner required = { .rule = { .level = TLS_LEVEL_MAY },
                                     .input = { .need = NEED_REQUIRETLS, .authentic = true } };
    struct decision d = corner_decide(&dane, NULL), r = corner_decide(&required, NULL);
    struct tls_facts facts = perfect;
    struct error why = { 0 };

    facts.dane = TLS_DANE_NO_MATCH;
    snprintf(facts.dane_problem, sizeof facts.dane_problem, "2 records, another key");
    CHECK(!decide_facts(&d, &facts, &why));
    CHECK_TEXT(why.text, "DANE: 2 records, another key");
    facts.dane = TLS_DANE_NAME;
    CHECK(!decide_facts(&d, &facts, &why));
    CHECK_TEXT(why.text, "DANE: a TLSA record anchors the certificate, but it is for mx.example.org");
    facts.trust = TLS_TRUST_EXPIRED;
    snprintf(facts.trust_problem, sizeof facts.trust_problem, "certificate has expired");
    CHECK(!decide_facts(&r, &facts, &why));
    CHECK_TEXT(why.text, "REQUIRETLS: certificate expired: certificate has expired");
    CHECK(!decide_keyword(&r, false, &why));
    CHECK_TEXT(why.text, "the host does not offer REQUIRETLS, and the message asks for it");
}

/* --- PD-30 -------------------------------------------------------------------------------------------- */

TEST(only_requiretls_ends_a_host_for_good_and_only_by_five_causes)
{
    struct corner c;
    struct decision d;

    for (size_t at = 0; next_go(&at, &c, &d);)
        for (int how = E_NONE; how < E_COUNT; how++)
            CHECK_ID("PD-30", decide_is_definitive(&d, (enum error_code)how) ==
                              (d.need == NEED_REQUIRETLS &&
                               (how == E_STARTTLS_NOT_OFFERED || how == E_REQUIRETLS_MISSING || how == E_REQUIRETLS_NO_TLS)));
}

TEST(a_gate_ends_a_host_for_good_where_its_error_says_so)
{
    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);
        struct error why = { 0 };
        struct decision d = corner_decide(&c, &why);

        if (d.outcome != DECIDED_GO)
            CHECK_ID("PD-30", decide_is_definitive(&d, why.code) == (d.outcome == DECIDED_SKIP_FINAL));
    }
}

/* Which failures of REQUIRETLS mail are final: what the page says "never again" of, and PD-E02. */
TEST(a_failed_dane_or_mta_sts_check_is_never_final)
{
    struct corner c;
    struct decision d;

    CHECK(says_so("PD-E15", true, "next host, never again") && says_so("PD-E16", true, "next host, never again"));
    for (size_t at = 0; next_go(&at, &c, &d);) {
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
            struct tls_facts facts = with(&faults[i]);
            struct error why = { 0 };

            if (d.need != NEED_REQUIRETLS || decide_facts(&d, &facts, &why))
                continue;
            CHECK_ID("PD-30", decide_is_definitive(&d, why.code) == ((d.checks & CHECK_PKIX) != 0));
        }
    }
}

TEST(the_message_fails_for_the_keyword_if_one_host_lacked_it_else_for_tls)
{
    const struct error last = { E_STARTTLS_NOT_OFFERED, "mx2.example.org: STARTTLS is not offered" };
    struct error why = { 0 };

    decide_after_last_host(NEED_REQUIRETLS, true, &last, &why);
    CHECK_EQUAL(why.code, E_REQUIRETLS_MISSING);
    CHECK_TEXT(error_dsn(why.code), "5.7.30");
    CHECK_TEXT(why.text, last.text);
    decide_after_last_host(NEED_REQUIRETLS, false, &last, &why);
    CHECK_EQUAL(why.code, E_REQUIRETLS_NO_TLS);
    CHECK_TEXT(error_dsn(why.code), "5.7.10");
}

TEST(no_other_mail_is_returned_at_once)
{
    static const enum mail_need others[] = { NEED_STANDARD, NEED_REQUIRETLS_NULL, NEED_TLS_OPTIONAL };
    const struct error last = { E_STARTTLS_NOT_OFFERED, "STARTTLS is not offered" };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct error why = { 0 };

        decide_after_last_host(others[i], true, &last, &why);
        CHECK_EQUAL(why.code, E_NONE);
    }
}

/* decide() is the tables of docs/policy.md: every combination of inputs (PD-36), and what must hold between them (PD-37). */
#include "tests/policy/table.h"
#include "tests/test.h"

/* --- the same answer for every combination -------------------------------------- */

static void compare(const struct corner *c)
{
    struct walk wanted = walk(c);
    struct error why = { 0 };
    struct decision got = corner_decide(c, &why);
    bool go = got.outcome == DECIDED_GO;

    if (wanted.outcome == WALK_GO ? wanted.lines != 1 : wanted.lines != 0)
        fail_msg("PD-36: %u lines fit %s", wanted.lines, corner_text(c));
    if (strcmp(got.row, wanted.id) != 0 || (unsigned)got.outcome != (unsigned)wanted.outcome)
        fail_msg("PD-36: %s and not %s: %s", got.row, wanted.id, corner_text(c));
    if (strcmp(go ? "" : error_name(why.code), wanted.error) != 0 || go != (why.text[0] == '\0'))
        fail_msg("%s says %s %s: %s", got.row, error_name(why.code), why.text, corner_text(c));
    if (got.tls_tried != wanted.tried || got.tls_needed != wanted.needed || got.checks != wanted.checks)
        fail_msg("%s: tried %d needed %d checks %x, and not %d %d %x: %s", got.row, got.tls_tried, got.tls_needed,
                 got.checks, wanted.tried, wanted.needed, wanted.checks, corner_text(c));
    if (strcmp(mail_need_name(got.need), wanted.mail) != 0)
        fail_msg("REQTLS-030: %s and not %s: %s", mail_need_name(got.need), wanted.mail, corner_text(c));
    if (got.clear_retry != wanted.retry)
        fail_msg("PD-32: %s: clear retry %d: %s", got.row, got.clear_retry, corner_text(c));
}

TEST(every_combination_of_inputs_meets_the_gate_or_the_line_that_the_page_says)
{
    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);

        compare(&c);
    }
}

TEST(every_line_of_the_page_is_met_by_some_combination)
{
    const struct table *gates = table_find("Step 1: gates", "ID|Mail|Outcome|Error");
    const struct table *rows = table_find("Step 2: the floor and the checks", "ID|Mail|Must pass|Clear retry");
    bool gate_met[9] = { false }, row_met[25] = { false };

    CHECK_EQUAL(gates->rows, 9);
    CHECK_EQUAL(rows->rows, 25);
    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);
        struct walk w = walk(&c);

        *(w.outcome == WALK_GO ? &row_met[w.line] : &gate_met[w.line]) = true;
    }
    for (size_t i = 0; i < 25; i++)
        CHECK(row_met[i]);
    for (size_t i = 0; i < 9; i++)      /* those that let pass end nothing */
        CHECK(gate_met[i] == !(cell_takes(table_cell(gates, i, "Outcome"), "lift") ||
                               cell_takes(table_cell(gates, i, "Outcome"), "note")));
}

/* How many of the page's values of an input are this word. */
static unsigned listed(const char *input, const char *word)
{
    const struct table *t = table_find("The inputs", "Input|Value|Meaning");
    unsigned count = 0;

    for (size_t row = 0; row < t->rows; row++)
        if (slice_equal(table_cell(t, row, "Input"), slice_of(input)))
            count += word ? cell_takes(table_cell(t, row, "Value"), word) : 1;
    return count;
}

TEST(the_page_lists_the_words_that_logs_use)
{
    for (int i = 0; i < NEEDS; i++)
        CHECK_EQUAL(listed("Mail", mail_need_name((enum mail_need)i)), 1);
    for (int i = 0; i < LEVELS; i++)
        CHECK_EQUAL(listed("Level", tls_level_name((enum tls_level)i)), 1);
    for (int i = 0; i < DANES; i++)
        CHECK_EQUAL(listed("DANE", dane_finding_name((enum dane_finding)i)), 1);
    for (int i = 0; i < STSES; i++)
        CHECK_EQUAL(listed("MTA-STS", sts_finding_name((enum sts_finding)i)), 1);
    CHECK(listed("Name", "yes") == 1 && listed("Name", "no") == 1);
    CHECK(listed("Memory", "holds") == 1 && listed("Memory", "silent") == 1);
    CHECK_EQUAL(listed("Mail", NULL), NEEDS);
    CHECK_EQUAL(listed("Level", NULL), LEVELS);
    CHECK_EQUAL(listed("DANE", NULL), DANES);
    CHECK_EQUAL(listed("MTA-STS", NULL), STSES);
}

/* --- where the inputs come from --------------------------------------------------- */

static const char *const settings_names[] = { "dane", "encrypt", "may" };
static const char *const outcome_names[] = {
    [TLSA_OUT_NONE] = "none", [TLSA_OUT_ERROR] = "lookup fails", [TLSA_OUT_UNUSABLE] = "unusable",
    [TLSA_OUT_USABLE] = "usable",
};

static void compare_finding(bool secure, int setting, bool failed, int outcome)
{
    const struct table *t = table_find("From lookups to DANE", "MX answer|insecure-mx|Addresses|TLSA records|DANE|ID");
    enum dane_finding got = dane_finding_of(secure, failed, (enum tlsa_outcome)outcome, (enum insecure_mx)setting);
    unsigned lines = 0;
    char wanted[24];

    for (size_t row = 0; row < t->rows; row++) {
        if (!cell_takes(table_cell(t, row, "MX answer"), secure ? "secure" : "insecure") ||
            !cell_takes(table_cell(t, row, "insecure-mx"), settings_names[setting]) ||
            !cell_takes(table_cell(t, row, "Addresses"), failed ? "lookup fails" : "found") ||
            !cell_takes(table_cell(t, row, "TLSA records"), outcome_names[outcome]))
            continue;
        lines++;
        snprintf(wanted, sizeof wanted, "`%s`", dane_finding_name(got));
        if (!slice_equal(table_cell(t, row, "DANE"), slice_of(wanted)))
            fail_msg("%.*s: %s", SLICE_ARGS(table_cell(t, row, "ID")), dane_finding_name(got));
    }
    CHECK_EQUAL(lines, 1);
}

TEST(lookups_come_to_the_finding_that_the_page_says)
{
    for (int secure = 0; secure < 2; secure++)
        for (int setting = 0; setting < 3; setting++)
            for (int failed = 0; failed < 2; failed++)
                for (int outcome = 0; outcome < 4; outcome++)
                    compare_finding(secure, setting, failed, outcome);
}

TEST(tlsa_is_not_asked_for_where_its_answer_could_not_count)
{
    const struct tls_rule usual = { .level = TLS_LEVEL_MAY }, without = { .level = TLS_LEVEL_MAY, .no_dane = true };

    for (int setting = 0; setting < 3; setting++) {
        const struct decide_settings s = { .insecure_mx = (enum insecure_mx)setting };

        CHECK(decide_wants_tlsa(&usual, &s, true));
        CHECK_ID("DT-14", decide_wants_tlsa(&usual, &s, false) == (setting != INSECURE_MX_MAY));
        CHECK(!decide_wants_tlsa(&without, &s, true) && !decide_wants_tlsa(&without, &s, false));
    }
}

/* All that the world can show: who leads to the host, how secure it is, what TLSA and the policy say. */
static void note_what_can_be(const struct decide_settings *s, bool can_be[DANES][STSES][2])
{
    static const struct name_source sources[] = {
        { .by_operator = true },
        { .mx = true, .mx_secure = true },
        { .mx = true },
        { .mx_secure = true, .addresses_secure = true },    /* a secure proof ends in the zone that has the address */
        { .mx = false },
    };

    for (size_t from = 0; from < sizeof sources / sizeof *sources; from++) {
        bool secure = sources[from].by_operator || sources[from].mx_secure;

        for (int sts = 0; sts < STSES; sts++) {
            bool name = decide_authentic(s, &sources[from], (enum sts_finding)sts);

            for (int outcome = 0; outcome < 4; outcome++) {
                can_be[dane_finding_of(secure, false, (enum tlsa_outcome)outcome, s->insecure_mx)][sts][name] = true;
                can_be[dane_finding_of(secure, true, (enum tlsa_outcome)outcome, s->insecure_mx)][sts][name] = true;
            }
        }
    }
}

static bool page_says_it_cannot_be(const char *dane, const char *sts, const char *name, bool enforce_only)
{
    const struct table *t = table_find("What cannot be", "DANE|MTA-STS|Name|Because");

    for (size_t row = 0; row < t->rows; row++) {
        struct slice because = table_cell(t, row, "Because");
        bool unless = slice_ends_nocase(because, SLICE("unless `requiretls-sts = enforce`"));
        bool only = slice_ends_nocase(because, SLICE("only with `requiretls-sts = enforce`"));

        if (cell_takes(table_cell(t, row, "DANE"), dane) && cell_takes(table_cell(t, row, "MTA-STS"), sts) &&
            cell_takes(table_cell(t, row, "Name"), name) && !(enforce_only ? unless : only))
            return true;
    }
    return false;
}

TEST(what_cannot_be_is_what_the_page_says)
{
    for (int enforce_only = 0; enforce_only < 2; enforce_only++) {
        bool can_be[DANES][STSES][2] = { 0 };

        for (int setting = 0; setting < 3; setting++) {
            const struct decide_settings s = { .insecure_mx = (enum insecure_mx)setting,
                                               .requiretls_enforce_only = enforce_only };

            note_what_can_be(&s, can_be);
        }
        for (int dane = 0; dane < DANES; dane++)
            for (int sts = 0; sts < STSES; sts++)
                for (int name = 0; name < 2; name++) {
                    const char *d = dane_finding_name((enum dane_finding)dane), *f = sts_finding_name((enum sts_finding)sts);

                    if (can_be[dane][sts][name] == page_says_it_cannot_be(d, f, name ? "yes" : "no", enforce_only))
                        fail_msg("PD-36: dane=%s sts=%s name=%d can%s be", d, f, name, can_be[dane][sts][name] ? "" : "not");
                }
    }
}

/* --- no source takes away what another asked for (PD-37) ------------------------------- */

static void check_raised(const struct corner *low, const struct corner *high)
{
    struct decision a = corner_decide(low, NULL), b = corner_decide(high, NULL);
    unsigned dropped = a.checks & ~b.checks;

    if (b.outcome != DECIDED_GO)
        return;
    if (a.outcome != DECIDED_GO) {
        if (!(high->rule.level == TLS_LEVEL_DANE_ONLY && high->input.dane == DANE_AUTH))
            fail_msg("PD-37: more starts what was skipped: %s", corner_text(high));
        return;
    }
    if (b.checks & (CHECK_DANE | CHECK_STS))
        dropped &= ~(unsigned)CHECK_PKIX;
    if (high->settings.dane_satisfies_sts && high->input.dane == DANE_AUTH && (b.checks & CHECK_DANE))
        dropped &= ~(unsigned)CHECK_STS;
    if (dropped || a.tls_needed > b.tls_needed || a.clear_retry < b.clear_retry || a.tls_tried > b.tls_tried)
        fail_msg("PD-37: %s asks for less than %s: %s", b.row, a.row, corner_text(high));
}

/* The next higher value, or -1. */
static int above(const int *order, size_t count, int value)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (order[i] == value)
            return order[i + 1];
    return -1;
}

TEST(raising_one_input_never_lowers_what_is_asked_for)
{
    static const int levels[] = { TLS_LEVEL_MAY, TLS_LEVEL_ENCRYPT, TLS_LEVEL_VERIFY };
    static const int danes[] = { DANE_NONE, DANE_TLS, DANE_AUTH };
    static const int insecure_danes[] = { DANE_NONE, DANE_TLS, DANE_AUTH_INSECURE };
    static const int policies[] = { STS_NONE, STS_TEST_MATCH, STS_ENFORCE_MATCH };
    static const int needs[] = { NEED_STANDARD, NEED_REQUIRETLS };
    unsigned raised = 0;

    for (size_t i = 0; i < CORNERS; i++) {
        const struct corner low = corner_at(i);
        const int next[] = { above(levels, 3, (int)low.rule.level), above(danes, 3, (int)low.input.dane),
                             above(insecure_danes, 3, (int)low.input.dane), above(policies, 3, (int)low.input.sts),
                             above(needs, 2, (int)low.input.need), low.input.memory_holds ? -1 : 1 };

        for (int which = 0; which < 6; which++) {
            struct corner high = low;

            if (next[which] < 0)
                continue;
            if (which == 0)
                high.rule.level = (enum tls_level)next[which];
            else if (which == 1 || which == 2)
                high.input.dane = (enum dane_finding)next[which];
            else if (which == 3)
                high.input.sts = (enum sts_finding)next[which];
            else if (which == 4)
                high.input.need = (enum mail_need)next[which];
            else
                high.input.memory_holds = true;
            check_raised(&low, &high);
            raised++;
        }
    }
    CHECK(raised > CORNERS);
}

TEST(only_tls_optional_lowers_and_by_default_not_what_the_operator_said)
{
    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i), standard = c;
        struct decision d, usual;

        if (c.input.need != NEED_TLS_OPTIONAL || c.settings.tls_optional_lifts_all)
            continue;
        standard.input = (struct decide_input){ .need = NEED_STANDARD, .authentic = true };
        if (c.rule.level == TLS_LEVEL_DANE_ONLY)
            standard.input.dane = c.input.dane;
        d = corner_decide(&c, NULL);
        usual = corner_decide(&standard, NULL);     /* as if the domain had published nothing */
        CHECK_ID("REQTLS-052", d.outcome == usual.outcome && d.tls_needed == usual.tls_needed && d.checks == usual.checks);
    }
}

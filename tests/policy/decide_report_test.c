/* What TLS reports count of an attempt: the last column of step 3 of docs/policy.md, for every decision; and the
 * words for how sure we are. */
#include "tests/policy/table.h"
#include "tests/test.h"

#include <stdio.h>

static const struct tls_facts perfect = {
    .version = TLS_1_3, .trust = TLS_TRUST_PKIX, .name_matches = true, .listed_name = true, .dane = TLS_DANE_MATCH,
};

/* --- what the page says ------------------------------------------------------------- */

/* One entry as it is wanted: "" absent, "success", or a result type. */
struct entry {
    char type[40], reason[40];
};
struct wanted {
    struct entry of[3];             /* by enum policy_type */
};

static void put(struct entry *e, const char *type, const char *reason)
{
    snprintf(e->type, sizeof e->type, "%s", type);
    snprintf(e->reason, sizeof e->reason, "%s", reason);
}

/* "certificate-not-trusted (dane-no-match)" */
static struct entry entry_of(struct slice text)
{
    struct slice type = slice_trim(slice_cut(&text, '('));
    struct entry e = { 0 };

    snprintf(e.type, sizeof e.type, "%.*s", SLICE_ARGS(type));
    if (text.len > 0)
        snprintf(e.reason, sizeof e.reason, "%.*s", (int)text.len - 1, text.at);
    return e;
}

static struct slice cell_of(const char *heading, const char *columns, const char *id)
{
    const struct table *t = table_find(heading, columns);

    for (size_t row = 0; row < t->rows; row++)
        if (slice_equal(table_cell(t, row, "ID"), slice_of(id)))
            return table_cell(t, row, "TLS report");
    fail_msg("the page does not know %s", id);
    return SLICE("");
}

static bool has_tlsa(const struct corner *c)
{
    return c->input.dane != DANE_NONE && c->input.dane != DANE_FAIL;
}

static struct entry unusable_records(const struct corner *c)
{
    struct slice cell = cell_of("Step 3: what happens on the wire", "ID|Event|TLS report", "PD-E10");
    struct entry fine = { .type = "success" };

    CHECK(slice_equal(slice_cut(&cell, ':'), SLICE("tlsa")));
    return c->input.tlsa_usable ? fine : entry_of(slice_trim(cell));
}

/* Without TLS nothing is said of entries but what the cell says; with it (`up`) those it does not name are a success. */
static struct wanted wanted_of(const struct corner *c, const struct decision *d, struct slice cell, bool up)
{
    struct wanted w = { 0 };
    bool mismatch = c->input.sts == STS_TEST_MISMATCH || c->input.sts == STS_ENFORCE_MISMATCH;
    bool applies[3] = { has_tlsa(c), c->input.sts != STS_NONE, !has_tlsa(c) && c->input.sts == STS_NONE };
    struct slice who = slice_trim(slice_cut(&cell, ':'));
    struct entry named = entry_of(slice_trim(cell));

    applies[POLICY_NONE_FOUND] &= c->input.dane != DANE_FAIL;
    for (int type = 0; type < 3 && d->tls_tried; type++) {
        bool about = slice_equal(who, SLICE("each")) || slice_equal(who, slice_of(policy_type_name((enum policy_type)type)));

        if (applies[type] && about && cell.at)
            w.of[type] = named;
        else if (applies[type] && up && !slice_equal(who, SLICE("none")))
            put(&w.of[type], "success", "");
    }
    if (up && d->tls_tried && c->input.dane == DANE_TLS)    /* PD-E10, whatever else */
        w.of[POLICY_TLSA] = unusable_records(c);
    if (mismatch)
        put(&w.of[POLICY_STS], "validation-failure", "sts-mx-mismatch");
    if (c->input.dane == DANE_FAIL)
        put(&w.of[POLICY_TLSA], "dnssec-invalid", "");
    return w;
}

static bool reason_fits(const char *wanted, const char *got)
{
    struct slice pattern = slice_of(wanted);

    if (!slice_ends_nocase(pattern, SLICE("...")))
        return strcmp(wanted, got) == 0;
    return strlen(got) > pattern.len - 3 && strncmp(wanted, got, pattern.len - 3) == 0;
}

static void compare(const struct corner *c, const struct wanted *w, const struct policy_result *got, size_t count,
                    const char *id)
{
    size_t entries = 0;

    for (int type = 0; type < 3; type++) {
        const struct policy_result *result = NULL;

        for (size_t i = 0; i < count; i++)
            if (got[i].type == (enum policy_type)type)
                result = &got[i];
        entries += w->of[type].type[0] != '\0';
        if ((w->of[type].type[0] == '\0') != !result)
            fail_msg("%s: entry %s is %s: %s", id, policy_type_name((enum policy_type)type), result ? "there" : "missing",
                     corner_text(c));
        if (!result)
            continue;
        if (strcmp(result->success ? "success" : result->result_type, w->of[type].type) != 0 ||
            !reason_fits(w->of[type].reason, result->reason))
            fail_msg("%s: %s says %s (%s) and not %s (%s): %s", id, policy_type_name((enum policy_type)type),
                     result->success ? "success" : result->result_type, result->reason, w->of[type].type,
                     w->of[type].reason, corner_text(c));
        if (result->success != !result->result_type)
            fail_msg("%s: a success has no result type", id);
    }
    if (count != entries)
        fail_msg("%s: %zu results for %zu entries: %s", id, count, entries, corner_text(c));
}

static void check_event(const struct corner *c, const struct decision *d, const char *id, const struct decide_event *e)
{
    struct policy_result got[POLICY_RESULTS_MAX];
    size_t count = decide_results(d, e, got);
    struct slice cell = cell_of("Step 3: what happens on the wire", "ID|Event|TLS report", id);
    struct wanted w = wanted_of(c, d, cell, e->facts);

    compare(c, &w, got, count, id);
}

/* --- every decision, every event -------------------------------------------------------- */

static void check_without_tls(const struct corner *c, const struct decision *d)
{
    static const struct {
        const char *id;
        struct decide_event event;
    } events[] = {
        { "PD-E01", { .how = E_CONNECT } },
        { "PD-E01", { .how = E_TIMEOUT } },
        { "PD-E01", { .how = E_CLOSED } },
        { "PD-E01", { .how = E_HOST_REFUSES } },
        { "PD-E01", { .how = E_PROTOCOL } },
        { "PD-E01", { .how = E_CANCELLED } },
        { "PD-E02", { .how = E_STARTTLS_NOT_OFFERED } },
        { "PD-E02", { .how = E_NONE } },                    /* in clear, and nothing failed */
        { "PD-E02", { .tls_problem = E_STARTTLS_NOT_OFFERED } },
        { "PD-E03", { .how = E_STARTTLS_REFUSED, .starttls_code = 454 } },
        { "PD-E03", { .tls_problem = E_STARTTLS_REFUSED, .starttls_code = 454 } },
        { "PD-E04", { .how = E_STARTTLS_INJECTED } },
        { "PD-E05", { .how = E_TLS_HANDSHAKE, .words = "TLS handshake failed: no shared cipher" } },
        { "PD-E05", { .tls_problem = E_TLS_HANDSHAKE } },
        { "PD-E06", { .how = E_TLS_HANDSHAKE, .words = "STARTTLS: the peer was silent for too long" } },
    };

    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        check_event(c, d, events[i].id, &events[i].event);
}

static void check_with_tls(const struct corner *c, const struct decision *d)
{
    static const struct {
        const char *id;
        enum tls_dane dane;
        enum tls_trust trust;
        bool name;
        const char *problem;
        enum error_code how;
    } events[] = {
        { "PD-E07", TLS_DANE_NO_MATCH, TLS_TRUST_PKIX, true, "", E_DANE_MISMATCH },
        { "PD-E08", TLS_DANE_NAME, TLS_TRUST_PKIX, true, "", E_CERT_NAME_MISMATCH },
        { "PD-E09", TLS_DANE_EXPIRED, TLS_TRUST_PKIX, true, "", E_CERT_EXPIRED },
        { "PD-E11", TLS_DANE_MATCH, TLS_TRUST_UNTRUSTED, true, "self-signed certificate", E_CERT_NOT_TRUSTED },
        { "PD-E11", TLS_DANE_MATCH, TLS_TRUST_UNTRUSTED, false, "self-signed certificate", E_CERT_NOT_TRUSTED },
        { "PD-E12", TLS_DANE_MATCH, TLS_TRUST_EXPIRED, true, "certificate has expired", E_CERT_EXPIRED },
        { "PD-E12", TLS_DANE_MATCH, TLS_TRUST_EXPIRED, false, "certificate has expired", E_CERT_EXPIRED },
        { "PD-E13", TLS_DANE_MATCH, TLS_TRUST_PKIX, false, "", E_CERT_NAME_MISMATCH },
        { "PD-E14", TLS_DANE_MATCH, TLS_TRUST_PKIX, true, "", E_PIN_MISMATCH },
        { "PD-E15", TLS_DANE_MATCH, TLS_TRUST_UNTRUSTED, false, "", E_REQUIRETLS_NO_TLS },
        { "PD-E16", TLS_DANE_MATCH, TLS_TRUST_PKIX, true, "", E_REQUIRETLS_MISSING },
        { "PD-E17", TLS_DANE_MATCH, TLS_TRUST_PKIX, true, "", E_NONE },
        { "PD-E19", TLS_DANE_MATCH, TLS_TRUST_UNTRUSTED, false, "self-signed certificate", E_NONE },
        { "PD-E19", TLS_DANE_MATCH, TLS_TRUST_EXPIRED, true, "certificate has expired", E_NONE },
        { "PD-E20", TLS_DANE_MATCH, TLS_TRUST_PKIX, true, "", E_REFUSED_FOR_NOW },
    };

    for (size_t i = 0; i < sizeof events / sizeof *events && d->tls_tried; i++) {
        struct tls_facts facts = perfect;
        const struct decide_event e = { .how = events[i].how, .facts = &facts };

        facts.dane = events[i].dane;
        facts.trust = events[i].trust;
        facts.name_matches = events[i].name;
        snprintf(facts.trust_problem, sizeof facts.trust_problem, "%s", events[i].problem);
        if (events[i].dane != TLS_DANE_MATCH && c->input.dane != DANE_AUTH && c->input.dane != DANE_AUTH_INSECURE)
            continue;       /* there was nothing to match */
        if ((strcmp(events[i].id, "PD-E15") == 0 || strcmp(events[i].id, "PD-E19") == 0) &&
            (c->input.sts == STS_TEST_MATCH || c->input.sts == STS_ENFORCE_MATCH))
            continue;       /* there it is PD-E11 */
        check_event(c, d, events[i].id, &e);
    }
}

TEST(every_event_of_every_decision_is_reported_as_the_page_says)
{
    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);
        struct decision d;

        c.input.tlsa_usable = i / 7 & 1;
        d = corner_decide(&c, NULL);
        if (d.outcome != DECIDED_GO)
            continue;
        check_without_tls(&c, &d);
        check_with_tls(&c, &d);
    }
}

/* What the cell of a gate asks for, beside what PD-G7 had noted before. */
static struct wanted wanted_of_gate(const struct walk *w)
{
    const struct table *t = table_find("Step 1: gates", "ID|Mail|Outcome|Error|TLS report");
    struct slice cell = table_cell(t, w->line, "TLS report"), who;
    struct slice noted = cell_of("Step 1: gates", "ID|Mail|Outcome|Error|TLS report", "PD-G7");
    struct wanted wanted = { 0 };

    if (w->noted) {
        CHECK(slice_equal(slice_cut(&noted, ':'), SLICE("sts")));
        wanted.of[POLICY_STS] = entry_of(slice_trim(noted));
    }
    if (slice_equal(cell, SLICE("none")))
        return wanted;
    who = slice_cut(&cell, ':');
    CHECK(slice_equal(who, SLICE("tlsa")) || slice_equal(who, SLICE("sts")));
    wanted.of[slice_equal(who, SLICE("tlsa")) ? POLICY_TLSA : POLICY_STS] = entry_of(slice_trim(cell));
    return wanted;
}

TEST(what_a_fetch_comes_to_has_the_names_that_the_page_says)
{
    struct slice cell = cell_of("Step 3: what happens on the wire", "ID|Event|TLS report", "PD-E18");
    char wanted[120];

    snprintf(wanted, sizeof wanted, "sts: %s, %s or %s;", error_tls_rpt(E_STS_FETCH), error_tls_rpt(E_STS_WEBPKI),
             error_tls_rpt(E_STS_INVALID));
    CHECK_ID("PD-E18", slice_starts(cell, slice_of(wanted)));
}

TEST(every_gate_is_reported_as_the_page_says)
{
    static const struct decide_event nothing;

    for (size_t i = 0; i < CORNERS; i++) {
        struct corner c = corner_at(i);
        struct decision d = corner_decide(&c, NULL);
        struct policy_result got[POLICY_RESULTS_MAX];
        size_t count = decide_results(&d, &nothing, got);
        struct walk w = walk(&c);
        struct wanted wanted;

        if (d.outcome == DECIDED_GO)
            continue;
        wanted = wanted_of_gate(&w);
        compare(&c, &wanted, got, count, w.id);
    }
}

/* --- reasons --------------------------------------------------------------------------------- */

static void check_reason(const char *words, const char *reason)
{
    const struct corner c = { .rule = { .level = TLS_LEVEL_MAY } };
    struct decision d = corner_decide(&c, NULL);
    const struct decide_event e = { .how = E_TLS_HANDSHAKE, .words = words };
    struct policy_result got[POLICY_RESULTS_MAX];

    CHECK_EQUAL(decide_results(&d, &e, got), 1);
    CHECK_TEXT(got[0].result_type, "validation-failure");
    CHECK_TEXT(got[0].reason, reason);
}

TEST(a_failed_handshake_tells_its_reason_in_a_word)
{
    check_reason("mx.example.org[192.0.2.7]:25: STARTTLS: TLS handshake failed: peer sent alert handshake failure",
                 "tls-alert-handshake-failure");
    check_reason("STARTTLS: TLS handshake failed: peer sent alert protocol version", "tls-alert-protocol-version");
    check_reason("STARTTLS: the peer was silent for too long", "tls-timeout");
    check_reason("STARTTLS: the peer is silent in the TLS handshake", "tls-timeout");
    check_reason("STARTTLS: TLS handshake failed: the peer closed the connection during the handshake", "tls-eof");
    check_reason("the peer reset the connection", "tls-eof");
    check_reason("the connection broke: Broken pipe", "tls-eof");
    check_reason("TLS handshake failed: the peer answered in clear (starts \"220\")", "tls-answer-in-clear");
    check_reason("TLS handshake failed: what the peer sent is not a TLS handshake", "tls-no-handshake");
    check_reason("TLS handshake failed: the peer speaks no TLS version from TLSv1.2 on", "tls-version");
    check_reason("TLS handshake failed: no shared cipher", "tls-cipher");
    check_reason("TLS handshake failed: bad signature", "tls-handshake");
    check_reason("", "tls-handshake");
    check_reason(NULL, "tls-handshake");
}

TEST(words_of_any_length_and_kind_make_a_reason_that_fits)
{
    const struct corner c = { .rule = { .level = TLS_LEVEL_MAY }, .input = { .sts = STS_TEST_MATCH } };
    struct decision d = corner_decide(&c, NULL);
    struct tls_facts facts = perfect;
    const struct decide_event e = { .facts = &facts };
    struct policy_result got[POLICY_RESULTS_MAX];

    facts.trust = TLS_TRUST_UNTRUSTED;
    for (size_t len = 0; len < sizeof facts.trust_problem; len++) {
        memset(facts.trust_problem, 0, sizeof facts.trust_problem);
        memset(facts.trust_problem, len % 2 ? 'x' : '\xe4', len);
        CHECK_EQUAL(decide_results(&d, &e, got), 1);
        CHECK(strlen(got[0].reason) < sizeof got[0].reason && strlen(got[0].reason) <= len);
    }
    snprintf(facts.trust_problem, sizeof facts.trust_problem, "  CA: not (yet) known.  ");
    decide_results(&d, &e, got);
    CHECK_TEXT(got[0].reason, "ca-not-yet-known");
    facts.trust = TLS_TRUST_NONE;
    decide_results(&d, &e, got);
    CHECK_TEXT(got[0].reason, "no-certificate");
    CHECK(got[0].type == POLICY_STS && !got[0].success);
}

/* --- more than one policy ---------------------------------------------------------------------- */

TEST(a_dane_failure_and_an_mta_sts_pass_are_one_of_each)
{
    const struct corner c = { .rule = { .level = TLS_LEVEL_MAY }, .input = { .dane = DANE_AUTH, .sts = STS_ENFORCE_MATCH } };
    struct decision d = corner_decide(&c, NULL);
    struct tls_facts facts = perfect;
    const struct decide_event e = { .how = E_DANE_MISMATCH, .facts = &facts };
    struct policy_result got[POLICY_RESULTS_MAX];

    facts.dane = TLS_DANE_NO_MATCH;
    CHECK_EQUAL(decide_results(&d, &e, got), 2);
    CHECK_ID("TLSRPT-018", got[0].type == POLICY_TLSA && !got[0].success && got[1].type == POLICY_STS && got[1].success);
    facts = perfect;
    facts.name_matches = false;
    CHECK_EQUAL(decide_results(&d, &e, got), 2);
    CHECK_ID("TLSRPT-018", got[0].success && !got[1].success);
}

TEST(where_dane_was_not_evaluated_nothing_is_said_of_it)
{
    const struct corner c = { .rule = { .level = TLS_LEVEL_MAY }, .input = { .need = NEED_TLS_OPTIONAL, .dane = DANE_AUTH } };
    struct decision d = corner_decide(&c, NULL);
    struct tls_facts facts = perfect;
    const struct decide_event e = { .facts = &facts };
    struct policy_result got[POLICY_RESULTS_MAX];

    facts.dane = TLS_DANE_NOT_ASKED;
    CHECK_EQUAL(decide_results(&d, &e, got), 0);
}

TEST(without_a_policy_any_certificate_is_a_success)
{
    const struct corner c = { .rule = { .level = TLS_LEVEL_MAY } };
    struct decision d = corner_decide(&c, NULL);
    struct tls_facts facts = { .version = TLS_1_2, .trust = TLS_TRUST_EXPIRED, .self_signed = true };
    const struct decide_event e = { .facts = &facts };
    struct policy_result got[POLICY_RESULTS_MAX];

    CHECK_EQUAL(decide_results(&d, &e, got), 1);
    CHECK_ID("PD-E19", got[0].type == POLICY_NONE_FOUND && got[0].success && !got[0].reason[0]);
}

TEST(an_old_version_fails_mta_sts_and_says_so)
{
    const struct corner c = { .rule = { .level = TLS_LEVEL_MAY }, .input = { .sts = STS_ENFORCE_MATCH } };
    struct decision d = corner_decide(&c, NULL);
    struct tls_facts facts = perfect;
    const struct decide_event e = { .how = E_TLS_HANDSHAKE, .words = "MTA-STS: TLSv1.1 is older than TLSv1.2", .facts = &facts };
    struct policy_result got[POLICY_RESULTS_MAX];

    facts.version = TLS_1_1;
    CHECK_EQUAL(decide_results(&d, &e, got), 1);
    CHECK_ID("MTASTS-062", got[0].type == POLICY_STS && !got[0].success && strcmp(got[0].reason, "tls-version") == 0);
}

/* --- how sure we are --------------------------------------------------------------------------------- */

static const char *verdict(enum tls_level level, enum dane_finding dane, enum sts_finding sts, bool authentic,
                           const struct tls_facts *facts)
{
    const struct corner c = { .rule = { .level = level }, .input = { .dane = dane, .sts = sts, .authentic = authentic } };
    struct decision d = corner_decide(&c, NULL);

    return verdict_name(&d, facts);
}

TEST(the_verdict_says_no_more_than_is_known)
{
    struct tls_facts facts = perfect;

    CHECK_TEXT(verdict(TLS_LEVEL_MAY, DANE_NONE, STS_NONE, true, NULL), "none");
    CHECK_TEXT(verdict(TLS_LEVEL_MAY, DANE_AUTH, STS_ENFORCE_MATCH, true, NULL), "none");
    CHECK_TEXT(verdict(TLS_LEVEL_MAY, DANE_NONE, STS_NONE, false, &facts), "trusted");
    CHECK_ID("DANE-023", strcmp(verdict(TLS_LEVEL_MAY, DANE_AUTH_INSECURE, STS_NONE, false, &facts), "trusted") == 0);
    CHECK_TEXT(verdict(TLS_LEVEL_MAY, DANE_AUTH, STS_NONE, true, &facts), "verified");
    CHECK_TEXT(verdict(TLS_LEVEL_MAY, DANE_NONE, STS_ENFORCE_MATCH, true, &facts), "verified");
    CHECK_TEXT(verdict(TLS_LEVEL_MAY, DANE_NONE, STS_TEST_MATCH, true, &facts), "trusted");
    CHECK_TEXT(verdict(TLS_LEVEL_VERIFY, DANE_NONE, STS_NONE, true, &facts), "verified");
    CHECK_TEXT(verdict(TLS_LEVEL_VERIFY, DANE_NONE, STS_NONE, false, &facts), "trusted");
    facts.trust = TLS_TRUST_UNTRUSTED;
    CHECK_TEXT(verdict(TLS_LEVEL_MAY, DANE_AUTH, STS_NONE, true, &facts), "verified");
    CHECK_ID("DANE-023", strcmp(verdict(TLS_LEVEL_MAY, DANE_AUTH_INSECURE, STS_NONE, false, &facts), "trusted") == 0);
    facts.dane = TLS_DANE_NOT_ASKED;
    CHECK_TEXT(verdict(TLS_LEVEL_MAY, DANE_NONE, STS_NONE, true, &facts), "encrypted");
    facts.trust = TLS_TRUST_PKIX;
    CHECK_TEXT(verdict(TLS_LEVEL_MAY, DANE_NONE, STS_NONE, true, &facts), "trusted");
    facts.trust = TLS_TRUST_EXPIRED;
    CHECK_TEXT(verdict(TLS_LEVEL_MAY, DANE_NONE, STS_NONE, true, &facts), "encrypted");
    facts.trust = TLS_TRUST_UNTRUSTED;
    facts.dane = TLS_DANE_NO_MATCH;
    CHECK_ID("STARTTLS-106", strcmp(verdict(TLS_LEVEL_MAY, DANE_NONE, STS_TEST_MATCH, true, &facts), "encrypted") == 0);
    CHECK_ID("STARTTLS-106", strcmp(verdict(TLS_LEVEL_MAY, DANE_TLS, STS_NONE, true, &facts), "encrypted") == 0);
}

TEST(what_was_lifted_still_makes_a_verdict)
{
    struct corner c = { .rule = { .level = TLS_LEVEL_MAY }, .input = { .need = NEED_TLS_OPTIONAL, .dane = DANE_AUTH } };
    struct decision d = corner_decide(&c, NULL);
    struct tls_facts facts = perfect;

    CHECK_TEXT(verdict_name(&d, &facts), "verified");
    c.input = (struct decide_input){ .need = NEED_TLS_OPTIONAL, .sts = STS_ENFORCE_MATCH };
    d = corner_decide(&c, NULL);
    facts.dane = TLS_DANE_NOT_ASKED;
    CHECK_TEXT(verdict_name(&d, &facts), "verified");
    facts.name_matches = false;
    facts.common_name_matches = true;       /* good for RFC 8689, not for MTA-STS */
    CHECK_TEXT(verdict_name(&d, &facts), "encrypted");
}

TEST(a_rule_with_a_list_vouches_for_a_name_from_plain_dns)
{
    static const char *const names[] = { ".partner.example" };
    const struct corner c = { .rule = { .level = TLS_LEVEL_VERIFY, .names = names, .name_count = 1 } };
    struct decision d = corner_decide(&c, NULL);
    struct tls_facts facts = perfect;

    CHECK_TEXT(verdict_name(&d, &facts), "verified");
    facts.listed_name = false;
    CHECK_TEXT(verdict_name(&d, &facts), "trusted");
}

TEST(a_common_name_is_trusted_only_where_requiretls_asked_for_it)
{
    struct corner c = { .rule = { .level = TLS_LEVEL_MAY }, .input = { .need = NEED_REQUIRETLS, .authentic = true } };
    struct decision d = corner_decide(&c, NULL);
    struct tls_facts facts = perfect;

    facts.dane = TLS_DANE_NOT_ASKED;
    facts.name_matches = false;
    facts.common_name_matches = true;
    CHECK_TEXT(verdict_name(&d, &facts), "trusted");
    c.input.need = NEED_STANDARD;
    d = corner_decide(&c, NULL);
    CHECK_TEXT(verdict_name(&d, &facts), "encrypted");
}

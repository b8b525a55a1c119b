#include "tests/policy/table.h"

#include "base/memory.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

#define NOTHING SLICE("–")

/* --- the page --------------------------------------------------------------- */

static struct slice page(void)
{
    static char text[128 * 1024];
    static size_t len;
    FILE *file;

    if (len > 0)
        return slice(text, len);
    file = fopen(POLICY_PAGE, "r");
    if (!file)
        fail_msg("cannot read %s", POLICY_PAGE);
    len = fread(text, 1, sizeof text, file);
    fclose(file);
    if (len == 0 || len == sizeof text)
        fail_msg("%s is empty or too long", POLICY_PAGE);
    return slice(text, len);
}

static struct slice line_next(struct slice *rest)
{
    return slice_cut(rest, '\n');
}

static bool is_heading(struct slice line, const char *heading)
{
    size_t marks = 0;

    while (marks < line.len && line.at[marks] == '#')
        marks++;
    return marks > 0 && slice_equal(slice_trim(slice_after(line, marks)), slice_of(heading));
}

static bool is_row(struct slice line)
{
    return line.len > 1 && line.at[0] == '|';
}

/* The cells of "| a | `b` |"; returns how many. `into` may be NULL. */
static size_t split(struct slice line, struct slice *into)
{
    size_t count = 0;

    line = slice_trim(line);
    for (line = slice(line.at + 1, line.len - 2); line.at; count++) {
        struct slice cell = slice_trim(slice_cut(&line, '|'));

        if (into)
            into[count] = cell;
    }
    return count;
}

static bool has_columns(struct slice head, const char *columns)
{
    struct slice cells[16], wanted = slice_of(columns);
    size_t count = split(head, NULL);

    if (count > 16)
        return false;
    split(head, cells);
    while (wanted.at) {
        struct slice name = slice_cut(&wanted, '|');
        bool there = false;

        for (size_t i = 0; i < count; i++)
            there |= slice_equal(cells[i], name);
        if (!there)
            return false;
    }
    return true;
}

static struct table read_table(struct slice head, struct slice rest)
{
    struct table t = { .columns = split(head, NULL) };
    struct slice more = rest;
    size_t at = 0;

    line_next(&more);       /* |---|---| */
    for (struct slice ahead = more; is_row(line_next(&ahead)); t.rows++)
        continue;
    t.cells = memory_array((t.rows + 1) * t.columns, sizeof *t.cells);
    at += split(head, t.cells);
    for (size_t row = 0; row < t.rows; row++) {
        struct slice line = line_next(&more);

        if (split(line, NULL) != t.columns)
            fail_msg("a row of another width: %.*s", SLICE_ARGS(line));
        at += split(line, t.cells + at);
    }
    return t;
}

const struct table *table_find(const char *heading, const char *columns)
{
    static struct {
        const char *heading, *columns;
        struct table table;
    } known[16];
    static size_t count;
    struct slice rest = page();

    for (size_t i = 0; i < count; i++)
        if (strcmp(known[i].heading, heading) == 0 && strcmp(known[i].columns, columns) == 0)
            return &known[i].table;
    while (rest.at && !is_heading(line_next(&rest), heading))
        continue;
    while (rest.at) {
        struct slice line = line_next(&rest);

        if (is_row(line) && has_columns(line, columns) && count < sizeof known / sizeof *known) {
            known[count].heading = heading;
            known[count].columns = columns;
            known[count].table = read_table(line, rest);
            return &known[count++].table;
        }
    }
    fail_msg("the page has no table with %s under %s", columns, heading);
    return NULL;
}

struct slice table_cell(const struct table *t, size_t row, const char *column)
{
    for (size_t i = 0; i < t->columns; i++)
        if (slice_equal(t->cells[i], slice_of(column)))
            return t->cells[(row + 1) * t->columns + i];
    fail_msg("a table has no column %s", column);
    return SLICE("");
}

static struct slice bare(struct slice word)
{
    word = slice_trim(word);
    if (word.len > 1 && word.at[0] == '`' && word.at[word.len - 1] == '`')
        return slice(word.at + 1, word.len - 2);
    return word;
}

bool cell_takes(struct slice cell, const char *value)
{
    while (cell.at) {
        struct slice word = slice_trim(slice_cut(&cell, ','));

        if (slice_starts(word, SLICE("not ")))
            return !slice_equal(bare(slice_after(word, 4)), slice_of(value));
        word = bare(word);
        if (slice_equal(word, slice_of(value)))
            return true;
        if (word.len > 0 && word.at[word.len - 1] == '*' && slice_starts(slice_of(value), slice_first(word, word.len - 1)))
            return true;
    }
    return false;
}

/* --- walking ------------------------------------------------------------------- */

struct place {
    const char *mail, *level, *dane, *sts, *name, *memory, *sts_with_dane, *scope, *requiretls;
    bool override;
    bool tls_at_least;              /* what is left of REQUIRETLS */
};

static bool takes(const struct table *t, size_t row, const char *column, const char *value)
{
    return cell_takes(table_cell(t, row, column), value);
}

static bool fits(const struct table *t, size_t row, const struct place *p)
{
    return takes(t, row, "Mail", p->mail) && takes(t, row, "Level", p->level) && takes(t, row, "DANE", p->dane) &&
           takes(t, row, "MTA-STS", p->sts);
}

static void put(char *into, size_t size, struct slice text)
{
    snprintf(into, size, "%.*s", SLICE_ARGS(text));
}

/* A word of one of the tables as the C string it stands for. */
static const char *keep(struct slice cell, const char *as_it_is)
{
    static char words[8][24];
    static size_t next;
    char *word = words[next++ % 8];

    cell = bare(cell);
    if (slice_equal(cell, SLICE("as it is")))
        return as_it_is;
    put(word, sizeof words[0], cell);
    return word;
}

static void lift(struct place *p)
{
    const struct table *t = table_find("What `TLS-Required: No` lifts", "tls-required-no|Level|Level becomes");
    size_t row = 0;

    while (row < t->rows && !(takes(t, row, "tls-required-no", p->scope) && takes(t, row, "Level", p->level)))
        row++;
    if (row == t->rows)
        fail_msg("nothing says what is lifted for level %s", p->level);
    p->level = keep(table_cell(t, row, "Level becomes"), p->level);
    p->dane = keep(table_cell(t, row, "DANE becomes"), p->dane);
    p->sts = keep(table_cell(t, row, "MTA-STS becomes"), p->sts);
}

static void relax(struct place *p)
{
    const struct table *t = table_find("What a rule may take from REQUIRETLS", "requiretls|Level|Mail becomes|TLS at least");
    size_t row = 0;

    if (strcmp(p->mail, "requiretls") != 0)
        return;
    while (row < t->rows && !(takes(t, row, "requiretls", p->requiretls) && takes(t, row, "Level", p->level)))
        row++;
    if (row == t->rows)
        fail_msg("nothing says what requiretls = %s makes of level %s", p->requiretls, p->level);
    p->mail = keep(table_cell(t, row, "Mail becomes"), p->mail);
    p->tls_at_least = takes(t, row, "TLS at least", "needed");
}

/* True when a gate ends it. */
static bool walk_gates(struct place *p, struct walk *w)
{
    const struct table *t = table_find("Step 1: gates", "ID|Mail|Outcome|Error");

    for (size_t row = 0; row < t->rows; row++) {
        struct slice outcome = table_cell(t, row, "Outcome"), unless = SLICE(", unless allow-cleartext-override");

        if (!fits(t, row, p) || !takes(t, row, "Name", p->name))
            continue;
        if (slice_ends_nocase(outcome, unless)) {
            if (p->override)
                continue;
            outcome.len -= unless.len;
        }
        if (slice_equal(outcome, SLICE("lift"))) {
            lift(p);
            continue;
        }
        if (slice_equal(outcome, SLICE("note"))) {
            w->noted = true;
            continue;
        }
        if (!slice_equal(outcome, SLICE("skip")) && !slice_equal(outcome, SLICE("never")))
            fail_msg("the outcome of a gate is %.*s", SLICE_ARGS(outcome));
        w->outcome = slice_equal(outcome, SLICE("skip")) ? WALK_SKIP : WALK_NEVER;
        w->line = row;
        put(w->id, sizeof w->id, table_cell(t, row, "ID"));
        put(w->error, sizeof w->error, table_cell(t, row, "Error"));
        return true;
    }
    return false;
}

static struct walk walk_rows(const struct place *p);

static unsigned checks_of(struct slice cell, const struct place *p)
{
    static const struct {
        const char *word;
        unsigned check;
    } known[] = { { "DANE", CHECK_DANE }, { "MTA-STS", CHECK_STS }, { "PKIX", CHECK_PKIX },
                  { "operator", CHECK_OPERATOR }, { "REQUIRETLS", CHECK_KEYWORD } };
    unsigned checks = 0;

    while (cell.at && !slice_equal(cell, NOTHING)) {
        struct slice word = slice_trim(slice_cut(&cell, '+'));
        struct place other = *p;
        size_t i = 0;

        if (slice_equal(word, SLICE("as level may")) || slice_equal(word, SLICE("as standard"))) {
            other.mail = "standard";
            if (slice_equal(word, SLICE("as level may")))
                other.level = "may";
            checks |= walk_rows(&other).checks;
            continue;
        }
        while (i < sizeof known / sizeof *known && !slice_equal(word, slice_of(known[i].word)))
            i++;
        if (i == sizeof known / sizeof *known)
            fail_msg("no such check: %.*s", SLICE_ARGS(word));
        checks |= known[i].check;
    }
    return checks;
}

static struct walk read_row(const struct table *t, size_t row, const struct place *p)
{
    struct slice tls = table_cell(t, row, "TLS"), retry = table_cell(t, row, "Clear retry");
    struct walk w = { .lines = 1 };

    if (slice_equal(tls, SLICE("as standard"))) {
        struct place other = *p;

        if (!slice_equal(retry, tls) || !slice_equal(table_cell(t, row, "Must pass"), tls))
            fail_msg("a line is as standard in part only");
        other.mail = "standard";
        w = walk_rows(&other);
    } else {
        w.needed = slice_equal(tls, SLICE("needed"));
        w.tried = w.needed || slice_equal(tls, SLICE("if offered"));
        w.retry = slice_equal(retry, SLICE("yes"));
        if (!w.tried && !slice_equal(tls, SLICE("not tried")))
            fail_msg("TLS is %.*s", SLICE_ARGS(tls));
        w.checks = checks_of(table_cell(t, row, "Must pass"), p);
    }
    put(w.id, sizeof w.id, table_cell(t, row, "ID"));
    return w;
}

static struct walk walk_rows(const struct place *p)
{
    const struct table *t = table_find("Step 2: the floor and the checks", "ID|Mail|Must pass|Clear retry");
    struct walk w = { 0 };
    unsigned lines = 0;

    for (size_t row = 0; row < t->rows; row++) {
        if (!fits(t, row, p) || !takes(t, row, "sts-with-dane", p->sts_with_dane))
            continue;
        lines++;
        w = read_row(t, row, p);
        w.line = row;
    }
    w.lines = lines;
    return w;
}

static void walk_memory(const struct place *p, struct walk *w)
{
    const struct table *t = table_find("Memory", "Memory|TLS of the line");
    const char *tls = w->needed ? "needed" : w->tried ? "if offered" : "not tried";

    for (size_t row = 0; row < t->rows; row++) {
        if (!takes(t, row, "Memory", p->memory) || !takes(t, row, "Mail", p->mail) || !takes(t, row, "TLS of the line", tls))
            continue;
        w->needed = takes(t, row, "TLS becomes", "needed");
        w->retry = takes(t, row, "Clear retry becomes", "yes");
    }
}

struct walk walk(const struct corner *c)
{
    struct place p = {
        .mail = mail_need_name(c->input.need),
        .level = tls_level_name(c->rule.level),
        .dane = dane_finding_name(c->input.dane),
        .sts = sts_finding_name(c->input.sts),
        .name = c->input.authentic ? "yes" : "no",
        .memory = c->input.memory_holds ? "holds" : "silent",
        .sts_with_dane = c->settings.dane_satisfies_sts ? "dane" : "both",
        .scope = c->settings.tls_optional_lifts_all ? "all" : "recipient",
        .requiretls = requiretls_rule_name(c->rule.requiretls),
        .override = c->rule.allow_cleartext_override,
    };
    struct walk w = { 0 }, row;

    relax(&p);
    put(w.mail, sizeof w.mail, slice_of(p.mail));
    if (walk_gates(&p, &w))
        return w;
    row = walk_rows(&p);
    row.noted = w.noted;
    put(row.mail, sizeof row.mail, slice_of(p.mail));
    if (p.tls_at_least)
        row.needed = true, row.retry = false;
    walk_memory(&p, &row);
    return row;
}

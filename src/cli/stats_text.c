/* Statistics for a terminal, in 80 columns; see cli/stats.h. */
#include "cli/stats.h"

#include "base/escape.h"
#include "cli/figures.h"
#include "cli/style.h"
#include "fact/count.h"

#include <inttypes.h>
#include <stdio.h>

enum { BAR = 24, SPARK = 60, NAME = 25 };

/* Two lines that belong to a direction. */
struct words {
    const char *title, *to, *head;
};
static const struct words words[STATS_DIRECTIONS] = {
    [STATS_SENT] = { "Sent", "to", "TO" },
    [STATS_RECEIVED] = { "Received", "from", "FROM" },
};

/* --- the whole ------------------------------------------------------------------- */

static void print_share(const struct stats_view *v, const char *name, uint64_t part, uint64_t whole, uint64_t part_before,
                        uint64_t whole_before)
{
    char share[FIGURE_MAX], change[FIGURE_MAX], bar[BAR_MAX], before[STATS_BEFORE_MAX];

    stats_before(v, before);
    figure_change(part, whole, part_before, whole_before, change);
    printf("  %-13s %s%7s%s  %s", name, style.bold, figure_share(part, whole, share), style.plain,
           figure_bar(count_share(part, whole), BAR, bar));
    if (strcmp(change, "=") == 0)
        printf("  as in %s", before);
    else if (change[0])
        printf("  %s since %s", change, before);
    putchar('\n');
}

/* "  name          A 41.0 %, B 12.1 %", broken where a line is full; what is nothing is left out. */
struct line {
    size_t column;
    bool begun;
};

static void print_item(struct line *l, const char *item, uint64_t part, uint64_t whole)
{
    char share[FIGURE_MAX], text[128];
    size_t len;

    if (part == 0)
        return;
    len = (size_t)snprintf(text, sizeof text, "%.90s %s", item, figure_share(part, whole, share));
    if (l->begun && l->column + 2 + len > 78) {
        printf(",\n%16s", "");
        l->column = 16;
    } else if (l->begun) {
        printf(", ");
        l->column += 2;
    }
    fputs(text, stdout);
    l->column += len;
    l->begun = true;
}

static struct line begin_line(const char *name)
{
    printf("  %s%-13s%s ", style.dim, name, style.plain);
    return (struct line){ .column = 16 };
}

static void end_line(const struct line *l)
{
    puts(l->begun ? "" : "-");
}

static void print_authentication(const struct stats_sum *sum)
{
    static const char *const names[AUTHENTICATIONS] = {
        [AUTHENTICATED_DANE] = "DANE", [AUTHENTICATED_STS] = "MTA-STS", [AUTHENTICATED_OPERATOR] = "our rule",
        [AUTHENTICATED_PKIX] = "valid certificate",
    };
    struct line l = begin_line("by");

    for (int a = AUTHENTICATIONS - 1; a > AUTHENTICATED_NOT; a--)
        print_item(&l, names[a], sum->authentication[a], sum->messages);
    end_line(&l);
}

static void print_versions(const struct stats_view *v, const struct stats_sum *sum)
{
    struct stats_item groups[STATS_ITEMS_MAX];
    size_t count = stats_list_groups(v->stats, sum, groups);
    uint64_t post_quantum = stats_post_quantum(v->stats, sum);
    char share[FIGURE_MAX], said[STATS_WORDS_MAX];
    struct line l = begin_line("versions");

    for (int version = TLS_1_3; version > TLS_VERSION_NONE; version--)
        print_item(&l, tls_version_name((enum tls_version)version), sum->versions[version], sum->messages);
    print_item(&l, "in clear", sum->versions[TLS_VERSION_NONE], sum->messages);
    end_line(&l);
    if (sum->encrypted == 0)
        return;
    l = begin_line("key exchange");
    for (size_t i = 0; i < count; i++)
        print_item(&l, stats_words(v, &groups[i], said), groups[i].count, sum->encrypted);
    end_line(&l);
    printf("%16s%s of what is encrypted withstands a quantum computer\n", "",
           post_quantum ? figure_share(post_quantum, sum->encrypted, share) : "none");
}

static void print_curve(const char *name, const struct stats_brief *days, size_t count, bool encrypted)
{
    uint64_t most = 0;

    for (size_t i = 0; i < count; i++)
        if (days[i].messages > most)
            most = days[i].messages;
    printf("  %s%-13s%s ", style.dim, name, style.plain);
    for (size_t i = 0; i < count; i++)
        fputs(encrypted ? figure_spark(days[i].encrypted, days[i].messages) : figure_spark(days[i].messages, most), stdout);
    puts(encrypted ? "  encrypted" : "  messages");
}

static void print_trend(const struct stats_view *v, const struct stats_side *side)
{
    struct stats_brief days[SPARK];
    size_t count = stats_trend(v, side, SPARK, days);
    uint32_t step = stats_trend_step(v, SPARK);
    char name[32] = "by day";

    if (!stats_has_trend(v, side))
        return;
    if (step > 1)
        snprintf(name, sizeof name, "by %u days", (unsigned)step);
    print_curve(name, days, count, false);
    print_curve("", days, count, true);
}

/* --- the tables --------------------------------------------------------------------- */

/* The end of a name tells more than its beginning. */
static const char *fit(const char *name, char text[NAME + 1])
{
    size_t len = strlen(name);

    if (len <= NAME)
        snprintf(text, NAME + 1, "%s", name);
    else
        snprintf(text, NAME + 1, "...%s", name + len - (NAME - 3));
    return text;
}

static void print_row(const struct stats_view *v, enum stats_direction d, const struct stats_row *row)
{
    const struct stats_sum *s = &row->sum;
    char label[STATS_LABEL_MAX], shown[STATS_LABEL_MAX], name[NAME + 1], count[FIGURE_MAX], encrypted[FIGURE_MAX],
        authenticated[FIGURE_MAX], modern[FIGURE_MAX], change[FIGURE_MAX], failed[FIGURE_MAX];
    bool worth_a_look = s->encrypted < s->messages;

    stats_label(v, row, label);
    escape_line(slice_of(label), shown, sizeof shown);
    figure_change(s->encrypted, s->messages, row->before.encrypted, row->before.messages, change);
    printf("  %s%-*s %9s %9s %8s %7s %6s", worth_a_look ? style.bold : "", NAME, fit(shown, name),
           figure_short(s->messages, count), figure_share(s->encrypted, s->messages, encrypted),
           d == STATS_SENT ? figure_share(stats_authenticated(s), s->messages, authenticated) : "",
           figure_share(s->versions[TLS_1_3], s->messages, modern), change[0] ? change : "-");
    if (d == STATS_SENT)
        printf(" %7s", figure_narrow(s->failed, failed));
    puts(worth_a_look ? style.plain : "");
}

static void print_domains(const struct stats_view *v, enum stats_direction d, const struct stats_side *side)
{
    printf("\n  %s%-*s %9s %9s %8s %7s %6s%s%s\n", style.dim, NAME, words[d].head, "MESSAGES", "ENCRYPTED",
           d == STATS_SENT ? "AUTHENT." : "", "TLSv1.3", "CHANGE", d == STATS_SENT ? "  FAILED" : "", style.plain);
    for (size_t i = 0; i < side->row_count; i++)
        print_row(v, d, side->rows[i]);
}

static void print_days(const struct stats_view *v, enum stats_direction d, const struct stats_side *side)
{
    char day[PERIOD_DAY_MAX], count[FIGURE_MAX], encrypted[FIGURE_MAX], authenticated[FIGURE_MAX], bar[BAR_MAX],
        few[STATS_FEW_MAX];
    uint64_t most = 0;

    for (uint32_t i = 0; i < period_days(&v->period); i++)
        if (side->days[i].messages > most)
            most = side->days[i].messages;
    printf("\n  %s%-10s  %9s  %9s%s%s\n", style.dim, "DAY", "MESSAGES", "ENCRYPTED", d == STATS_SENT ? "  AUTHENT." : "",
           style.plain);
    for (uint32_t i = 0; i < period_days(&v->period); i++) {
        const struct stats_brief *b = &side->days[i];

        period_day(v->period.since + i, day);
        if (b->few)
            printf("  %-10s  %s\n", day, stats_few(v, few));
        else
            printf("  %-10s  %9s  %9s  %8s  %s\n", day, figure_short(b->messages, count),
                   figure_share(b->encrypted, b->messages, encrypted),
                   d == STATS_SENT ? figure_share(b->authenticated, b->messages, authenticated) : "",
                   figure_bar(count_share(b->messages, most), 30, bar));
    }
}

static uint64_t sum_of(const struct stats_item *items, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        count_add(&sum, items[i].count);
    return sum;
}

static void print_items(const struct stats_view *v, const char *title, const struct stats_item *items, size_t count, uint64_t whole)
{
    uint64_t sum = sum_of(items, count);
    char number[FIGURE_MAX], of[FIGURE_MAX], share[FIGURE_MAX], said[STATS_WORDS_MAX];

    if (count == 0)
        return;
    printf("\n  %s%s%s: %s", style.bold, title, style.plain, figure_count(sum, number));
    if (whole)
        printf(" of %s (%s)", figure_count(whole, of), figure_share(sum, whole, share));
    putchar('\n');
    for (size_t i = 0; i < count; i++)
        printf("  %9s  %7s  %s\n", figure_short(items[i].count, number), figure_share(items[i].count, sum, share),
               stats_words(v, &items[i], said));
}

static void print_reasons(const struct stats_view *v, const struct stats_side *side)
{
    struct stats_item items[STATS_ITEMS_MAX];
    size_t count = stats_list_clear(v->stats, items);
    uint64_t handshakes = 0;

    for (int i = 0; i < STATS_CERTIFICATES; i++)
        count_add(&handshakes, side->certificates[i]);
    print_items(v, "Messages sent in clear", items, count, side->sum.messages);
    count = stats_list_certificates(v->stats, items);
    print_items(v, "Under TLS, with a certificate that does not validate", items, count, handshakes);
    count = stats_list_failures(v->stats, items);
    print_items(v, "Attempts that failed", items, count, 0);
}

/* --- one direction --------------------------------------------------------------------- */

static void print_sum(const struct stats_view *v, enum stats_direction d, const struct stats_side *side)
{
    char messages[FIGURE_MAX], domains[STATS_DOMAINS_MAX];
    const struct stats_sum *s = &side->sum;

    printf("%s%s%s  %s message%s %s %s\n\n", style.bold, words[d].title, style.plain, figure_count(s->messages, messages),
           s->messages == 1 ? "" : "s", words[d].to, stats_domains(side, domains));
    print_share(v, "encrypted", s->encrypted, s->messages, side->before.encrypted, side->before.messages);
    if (d == STATS_SENT) {
        print_share(v, "authenticated", stats_authenticated(s), s->messages, side->before.authenticated,
                    side->before.messages);
        print_authentication(s);
    }
    print_versions(v, s);
    print_trend(v, side);
}

static void print_side(const struct stats_view *v, enum stats_direction d)
{
    const struct stats_side *side = stats_side(v->stats, d);
    char few[STATS_FEW_MAX], domains[STATS_DOMAINS_MAX];

    if (side->few) {
        printf("%s%s%s  %s messages\n", style.bold, words[d].title, style.plain, stats_few(v, few));
        return;
    }
    if (side->sum.messages == 0 && side->sum.failed == 0) {
        printf("%s%s%s  nothing is counted\n", style.bold, words[d].title, style.plain);
        return;
    }
    if (side->sum.messages)
        print_sum(v, d, side);
    else
        printf("%s%s%s  no message; %s\n", style.bold, words[d].title, style.plain, stats_domains(side, domains));
    if (v->by_day)
        print_days(v, d, side);
    else
        print_domains(v, d, side);
    if (d == STATS_SENT)
        print_reasons(v, side);
}

void stats_print_text(const struct stats_view *v)
{
    char period[PERIOD_TEXT_MAX], day[PERIOD_DAY_MAX], domain[400];
    uint32_t first = stats_counted_since(v->stats);

    style_choose();
    figures_choose();
    printf("%s%s", v->domain ? escape_line(slice_of(v->domain), domain, sizeof domain) : "", v->domain ? ", " : "");
    printf("%s", period_text(&v->period, period));
    if (first > v->period.since)
        printf("; counted from %s on", period_day(first, day));
    puts("");
    for (int d = 0; d < STATS_DIRECTIONS; d++) {
        if (!v->show[d])
            continue;
        puts("");
        print_side(v, (enum stats_direction)d);
    }
}

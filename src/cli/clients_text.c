/* Clients for a terminal, in 80 columns; see cli/clients.h. */
#include "cli/clients.h"

#include "base/buf.h"
#include "base/escape.h"
#include "cli/figures.h"
#include "cli/style.h"

#include <inttypes.h>
#include <stdio.h>

enum { NAME = 18, SHOWN_MAX = 1024, LINE_COLUMNS = 80, NOTE_MAX = 4096, NAME_NOTE_MAX = 32 * 1024 };

static const char *shown(const char *text, char into[SHOWN_MAX])
{
    return escape_line(slice_of(text), into, SHOWN_MAX);
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* Words one after the other, a new line where one is full. */
static void print_wrapped(size_t indent, struct slice text)
{
    size_t column = 0;

    while (text.at) {
        struct slice word = slice_cut(&text, ' ');

        if (column > indent && column + 1 + word.len > LINE_COLUMNS) {
            putchar('\n');
            column = 0;
        }
        printf("%*s%.*s", column == 0 ? (int)indent : 1, "", SLICE_ARGS(word));
        column += (column == 0 ? indent : 1) + word.len;
    }
    putchar('\n');
}

/* --- the answer --------------------------------------------------------------------- */

static void print_failing(const struct clients_sum *sum)
{
    char number[FIGURE_MAX];

    if (sum->failing)
        printf("%s%s client%s fail%s already: at the handshake, or for being in clear.\n", sum->cut_off ? "Besides, " : "",
               figure_count(sum->failing, number), plural(sum->failing), sum->failing == 1 ? "s" : "");
}

static void add_reasons(const struct clients_view *v, const struct clients_sum *sum, struct buf *text)
{
    char number[FIGURE_MAX];

    if (sum->refused_clear)
        buf_text(text, "%s in clear", figure_count(sum->refused_clear, number));
    if (sum->refused_old)
        buf_text(text, "%s%s by a version before %s", sum->refused_clear ? ", " : "", figure_count(sum->refused_old, number),
                 tls_version_name(v->rule.minimum));
}

static void print_verdict(const struct clients_view *v, const struct clients_sum *sum)
{
    char rule[CLIENTS_RULE_MAX], clients[FIGURE_MAX], refused[FIGURE_MAX], messages[FIGURE_MAX], share[FIGURE_MAX];
    auto_buf struct buf text = { 0 };

    buf_init(&text, NOTE_MAX);
    figure_count(sum->messages, messages);
    clients_rule_text(&v->rule, rule);
    if (sum->cut_off) {
        buf_text(&text, "%s client%s, %s message%s of %s (%s) would be refused: ", figure_count(sum->cut_off, clients),
                 plural(sum->cut_off), figure_count(sum->refused, refused), plural(sum->refused), messages,
                 figure_share(sum->refused, sum->messages, share));
        add_reasons(v, sum, &text);
    } else {
        buf_text(&text, "Nobody would be cut off: none of %s message%s from %s client%s", messages, plural(sum->messages),
                 figure_count(sum->clients, clients), plural(sum->clients));
    }
    buf_text(&text, " (%s).", rule);
    fputs(style.bold, stdout);
    print_wrapped(0, buf_slice(&text));
    fputs(style.plain, stdout);
}

static void print_answer(const struct clients_view *v)
{
    const struct clients_sum sum = clients_total(v->clients);
    char clients[FIGURE_MAX], messages[FIGURE_MAX], share[FIGURE_MAX];

    if (sum.clients == 0 && sum.messages == 0) {
        puts("No client is counted.");
        return;
    }
    if (clients_view_has_rule(v))
        print_verdict(v, &sum);
    else
        printf("%s client%s, %s message%s, %s of them in clear.\n", figure_count(sum.clients, clients), plural(sum.clients),
               figure_count(sum.messages, messages), plural(sum.messages),
               figure_share(sum.versions[TLS_VERSION_NONE], sum.messages, share));
    print_failing(&sum);
}

/* --- one client -------------------------------------------------------------------------- */

static void print_head(const struct clients_view *v, enum visit_role role)
{
    static const char *const heads[] = {
        [CLIENTS_BY_ADDRESS] = "ADDRESS", [CLIENTS_BY_NETWORK] = "NETWORK", [CLIENTS_BY_NAME] = "NAME",
        [CLIENTS_BY_USER] = "USER",
    };
    enum clients_by by = v->by != CLIENTS_BY_HABIT ? v->by : role == VISIT_MX ? CLIENTS_BY_NETWORK : CLIENTS_BY_ADDRESS;

    printf("\n%s%s%s\n%s%-*s %9s %7s %7s %7s %7s %7s  %s%s\n", style.bold, role == VISIT_MX ? "Mail hosts (mx)" : "Submission",
           style.plain, style.dim, NAME, heads[by], "MESSAGES", "CLEAR", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3", "LAST",
           style.plain);
}

static void print_figures(const struct clients_view *v, const struct client *c)
{
    char who[SHOWN_MAX], number[FIGURE_MAX], day[PERIOD_DAY_MAX];
    bool bad = c->refused > 0 || c->versions[TLS_VERSION_NONE] > 0 || c->versions[TLS_1_0] > 0 || c->versions[TLS_1_1] > 0;

    shown(clients_who(v, c), who);
    printf("%s%-*s%s", bad ? style.bold : "", NAME, who, bad ? style.plain : "");
    if (strlen(who) > NAME)
        printf("\n%*s", NAME, "");
    printf(" %9s", figure_short(c->messages, number));
    for (int version = TLS_VERSION_NONE; version <= TLS_1_3; version++)
        printf(" %7s", figure_narrow(c->versions[version], number));
    printf("  %s\n", period_day(c->last, day));
}

static void add_names(struct buf *note, const char *about, const struct client_names *names, const char *who)
{
    char text[SHOWN_MAX];

    if (names->count == 0 || (names->count == 1 && strcmp(names->at[0], who) == 0))
        return;
    buf_text(note, "%s%s", buf_len(note) ? "; " : "", about);
    for (size_t i = 0; i < names->count; i++)
        buf_text(note, "%s %s", i ? "," : "", shown(names->at[i], text));
    if (names->more)
        buf_text(note, ", ...");
}

static void print_whom(const struct clients_view *v, const struct client *c)
{
    auto_buf struct buf note = { 0 };

    buf_init(&note, NAME_NOTE_MAX);
    add_names(&note, "calls itself", &c->names, c->who);
    add_names(&note, "user", &c->users, c->who);
    if (v->by == CLIENTS_BY_NAME || v->by == CLIENTS_BY_USER)
        add_names(&note, "from", &c->addresses, c->who);
    if (buf_len(&note))
        print_wrapped(4, buf_slice(&note));
}

static void print_password(const struct client *c)
{
    char number[FIGURE_MAX];

    if (c->in_clear_with_password)
        printf("    %sits password goes in clear%s: %s time%s\n", style.bold, style.plain,
               figure_count(c->in_clear_with_password, number), plural(c->in_clear_with_password));
    if (c->password_oldest != TLS_VERSION_NONE && c->password_oldest < TLS_1_2)
        printf("    %sits password goes over %s%s\n", style.bold, tls_version_name(c->password_oldest), style.plain);
}

static void print_failures(const struct client *c)
{
    char number[FIGURE_MAX], words[SHOWN_MAX];

    for (size_t i = 0; i < c->problem_count; i++) {
        auto_buf struct buf note = { 0 };

        buf_init(&note, NOTE_MAX);
        buf_text(&note, "%s handshake%s failed: %s", figure_count(c->problems[i].sessions, number),
                 plural(c->problems[i].sessions),
                 c->problems[i].words[0] ? shown(c->problems[i].words, words) : "other reasons");
        print_wrapped(4, buf_slice(&note));
    }
    if (c->turned_away)
        printf("    %s session%s refused in clear\n", figure_count(c->turned_away, number), plural(c->turned_away));
}

static void print_client(const struct clients_view *v, const struct client *c)
{
    char number[FIGURE_MAX], share[FIGURE_MAX], day[PERIOD_DAY_MAX];

    print_figures(v, c);
    if (c->refused && c->refused < c->messages)
        printf("    %s of its messages would be refused (%s), the latest on %s\n", figure_count(c->refused, number),
               figure_share(c->refused, c->messages, share), period_day(c->last_refused, day));
    print_whom(v, c);
    print_password(c);
    print_failures(c);
}

static void print_role(const struct clients_view *v, enum visit_role role)
{
    size_t count, printed = 0, of_role = 0;
    const struct client *const *list = clients_list(v->clients, &count);

    for (size_t i = 0; i < count; i++) {
        if (list[i]->role != role || (v->top && ++of_role > v->top))
            continue;
        if (printed++ == 0)
            print_head(v, role);
        print_client(v, list[i]);
    }
    if (v->top && of_role > v->top)
        printf("... and %zu more; --top 0 shows all\n", of_role - v->top);
}

void clients_print_text(const struct clients_view *v)
{
    char period[PERIOD_TEXT_MAX], day[PERIOD_DAY_MAX];
    uint32_t first = clients_counted_since(v->clients);

    style_choose();
    printf("%s", period_text(&v->period, period));
    if (first > v->period.since)
        printf("; counted from %s on", period_day(first, day));
    puts("");
    print_answer(v);
    print_role(v, VISIT_MX);
    print_role(v, VISIT_SUBMISSION);
}

/* postern stats: how much of one's mail goes encrypted and authenticated. */
#include "cli/stats.h"

#include "cli/arguments.h"
#include "cli/figures.h"
#include "fact/count.h"
#include "serve/asking.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

enum { TOP_OF_TEXT = 20, TOP_OF_PAGE = 30, TOP_NOT_SAID = -1 };

struct wish {
    const char *file, *since, *until;
    char *domain;
    bool sent, received, by_day;
    int64_t top;
    uint64_t minimum;
    const char *form;               /* "json", "csv", "html"; "" for people */
};

/* --- shared by what shows it ---------------------------------------------------- */

const char *stats_label(const struct stats_view *v, const struct stats_row *row, char text[STATS_LABEL_MAX])
{
    char count[FIGURE_MAX], few[STATS_FEW_MAX];

    switch (row->kind) {
    case STATS_DOMAIN:
        snprintf(text, STATS_LABEL_MAX, "%s", row->domain[0] ? row->domain : "(null sender)");
        break;
    case STATS_UNNAMED:
        snprintf(text, STATS_LABEL_MAX, "(others)");
        break;
    case STATS_BEYOND:
        snprintf(text, STATS_LABEL_MAX, "(%s more)", figure_count(row->domains, count));
        break;
    case STATS_FEW:
        snprintf(text, STATS_LABEL_MAX, "(%s)", stats_few(v, few));
        break;
    }
    return text;
}

const char *stats_before(const struct stats_view *v, char text[STATS_BEFORE_MAX])
{
    uint32_t days = period_days(&v->period);

    if (days == 1)
        snprintf(text, STATS_BEFORE_MAX, "the day before");
    else
        snprintf(text, STATS_BEFORE_MAX, "the %u days before", (unsigned)days);
    return text;
}

const char *stats_few(const struct stats_view *v, char text[STATS_FEW_MAX])
{
    char count[FIGURE_MAX];

    snprintf(text, STATS_FEW_MAX, "fewer than %s", figure_count(v->minimum, count));
    return text;
}

const char *stats_words(const struct stats_view *v, const struct stats_item *item, char text[STATS_WORDS_MAX])
{
    char few[STATS_FEW_MAX];

    if (strcmp(item->name, "(fewer)") != 0)
        return item->words;
    snprintf(text, STATS_WORDS_MAX, "(%s)", stats_few(v, few));
    return text;
}

const char *stats_domains(const struct stats_side *side, char text[STATS_DOMAINS_MAX])
{
    size_t known = 0, failing;
    char count[FIGURE_MAX], more[FIGURE_MAX];
    bool any = side->sum.messages > 0;

    for (size_t i = 0; i < side->row_count; i++)
        known += side->rows[i]->domains;
    failing = known > side->domains ? known - side->domains : 0;
    if (any)
        snprintf(text, STATS_DOMAINS_MAX, "%s domain%s%s%s%s", figure_count(side->domains, count), side->domains == 1 ? "" : "s",
                 failing ? "; " : "", failing ? figure_count(failing, more) : "", failing ? " more with failed attempts only" : "");
    else
        snprintf(text, STATS_DOMAINS_MAX, "%s domain%s with failed attempts only", figure_count(failing, count),
                 failing == 1 ? "" : "s");
    return text;
}

bool stats_has_trend(const struct stats_view *v, const struct stats_side *side)
{
    uint32_t with_mail = 0;

    for (uint32_t i = 0; i < period_days(&v->period); i++)
        with_mail += side->days[i].messages > 0 || side->days[i].few;
    return with_mail >= STATS_TREND_DAYS;
}

uint32_t stats_trend_step(const struct stats_view *v, size_t columns)
{
    return (period_days(&v->period) + (uint32_t)columns - 1) / (uint32_t)columns;
}

size_t stats_trend(const struct stats_view *v, const struct stats_side *side, size_t columns, struct stats_brief *out)
{
    uint32_t days = period_days(&v->period), step = stats_trend_step(v, columns);
    size_t count = 0;

    for (uint32_t day = 0; day < days; day += step, count++) {
        out[count] = (struct stats_brief){ 0 };
        for (uint32_t i = day; i < day + step && i < days; i++) {
            count_add(&out[count].messages, side->days[i].messages);
            count_add(&out[count].encrypted, side->days[i].encrypted);
            count_add(&out[count].authenticated, side->days[i].authenticated);
            out[count].few |= side->days[i].few;
        }
    }
    return count;
}

/* --- reading ---------------------------------------------------------------------- */

static void take(void *arg, const struct tally *t)
{
    stats_take(arg, t->day, t->key, t->count);
}

/* Returns the exit code. */
static int read_tallies(const struct config *c, const struct stats_want *want, struct stats *stats)
{
    struct error why = { 0 };
    struct asking *store = asking_open(c, ASK_RUNNING_OR_DISK, &why);
    int code = EXIT_OK;

    if (!store)
        return store_unopened(c, &why);
    if (!asking_tallies(store, stats_first_day(want), take, stats, &why)) {
        cli_complain("%s", why.text);
        code = EXIT_TEMPORARY;
    }
    asking_close(store);
    return code;
}

static int show(const struct wish *w, const struct stats_view *v)
{
    if (strcmp(w->form, "json") == 0)
        stats_print_json(v);
    else if (strcmp(w->form, "csv") == 0)
        stats_print_csv(v);
    else if (strcmp(w->form, "html") == 0)
        stats_print_html(v);
    else
        stats_print_text(v);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_OK;
    cli_complain("the output cannot be written");
    return EXIT_FAILED;
}

static size_t rows_wanted(const struct wish *w)
{
    if (w->top != TOP_NOT_SAID)
        return (size_t)w->top;
    return w->form[0] == '\0' ? TOP_OF_TEXT : strcmp(w->form, "html") == 0 ? TOP_OF_PAGE : 0;
}

static int run(const struct wish *w, const struct period *period)
{
    struct config *config = cli_config_read(w->file, CONFIG_TO_ASK);
    const struct stats_want want = { period->since, period->until, w->domain, w->minimum, rows_wanted(w) };
    struct stats *stats;
    int code;

    if (!config)
        return EXIT_FAILED;
    stats = stats_new(&want);
    code = read_tallies(config, &want, stats);
    if (code == EXIT_OK) {
        const struct stats_view view = { stats, *period, w->minimum, { w->sent, w->received }, w->by_day, w->domain,
                                         config->hostname };

        stats_finish(stats);
        code = show(w, &view);
    }
    stats_free(stats);
    config_free(config);
    return code;
}

/* --- arguments ------------------------------------------------------------------------- */

static bool parse_number(const char *text, uint64_t *number)
{
    return slice_to_number(slice_of(text), INT32_MAX, number);
}

static int set_form(struct wish *w, const char *form)
{
    if (w->form[0])
        return cli_usage("stats", "one of --json, --csv and --html is enough");
    w->form = form;
    return EXIT_OK;
}

enum { SINCE = 256, UNTIL, SENT, RECEIVED, DOMAIN, TOP, MINIMUM, BY, JSON, CSV, HTML };

static int take_option(struct wish *w, int option)
{
    uint64_t number;

    switch (option) {
    case 'c': w->file = optarg; return EXIT_OK;
    case SINCE: w->since = optarg; return EXIT_OK;
    case UNTIL: w->until = optarg; return EXIT_OK;
    case SENT: w->sent = true; return EXIT_OK;
    case RECEIVED: w->received = true; return EXIT_OK;
    case DOMAIN:
        w->domain = optarg;
        argument_fold_domain(w->domain);
        return EXIT_OK;
    case JSON: return set_form(w, "json");
    case CSV: return set_form(w, "csv");
    case HTML: return set_form(w, "html");
    case TOP:
        if (!parse_number(optarg, &number))
            return cli_usage("stats", "--top %s is not a number; 0 is all", optarg);
        w->top = (int64_t)number;
        return EXIT_OK;
    case MINIMUM:
        return parse_number(optarg, &w->minimum) ? EXIT_OK : cli_usage("stats", "--minimum %s is not a number", optarg);
    default:
        if (strcmp(optarg, "day") != 0)
            return cli_usage("stats", "--by %s is not known: day", optarg);
        w->by_day = true;
        return EXIT_OK;
    }
}

static int parse_arguments(struct wish *w, int argc, char **argv)
{
    static const struct option options[] = { { "since", required_argument, NULL, SINCE },
        { "until", required_argument, NULL, UNTIL }, { "sent", no_argument, NULL, SENT },
        { "received", no_argument, NULL, RECEIVED }, { "domain", required_argument, NULL, DOMAIN },
        { "top", required_argument, NULL, TOP }, { "minimum", required_argument, NULL, MINIMUM },
        { "by", required_argument, NULL, BY }, { "json", no_argument, NULL, JSON }, { "csv", no_argument, NULL, CSV },
        { "html", no_argument, NULL, HTML }, { 0 } };
    int option, code = EXIT_OK;

    opterr = 0;
    while (code == EXIT_OK && (option = getopt_long(argc, argv, ":c:", options, NULL)) != -1) {
        if (option == '?' || option == ':')
            return argument_refused("stats", option, argv);
        code = take_option(w, option);
    }
    if (code == EXIT_OK && optind != argc)
        return cli_usage("stats", "\"%s\" is too much; a domain is named with --domain", argv[optind]);
    if (!w->sent && !w->received)
        w->sent = w->received = true;
    return code;
}

int cli_stats(int argc, char **argv)
{
    struct wish wish = { .file = DEFAULT_CONFIG, .since = "7d", .top = TOP_NOT_SAID, .form = "" };
    struct period period;
    struct error why = { 0 };
    int code = parse_arguments(&wish, argc, argv);

    if (code != EXIT_OK)
        return code;
    if (!period_parse(wish.since, wish.until, period_today(), &period, &why))
        return cli_usage("stats", "%s", why.text);
    return run(&wish, &period);
}

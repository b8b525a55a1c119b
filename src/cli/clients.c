/* postern clients: who sends to us, how, and who could not under a stricter rule. */
#include "cli/clients.h"

#include "cli/arguments.h"
#include "serve/asking.h"

#include <getopt.h>
#include <stdio.h>

enum { TOP_OF_TEXT = 40, TOP_NOT_SAID = -1 };

struct wish {
    const char *file, *since, *until;
    struct clients_want want;
    int64_t top;
    enum { FOR_PEOPLE, AS_JSON, AS_CSV, AS_LETTERS } form;
};

/* --- reading ------------------------------------------------------------------------ */

static void take(void *arg, const struct tally *t)
{
    clients_take(arg, t->day, t->key, t->count);
}

/* Returns the exit code. */
static int read_tallies(const struct config *c, uint32_t day, struct clients *clients)
{
    struct error why = { 0 };
    struct asking *store = asking_open(c, ASK_RUNNING_OR_DISK, &why);
    int code = EXIT_OK;

    if (!store)
        return store_unopened(c, &why);
    if (!asking_tallies(store, day, take, clients, &why)) {
        cli_complain("%s", why.text);
        code = EXIT_TEMPORARY;
    }
    asking_close(store);
    return code;
}

static int show(const struct wish *w, const struct clients_view *v)
{
    switch (w->form) {
    case FOR_PEOPLE: clients_print_text(v); break;
    case AS_JSON: clients_print_json(v); break;
    case AS_CSV: clients_print_csv(v); break;
    case AS_LETTERS: clients_export_csv(v); break;
    }
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_OK;
    cli_complain("the output cannot be written");
    return EXIT_FAILED;
}

static int run(const struct wish *w, const struct period *period)
{
    struct config *config = cli_config_read(w->file, CONFIG_TO_ASK);
    struct clients *clients;
    int code;

    if (!config)
        return EXIT_FAILED;
    clients = clients_new(&w->want);
    code = read_tallies(config, w->want.since, clients);
    if (code == EXIT_OK) {
        const struct clients_view view = { clients, *period, w->want.rule, w->want.by,
                                           { !w->want.no_mx, !w->want.no_submission },
                                           w->top != TOP_NOT_SAID ? (size_t)w->top
                                           : w->form == FOR_PEOPLE ? TOP_OF_TEXT : 0 };

        clients_finish(clients);
        code = show(w, &view);
    }
    clients_free(clients);
    config_free(config);
    return code;
}

/* --- arguments --------------------------------------------------------------------------- */

static int take_rule(struct clients_rule *rule, const char *said)
{
    enum tls_version version;

    if (strcmp(said, "tls=required") == 0) {
        rule->tls_required = true;
        return EXIT_OK;
    }
    if (slice_starts(slice_of(said), SLICE("tls-minimum=")) &&
        tls_version_parse(slice_of(said + strlen("tls-minimum=")), &version) && version >= TLS_1_1) {
        rule->minimum = version > rule->minimum ? version : rule->minimum;
        return EXIT_OK;
    }
    return cli_usage("clients", "--if %s is not known: tls=required, tls-minimum=1.1, 1.2 or 1.3", said);
}

static int take_by(struct clients_want *w, const char *said)
{
    static const char *const names[] = {
        [CLIENTS_BY_ADDRESS] = "address", [CLIENTS_BY_NETWORK] = "network", [CLIENTS_BY_NAME] = "name",
        [CLIENTS_BY_USER] = "user",
    };

    for (int by = CLIENTS_BY_ADDRESS; by <= CLIENTS_BY_USER; by++) {
        if (strcmp(names[by], said) == 0) {
            w->by = (enum clients_by)by;
            return EXIT_OK;
        }
    }
    return cli_usage("clients", "--by %s is not known: address, network, name or user", said);
}

static int take_role(struct clients_want *w, const char *said)
{
    if (strcmp(said, "mx") != 0 && strcmp(said, "submission") != 0)
        return cli_usage("clients", "--role %s is not known: mx or submission", said);
    w->no_submission = strcmp(said, "mx") == 0;
    w->no_mx = !w->no_submission;
    return EXIT_OK;
}

enum { SINCE = 256, UNTIL, IF, BY, ROLE, TOP, JSON, CSV, EXPORT };

static int take_option(struct wish *w, int option)
{
    uint64_t number;

    switch (option) {
    case 'c': w->file = optarg; return EXIT_OK;
    case SINCE: w->since = optarg; return EXIT_OK;
    case UNTIL: w->until = optarg; return EXIT_OK;
    case IF: return take_rule(&w->want.rule, optarg);
    case BY: return take_by(&w->want, optarg);
    case ROLE: return take_role(&w->want, optarg);
    case TOP:
        if (!slice_to_number(slice_of(optarg), INT32_MAX, &number))
            return cli_usage("clients", "--top %s is not a number; 0 is all", optarg);
        w->top = (int64_t)number;
        return EXIT_OK;
    default:
        if (w->form != FOR_PEOPLE)
            return cli_usage("clients", "one of --json, --csv and --export is enough");
        if (option == EXPORT && strcmp(optarg, "csv") != 0)
            return cli_usage("clients", "--export %s is not known: csv", optarg);
        w->form = option == JSON ? AS_JSON : option == CSV ? AS_CSV : AS_LETTERS;
        return EXIT_OK;
    }
}

static int parse_arguments(struct wish *w, int argc, char **argv)
{
    static const struct option options[] = { { "since", required_argument, NULL, SINCE },
        { "until", required_argument, NULL, UNTIL }, { "if", required_argument, NULL, IF },
        { "by", required_argument, NULL, BY }, { "role", required_argument, NULL, ROLE },
        { "top", required_argument, NULL, TOP }, { "json", no_argument, NULL, JSON }, { "csv", no_argument, NULL, CSV },
        { "export", required_argument, NULL, EXPORT }, { 0 } };
    int option, code = EXIT_OK;

    opterr = 0;
    while (code == EXIT_OK && (option = getopt_long(argc, argv, ":c:", options, NULL)) != -1) {
        if (option == '?' || option == ':')
            return argument_refused("clients", option, argv);
        code = take_option(w, option);
    }
    if (code == EXIT_OK && optind != argc)
        return cli_usage("clients", "\"%s\" is too much", argv[optind]);
    return code;
}

int cli_clients(int argc, char **argv)
{
    struct wish wish = { .file = DEFAULT_CONFIG, .since = "30d", .top = TOP_NOT_SAID };
    struct period period;
    struct error why = { 0 };
    int code = parse_arguments(&wish, argc, argv);

    if (code != EXIT_OK)
        return code;
    if (!period_parse(wish.since, wish.until, period_today(), &period, &why))
        return cli_usage("clients", "%s", why.text);
    wish.want.since = period.since;
    wish.want.until = period.until;
    return run(&wish, &period);
}

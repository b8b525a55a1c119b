/* postern report: TLS reports (RFC 8460), ours and those of others. */
#include "cli/report.h"

#include "cli/style.h"

#include <getopt.h>
#include <stdio.h>

static int parse_options(struct report_wish *w, int argc, char **argv)
{
    enum { JSON = 256, RECEIVED, DAY, DRY_RUN, ALL, TO, UNSIGNED };
    static const struct option options[] = { { "json", no_argument, NULL, JSON }, { "received", no_argument, NULL, RECEIVED },
        { "day", required_argument, NULL, DAY }, { "dry-run", no_argument, NULL, DRY_RUN }, { "all", no_argument, NULL, ALL },
        { "to", required_argument, NULL, TO }, { "unsigned", no_argument, NULL, UNSIGNED }, { 0 } };
    int option;

    opterr = 0;
    w->file = DEFAULT_CONFIG;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c': w->file = optarg; break;
        case JSON: w->json = true; break;
        case RECEIVED: w->received = true; break;
        case DRY_RUN: w->dry_run = true; break;
        case ALL: w->all = true; break;
        case TO: w->to = optarg; break;
        case UNSIGNED: w->unsigned_too = true; break;
        case DAY:
            w->has_day = day_parse(slice_of(optarg), &w->day);
            if (!w->has_day)
                return cli_usage("report", "--day %s: write a day as 2026-11-21", optarg);
            break;
        default: return cli_usage("report", "\"%s\" is not known, or lacks its value", argv[optind - 1]);
        }
    }
    if (optind == argc)
        return cli_usage("report", "say what: list, show, send, export or import");
    w->act = argv[optind];
    w->count = argc - optind - 1;
    w->names = argv + optind + 1;
    return EXIT_OK;
}

typedef int act_function(struct asking *store, const struct config *c, const struct report_wish *w);

static const struct act {
    const char *name;
    act_function *sent, *received;
    bool dry_run, all, to, import;
    int least, most;
    const char *names;
} acts[] = {
    { "list", report_list, received_list, .most = 1, .names = "takes one domain at most" },
    { "show", report_show, received_show, .least = 1, .most = INT32_MAX, .names = "needs a domain, or with --received a key" },
    { "send", report_send, NULL, .dry_run = true, .all = true, .most = INT32_MAX, .names = "needs a domain, or --all" },
    { "export", report_export, received_export, .to = true, .most = INT32_MAX, .names = "" },
    { "import", .import = true, .least = 1, .most = INT32_MAX, .names = "needs files, mboxes or maildirs; - is standard input" },
};

static int check_wish(const struct report_wish *w, const struct act **out)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        const struct act *a = &acts[i];

        if (strcmp(a->name, w->act) != 0)
            continue;
        *out = a;
        if (w->received && !a->received)
            return cli_usage("report", "%s does not take --received", w->act);
        if ((w->dry_run && !a->dry_run) || (w->all && !a->all) || (w->to && !a->to) || (w->unsigned_too && !a->import))
            return cli_usage("report", "%s does not take %s", w->act, w->to && !a->to ? "--to" : w->all && !a->all ? "--all"
                             : w->dry_run && !a->dry_run ? "--dry-run" : "--unsigned");
        if (w->count < a->least || w->count > a->most || (a->all && w->all != (w->count == 0)))
            return cli_usage("report", "%s %s", w->act, a->names);
        return EXIT_OK;
    }
    return cli_usage("report", "\"%s\" is not known: list, show, send, export or import", w->act);
}

static int run(const struct report_wish *w, const struct act *a)
{
    struct config *config = cli_config_read(w->file, CONFIG_TO_ASK);
    struct error why = { 0 };
    struct asking *store;
    int code;

    if (!config)
        return EXIT_FAILED;
    if (a->import) {
        code = report_import(config, w->names, w->count, w->unsigned_too);
        config_free(config);
        return code;
    }
    store = asking_open(config, ASK_RUNNING_OR_DISK, &why);
    if (!store)
        code = report_unanswered(&why);
    else
        code = (w->received ? a->received : a->sent)(store, config, w);
    asking_close(store);
    config_free(config);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    cli_complain("the output cannot be written");
    return EXIT_FAILED;
}

int cli_report(int argc, char **argv)
{
    struct report_wish wish = { .day = (uint32_t)(clock_wall() / DAYS(1)) - 1 };
    const struct act *a = NULL;
    int code;

    code = parse_options(&wish, argc, argv);
    if (code == EXIT_OK)
        code = check_wish(&wish, &a);
    if (code != EXIT_OK)
        return code;
    style_choose();
    return run(&wish, a);
}

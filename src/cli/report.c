/* postern report: TLS reports (RFC 8460), ours and those of others. */
#include "cli/report.h"

#include "cli/arguments.h"
#include "cli/period.h"
#include "cli/style.h"
#include "run/process.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int take_day(struct report_wish *w, const char *said)
{
    if (said[0] == '-')         /* the next option, most likely */
        return cli_usage("report", "--day needs a day");
    w->has_day = period_parse_day(said, w->today, &w->day);
    return w->has_day ? EXIT_OK : cli_usage("report", "--day %s: write 2026-11-21, today, yesterday, or 2d for two days ago", said);
}

static int parse_options(struct report_wish *w, int argc, char **argv)
{
    enum { JSON = 256, RECEIVED, DAY, DRY_RUN, ALL, TO, UNSIGNED };
    static const struct option options[] = { { "json", no_argument, NULL, JSON }, { "received", no_argument, NULL, RECEIVED },
        { "day", required_argument, NULL, DAY }, { "dry-run", no_argument, NULL, DRY_RUN }, { "all", no_argument, NULL, ALL },
        { "to", required_argument, NULL, TO }, { "unsigned", no_argument, NULL, UNSIGNED }, { 0 } };
    int option, code = EXIT_OK;

    opterr = 0;
    w->file = DEFAULT_CONFIG;
    while (code == EXIT_OK && (option = getopt_long(argc, argv, ":c:", options, NULL)) != -1) {
        switch (option) {
        case 'c': w->file = optarg; break;
        case JSON: w->json = true; break;
        case RECEIVED: w->received = true; break;
        case DRY_RUN: w->dry_run = true; break;
        case ALL: w->all = true; break;
        case TO: w->to = optarg; break;
        case UNSIGNED: w->unsigned_too = true; break;
        case DAY: code = take_day(w, optarg); break;
        default: return argument_refused("report", option, argv);
        }
    }
    if (code != EXIT_OK)
        return code;
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
    { "show", report_show, received_show, .least = 1, .most = INT32_MAX, .names = "needs a domain" },
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
        if ((w->count < a->least && !w->received) || w->count > a->most || (a->all && w->all != (w->count == 0)))
            return cli_usage("report", "%s %s", w->act, a->names);
        return EXIT_OK;
    }
    return cli_usage("report", "\"%s\" is not known: list, show, send, export or import", w->act);
}

/* Before the store is opened: without a running postern whoever asks becomes the service. It may not make folders everywhere,
 * but must write to this one. */
static bool make_directory(const struct config *c, const char *directory)
{
    struct account account;

    if (!directory)
        return true;
    if (mkdir(directory, 0755) == 0 &&
        (geteuid() != 0 || !account_find(c->user, &account, NULL) || chown(directory, account.uid, account.gid) == 0))
        return true;
    if (errno == EEXIST)
        return true;
    cli_complain("%s cannot be made: %s", directory, strerror(errno));
    return false;
}

static int answer(struct asking *store, const struct config *c, const struct report_wish *w, const struct act *a)
{
    if (w->to && access(w->to, W_OK | X_OK) != 0) {
        cli_complain("%s cannot be written to: %s%s", w->to, strerror(errno),
                     errno == EACCES ? "; without a running postern this is done as its user" : "");
        return EXIT_FAILED;
    }
    return (w->received ? a->received : a->sent)(store, c, w);
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
    if (!make_directory(config, w->to)) {
        config_free(config);
        return EXIT_FAILED;
    }
    store = asking_open(config, ASK_RUNNING_OR_DISK, &why);
    code = store ? answer(store, config, w, a) : store_unopened(config, &why);
    asking_close(store);
    config_free(config);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    cli_complain("the output cannot be written");
    return EXIT_FAILED;
}

int cli_report(int argc, char **argv)
{
    struct report_wish wish = { .today = period_today(), .day = period_today() - 1 };
    const struct act *a = NULL;
    int code;

    code = parse_options(&wish, argc, argv);
    if (code == EXIT_OK)
        code = check_wish(&wish, &a);
    if (code != EXIT_OK)
        return code;
    for (int i = 0; !wish.received && !a->import && i < wish.count; i++)
        argument_fold_domain(wish.names[i]);
    style_choose();
    return run(&wish, a);
}

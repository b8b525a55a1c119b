/* postern lab: every case of the TLS policy on this machine. */
#include "cli/cli.h"

#include "base/escape.h"
#include "base/memory.h"
#include "lab/lab.h"

#include <getopt.h>
#include <stdio.h>

enum { ATTACKS_MAX = 16 * 1024 };

struct arguments {
    struct lab_settings settings;
    struct buf attacks;         /* lines for the file */
    const char *listen, *to;
    bool json;
};

/* --- arguments ------------------------------------------------------------------ */

static bool parse_port(const char *text, int *port)
{
    uint64_t number;

    if (!slice_to_number(slice_of(text), 65535, &number))
        return false;
    *port = (int)number;
    return true;
}

static bool parse_base(const char *text, struct address *base)
{
    return address_parse_ip(slice_of(text), base) && base->family == AF_INET && base->ip[2] < 254;
}

/* "DOMAIN=KIND" becomes a line of the file. */
static bool parse_attack(const char *text, struct buf *lines)
{
    struct slice kind = slice_of(text), domain = slice_cut(&kind, '=');
    enum attack known;

    buf_text(lines, "%.*s %.*s\n", SLICE_ARGS(domain), SLICE_ARGS(kind));
    return lab_case_find(domain) && attack_parse(kind, &known) && !lines->failed;
}

static int parse_arguments(struct arguments *a, int argc, char **argv)
{
    enum { DIRECTORY = 256, BASE, SMTP, HTTPS, DNS, ATTACK, LISTEN, TO, JSON };
    static const struct option options[] = {
        { "directory", required_argument, NULL, DIRECTORY }, { "base-address", required_argument, NULL, BASE },
        { "smtp-port", required_argument, NULL, SMTP },      { "https-port", required_argument, NULL, HTTPS },
        { "dns-port", required_argument, NULL, DNS },        { "attack", required_argument, NULL, ATTACK },
        { "listen", required_argument, NULL, LISTEN },       { "to", required_argument, NULL, TO },
        { "json", no_argument, NULL, JSON },                 { 0 } };
    struct lab_settings *s = &a->settings;
    bool good = true;
    int option;

    opterr = 0;
    while (good && (option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        switch (option) {
        case DIRECTORY: s->directory = optarg; break;
        case LISTEN: a->listen = optarg; break;
        case TO: a->to = optarg; break;
        case JSON: a->json = true; break;
        case BASE: good = parse_base(optarg, &s->base); break;
        case SMTP: good = parse_port(optarg, &s->smtp_port); break;
        case HTTPS: good = parse_port(optarg, &s->https_port); break;
        case DNS: good = parse_port(optarg, &s->dns_port); break;
        case ATTACK: good = parse_attack(optarg, &a->attacks); break;
        default: return cli_usage("lab", "\"%s\" is not known, or lacks its value", argv[optind - 1]);
        }
    }
    return good ? EXIT_OK : cli_usage("lab", "\"%s\" makes no sense there", optarg);
}

/* --- list ----------------------------------------------------------------------- */

static int widest_domain(void)
{
    size_t widest = 0;

    for (size_t i = 0; i < lab_case_count; i++)
        if (strlen(lab_cases[i].domain) > widest)
            widest = strlen(lab_cases[i].domain);
    return (int)(widest + strlen("." LAB_DOMAIN));
}

static void list_as_text(void)
{
    int width = widest_domain();

    printf("%-*s  %-19s  %-10s  %s\n", width, "DOMAIN", "A CORRECT SENDER", "SPEC", "SHOWS");
    for (size_t i = 0; i < lab_case_count; i++) {
        const struct lab_case *c = &lab_cases[i];
        char domain[64];

        snprintf(domain, sizeof domain, "%s." LAB_DOMAIN, c->domain);
        printf("%-*s  %-19s  %-10s  %s%s%s%s\n", width, domain, lab_outcome_name(c->outcome), c->spec, c->shows,
               c->message ? " (for a message with " : "", c->message ? c->message : "", c->message ? ")" : "");
    }
}

static void add_pair(struct buf *line, const char *key, const char *value)
{
    buf_text(line, "%s\"%s\":", buf_len(line) > 1 ? "," : "", key);
    if (value)
        escape_json(line, slice_of(value));
    else
        buf_add(line, SLICE("null"));
}

static void list_as_json(void)
{
    for (size_t i = 0; i < lab_case_count; i++) {
        const struct lab_case *c = &lab_cases[i];
        auto_buf struct buf line = { .max = 4096 };
        char domain[64];

        snprintf(domain, sizeof domain, "%s." LAB_DOMAIN, c->domain);
        buf_byte(&line, '{');
        add_pair(&line, "domain", domain);
        add_pair(&line, "shows", c->shows);
        add_pair(&line, "outcome", lab_outcome_name(c->outcome));
        add_pair(&line, "spec", c->spec);
        add_pair(&line, "message", c->message);
        printf("%.*s}\n", SLICE_ARGS(buf_slice(&line)));
    }
}

static int list(struct arguments *a, int argc, char **argv)
{
    if (argc > 0)
        return cli_usage("lab", "list takes no \"%s\"", argv[0]);
    if (a->json)
        list_as_json();
    else
        list_as_text();
    return EXIT_OK;
}

/* --- up, run, attack --------------------------------------------------------------- */

static int complain(const struct error *why)
{
    cli_complain("lab: %s", why->text);
    return EXIT_FAILED;
}

static int up(struct arguments *a, int argc, char **argv)
{
    struct error why = { 0 };

    if (argc > 0)
        return cli_usage("lab", "up takes no \"%s\"", argv[0]);
    a->settings.out = stdout;
    return lab_up(&a->settings, &why) ? EXIT_OK : complain(&why);
}

static int run(struct arguments *a, int argc, char **argv)
{
    struct error why = { 0 };
    int status;

    if (argc == 0)
        return cli_usage("lab", "run needs a command");
    return lab_run(&a->settings, argv, &status, &why) ? status : complain(&why);
}

static int attack(struct arguments *a, int argc, char **argv)
{
    struct address listen, to;
    struct error why = { 0 };
    enum attack kind;

    if (!a->listen || !a->to || argc != 1)
        return cli_usage("lab", "attack needs --listen, --to and what to do: %s", attack_words());
    if (!attack_parse(slice_of(argv[0]), &kind))
        return cli_usage("lab", "the attack \"%s\" is not known; there are %s", argv[0], attack_words());
    if (!address_parse(slice_of(a->listen), &listen, &why) || !address_parse(slice_of(a->to), &to, &why))
        return cli_usage("lab", "%s", why.text);
    return lab_attack(&listen, &to, kind, stdout, &why) ? EXIT_OK : complain(&why);
}

int cli_lab(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*act)(struct arguments *a, int argc, char **argv);
    } acts[] = { { "list", list }, { "up", up }, { "run", run }, { "attack", attack } };
    struct arguments a = { .settings = { .smtp_port = LAB_PORT_USUAL, .https_port = LAB_PORT_USUAL,
                                         .dns_port = LAB_PORT_USUAL } };
    int code;

    if (argc < 2)
        return cli_usage("lab", "list, up, run or attack?");
    buf_init(&a.attacks, ATTACKS_MAX);
    code = parse_arguments(&a, argc - 1, argv + 1);
    a.settings.attacks = buf_slice(&a.attacks);
    for (size_t i = 0; code == EXIT_OK; i++) {
        if (i == sizeof acts / sizeof *acts) {
            code = cli_usage("lab", "\"%s\" is not known: list, up, run or attack", argv[1]);
        } else if (strcmp(argv[1], acts[i].name) == 0) {
            code = acts[i].act(&a, argc - 1 - optind, argv + 1 + optind);
            break;
        }
    }
    buf_done(&a.attacks);
    return code;
}

/* postern explain: why mail to a domain goes as it goes. */
#include "cli/explain.h"

#include "base/memory.h"
#include "run/channel.h"
#include "run/fiber.h"
#include "serve/asking.h"

#include <getopt.h>
#include <stdio.h>

enum { ARENA_MAX = 64 * 1024 * 1024, MESSAGES_MAX = 1000 };

struct job {
    /* what was asked */
    const char *file, *subject;
    bool connect, json;
    enum mail_need need;
    struct what_if what_if;
    /* on the way */
    const struct config *config;
    struct explain_tools tools;
    struct error no_store;
    struct explanation explanation;
    struct explained_message *messages;
    const char **domains;           /* of them, each once */
    size_t message_count, domain_count;
};

/* --- arguments ------------------------------------------------------------------ */

static bool parse_what_if(struct job *j, const char *text)
{
    struct slice rest = slice_of(text);
    struct slice name = slice_cut(&rest, '=');

    j->what_if.said = text;
    return slice_equal(name, SLICE("level")) && tls_level_parse(rest, &j->what_if.rule.level);
}

static int parse_arguments(struct job *j, int argc, char **argv)
{
    enum { CONNECT = 256, JSON, REQUIRETLS, OPTIONAL, WHAT_IF, NUMBER_OF_DAYS };
    static const struct option options[] = {
        { "connect", no_argument, NULL, CONNECT }, { "json", no_argument, NULL, JSON },
        { "requiretls", no_argument, NULL, REQUIRETLS }, { "tls-optional", no_argument, NULL, OPTIONAL },
        { "what-if", required_argument, NULL, WHAT_IF }, { "days", required_argument, NULL, NUMBER_OF_DAYS }, { 0 } };
    uint64_t number;
    int option;

    opterr = 0;
    j->file = DEFAULT_CONFIG;
    j->what_if.days = 7;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c': j->file = optarg; break;
        case CONNECT: j->connect = true; break;
        case JSON: j->json = true; break;
        case REQUIRETLS: j->need = NEED_REQUIRETLS; break;
        case OPTIONAL: j->need = NEED_TLS_OPTIONAL; break;
        case WHAT_IF:
            if (!parse_what_if(j, optarg))
                return cli_usage("explain", "--what-if %s: write level=may, level=encrypt, level=verify or level=dane-only",
                                 optarg);
            break;
        case NUMBER_OF_DAYS:
            if (!slice_to_number(slice_of(optarg), 90, &number) || number == 0)
                return cli_usage("explain", "--days %s: must be from 1 to 90", optarg);
            j->what_if.days = (unsigned)number;
            break;
        default:
            return cli_usage("explain", "\"%s\" is not known, or lacks its value", argv[optind - 1]);
        }
    }
    if (optind < argc - 1)
        return cli_usage("explain", "one domain at a time: \"%s\" is one too many", argv[optind + 1]);
    j->subject = optind < argc ? argv[optind] : NULL;
    if (!j->subject && !j->what_if.said)
        return cli_usage("explain", "which domain, or which message of the queue?");
    return EXIT_OK;
}

/* --- a message of the queue ---------------------------------------------------------- */

static enum mail_need need_of(const struct envelope *e)
{
    if (e->tls == TLS_REQUIRED)
        return e->sender[0] ? NEED_REQUIRETLS : NEED_REQUIRETLS_NULL;
    return e->tls == TLS_OPTIONAL ? NEED_TLS_OPTIONAL : NEED_STANDARD;
}

static void note_domain(struct job *j, const char *address)
{
    struct slice domain = address_domain(slice_of(address));

    for (size_t i = 0; i < j->domain_count; i++)
        if (slice_equal_nocase(slice_of(j->domains[i]), domain))
            return;
    j->domains[j->domain_count++] = arena_string(&j->explanation.arena, domain);
}

static void note_recipient(struct job *j, const struct queue_view *v)
{
    struct arena *arena = &j->explanation.arena;
    char id[MESSAGE_ID_TEXT];

    if (j->message_count == MESSAGES_MAX || v->envelope.count == 0)
        return;
    j->need = need_of(&v->envelope);
    j->messages[j->message_count++] = (struct explained_message){
        .id = arena_string(arena, slice_of(message_id_text(v->envelope.id, id))),
        .recipient = arena_string(arena, slice_of(v->envelope.recipients[0].address)),
        .status = arena_string(arena, slice_of(v->status)),
        .why = arena_string(arena, slice_of(v->why)),
        .attempts = v->attempts,
        .arrived = v->envelope.arrived,
        .due = v->due,
        .held = v->held,
    };
    note_domain(j, v->envelope.recipients[0].address);
}

static bool take_view(void *arg, uint8_t type, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct job *j = arg;
    struct queue_view view;

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (type == FRAME_LISTED)
        return true;
    if (type != FRAME_VIEW || !frame_get_view(body, &arena, &view))
        return false;
    note_recipient(j, &view);
    return true;
}

/* A queue id has no dot and no "@"; a domain that mail can be sent to has a dot. */
static bool is_queue_id(const char *text, message_id *id)
{
    return !strchr(text, '.') && message_id_parse(slice_of(text), id);
}

static int find_message(struct job *j, message_id id)
{
    const struct frame_list f = { .id = id };
    auto_buf struct buf frame = { 0 };
    struct error why = { 0 };

    if (!j->tools.store) {
        cli_complain("%s", j->no_store.text);
        return EXIT_TEMPORARY;
    }
    j->messages = arena_take(&j->explanation.arena, MESSAGES_MAX * sizeof *j->messages);
    j->domains = arena_take(&j->explanation.arena, MESSAGES_MAX * sizeof *j->domains);
    buf_init(&frame, 256);
    frame_put_list(&frame, &f);
    if (!asking_ask(j->tools.store, FRAME_LIST, buf_slice(&frame), take_view, j, &why)) {
        cli_complain("%s", why.text);
        return EXIT_TEMPORARY;
    }
    if (j->message_count > 0)
        return EXIT_OK;
    cli_complain("no message %s waits in the queue", j->subject);
    return EXIT_FAILED;
}

/* --- a domain --------------------------------------------------------------------------- */

static bool is_mail_domain(const char *text)
{
    struct slice domain = slice_of(text);

    return domain_is_valid(domain, true) || (text[0] == '[' && literal_is_valid(domain));
}

static void run(void *arg)
{
    struct job *j = arg;

    explain_find_out(&j->explanation, &j->tools);
    loop_stop();
}

static bool make_tools(struct job *j, struct error *why)
{
    const struct config *c = j->config;
    struct https_settings web = { .ca_file = c->sts.ca_file, .connect = c->delivery.connect_timeout, .together = 1 };
    struct tls_client_settings tls = { .minimum = TLS_1_2, .ca_file = c->delivery.ca_file };

    j->tools.resolver = resolver_new(&c->resolver, why);
    if (j->tools.resolver && c->sts.enabled)
        j->tools.https = https_new(&web, why);
    if (j->connect)
        j->tools.tls = tls_client_new(&tls, why);
    return j->tools.resolver && (j->tools.https || !c->sts.enabled) && (j->tools.tls || !j->connect);
}

static void put_tools_away(struct job *j)
{
    tls_client_free(j->tools.tls);
    https_free(j->tools.https);
    resolver_free(j->tools.resolver);
    j->tools = (struct explain_tools){ .store = j->tools.store };
}

static bool goes_out(const struct routing_rule *rule)
{
    return rule->route.kind == ROUTE_MX || rule->route.kind == ROUTE_SMTP;
}

/* Explained is explained, whatever there is to say; what could not be looked up may be later. */
static int explain_domain(struct job *j, const char *domain)
{
    struct explanation *e = &j->explanation;
    struct arena arena = e->arena;
    int code = EXIT_OK;

    *e = (struct explanation){ .arena = arena, .config = j->config, .domain = domain, .need = j->need,
                               .rule = routing_find(&j->config->routing, slice_of(domain)), .messages = j->messages,
                               .message_count = j->message_count, .no_store = j->no_store };
    loop_open();
    if (goes_out(e->rule) && make_tools(j, &e->problem)) {
        fiber_start("explain", run, j);
        loop_run();
    }
    put_tools_away(j);
    loop_close();
    if (j->json && !explain_print_json(e))
        code = EXIT_FAILED;
    if (!j->json)
        explain_print(e);
    return e->problem.code == E_DNS || e->problem.code == E_DNS_BOGUS ? EXIT_TEMPORARY : code;
}

static int explain(struct job *j)
{
    message_id id;
    int code = EXIT_OK;

    if (is_queue_id(j->subject, &id)) {
        code = find_message(j, id);
        for (size_t i = 0; i < j->domain_count && code == EXIT_OK; i++)
            code = explain_domain(j, j->domains[i]);
        return code;
    }
    if (!is_mail_domain(j->subject))
        return cli_usage("explain", "\"%s\" is neither a domain nor the id of a message", j->subject);
    return explain_domain(j, arena_string(&j->explanation.arena, slice_of(j->subject)));
}

int cli_explain(int argc, char **argv)
{
    auto_free struct job *j = NEW(struct job);
    struct config *config;
    int code = parse_arguments(j, argc, argv);

    if (code != EXIT_OK)
        return code;
    config = cli_config_read(j->file, CONFIG_TO_ASK);
    if (!config)
        return EXIT_USAGE;
    j->config = config;
    log_setup((struct log_settings){ .least = LOG_LEVEL_ERROR });
    arena_init(&j->explanation.arena, ARENA_MAX);
    if (j->what_if.said) {
        j->what_if.json = j->json;
        j->what_if.domain = j->subject;
        code = explain_what_if(config, &j->what_if);
    } else {
        j->tools.store = asking_open(config, ASK_RUNNING, &j->no_store);
        code = explain(j);
        asking_close(j->tools.store);
    }
    arena_done(&j->explanation.arena);
    config_free(config);
    return code;
}

/* postern queue: what waits, and what to do about it. */
#include "cli/cli.h"
#include "cli/style.h"

#include "base/escape.h"
#include "base/memory.h"
#include "run/channel.h"
#include "serve/asking.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

enum { PAGE = OPERATOR_PAGE };

struct desk {
    struct asking *store;
    /* the answer under way */
    void (*view)(void *arg, const struct queue_view *v);
    void *arg;
    struct frame_listed listed;
    struct frame_answer answer;
    struct queue_figures figures;
};

/* --- requests ----------------------------------------------------------------- */

static bool take_view(struct desk *d, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct queue_view view;

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (!frame_get_view(body, &arena, &view))
        return false;
    if (d->view)
        d->view(d->arg, &view);
    return true;
}

static bool take(void *arg, uint8_t type, struct slice body)
{
    struct desk *d = arg;

    switch (type) {
    case FRAME_VIEW: return take_view(d, body);
    case FRAME_LISTED: return frame_get_listed(body, &d->listed);
    case FRAME_OPERATED: return frame_get_answer(body, &d->answer);
    case FRAME_COUNTED: return frame_get_figures(body, &d->figures);
    default: return false;
    }
}

static bool ask(struct desk *d, enum frame_type type, struct slice body)
{
    struct error why = { 0 };
    bool answered = asking_ask(d->store, type, body, take, d, &why);

    if (!answered)
        cli_complain("%s", why.text);
    return answered;
}

/* --- showing ------------------------------------------------------------------------ */

struct shown {
    bool json, in_full;
    message_id last;
    uint64_t messages, recipients;
};

static const char *age(time_ms span, char text[24])
{
    return style_length(span < 0 ? 0 : span, text);
}

static const char *size_text(uint64_t bytes, char text[24])
{
    if (bytes < 10000)
        snprintf(text, 24, "%" PRIu64, bytes);
    else if (bytes < 10000000)
        snprintf(text, 24, "%" PRIu64 "K", bytes / 1000);
    else
        snprintf(text, 24, "%" PRIu64 "M", bytes / 1000000);
    return text;
}

/* What the sender asked of TLS, in the words of the log. */
static const char *asked_text(enum tls_request asked)
{
    return asked == TLS_REQUIRED ? "tls-required" : asked == TLS_OPTIONAL ? "tls-optional" : "";
}

static void show_json(const struct queue_view *v)
{
    const struct queue_recipient *r = &v->envelope.recipients[0];
    char id[MESSAGE_ID_TEXT], arrived[CLOCK_TEXT_MAX], due[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];
    const struct {
        const char *key, *value;
    } texts[] = {
        { "from", v->envelope.sender }, { "to", r->address }, { "destination", r->destination },
        { "arrived", clock_iso_date(v->envelope.arrived, arrived) }, { "due", clock_iso_date(v->due, due) },
        { "last-attempt", v->last_attempt ? clock_iso_date(v->last_attempt, last) : "" },
        { "origin", v->envelope.origin }, { "status", v->status }, { "why", v->why },
        { "asked", asked_text(v->envelope.tls) },
    };
    auto_buf struct buf line = { 0 };

    buf_init(&line, CHANNEL_FRAME_MAX);
    buf_text(&line, "{\"id\":\"%s\",\"recipient\":%u,\"size\":%" PRIu64 ",\"attempts\":%u,\"held\":%s,\"in-delivery\":%s",
             message_id_text(v->envelope.id, id), r->number, v->envelope.size, v->attempts, v->held ? "true" : "false",
             v->leased ? "true" : "false");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        buf_text(&line, ",\"%s\":", texts[i].key);
        escape_json(&line, slice_of(texts[i].value));
    }
    buf_add(&line, SLICE("}\n"));
    fwrite(buf_slice(&line).at, 1, buf_len(&line), stdout);
}

static void show_message(const struct queue_view *v, bool in_full)
{
    char id[MESSAGE_ID_TEXT], size[24], span[24], sender[300], date[CLOCK_TEXT_MAX], origin[400];

    escape_line(slice_of(v->envelope.sender), sender, sizeof sender);
    printf("%s  %6s  %4s  from <%s>%s%s%s\n", message_id_text(v->envelope.id, id), size_text(v->envelope.size, size),
           age(clock_wall() - v->envelope.arrived, span), sender, v->envelope.tls == TLS_AS_USUAL ? "" : "  ",
           asked_text(v->envelope.tls), v->held ? "  HELD" : "");
    if (in_full)
        printf("    arrived %s from %s\n", clock_iso_date(v->envelope.arrived, date),
               escape_line(slice_of(v->envelope.origin), origin, sizeof origin));
}

static void show_recipient(const struct queue_view *v, bool in_full)
{
    const struct queue_recipient *r = &v->envelope.recipients[0];
    char address[400], why[400], span[24], destination[400];

    printf("    to <%s>", escape_line(slice_of(r->address), address, sizeof address));
    if (v->leased)
        printf("  in delivery");
    else if (v->due <= clock_wall())
        printf("  due");
    else
        printf("  next in %s", age(v->due - clock_wall(), span));
    if (v->attempts)
        printf(", %u %s", v->attempts, v->attempts == 1 ? "attempt" : "attempts");
    putchar('\n');
    if (in_full)
        printf("        by %s\n", escape_line(slice_of(r->destination), destination, sizeof destination));
    if (v->why[0])
        printf("        %s %s\n", v->status, escape_line(slice_of(v->why), why, sizeof why));
}

static void on_view(void *arg, const struct queue_view *v)
{
    struct shown *s = arg;

    if (v->envelope.id != s->last)
        s->messages++;
    s->recipients++;
    if (s->json) {
        show_json(v);
    } else {
        if (v->envelope.id != s->last)
            show_message(v, s->in_full);
        show_recipient(v, s->in_full);
    }
    s->last = v->envelope.id;
}

/* --- the acts ------------------------------------------------------------------------- */

static int list(struct desk *d, bool json)
{
    struct shown shown = { .json = json };
    struct frame_list request = { .after_number = -1, .limit = PAGE };

    d->view = on_view;
    d->arg = &shown;
    do {
        auto_buf struct buf frame = { 0 };

        buf_init(&frame, 64);
        frame_put_list(&frame, &request);
        if (!ask(d, FRAME_LIST, buf_slice(&frame)))
            return EXIT_FAILED;
        request.after_id = d->listed.after_id;
        request.after_number = d->listed.after_number;
    } while (d->listed.count > 0);
    if (!json && shown.messages == 0)
        puts("the queue is empty");
    else if (!json)
        printf("%" PRIu64 " %s, %" PRIu64 " %s\n", shown.messages, shown.messages == 1 ? "message" : "messages",
               shown.recipients, shown.recipients == 1 ? "recipient" : "recipients");
    return EXIT_OK;
}

static int show(struct desk *d, message_id id, const char *text, bool json)
{
    struct shown shown = { .json = json, .in_full = true };
    struct frame_list request = { .id = id };
    auto_buf struct buf frame = { 0 };

    d->view = on_view;
    d->arg = &shown;
    buf_init(&frame, 64);
    frame_put_list(&frame, &request);
    if (!ask(d, FRAME_LIST, buf_slice(&frame)))
        return EXIT_FAILED;
    if (d->listed.count > 0)
        return EXIT_OK;
    cli_complain("there is no message %s in the queue", text);
    return EXIT_FAILED;
}

static int operate(struct desk *d, enum queue_act act, message_id id, const char *text)
{
    struct frame_operate request = { (uint8_t)act, id };
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 64);
    frame_put_operate(&frame, &request);
    if (!ask(d, FRAME_OPERATE, buf_slice(&frame)))
        return EXIT_FAILED;
    if (d->answer.done)
        return EXIT_OK;
    if (d->answer.why.code == E_NOT_FOUND && id)
        cli_complain("there is no message %s in the queue", text);
    else if (d->answer.why.code == E_NOT_FOUND)
        return EXIT_OK;     /* an empty queue is flushed already */
    else
        cli_complain("%s", d->answer.why.text);
    return EXIT_FAILED;
}

struct health {
    bool json, any;
};

/* What the processes that deliver have noted of themselves: "dns/0", and when and what they found. */
static void show_health(void *arg, const struct note *n)
{
    struct health *h = arg;
    auto_buf struct buf text = { 0 };
    char shown[500];

    if (h->json) {
        buf_init(&text, CHANNEL_FRAME_MAX);
        escape_json(&text, n->value);
        printf("%s\"%s\":%.*s", h->any ? "," : "", n->key, SLICE_ARGS(buf_slice(&text)));
    } else {
        printf("%s %s\n", n->key, escape_line(n->value, shown, sizeof shown));
    }
    h->any = true;
}

static bool show_all_health(struct desk *d, bool json)
{
    struct health h = { .json = json };
    struct error why = { 0 };

    if (json)
        fputs(",\"health\":{", stdout);
    if (!asking_notes(d->store, NOTE_HEALTH, show_health, &h, &why))
        cli_complain("%s", why.text);
    if (json)
        puts("}}");
    return why.code == E_NONE;
}

static int status(struct desk *d, bool json)
{
    const struct queue_figures *f = &d->figures;
    double group;
    char span[24];

    if (!ask(d, FRAME_FIGURES, slice("", 0)))
        return EXIT_FAILED;
    group = f->groups ? (double)f->group_members / (double)f->groups : 0;
    if (json)
        printf("{\"messages\":%" PRIu64 ",\"recipients\":%" PRIu64 ",\"due\":%" PRIu64 ",\"in-delivery\":%" PRIu64
               ",\"held\":%" PRIu64 ",\"body-bytes\":%" PRIu64 ",\"segment-bytes\":%" PRIu64
               ",\"oldest-seconds\":%" PRId64 ",\"groups\":%" PRIu64 ",\"group-size\":%.2f",
               f->messages, f->recipients, f->due, f->leased, f->held, f->body_bytes, f->segment_bytes,
               f->oldest_arrival ? (int64_t)((clock_wall() - f->oldest_arrival) / 1000) : 0, f->groups, group);
    else
        printf("messages %" PRIu64 ", recipients %" PRIu64 ": %" PRIu64 " due, %" PRIu64 " in delivery, %" PRIu64
               " held\noldest %s; %" PRIu64 " bytes of mail in %" PRIu64 " bytes on disk\n"
               "%" PRIu64 " syncs since start, %.1f changes each\n",
               f->messages, f->recipients, f->due, f->leased, f->held,
               f->oldest_arrival ? age(clock_wall() - f->oldest_arrival, span) : "none", f->body_bytes,
               f->segment_bytes, f->groups, group);
    return show_all_health(d, json) ? EXIT_OK : EXIT_FAILED;
}

static int each_id(struct desk *d, const char *command, int count, char **ids, bool json)
{
    static const struct {
        const char *name;
        enum queue_act act;
    } acts[] = { { "retry", ACT_RETRY }, { "hold", ACT_HOLD }, { "release", ACT_RELEASE }, { "remove", ACT_REMOVE } };
    int code = EXIT_OK;

    if (count == 0)
        return cli_usage("queue", "%s needs the id of a message", command);
    for (int i = 0; i < count; i++) {
        int one = EXIT_USAGE;
        message_id id;

        if (!message_id_parse(slice_of(ids[i]), &id))
            return cli_usage("queue", "\"%s\" is no id: they have 13 letters and digits", ids[i]);
        if (strcmp(command, "show") == 0)
            one = show(d, id, ids[i], json);
        for (size_t a = 0; a < sizeof acts / sizeof *acts; a++)
            if (strcmp(command, acts[a].name) == 0)
                one = operate(d, acts[a].act, id, ids[i]);
        if (one == EXIT_USAGE)
            return cli_usage("queue", "\"%s\" is not known", command);
        if (one != EXIT_OK)
            code = one;
    }
    return code;
}

static int run(struct desk *d, int argc, char **argv, bool json)
{
    const char *command = argv[0];

    if (strcmp(command, "list") == 0)
        return list(d, json);
    if (strcmp(command, "status") == 0)
        return status(d, json);
    if (strcmp(command, "flush") == 0)
        return operate(d, ACT_RETRY, 0, "");
    return each_id(d, command, argc - 1, argv + 1, json);
}

int cli_queue(int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
    const char *file = DEFAULT_CONFIG;
    struct desk desk = { 0 };
    struct error why = { 0 };
    struct config *config;
    bool json = false;
    int option, code = EXIT_FAILED;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c': file = optarg; break;
        case 'j': json = true; break;
        default: return cli_usage("queue", "\"%s\" is not known, or lacks its value", argv[optind - 1]);
        }
    }
    if (optind == argc)
        return cli_usage("queue", "say what: list, show, retry, hold, release, remove, flush or status");
    config = cli_config_read(file, CONFIG_TO_ASK);
    if (!config)
        return EXIT_FAILED;
    desk.store = asking_open(config, ASK_RUNNING_OR_DISK, &why);
    if (desk.store)
        code = run(&desk, argc - optind, argv + optind, json);
    else
        cli_complain("%s", why.text);
    asking_close(desk.store);
    config_free(config);
    return code;
}

/* postern send: one message, one server, now. */
#include "cli/cli.h"
#include "cli/transcript.h"

#include "base/escape.h"
#include "base/memory.h"
#include "message/header.h"
#include "net/socket.h"
#include "policy/decide.h"
#include "run/fiber.h"
#include "smtp/client.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>

enum { RECIPIENTS_MAX = 1000, ADDRESSES_MAX = 16, MESSAGE_MAX = 1 << 30 };

struct job {
    /* what was asked */
    const char *server, *sender, *helo, *ca_file, *file;
    const char *to[RECIPIENTS_MAX];
    size_t count;
    struct tls_rule rule;
    bool implicit;
    bool requiretls, tls_optional;
    bool shown;
    struct transcript transcript;
    /* what it needs */
    char *host;
    bool host_is_literal;
    struct address addresses[ADDRESSES_MAX];
    size_t address_count;
    struct decision decision;
    struct slice added;         /* goes in front of the message */
    struct buf message;
    size_t given;               /* of these two */
    struct tls_client *tls;
    /* what came of it */
    int code;
};

/* --- arguments ------------------------------------------------------------------ */

static bool parse_level(struct job *j, const char *text)
{
    j->implicit = strcasecmp(text, "implicit") == 0;
    if (j->implicit) {
        j->rule.level = TLS_LEVEL_ENCRYPT;
        return true;
    }
    return tls_level_parse(slice_of(text), &j->rule.level) && j->rule.level != TLS_LEVEL_DANE_ONLY;
}

static int check_arguments(const struct job *j)
{
    if (!j->server || !j->sender || j->count == 0)
        return cli_usage("send", "--server, --from and --to are needed");
    if (j->requiretls && j->tls_optional)
        return cli_usage("send", "--requiretls and --tls-optional exclude each other");
    if (j->requiretls && j->rule.level == TLS_LEVEL_OFF)
        return cli_usage("send", "--requiretls needs TLS, and --tls off says not to use it");
    return EXIT_OK;
}

static int parse_arguments(struct job *j, int argc, char **argv)
{
    enum { SERVER = 256, FROM, TO, TLS, REQUIRE, OPTIONAL, HELO, CA_FILE };
    static const struct option options[] = {
        { "server", required_argument, NULL, SERVER }, { "from", required_argument, NULL, FROM },
        { "to", required_argument, NULL, TO },         { "tls", required_argument, NULL, TLS },
        { "helo", required_argument, NULL, HELO },     { "ca-file", required_argument, NULL, CA_FILE },
        { "requiretls", no_argument, NULL, REQUIRE },  { "tls-optional", no_argument, NULL, OPTIONAL }, { 0 } };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "v", options, NULL)) != -1) {
        switch (option) {
        case SERVER: j->server = optarg; break;
        case FROM: j->sender = optarg; break;
        case HELO: j->helo = optarg; break;
        case CA_FILE: j->ca_file = optarg; break;
        case REQUIRE: j->requiretls = true; break;
        case OPTIONAL: j->tls_optional = true; break;
        case 'v': j->shown = true; break;
        case TLS:
            if (!parse_level(j, optarg))
                return cli_usage("send", "--tls %s: must be off, may, encrypt, verify or implicit", optarg);
            break;
        case TO:
            if (j->count == RECIPIENTS_MAX)
                return cli_usage("send", "more than %d recipients", RECIPIENTS_MAX);
            j->to[j->count++] = optarg;
            break;
        default:
            return cli_usage("send", "\"%s\" is not known, or lacks its value", argv[optind - 1]);
        }
    }
    if (optind < argc - 1)
        return cli_usage("send", "one message at a time: \"%s\" is one too many", argv[optind + 1]);
    j->file = optind < argc ? argv[optind] : "-";
    return check_arguments(j);
}

/* An address goes into a command line of the protocol: nothing may slip in with it. */
static bool check_addresses(struct job *j)
{
    auto_arena struct arena arena = { 0 };
    struct mailbox mailbox;
    struct error why = { 0 };

    arena_init(&arena, 1024 * 1024);
    if (!mailbox_parse(slice_of(j->sender), &arena, &mailbox, &why)) {
        cli_complain("--from %s: %s", j->sender, why.text);
        return false;
    }
    if (mailbox.is_null)
        j->sender = "";
    for (size_t i = 0; i < j->count; i++) {
        if (!mailbox_parse(slice_of(j->to[i]), &arena, &mailbox, &why) || mailbox.is_null) {
            cli_complain("--to %s: %s", j->to[i], why.code ? why.text : "a recipient is needed");
            return false;
        }
    }
    if (!domain_is_valid(slice_of(j->helo), false) && !literal_is_valid(slice_of(j->helo))) {
        cli_complain("--helo %s: must be a host name", j->helo);
        return false;
    }
    return true;
}

/* --- the message ------------------------------------------------------------------- */

static void add_line(struct buf *message, struct slice line)
{
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    buf_add(message, line);
    buf_add(message, SLICE("\r\n"));
}

static bool read_file(struct job *j, struct buf *raw, struct error *why)
{
    auto_close int fd = strcmp(j->file, "-") == 0 ? dup(STDIN_FILENO) : open(j->file, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return fail_errno(why, E_USAGE, "%s", j->file);
    do {
        char *room = buf_room(raw, 65536);

        if (!room)
            return fail(why, E_MESSAGE_TOO_LARGE, "%s is larger than 1 GiB", j->file);
        n = read(fd, room, 65536);
        if (n > 0)
            buf_grew(raw, (size_t)n);
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n == 0 || fail_errno(why, E_SYSTEM, "%s", j->file);
}

/* The header field says that the message may do without TLS on its way, said
 * once (REQTLS-007, -053). */
static bool say_tls_optional(struct job *j, struct error *why)
{
    struct slice message = buf_slice(&j->message), value;
    struct header_scan h;

    header_scan_init(&h);
    header_scan(&h, message);
    switch (header_tls_required(&h, &value)) {
    case TLS_REQUIRED_NO:
        return true;
    case TLS_REQUIRED_UNCLEAR:
        return fail(why, E_USAGE, "%s says otherwise already: TLS-Required: %.*s", j->file, SLICE_ARGS(value));
    case TLS_REQUIRED_ABSENT:
        break;
    }
    if (slice_starts(message, SLICE(" ")) || slice_starts(message, SLICE("\t")))
        return fail(why, E_USAGE, "%s begins with white space: it has no header to which a field can be added", j->file);
    j->added = SLICE("TLS-Required: No\r\n");
    return true;
}

static bool read_message(struct job *j, struct error *why)
{
    auto_buf struct buf raw = { 0 };
    struct slice rest;

    buf_init(&raw, MESSAGE_MAX);
    if (!read_file(j, &raw, why))
        return false;
    buf_init(&j->message, 2u * MESSAGE_MAX);
    rest = buf_slice(&raw);
    while (rest.len)
        add_line(&j->message, slice_cut(&rest, '\n'));
    rest = buf_slice(&j->message);
    for (size_t i = 0; i + 1 < rest.len; i++)
        if (rest.at[i] == '\r' && rest.at[i + 1] != '\n')
            return fail(why, E_BARE_NEWLINE, "%s has a carriage return inside a line; no server takes that", j->file);
    return !j->tls_optional || say_tls_optional(j, why);
}

static bool next_piece(void *self, struct slice *piece, struct error *why)
{
    struct job *j = self;

    if (j->given == 0 && slice_empty(j->added))
        j->given++;
    *piece = j->given == 0 ? j->added : j->given == 1 ? buf_slice(&j->message) : slice("", 0);
    j->given++;
    return true;
}

static bool has_eight_bit(struct slice message)
{
    for (size_t i = 0; i < message.len; i++)
        if ((unsigned char)message.at[i] > 127)
            return true;
    return false;
}

/* --- the server ------------------------------------------------------------------------ */

static bool find_server(struct job *j, struct error *why)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    struct address literal;
    struct slice host;
    uint16_t port;
    int problem;

    if (!host_port_parse(slice_of(j->server), 25, &host, &port, why))
        return blame(why, "--server");
    j->host = memory_text(host);
    j->host_is_literal = address_parse_ip(host, &literal);
    problem = getaddrinfo(j->host, NULL, &hints, &found);
    if (problem)
        return fail(why, E_DNS, "%s: %s", j->host, gai_strerror(problem));
    for (struct addrinfo *a = found; a && j->address_count < ADDRESSES_MAX; a = a->ai_next) {
        j->addresses[j->address_count] = address_from(a->ai_addr);
        j->addresses[j->address_count++].port = port;
    }
    freeaddrinfo(found);
    return true;
}

static bool judge(void *arg, const struct tls_facts *facts, struct error *why)
{
    struct job *j = arg;

    if (j->shown)
        transcript_print_tls(facts);
    return decide_facts(&j->decision, facts, why);
}

/* The server is the one that the user named: its name needs no other proof, and
 * nobody but the user makes rules for it. */
static bool decide_terms(struct job *j, struct error *why)
{
    static const struct decide_settings settings = { 0 };
    const struct decide_input facts = { .need = j->requiretls ? NEED_REQUIRETLS : NEED_STANDARD, .authentic = true };

    j->decision = decide(&j->rule, &settings, &facts, why);
    return j->decision.outcome == DECIDED_GO;
}

static bool secure_session(struct job *j, struct smtp_client *s, struct error *why)
{
    struct tls_want want = { .client = j->tls, .server_name = j->host_is_literal ? NULL : j->host, .check_name = j->host };

    if (j->implicit) {
        conn_deadline(s->conn, clock_now() + s->times->handshake);
        return conn_start_tls(s->conn, NULL, &want, why) && judge(j, conn_tls(s->conn), why) &&
               smtp_hello(s, true, why);
    }
    if (!smtp_hello(s, decide_clear_after_refusal(&j->decision), why))
        return false;
    switch (decide_plan(&j->decision, s->peer.starttls, why)) {
    case PLAN_CLEAR: return true;
    case PLAN_NEXT_HOST: return false;
    case PLAN_STARTTLS: break;
    }
    return smtp_secure(s, &want, judge, j, why) ||
           (why->code == E_STARTTLS_REFUSED && decide_clear_after_refusal(&j->decision));
}

/* Ready for the message, or nothing of it is said. */
static bool open_session(struct job *j, struct smtp_client *s, struct error *why)
{
    if (!secure_session(j, s, why))
        return false;
    if (decide_keyword(&j->decision, s->peer.requiretls, why))
        return true;
    smtp_quit(s);
    return false;
}

/* --- what came of it ---------------------------------------------------------------------- */

static int worse(int a, int b)
{
    static const int order[] = { EXIT_OK, EXIT_TEMPORARY, EXIT_FAILED };
    size_t ia = 0, ib = 0;

    while (order[ia] != a)
        ia++;
    while (order[ib] != b)
        ib++;
    return order[ia > ib ? ia : ib];
}

static void report(struct job *j, const struct smtp_recipient *r, const struct error *why, const struct tls_facts *tls)
{
    static const char *const words[] = { "not decided", "delivered", "deferred", "failed" };
    char said[400];

    printf("%s: %s tls=%s cipher=%s verdict=%s ", r->address, words[r->result],
           tls ? tls_version_name(tls->version) : "none", tls ? tls->cipher : "none", verdict_name(&j->decision, tls));
    if (r->reply.code)
        printf("said=\"%s\"\n", reply_shown(&r->reply, said));
    else
        printf("why=\"%s\"\n", why->text);
    j->code = worse(j->code, r->result == RCPT_DELIVERED ? EXIT_OK : r->result == RCPT_FAILED ? EXIT_FAILED : EXIT_TEMPORARY);
}

static void transact(struct job *j, struct smtp_client *s)
{
    auto_free struct smtp_recipient *to = memory_array(j->count, sizeof *to);
    struct smtp_mail mail = {
        .sender = j->sender,
        .size = j->added.len + buf_len(&j->message),
        .needs_8bit = has_eight_bit(buf_slice(&j->message)),
        .requiretls = j->requiretls,
        .source = { j, next_piece },
    };
    struct error why = { 0 };
    bool usable;

    for (size_t i = 0; i < j->count; i++)
        to[i].address = j->to[i];
    usable = smtp_send(s, &mail, to, j->count, &why);
    for (size_t i = 0; i < j->count; i++)
        report(j, &to[i], &why, conn_tls(s->conn));
    if (usable)
        smtp_quit(s);
}

/* What a connection came to names its addresses; the server is one of them, perhaps. */
static void complain(const struct job *j, const struct error *why)
{
    if (slice_starts(slice_of(why->text), slice_of(j->server)))
        cli_complain("%s", why->text);
    else
        cli_complain("%s: %s", j->server, why->text);
}

static void run(void *arg)
{
    struct job *j = arg;
    struct dial_settings dialling = { .connect_timeout = SECONDS(30), .stagger = 250 };
    struct smtp_client s;
    struct error why = { 0 };
    size_t used;
    struct conn *conn = dial(j->addresses, j->address_count, &dialling, &used, &why);

    if (conn) {
        j->transcript.line = transcript_print;
        if (j->shown)
            conn_listen_in(conn, transcript_hear, &j->transcript);
        smtp_client_init(&s, conn, j->helo, &smtp_client_times);
        if (open_session(j, &s, &why)) {
            why.code = E_NONE;      /* a refused STARTTLS that may be passed over */
            transact(j, &s);
        }
    }
    if (why.code != E_NONE && j->code == EXIT_OK) {
        complain(j, &why);
        j->code = error_is_final(why.code) ? EXIT_FAILED : EXIT_TEMPORARY;
    }
    conn_close(conn);
    loop_stop();
}

int cli_send(int argc, char **argv)
{
    auto_free struct job *j = NEW(struct job);
    struct tls_client_settings tls = { .minimum = TLS_1_2 };
    struct error why = { 0 };
    char name[256] = "";

    j->rule.level = TLS_LEVEL_MAY;
    gethostname(name, sizeof name - 1);
    j->helo = domain_is_valid(slice_of(name), false) ? name : "[127.0.0.1]";
    j->code = parse_arguments(j, argc, argv);
    if (j->code != EXIT_OK)
        return j->code;
    tls.ca_file = j->ca_file;
    if (!check_addresses(j))
        return EXIT_USAGE;
    loop_open();
    if (decide_terms(j, &why) && find_server(j, &why) && read_message(j, &why) && (j->tls = tls_client_new(&tls, &why))) {
        fiber_start("send", run, j);
        loop_run();
    } else {
        cli_complain("%s", why.text);
        j->code = why.code == E_DNS ? EXIT_TEMPORARY : EXIT_FAILED;
    }
    tls_client_free(j->tls);
    buf_done(&j->message);
    free(j->host);
    loop_close();
    return j->code;
}

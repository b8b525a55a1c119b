#include "smtp/dialogue.h"

#include "base/escape.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    LINE_SKIPPED_MAX = 4 * 1024 * 1024,     /* of one over-long command line, then we have heard enough */
    ARENA_MAX = 4096,                       /* an address takes at most a quarter of it */
    FAREWELL_TIME = SECONDS(10),            /* for the last reply to leave */
};

const struct smtp_limits smtp_default_limits = {
    .message_bytes = 50 * 1024 * 1024,
    .line_bytes = 0,
    .recipients = 1000,
    .errors = 20,
    .commands = 20000,
    .messages = 0,
    .command_time = MINUTES(5),
    .data_time = MINUTES(3),
    .transfer_time = MINUTES(10),
    .handshake_time = MINUTES(1),
    .session_time = TIME_NEVER,
};

const char *smtp_end_name(enum smtp_end e)
{
    static const char *const names[] = {
        [ENDED_QUIT] = "quit",
        [ENDED_CLOSED] = "closed",
        [ENDED_TIMEOUT] = "timeout",
        [ENDED_CUT_OFF] = "cut-off",
        [ENDED_REFUSED] = "refused",
        [ENDED_TLS_FAILED] = "tls-failed",
        [ENDED_STOPPING] = "stopping",
    };

    return names[e];
}

void smtp_answer_set(struct smtp_answer *a, int code, const char *status, const char *format, ...)
{
    char text[sizeof a->text];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    a->code = code;
    snprintf(a->status, sizeof a->status, "%s", status);
    escape_line(slice_of(text), a->text, sizeof a->text);
}

/* --- replies and endings ---------------------------------------------------- */

printf_like(4, 0)
static void reply(struct dialogue *d, int code, const char *status, const char *format, va_list args)
{
    char text[sizeof ((struct smtp_answer *)0)->text];

    vsnprintf(text, sizeof text, format, args);
    conn_text(d->conn, "%d %s%s%s\r\n", code, status, status[0] ? " " : "", text);
}

void dialogue_reply(struct dialogue *d, int code, const char *status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    reply(d, code, status, format, args);
    va_end(args);
}

void dialogue_refuse(struct dialogue *d, int code, const char *status, const char *format, ...)
{
    va_list args;

    if (++d->ending->errors > d->server->limits.errors) {
        dialogue_reply(d, 421, "4.7.0", "%s Too many errors, closing", d->server->hostname);
        dialogue_end(d, ENDED_CUT_OFF, "%u errors", d->ending->errors);
        return;
    }
    va_start(args, format);
    reply(d, code, status, format, args);
    va_end(args);
}

void dialogue_answer(struct dialogue *d, const struct smtp_answer *a)
{
    const char derived[] = { (char)('0' + a->code / 100), '.', '0', '.', '0', '\0' };
    const char *status = a->status[0] == derived[0] ? a->status : derived;

    assert(a->code >= 200 && a->code <= 599);
    /* RFC 2034 4: "the status code class ... MUST be the same as the reply's
     * first digit"; 3yz has none (SMTP-300). */
    dialogue_reply(d, a->code, a->code / 100 == 3 ? "" : status, "%s", a->text);
    if (a->close || a->code == 421)
        dialogue_end(d, ENDED_CUT_OFF, "%d %s", a->code, a->text);
}

void dialogue_end(struct dialogue *d, enum smtp_end how, const char *format, ...)
{
    va_list args;

    if (d->over)
        return;
    d->over = true;
    d->ending->how = how;
    va_start(args, format);
    vsnprintf(d->ending->why, sizeof d->ending->why, format, args);
    va_end(args);
}

void dialogue_broken(struct dialogue *d, const struct error *why)
{
    const char *host = d->server->hostname;

    switch (why->code) {
    case E_TIMEOUT:
        dialogue_reply(d, 421, "4.4.2", "%s Waited too long, closing", host);
        dialogue_end(d, ENDED_TIMEOUT, "%s", why->text);
        break;
    case E_CANCELLED:
        dialogue_reply(d, 421, "4.3.2", "%s Shutting down", host);
        dialogue_end(d, ENDED_STOPPING, "%s", why->text);
        break;
    case E_LIMIT:
        dialogue_reply(d, 421, "4.7.0", "%s Line far too long, closing", host);
        dialogue_end(d, ENDED_CUT_OFF, "%s", why->text);
        break;
    default:
        dialogue_end(d, ENDED_CLOSED, "%s", why->text);
    }
}

void dialogue_deadline(struct dialogue *d, time_ms patience)
{
    time_ms now = clock_now();
    time_ms deadline = patience < TIME_NEVER - now ? now + patience : TIME_NEVER;

    conn_deadline(d->conn, deadline < d->last_moment ? deadline : d->last_moment);
}

static void flush(struct dialogue *d)
{
    struct error why = { 0 };

    if (!conn_flush(d->conn, &why))
        dialogue_broken(d, &why);
}

/* --- hello -------------------------------------------------------------------- */

static void serve_hello(struct dialogue *d, const struct smtp_command *command)
{
    const struct smtp_server *server = d->server;
    struct smtp_session *s = &d->session;

    transaction_reset(d);       /* RFC 5321 4.1.4: "exactly as if a RSET command had been issued" */
    s->esmtp = command->verb == VERB_EHLO;
    escape_line(command->client_name, s->client_name, sizeof s->client_name);
    memcpy(d->ending->client_name, s->client_name, sizeof d->ending->client_name);
    if (!s->esmtp) {
        dialogue_reply(d, 250, "", "%s", server->hostname);
        return;
    }
    conn_text(d->conn, "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n", server->hostname);
    if (server->limits.message_bytes)
        conn_text(d->conn, "250-SIZE %llu\r\n", (unsigned long long)server->limits.message_bytes);
    else
        conn_text(d->conn, "250-SIZE\r\n");
    if (server->tls && !conn_tls(d->conn))      /* STARTTLS-003 */
        conn_text(d->conn, "250-STARTTLS\r\n");
    if (server->requiretls && conn_tls(d->conn))    /* REQTLS-002 */
        conn_text(d->conn, "250-REQUIRETLS\r\n");
    conn_text(d->conn, "250 ENHANCEDSTATUSCODES\r\n");
}

/* --- TLS ------------------------------------------------------------------------ */

/* After a failure nothing more is said, in clear or otherwise (STARTTLS-013). */
static void start_tls(struct dialogue *d)
{
    struct error why = { 0 };

    dialogue_deadline(d, d->server->limits.handshake_time);
    if (!conn_start_tls(d->conn, d->server->tls, NULL, &why))
        dialogue_end(d, ENDED_TLS_FAILED, "%s", why.text);
}

static void serve_starttls(struct dialogue *d, const struct smtp_command *command)
{
    size_t injected = conn_unread(d->conn);

    if (conn_tls(d->conn)) {
        dialogue_refuse(d, 503, "5.5.1", "TLS is active already");
    } else if (!d->session.esmtp) {
        dialogue_refuse(d, 503, "5.5.1", "Say EHLO first");
    } else if (d->in_transaction) {
        dialogue_refuse(d, 503, "5.5.1", "Not within a mail transaction");
    } else if (!d->server->tls) {
        dialogue_refuse(d, 454, "4.7.0", "TLS is not available");
    } else if (injected > 0) {
        /* STARTTLS-010: this is an attack or a broken client; either way it gets no session. */
        dialogue_reply(d, 554, "5.5.0", "Nothing may follow STARTTLS before the handshake, closing");
        dialogue_end(d, ENDED_TLS_FAILED, "%zu bytes followed STARTTLS in clear", injected);
    } else {
        dialogue_reply(d, 220, "2.0.0", "Ready to start TLS");
        start_tls(d);
        /* RFC 3207 4.2: "The server MUST discard any knowledge obtained from
         * the client, such as the argument to the EHLO command". */
        transaction_reset(d);
        d->session = (struct smtp_session){ .conn = d->conn, .messages = d->session.messages };
    }
}

/* --- the small commands ------------------------------------------------------------ */

static void serve_rset(struct dialogue *d, const struct smtp_command *command)
{
    transaction_reset(d);
    dialogue_reply(d, 250, "2.0.0", "Ok");
}

static void serve_noop(struct dialogue *d, const struct smtp_command *command)
{
    dialogue_reply(d, 250, "2.0.0", "Ok");
}

static void serve_vrfy(struct dialogue *d, const struct smtp_command *command)
{
    dialogue_reply(d, 252, "2.0.0", "Cannot say; send mail and see");
}

static void serve_help(struct dialogue *d, const struct smtp_command *command)
{
    dialogue_reply(d, 214, "2.0.0", "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT%s, as in RFC 5321",
                   d->server->tls ? " STARTTLS" : "");
}

static void serve_quit(struct dialogue *d, const struct smtp_command *command)
{
    dialogue_reply(d, 221, "2.0.0", "%s Bye", d->server->hostname);
    dialogue_end(d, ENDED_QUIT, "%s", "");
}

/* RFC 5321 4.2.4: 502 for what is known but not implemented. */
static void serve_not(struct dialogue *d, const struct smtp_command *command)
{
    dialogue_refuse(d, 502, "5.5.1", "%s is not offered here", verb_name(command->verb));
}

/* --- the dialogue -------------------------------------------------------------------- */

static const struct rule {
    void (*serve)(struct dialogue *d, const struct smtp_command *command);
    bool in_clear;      /* allowed although TLS is required, STARTTLS-023 */
    bool held;          /* RFC 2920 3.2: its reply may wait for the next one's; all others leave at once */
} rules[VERB_COUNT] = {
    [VERB_UNKNOWN] = { serve_not, true, false },
    [VERB_HELO] = { serve_hello, true, false },
    [VERB_EHLO] = { serve_hello, true, false },
    [VERB_MAIL] = { transaction_mail, false, true },
    [VERB_RCPT] = { transaction_rcpt, false, true },
    [VERB_DATA] = { transaction_data, false, false },
    [VERB_RSET] = { serve_rset, true, true },
    [VERB_NOOP] = { serve_noop, true, false },
    [VERB_VRFY] = { serve_vrfy, false, false },
    [VERB_EXPN] = { serve_not, false, false },
    [VERB_HELP] = { serve_help, true, false },
    [VERB_QUIT] = { serve_quit, true, false },
    [VERB_STARTTLS] = { serve_starttls, true, false },
    [VERB_AUTH] = { serve_not, false, false },
    [VERB_BDAT] = { serve_not, false, false },
    [VERB_TURN] = { serve_not, false, false },
    [VERB_ETRN] = { serve_not, false, false },
};

static bool holds_newline(struct slice line)
{
    return slice_find(line, '\r') < line.len || slice_find(line, '\n') < line.len;
}

static void refuse_in_clear(struct dialogue *d, enum smtp_verb verb)
{
    dialogue_refuse(d, 530, "5.7.0", "Must issue a STARTTLS command first");
    if (verb == VERB_MAIL)
        d->ending->refused_in_clear++;
}

static void serve_command(struct dialogue *d, struct slice line)
{
    struct smtp_command command;
    struct smtp_refusal refusal;
    const struct rule *rule;

    arena_reset(&d->line);
    if (!command_parse(line, &d->line, &command, &refusal))
        dialogue_refuse(d, refusal.code, refusal.status, "%s", refusal.text);
    else if (d->server->require_tls && !conn_tls(d->conn) && !rules[command.verb].in_clear)
        refuse_in_clear(d, command.verb);
    else
        rules[command.verb].serve(d, &command);
    rule = &rules[command.verb];
    if (command.verb == VERB_MAIL)
        d->mail_refused = !d->in_transaction;
    if (!rule->held && !d->over)
        flush(d);
}

static void serve_line(struct dialogue *d, struct slice line)
{
    d->ending->commands++;
    if (holds_newline(line)) {
        /* SMTP-042: nobody honest sends these, and what stands behind one was
         * meant for a server that takes it for the end of a line. */
        dialogue_reply(d, 500, "5.5.2", "A command must end in CRLF and hold no other CR or LF, closing");
        dialogue_end(d, ENDED_CUT_OFF, "a bare CR or LF in a command");
    } else if (++d->commands > d->server->limits.commands) {
        dialogue_reply(d, 421, "4.7.0", "%s Too many commands, closing", d->server->hostname);
        dialogue_end(d, ENDED_CUT_OFF, "%u commands without a message", d->commands);
    } else {
        serve_command(d, line);
    }
}

static void serve_next(struct dialogue *d)
{
    struct error why = { 0 };
    struct slice line;

    if (d->server->stopping && *d->server->stopping) {
        dialogue_reply(d, 421, "4.3.2", "%s Shutting down", d->server->hostname);
        dialogue_end(d, ENDED_STOPPING, "shutting down");
        return;
    }
    dialogue_deadline(d, d->server->limits.command_time);
    switch (conn_line(d->conn, COMMAND_LINE_MAX, LINE_SKIPPED_MAX, &line, &why)) {
    case LINE_OK:
        serve_line(d, line);
        break;
    case LINE_TOO_LONG:
        d->ending->commands++;
        dialogue_refuse(d, 500, "5.5.2", "A command may have %d bytes", COMMAND_LINE_MAX);
        break;
    case LINE_FAILED:
        dialogue_broken(d, &why);
        break;
    }
}

static void greet(struct dialogue *d)
{
    /* SMTP-205. Bytes held this early came along with what was read before the
     * dialogue, so this costs no waiting. */
    if (conn_unread(d->conn) > 0) {
        dialogue_reply(d, 554, "5.5.0", "%s You spoke before the greeting", d->server->hostname);
        dialogue_end(d, ENDED_REFUSED, "spoke before the greeting");
        return;
    }
    dialogue_reply(d, 220, "", "%s %s", d->server->hostname, d->server->software);
}

void smtp_serve(struct conn *c, const struct smtp_server *server, const struct smtp_house *house, void *self,
                struct smtp_ending *ending)
{
    struct dialogue d = { .conn = c, .server = server, .house = house, .self = self, .ending = ending };
    time_ms now = clock_now(), most = server->limits.session_time;

    *ending = (struct smtp_ending){ 0 };
    d.session.conn = c;
    d.last_moment = most < TIME_NEVER - now ? now + most : TIME_NEVER;
    arena_init(&d.line, ARENA_MAX);
    arena_init(&d.envelope, ARENA_MAX);
    if (server->implicit_tls)
        start_tls(&d);
    if (!d.over)
        greet(&d);
    while (!d.over)
        serve_next(&d);
    transaction_reset(&d);
    conn_deadline(c, clock_now() + FAREWELL_TIME);
    (void)!conn_flush(c, NULL);
    arena_done(&d.line);
    arena_done(&d.envelope);
}

/* --- no service -------------------------------------------------------------------------- */

void smtp_refuse(struct conn *c, const struct smtp_server *server, int code, const char *status, const char *text)
{
    enum { COMMANDS = 20 };
    struct slice line;

    conn_deadline(c, clock_now() + FAREWELL_TIME);
    if (server->implicit_tls && !conn_start_tls(c, server->tls, NULL, NULL))
        return;
    conn_text(c, "%d %s %s\r\n", code, status, text);
    for (int i = 0; i < COMMANDS && code != 421; i++) {
        enum line_result got = conn_line(c, COMMAND_LINE_MAX, LINE_SKIPPED_MAX, &line, NULL);

        if (got == LINE_FAILED)
            break;
        if (got == LINE_OK && slice_equal_nocase(slice_trim(line), SLICE("QUIT"))) {
            conn_text(c, "221 2.0.0 %s Bye\r\n", server->hostname);
            break;
        }
        conn_text(c, "503 5.5.1 No service here; QUIT is all that is left\r\n");
    }
    (void)!conn_flush(c, NULL);
}

#include "smtp/dialogue.h"

#include "smtp/data.h"

/* --- its beginning and its end ---------------------------------------------- */

static void forget_transaction(struct dialogue *d)
{
    struct smtp_session *s = &d->session;

    s->sender = (struct mailbox){ .local = slice("", 0), .domain = slice("", 0) };
    s->has_size = false;
    s->declared_size = 0;
    s->body = BODY_7BIT;
    s->requiretls = false;
    s->recipients = 0;
    s->bytes = 0;
    s->eight_bit = false;
    d->in_transaction = d->rcpt_tried = d->mail_refused = false;
    arena_reset(&d->envelope);
}

void transaction_reset(struct dialogue *d)
{
    if (d->in_transaction)
        d->house->reset(d->self);
    forget_transaction(d);
}

/* SMTP-172, RFC 6409 4.2: on submission "all domains ... are fully qualified". */
static bool is_qualified(const struct dialogue *d, const struct mailbox *m)
{
    bool has_name = !m->is_literal && !slice_empty(m->domain);

    return !d->server->qualified_domains_only || !has_name || slice_find(m->domain, '.') < m->domain.len;
}

/* --- MAIL --------------------------------------------------------------------- */

/* REQTLS-003. In clear the demand is refused and not taken note of: whoever can
 * read the message now cannot be kept from it later. */
static bool refuse_requiretls(struct dialogue *d)
{
    const struct smtp_server *server = d->server;

    if (conn_tls(d->conn) && server->requiretls)
        return false;
    if (server->tls && server->requiretls)
        dialogue_refuse(d, 530, "5.7.10", "REQUIRETLS needs TLS, say STARTTLS first");
    else
        dialogue_refuse(d, 555, "5.5.4", "MAIL parameter REQUIRETLS is not offered here");
    return true;
}

static void begin_transaction(struct dialogue *d, const struct smtp_command *command)
{
    struct smtp_session *s = &d->session;

    s->sender = command->path;
    s->sender.local = arena_copy(&d->envelope, command->path.local);
    s->sender.domain = arena_copy(&d->envelope, command->path.domain);
    s->has_size = command->has_size;
    s->declared_size = command->size;
    s->body = command->body;
    s->requiretls = command->requiretls;
}

void transaction_mail(struct dialogue *d, const struct smtp_command *command)
{
    const struct smtp_limits *limits = &d->server->limits;
    struct smtp_answer a = { 0 };

    if (d->session.client_name[0] == '\0') {
        dialogue_refuse(d, 503, "5.5.1", "Say EHLO first");
    } else if (d->in_transaction) {
        dialogue_refuse(d, 503, "5.5.1", "There is a MAIL already; RSET ends it");
    } else if (command->requiretls && refuse_requiretls(d)) {
        return;
    } else if (limits->messages && d->session.messages >= limits->messages) {
        dialogue_reply(d, 421, "4.7.0", "%s Enough messages for one session, come again", d->server->hostname);
        dialogue_end(d, ENDED_CUT_OFF, "%u messages", d->session.messages);
    } else if (limits->message_bytes && command->size > limits->message_bytes) {
        /* RFC 1870 6.1 */
        dialogue_reply(d, 552, "5.3.4", "A message may have %llu bytes", (unsigned long long)limits->message_bytes);
    } else if (!is_qualified(d, &command->path)) {
        dialogue_reply(d, 554, "5.1.8", "The sender's domain must be a full name, with a dot");
    } else {
        begin_transaction(d, command);
        smtp_answer_set(&a, 250, "2.1.0", "Sender accepted");
        d->house->mail(d->self, &d->session, &a);
        if (a.code / 100 == 2)
            d->in_transaction = true;
        else
            forget_transaction(d);
        dialogue_answer(d, &a);
    }
}

/* --- RCPT --------------------------------------------------------------------- */

/* RCPT or DATA without MAIL. When the client pipelined them behind a MAIL that
 * was refused, that is no error of its own. */
static void refuse_without_mail(struct dialogue *d)
{
    if (d->mail_refused)
        dialogue_reply(d, 503, "5.5.1", "MAIL was refused");
    else
        dialogue_refuse(d, 503, "5.5.1", "MAIL comes first");
}

void transaction_rcpt(struct dialogue *d, const struct smtp_command *command)
{
    struct smtp_session *s = &d->session;
    struct smtp_answer a = { 0 };

    if (!d->in_transaction) {
        refuse_without_mail(d);
        return;
    }
    d->rcpt_tried = true;
    if (s->recipients >= d->server->limits.recipients) {
        dialogue_reply(d, 452, "4.5.3", "Too many recipients; send to the others with another MAIL");
    } else if (!is_qualified(d, &command->path)) {
        dialogue_reply(d, 554, "5.1.2", "The recipient's domain must be a full name, with a dot");
    } else {
        smtp_answer_set(&a, 250, "2.1.5", "Recipient accepted");
        d->house->rcpt(d->self, s, &command->path, &a);
        if (a.code / 100 == 2) {
            s->recipients++;
            d->commands--;
        }
        dialogue_answer(d, &a);
    }
}

/* --- DATA ---------------------------------------------------------------------- */

struct incoming {
    struct dialogue *d;
    struct data_reader reader;
    bool too_large;
    bool unwanted;              /* the rest is read and dropped (SMTP-051) */
    time_ms begun;
    uint64_t bytes_before;      /* on the connection */
};

/* Bytes above 127 and NULs pass, announced or not: dropping or changing them
 * would break signatures, and refusing them would help nobody. */
static void take_piece(void *arg, struct slice piece)
{
    struct incoming *in = arg;
    uint64_t limit = in->d->server->limits.message_bytes;

    in->too_large |= limit && in->reader.bytes > limit;
    in->unwanted |= in->too_large || in->reader.bare_cr || in->reader.bare_lf;
    if (!in->unwanted)
        in->unwanted = !in->d->house->body(in->d->self, piece);
}

/* How long to wait for the next piece: no longer than for any piece, nor than
 * is left for the whole at 1 KiB a second. */
static time_ms patience(const struct incoming *in)
{
    const struct smtp_limits *limits = &in->d->server->limits;
    uint64_t earned = (conn_bytes_in(in->d->conn) - in->bytes_before) / 1024 * 1000;
    time_ms spent = clock_now() - in->begun, left;

    if (limits->transfer_time > TIME_NEVER / 2 || earned > TIME_NEVER / 4)
        return limits->data_time;
    left = limits->transfer_time + (time_ms)earned - spent;
    return left < limits->data_time ? left : limits->data_time;
}

/* All of the data, whatever is wrong with it (SMTP-051). False: the connection failed. */
static bool read_data(struct incoming *in, struct error *why)
{
    struct conn *c = in->d->conn;
    bool ended = false;

    while (!ended) {
        if (conn_unread(c) == 0) {
            dialogue_deadline(in->d, patience(in));
            if (!conn_more(c, why))
                return false;
        }
        conn_consume(c, data_read(&in->reader, conn_peek(c), take_piece, in, &ended));
    }
    return true;
}

/* What the dialogue itself finds wrong with a message; false when nothing is. */
static bool refuse_data(struct incoming *in)
{
    const struct smtp_limits *limits = &in->d->server->limits;
    const struct data_reader *r = &in->reader;

    if (r->bare_cr || r->bare_lf) {
        /* SMTP-042: were this passed on, a server that takes a bare LF for the
         * end of a line could find commands in it. */
        dialogue_reply(in->d, 550, "5.6.0", "The message holds a bare %s; lines must end in CRLF, closing",
                       r->bare_lf ? "LF" : "CR");
        dialogue_end(in->d, ENDED_CUT_OFF, "a bare %s in a message", r->bare_lf ? "LF" : "CR");
        return true;
    }
    if (in->too_large) {
        dialogue_reply(in->d, 552, "5.3.4", "A message may have %llu bytes",
                       (unsigned long long)limits->message_bytes);
        return true;
    }
    if (limits->line_bytes && r->longest_line > limits->line_bytes) {
        dialogue_reply(in->d, 550, "5.6.0", "A line may have %zu bytes", limits->line_bytes);
        return true;
    }
    return false;
}

static void end_message(struct incoming *in)
{
    struct dialogue *d = in->d;
    struct smtp_answer a = { 0 };

    d->session.bytes = in->reader.bytes;
    d->session.eight_bit = in->reader.eight_bit;
    smtp_answer_set(&a, 250, "2.0.0", "Message accepted");
    d->house->end(d->self, &d->session, &a);
    if (a.code / 100 == 2) {
        d->session.messages++;
        d->ending->messages++;
        d->commands = 0;
    }
    forget_transaction(d);      /* RFC 5321 4.1.1.4: "the buffers are cleared", accepted or not */
    dialogue_answer(d, &a);
}

static void receive(struct dialogue *d)
{
    struct incoming in = { .d = d, .begun = clock_now(), .bytes_before = conn_bytes_in(d->conn) };
    struct error why = { 0 };

    data_reader_init(&in.reader);
    if (!read_data(&in, &why)) {
        blame(&why, "in DATA");
        dialogue_broken(d, &why);
    } else if (refuse_data(&in)) {
        transaction_reset(d);
    } else {
        end_message(&in);
    }
}

void transaction_data(struct dialogue *d, const struct smtp_command *command)
{
    struct smtp_answer a = { 0 };

    if (!d->in_transaction) {
        refuse_without_mail(d);
    } else if (d->session.recipients == 0 && d->rcpt_tried) {
        dialogue_reply(d, 554, "5.5.1", "No recipient was accepted");
    } else if (d->session.recipients == 0) {
        dialogue_refuse(d, 503, "5.5.1", "RCPT comes first");
    } else {
        smtp_answer_set(&a, 354, "", "Send the message, then a line with a single dot");
        d->house->data(d->self, &d->session, &a);
        dialogue_answer(d, &a);
        if (a.code == 354 && !d->over)
            receive(d);
    }
}

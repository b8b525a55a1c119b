#include "smtp/client.h"

#include "base/escape.h"
#include "smtp/data.h"

#include <stdio.h>

const struct smtp_times smtp_client_times = {
    .greeting = MINUTES(5),
    .ehlo = MINUTES(5),
    .starttls = MINUTES(5),
    .handshake = MINUTES(1),
    .mail = MINUTES(5),
    .rcpt = MINUTES(5),
    .data = MINUTES(2),
    .block = MINUTES(3),
    .final = MINUTES(10),
    .rset = SECONDS(30),
    .quit = SECONDS(30),
};

void smtp_client_init(struct smtp_client *s, struct conn *c, const char *helo, const struct smtp_times *times)
{
    *s = (struct smtp_client){ .conn = c, .helo = helo, .times = times };
}

/* --- hearing --------------------------------------------------------------- */

/* The reply to `command` goes to s->last. False when none came, or 421, which
 * ends the session whatever was asked (RFC 5321 3.8). */
static bool hear_lines(struct smtp_client *s, const char *command, time_ms patience,
                       void (*each_line)(void *arg, struct slice text), void *arg, struct error *why)
{
    snprintf(s->command, sizeof s->command, "%s", command);
    s->last = (struct reply){ 0 };
    conn_deadline(s->conn, clock_now() + patience);
    if (!reply_read(s->conn, &s->last, each_line, arg, why))
        return blame(why, "%s", command);
    return s->last.code != 421 || reply_refused(&s->last, command, why);
}

static bool hear(struct smtp_client *s, const char *command, time_ms patience, struct error *why)
{
    return hear_lines(s, command, patience, NULL, NULL, why);
}

/* Called when no answer is outstanding: what has come already answers
 * nothing (SMTP-092). A 421 may come at any time, and is believed. */
static bool in_turn(struct smtp_client *s, struct error *why)
{
    size_t unread = conn_unread(s->conn);

    if (unread == 0)
        return true;
    if (slice_starts(conn_peek(s->conn), SLICE("421")) && !hear(s, "silence", s->times->quit, why))
        return false;
    return fail(why, E_PROTOCOL, "the server spoke out of turn: %zu bytes", unread);
}

static bool ask(struct smtp_client *s, const char *command, time_ms patience, struct error *why)
{
    if (!in_turn(s, why))
        return false;
    conn_text(s->conn, "%s\r\n", command);
    return hear(s, command, patience, why);
}

/* A 5yz that is said of the host, not of a recipient, is no reason to bounce. */
static bool host_refuses(const struct smtp_client *s, struct error *why)
{
    reply_refused(&s->last, s->command, why);
    if (why && why->code == E_REFUSED)
        why->code = E_HOST_REFUSES;
    return false;
}

static bool starttls_refused(const struct smtp_client *s, struct error *why)
{
    reply_refused(&s->last, s->command, why);
    if (why && (why->code == E_REFUSED || why->code == E_REFUSED_FOR_NOW))
        why->code = E_STARTTLS_REFUSED;
    return false;
}

/* --- hello ----------------------------------------------------------------- */

static void first_word(struct slice text, char *name, size_t size)
{
    escape_line(slice_cut(&text, ' '), name, size);
}

struct ehlo_answer {
    struct smtp_peer peer;
    bool begun;
};

/* One line of EHLO's answer: the first names the server, each other one holds
 * a keyword and perhaps parameters. Unknown ones are no concern of ours. */
static void take_ehlo_line(void *arg, struct slice line)
{
    struct ehlo_answer *a = arg;
    struct slice rest = slice_trim(line), keyword = slice_cut(&rest, ' ');
    const struct {
        const char *keyword;
        bool *offered;
    } keywords[] = {
        { "STARTTLS", &a->peer.starttls },
        { "PIPELINING", &a->peer.pipelining },
        { "8BITMIME", &a->peer.eightbitmime },
        { "ENHANCEDSTATUSCODES", &a->peer.enhanced_status },
        { "DSN", &a->peer.dsn },
        { "SMTPUTF8", &a->peer.smtputf8 },
        { "CHUNKING", &a->peer.chunking },
        { "REQUIRETLS", &a->peer.requiretls },
        { "SIZE", &a->peer.has_size },
    };

    if (!a->begun) {
        a->begun = true;
        first_word(line, a->peer.name, sizeof a->peer.name);
        return;
    }
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (slice_equal_nocase(keyword, slice_of(keywords[i].keyword)))
            *keywords[i].offered = true;
    /* RFC 1870 4: without a number, or with 0, there is no fixed maximum. */
    if (slice_equal_nocase(keyword, SLICE("SIZE")) && !slice_to_number(slice_trim(rest), UINT64_MAX, &a->peer.size_max))
        a->peer.size_max = 0;
}

/* STARTTLS-001: all but the greeting, which nobody acts on. */
static void forget(struct smtp_client *s, struct smtp_peer *peer)
{
    memcpy(peer->greeting, s->peer.greeting, sizeof peer->greeting);
    s->peer = *peer;
}

static bool helo(struct smtp_client *s, struct error *why)
{
    conn_text(s->conn, "HELO %s\r\n", s->helo);
    if (!hear(s, "HELO", s->times->ehlo, why))
        return false;
    if (reply_class(&s->last) != 2)
        return host_refuses(s, why);
    first_word(slice_of(s->last.text), s->peer.name, sizeof s->peer.name);
    return true;
}

static bool ehlo(struct smtp_client *s, bool helo_allowed, struct error *why)
{
    struct ehlo_answer answer = { 0 };

    if (!in_turn(s, why))
        return false;
    conn_text(s->conn, "EHLO %s\r\n", s->helo);
    if (!hear_lines(s, "EHLO", s->times->ehlo, take_ehlo_line, &answer, why))
        return false;
    if (s->last.code == 220)    /* SMTP-092: a second greeting, no answer */
        return fail(why, E_PROTOCOL, "the server greeted twice");
    if (reply_class(&s->last) == 5 && helo_allowed)
        return in_turn(s, why) && helo(s, why);
    if (reply_class(&s->last) != 2)
        return host_refuses(s, why);
    answer.peer.esmtp = true;
    if (conn_tls(s->conn))      /* offered once more inside TLS, it cannot be meant (STARTTLS-004) */
        answer.peer.starttls = false;
    else                        /* offered in clear, anybody may have put it there (REQTLS-023) */
        answer.peer.requiretls = false;
    forget(s, &answer.peer);
    return true;
}

bool smtp_hello(struct smtp_client *s, bool helo_allowed, struct error *why)
{
    if (!hear(s, "connection", s->times->greeting, why))
        return false;
    if (reply_class(&s->last) != 2)
        return host_refuses(s, why);
    escape_line(slice_of(s->last.text), s->peer.greeting, sizeof s->peer.greeting);
    return ehlo(s, helo_allowed, why);
}

bool smtp_secure(struct smtp_client *s, const struct tls_want *want,
                 bool (*judge)(void *arg, const struct tls_facts *facts, struct error *why), void *arg,
                 struct error *why)
{
    if (!s->peer.starttls)
        return fail(why, E_STARTTLS_NOT_OFFERED, "STARTTLS is not offered");
    if (!ask(s, "STARTTLS", s->times->starttls, why))
        return false;
    if (s->last.code != 220)
        return starttls_refused(s, why);

    /* RFC 3207 4.2: "The client MUST discard any knowledge obtained from the
     * server, such as the list of SMTP service extensions". */
    forget(s, &(struct smtp_peer){ 0 });
    conn_deadline(s->conn, clock_now() + s->times->handshake);
    if (!conn_start_tls(s->conn, NULL, want, why))
        return blame(why, "STARTTLS");
    if (judge && !judge(arg, conn_tls(s->conn), why)) {
        smtp_quit(s);
        return false;
    }
    return ehlo(s, false, why);
}

/* --- one message: the envelope ---------------------------------------------- */

/* SMTP-204: a group is sent whole before its replies are read, so it must fit
 * into the buffers between us and a server that is stuck in its own writing. */
enum { GROUP_COMMANDS = 100, GROUP_BYTES = 4096 };

/* The commands of an envelope are numbered: 0 is MAIL, then one RCPT for each
 * recipient, and DATA is the last. */
struct mailing {
    struct smtp_client *s;
    const struct smtp_mail *mail;
    struct smtp_recipient *recipients;
    size_t count;
    size_t accepted;            /* recipients */
    bool mail_refused;
    bool go_ahead;              /* DATA was answered 354 */
    size_t unflushed;           /* bytes of the body since the last flush */
};

static void decide(struct smtp_recipient *r, const struct reply *reply)
{
    r->result = reply_class(reply) == 2 ? RCPT_DELIVERED : reply_class(reply) == 4 ? RCPT_DEFERRED : RCPT_FAILED;
    r->reply = *reply;
}

static void decide_all(struct mailing *m, const struct reply *reply)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->recipients[i].result == RCPT_UNDECIDED)
            decide(&m->recipients[i], reply);
}

static void fail_all(struct mailing *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->recipients[i].result == RCPT_UNDECIDED)
            m->recipients[i].result = RCPT_FAILED;
}

static size_t say_command(struct mailing *m, size_t number)
{
    const struct smtp_peer *peer = &m->s->peer;
    size_t before = conn_unsent(m->s->conn);

    if (number > m->count) {
        conn_text(m->s->conn, "DATA\r\n");
    } else if (number > 0) {
        conn_text(m->s->conn, "RCPT TO:<%s>\r\n", m->recipients[number - 1].address);
    } else {
        /* SMTP-018: only parameters that this EHLO offered */
        conn_text(m->s->conn, "MAIL FROM:<%s>", m->mail->sender);
        if (peer->has_size)
            conn_text(m->s->conn, " SIZE=%llu", (unsigned long long)m->mail->size);
        if (peer->eightbitmime && m->mail->needs_8bit)
            conn_text(m->s->conn, " BODY=8BITMIME");
        if (m->mail->requiretls)
            conn_text(m->s->conn, " REQUIRETLS");
        conn_text(m->s->conn, "\r\n");
    }
    return conn_unsent(m->s->conn) - before;
}

/* Says commands from `number` on; returns the number of the first not said. DATA
 * is always the last of its group (SMTP-202). */
static size_t say_group(struct mailing *m, size_t number)
{
    size_t end = m->s->peer.pipelining ? number + GROUP_COMMANDS : number + 1;
    size_t bytes = 0;

    while (number < end && number <= m->count + 1 && bytes < GROUP_BYTES)
        bytes += say_command(m, number++);
    return number;
}

static bool hear_mail(struct mailing *m, struct error *why)
{
    struct smtp_client *s = m->s;

    if (!hear(s, "MAIL", s->times->mail, why))
        return false;
    if (reply_class(&s->last) == 3)
        return reply_refused(&s->last, s->command, why);
    m->mail_refused = reply_class(&s->last) != 2;
    s->transaction_open = !m->mail_refused;
    if (m->mail_refused)
        decide_all(m, &s->last);
    return true;
}

static bool hear_rcpt(struct mailing *m, struct smtp_recipient *r, struct error *why)
{
    struct smtp_client *s = m->s;

    if (!hear(s, "RCPT", s->times->rcpt, why))
        return false;
    if (reply_class(&s->last) == 3)
        return reply_refused(&s->last, s->command, why);
    if (m->mail_refused)            /* decided already; this one only says that there is no MAIL */
        return true;
    if (reply_class(&s->last) == 2) {
        m->accepted++;
        return true;
    }
    decide(r, &s->last);
    /* RFC 5321 4.5.3.1.10: a 552 here is often meant as 452, too many recipients. */
    if (s->last.code == 552 && m->accepted > 0)
        r->result = RCPT_DEFERRED;
    return true;
}

static bool hear_data(struct mailing *m, struct error *why)
{
    struct smtp_client *s = m->s;

    if (!hear(s, "DATA", s->times->data, why))
        return false;
    if (reply_class(&s->last) == 2)
        return reply_refused(&s->last, s->command, why);
    m->go_ahead = reply_class(&s->last) == 3;
    if (!m->go_ahead)
        decide_all(m, &s->last);
    return true;
}

static bool hear_answer(struct mailing *m, size_t number, struct error *why)
{
    if (number == 0)
        return hear_mail(m, why);
    if (number <= m->count)
        return hear_rcpt(m, &m->recipients[number - 1], why);
    return hear_data(m, why);
}

/* MAIL to DATA, in groups: each is answered in full before the next is said. */
static bool envelope(struct mailing *m, struct error *why)
{
    size_t said = 0, heard = 0, data = m->count + 1;

    while (heard <= data) {
        if (m->mail_refused || (heard == data && m->accepted == 0))
            return true;
        if (!in_turn(m->s, why))
            return false;
        said = say_group(m, said);
        while (heard < said)
            if (!hear_answer(m, heard++, why))
                return false;
    }
    return true;
}

/* --- one message: the body --------------------------------------------------- */

enum { FLUSH_BYTES = 32 * 1024 };

static void put_body(void *arg, struct slice piece)
{
    struct mailing *m = arg;

    conn_write(m->s->conn, piece);
    m->unflushed += piece.len;
}

static bool bare_newline(struct mailing *m, struct error *why)
{
    fail_all(m);
    return fail(why, E_BARE_NEWLINE, "the message has a CR or LF that is not part of a CRLF");
}

static bool send_body(struct mailing *m, struct error *why)
{
    const struct smtp_source *source = &m->mail->source;
    struct smtp_client *s = m->s;
    struct data_writer w;
    struct slice piece;

    data_writer_init(&w);
    for (;;) {
        if (!source->next(source->self, &piece, why))
            return false;
        if (slice_empty(piece))
            break;
        conn_deadline(s->conn, clock_now() + s->times->block);
        data_write(&w, piece, put_body, m);
        if (w.bare_newline)
            return bare_newline(m, why);
        if (m->unflushed >= FLUSH_BYTES) {
            m->unflushed = 0;
            if (!conn_flush(s->conn, why))
                return blame(why, "sending the message");
        }
    }
    data_finish(&w, put_body, m);
    return !w.bare_newline || bare_newline(m, why);
}

static bool message(struct mailing *m, struct error *why)
{
    struct smtp_client *s = m->s;

    if (!in_turn(s, why))       /* what came along with the 354 answers no message */
        return false;
    /* RFC 2920 3.1: with no recipient accepted "the client SHOULD send a single
     * dot", and nobody gets that message whatever the server says of it. */
    if (m->accepted == 0)
        conn_text(s->conn, ".\r\n");
    else if (!send_body(m, why))
        return false;
    if (!hear(s, SMTP_END_OF_DATA, s->times->final, why))
        return false;
    if (reply_class(&s->last) == 3)
        return reply_refused(&s->last, s->command, why);
    s->transaction_open = false;
    decide_all(m, &s->last);
    return true;
}

/* --- one message: all of it --------------------------------------------------- */

/* Addresses come from our own grammar; still none may ever end a line. */
static bool is_sendable(const char *address)
{
    size_t len = strlen(address);

    for (size_t i = 0; i < len; i++)
        if (address[i] < ' ' || address[i] > '~')
            return false;
    return len <= 1000;
}

/* Is there any use in asking this server? */
static bool can_take(const struct mailing *m, struct error *why)
{
    const struct smtp_peer *peer = &m->s->peer;

    if (peer->size_max > 0 && m->mail->size > peer->size_max)
        return fail(why, E_MESSAGE_TOO_LARGE, "the message has %llu bytes, the server takes %llu",
                    (unsigned long long)m->mail->size, (unsigned long long)peer->size_max);
    if (m->mail->needs_8bit && !peer->eightbitmime)
        return fail(why, E_NEEDS_8BITMIME, "the message has 8-bit bytes, and the server does not offer 8BITMIME");
    if (!is_sendable(m->mail->sender))
        return fail(why, E_MALFORMED, "the sender cannot stand in a command: %s", m->mail->sender);
    for (size_t i = 0; i < m->count; i++)
        if (!is_sendable(m->recipients[i].address))
            return fail(why, E_MALFORMED, "a recipient cannot stand in a command: %s", m->recipients[i].address);
    return true;
}

bool smtp_send(struct smtp_client *s, const struct smtp_mail *mail, struct smtp_recipient *recipients, size_t count,
               struct error *why)
{
    struct mailing m = { .s = s, .mail = mail, .recipients = recipients, .count = count };

    for (size_t i = 0; i < count; i++) {
        recipients[i].result = RCPT_UNDECIDED;
        recipients[i].reply = (struct reply){ 0 };
    }
    if (!can_take(&m, why)) {
        fail_all(&m);
        return true;
    }
    if (s->transaction_open && !smtp_reset(s, why))
        return false;
    if (!envelope(&m, why))
        return false;
    return !m.go_ahead || message(&m, why);
}

/* --- farewell ------------------------------------------------------------------ */

void smtp_quit(struct smtp_client *s)
{
    ask(s, "QUIT", s->times->quit, NULL);
}

bool smtp_reset(struct smtp_client *s, struct error *why)
{
    if (!ask(s, "RSET", s->times->rset, why))
        return false;
    s->transaction_open = false;
    return reply_class(&s->last) == 2 || reply_refused(&s->last, s->command, why);
}

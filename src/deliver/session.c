#include "deliver/session.h"

#include "base/log.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>

struct judge {
    const struct decision *decision;
    struct session *session;
};

static bool judge_facts(void *arg, const struct tls_facts *facts, struct error *why)
{
    const struct judge *j = arg;

    j->session->seen = *facts;
    j->session->handshaken = true;
    return decide_facts(j->decision, facts, why);
}

/* An address has no name to ask for, but the operator may have given one. */
static const char *listed_server_name(const struct tls_rule *rule)
{
    for (size_t i = 0; i < rule->name_count; i++)
        if (rule->names[i][0] != '.')
            return rule->names[i];
    return NULL;
}

/* RFC 7672 8.1: "the client MUST send the SNI extension containing its TLSA
 * base domain"; RFC 8461 7.1 wants the MX host name, which is the same but for
 * aliases (docs/policy.md). */
static struct tls_want wanted(const struct session_settings *settings, const struct session_target *target)
{
    const struct host_findings *f = target->found;
    const struct decision *d = target->decision;
    bool dane = decide_asks_dane(d);

    return (struct tls_want){
        .client = settings->tls,
        .server_name = !f->is_name ? listed_server_name(d->rule) : dane ? f->base : f->host,
        .check_name = f->host,
        .minimum = d->rule->minimum,
        .ciphers = d->rule->ciphers,
        .names = d->rule->names,
        .name_count = d->rule->name_count,
        .dane = dane ? f->records.usable : NULL,
        .dane_count = dane ? f->records.usable_count : 0,
        .dane_names = f->names,
        .dane_name_count = f->name_count,
    };
}

static void log_line(void *arg, bool sent, struct slice line)
{
    const struct session *s = arg;
    struct log_line l = log_begin(LOG_LEVEL_DEBUG, sent ? "smtp.sent" : "smtp.heard");

    log_text(&l, "relay", s->shown);
    log_text(&l, "tls", session_tls(s) ? tls_version_name(session_tls(s)->version) : "none");
    log_slice(&l, "line", line);
    log_end(&l);
}

static void overhear(struct session *s)
{
    if (!log_wants(LOG_LEVEL_DEBUG))
        return;
    s->transcript = (struct transcript){ .line = log_line, .arg = s };
    conn_listen_in(s->smtp.conn, transcript_hear, &s->transcript);
}

static void note_address(struct session *s, const struct address *a)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (a->family == AF_INET6) {
        memcpy(s->address, a->ip, sizeof s->address);
        return;
    }
    memcpy(s->address, mapped, sizeof mapped);
    memcpy(s->address + sizeof mapped, a->ip, 4);
}

static bool connect_to(const struct session_settings *settings, const struct address *addresses, size_t count,
                       struct session *s, size_t *used, struct error *why)
{
    char text[ADDRESS_TEXT_MAX];
    struct conn *conn = dial(addresses, count, settings->dial, used, why);

    if (!conn)
        return false;
    s->tls_problem = (struct error){ 0 };       /* what was seen at another address says nothing of this one */
    s->starttls_code = 0;
    s->handshaken = false;
    snprintf(s->shown, sizeof s->shown, "%s[%s]:%u", s->host, address_ip_text(&addresses[*used], text),
             addresses[*used].port);
    note_address(s, &addresses[*used]);
    s->ends.helo[0] = '\0';
    address_ip_text(&addresses[*used], s->ends.to);
    address_ip_text(conn_local(conn), s->ends.from);
    smtp_client_init(&s->smtp, conn, settings->hostname, settings->times);
    s->opened = clock_now();
    overhear(s);
    return true;
}

/* TLS before the first word (RFC 8314 3.3). */
static bool wrap(const struct session_settings *settings, const struct session_target *target, struct session *s,
                 struct error *why)
{
    struct tls_want want = wanted(settings, target);

    struct judge judge = { target->decision, s };

    conn_deadline(s->smtp.conn, clock_now() + settings->times->handshake);
    return conn_start_tls(s->smtp.conn, NULL, &want, why) && judge_facts(&judge, conn_tls(s->smtp.conn), why);
}

/* The go-ahead was given and then nothing more came: to policy this is a
 * handshake that failed (PD-E06), not a lost connection. */
static bool handshake_was_cut(const struct session *s, const struct error *why)
{
    return s->smtp.last.code == 220 && strcmp(s->smtp.command, "STARTTLS") == 0 && !conn_tls(s->smtp.conn) &&
           (why->code == E_TIMEOUT || why->code == E_CLOSED);
}

/* After EHLO; the name outlives the connection. */
static bool say_hello(struct session *s, bool helo_allowed, struct error *why)
{
    if (!smtp_hello(&s->smtp, helo_allowed, why))
        return false;
    snprintf(s->ends.helo, sizeof s->ends.helo, "%s", s->smtp.peer.name);
    return true;
}

/* STARTTLS by the rule's plan. `*broken` when the connection is of no more use. */
static bool secure(const struct session_settings *settings, const struct session_target *target, struct session *s,
                   bool *broken, struct error *why)
{
    struct tls_want want = wanted(settings, target);
    const struct decision *d = target->decision;
    struct judge judge = { d, s };

    *broken = false;
    s->starttls_missing = !s->smtp.peer.starttls;
    switch (decide_plan(d, s->smtp.peer.starttls, why)) {
    case PLAN_CLEAR:
        return true;
    case PLAN_NEXT_HOST:
        return false;
    case PLAN_STARTTLS:
        break;
    }
    if (smtp_secure(&s->smtp, &want, judge_facts, &judge, why))
        return decide_keyword(d, s->smtp.peer.requiretls, why);
    if (strcmp(s->smtp.command, "STARTTLS") == 0)
        s->starttls_code = s->smtp.last.code;
    if (handshake_was_cut(s, why))
        why->code = E_TLS_HANDSHAKE;
    if (why->code == E_STARTTLS_REFUSED) {
        s->starttls_missing = true;
        s->tls_problem = *why;
        return decide_clear_after_refusal(d);
    }
    *broken = true;
    return false;
}

/* The handshake failed and the rule lets this message go in clear: once more
 * to the same address, on a new connection, without STARTTLS (PD-32). */
static bool reopen_in_clear(const struct session_settings *settings, const struct session_target *target,
                            const struct address *address, struct session *s, struct error *why)
{
    struct error cause = *why;
    size_t used;

    if (!connect_to(settings, address, 1, s, &used, why))
        return false;
    if (!say_hello(s, true, why)) {
        session_close(s, false);
        return false;
    }
    s->tls_problem = cause;
    return true;
}

/* Does this failure say that TLS was not to be had? A server that refuses EHLO has no STARTTLS to offer either. */
static bool lacks_tls(const struct session *s, enum error_code how)
{
    bool no_ehlo = strcmp(s->smtp.command, "EHLO") == 0 && reply_class(&s->smtp.last) == 5 && !session_tls(s);

    return no_ehlo || how == E_STARTTLS_NOT_OFFERED || how == E_STARTTLS_REFUSED || how == E_STARTTLS_INJECTED ||
           how == E_TLS_HANDSHAKE;
}

static void note_lack(struct session *s)
{
    s->lacking++;
    memcpy(s->lacking_at, s->address, sizeof s->lacking_at);
}

/* At the first address that answers; `*used` says which, or is the count when none did. */
static bool open_at_one(const struct session_settings *settings, const struct session_target *target,
                        struct session *s, size_t *used, struct error *why)
{
    const struct decision *d = target->decision;
    bool clear_allowed = decide_clear_after_refusal(d);
    bool broken = true;

    if (!connect_to(settings, target->addresses, target->address_count, s, used, why)) {
        *used = target->address_count;
        return false;
    }
    if (target->implicit_tls) {
        if (wrap(settings, target, s, why) && say_hello(s, true, why) &&
            decide_keyword(d, s->smtp.peer.requiretls, why))
            return true;
        if (why->code == E_TLS_HANDSHAKE)
            note_lack(s);
        session_close(s, false);
        return blame(why, "%s", s->shown);
    }
    /* Without EHLO there is no STARTTLS, so HELO will do only where clear text will (SMTP-093). */
    if (say_hello(s, clear_allowed, why) && secure(settings, target, s, &broken, why)) {
        if (!session_tls(s))
            note_lack(s);
        return true;
    }
    if (lacks_tls(s, why->code))
        note_lack(s);
    session_close(s, !broken);
    if (decide_clear_retry(d, why->code, target->waited) &&
        reopen_in_clear(settings, target, &target->addresses[*used], s, why))
        return true;
    return blame(why, "%s", s->shown);
}

/* What came of one address, with what was seen there. */
struct failure {
    struct error why;
    char shown[400];
    struct session_ends ends;
    int starttls_code;
    bool handshaken;
    struct tls_facts seen;
};

/* The first failure tells most: what one that answered said, rather than that another did not. But one that is final
 * must not hide one that is not (PD-30). */
static void keep_failure(struct failure *told, const struct session *s, const struct error *why)
{
    if (told->why.code != E_NONE &&
        !(decide_is_definitive(&s->held, told->why.code) && !decide_is_definitive(&s->held, why->code)))
        return;
    *told = (struct failure){ .why = *why, .starttls_code = s->starttls_code, .handshaken = s->handshaken,
                              .seen = s->seen, .ends = s->ends };
    memcpy(told->shown, s->shown, sizeof told->shown);
}

static void tell_failure(const struct failure *told, struct session *s, struct error *why)
{
    *why = told->why;
    s->starttls_code = told->starttls_code;
    s->handshaken = told->handshaken;
    s->seen = told->seen;
    s->ends = told->ends;
    memcpy(s->shown, told->shown, sizeof s->shown);
}

/* RFC 5321 5.1: "the SMTP client MUST be able to try (and retry) each of the
 * relevant addresses in this list in order" (SMTP-125). */
bool session_open(const struct session_settings *settings, const struct session_target *target, struct session *s,
                  struct error *why)
{
    struct session_target rest = *target;
    struct failure told = { 0 };

    assert(!session_is_open(s));
    *s = (struct session){ .held = *target->decision };
    snprintf(s->host, sizeof s->host, "%s", target->found->host);
    snprintf(s->shown, sizeof s->shown, "%s", target->found->host);
    while (rest.address_count > 0) {
        size_t used;

        if (open_at_one(settings, &rest, s, &used, why))
            return true;
        if (why->code == E_CANCELLED)
            return false;
        keep_failure(&told, s, why);
        s->some_unasked |= used > 0;
        if (used == rest.address_count)
            break;
        rest.addresses += used + 1;
        rest.address_count -= used + 1;
    }
    tell_failure(&told, s, why);
    return false;
}

bool session_is_open(const struct session *s)
{
    return s->smtp.conn != NULL;
}

void session_close(struct session *s, bool polite)
{
    if (!s->smtp.conn)
        return;
    if (polite)
        smtp_quit(&s->smtp);
    conn_close(s->smtp.conn);
    s->smtp.conn = NULL;
}

const struct tls_facts *session_tls(const struct session *s)
{
    return s->smtp.conn ? conn_tls(s->smtp.conn) : NULL;
}

bool session_may_carry(const struct session *s, const struct decision *d, time_ms waited)
{
    const struct open_session open = { &s->held, session_tls(s), s->tls_problem.code, s->smtp.peer.requiretls };

    return session_is_open(s) && decide_reuse(d, &open, waited);
}

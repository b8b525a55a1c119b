#include "deliver/session.h"

#include "base/log.h"

#include <assert.h>
#include <stdio.h>

struct judge {
    const struct tls_rule *rule;
};

static bool judge_facts(void *arg, const struct tls_facts *facts, struct error *why)
{
    const struct judge *j = arg;

    return decide_facts(j->rule, facts, why);
}

static struct tls_want wanted(const struct session_settings *settings, const struct session_target *target)
{
    return (struct tls_want){
        .client = settings->tls,
        .server_name = target->host_is_name ? target->host : NULL,
        .check_name = target->host,
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

static bool connect_to(const struct session_settings *settings, const struct address *addresses, size_t count,
                       const char *host, struct session *s, size_t *used, struct error *why)
{
    char text[ADDRESS_TEXT_MAX];
    struct conn *conn = dial(addresses, count, settings->dial, used, why);

    if (!conn)
        return false;
    snprintf(s->shown, sizeof s->shown, "%s[%s]:%u", host, address_ip_text(&addresses[*used], text),
             addresses[*used].port);
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

    conn_deadline(s->smtp.conn, clock_now() + settings->times->handshake);
    return conn_start_tls(s->smtp.conn, NULL, &want, why) && decide_facts(target->rule, conn_tls(s->smtp.conn), why);
}

/* The go-ahead was given and then nothing more came: to policy this is a
 * handshake that failed (PD-E06), not a lost connection. */
static bool handshake_was_cut(const struct session *s, const struct error *why)
{
    return s->smtp.last.code == 220 && strcmp(s->smtp.command, "STARTTLS") == 0 && !conn_tls(s->smtp.conn) &&
           (why->code == E_TIMEOUT || why->code == E_CLOSED);
}

/* STARTTLS by the rule's plan. `*broken` when the connection is of no more use. */
static bool secure(const struct session_settings *settings, const struct session_target *target, struct session *s,
                   bool *broken, struct error *why)
{
    struct tls_want want = wanted(settings, target);
    struct judge judge = { target->rule };

    *broken = false;
    switch (decide_plan(target->rule, s->smtp.peer.starttls, why)) {
    case PLAN_CLEAR:
        return true;
    case PLAN_NEXT_HOST:
        return false;
    case PLAN_STARTTLS:
        break;
    }
    if (smtp_secure(&s->smtp, &want, judge_facts, &judge, why))
        return true;
    if (handshake_was_cut(s, why))
        why->code = E_TLS_HANDSHAKE;
    if (why->code == E_STARTTLS_REFUSED && decide_clear_after_refusal(target->rule)) {
        s->tls_problem = *why;
        return true;
    }
    *broken = why->code != E_STARTTLS_REFUSED;
    return false;
}

/* The handshake failed and the rule lets this message go in clear: once more
 * to the same address, on a new connection, without STARTTLS (PD-32). */
static bool reopen_in_clear(const struct session_settings *settings, const struct session_target *target,
                            const struct address *address, struct session *s, struct error *why)
{
    struct error cause = *why;
    size_t used;

    if (!connect_to(settings, address, 1, target->host, s, &used, why))
        return false;
    if (!smtp_hello(&s->smtp, true, why)) {
        session_close(s, false);
        return false;
    }
    s->tls_problem = cause;
    return true;
}

/* At the first address that answers; `*used` says which, or is the count when none did. */
static bool open_at_one(const struct session_settings *settings, const struct session_target *target,
                        struct session *s, size_t *used, struct error *why)
{
    bool clear_allowed = decide_clear_after_refusal(target->rule);
    bool broken = true;

    if (!connect_to(settings, target->addresses, target->address_count, target->host, s, used, why)) {
        *used = target->address_count;
        return false;
    }
    if (target->implicit_tls) {
        if (wrap(settings, target, s, why) && smtp_hello(&s->smtp, true, why))
            return true;
        session_close(s, false);
        return blame(why, "%s", s->shown);
    }
    /* Without EHLO there is no STARTTLS, so HELO will do only where clear text will (SMTP-093). */
    if (smtp_hello(&s->smtp, clear_allowed, why) && secure(settings, target, s, &broken, why))
        return true;
    session_close(s, !broken);
    if (decide_clear_retry(target->rule, why->code, target->waited) &&
        reopen_in_clear(settings, target, &target->addresses[*used], s, why))
        return true;
    return blame(why, "%s", s->shown);
}

/* RFC 5321 5.1: "the SMTP client MUST be able to try (and retry) each of the
 * relevant addresses in this list in order" (SMTP-125). */
bool session_open(const struct session_settings *settings, const struct session_target *target, struct session *s,
                  struct error *why)
{
    struct session_target rest = *target;
    struct error first = { 0 };

    assert(!session_is_open(s));
    *s = (struct session){ .host = target->host };
    snprintf(s->shown, sizeof s->shown, "%s", target->host);
    while (rest.address_count > 0) {
        size_t used;

        if (open_at_one(settings, &rest, s, &used, why))
            return true;
        if (why->code == E_CANCELLED)
            return false;
        if (first.code == E_NONE)
            first = *why;
        if (used == rest.address_count)
            break;
        rest.addresses += used + 1;
        rest.address_count -= used + 1;
    }
    *why = first;       /* what one that answered said tells more than that another did not */
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

#include "deliver/attempt.h"

#include "base/log.h"
#include "base/memory.h"
#include "deliver/maildir.h"
#include "tlsrpt/read.h"

#include <stdio.h>

/* --- the message as a source ------------------------------------------- */

static bool next_piece(void *self, struct slice *piece, struct error *why)
{
    struct delivery_source *s = self;

    if (!s->courier->house->read(s->courier->self, s->delivery, s->offset, piece, why))
        return false;
    s->offset += piece->len;
    return true;
}

struct smtp_source delivery_source_of(struct delivery_source *s)
{
    return (struct smtp_source){ s, next_piece };
}

/* --- logging ------------------------------------------------------------ */

static void log_outcome(const struct delivery *d, struct outcome *o, const struct session *s)
{
    static const char *const events[] = {
        [RCPT_DELIVERED] = "delivery.sent", [RCPT_DEFERRED] = "delivery.deferred", [RCPT_FAILED] = "delivery.failed" };
    const struct tls_facts *tls = s ? session_tls(s) : NULL;
    struct log_line l = log_begin(LOG_LEVEL_INFO, events[o->result]);
    char id[MESSAGE_ID_TEXT];

    log_text(&l, "id", message_id_text(d->lease.envelope.id, id));
    log_text(&l, "from", d->lease.envelope.sender);
    log_text(&l, "to", o->address);
    log_text(&l, "relay", o->host ? o->host : s && s->shown[0] ? s->shown : "none");
    log_text(&l, "tls", tls ? tls_version_name(tls->version) : "none");
    log_text(&l, "cipher", tls ? tls->cipher : "none");
    log_text(&l, "verdict", s ? verdict_name(&s->held, tls) : "none");
    log_text(&l, "dsn", o->status);
    if (o->words)
        log_text(&l, "said", o->words);
    if (o->result != RCPT_DELIVERED) {
        log_text(&l, "code", error_name(o->code));
        log_text(&l, "why", o->why);
    } else if (s && s->tls_problem.code != E_NONE) {
        log_text(&l, "tls-problem", s->tls_problem.text);
    }
    log_number(&l, "attempt", d->lease.attempts + 1);
    log_number(&l, "waited-ms", clock_wall() - d->lease.envelope.arrived);
    log_end(&l);
    o->logged = true;
}

void courier_log(const struct delivery *d, struct outcome *outcomes, const struct session *s)
{
    for (size_t i = 0; i < d->lease.envelope.count; i++)
        if (!outcomes[i].logged)
            log_outcome(d, &outcomes[i], s);
}

/* --- files and nowhere --------------------------------------------------- */

static void carry_to_maildir(struct courier *c, struct delivery *d, const struct routing_rule *rule,
                             struct outcome *outcomes)
{
    for (size_t i = 0; i < d->lease.envelope.count; i++) {
        struct delivery_source from = { c, d, 0 };
        struct smtp_source source = delivery_source_of(&from);
        struct error why = { 0 };
        struct maildir_file file = {
            .hostname = c->settings->hostname,
            .id = d->lease.envelope.id,
            .recipient = outcomes[i].number,
            .sender = d->lease.envelope.sender,
            .arrived = d->lease.envelope.arrived,
        };

        if (maildir_path(rule->route.path, outcomes[i].address, &d->arena, &file.directory, &why) &&
            maildir_deliver(&file, &source, &why)) {
            outcomes[i].result = RCPT_DELIVERED;
            outcomes[i].status = "2.0.0";
            outcomes[i].host = "maildir";
        } else {
            outcomes_fail(&outcomes[i], 1, &why, "maildir", &d->arena);
        }
        log_outcome(d, &outcomes[i], NULL);
    }
}

static void discard(struct delivery *d, struct outcome *outcomes)
{
    for (size_t i = 0; i < d->lease.envelope.count; i++) {
        outcomes[i].result = RCPT_DELIVERED;
        outcomes[i].status = "2.0.0";
        outcomes[i].host = "discard";
        log_outcome(d, &outcomes[i], NULL);
    }
}

/* --- reports of others ------------------------------------------------------ */

/* A message that is no report we can use has been read all the same: there is nobody to send it back to. Nor when its
 * signature cannot be judged to the end: whom its envelope names as the sender is the last thing to believe. */
static void read_report(struct courier *c, struct delivery *d, struct outcome *outcomes)
{
    struct delivery_source from = { c, d, 0 };
    auto_buf struct buf message = { 0 };
    struct error why = { 0 };
    struct slice piece;
    bool whole = false, taken;

    buf_init(&message, REPORT_MESSAGE_MAX);
    while (next_piece(&from, &piece, &why) && !whole && !message.failed) {
        buf_add(&message, piece);
        whole = piece.len == 0;
    }
    if (message.failed)
        fail(&why, E_MESSAGE_TOO_LARGE, "a TLS report may have %d bytes", REPORT_MESSAGE_MAX);
    taken = whole && c->house->report && c->house->report(c->self, buf_slice(&message), &why);
    if (!taken)
        log_say(LOG_LEVEL_WARNING, "report.unread", &why, "a message for an address that takes TLS reports was not read");
    for (size_t i = 0; i < d->lease.envelope.count; i++) {
        if (!taken && !error_is_final(why.code) && !attempt_is_last(&c->settings->retry, &d->lease.envelope)) {
            outcomes_fail(&outcomes[i], 1, &why, "reports", &d->arena);
            continue;
        }
        outcomes[i].result = RCPT_DELIVERED;
        outcomes[i].status = "2.0.0";
        outcomes[i].host = "reports";
        log_outcome(d, &outcomes[i], NULL);
    }
}

/* --- SMTP ------------------------------------------------------------------ */

enum {
    HOSTS_MAX = 8,              /* asked in one round; the next round begins at the best again */
    ROUND_MS = 20 * 60 * 1000,  /* after this no further host is asked: others wait for this courier */
};

/* The connection broke where the far side may have taken the message already:
 * trying again at once would rather double than deliver it. */
static bool may_have_been_taken(const struct session *s)
{
    return strcmp(s->smtp.command, SMTP_END_OF_DATA) == 0 && s->smtp.last.code == 0;
}

static void note_answers(struct attempt *a, const struct smtp_recipient *to, struct outcome **whose, size_t count,
                         const struct error *why)
{
    struct courier *c = a->courier;
    const char *host = arena_string(&a->delivery->arena, slice_of(c->session.shown));
    bool delivered = false;

    for (size_t i = 0; i < count; i++) {
        if (to[i].result == RCPT_UNDECIDED || to[i].reply.code == 0)
            outcomes_fail(whose[i], 1, why, host, &a->delivery->arena);
        else
            outcome_answered(whose[i], &to[i], host, &a->delivery->arena);
        delivered |= whose[i]->result == RCPT_DELIVERED;
        if (whose[i]->result == RCPT_DELIVERED || whose[i]->result == RCPT_FAILED)
            log_outcome(a->delivery, whose[i], &c->session);
    }
    c->accepted += delivered;
}

/* Send to everybody who is still open, over the open session. False when the
 * session broke in a place where another must not be tried now. */
static bool send_over_session(struct attempt *a)
{
    struct courier *c = a->courier;
    struct session *s = &c->session;
    struct envelope *e = &a->delivery->lease.envelope;
    auto_free struct smtp_recipient *to = memory_array(e->count, sizeof *to);
    auto_free struct outcome **whose = memory_array(e->count, sizeof *whose);
    struct delivery_source from = { c, a->delivery, 0 };
    bool keyword = (a->need == NEED_REQUIRETLS || a->need == NEED_REQUIRETLS_NULL) && session_tls(s) &&
                   s->smtp.peer.requiretls;
    struct smtp_mail mail = { .sender = e->sender, .size = e->size, .needs_8bit = e->eight_bit, .requiretls = keyword,
                              .source = delivery_source_of(&from) };
    struct error why = { 0 };
    size_t open = 0;
    bool usable;

    for (size_t i = 0; i < e->count; i++) {
        if (a->outcomes[i].result != RCPT_UNDECIDED && a->outcomes[i].result != RCPT_DEFERRED)
            continue;
        to[open].address = a->outcomes[i].address;
        whose[open++] = &a->outcomes[i];
    }
    usable = smtp_send(&s->smtp, &mail, to, open, &why);
    s->messages++;
    a->round->reached = true;
    a->all_definitive = false;
    note_answers(a, to, whose, open, &why);
    if (usable)
        return true;
    a->round->broke = true;
    a->round->why = why;
    usable = !may_have_been_taken(s);
    courier_close(c, false);
    return usable;
}

static bool is_finished(const struct attempt *a)
{
    return outcomes_open(a->outcomes, a->delivery->lease.envelope.count) == 0;
}

/* One host. False: no more hosts now. */
static bool try_host(struct attempt *a, const char *host, uint16_t port)
{
    bool stop = false;

    if (!attempt_open(a, host, port, &stop))
        return !stop;
    return send_over_session(a);
}

static bool host_is_us(void *arg, const char *host)
{
    struct attempt *a = arg;
    const struct deliverer_settings *s = a->courier->settings;
    struct host_addresses found;

    if (slice_equal_nocase(slice_of(host), slice_of(s->hostname)))
        return true;
    if (!s->is_us || !host_addresses_find(s->resolver, host, s->mx_port, &a->delivery->arena, &found, NULL))
        return false;
    for (size_t i = 0; i < found.count; i++)
        if (s->is_us(s->is_us_arg, &found.at[i]))
            return true;
    return false;
}

/* RFC 5321 4.1.3: the recipient's domain is an address. */
static bool literal_host(const char *domain, struct arena *arena, const char **host)
{
    struct slice text = slice_of(domain);

    if (text.len < 2 || text.at[0] != '[')
        return false;
    text = slice(text.at + 1, text.len - 2);
    if (slice_starts_nocase(text, SLICE("IPv6:")))
        text = slice_after(text, 5);
    *host = arena_string(arena, text);
    return true;
}

static bool find_hosts(struct attempt *a, struct mail_hosts *hosts, struct error *why)
{
    const struct deliverer_settings *s = a->courier->settings;
    struct envelope *e = &a->delivery->lease.envelope;
    const char *domain = a->delivery->lease.destination;

    if (!mail_hosts_find(s->resolver, domain, e->id ^ (uint64_t)a->delivery->lease.attempts, &a->delivery->arena,
                         hosts, why) ||
        !mail_hosts_drop_us(hosts, host_is_us, a, why))
        return false;
    a->hop = (struct next_hop){ .domain = domain, .canonical = hosts->domain, .mx_secure = hosts->secure,
                                .implicit = hosts->implicit };
    return true;
}

/* Where the sender says which address: as long as it is not ours, or nobody's. */
static void try_literal(struct attempt *a, const char *literal)
{
    const struct deliverer_settings *s = a->courier->settings;
    struct address address = { 0 };
    struct error why = { 0 };

    courier_close(a->courier, true);
    if (address_parse_ip(slice_of(literal), &address))
        address.port = s->mx_port;
    a->hop = (struct next_hop){ .domain = literal, .canonical = literal };
    a->only_host = true;
    a->hosts_left = 1;
    if (address.family != 0 && !address_is_unspecified(&address) && !(s->is_us && s->is_us(s->is_us_arg, &address))) {
        if (attempt_learn(a))
            try_host(a, literal, s->mx_port);
        return;
    }
    fail(&why, E_LOOP, "mail for [%s] would come back here", literal);
    attempt_failed(a, &why);
}

static void try_hosts(struct attempt *a, const struct mail_hosts *hosts, const char *after)
{
    size_t i = 0;

    a->only_host = hosts->count == 1;
    if (after)      /* a kept session has asked this host already */
        while (i < hosts->count && strcmp(hosts->hosts[i++].name, after) != 0)
            continue;
    for (unsigned tried = 0; i < hosts->count && tried < HOSTS_MAX && !is_finished(a); i++, tried++) {
        if (clock_now() > a->end)
            return;
        courier_close(a->courier, true);
        a->hosts_left = hosts->count - i;
        if (!try_host(a, hosts->hosts[i].name, a->courier->settings->mx_port))
            return;
    }
    a->hosts_left = hosts->count - i;
}

static void try_mx_hosts(struct attempt *a, const char *after)
{
    const char *literal;
    struct mail_hosts hosts;
    struct error why = { 0 };

    if (literal_host(a->delivery->lease.destination, &a->delivery->arena, &literal)) {
        if (!after)
            try_literal(a, literal);
        return;
    }
    a->courier->session.shown[0] = '\0';
    if (!find_hosts(a, &hosts, &why)) {
        attempt_failed(a, &why);
        return;
    }
    if (attempt_learn(a))
        try_hosts(a, &hosts, after);
}

static void try_fixed_host(struct attempt *a)
{
    const struct route *r = &a->rule->route;

    courier_close(a->courier, true);
    a->hop = (struct next_hop){ .domain = r->host, .canonical = r->host, .fixed = true, .mx_secure = true };
    a->only_host = true;
    a->hosts_left = 1;
    if (attempt_learn(a) && try_host(a, r->host, r->port))
        a->hosts_left = 0;
}

static void carry_by_smtp(struct attempt *a)
{
    struct courier *c = a->courier;
    char asked[256] = "";
    bool stop = false;

    if (session_is_open(&c->session) && !attempt_may_reuse(a, &stop) && !stop)
        courier_close(c, true);
    if (stop)
        return;
    if (session_is_open(&c->session)) {
        bool may_go_on = send_over_session(a);

        if (!may_go_on || is_finished(a))
            return;
        if (session_is_open(&c->session))   /* it answered, with "not now" */
            snprintf(asked, sizeof asked, "%s", c->session.host);
    }
    if (a->rule->route.kind == ROUTE_MX)
        try_mx_hosts(a, asked[0] ? asked : NULL);
    else if (!asked[0])
        try_fixed_host(a);
    attempt_over(a);
}

void courier_carry(struct courier *c, struct delivery *d, const struct routing_rule *rule, struct outcome *outcomes,
                   struct round *round)
{
    struct attempt a = { .end = clock_now() + ROUND_MS, .courier = c, .delivery = d, .rule = rule,
                         .outcomes = outcomes, .round = round, .need = attempt_need(&d->lease.envelope),
                         .all_definitive = true };

    *round = (struct round){ .reached = true };
    switch (rule->route.kind) {
    case ROUTE_DISCARD:
        discard(d, outcomes);
        return;
    case ROUTE_MAILDIR:
        carry_to_maildir(c, d, rule, outcomes);
        return;
    case ROUTE_REPORTS:
        read_report(c, d, outcomes);
        return;
    case ROUTE_MX:
    case ROUTE_SMTP:
        break;
    }
    round->reached = false;
    carry_by_smtp(&a);
}

void courier_done(struct courier *c)
{
    courier_close(c, true);
}

#include "serve/report_post.h"

#include "base/log.h"
#include "dkim/sign.h"
#include "dns/hosts.h"
#include "dns/text.h"
#include "run/fiber.h"
#include "tlsrpt/mail.h"

#include <stdio.h>

enum {
    REPORT_BYTES_MAX = 32 * 1024 * 1024,    /* of JSON; packed it is a tenth at most */
    GZIP_MAX = 10 * 1024 * 1024,
    LETTER_MAX = 15 * 1024 * 1024,
    POST_MS = 60 * 1000,                    /* to one address, with and without its certificate */
    REPLY_MAX = 64 * 1024,
};

bool report_find_record(struct resolver *r, const char *domain, struct arena *arena, struct rpt_record *out,
                        struct error *why)
{
    struct text_records texts;
    struct dns_answer answer;
    char name[DNS_NAME_MAX];

    snprintf(name, sizeof name, "_smtp._tls.%s", domain);
    if (!dns_name_valid(name))
        return fail(why, E_NOT_FOUND, "%s is no name that can be asked for", name);
    resolver_ask(r, name, DNS_TXT, arena, &answer);
    if (answer.status == DNS_FAILED || answer.status == DNS_BOGUS)
        return fail(why, E_DNS, "the TXT record of %s cannot be looked up: %s", name, answer.why);
    if (!text_records_from(&answer, arena, &texts))
        return fail(why, E_NOT_FOUND, "the TXT records of %s are too large", name);
    return rpt_record_find(texts.at, texts.count, arena, out, why) || blame(why, "TXT %s", name);
}

/* --- by mail ------------------------------------------------------------------- */

static bool sign(const struct report_start *start, struct slice letter, time_ms wall, struct buf *out, struct error *why)
{
    struct slice domain = address_domain(slice_of(start->config->report.contact));
    const struct dkim_config *config = config_dkim_for(start->config, domain);
    struct dkim_signer signer = { .key = start->key };
    struct dkim_signing *signing;
    bool done;

    if (!config)
        return fail(why, E_USAGE, "there is no dkim section for %.*s", SLICE_ARGS(domain));
    signer.domain = config->domain;
    signer.selector = config->selector;
    signing = dkim_signing_new(&signer);
    dkim_signing_add(signing, letter);
    done = dkim_signing_end(signing, wall, out, why);
    dkim_signing_free(signing);
    return done;
}

bool report_letter_make(const struct report_start *start, const struct report *report, const char *domain, const char *to,
                        struct slice gzipped, time_ms wall, struct buf *out, struct error *why)
{
    const struct report_mail mail = { .report = report, .domain = domain, .to = to, .hostname = start->config->hostname,
                                      .wall = wall, .gzipped = gzipped };
    auto_buf struct buf letter = { 0 };

    buf_init(&letter, LETTER_MAX);
    report_mail_write(&mail, &letter);
    if (letter.failed)
        return fail(why, E_MESSAGE_TOO_LARGE, "the report is too large for a message");
    if (start->key && !sign(start, buf_slice(&letter), wall, out, why))
        return false;
    buf_add(out, buf_slice(&letter));
    return !out->failed || fail(why, E_MESSAGE_TOO_LARGE, "the report is too large for a message");
}

/* A zone full of names that all want their reports sent to somebody else would make us bomb him (RFC 8460 8). */
static bool is_overfed(struct report_post *p, const char *address)
{
    uint16_t *count = &p->fed[slice_hash(slice_of(address)) % REPORT_FED];
    int64_t today = clock_wall() / DAYS(1);

    if (p->day != today)
        memset(p->fed, 0, sizeof p->fed);
    p->day = today;
    if (*count >= REPORT_FED_MOST)
        return true;
    (*count)++;
    return false;
}

static bool post_mail(struct report_post *p, const struct report *report, const char *domain, const struct rua *to,
                      struct slice gzipped, struct arena *arena, struct report_try *t)
{
    const struct config *c = p->start->config;
    const struct routing_rule *rule = routing_for(&c->routing, slice_of(to->address));
    struct queue_recipient recipient = { .address = to->address };
    struct envelope e = { .sender = c->report.contact, .arrived = clock_wall(), .tls = TLS_REPORT, .origin = "tls-report",
                          .recipients = &recipient, .count = 1 };
    auto_buf struct buf letter = { 0 };
    struct error why = { 0 };
    char id[MESSAGE_ID_TEXT];

    if (is_overfed(p, to->address)) {
        t->words = "this address has had enough reports for today";
        return false;
    }
    recipient.destination = routing_destination(rule, address_domain(slice_of(to->address)), arena);
    e.id = t->id;
    buf_init(&letter, LETTER_MAX);
    if (report_letter_make(p->start, report, domain, to->address, gzipped, e.arrived, &letter, &why) &&
        scribe_post(p->scribe, &e, buf_slice(&letter), &why)) {
        t->words = arena_text(arena, "queued as %s", message_id_text(e.id, id)).at;
        return true;
    }
    t->words = arena_string(arena, slice_of(why.text));
    return false;
}

/* --- by HTTPS --------------------------------------------------------------------- */

/* RFC 8460 3: "the sender MAY ignore certificate validation errors": first with, then without (TLSRPT-078). */
/* Whoever writes a record must not make us knock at doors inside our own network. */
static size_t allowed(const struct config *c, struct host_addresses *found)
{
    size_t count = 0;

    for (size_t i = 0; i < found->count; i++)
        if (c->report.private_addresses || address_is_public(&found->at[i]))
            found->at[count++] = found->at[i];
    return count;
}

static bool post_to(struct report_post *p, const struct rua *to, struct slice gzipped, bool any_certificate,
                    time_ms end, struct arena *arena, struct https_reply *reply, struct error *why)
{
    struct https_post post = {
        .to = { .host = to->host, .port = to->port, .path = to->path, .most = REPLY_MAX, .deadline = end },
        .media_type = "application/tlsrpt+gzip",
        .body = gzipped,
        .any_certificate = any_certificate,
    };
    struct host_addresses found;

    if (!host_addresses_find(p->resolver, to->host, to->port, arena, &found, why))
        return false;
    post.to.addresses = found.at;
    post.to.address_count = allowed(p->start->config, &found);
    if (post.to.address_count == 0)
        return fail(why, E_CONNECT, "%s is at an address that no report is posted to; see private-addresses", to->host);
    return https_post(p->https, &post, arena, reply, why);
}

static bool post_https(struct report_post *p, const struct rua *to, struct slice gzipped, time_ms latest,
                       struct arena *arena, struct report_try *t)
{
    struct error why = { 0 };
    struct https_reply reply;
    time_ms most = clock_now() + POST_MS, end = most < latest ? most : latest;
    bool answered = post_to(p, to, gzipped, false, end, arena, &reply, &why), unchecked = false;

    if (!answered && why.code == E_STS_WEBPKI) {
        unchecked = true;
        answered = post_to(p, to, gzipped, true, end, arena, &reply, &why);
    }
    if (!answered)
        t->words = arena_string(arena, slice_of(why.text));
    else
        t->words = arena_text(arena, "HTTP status %d%s", reply.status,
                              unchecked ? ", though the certificate is not good" : "").at;
    return answered && reply.status / 100 == 2;
}

/* --- each ---------------------------------------------------------------------------- */

static void log_try(const struct report *report, const char *domain, const struct report_try *t)
{
    struct log_line l = log_begin(t->done ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, t->done ? "report.sent" : "report.failed");

    log_text(&l, "domain", domain);
    log_text(&l, "report", report->id);
    log_text(&l, "to", t->to);
    log_text(&l, "said", t->words);
    log_end(&l);
}

/* What was said of the same address before. */
static struct report_try *entry_of(struct report_state *s, const char *to)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->to[i].to, to) == 0)
            return &s->to[i];
    if (s->count == RUA_MAX)
        return NULL;        /* the record has changed often since the first try */
    s->to[s->count] = (struct report_try){ .to = to, .words = "" };
    return &s->to[s->count++];
}

static bool pack(const struct report *report, struct buf *gzipped, struct error *why)
{
    auto_buf struct buf json = { 0 };

    buf_init(&json, REPORT_BYTES_MAX);
    return report_write(report, &json, why) && gzip_pack(buf_slice(&json), gzipped, why);
}

void report_prepare(struct report_post *p, const struct rpt_record *record, struct report_state *s)
{
    for (size_t i = 0; i < record->count; i++) {
        struct report_try *t = entry_of(s, record->rua[i].text);

        if (t && t->id == 0 && record->rua[i].scheme == RUA_MAILTO)
            t->id = message_id_new(&p->ids, clock_wall());
    }
}

void report_post(struct report_post *p, const struct report *report, const char *domain, const struct rpt_record *record,
                 struct arena *arena, struct report_state *s)
{
    time_ms end = clock_now() + REPORT_POST_MS;
    auto_buf struct buf gzipped = { 0 };
    struct error why = { 0 };

    buf_init(&gzipped, GZIP_MAX);
    if (!pack(report, &gzipped, &why)) {
        s->problem = arena_string(arena, slice_of(why.text));
        return;
    }
    for (size_t i = 0; i < record->count && !fiber_is_cancelled() && clock_now() < end; i++) {
        const struct rua *to = &record->rua[i];
        struct report_try *t = entry_of(s, to->text);

        if (!t || t->done)
            continue;
        t->done = to->scheme == RUA_MAILTO
                      ? post_mail(p, report, domain, to, buf_slice(&gzipped), arena, t)
                      : post_https(p, to, buf_slice(&gzipped), end, arena, t);
        log_try(report, domain, t);
    }
}

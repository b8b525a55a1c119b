#include "serve/reception.h"

#include "base/log.h"
#include "base/memory.h"
#include "deliver/maildir.h"
#include "dkim/sign.h"
#include "message/header.h"
#include "message/received.h"
#include "serve/worker.h"

#include <stdio.h>

enum {
    ARENA_MAX = 512 * 1024,         /* a thousand recipients with the longest of names */
    LAST_WORDS_MS = 2000,
    ANSWER_PATIENCE_MS = 120000,    /* for the store: less than the client's ten minutes (SMTP-050) */
};

struct reception {
    struct post *post;
    const struct config *config;
    enum listener_role role;
    struct address client;
    /* the transaction */
    bool open;
    struct arena arena;
    const char *sender;
    struct queue_recipient *recipients;
    size_t count, capacity;
    message_id id;
    uint64_t ticket;
    uint32_t generation;            /* of the store that has the first part; 0: nothing was sent */
    struct buf buffer;
    struct header_scan header;
    bool eight_bit, lost;
    struct dkim_signing *signing;   /* NULL: nobody signs for the sender */
    struct dkim_signer signer;
    struct buf signature;
    /* of the whole session, for counting */
    uint64_t in_clear, by_tls;      /* messages */
    /* the wait for the store */
    struct fiber *fiber;            /* NULL when not waiting */
    bool answered;
    struct frame_answer answer;
    struct reception *next_waiting;
};

/* --- the line to the store ------------------------------------------------------ */

static void note_changed(void *self, uint8_t kind, const char *key)
{
}

void post_init(struct post *p, const struct config *config, unsigned maker, struct signing_key *const *keys)
{
    *p = (struct post){ .ids = { .maker = maker }, .keys = keys };
    p->scribe = scribe_new(note_changed, p);
    p->recorder = recorder_new(p->scribe, NULL, config->facts.keep);
}

static void stop_waiting(struct reception *r)
{
    struct reception **at = &r->post->waiting;

    while (*at && *at != r)
        at = &(*at)->next_waiting;
    if (*at)
        *at = r->next_waiting;
}

static void give_answer(struct reception *r, const struct frame_answer *answer)
{
    r->answer = *answer;
    r->answered = true;
    fiber_wake(r->fiber);
}

static bool post_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct post *p = owner;
    struct frame_answer answer;

    if (fd >= 0) {
        close(fd);
        return false;
    }
    if (type != FRAME_ACCEPTED || !frame_get_answer(body, &answer))
        return false;
    for (struct reception *r = p->waiting; r; r = r->next_waiting) {
        if (r->ticket == answer.ticket) {
            give_answer(r, &answer);
            break;
        }
    }
    return true;
}

static void post_lost(struct post *p, const struct error *why)
{
    struct frame_answer lost = { .why = { .code = E_STORAGE } };

    snprintf(lost.why.text, sizeof lost.why.text, "the queue is being restarted");
    log_say(LOG_LEVEL_WARNING, "store.lost", why, "clients are told to try again until it is back");
    scribe_link(p->scribe, NULL);
    channel_free(p->store);
    p->store = NULL;
    worker_link_lost();
    for (struct reception *r = p->waiting; r; r = r->next_waiting)
        if (!r->answered)
            give_answer(r, &lost);
}

static void post_closed(void *owner, const struct error *why)
{
    post_lost(owner, why);
}

static const struct channel_events post_events = { post_frame, post_closed };

void post_link(struct post *p, int fd)
{
    if (p->store)
        post_lost(p, NULL);
    worker_link_made();
    p->generation++;
    p->store = channel_new(fd, &post_events, p);
    channel_start(p->store);
    scribe_link(p->scribe, p->store);
}

void post_flush(struct post *p)
{
    scribe_flush(p->scribe);
    if (p->store)
        channel_drain(p->store, clock_now() + LAST_WORDS_MS);
}

void post_done(struct post *p)
{
    scribe_link(p->scribe, NULL);
    recorder_free(p->recorder);
    scribe_free(p->scribe);
    channel_free(p->store);
    p->store = NULL;
}

/* --- the transaction --------------------------------------------------------------- */

struct reception *reception_new(struct post *post, const struct config *config, enum listener_role role,
                                const struct address *client)
{
    struct reception *r = NEW(struct reception);

    *r = (struct reception){ .post = post, .config = config, .role = role, .client = *client };
    arena_init(&r->arena, ARENA_MAX);
    buf_init(&r->buffer, CHANNEL_FRAME_MAX);
    buf_init(&r->signature, ENVELOPE_HEAD_MAX);
    return r;
}

/* Forget the transaction, and give its memory back: most sessions of a busy
 * server are between messages. */
static void forget(struct reception *r)
{
    arena_reset(&r->arena);
    buf_release(&r->buffer);
    free(r->recipients);
    r->recipients = NULL;
    r->count = r->capacity = 0;
    dkim_signing_free(r->signing);
    r->signing = NULL;
    buf_release(&r->signature);
    r->open = r->lost = r->eight_bit = false;
    r->generation = 0;
    r->id = 0;
}

void reception_free(struct reception *r)
{
    if (!r)
        return;
    forget(r);
    arena_done(&r->arena);
    buf_done(&r->buffer);
    buf_done(&r->signature);
    free(r);
}

bool reception_is_open(const struct reception *r)
{
    return r->open;
}

static void on_mail(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct reception *r = self;
    char text[ADDRESS_TEXT_MAX];

    if (r->role == ROLE_SUBMISSION && !config_is_trusted(r->config, &r->client)) {
        smtp_answer_set(a, 530, "5.7.0", "Submission is open to trusted networks only, and %s is in none",
                        address_ip_text(&r->client, text));
        return;
    }
    if (!r->post->store) {
        smtp_answer_set(a, 451, "4.3.0", "The queue is being restarted, try again in a moment");
        return;
    }
    r->sender = mailbox_text(&s->sender, &r->arena).at;
    r->open = true;
}

static bool is_known(const struct reception *r, const char *address)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->recipients[i].address, address) == 0)
            return true;
    return false;
}

/* Most recipients of a message share a destination: it is kept once. */
static const char *destination_for(struct reception *r, const struct routing_rule *rule, struct slice domain)
{
    auto_arena struct arena scratch = { 0 };
    const char *destination;

    arena_init(&scratch, 4096);
    destination = routing_destination(rule, domain, &scratch);
    if (r->count && strcmp(r->recipients[r->count - 1].destination, destination) == 0)
        return r->recipients[r->count - 1].destination;
    return arena_string(&r->arena, slice_of(destination));
}

static void add_recipient(struct reception *r, const struct routing_rule *rule, const char *address,
                          struct slice domain, struct smtp_answer *a)
{
    const char *destination = destination_for(r, rule, domain);

    /* Full once is full for the rest of the transaction: nothing half-copied is ever stored. */
    if (r->arena.failed) {
        smtp_answer_set(a, 452, "4.5.3", "Too many recipients for one message");
        return;
    }
    if (is_known(r, address))
        return;     /* said twice is delivered once */
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 4;
        r->recipients = memory_grow(r->recipients, r->capacity, sizeof *r->recipients);
    }
    r->recipients[r->count] = (struct queue_recipient){ (uint32_t)r->count, address, destination };
    r->count++;
}

/* An address that no file can be named after is refused while its sender can
 * still be told, not bounced to whoever the envelope names. */
static bool fits_maildir(const struct routing_rule *rule, const char *address, struct smtp_answer *a)
{
    auto_arena struct arena scratch = { 0 };
    const char *path;

    arena_init(&scratch, 8192);
    if (rule->route.kind != ROUTE_MAILDIR || maildir_path(rule->route.path, address, &scratch, &path, NULL))
        return true;
    smtp_answer_set(a, 550, "5.1.3", "There can be no mailbox of this name");
    return false;
}

/* Those that are refused cost no memory of the transaction. */
static const struct routing_rule *rule_of(const struct reception *r, const struct mailbox *to, struct slice domain)
{
    auto_arena struct arena scratch = { 0 };

    arena_init(&scratch, 4096);
    return slice_empty(to->domain) ? routing_find(&r->config->routing, domain)
                                   : routing_for(&r->config->routing, mailbox_text(to, &scratch));
}

static void on_rcpt(void *self, const struct smtp_session *s, const struct mailbox *to, struct smtp_answer *a)
{
    struct reception *r = self;
    bool bare_postmaster = slice_empty(to->domain);
    struct slice domain = bare_postmaster ? address_domain(slice_of(r->config->postmaster)) : to->domain;
    const struct routing_rule *rule = rule_of(r, to, domain);
    const char *address;

    /* RFC 5321 3.6.2: mail for strangers is relayed only for those we trust. */
    if (r->role == ROLE_MX && !rule->ours && !bare_postmaster) {
        smtp_answer_set(a, 550, "5.7.1", "Relaying denied: this server takes no mail for %.*s", SLICE_ARGS(domain));
        return;
    }
    address = bare_postmaster ? r->config->postmaster : mailbox_text(to, &r->arena).at;
    if (r->arena.failed || fits_maildir(rule, address, a))
        add_recipient(r, rule, address, domain, a);
}

/* Mail that is submitted here is signed for its sender's domain, where there is a key for it (RFC 6376). */
static void begin_signature(struct reception *r)
{
    const struct dkim_config *d = config_dkim_for(r->config, address_domain(slice_of(r->sender)));

    if (!d || r->role != ROLE_SUBMISSION || !r->post->keys)
        return;
    r->signer = (struct dkim_signer){ d->domain, d->selector, r->post->keys[d - r->config->dkim] };
    r->signing = dkim_signing_new(&r->signer);
}

/* What cannot be signed (it has no From field, or several) goes as it is. */
static void end_signature(struct reception *r)
{
    struct error why = { 0 };

    if (!r->signing || dkim_signing_end(r->signing, clock_wall(), &r->signature, &why))
        return;
    buf_clear(&r->signature);
    log_say(LOG_LEVEL_WARNING, "message.unsigned", &why, "a message from <%s> goes without a DKIM signature", r->sender);
}

static void on_data(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct reception *r = self;
    char id[MESSAGE_ID_TEXT];
    struct received received = {
        .client_name = s->client_name,
        .client = &r->client,
        .by = r->config->hostname,
        .esmtp = s->esmtp,
        .tls = conn_tls(s->conn),
        .wall = clock_wall(),
        .only_recipient = r->count == 1 ? r->recipients[0].address : NULL,
    };

    r->id = message_id_new(&r->post->ids, received.wall);
    r->ticket = ++r->post->next_ticket;
    received.queue_id = message_id_text(r->id, id);
    received_write(&received, &r->buffer);
    header_scan_init(&r->header);
    begin_signature(r);
    (void)a;
}

/* Hand on what has gathered. The store may have changed in between: then the
 * first part is lost, and the client will be told to send again. */
static bool pass_on(struct reception *r)
{
    auto_buf struct buf frame = { 0 };
    struct post *p = r->post;

    if (!p->store || (r->generation && r->generation != p->generation))
        return false;
    r->generation = p->generation;
    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_body(&frame, r->ticket, buf_slice(&r->buffer));
    channel_send(p->store, FRAME_BODY, buf_slice(&frame));
    buf_clear(&r->buffer);
    return channel_wait_room(p->store, clock_now() + ANSWER_PATIENCE_MS);
}

static bool on_body(void *self, struct slice bytes)
{
    struct reception *r = self;

    header_scan(&r->header, bytes);
    if (r->signing)
        dkim_signing_add(r->signing, bytes);
    for (size_t i = 0; i < bytes.len && !r->eight_bit; i++)
        r->eight_bit = (unsigned char)bytes.at[i] > 127;
    while (bytes.len && !r->lost) {
        struct slice part = slice_first(bytes, RECEPTION_BUFFER);

        buf_add(&r->buffer, part);
        bytes = slice_after(bytes, part.len);
        if (buf_len(&r->buffer) >= RECEPTION_BUFFER)
            r->lost = !pass_on(r);
    }
    return !r->lost;
}

static const char *describe_origin(struct reception *r, const struct smtp_session *s)
{
    const struct tls_facts *tls = conn_tls(s->conn);
    char ip[ADDRESS_TEXT_MAX];

    return arena_text(&r->arena, "%s[%s] %s%s%s", s->client_name, address_ip_text(&r->client, ip),
                      s->esmtp ? "ESMTP" : "SMTP", tls ? " " : "", tls ? tls_version_name(tls->version) : "").at;
}

/* Waits for the store's word. False: none came. */
static bool await_answer(struct reception *r)
{
    time_ms deadline = clock_now() + ANSWER_PATIENCE_MS;
    enum wake wake = FIBER_WOKEN;

    while (!r->answered && wake == FIBER_WOKEN)
        wake = fiber_wait(deadline);
    r->fiber = NULL;
    return r->answered;
}

/* What the sender asks of TLS on the hops to come. Asked for by the parameter,
 * it is asked for whatever the header says (REQTLS-005). */
static enum tls_request request_of(const struct reception *r, const struct smtp_session *s)
{
    if (s->requiretls)
        return TLS_REQUIRED;
    return header_tls_required(&r->header, NULL) == TLS_REQUIRED_NO ? TLS_OPTIONAL : TLS_AS_USUAL;
}

/* False: it was not sent, and an answer of our own is there. */
static bool submit(struct reception *r, const struct smtp_session *s)
{
    auto_buf struct buf frame = { 0 };
    struct post *p = r->post;
    struct frame_accept accept = {
        .ticket = r->ticket,
        .envelope = { .id = r->id, .sender = r->sender, .arrived = clock_wall(), .eight_bit = r->eight_bit,
                      .tls = request_of(r, s), .head = buf_slice(&r->signature), .origin = describe_origin(r, s),
                      .recipients = r->recipients, .count = r->count },
        .bytes = buf_slice(&r->buffer),
    };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_accept(&frame, &accept);
    r->answered = false;
    r->fiber = fiber_current();
    r->next_waiting = p->waiting;
    p->waiting = r;
    if (frame.failed)
        give_answer(r, &(struct frame_answer){ .why = { .code = E_LIMIT, .text = "the envelope is too large" } });
    else if (!channel_wait_room(p->store, clock_now() + ANSWER_PATIENCE_MS) && !r->answered)
        give_answer(r, &(struct frame_answer){ .why = { .code = E_STORAGE, .text = "the queue is too slow" } });
    if (r->answered)        /* by us, or by the loss of the store while we waited */
        return false;
    channel_send(p->store, FRAME_ACCEPT, buf_slice(&frame));
    return true;
}

/* --- counting ------------------------------------------------------------------- */

static void count_message(struct reception *r, const struct smtp_session *s)
{
    const struct tls_facts *tls = conn_tls(s->conn);
    struct slice domain = address_domain(slice_of(r->sender));
    struct receipt receipt = { .domain = arena_string(&r->arena, domain), .group = "", .cipher = "" };

    *(tls ? &r->by_tls : &r->in_clear) += 1;
    if (r->role != ROLE_MX)
        return;
    if (tls) {
        receipt.version = tls->version;
        receipt.group = tls->group;
        receipt.cipher = tls->cipher;
    }
    recorder_receipt(r->post->recorder, &receipt, 1);
}

/* A session is in clear before it is in TLS, and may send in both. */
void reception_count(const struct reception *r, const struct conn *c, const struct smtp_ending *ending)
{
    const struct tls_facts *tls = conn_tls(c);
    struct visit v = { .role = r->role == ROLE_MX ? VISIT_MX : VISIT_SUBMISSION, .client = r->client,
                       .name = ending->client_name, .user = "", .group = "", .cipher = "", .problem = "" };

    if (r->in_clear)
        recorder_visit(r->post->recorder, &v, r->in_clear);
    if (ending->refused_in_clear) {
        v.end = VISIT_REFUSED_IN_CLEAR;
        recorder_visit(r->post->recorder, &v, 1);
    }
    if (ending->how == ENDED_TLS_FAILED) {
        v.end = VISIT_HANDSHAKE_FAILED;
        v.problem = ending->why;
        recorder_visit(r->post->recorder, &v, 1);
    }
    if (!r->by_tls || !tls)
        return;
    v.end = VISIT_SENT;
    v.version = tls->version;
    v.group = tls->group;
    v.cipher = tls->cipher;
    v.problem = "";
    recorder_visit(r->post->recorder, &v, r->by_tls);
}

/* REQTLS-006: a TLS-Required that says anything but "No" changes nothing, and
 * whoever wonders why finds it here. */
static void log_unclear(const struct reception *r)
{
    struct log_line l = log_begin(LOG_LEVEL_INFO, "message.tls-required-unclear");
    char id[MESSAGE_ID_TEXT];
    struct slice value;

    (void)header_tls_required(&r->header, &value);
    log_text(&l, "id", message_id_text(r->id, id));
    log_text(&l, "from", r->sender);
    log_slice(&l, "value", value);
    log_end(&l);
}

static void log_accepted(const struct reception *r, const struct smtp_session *s)
{
    static const char *const asked[] = {
        [TLS_AS_USUAL] = NULL, [TLS_REQUIRED] = "tls-required", [TLS_OPTIONAL] = "tls-optional" };
    const struct tls_facts *tls = conn_tls(s->conn);
    struct log_line l = log_begin(LOG_LEVEL_INFO, "message.accepted");
    char text[ADDRESS_TEXT_MAX], id[MESSAGE_ID_TEXT];

    log_text(&l, "id", message_id_text(r->id, id));
    log_text(&l, "from", r->sender);
    log_number(&l, "recipients", (int64_t)r->count);
    log_text(&l, "to", r->recipients[0].address);
    log_text(&l, "client", address_ip_text(&r->client, text));
    log_text(&l, "helo", s->client_name);
    log_text(&l, "tls", tls ? tls_version_name(tls->version) : "none");
    log_text(&l, "cipher", tls ? tls->cipher : "none");
    log_text(&l, "asked", asked[request_of(r, s)]);
    log_end(&l);
    if (!s->requiretls && header_tls_required(&r->header, NULL) == TLS_REQUIRED_UNCLEAR)
        log_unclear(r);
}

static void log_not_accepted(const struct reception *r, const struct error *why)
{
    struct log_line l = log_begin(LOG_LEVEL_WARNING, "message.not-accepted");
    char id[MESSAGE_ID_TEXT];

    log_text(&l, "id", message_id_text(r->id, id));
    log_text(&l, "from", r->sender);
    log_why(&l, why);
    log_end(&l);
}

static void answer_with(struct reception *r, const struct smtp_session *s, struct smtp_answer *a)
{
    const struct error *why = &r->answer.why;
    char id[MESSAGE_ID_TEXT];

    if (r->answer.done) {
        log_accepted(r, s);
        count_message(r, s);
        smtp_answer_set(a, 250, "2.0.0", "Queued as %s", message_id_text(r->id, id));
        return;
    }
    log_not_accepted(r, why);
    if (why->code == E_STORAGE_FULL)
        smtp_answer_set(a, 452, "4.3.1", "Not enough room for mail, try again later");
    else
        smtp_answer_set(a, 451, "4.3.0", "The message could not be stored, try again later");
}

static void on_reset(void *self);

static void on_end(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct reception *r = self;
    struct post *p = r->post;
    bool sent;

    if (r->header.received > r->config->hops) {
        smtp_answer_set(a, 554, "5.4.6", "This message has been through %u servers: it is going in circles",
                        r->header.received);
        on_reset(r);
        return;
    }
    r->lost |= !p->store || (r->generation && r->generation != p->generation);
    if (r->lost) {
        smtp_answer_set(a, 451, "4.3.0", "The queue was restarted while the message came in, send it again");
        on_reset(r);
        return;
    }
    end_signature(r);
    sent = submit(r, s);
    if (await_answer(r))
        answer_with(r, s, a);
    else
        smtp_answer_set(a, 451, "4.3.0", "The queue does not answer, try again later");
    stop_waiting(r);
    if (sent)
        forget(r);
    else
        on_reset(r);
}

static void on_reset(void *self)
{
    struct reception *r = self;
    auto_buf struct buf frame = { 0 };

    if (r->generation && r->post->store && r->generation == r->post->generation) {
        buf_init(&frame, 16);
        buf_u64(&frame, r->ticket);
        channel_send(r->post->store, FRAME_DROP, buf_slice(&frame));
    }
    forget(r);
}

const struct smtp_house reception_house = { on_mail, on_rcpt, on_data, on_body, on_end, on_reset };

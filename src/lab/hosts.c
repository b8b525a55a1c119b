#include "lab/hosts.h"

#include "base/memory.h"
#include "lab/files.h"
#include "lab/service.h"
#include "message/received.h"
#include "net/socket.h"
#include "smtp/server.h"
#include "tls/issue.h"

#include <stdio.h>

enum { MAIL_MAX = 8 * 1024 * 1024, ATTACKS_MAX = 64 * 1024, RECIPIENTS_SHOWN_MAX = 4096 };

struct host {
    struct hosts *all;
    struct plan_host *plan;
    struct service *service;
    struct tls_server *tls;
    struct smtp_server smtp;
};

struct hosts {
    struct plan *plan;
    struct host *at;
    size_t count;
    struct tls_server *disguise;
    struct tls_client *any;
    unsigned long messages;     /* so far: their files are numbered */
};

/* --- taking a message ------------------------------------------------------------- */

struct visit {
    struct host *host;
    struct address peer;
    struct buf recipients;      /* "Delivered-To:" fields */
    struct buf message;
};

static void take_recipient(void *self, const struct smtp_session *s, const struct mailbox *to, struct smtp_answer *a)
{
    struct visit *v = self;

    buf_text(&v->recipients, "Delivered-To: %.*s@%.*s\r\n", SLICE_ARGS(to->local), SLICE_ARGS(to->domain));
}

static bool take_bytes(void *self, struct slice bytes)
{
    struct visit *v = self;

    buf_add(&v->message, bytes);
    return !v->message.failed;
}

static void forget(void *self)
{
    struct visit *v = self;

    buf_release(&v->recipients);
    buf_release(&v->message);
}

static void write_header(const struct visit *v, const struct smtp_session *s, const char *id, struct buf *out)
{
    const struct received trace = {
        .client_name = s->client_name, .client = &v->peer, .by = v->host->plan->name, .esmtp = s->esmtp,
        .tls = conn_tls(s->conn), .queue_id = id, .wall = clock_wall(),
    };
    char sender[LOCAL_PART_MAX + DOMAIN_MAX + 2] = "";

    if (!s->sender.is_null)
        snprintf(sender, sizeof sender, "%.*s@%.*s", SLICE_ARGS(s->sender.local), SLICE_ARGS(s->sender.domain));
    return_path_write(sender, out);
    buf_add(out, buf_slice(&v->recipients));
    if (s->requiretls)
        buf_add(out, SLICE("X-Lab-Asked-For: REQUIRETLS\r\n"));
    if (trace.tls)
        buf_text(out, "X-Lab-Server-Name: %s\r\n", trace.tls->server_name);
    received_write(&trace, out);
}

static void keep_message(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct visit *v = self;
    struct hosts *all = v->host->all;
    auto_buf struct buf whole = { .max = 2 * MAIL_MAX };
    struct error why = { 0 };
    char path[600], id[24];

    snprintf(id, sizeof id, "%lu", ++all->messages);
    write_header(v, s, id, &whole);
    buf_add(&whole, buf_slice(&v->message));
    snprintf(path, sizeof path, "%s/mail/%s." LAB_DOMAIN "/%s.eml", all->plan->directory, v->host->plan->of->domain, id);
    if (v->message.failed || v->recipients.failed)
        smtp_answer_set(a, 552, "5.3.4", "The lab keeps small mail only");
    else if (!file_write(path, buf_slice(&whole), &why))
        smtp_answer_set(a, 451, "4.3.0", "%s", why.text);
    else
        smtp_answer_set(a, 250, "2.0.0", "Ok: kept as %s", id);
    forget(v);
}

static void nothing(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
}

static const struct smtp_house house = {
    .mail = nothing, .rcpt = take_recipient, .data = nothing, .body = take_bytes, .end = keep_message, .reset = forget,
};

/* --- a connection ------------------------------------------------------------------- */

static void serve_honestly(struct host *h, int fd, const struct address *peer)
{
    struct conn *c = socket_conn(fd);
    struct visit v = { .host = h, .peer = *peer };
    struct smtp_ending ending;

    buf_init(&v.recipients, RECIPIENTS_SHOWN_MAX);
    buf_init(&v.message, MAIL_MAX);
    smtp_serve(c, &h->smtp, &house, &v, &ending);
    conn_close(c);
    forget(&v);
}

enum attack hosts_attack_on(struct slice text, const struct lab_case *c)
{
    enum attack found = ATTACK_NONE;

    while (!slice_empty(text)) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        struct slice domain = slice_cut(&line, ' ');
        enum attack kind;

        if (lab_case_find(domain) == c && attack_parse(slice_trim(line), &kind))
            found = kind;
    }
    return found;
}

/* What the case itself does to its connections comes first. */
static enum attack attack_now(const struct host *h)
{
    auto_buf struct buf text = { .max = ATTACKS_MAX };
    char path[600];

    snprintf(path, sizeof path, "%s/attacks", h->all->plan->directory);
    if (h->plan->as->trouble != ATTACK_NONE || !file_read(path, &text, NULL))
        return h->plan->as->trouble;
    return hosts_attack_on(buf_slice(&text), h->plan->of);
}

/* The honest side of a connection that is attacked. */
struct back_room {
    struct host *host;
    int fd;
    struct address peer;
};

static void serve_back_room(void *arg)
{
    struct back_room *b = arg;

    serve_honestly(b->host, b->fd, &b->peer);
    free(b);
}

static void serve(void *owner, int fd, const struct address *peer)
{
    struct host *h = owner;
    const struct attacker attacker = { .kind = attack_now(h), .disguise = h->all->disguise, .any = h->all->any };
    struct back_room *b;
    int ends[2];

    if (attacker.kind == ATTACK_NONE) {
        serve_honestly(h, fd, peer);
    } else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0) {
        b = NEW(struct back_room);
        *b = (struct back_room){ h, ends[1], *peer };
        service_fiber(serve_back_room, b);
        attack_stand_between(fd, ends[0], &attacker);
    } else {
        close(fd);
    }
}

/* --- all of them ---------------------------------------------------------------------- */

static bool furnish(struct host *h, struct error *why)
{
    const struct lab_host *as = h->plan->as;
    const struct tls_server_settings settings = {
        .identities = &h->plan->files, .identity_count = 1, .minimum = as->old_tls ? TLS_1_0 : TLS_VERSION_NONE,
    };

    if (!as->no_tls) {
        h->tls = tls_server_new(&settings, why);
        if (!h->tls)
            return false;
    }
    if (as->old_tls)
        tls_server_limit(h->tls, TLS_1_0);
    h->smtp = (struct smtp_server){
        .hostname = h->plan->name, .software = "ESMTP of the lab", .tls = h->tls, .require_tls = as->demands_tls,
        .requiretls = as->requiretls, .limits = smtp_default_limits,
    };
    h->smtp.limits.message_bytes = MAIL_MAX;
    return folder_make(plan_path(h->all->plan, "mail/%s." LAB_DOMAIN, h->plan->of->domain), why);
}

static bool open_doors(struct hosts *h, struct error *why)
{
    auto_free struct address **addresses = memory_array(h->count, sizeof *addresses);
    auto_free int *fds = memory_array(h->count, sizeof *fds);
    uint16_t port;

    for (size_t i = 0; i < h->count; i++)
        addresses[i] = &h->plan->hosts[i].address;
    port = service_listen(addresses, h->count, h->plan->smtp_port, fds, why);
    if (port == 0)
        return false;
    h->plan->smtp_port = port;
    for (size_t i = 0; i < h->count; i++)
        h->at[i].service = service_new(fds[i], serve, &h->at[i]);
    return true;
}

static bool disguise(struct hosts *h, struct error *why)
{
    const struct tls_server_settings settings = { .identities = &h->plan->attacker, .identity_count = 1 };
    const struct tls_client_settings any = { .ca_file = h->plan->ca.chain_file };

    h->disguise = tls_server_new(&settings, why);
    h->any = h->disguise ? tls_client_new(&any, why) : NULL;
    return h->any != NULL;
}

struct hosts *hosts_open(struct plan *p, struct error *why)
{
    struct hosts *h = NEW(struct hosts);
    bool good;

    h->plan = p;
    h->count = p->host_count;
    h->at = memory_array(h->count, sizeof *h->at);
    good = folder_make(plan_path(p, "mail"), why) && disguise(h, why);
    for (size_t i = 0; i < h->count; i++) {
        h->at[i] = (struct host){ .all = h, .plan = &p->hosts[i] };
        good = good && furnish(&h->at[i], why);
    }
    if (good && open_doors(h, why))
        return h;
    hosts_close(h);
    return NULL;
}

void hosts_close(struct hosts *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++) {
        service_free(h->at[i].service);
        tls_server_free(h->at[i].tls);
    }
    tls_server_free(h->disguise);
    tls_client_free(h->any);
    free(h->at);
    free(h);
}

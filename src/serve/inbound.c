#include "serve/inbound.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/socket.h"
#include "run/process.h"
#include "serve/reception.h"
#include "serve/worker.h"

#include <stdio.h>

enum {
    PATIENCE_MS = 2000,         /* for the first line to the store */
    DRAIN_GRACE_MS = 30000,     /* on shutdown, for transactions under way */
    REFUSALS_MAX = 200,         /* connections that are being told 421 at once */
};

struct session {
    struct inbound *inbound;
    const struct port *port;
    struct fiber *fiber;
    struct reception *reception;
    int fd;
    struct address peer;
    bool counted;
    struct session *next, **where;
};

/* One listening socket. */
struct port {
    struct inbound *inbound;
    const struct listener_config *config;
    struct listener *listener;
    struct smtp_server server;
};

struct inbound {
    const struct inbound_start *start;
    struct post post;               /* the line to the store */
    struct port *ports;
    struct session *sessions;
    struct timer *cut, *patience;
    bool listening;
    unsigned refusals;
    bool draining;                  /* no new sessions */
    bool stopping;                  /* and the ones there are must go */
};

static void put_session(struct log_line *l, const struct session *s, const struct tls_facts *tls,
                        const struct smtp_ending *ending)
{
    char text[ADDRESS_TEXT_MAX];

    log_text(l, "client", address_text(&s->peer, text));
    log_text(l, "listener", address_text(&s->port->config->address, text));
    log_text(l, "tls", tls ? tls_version_name(tls->version) : "none");
    log_text(l, "cipher", tls ? tls->cipher : "none");
    log_text(l, "end", smtp_end_name(ending->how));
    log_number(l, "messages", ending->messages);
    log_number(l, "commands", ending->commands);
    log_number(l, "errors", ending->errors);
    if (ending->why[0])
        log_text(l, "why", ending->why);
}

static void log_session(const struct session *s, const struct conn *c, const struct smtp_ending *ending)
{
    const struct tls_facts *tls = conn_tls(c);
    struct log_line l = log_begin(LOG_LEVEL_INFO, "session.ended");

    put_session(&l, s, tls, ending);
    log_end(&l);
    if (!log_recording())
        return;
    l = log_record("session.ended");
    put_session(&l, s, tls, ending);
    log_text(&l, "helo", ending->client_name);
    log_text(&l, "group", tls ? tls->group : NULL);
    log_end(&l);
}

/* NULL when the client may come in, else the words for its 421. */
static const char *why_not(const struct session *s)
{
    const struct inbound_start *start = s->inbound->start;

    unsigned all = start->config->connections;

    /* Strangers leave an eighth of the places to those we trust. */
    if (census_total(start->census) >= (config_is_trusted(start->config, &s->peer) ? all : all - all / 8))
        return "too many connections, try again later";
    if (census_of(start->census, &s->peer) >= start->config->connections_per_client)
        return "too many connections from your address, try again later";
    return NULL;
}

static void finish_if_drained(struct inbound *in)
{
    if (!in->draining || in->sessions || in->refusals)
        return;
    post_flush(&in->post);
    worker_finish();
}

static void leave(struct session *s)
{
    struct inbound *in = s->inbound;

    if (s->counted)
        census_leave(in->start->census, in->start->slot, &s->peer);
    else
        in->refusals--;
    *s->where = s->next;
    if (s->next)
        s->next->where = s->where;
    free(s);
    finish_if_drained(in);
}

static void run_session(void *arg)
{
    struct session *s = arg;
    struct inbound *in = s->inbound;
    struct conn *c = socket_conn(s->fd);

    if (!s->counted) {
        char text[400];

        snprintf(text, sizeof text, "%s Too many connections, try again later", in->start->config->hostname);
        smtp_refuse(c, &s->port->server, 421, "4.7.0", text);
    } else {
        struct smtp_ending ending = { 0 };

        s->reception = reception_new(&in->post, in->start->config, s->port->config->role, &s->peer);
        smtp_serve(c, &s->port->server, &reception_house, s->reception, &ending);
        log_session(s, c, &ending);
        reception_count(s->reception, c, &ending);
        reception_free(s->reception);
        s->reception = NULL;
    }
    conn_close(c);
    leave(s);
}

static void log_refusal(const struct session *s, const char *why)
{
    struct log_line l = log_begin(LOG_LEVEL_WARNING, "session.refused");
    char text[ADDRESS_TEXT_MAX];

    log_text(&l, "client", address_text(&s->peer, text));
    log_text(&l, "why", why);
    log_end(&l);
}

static void arrived(void *owner, int fd, const struct address *peer)
{
    const struct port *port = owner;
    struct inbound *in = port->inbound;
    struct session *s = NEW(struct session);
    const char *refusal;

    *s = (struct session){ .inbound = in, .port = port, .fd = fd, .peer = *peer };
    refusal = why_not(s);
    if (refusal && in->refusals >= REFUSALS_MAX) {
        close(fd);
        free(s);
        return;
    }
    if (refusal) {
        log_refusal(s, refusal);
        in->refusals++;
    } else {
        s->counted = true;
        census_enter(in->start->census, in->start->slot, peer);
    }
    s->next = in->sessions;
    s->where = &in->sessions;
    if (s->next)
        s->next->where = &s->next;
    in->sessions = s;
    s->fiber = fiber_start("session", run_session, s);
}

static void setup_port(struct inbound *in, size_t i)
{
    const struct config *config = in->start->config;
    const struct listener_config *l = &config->listeners[i];
    struct port *port = &in->ports[i];

    port->inbound = in;
    port->config = l;
    port->server = (struct smtp_server){
        .hostname = config->hostname,
        .software = "ESMTP postern",
        .tls = in->start->tls[i],
        .implicit_tls = l->tls == LISTENER_IMPLICIT,
        .require_tls = l->tls == LISTENER_REQUIRED,
        .requiretls = config->requiretls,     /* deliver/ keeps to it (REQTLS-002) */
        .qualified_domains_only = l->role == ROLE_SUBMISSION,
        .limits = config->limits,
        .stopping = &in->stopping,
    };
}

/* Clients come in once there is a line to the store: else the first ones after each start would be told to come again. They
 * wait in the sockets' backlogs until then, but not for ever. */
static void start_listening(void *owner)
{
    struct inbound *in = owner;

    timer_stop(in->patience);
    if (in->draining || in->listening)
        return;
    in->listening = true;
    for (size_t i = 0; i < in->start->config->listener_count; i++)
        if (in->start->fds[i] >= 0)
            in->ports[i].listener = listener_new(in->start->fds[i], arrived, &in->ports[i]);
}

/* --- draining -------------------------------------------------------------- */

/* Those in the middle of a message may finish it; the others are told 421. */
static void cancel_sessions(struct inbound *in, bool all)
{
    for (struct session *s = in->sessions; s; s = s->next)
        if (all || !s->reception || !reception_is_open(s->reception))
            fiber_cancel(s->fiber);
}

static void cut(void *owner)
{
    cancel_sessions(owner, true);
}

static void stop_listening(struct inbound *in)
{
    for (size_t i = 0; i < in->start->config->listener_count; i++) {
        if (!in->ports[i].listener)
            continue;
        listener_free(in->ports[i].listener);
        in->ports[i].listener = NULL;
        close(in->start->fds[i]);       /* our copy: nobody is to connect and wait for us */
    }
}

/* On a reload the sessions of the old generation run to their own end; on
 * shutdown they get 421 as soon as they are between two messages (SMTP-016). */
static void drain(void *self, bool hurry)
{
    struct inbound *in = self;

    stop_listening(in);
    in->draining = true;
    if (hurry && !in->stopping) {
        in->stopping = true;
        cancel_sessions(in, false);
        timer_set(in->cut, loop_now() + DRAIN_GRACE_MS);
    }
    finish_if_drained(in);
}

static void linked(void *self, const struct frame_link *link, int fd)
{
    struct inbound *in = self;

    post_link(&in->post, fd);
    start_listening(in);
}

static const struct worker_orders orders = { linked, drain };

int inbound_run(const struct inbound_start *start)
{
    struct inbound in = { .start = start };

    post_init(&in.post, start->config, start->slot, start->keys);
    in.cut = timer_new(cut, &in);
    in.patience = timer_new(start_listening, &in);
    in.ports = memory_array(start->config->listener_count, sizeof *in.ports);
    worker_begin(start->control_fd, &orders, &in);
    for (size_t i = 0; i < start->config->listener_count; i++)
        setup_port(&in, i);
    worker_ready();
    timer_set(in.patience, loop_now() + PATIENCE_MS);
    loop_run();
    timer_free(in.patience);
    timer_free(in.cut);
    post_done(&in.post);
    free(in.ports);
    worker_end();
    return WORKER_DONE;
}

#include "net/socket.h"

#include "base/memory.h"
#include "run/fiber.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

/* One address that is tried. Attempts overlap; the fiber that dials sleeps
 * until any of them has something to tell. */
struct attempt {
    struct dialer *dialer;
    const struct address *to;
    int fd;                     /* -1 when not under way */
    struct watch *watch;
    time_ms deadline;
    bool answered;              /* the socket has an outcome to ask for */
    char reason[120];           /* why it failed */
};

struct dialer {
    const struct dial_settings *settings;
    struct fiber *fiber;
    bool woken;
    struct attempt *attempts;
    size_t count, begun, under_way;
    time_ms next_start;
};

static time_ms after(time_ms now, time_ms span)
{
    return span < TIME_NEVER - now ? now + span : TIME_NEVER;
}

/* --- one attempt ------------------------------------------------------ */

static void let_go(struct attempt *a)
{
    watch_free(a->watch);
    a->watch = NULL;
    a->fd = -1;
    a->dialer->under_way--;
}

/* The next attempt need not wait for the stagger when this one has failed. */
static void give_up(struct attempt *a)
{
    int fd = a->fd;

    let_go(a);
    close(fd);
    a->dialer->next_start = 0;
}

static void answered(void *owner, int events)
{
    struct attempt *a = owner;

    a->answered = true;
    watch_set(a->watch, 0);
    if (!a->dialer->woken) {
        a->dialer->woken = true;
        fiber_wake(a->dialer->fiber);
    }
}

static bool bind_source(int fd, const struct address *to, const struct dial_settings *s)
{
    const struct address *local = to->family == AF_INET ? &s->local4 : &s->local6;
    struct sockaddr_storage name;
    socklen_t len = address_to(local, &name);

    if (local->family != to->family)
        return true;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
    return bind(fd, (struct sockaddr *)&name, len) == 0;
}

static bool failed_at(struct attempt *a, const char *step)
{
    snprintf(a->reason, sizeof a->reason, "%s%s", step, strerror(errno));
    return false;
}

static bool open_socket(struct attempt *a, const struct dial_settings *s)
{
    struct sockaddr_storage name;
    socklen_t len = address_to(a->to, &name);
    auto_close int fd = socket(a->to->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return failed_at(a, "no socket: ");
    if (!bind_source(fd, a->to, s))
        return failed_at(a, "the source address cannot be used: ");
    if (connect(fd, (struct sockaddr *)&name, len) == 0)
        a->answered = a->dialer->woken = true;
    else if (errno != EINPROGRESS)
        return failed_at(a, "");
    a->fd = fd;
    fd = -1;
    return true;
}

static void begin(struct dialer *d)
{
    struct attempt *a = &d->attempts[d->begun++];
    time_ms now = clock_now();

    if (!open_socket(a, d->settings))
        return;
    d->under_way++;
    d->next_start = after(now, d->settings->stagger);
    a->deadline = after(now, d->settings->connect_timeout);
    a->watch = watch_new(a->fd, answered, a);
    if (!a->answered)
        watch_set(a->watch, WATCH_WRITE);
}

/* What a connect came to; false while it is still under way or has failed. */
static bool is_connected(struct attempt *a)
{
    int error = 0;
    struct sockaddr_storage peer;
    socklen_t error_len = sizeof error, peer_len = sizeof peer;

    a->answered = false;
    getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
    if (error == 0 && getpeername(a->fd, (struct sockaddr *)&peer, &peer_len) == 0)
        return true;
    if (error == 0) {
        watch_set(a->watch, WATCH_WRITE);
        return false;
    }
    errno = error;
    failed_at(a, "");
    give_up(a);
    return false;
}

/* --- all of them ------------------------------------------------------ */

/* The first in order that is connected, if any; those that failed or are late are closed. */
static struct attempt *settle(struct dialer *d)
{
    time_ms now = clock_now();

    for (size_t i = 0; i < d->begun; i++) {
        struct attempt *a = &d->attempts[i];

        if (a->fd >= 0 && a->answered && is_connected(a))
            return a;
        if (a->fd >= 0 && now >= a->deadline) {
            snprintf(a->reason, sizeof a->reason, "no answer within %.3g s",
                     (double)d->settings->connect_timeout / 1000);
            give_up(a);
        }
    }
    return NULL;
}

static void begin_due(struct dialer *d)
{
    while (d->begun < d->count && (d->under_way == 0 || clock_now() >= d->next_start))
        begin(d);
}

static bool wait_for_any(struct dialer *d, struct error *why)
{
    time_ms until = d->begun < d->count ? d->next_start : TIME_NEVER;

    for (size_t i = 0; i < d->begun; i++)
        if (d->attempts[i].fd >= 0 && d->attempts[i].deadline < until)
            until = d->attempts[i].deadline;
    if (!d->woken && fiber_wait(until) == FIBER_CANCELLED)
        return fail(why, E_CANCELLED, "connecting is given up: shutting down");
    d->woken = false;
    return true;
}

static bool all_failed(const struct dialer *d, struct error *why)
{
    auto_buf struct buf reasons;
    char text[ADDRESS_TEXT_MAX];

    buf_init(&reasons, 64 * 1024);
    for (size_t i = 0; i < d->count; i++)
        buf_text(&reasons, "%s%s: %s", i ? "; " : "", address_text(d->attempts[i].to, text),
                 d->attempts[i].reason);
    return fail(why, E_CONNECT, "%.*s", SLICE_ARGS(buf_slice(&reasons)));
}

static struct attempt *race(struct dialer *d, struct error *why)
{
    for (;;) {
        struct attempt *winner = settle(d);

        if (winner)
            return winner;
        begin_due(d);
        if (d->under_way == 0) {
            all_failed(d, why);
            return NULL;
        }
        if (!wait_for_any(d, why))
            return NULL;
    }
}

struct conn *dial(const struct address *addresses, size_t count, const struct dial_settings *s, size_t *used,
                  struct error *why)
{
    auto_free struct attempt *attempts = memory_array(count, sizeof *attempts);
    struct dialer d = { .settings = s, .fiber = fiber_current(), .attempts = attempts, .count = count };
    struct attempt *winner;
    struct conn *c = NULL;

    if (count == 0) {
        fail(why, E_CONNECT, "there is no address to connect to");
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        attempts[i] = (struct attempt){ .dialer = &d, .to = &addresses[i], .fd = -1 };
    winner = race(&d, why);
    if (winner) {
        int fd = winner->fd;

        let_go(winner);
        *used = (size_t)(winner - attempts);
        c = socket_conn(fd);
    }
    for (size_t i = 0; i < d.begun; i++)
        if (attempts[i].fd >= 0)
            give_up(&attempts[i]);
    return c;
}

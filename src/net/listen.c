#include "net/socket.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/loop.h"

#include <errno.h>
#include <netinet/in.h>

enum {
    ACCEPTED_AT_ONCE = 16,      /* then others get their turn, in this process and the next */
    BACK_OFF_MS = 1000,
};

struct listener {
    int fd;
    struct watch *watch;
    struct timer *timer;        /* runs while we are out of descriptors */
    bool paused, out_of_descriptors;
    void (*accepted)(void *owner, int fd, const struct address *peer);
    void *owner;
    bool *freed;                /* set while `accepted` runs, which may free us */
};

int listen_on(const struct address *a, int backlog, struct error *why)
{
    struct sockaddr_storage name;
    socklen_t len = address_to(a, &name);
    auto_close int fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char text[ADDRESS_TEXT_MAX];
    int ours;

    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) != 0 ||
        (a->family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int)) != 0) ||
        bind(fd, (struct sockaddr *)&name, len) != 0 ||
        listen(fd, backlog) != 0) {
        fail_errno(why, E_SYSTEM, "cannot listen on %s", address_text(a, text));
        return -1;
    }
    ours = fd;
    fd = -1;
    return ours;
}

static void set_watch(struct listener *l)
{
    watch_set(l->watch, l->paused || l->out_of_descriptors ? 0 : WATCH_READ);
}

/* The connection stays in the backlog and the socket readable: watching on
 * would be a busy loop until somebody closes something. */
static void back_off(struct listener *l)
{
    struct error why = { 0 };

    fail_errno(&why, E_SYSTEM, "accepting a connection");
    log_say(LOG_LEVEL_WARNING, "listen.out-of-descriptors", &why, "no connections are accepted for a second");
    l->out_of_descriptors = true;
    set_watch(l);
    timer_set(l->timer, clock_now() + BACK_OFF_MS);
}

static void back_on(void *owner)
{
    struct listener *l = owner;

    l->out_of_descriptors = false;
    set_watch(l);
}

/* Hands one connection on; false when the listener is gone after it. */
static bool hand_over(struct listener *l, int fd, const struct sockaddr_storage *name)
{
    struct address peer = address_from((const struct sockaddr *)name);
    bool freed = false;

    l->freed = &freed;
    l->accepted(l->owner, fd, &peer);
    if (freed)
        return false;
    l->freed = NULL;
    return true;
}

static bool is_out_of_room(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void ready(void *owner, int events)
{
    struct listener *l = owner;

    for (int i = 0; i < ACCEPTED_AT_ONCE && !l->paused; i++) {
        struct sockaddr_storage name = { 0 };
        socklen_t len = sizeof name;
        int fd = accept4(l->fd, (struct sockaddr *)&name, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            if (!hand_over(l, fd, &name))
                return;
        } else if (is_out_of_room(errno)) {
            back_off(l);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
        /* Anything else befell the one connection (accept(2): "treat them like EAGAIN by retrying"). */
    }
}

struct listener *listener_new(int fd, void (*accepted)(void *owner, int fd, const struct address *peer), void *owner)
{
    struct listener *l = NEW(struct listener);

    *l = (struct listener){ .fd = fd, .accepted = accepted, .owner = owner };
    l->timer = timer_new(back_on, l);
    l->watch = watch_new(fd, ready, l);
    set_watch(l);
    return l;
}

void listener_pause(struct listener *l, bool paused)
{
    l->paused = paused;
    set_watch(l);
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    if (l->freed)
        *l->freed = true;
    watch_free(l->watch);
    timer_free(l->timer);
    free(l);
}

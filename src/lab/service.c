#include "lab/service.h"

#include "base/memory.h"
#include "net/socket.h"
#include "run/fiber.h"

#include <errno.h>

enum { BACKLOG = 64, TRIES = 50 };

struct service {
    int fd;
    struct listener *listener;
    service_serve *serve;
    void *owner;
};

/* One fiber under way. */
struct errand {
    struct fiber *fiber;
    void (*run)(void *arg);     /* NULL: a connection */
    void *arg;
    service_serve *serve;
    int fd;
    struct address peer;
    struct errand *next, **where;
};

static struct errand *errands;

static void run_errand(void *arg)
{
    struct errand *e = arg;

    if (e->run)
        e->run(e->arg);
    else
        e->serve(e->arg, e->fd, &e->peer);
    *e->where = e->next;
    if (e->next)
        e->next->where = e->where;
    free(e);
}

static void begin(const struct errand *what)
{
    struct errand *e = NEW(struct errand);

    *e = *what;
    e->next = errands;
    e->where = &errands;
    if (errands)
        errands->where = &e->next;
    errands = e;
    e->fiber = fiber_start("lab", run_errand, e);
}

static void accepted(void *owner, int fd, const struct address *peer)
{
    struct service *s = owner;

    begin(&(struct errand){ .arg = s->owner, .serve = s->serve, .fd = fd, .peer = *peer });
}

struct service *service_new(int fd, service_serve *serve, void *owner)
{
    struct service *s = NEW(struct service);

    *s = (struct service){ .fd = fd, .serve = serve, .owner = owner };
    s->listener = listener_new(fd, accepted, s);
    return s;
}

void service_free(struct service *s)
{
    if (!s)
        return;
    listener_free(s->listener);
    close(s->fd);
    free(s);
}

void service_fiber(void (*run)(void *arg), void *arg)
{
    begin(&(struct errand){ .run = run, .arg = arg });
}

void service_end_all(void)
{
    for (struct errand *e = errands; e; e = e->next)
        fiber_cancel(e->fiber);
    while (errands)
        loop_turn(true);
}

/* --- ports ------------------------------------------------------------------------- */

static void close_all(int *fds, size_t count)
{
    while (count-- > 0)
        close(fds[count]);
}

static bool listen_everywhere(struct address *const *addresses, size_t count, int *fds, struct error *why)
{
    for (size_t i = 0; i < count; i++) {
        fds[i] = listen_on(addresses[i], BACKLOG, why);
        if (fds[i] < 0) {
            int reason = errno;

            close_all(fds, i);
            errno = reason;
            return false;
        }
        addresses[i]->port = addresses[0]->port;
    }
    return true;
}

/* Below the range that the kernel gives to clients, so that it stays free. */
static uint16_t random_port(void)
{
    return (uint16_t)(15000 + (unsigned)random() % 15000);
}

uint16_t service_listen(struct address *const *addresses, size_t count, uint16_t port, int *fds, struct error *why)
{
    for (int tries = 0; tries < TRIES; tries++) {
        uint16_t wanted = port ? port : random_port();

        for (size_t i = 0; i < count; i++)
            addresses[i]->port = wanted;
        if (listen_everywhere(addresses, count, fds, why))
            return wanted;
        if (port || errno != EADDRINUSE)
            break;
    }
    return 0;
}

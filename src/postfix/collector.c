#include "postfix/collector.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/loop.h"

#include <errno.h>
#include <sys/socket.h>

enum {
    AT_ONCE = 64,                   /* then others get their turn */
    DRAINED_MOST = 4096,
    COMPLAINT_MS = 60 * 1000,       /* no more than one line about each fault in this time */
    PARSED_MAX = 4 * DATAGRAM_BYTES_MAX,
};

enum fault { FAULT_REFUSED, FAULT_VERSION, FAULT_COUNT, FAULTS };

struct collector {
    int fd;
    struct watch *watch;
    struct datagram_reader reader;
    struct arena arena;
    struct collector_figures figures;
    time_ms complain[FAULTS];       /* not before; clock_now time */
    char bytes[DATAGRAM_BYTES_MAX + 1];
};

static bool may_complain(struct collector *c, enum fault fault)
{
    if (loop_now() < c->complain[fault])
        return false;
    c->complain[fault] = loop_now() + COMPLAINT_MS;
    return true;
}

static void take(struct collector *c, struct slice bytes)
{
    struct error why = { 0 };
    struct datagram d;

    c->figures.datagrams++;
    arena_reset(&c->arena);
    if (!datagram_parse(bytes, &c->arena, &d, &why)) {
        c->figures.refused++;
        if (may_complain(c, FAULT_REFUSED))
            log_say(LOG_LEVEL_WARNING, "tlsrpt.refused", &why, "a datagram of Postfix is not counted");
        return;
    }
    if (strcmp(d.version, "1") != 0 && may_complain(c, FAULT_VERSION))
        log_say(LOG_LEVEL_WARNING, "tlsrpt.version", NULL, "datagrams have version \"%s\" and not 1; they are counted", d.version);
    if (d.miscounted && may_complain(c, FAULT_COUNT))
        log_say(LOG_LEVEL_WARNING, "tlsrpt.count", NULL, "a datagram about %s tells another number of failures than it lists; "
                "those that it lists are counted", d.domain);
    datagram_results(&d, &c->reader);
}

/* False: there is no more. */
static bool take_one(struct collector *c)
{
    ssize_t n = recv(c->fd, c->bytes, sizeof c->bytes, MSG_DONTWAIT | MSG_TRUNC);

    if (n < 0)
        return errno == EINTR;
    if ((size_t)n > sizeof c->bytes)
        n = sizeof c->bytes;        /* too large by one byte at least: refused as that */
    take(c, slice(c->bytes, (size_t)n));
    return true;
}

static void ready(void *owner, int events)
{
    (void)events;
    for (int i = 0; i < AT_ONCE && take_one(owner); i++)
        continue;
}

struct collector *collector_new(int fd, const struct datagram_reader *reader)
{
    struct collector *c = NEW(struct collector);

    c->fd = fd;
    c->reader = *reader;
    arena_init(&c->arena, PARSED_MAX);
    c->watch = watch_new(fd, ready, c);
    watch_set(c->watch, WATCH_READ);
    return c;
}

void collector_drain(struct collector *c)
{
    for (int i = 0; i < DRAINED_MOST && take_one(c); i++)
        continue;
}

struct collector_figures collector_figures(const struct collector *c)
{
    return c->figures;
}

void collector_free(struct collector *c)
{
    if (!c)
        return;
    watch_free(c->watch);
    arena_done(&c->arena);
    free(c);
}

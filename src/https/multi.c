#include "https/multi.h"

#include "base/memory.h"
#include "run/loop.h"

#include <assert.h>
#include <fcntl.h>

/* A descriptor that curl wants to hear of. */
struct wire {
    int fd;
    CURL *easy;
    struct watch *watch;
    struct multi *multi;
    struct wire *next, **where;
};

struct multi {
    CURLM *curl;
    struct timer *timer;
    struct wire *wires;         /* few: two for each transfer at most */
    void (*ended)(void *transfer, CURLcode code);
};

/* --- from the loop to curl ----------------------------------------------------- */

static void act(struct multi *m, curl_socket_t fd, int events)
{
    const CURLMsg *message;
    int running, left;

    curl_multi_socket_action(m->curl, fd, events, &running);
    while ((message = curl_multi_info_read(m->curl, &left)) != NULL) {
        CURLcode code = message->data.result;
        void *transfer = NULL;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        m->ended(transfer, code);
    }
}

static void is_ready(void *owner, int events)
{
    const struct wire *w = owner;

    act(w->multi, w->fd, ((events & WATCH_READ) ? CURL_CSELECT_IN : 0) | ((events & WATCH_WRITE) ? CURL_CSELECT_OUT : 0));
}

static void is_due(void *owner)
{
    act(owner, CURL_SOCKET_TIMEOUT, 0);
}

/* --- from curl to the loop ----------------------------------------------------- */

static int set_timer(CURLM *curl, long wait_ms, void *owner)
{
    struct multi *m = owner;

    timer_set(m->timer, wait_ms < 0 ? TIME_NEVER : clock_now() + wait_ms);
    return 0;
}

static struct wire *find_wire(const struct multi *m, int fd)
{
    struct wire *w = m->wires;

    while (w && w->fd != fd)
        w = w->next;
    return w;
}

static struct wire *wire_new(struct multi *m, CURL *easy, int fd)
{
    struct wire *w = NEW(struct wire);

    *w = (struct wire){ .fd = fd, .easy = easy, .watch = watch_new(fd, is_ready, w), .multi = m, .next = m->wires,
                        .where = &m->wires };
    if (w->next)
        w->next->where = &w->next;
    m->wires = w;
    return w;
}

static void wire_free(struct wire *w)
{
    watch_free(w->watch);
    *w->where = w->next;
    if (w->next)
        w->next->where = w->where;
    free(w);
}

static int set_watch(CURL *easy, curl_socket_t fd, int what, void *owner, void *unused)
{
    struct multi *m = owner;
    struct wire *w = find_wire(m, fd);
    int events = 0;

    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= WATCH_READ;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= WATCH_WRITE;
    if (!w && events)
        w = wire_new(m, easy, fd);
    if (w && what != CURL_POLL_REMOVE)
        watch_set(w->watch, events);
    else if (w)
        wire_free(w);
    return 0;
}

/* A socket that fails to connect is closed by curl 7.88 before it says that it
 * need not be watched any more. Would the next one get its number in between,
 * curl would take it for one that is watched already, and libuv abort. */
static int away_from_wires(const struct multi *m, int fd)
{
    int highest = fd, moved;

    if (!find_wire(m, fd))
        return fd;
    for (const struct wire *w = m->wires; w; w = w->next)
        highest = w->fd > highest ? w->fd : highest;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, highest + 1);
    close(fd);
    return moved;
}

curl_socket_t multi_open_socket(struct multi *m, const struct curl_sockaddr *to)
{
    int fd = socket(to->family, to->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to->protocol);

    return fd < 0 ? CURL_SOCKET_BAD : away_from_wires(m, fd);
}

/* --- the handle ---------------------------------------------------------------- */

/* tls/web.h gets at curl's TLS, so it must be the one that we are linked with. */
static bool has_our_tls(struct error *why)
{
    const char *tls = curl_version_info(CURLVERSION_NOW)->ssl_version;

    if (slice_starts(slice_of(tls), SLICE("OpenSSL/3.")))
        return true;
    return fail(why, E_SYSTEM, "libcurl uses %s for TLS, OpenSSL 3 is needed", tls ? tls : "nothing");
}

struct multi *multi_new(void (*ended)(void *transfer, CURLcode code), struct error *why)
{
    struct multi *m;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fail(why, E_SYSTEM, "libcurl cannot be set up");
        return NULL;
    }
    if (!has_our_tls(why)) {
        curl_global_cleanup();
        return NULL;
    }
    m = NEW(struct multi);
    *m = (struct multi){ .curl = curl_multi_init(), .timer = timer_new(is_due, m), .ended = ended };
    if (!m->curl)
        abort();                /* out of memory */
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, set_watch);
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
    curl_multi_setopt(m->curl, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return m;
}

void multi_free(struct multi *m)
{
    if (!m)
        return;
    curl_multi_cleanup(m->curl);
    assert(!m->wires);
    timer_free(m->timer);
    free(m);
    curl_global_cleanup();
}

bool multi_add(struct multi *m, CURL *easy)
{
    return curl_multi_add_handle(m->curl, easy) == CURLM_OK;
}

/* Should curl forget to say it at all: the number will be somebody else's soon. */
void multi_remove(struct multi *m, CURL *easy)
{
    curl_multi_remove_handle(m->curl, easy);
    for (struct wire *w = m->wires, *next; w; w = next) {
        next = w->next;
        if (w->easy == easy)
            wire_free(w);
    }
}

#include "serve/control.h"

#include "base/memory.h"
#include "run/channel.h"
#include "serve/operator.h"
#include "serve/store.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { CLIENTS_MAX = 16 };

struct client {
    struct control *control;        /* NULL once the control is gone */
    struct channel *channel;        /* NULL once it has left */
    unsigned waiting;               /* answers to come */
    struct client *next;
};

struct control {
    int fd;
    struct watch *watch;
    struct queue *queue;
    const struct control_events *events;
    void *owner;
    struct client *clients;
    unsigned client_count;
    char path[108];
};

bool store_socket_path(const char *data_directory, char path[108])
{
    return snprintf(path, 108, "%s/control", data_directory) < 108;
}

static void client_forget(struct client *c)
{
    if (!c->channel && c->waiting == 0)
        free(c);
}

static void client_leave(struct client *c)
{
    channel_free(c->channel);
    c->channel = NULL;
    if (c->control) {
        struct client **at = &c->control->clients;

        while (*at != c)
            at = &(*at)->next;
        *at = c->next;
        c->control->client_count--;
        c->control = NULL;
    }
    client_forget(c);
}

static void client_closed(void *owner, const struct error *why)
{
    client_leave(owner);
}

static void answer(void *arg, enum frame_type type, struct slice body)
{
    struct client *c = arg;

    if (c->channel)
        channel_send(c->channel, (uint8_t)type, body);
    if (type == FRAME_OPERATED) {
        c->waiting--;
        client_forget(c);
    }
}

static void tell_noted(const struct control *control, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct note n;

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (frame_get_note(body, &arena, &n))
        control->events->noted(control->owner, &(struct frame_note_key){ n.kind, n.key });
}

static void tell_store(const struct control *control, uint8_t type, struct slice body)
{
    if (type == FRAME_OPERATE)
        control->events->acted(control->owner);
    else if (type == FRAME_NOTE_PUT)
        tell_noted(control, body);
}

static bool client_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct client *c = owner;
    bool answered_later = type == FRAME_OPERATE || type == FRAME_NOTE_PUT, sensible;

    if (fd >= 0)
        close(fd);
    c->waiting += answered_later;
    sensible = fd < 0 && operator_request(c->control->queue, type, body, answer, c);
    if (!sensible)
        c->waiting -= answered_later;
    if (c->control && sensible)
        tell_store(c->control, type, body);
    return sensible;
}

static const struct channel_events client_events = { client_frame, client_closed };

static bool may_speak(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == 0 || who.uid == geteuid());
}

static void accept_client(void *owner, int events)
{
    struct control *control = owner;
    int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct client *c;

    if (fd < 0)
        return;
    if (control->client_count >= CLIENTS_MAX || !may_speak(fd)) {
        close(fd);
        return;
    }
    c = NEW(struct client);
    c->control = control;
    c->next = control->clients;
    control->clients = c;
    control->client_count++;
    c->channel = channel_new(fd, &client_events, c);
    channel_start(c->channel);
}

static bool socket_address(const char *data_directory, struct sockaddr_un *out, struct error *why)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    return store_socket_path(data_directory, out->sun_path) ||
           fail(why, E_USAGE, "%s: the path is too long for a control socket (100 bytes)", data_directory);
}

struct control *control_new(const char *data_directory, struct queue *q, const struct control_events *events,
                            void *owner, struct error *why)
{
    struct sockaddr_un address;
    struct control *c;
    int fd;

    if (!socket_address(data_directory, &address, why))
        return NULL;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(address.sun_path);       /* the queue's lock is ours, so this is a dead instance's */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(address.sun_path, 0600) != 0 || listen(fd, CLIENTS_MAX) != 0) {
        fail_errno(why, E_SYSTEM, "cannot listen on %s", address.sun_path);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    c = NEW(struct control);
    *c = (struct control){ .fd = fd, .queue = q, .events = events, .owner = owner };
    snprintf(c->path, sizeof c->path, "%s", address.sun_path);
    c->watch = watch_new(fd, accept_client, c);
    watch_set(c->watch, WATCH_READ);
    return c;
}

void control_free(struct control *c)
{
    if (!c)
        return;
    while (c->clients)
        client_leave(c->clients);
    watch_free(c->watch);
    close(c->fd);
    unlink(c->path);
    free(c);
}

int control_connect(const char *data_directory, struct error *why)
{
    struct sockaddr_un address;
    int fd;

    if (!socket_address(data_directory, &address, why))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (errno == ENOENT || errno == ECONNREFUSED)
        fail(why, E_NOT_FOUND, "no postern runs on %s", data_directory);
    else
        fail_errno(why, E_SYSTEM, "cannot reach the instance by %s", address.sun_path);
    if (fd >= 0)
        close(fd);
    return -1;
}

#include "lab/spoiler.h"

#include "base/cursor.h"
#include "base/memory.h"
#include "lab/service.h"
#include "run/fiber.h"

#include <errno.h>
#include <netinet/in.h>

enum {
    MESSAGE_MAX = 4096,
    HEADER_SIZE = 12,
    TYPE_TLSA = 52,
    SERVFAIL = 2,
    PATIENCE = SECONDS(2),
};

struct spoiler {
    int fd;
    struct watch *watch;
    const struct address *authority;
};

/* RFC 1035 4.1: a header of six words, then the one question. */
bool spoiler_refuses(struct slice query, struct buf *answer)
{
    struct cursor in = cursor_over(query);
    uint16_t id = cursor_u16(&in), flags = cursor_u16(&in), questions = cursor_u16(&in);
    uint16_t type;

    cursor_bytes(&in, HEADER_SIZE - 6);
    for (uint8_t label = cursor_u8(&in); label > 0; label = cursor_u8(&in))
        cursor_bytes(&in, label);
    type = cursor_u16(&in);
    cursor_u16(&in);
    if (in.failed || questions != 1 || type != TYPE_TLSA)
        return false;
    buf_u16(answer, id);
    buf_u16(answer, (uint16_t)(0x8000 | (flags & 0x7910) | SERVFAIL));      /* QR; opcode, RD and CD as asked */
    buf_u16(answer, 1);
    buf_u16(answer, 0);
    buf_u16(answer, 0);
    buf_u16(answer, 0);
    buf_add(answer, slice(query.at + HEADER_SIZE, query.len - HEADER_SIZE - in.rest.len));
    return true;
}

/* --- passing on --------------------------------------------------------------------- */

struct question {
    struct spoiler *spoiler;
    struct sockaddr_in asker;
    size_t size;
    char bytes[MESSAGE_MAX];
};

static ssize_t ask(const struct question *q, char *answer, size_t size)
{
    struct sockaddr_storage name;
    socklen_t len = address_to(q->spoiler->authority, &name);
    auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct fiber_watch *watch = fiber_watch_new(fd);
    ssize_t got = -1;

    if (connect(fd, (struct sockaddr *)&name, len) == 0 && send(fd, q->bytes, q->size, 0) >= 0
        && fiber_wait_ready(watch, WATCH_READ, clock_now() + PATIENCE, NULL) == FIBER_WOKEN)
        got = recv(fd, answer, size, 0);
    fiber_watch_free(watch);
    return got;
}

static void pass_on(void *arg)
{
    struct question *q = arg;
    char answer[MESSAGE_MAX];
    ssize_t got = ask(q, answer, sizeof answer);

    if (got > 0)
        sendto(q->spoiler->fd, answer, (size_t)got, 0, (struct sockaddr *)&q->asker, sizeof q->asker);
    free(q);
}

static void arrived(void *owner, int events)
{
    struct spoiler *s = owner;
    struct question q = { .spoiler = s };
    socklen_t len = sizeof q.asker;
    ssize_t got = recvfrom(s->fd, q.bytes, sizeof q.bytes, 0, (struct sockaddr *)&q.asker, &len);
    auto_buf struct buf refusal = { .max = MESSAGE_MAX };

    if (got <= 0)
        return;
    q.size = (size_t)got;
    if (spoiler_refuses(slice(q.bytes, q.size), &refusal)) {
        sendto(s->fd, buf_slice(&refusal).at, buf_len(&refusal), 0, (struct sockaddr *)&q.asker, len);
    } else {
        struct question *own = NEW(struct question);

        *own = q;
        service_fiber(pass_on, own);
    }
}

struct spoiler *spoiler_open(struct address *at, const struct address *authority, struct error *why)
{
    struct sockaddr_storage name;
    socklen_t len = address_to(at, &name);
    struct spoiler *s;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&name, len) != 0
        || getsockname(fd, (struct sockaddr *)&name, &len) != 0) {
        fail_errno(why, E_SYSTEM, "cannot open a socket for DNS");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    at->port = address_from((struct sockaddr *)&name).port;
    s = NEW(struct spoiler);
    *s = (struct spoiler){ .fd = fd, .authority = authority };
    s->watch = watch_new(fd, arrived, s);
    watch_set(s->watch, WATCH_READ);
    return s;
}

void spoiler_close(struct spoiler *s)
{
    if (!s)
        return;
    watch_free(s->watch);
    close(s->fd);
    free(s);
}

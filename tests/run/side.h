/* tests/run/side.h - one end of a channel, and what it has heard. */
#ifndef TESTS_RUN_SIDE_H
#define TESTS_RUN_SIDE_H

#include "base/buf.h"
#include "base/memory.h"
#include "run/channel.h"
#include "tests/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum side_will { WILL_TAKE, WILL_REFUSE, WILL_FREE, WILL_PAUSE };

struct side {
    struct channel *channel;
    enum side_will will;        /* on the next frame */
    bool keeps_when_closed;     /* else it frees the channel in closed(), as owners do */
    int frames;
    uint8_t type;               /* of the last frame */
    struct buf body;
    uint64_t bytes;             /* of all bodies */
    int fds[32];
    int fd_count;
    int closed;
    struct error why;
};

static inline bool side_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct side *s = owner;

    s->frames++;
    s->type = type;
    s->bytes += body.len;
    buf_clear(&s->body);
    buf_add(&s->body, body);
    if (fd >= 0)
        s->fds[s->fd_count++] = fd;
    switch (s->will) {
    case WILL_REFUSE:
        return false;
    case WILL_FREE:
        channel_free(s->channel);
        s->channel = NULL;
        break;
    case WILL_PAUSE:
        channel_pause(s->channel, true);
        break;
    case WILL_TAKE:
        break;
    }
    return true;
}

static inline void side_closed(void *owner, const struct error *why)
{
    struct side *s = owner;

    s->closed++;
    s->why = *why;
    if (s->keeps_when_closed)
        return;
    channel_free(s->channel);
    s->channel = NULL;
}

static inline void side_open(struct side *s, int fd)
{
    static const struct channel_events events = { side_frame, side_closed };

    *s = (struct side){ 0 };
    buf_init(&s->body, CHANNEL_FRAME_MAX);
    s->channel = channel_new(fd, &events, s);
    channel_start(s->channel);
}

static inline void side_done(struct side *s)
{
    channel_free(s->channel);
    buf_done(&s->body);
    for (int i = 0; i < s->fd_count; i++)
        close(s->fds[i]);
}

static inline void make_pair(int fds[2])
{
    struct error why;

    CHECK_OK(channel_pair(fds, &why), &why);
}

static inline void turns(int count)
{
    while (count-- > 0)
        loop_turn(false);
}

static inline int open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = 0;

    CHECK(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

#endif

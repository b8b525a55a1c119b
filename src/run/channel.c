#include "run/channel.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "base/memory.h"
#include "run/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

enum {
    HEADER_SIZE = 6,
    FLAG_DESCRIPTOR = 1,                /* one comes with this frame */
    FLAGS_KNOWN = FLAG_DESCRIPTOR,

    INPUT_USUAL = 256 * 1024,           /* memory to read into; grows for a larger frame, and shrinks after it */
    INPUT_SPARE = 64 * 1024,            /* to read into behind a frame, at least */
    OUTPUT_MAX = 64 * 1024 * 1024,      /* a peer that lets this much pile up is as good as dead */
    OUTPUT_KEPT = 64 * 1024,            /* memory kept for the next turn */

    /* A descriptor travels with the first byte of its frame, so an honest
     * peer's wait here for the rest of one frame, and the start of the next. */
    ARRIVED_MAX = 4,

    LAST_READS = 64,                    /* of a peer that takes nothing any more */
};

enum state {
    OPEN,
    CANNOT_SEND,        /* the peer is gone, but may have left last words */
    BROKEN,             /* closed() is to be told, or was */
};

/* A descriptor waiting to be sent with the frame that starts at `position` of the output. */
struct passing {
    uint64_t position;
    int fd;
};

struct channel {
    int fd;
    const struct channel_events *events;
    void *owner;
    struct watch *watch;
    enum state state;
    struct error why;
    bool started, paused;
    bool blocked;               /* the socket took less than all */
    bool freed;
    unsigned users;             /* calls under way in here; the last one out frees */
    struct soon flush;          /* at the end of the turn */
    struct soon resume;         /* frames held back by a pause */
    struct soon farewell;       /* tells closed() */

    char *input;
    size_t input_len, input_size;
    int arrived[ARRIVED_MAX];
    size_t arrived_count;

    struct buf output;
    uint64_t sent;              /* bytes of output, ever */
    struct passing *passing;
    size_t passing_count;
    struct gate room;
};

/* --- one frame --------------------------------------------------------- */

struct frame {
    uint8_t type;
    bool has_descriptor;
    size_t size;            /* with its header; 0 while that is not known */
    struct slice body;
};

enum parsed { FRAME_WHOLE, FRAME_PARTIAL, FRAME_WRONG };

/* Of a frame that is partial for want of its body, all but the body is known. */
static enum parsed frame_parse(struct slice held, struct frame *f, struct error *why)
{
    struct cursor in = cursor_over(held);
    uint32_t len = cursor_u32(&in);
    uint8_t flags;

    *f = (struct frame){ .type = cursor_u8(&in) };
    flags = cursor_u8(&in);
    if (in.failed)
        return FRAME_PARTIAL;
    if (flags & ~FLAGS_KNOWN) {
        fail(why, E_PROTOCOL, "frame of type %u has unknown flags 0x%02x", f->type, flags);
        return FRAME_WRONG;
    }
    if (len > CHANNEL_FRAME_MAX) {
        fail(why, E_PROTOCOL, "frame of type %u announces %u bytes", f->type, len);
        return FRAME_WRONG;
    }
    f->has_descriptor = flags & FLAG_DESCRIPTOR;
    f->size = HEADER_SIZE + len;
    f->body = cursor_bytes(&in, len);
    return in.failed ? FRAME_PARTIAL : FRAME_WHOLE;
}

/* --- life and end ------------------------------------------------------ */

static void flush(void *owner);
static void take_frames(void *owner);
static void say_farewell(void *owner);
static void is_ready(void *owner, int events);

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void drop_output(struct channel *c)
{
    for (size_t i = 0; i < c->passing_count; i++)
        close(c->passing[i].fd);
    c->passing_count = 0;
    buf_release(&c->output);
    soon_remove(&c->flush);
}

/* The peer sees the socket close now; the owner is told from the loop. */
static void shut(struct channel *c)
{
    drop_output(c);
    close_all(c->arrived, c->arrived_count);
    c->arrived_count = 0;
    watch_free(c->watch);
    c->watch = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void broke(struct channel *c)
{
    c->state = BROKEN;
    shut(c);
    gate_open_all(&c->room);
    soon_remove(&c->resume);
    soon_add(&c->farewell);
}

static void cannot_send(struct channel *c)
{
    c->state = CANNOT_SEND;
    drop_output(c);
    gate_open_all(&c->room);
    soon_add(&c->farewell);
}

static void release(struct channel *c)
{
    if (--c->users > 0 || !c->freed)
        return;
    free(c->input);
    free(c->passing);
    buf_done(&c->output);
    free(c);
}

struct channel *channel_new(int fd, const struct channel_events *events, void *owner)
{
    struct channel *c = NEW(struct channel);

    c->fd = fd;
    c->events = events;
    c->owner = owner;
    c->flush = (struct soon){ .run = flush, .owner = c };
    c->resume = (struct soon){ .run = take_frames, .owner = c };
    c->farewell = (struct soon){ .run = say_farewell, .owner = c };
    c->input = memory_array(INPUT_USUAL, 1);
    c->input_size = INPUT_USUAL;
    buf_init(&c->output, OUTPUT_MAX);
    c->watch = watch_new(fd, is_ready, c);
    return c;
}

void channel_free(struct channel *c)
{
    if (!c)
        return;
    assert(!c->freed);
    c->users++;
    flush(c);
    c->freed = true;
    c->state = BROKEN;
    shut(c);
    gate_open_all(&c->room);
    soon_remove(&c->resume);
    soon_remove(&c->farewell);
    release(c);
}

static void listen_for(struct channel *c)
{
    bool hears = c->started && !c->paused;

    if (c->watch)
        watch_set(c->watch, (hears ? WATCH_READ : 0) | (c->blocked ? WATCH_WRITE : 0));
}

/* --- taking frames ----------------------------------------------------- */

/* Keeps the descriptors that came along, in order. Those over the bound are
 * closed, and the kernel closes those that do not fit `control`. */
static bool keep_descriptors(struct channel *c, struct msghdr *message)
{
    bool all_kept = !(message->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h)) {
        size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
            if (c->arrived_count < ARRIVED_MAX) {
                c->arrived[c->arrived_count++] = fd;
            } else {
                close(fd);
                all_kept = false;
            }
        }
    }
    return all_kept || fail(&c->why, E_PROTOCOL, "more descriptors came than frames for them, or than we may open");
}

/* One read. False when nothing came; the channel may have broken. */
static bool receive(struct channel *c)
{
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(ARRIVED_MAX * sizeof(int))];
    } control;
    struct iovec room = { c->input + c->input_len, c->input_size - c->input_len };
    struct msghdr message = { .msg_iov = &room, .msg_iovlen = 1,
                              .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
    ssize_t got;

    if (room.iov_len == 0)          /* full of whole frames, just after a pause: they come first */
        return false;
    got = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got < 0)
        fail_errno(&c->why, E_CLOSED, "cannot read from the peer");
    else if (!keep_descriptors(c, &message))
        ;
    else if (got == 0)
        fail(&c->why, E_CLOSED, c->input_len ? "the peer went away in the middle of a frame" : "the peer went away");
    else {
        c->input_len += (size_t)got;
        return true;
    }
    broke(c);
    return false;
}

static int take_descriptor(struct channel *c)
{
    int fd = c->arrived[0];

    memmove(c->arrived, c->arrived + 1, --c->arrived_count * sizeof *c->arrived);
    return fd;
}

static bool hand_over(struct channel *c, const struct frame *f)
{
    int fd = -1;

    if (f->has_descriptor) {
        if (c->arrived_count == 0)
            return fail(&c->why, E_PROTOCOL, "the descriptor of a frame of type %u did not arrive", f->type);
        fd = take_descriptor(c);
    }
    return c->events->frame(c->owner, f->type, f->body, fd)
        || fail(&c->why, E_PROTOCOL, "frame of type %u makes no sense", f->type);
}

/* With the last whole frame gone, a descriptor may only wait for the one that
 * has begun: they travel with its first byte. */
static bool none_left_over(struct channel *c, const struct frame *begun, size_t held)
{
    size_t expected = held > 0 && (begun->size == 0 || begun->has_descriptor);

    return c->arrived_count <= expected || fail(&c->why, E_PROTOCOL, "a descriptor came without a frame for it");
}

/* What remains moves to the front, with memory for all of the frame begun. */
static void keep_input(struct channel *c, struct slice held, size_t frame_size)
{
    size_t size = frame_size + INPUT_SPARE > INPUT_USUAL ? frame_size + INPUT_SPARE : INPUT_USUAL;

    memmove(c->input, held.at, held.len);
    c->input_len = held.len;
    if (size > c->input_size || (size < c->input_size && held.len <= size)) {
        c->input = memory_grow(c->input, size, 1);
        c->input_size = size;
    }
}

/* Hands over what is whole. */
static void take_frames(void *owner)
{
    struct channel *c = owner;
    struct slice held = slice(c->input, c->input_len);
    struct frame f = { 0 };
    bool sane = true;

    c->users++;
    while (sane && !c->freed && c->state != BROKEN && !c->paused) {
        enum parsed parsed = frame_parse(held, &f, &c->why);

        if (parsed == FRAME_PARTIAL) {
            sane = none_left_over(c, &f, held.len);
            break;
        }
        sane = parsed == FRAME_WHOLE && hand_over(c, &f);
        held = slice_after(held, f.size);
        f.size = 0;
    }
    if (!sane && !c->freed && c->state != BROKEN)
        broke(c);
    keep_input(c, held, f.size);
    release(c);
}

static void is_ready(void *owner, int events)
{
    struct channel *c = owner;

    c->users++;
    if (events & WATCH_WRITE)
        flush(c);
    if (events & WATCH_READ && c->state == OPEN && receive(c))
        take_frames(c);
    release(c);
}

/* What a dead peer still said is worth hearing: it may have kept a promise. */
static void say_farewell(void *owner)
{
    struct channel *c = owner;
    struct error found = c->why;

    c->users++;
    for (int i = 0; i < LAST_READS && c->state == CANNOT_SEND && c->started && !c->paused && receive(c); i++)
        take_frames(c);
    if (!c->freed && c->state == CANNOT_SEND) {
        c->why = found;
        broke(c);
    }
    soon_remove(&c->farewell);
    if (!c->freed)
        c->events->closed(c->owner, &c->why);
    release(c);
}

void channel_start(struct channel *c)
{
    c->started = true;
    listen_for(c);
}

void channel_pause(struct channel *c, bool paused)
{
    if (c->paused == paused)
        return;
    c->paused = paused;
    listen_for(c);
    if (!paused && c->state == OPEN)
        soon_add(&c->resume);
}

/* --- sending ----------------------------------------------------------- */

/* One system call: all that waits, up to where the next descriptor must go. */
static ssize_t send_some(struct channel *c)
{
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    bool passes = c->passing_count > 0 && c->passing[0].position == c->sent;
    struct slice bytes = buf_slice(&c->output);
    struct iovec part;
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    if (c->passing_count > passes)
        bytes = slice_first(bytes, c->passing[passes].position - c->sent);
    part = (struct iovec){ (void *)bytes.at, bytes.len };
    if (passes) {
        memset(&control, 0, sizeof control);
        control.aligned = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.aligned), &c->passing[0].fd, sizeof(int));
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
    }
    return sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void sent_some(struct channel *c, size_t n)
{
    if (c->passing_count > 0 && c->passing[0].position == c->sent) {
        close(c->passing[0].fd);
        memmove(c->passing, c->passing + 1, --c->passing_count * sizeof *c->passing);
    }
    c->sent += n;
    buf_take(&c->output, n);
}

static void flush(void *owner)
{
    struct channel *c = owner;

    if (c->state != OPEN)
        return;
    c->blocked = false;
    while (buf_len(&c->output) > 0 && !c->blocked) {
        ssize_t n = send_some(c);

        if (n >= 0) {
            sent_some(c, (size_t)n);
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            c->blocked = true;
        } else if (errno != EINTR) {
            fail_errno(&c->why, E_CLOSED, "cannot write to the peer");
            cannot_send(c);
            return;
        }
    }
    listen_for(c);
    if (buf_len(&c->output) == 0 && c->output.capacity > OUTPUT_KEPT)
        buf_release(&c->output);
    if (buf_len(&c->output) < CHANNEL_BACKLOG_HIGH)
        gate_open_all(&c->room);
}

static bool pass_along(struct channel *c, int fd)
{
    int ours = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (ours < 0)
        return fail_errno(&c->why, E_SYSTEM, "cannot keep a descriptor until it is sent");
    c->passing = memory_grow(c->passing, c->passing_count + 1, sizeof *c->passing);
    c->passing[c->passing_count++] = (struct passing){ c->sent + buf_len(&c->output), ours };
    return true;
}

void channel_send_fd(struct channel *c, uint8_t type, struct slice body, int fd)
{
    assert(body.len <= CHANNEL_FRAME_MAX);
    if (c->state != OPEN)
        return;
    if (HEADER_SIZE + body.len > OUTPUT_MAX - buf_len(&c->output)) {
        fail(&c->why, E_LIMIT, "the peer takes no frames: %zu bytes wait", buf_len(&c->output));
        cannot_send(c);
        return;
    }
    if (fd >= 0 && !pass_along(c, fd)) {
        cannot_send(c);
        return;
    }
    buf_u32(&c->output, (uint32_t)body.len);
    buf_u8(&c->output, type);
    buf_u8(&c->output, fd >= 0 ? FLAG_DESCRIPTOR : 0);
    buf_add(&c->output, body);
    if (!c->blocked)
        soon_add(&c->flush);
}

void channel_send(struct channel *c, uint8_t type, struct slice body)
{
    channel_send_fd(c, type, body, -1);
}

size_t channel_backlog(const struct channel *c)
{
    return buf_len(&c->output);
}

bool channel_wait_room(struct channel *c, time_ms deadline)
{
    bool room;

    c->users++;
    while (c->state == OPEN && buf_len(&c->output) >= CHANNEL_BACKLOG_HIGH)
        if (gate_wait(&c->room, deadline) != FIBER_WOKEN)
            break;
    room = c->state == OPEN && buf_len(&c->output) < CHANNEL_BACKLOG_HIGH;
    release(c);
    return room;
}

void channel_drain(struct channel *c, time_ms deadline)
{
    for (flush(c); c->state == OPEN && buf_len(&c->output) > 0; flush(c)) {
        struct pollfd socket = { .fd = c->fd, .events = POLLOUT };
        time_ms left = deadline - clock_now();

        if (left <= 0)
            return;
        poll(&socket, 1, left < SECONDS(60) ? (int)left : (int)SECONDS(60));
    }
}

bool channel_pair(int fds[2], struct error *why)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        return fail_errno(why, E_SYSTEM, "cannot make a pair of sockets");
    return true;
}

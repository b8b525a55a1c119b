/* run/channel.h - frames between two processes of ours, over a socketpair.
 *
 * A frame is u32 length, u8 type, u8 flags, then `length` bytes; it may carry
 * one file descriptor. Both sides treat the other as a stranger: a frame over
 * the limit, or one with an unknown flag, closes the channel. Frames sent in
 * one turn of the loop leave in one system call. */
#ifndef RUN_CHANNEL_H
#define RUN_CHANNEL_H

#include "run/fiber.h"

enum { CHANNEL_FRAME_MAX = 1024 * 1024 };    /* bytes of a frame's body: a message to 1,000 recipients with long names */

struct channel;

struct channel_events {
    /* `body` is valid during the call. `fd` is -1 or becomes the callee's.
     * Returning false means the frame makes no sense: the channel closes. */
    bool (*frame)(void *owner, uint8_t type, struct slice body, int fd);
    /* The peer is gone or broke the protocol; called once, never from within
     * channel_send. The owner frees the channel. */
    void (*closed)(void *owner, const struct error *why);
};

/* Takes the socket. Frames come only after channel_start. */
struct channel *channel_new(int fd, const struct channel_events *events, void *owner);
void channel_start(struct channel *c);
void channel_free(struct channel *c);           /* unsent frames are tried once, then dropped; NULL is fine */

/* Queued at once, sent at the end of the turn. After the channel broke, frames
 * are dropped (closed() tells). `fd` is duplicated by the kernel: the caller
 * keeps its own. -1 for none. */
void channel_send(struct channel *c, uint8_t type, struct slice body);
void channel_send_fd(struct channel *c, uint8_t type, struct slice body, int fd);

/* Bytes not yet taken by the peer. Senders of bulk keep it bounded: */
size_t channel_backlog(const struct channel *c);
/* Waits until the backlog is below CHANNEL_BACKLOG_HIGH; false when the channel broke. */
enum { CHANNEL_BACKLOG_HIGH = 1024 * 1024 };
bool channel_wait_room(struct channel *c, time_ms deadline) must_check;

/* Stop and go on taking frames (back-pressure towards the peer). That the peer
 * is gone shows only in a channel that is not paused, or when sending. */
void channel_pause(struct channel *c, bool paused);

/* Write out what waits, blocking for at most `deadline`; used before exit. */
void channel_drain(struct channel *c, time_ms deadline);

/* A connected pair, close-on-exec, non-blocking. */
bool channel_pair(int fds[2], struct error *why) must_check;

#endif

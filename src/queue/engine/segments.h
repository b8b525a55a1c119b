/* queue/engine/segments.h - append-only files that hold bodies, many in one.
 *
 * Bytes are only ever added behind the others, never overwritten, and each
 * start of the program begins a new file, so what a stored message points at
 * cannot change (Q3). This module keeps the books: where the next bytes go,
 * how many are still wanted, who is using a file. All of it belongs to the
 * loop's thread; the thread that applies a group gets descriptors and offsets
 * and writes there. */
#ifndef QUEUE_ENGINE_SEGMENTS_H
#define QUEUE_ENGINE_SEGMENTS_H

#include "queue/engine/extents.h"

/* A file that has grown to this takes no more: 64 MiB. Tests make it smaller. */
extern uint64_t segments_full_at;

struct segment {
    uint32_t number;            /* its file is segments/00000012.body */
    int fd;                     /* -1 while nobody needs it */
    unsigned users;             /* extents of drafts, readers and groups under way */
    uint64_t end;               /* where the next bytes go */
    uint64_t live;              /* bytes of stored bodies */
    bool named;                 /* its directory entry is on stable storage */
    bool spoiled;               /* a sync failed: bytes not yet stored may be lost */
};

struct segments {
    int directory;
    struct segment **list;      /* ascending */
    size_t count, capacity;
    struct segment *current;    /* takes new bytes; NULL before any came */
    uint32_t next;              /* number of the next file */
    size_t open;                /* descriptors held */
};

/* Finds the files in `segments/` below `directory`, which is made if missing. */
bool segments_open(struct segments *s, int directory, struct error *why) must_check;
void segments_close(struct segments *s);        /* fine after a failed segments_open, or with directory = -1 alone */

/* Room for `n` bytes, in one piece. Somebody must write them. */
bool segments_reserve(struct segments *s, uint64_t n, struct extent *out, struct error *why) must_check;

/* The descriptor of a segment; stays open while the segment has users or is current. */
int segments_fd(struct segments *s, uint32_t number, struct error *why) must_check;     /* -1: why */

struct segment *segments_find(const struct segments *s, uint32_t number);   /* NULL: no such file */

/* Users hold files open and keep them from being removed. */
void segments_use(struct segments *s, const struct extents *e);
void segments_unuse(struct segments *s, const struct extents *e);

/* These bytes belong to a stored message now, or no more. */
void segments_add_live(struct segments *s, const struct extents *e);
void segments_drop_live(struct segments *s, const struct extents *e);

/* A sync failed: nothing more is added here. */
void segments_spoil(struct segments *s, uint32_t number);
bool segments_has_spoiled(const struct segments *s, const struct extents *e);

/* Takes a file that nobody needs any more out of the books; NULL when there is
 * none. The caller unlinks it and frees it. With `idle` the current file counts
 * too when all its bytes are dead. */
struct segment *segments_take_dead(struct segments *s, bool idle);
void segments_remove(int directory, struct segment *dead);      /* any thread */

/* A file of which less than a quarter is live; 0 when there is none. */
uint32_t segments_sparse(const struct segments *s);

uint64_t segments_bytes(const struct segments *s);

#endif

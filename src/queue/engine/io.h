/* queue/engine/io.h - the system calls that write the queue's files.
 *
 * All in one replaceable place, so that tests can record, stop or refuse
 * them: a queue is only as safe as what survives between any two of these.
 * SQLite's own calls are seen through its VFS. */
#ifndef QUEUE_ENGINE_IO_H
#define QUEUE_ENGINE_IO_H

#include "base/error.h"

#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

struct io {
    int (*open)(int directory, const char *name, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pwritev)(int fd, const struct iovec *parts, int count, off_t offset);
    int (*datasync)(int fd);
    int (*sync_directory)(int directory);
    int (*unlink)(int directory, const char *name);
    int (*statvfs)(int fd, struct statvfs *out);
};
extern struct io io;

/* As fail_errno; a full disk or quota is E_STORAGE_FULL, all else E_STORAGE. */
bool io_fail(struct error *why, const char *format, ...) printf_like(2, 3);

/* All of `parts` at `offset`, however many. Changes the array. */
bool io_write(int fd, struct iovec *parts, size_t count, uint64_t offset, struct error *why) must_check;

/* Exactly `size` bytes from `offset`. */
bool io_read(int fd, char *into, size_t size, uint64_t offset, struct error *why) must_check;

#endif

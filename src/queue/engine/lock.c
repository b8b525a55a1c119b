#include "queue/engine/lock.h"

#include "queue/engine/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int refused(int fd, struct error *why)
{
    char pid[24] = "";
    ssize_t n;

    if (errno != EWOULDBLOCK) {
        io_fail(why, "lock");
    } else {
        n = pread(fd, pid, sizeof pid - 1, 0);
        while (n > 0 && !byte_is_digit(pid[n - 1]))
            n--;
        fail(why, E_STORAGE_LOCKED, "another instance has the queue: process %.*s", n > 0 ? (int)n : 1,
             n > 0 ? pid : "?");
    }
    close(fd);
    return -1;
}

/* The pid is for people; what counts is flock, which ends with the process. */
int lock_take(int directory, struct error *why)
{
    int fd = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char pid[24];
    int len;

    if (fd < 0) {
        io_fail(why, "lock");
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return refused(fd, why);
    len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        /* The disk is full: the lock is held all the same. */
    }
    return fd;
}

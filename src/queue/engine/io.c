#include "queue/engine/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static int system_open(int directory, const char *name, int flags, mode_t mode)
{
    return openat(directory, name, flags, mode);
}

static int system_unlink(int directory, const char *name)
{
    return unlinkat(directory, name, 0);
}

struct io io = {
    .open = system_open,
    .close = close,
    .pwritev = pwritev,
    .datasync = fdatasync,
    .sync_directory = fsync,
    .unlink = system_unlink,
    .statvfs = fstatvfs,
};

bool io_fail(struct error *why, const char *format, ...)
{
    enum error_code code = errno == ENOSPC || errno == EDQUOT ? E_STORAGE_FULL : E_STORAGE;
    int number = errno;
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    errno = number;
    return fail_errno(why, code, "%s", text);
}

/* Step over what has been written. */
static void advance(struct iovec **parts, size_t *count, size_t written)
{
    while (*count > 0 && written >= (*parts)->iov_len) {
        written -= (*parts)->iov_len;
        ++*parts;
        --*count;
    }
    if (*count > 0) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + written;
        (*parts)->iov_len -= written;
    }
}

bool io_write(int fd, struct iovec *parts, size_t count, uint64_t offset, struct error *why)
{
    advance(&parts, &count, 0);
    while (count > 0) {
        ssize_t n = io.pwritev(fd, parts, count < IOV_MAX ? (int)count : IOV_MAX, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return io_fail(why, "write");
        offset += (size_t)n;
        advance(&parts, &count, (size_t)n);
    }
    return true;
}

bool io_read(int fd, char *into, size_t size, uint64_t offset, struct error *why)
{
    while (size > 0) {
        ssize_t n = pread(fd, into, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_fail(why, "read");
        if (n == 0)
            return fail(why, E_STORAGE, "read: the file ends too early");
        into += n;
        size -= (size_t)n;
        offset += (size_t)n;
    }
    return true;
}

#include "lab/files.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

bool file_read(const char *path, struct buf *out, struct error *why)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    char piece[16 * 1024];
    ssize_t got;

    if (fd < 0)
        return fail_errno(why, E_SYSTEM, "cannot read %s", path);
    while ((got = read(fd, piece, sizeof piece)) > 0)
        buf_add(out, slice(piece, (size_t)got));
    if (got < 0)
        return fail_errno(why, E_SYSTEM, "cannot read %s", path);
    return !out->failed || fail(why, E_LIMIT, "%s is too large", path);
}

bool file_write(const char *path, struct slice content, struct error *why)
{
    size_t size = strlen(path) + sizeof ".new";
    auto_free char *fresh = memory_new(size);
    FILE *out;
    bool good;

    snprintf(fresh, size, "%s.new", path);
    out = fopen(fresh, "we");
    if (!out)
        return fail_errno(why, E_SYSTEM, "cannot write %s", fresh);
    good = fwrite(content.at, 1, content.len, out) == content.len;
    if (fclose(out) != 0 || !good || rename(fresh, path) != 0)
        return fail_errno(why, E_SYSTEM, "cannot write %s", path);
    return true;
}

bool folder_make(const char *path, struct error *why)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return fail_errno(why, E_SYSTEM, "cannot make the directory %s", path);
    return true;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)!remove(path);        /* what somebody else removes meanwhile is gone as well */
    return 0;
}

void folder_remove(const char *path)
{
    enum { OPEN_AT_ONCE = 8 };

    nftw(path, remove_one, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS);
}

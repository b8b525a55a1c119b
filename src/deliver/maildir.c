#include "deliver/maildir.h"

#include "base/memory.h"
#include "message/received.h"
#include "run/fiber.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

static bool safe_part(struct slice part)
{
    return part.len > 0 && part.len <= NAME_MAX && part.at[0] != '.' && slice_find(part, '/') == part.len &&
           slice_find(part, '\0') == part.len;
}

bool maildir_path(const char *pattern, const char *address, struct arena *arena, const char **path, struct error *why)
{
    struct slice whole = slice_of(address);
    size_t at = slice_find_last(whole, '@');
    struct slice user = slice_first(whole, at), domain = slice_after(whole, at + 1);
    auto_buf struct buf made = { 0 };

    buf_init(&made, PATH_MAX - 64);
    for (const char *c = pattern; *c; c++) {
        struct slice part = slice(c, 1);

        if (c[0] == '%' && c[1] != '\0') {
            c++;
            part = *c == 'u' ? user : *c == 'd' ? domain : slice(c, 1);
            if ((*c == 'u' || *c == 'd') && !safe_part(part))
                return fail(why, E_MALFORMED, "%s cannot name a directory", address);
        }
        for (size_t i = 0; i < part.len; i++)
            buf_byte(&made, c > pattern && c[-1] == '%' ? byte_lower(part.at[i]) : part.at[i]);
    }
    if (made.failed)
        return fail(why, E_MALFORMED, "%s makes a path that is too long", address);
    *path = arena_string(arena, buf_slice(&made));
    return true;
}

static bool storage_failed(struct error *why, const char *act, const char *path)
{
    enum error_code code = errno == ENOSPC || errno == EDQUOT ? E_STORAGE_FULL : E_STORAGE;

    return fail_errno(why, code, "cannot %s %s", act, path);
}

/* mkdir -p; what exists is fine. */
static bool make_directories(char *path, struct error *why)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return storage_failed(why, "create", path);
        *slash = '/';
    }
    return true;
}

struct paths {
    char tmp[PATH_MAX], new[PATH_MAX], new_directory[PATH_MAX];
};

static bool prepare(const struct maildir_file *f, struct paths *p, struct error *why)
{
    static const char *const parts[] = { "cur", "new", "tmp" };
    char id[MESSAGE_ID_TEXT], name[320];

    for (size_t i = 0; i < 3; i++) {
        snprintf(p->tmp, sizeof p->tmp, "%s/%s/", f->directory, parts[i]);
        if (!make_directories(p->tmp, why))
            return false;
    }
    snprintf(name, sizeof name, "%lld.%s_%u.%s", (long long)(f->arrived / 1000), message_id_text(f->id, id), f->recipient,
             f->hostname);
    if (snprintf(p->tmp, sizeof p->tmp, "%s/tmp/%s.%d", f->directory, name, (int)getpid()) >= PATH_MAX ||
        snprintf(p->new, sizeof p->new, "%s/new/%s", f->directory, name) >= PATH_MAX ||
        snprintf(p->new_directory, sizeof p->new_directory, "%s/new", f->directory) >= PATH_MAX)
        return fail(why, E_MALFORMED, "the path of the maildir is too long");
    return true;
}

static bool write_all(int fd, struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.at, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes = slice_after(bytes, (size_t)n);
    }
    return true;
}

static bool copy(int fd, const struct maildir_file *f, const char *path, struct smtp_source *source, struct error *why)
{
    auto_buf struct buf top = { 0 };
    struct slice piece;

    buf_init(&top, 1024);
    return_path_write(f->sender, &top);
    for (piece = buf_slice(&top); piece.len;) {
        if (!write_all(fd, piece))
            return storage_failed(why, "write", path);
        if (!source->next(source->self, &piece, why))
            return false;
    }
    return true;
}

struct finish {
    int fd;
    const struct paths *paths;
    int problem;                /* errno, 0 when done */
};

static void finish_on_thread(void *arg)
{
    struct finish *f = arg;
    auto_close int directory = open(f->paths->new_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fsync(f->fd) != 0 || directory < 0 || rename(f->paths->tmp, f->paths->new) != 0 || fsync(directory) != 0)
        f->problem = errno;
}

bool maildir_deliver(const struct maildir_file *f, struct smtp_source *source, struct error *why)
{
    auto_free struct paths *paths = NEW(struct paths);     /* 12 KiB: too much for a fiber's stack */
    auto_close int fd = -1;
    struct finish end;

    if (!prepare(f, paths, why))
        return false;
    unlink(paths->tmp);         /* of a former attempt that was cut short */
    fd = open(paths->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return storage_failed(why, "create", paths->tmp);
    end = (struct finish){ fd, paths, 0 };
    if (!copy(fd, f, paths->tmp, source, why)) {
        unlink(paths->tmp);
        return false;
    }
    fiber_work(finish_on_thread, &end);
    if (end.problem == 0)
        return true;
    unlink(paths->tmp);
    errno = end.problem;
    return storage_failed(why, "store", paths->new);
}

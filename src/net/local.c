/* Sockets at a path; see net/socket.h. */
#include "net/socket.h"

#include "base/memory.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { DATAGRAMS_BYTES = 1024 * 1024 };     /* that may wait to be read, as far as the system allows it */

static bool name_of(const char *path, struct sockaddr_un *name, struct error *why)
{
    *name = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (path[0] != '/')
        return fail(why, E_USAGE, "the path of a socket begins with a slash, and %s does not", path);
    if (strlen(path) >= sizeof name->sun_path)
        return fail(why, E_USAGE, "the path of a socket has at most %zu bytes, and %s has more", sizeof name->sun_path - 1, path);
    memcpy(name->sun_path, path, strlen(path) + 1);
    return true;
}

/* Nobody listens at a socket that refuses; any other answer, also that it is of another type, comes from somebody. */
static bool is_left_over(const struct sockaddr_un *name, int type)
{
    auto_close int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 && errno == ECONNREFUSED;
}

static bool make_way(const struct sockaddr_un *name, int type, struct error *why)
{
    struct stat there;

    if (lstat(name->sun_path, &there) != 0)
        return errno == ENOENT ? true : fail_errno(why, E_SYSTEM, "cannot look at %s", name->sun_path);
    if (!S_ISSOCK(there.st_mode))
        return fail(why, E_USAGE, "%s is there already and no socket; remove it or name another path", name->sun_path);
    if (!is_left_over(name, type))
        return fail(why, E_SYSTEM, "somebody listens at %s already", name->sun_path);
    if (unlink(name->sun_path) != 0)
        return fail_errno(why, E_SYSTEM, "cannot remove the socket %s that was left over", name->sun_path);
    return true;
}

/* Who may reach it is `mode` from the first moment. A chmod afterwards would follow what the directory's owner had put in
 * its place meanwhile, with the rights of root. */
static bool bind_with_mode(int fd, const struct sockaddr_un *name, mode_t mode)
{
    mode_t was = umask(~mode & (S_IRWXU | S_IRWXG | S_IRWXO));
    int result = bind(fd, (const struct sockaddr *)name, sizeof *name), error = errno;

    umask(was);
    errno = error;
    return result == 0;
}

static int bound(const char *path, int type, mode_t mode, struct error *why)
{
    auto_close int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_un name;
    int ours;

    if (!name_of(path, &name, why) || !make_way(&name, type, why))
        return -1;
    if (fd < 0 || !bind_with_mode(fd, &name, mode)) {
        fail_errno(why, E_SYSTEM, "cannot make the socket %s", path);
        return -1;
    }
    ours = fd;
    fd = -1;
    return ours;
}

int listen_unix(const char *path, mode_t mode, int backlog, struct error *why)
{
    auto_close int fd = bound(path, SOCK_STREAM, mode, why);
    int ours = fd;

    if (fd < 0)
        return -1;
    if (listen(fd, backlog) != 0) {
        fail_errno(why, E_SYSTEM, "cannot listen at %s", path);
        return -1;
    }
    fd = -1;
    return ours;
}

int bind_datagram(const char *path, mode_t mode, struct error *why)
{
    int fd = bound(path, SOCK_DGRAM, mode, why);

    if (fd >= 0)        /* less will do, too */
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ DATAGRAMS_BYTES }, sizeof(int));
    return fd;
}

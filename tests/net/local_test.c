#include "tests/test.h"

#include "base/memory.h"
#include "net/socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[40], path[80];
static struct error why;

/* In place of the C library's: the owner of the directory is quick. */
static const char *swapped_for;

int bind(int fd, const struct sockaddr *name, socklen_t len)
{
    int result = (int)syscall(SYS_bind, fd, name, len);

    if (result == 0 && swapped_for)
        CHECK(unlink(path) == 0 && symlink(swapped_for, path) == 0);
    return result;
}

static void begin(void)
{
    strcpy(directory, "/tmp/postern-test-XXXXXX");
    CHECK(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/door", directory);
    why = (struct error){ 0 };
}

static void end(void)
{
    unlink(path);
    CHECK(rmdir(directory) == 0);
}

static int knock(int type)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, type, 0);

    strcpy(name.sun_path, path);
    if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    close(fd);
    return -1;
}

static mode_t mode_of(const char *file)
{
    struct stat s;

    CHECK(stat(file, &s) == 0 && S_ISSOCK(s.st_mode));
    return s.st_mode & 07777;
}

TEST(a_stream_socket_at_a_path_is_listened_at)
{
    int fd, client, taken;

    begin();
    fd = listen_unix(path, 0660, 10, &why);
    CHECK_OK(fd >= 0, &why);
    CHECK_EQUAL(mode_of(path), 0660);
    client = knock(SOCK_STREAM);
    CHECK(client >= 0);
    taken = accept(fd, NULL, NULL);
    CHECK(taken >= 0);
    close(taken);
    close(client);
    close(fd);
    end();
}

TEST(a_datagram_socket_at_a_path_takes_datagrams)
{
    char byte;
    int fd, client;

    begin();
    fd = bind_datagram(path, 0622, &why);
    CHECK_OK(fd >= 0, &why);
    CHECK_EQUAL(mode_of(path), 0622);
    client = knock(SOCK_DGRAM);
    CHECK(send(client, "x", 1, 0) == 1 && recv(fd, &byte, 1, 0) == 1 && byte == 'x');
    CHECK(recv(fd, &byte, 1, 0) == -1);     /* does not block */
    close(client);
    close(fd);
    end();
}

TEST(a_socket_that_is_left_over_makes_way)
{
    int fd;

    begin();
    fd = listen_unix(path, 0600, 10, &why);
    CHECK_OK(fd >= 0, &why);
    close(fd);
    fd = listen_unix(path, 0600, 10, &why);
    CHECK_OK(fd >= 0, &why);
    close(fd);
    fd = bind_datagram(path, 0600, &why);       /* of the other sort */
    CHECK_OK(fd >= 0, &why);
    close(fd);
    fd = bind_datagram(path, 0600, &why);
    CHECK_OK(fd >= 0, &why);
    close(fd);
    end();
}

TEST(a_socket_in_use_is_left_alone)
{
    int fd, client;

    begin();
    fd = listen_unix(path, 0600, 10, &why);
    CHECK_OK(fd >= 0, &why);
    CHECK(listen_unix(path, 0600, 10, &why) < 0 && why.code == E_SYSTEM);
    CHECK(strstr(why.text, "somebody listens at") != NULL);
    CHECK(bind_datagram(path, 0600, &why) < 0 && why.code == E_SYSTEM);
    client = knock(SOCK_STREAM);
    CHECK(client >= 0);
    close(client);
    close(fd);
    unlink(path);
    fd = bind_datagram(path, 0600, &why);
    CHECK(fd >= 0);
    CHECK(bind_datagram(path, 0600, &why) < 0 && why.code == E_SYSTEM);
    CHECK(listen_unix(path, 0600, 10, &why) < 0 && why.code == E_SYSTEM);
    close(fd);
    end();
}

TEST(what_is_no_socket_is_never_removed)
{
    FILE *file;

    begin();
    file = fopen(path, "w");
    CHECK(file && fputs("precious", file) >= 0 && fclose(file) == 0);
    CHECK(listen_unix(path, 0600, 10, &why) < 0 && why.code == E_USAGE);
    CHECK(strstr(why.text, "no socket") != NULL);
    CHECK(bind_datagram(path, 0600, &why) < 0 && why.code == E_USAGE);
    CHECK(access(path, R_OK) == 0);
    end();
}

TEST(a_link_is_not_followed)
{
    char target[100];
    int fd;

    begin();
    snprintf(target, sizeof target, "%s/target", directory);
    fd = listen_unix(target, 0600, 10, &why);
    CHECK(fd >= 0);
    close(fd);
    CHECK(symlink(target, path) == 0);
    CHECK(listen_unix(path, 0600, 10, &why) < 0 && why.code == E_USAGE);
    CHECK(access(target, F_OK) == 0);
    unlink(target);
    end();
}

TEST(a_link_put_in_its_place_gains_nothing)
{
    char victim[100];
    struct stat s;
    int fd;

    begin();
    snprintf(victim, sizeof victim, "%s/victim", directory);
    fd = open(victim, O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0);
    close(fd);
    swapped_for = victim;
    fd = bind_datagram(path, 0666, &why);
    swapped_for = NULL;
    CHECK_OK(fd >= 0, &why);
    CHECK(stat(victim, &s) == 0 && (s.st_mode & 07777) == 0600);
    close(fd);
    unlink(victim);
    end();
}

TEST(the_mode_is_the_one_asked_for_whatever_the_umask)
{
    mode_t was = umask(077);
    int fd;

    begin();
    fd = listen_unix(path, 0666, 10, &why);
    CHECK_OK(fd >= 0, &why);
    CHECK_EQUAL(mode_of(path), 0666);
    close(fd);
    umask(0);
    fd = listen_unix(path, 0600, 10, &why);
    CHECK_OK(fd >= 0, &why);
    CHECK_EQUAL(mode_of(path), 0600);
    close(fd);
    CHECK_EQUAL(umask(was), 0);         /* it is left as it was, */
    umask(027);
    CHECK(listen_unix("/nowhere/at/all/door", 0666, 10, &why) < 0);
    CHECK_EQUAL(umask(was), 027);       /* also when nothing comes of it */
    end();
}

TEST(paths_that_cannot_be)
{
    char longer[200] = "/";

    memset(longer + 1, 'x', 150);
    CHECK(listen_unix("door", 0600, 10, &why) < 0 && why.code == E_USAGE);
    CHECK(listen_unix("", 0600, 10, &why) < 0 && why.code == E_USAGE);
    CHECK(listen_unix(longer, 0600, 10, &why) < 0 && why.code == E_USAGE);
    CHECK(bind_datagram(longer, 0600, &why) < 0 && why.code == E_USAGE);
    CHECK(listen_unix("/nowhere/at/all/door", 0600, 10, &why) < 0 && why.code == E_SYSTEM);
}

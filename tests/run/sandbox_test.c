/* Each claim is tried in a child, since none of it can be undone. */
#include "tests/test.h"

#include "run/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64];

static int in_child(int (*run)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
            _exit(99);
        _exit(run());
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool opens(const char *name, int flags)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    fd = open(path, flags, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int only_the_named_directories(void)
{
    char mine[96], others[96];
    struct error why = { 0 };
    struct sandbox_path paths[] = { { mine, true }, { others, false }, { "/nowhere/at/all", true } };

    snprintf(mine, sizeof mine, "%s/mine", directory);
    snprintf(others, sizeof others, "%s/others", directory);
    if (!sandbox_files(paths, 3, &why))
        return strstr(why.text, "no landlock") ? 77 : 1;
    if (!opens("mine/new", O_CREAT | O_RDWR) || !opens("mine/new", O_RDWR | O_TRUNC))
        return 2;
    if (!opens("others/file", O_RDONLY) || opens("others/file", O_RDWR) || opens("others/new", O_CREAT | O_RDWR))
        return 3;
    if (opens("secret/file", O_RDONLY) || opens("new", O_CREAT | O_RDWR))
        return 4;
    execl("/bin/true", "true", NULL);
    return errno == EACCES ? 0 : 5;
}

TEST(only_the_named_files_can_be_opened_and_nothing_executed)
{
    char command[256];
    int code;

    snprintf(directory, sizeof directory, "/tmp/postern-sandbox-XXXXXX");
    CHECK(mkdtemp(directory));
    snprintf(command, sizeof command, "cd %s && mkdir mine others secret && echo x > others/file && echo x > secret/file",
             directory);
    CHECK(system(command) == 0);
    code = in_child(only_the_named_directories);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    CHECK(system(command) == 0);
    if (code == 77)
        skip();
    CHECK_EQUAL(code, 0);
}

static int no_files_at_all(void)
{
    struct error why = { 0 };

    if (!sandbox_files(NULL, 0, &why))
        return strstr(why.text, "no landlock") ? 77 : 1;
    return open("/etc/passwd", O_RDONLY) < 0 && open("/", O_RDONLY) < 0 ? 0 : 2;
}

TEST(a_process_may_have_no_files_at_all)
{
    int code = in_child(no_files_at_all);

    if (code == 77)
        skip();
    CHECK_EQUAL(code, 0);
}

static int calls_with_dialling(void)
{
    struct error why = { 0 };

    if (!sandbox_calls(true, &why))
        return 1;
    if (socket(AF_INET, SOCK_STREAM, 0) < 0)
        return 2;
    execl("/bin/true", "true", NULL);
    return errno == EPERM ? 0 : 3;
}

static int calls_without_dialling(void)
{
    struct error why = { 0 };

    if (!sandbox_calls(false, &why))
        return 1;
    return socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM ? 0 : 2;
}

TEST(calls_that_are_not_needed_are_refused)
{
    CHECK_EQUAL(in_child(calls_with_dialling), 0);
    CHECK_EQUAL(in_child(calls_without_dialling), 0);
}

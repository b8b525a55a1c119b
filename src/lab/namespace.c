/* A lab with the usual ports, in name spaces where these are free; see lab/lab.h. */
#include "lab/lab.h"

#include "base/memory.h"
#include "lab/child.h"
#include "run/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { NOT_FOUND = 127, NOT_EXECUTABLE = 126, KILLED = 128 };     /* as a shell tells it */

/* Programs often ask for IPv4 addresses only when they have one themselves that
 * is not 127.0.0.1 (AI_ADDRCONFIG of getaddrinfo): so there is another one. */
static bool raise_loopback(struct error *why)
{
    auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct address own = { .family = AF_INET, .ip = { 192, 0, 2, 1 } };
    struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING }, second = { .ifr_name = "lo:1" };
    struct sockaddr_storage name;

    address_to(&own, &name);
    memcpy(&second.ifr_addr, &name, sizeof second.ifr_addr);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &up) != 0 || ioctl(fd, SIOCSIFADDR, &second) != 0)
        return fail_errno(why, E_SYSTEM, "cannot raise the loopback interface");
    return true;
}

static bool enter_name_spaces(struct error *why)
{
    if (geteuid() != 0)
        return fail(why, E_SYSTEM, "a network of its own needs root; \"postern lab up\" does not");
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0)
        return fail_errno(why, E_SYSTEM, "cannot have a network and a file system name space of our own");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return fail_errno(why, E_SYSTEM, "cannot keep mounts to ourselves");
    return raise_loopback(why);
}

/* --- the lab behind it ------------------------------------------------------------- */

static void tell_parent(void *arg, const char *directory)
{
    int *fd = arg;

    (void)!write(*fd, directory, strlen(directory));    /* a parent that is gone has ended us, too */
    close(*fd);
    *fd = -1;
}

static void become_lab(const struct lab_settings *given, int fd, pid_t parent)
{
    struct lab_settings s = *given;
    struct error why = { 0 };
    bool good;

    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    s.resolver = (struct address){ .family = AF_INET, .ip = { 127, 0, 0, 1 } };
    s.smtp_port = s.https_port = s.dns_port = LAB_PORT_USUAL;
    s.ready = tell_parent;
    s.arg = &fd;
    good = lab_up(&s, &why);
    if (!good)
        fprintf(stderr, "lab: %s\n", why.text);
    exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* The lab's process; its directory, once everything answers. */
static pid_t start_lab(const struct lab_settings *s, char directory[PATH_MAX], struct error *why)
{
    pid_t parent = getpid(), child;
    ssize_t got = 0, more;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        fail_errno(why, E_SYSTEM, "cannot make a pipe");
        return -1;
    }
    child = process_fork(why);
    if (child == 0) {
        close(ends[0]);
        become_lab(s, ends[1], parent);
    }
    close(ends[1]);
    while (child > 0 && (more = read(ends[0], directory + got, (size_t)(PATH_MAX - 1 - got))) > 0)
        got += more;
    close(ends[0]);
    directory[got] = '\0';
    if (child > 0 && got == 0) {
        fail(why, E_SYSTEM, "the lab did not start");
        child_stop(child);
        return -1;
    }
    return child;
}

/* --- the command in it ---------------------------------------------------------------- */

static bool put_in_place(const char *directory, const char *name, const char *place, struct error *why)
{
    char file[PATH_MAX + 16];

    snprintf(file, sizeof file, "%s/%s", directory, name);
    if (mount(file, place, NULL, MS_BIND, NULL) != 0)
        return fail_errno(why, E_SYSTEM, "cannot put %s in the place of %s", file, place);
    return true;
}

/* Programs that do not look at $SSL_CERT_FILE read the system's bundle, where there is one. */
static bool put_files_in_place(const char *directory, struct error *why)
{
    static const char bundle[] = "/etc/ssl/certs/ca-certificates.crt";

    return put_in_place(directory, "resolv.conf", "/etc/resolv.conf", why)
        && (access(bundle, F_OK) != 0 || put_in_place(directory, "ca.pem", bundle, why));
}

static void become_command(const char *directory, char *const *argv)
{
    char authority[PATH_MAX + 16];

    snprintf(authority, sizeof authority, "%s/ca.pem", directory);
    setenv("LAB_DIRECTORY", directory, 1);
    setenv("LAB_CA", authority, 1);
    setenv("SSL_CERT_FILE", authority, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    execvp(argv[0], argv);
    fprintf(stderr, "lab: cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

static bool run_command(const char *directory, char *const *argv, int *status, struct error *why)
{
    pid_t child = process_fork(why);
    int how;

    if (child < 0)
        return false;
    if (child == 0)
        become_command(directory, argv);
    signal(SIGINT, SIG_IGN);        /* it reaches the command, too, which says how it ends */
    while (waitpid(child, &how, 0) < 0)
        if (errno != EINTR)
            return fail_errno(why, E_SYSTEM, "cannot wait for %s", argv[0]);
    *status = WIFEXITED(how) ? WEXITSTATUS(how) : KILLED + WTERMSIG(how);
    return true;
}

bool lab_run(const struct lab_settings *s, char *const *argv, int *status, struct error *why)
{
    char directory[PATH_MAX];
    pid_t lab;
    bool good;

    if (!enter_name_spaces(why))
        return false;
    lab = start_lab(s, directory, why);
    if (lab < 0)
        return false;
    good = put_files_in_place(directory, why) && run_command(directory, argv, status, why);
    child_stop(lab);
    return good;
}

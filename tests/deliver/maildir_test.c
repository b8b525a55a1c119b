#include "tests/test.h"

#include "deliver/maildir.h"
#include "run/fiber.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;

static const char *path_for(const char *pattern, const char *address)
{
    static struct error why;
    const char *path;

    arena_done(&arena);
    arena_init(&arena, 65536);
    return maildir_path(pattern, address, &arena, &path, &why) ? path : why.text;
}

TEST(the_pattern_is_filled_in_from_the_address)
{
    CHECK_TEXT(path_for("/var/mail/%d/%u", "User@Example.ORG"), "/var/mail/example.org/user");
    CHECK_TEXT(path_for("/var/mail", "user@example.org"), "/var/mail");
    CHECK_TEXT(path_for("/100%%/%u", "user@example.org"), "/100%/user");
    CHECK_TEXT(path_for("/Var/%u", "a.b+c@example.org"), "/Var/a.b+c");
    arena_done(&arena);
}

TEST(an_address_cannot_leave_its_directory)
{
    CHECK(strstr(path_for("/var/mail/%u", "../etc@example.org"), "cannot name"));
    CHECK(strstr(path_for("/var/mail/%u", "a/b@example.org"), "cannot name"));
    CHECK(strstr(path_for("/var/mail/%u", ".hidden@example.org"), "cannot name"));
    CHECK(strstr(path_for("/var/mail/%u", "\"/etc/x\"@example.org"), "cannot name"));
    CHECK(strstr(path_for("/var/mail/%u", "@example.org"), "cannot name"));
    CHECK(strstr(path_for("/var/mail/%d", "user@"), "cannot name"));
    CHECK(strstr(path_for("/var/mail/%d", "user@.."), "cannot name"));
    arena_done(&arena);
}

/* --- real deliveries, on a fiber ---------------------------------------------- */

static char directory[64];
static unsigned pieces_left;
static bool source_breaks;

static bool next_piece(void *self, struct slice *piece, struct error *why)
{
    if (source_breaks && pieces_left == 1)
        return fail(why, E_STORAGE, "the queue is gone");
    *piece = pieces_left ? SLICE("Subject: x\r\n\r\n\xff\x00 bytes\r\n") : SLICE("");
    if (pieces_left)
        pieces_left--;
    return true;
}

struct run {
    unsigned times;
    bool done[2];
    struct error why;
};

static void deliver(void *arg)
{
    struct run *r = arg;

    for (unsigned i = 0; i < r->times; i++) {
        struct smtp_source source = { NULL, next_piece };
        struct maildir_file f = { .directory = directory, .hostname = "mx.example.org", .id = 42, .recipient = 3,
                                  .sender = "s@example.com", .arrived = 1700000000000 };

        pieces_left = 2;
        r->done[i] = maildir_deliver(&f, &source, &r->why);
    }
    loop_stop();
}

static struct run deliver_times(unsigned times)
{
    struct run r = { .times = times };

    loop_open();
    fiber_start("test", deliver, &r);
    loop_run();
    loop_close();
    return r;
}

static unsigned count_files(const char *part, char last[512])
{
    char path[128];
    struct dirent *entry;
    unsigned n = 0;
    DIR *d;

    snprintf(path, sizeof path, "%s/%s", directory, part);
    d = opendir(path);
    CHECK(d);
    while ((entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(last, 512, "%s/%s", path, entry->d_name);
        n++;
    }
    closedir(d);
    return n;
}

static void set_up(void)
{
    snprintf(directory, sizeof directory, "/tmp/postern-maildir-XXXXXX");
    CHECK(mkdtemp(directory));
    strcat(directory, "/a/b");
    source_breaks = false;
}

static void tear_down(void)
{
    char command[128];

    directory[strlen(directory) - 4] = '\0';
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    CHECK(system(command) == 0);
}

TEST(a_message_is_one_file_with_one_return_path_byte_for_byte)
{
    static const char wanted[] = "Return-Path: <s@example.com>\r\n"
        "Subject: x\r\n\r\n\xff\x00 bytes\r\n" "Subject: x\r\n\r\n\xff\x00 bytes\r\n";
    char got[400], file[512];
    struct run r;
    ssize_t n;
    int fd;

    set_up();
    r = deliver_times(1);
    CHECK_OK(r.done[0], &r.why);
    CHECK_EQUAL(count_files("new", file), 1);
    fd = open(file, O_RDONLY);
    n = read(fd, got, sizeof got);
    close(fd);
    CHECK_ID("SMTP-153", n == sizeof wanted - 1 && memcmp(got, wanted, sizeof wanted - 1) == 0);
    CHECK_EQUAL(count_files("tmp", file), 0);
    tear_down();
}

TEST(a_repeated_delivery_replaces_itself)
{
    char file[512];
    struct run r;

    set_up();
    r = deliver_times(2);
    CHECK(r.done[0] && r.done[1]);
    CHECK_EQUAL(count_files("new", file), 1);
    tear_down();
}

TEST(half_a_message_is_never_delivered)
{
    char file[512];
    struct run r;

    set_up();
    source_breaks = true;
    r = deliver_times(1);
    CHECK(!r.done[0]);
    CHECK_EQUAL(r.why.code, E_STORAGE);
    CHECK_EQUAL(count_files("new", file), 0);
    CHECK_EQUAL(count_files("tmp", file), 0);
    tear_down();
}

TEST(a_directory_that_cannot_be_made_is_named)
{
    struct run r;

    snprintf(directory, sizeof directory, "/proc/nowhere/maildir");
    r = deliver_times(1);
    CHECK(!r.done[0]);
    CHECK(strstr(r.why.text, "/proc/nowhere"));
}

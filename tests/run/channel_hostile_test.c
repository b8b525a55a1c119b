/* A channel whose peer is a stranger, and the descriptors that frames carry. */
#include "run/channel.h"

#include "tests/run/side.h"

static struct side a, b;
static int raw;             /* the stranger's socket */
static int open_before;

static void begin(void)
{
    int fds[2];

    loop_open();
    make_pair(fds);
    side_open(&a, fds[0]);
    raw = fds[1];
    turns(1);
    open_before = open_descriptors();
}

static void end(void)
{
    side_done(&a);
    if (raw >= 0)
        close(raw);
    raw = -1;
    loop_close();
}

static void say(struct slice bytes)
{
    CHECK(send(raw, bytes.at, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len);
}

/* With `count` descriptors, all the same one. */
static void say_with(struct slice bytes, int fd, int count)
{
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(64 * sizeof(int))];
    } control = { 0 };
    struct iovec part = { (void *)bytes.at, bytes.len };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int)) };

    control.aligned = (struct cmsghdr){ .cmsg_len = CMSG_LEN((size_t)count * sizeof(int)),
                                        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    for (int i = 0; i < count; i++)
        memcpy(CMSG_DATA(&control.aligned) + (size_t)i * sizeof fd, &fd, sizeof fd);
    CHECK(sendmsg(raw, &message, MSG_NOSIGNAL) == (ssize_t)bytes.len);
}

/* The channel has closed for `code`, the stranger sees it, and nothing leaked. */
static void check_thrown_out(enum error_code code, int frames_before)
{
    char byte;
    ssize_t n;

    turns(4);
    CHECK_EQUAL(a.closed, 1);
    CHECK_EQUAL(a.why.code, code);
    CHECK_EQUAL(a.frames, frames_before);
    n = recv(raw, &byte, 1, 0);
    CHECK(n == 0 || (n < 0 && errno == ECONNRESET));
    CHECK_EQUAL(open_descriptors(), open_before - 1 + a.fd_count);      /* its socket is gone */
}

#define FRAME_X SLICE("\0\0\0\1" "\7" "\0" "x")
#define FRAME_X_WITH SLICE("\0\0\0\1" "\7" "\1" "x")

/* --- bytes -------------------------------------------------------------- */

TEST(a_frame_may_come_byte_by_byte)
{
    struct slice bytes = SLICE("\0\0\0\3" "\7" "\0" "abc" "\0\0\0\0" "\10" "\0");

    begin();
    for (size_t i = 0; i < bytes.len; i++) {
        CHECK_EQUAL(a.frames, (i >= 9));
        say(slice(bytes.at + i, 1));
        loop_turn(true);
    }
    CHECK_EQUAL(a.frames, 2);
    CHECK_EQUAL(a.type, 8);
    CHECK_EQUAL(a.bytes, 3);
    CHECK_EQUAL(a.closed, 0);
    end();
}

TEST(a_frame_over_the_limit_closes_the_channel_at_its_header)
{
    begin();
    say(FRAME_X);
    say(SLICE("\0\x10\0\1" "\7" "\0"));
    check_thrown_out(E_PROTOCOL, 1);
    end();
}

TEST(a_frame_at_the_limit_may_be_announced)
{
    begin();
    say(SLICE("\0\x10\0\0" "\7" "\0"));
    turns(3);
    CHECK_EQUAL(a.closed, 0);
    say(SLICE("some of it"));
    close(raw);
    raw = -1;
    turns(3);
    CHECK_EQUAL(a.frames, 0);
    CHECK_EQUAL(a.closed, 1);
    CHECK_EQUAL(a.why.code, E_CLOSED);
    CHECK(strstr(a.why.text, "middle"));
    end();
}

TEST(unknown_flags_close_the_channel)
{
    for (int bit = 1; bit < 8; bit++) {
        char header[] = { 0, 0, 0, 0, 7, (char)(1 << bit) };

        begin();
        say(slice(header, sizeof header));
        check_thrown_out(E_PROTOCOL, 0);
        end();
    }
}

TEST(garbage_closes_the_channel)
{
    begin();
    say(SLICE("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"));
    check_thrown_out(E_PROTOCOL, 0);
    end();
}

TEST(random_bytes_never_do_worse_than_closing)
{
    uint32_t seed = 12345;

    for (int round = 0; round < 200; round++) {
        begin();
        for (int piece = 0; piece < 20 && a.closed == 0; piece++) {
            char bytes[40];

            for (size_t i = 0; i < sizeof bytes; i++) {
                seed = seed * 1103515245 + 12345;
                bytes[i] = (char)(i % 10 < 3 ? 0 : seed >> 16 & (i % 3 ? 0x1f : 0xff));
            }
            if (piece % 4 == 3)
                say_with(slice(bytes, sizeof bytes), STDIN_FILENO, 1);
            else
                say(slice(bytes, sizeof bytes));
            turns(2);
        }
        if (a.closed)
            CHECK_EQUAL(open_descriptors(), open_before - 1 + a.fd_count);
        end();
    }
}

/* --- descriptors -------------------------------------------------------- */

static void begin_pair(void)
{
    int fds[2];

    loop_open();
    make_pair(fds);
    side_open(&a, fds[0]);
    side_open(&b, fds[1]);
    open_before = open_descriptors();
}

static void end_pair(void)
{
    side_done(&b);
    raw = -1;
    end();
}

/* A descriptor from which `mark` can be read. */
static int marked(char mark)
{
    int fds[2];

    CHECK(pipe(fds) == 0);
    CHECK(write(fds[1], &mark, 1) == 1);
    close(fds[1]);
    return fds[0];
}

TEST(descriptors_arrive_with_their_frames)
{
    enum { COUNT = 60 };

    begin_pair();
    for (int i = 0; i < COUNT; i++) {
        if (i % 3 == 1 || i % 7 == 0) {
            int fd = marked((char)i);

            channel_send_fd(b.channel, (uint8_t)i, SLICE("with"), fd);
            close(fd);                      /* its own is not needed any more */
        } else {
            channel_send_fd(b.channel, (uint8_t)i, SLICE("without"), -1);
        }
    }
    for (int seen = 0; a.frames < COUNT;) {
        int fds_before = a.fd_count;

        channel_pause(a.channel, false);
        a.will = WILL_PAUSE;                /* one at a time */
        while (a.frames == seen)
            loop_turn(true);
        seen = a.frames;
        if (a.type % 3 == 1 || a.type % 7 == 0) {
            char mark = -1;

            CHECK_EQUAL(a.fd_count, fds_before + 1);
            CHECK(fcntl(a.fds[fds_before], F_GETFD) & FD_CLOEXEC);
            CHECK(read(a.fds[fds_before], &mark, 1) == 1);
            CHECK_EQUAL(mark, a.type);
            CHECK_SLICE(buf_slice(&a.body), "with");
        } else {
            CHECK_EQUAL(a.fd_count, fds_before);
            CHECK_SLICE(buf_slice(&a.body), "without");
        }
    }
    CHECK_EQUAL(open_descriptors(), open_before + a.fd_count);
    end_pair();
}

static char large[CHANNEL_FRAME_MAX];

TEST(descriptors_of_large_frames_wait_for_all_of_the_frame)
{
    begin_pair();
    for (int i = 0; i < 10; i++) {
        int fd = marked((char)i);

        channel_send_fd(b.channel, (uint8_t)i, slice(large, sizeof large), fd);
        channel_send(b.channel, 200, SLICE("small"));
        close(fd);
    }
    while (a.frames < 20)
        loop_turn(true);
    CHECK_EQUAL(a.fd_count, 10);
    for (int i = 0; i < 10; i++) {
        char mark = -1;

        CHECK(read(a.fds[i], &mark, 1) == 1);
        CHECK_EQUAL(mark, i);
    }
    CHECK_EQUAL(open_descriptors(), open_before + 10);
    end_pair();
}

TEST(unsent_descriptors_are_closed_with_the_channel)
{
    begin_pair();
    channel_pause(a.channel, true);
    for (int i = 0; i < 10; i++)
        channel_send_fd(b.channel, 1, slice(large, sizeof large), STDIN_FILENO);
    turns(2);
    CHECK_EQUAL(open_descriptors(), open_before + 9);
    channel_free(b.channel);
    b.channel = NULL;
    CHECK_EQUAL(open_descriptors(), open_before - 1);
    end_pair();
}

TEST(a_descriptor_that_cannot_be_kept_breaks_the_channel)
{
    begin_pair();
    channel_send_fd(b.channel, 1, SLICE("x"), 9999);
    CHECK_EQUAL(b.closed, 0);
    turns(2);
    CHECK_EQUAL(b.closed, 1);
    CHECK_EQUAL(b.why.code, E_SYSTEM);
    CHECK_EQUAL(a.closed, 1);
    end_pair();
}

TEST(a_frame_whose_descriptor_did_not_come_closes_the_channel)
{
    begin();
    say(FRAME_X_WITH);
    check_thrown_out(E_PROTOCOL, 0);
    end();
}

TEST(a_descriptor_without_a_frame_for_it_closes_the_channel)
{
    begin();
    say_with(FRAME_X, STDIN_FILENO, 1);
    check_thrown_out(E_PROTOCOL, 1);
    end();
}

TEST(a_second_descriptor_for_one_frame_closes_the_channel)
{
    begin();
    say_with(FRAME_X_WITH, STDIN_FILENO, 2);
    check_thrown_out(E_PROTOCOL, 1);
    CHECK_EQUAL(a.fd_count, 1);
    end();
}

TEST(a_descriptor_ahead_of_a_frame_that_wants_none_closes_the_channel)
{
    begin();
    say_with(SLICE("\0\0\0\5" "\7" "\0" "x"), STDIN_FILENO, 1);     /* not whole yet */
    check_thrown_out(E_PROTOCOL, 0);
    end();
}

TEST(a_flood_of_descriptors_closes_the_channel)
{
    begin();
    say_with(FRAME_X_WITH, STDIN_FILENO, 64);
    check_thrown_out(E_PROTOCOL, 0);
    end();
    begin();
    for (int i = 0; i < 3; i++)             /* all ahead of the same frame */
        say_with(SLICE("\0"), STDIN_FILENO, 2);
    check_thrown_out(E_PROTOCOL, 0);
    end();
}

TEST(a_descriptor_with_part_of_a_header_waits_for_the_rest)
{
    begin();
    say_with(SLICE("\0\0"), STDIN_FILENO, 1);
    turns(3);
    CHECK_EQUAL(a.closed, 0);
    say(SLICE("\0\1" "\7" "\1" "x"));
    turns(3);
    CHECK_EQUAL(a.frames, 1);
    CHECK_EQUAL(a.fd_count, 1);
    CHECK_EQUAL(a.closed, 0);
    end();
}

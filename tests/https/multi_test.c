/* What the loop and curl must not get wrong about descriptors, without a server. */
#include "https/multi.h"

#include "net/address.h"
#include "run/loop.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <unistd.h>

static struct multi *multi;
static CURLcode ended_with;
static int opened;

static void ended(void *transfer, CURLcode code)
{
    ended_with = code;
    multi_remove(multi, transfer);
    loop_stop();
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    return opened = multi_open_socket(multi, to);
}

/* Never accepts, never says anything. */
static int listener(char url[40])
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &length) == 0);
    snprintf(url, 40, "https://127.0.0.1:%u/", ntohs(at.sin_port));
    return fd;
}

static CURL *transfer_to(const char *url, time_ms timeout)
{
    CURL *easy = curl_easy_init();

    CHECK(easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    CHECK(multi_add(multi, easy));
    return easy;
}

static void open_multi(void)
{
    struct error why = { 0 };

    loop_open();
    multi = multi_new(ended, &why);
    CHECK_OK(multi, &why);
    opened = -1;
}

static void close_multi(void)
{
    multi_free(multi);
    multi_free(NULL);
    loop_close();
}

TEST(a_transfer_that_ends_is_told_of_once)
{
    char url[40];
    int fd = listener(url);
    CURL *easy;

    open_multi();
    easy = transfer_to(url, 400);
    loop_run();
    CHECK_EQUAL(ended_with, CURLE_OPERATION_TIMEDOUT);
    curl_easy_cleanup(easy);
    close_multi();
    close(fd);
}

TEST(a_transfer_may_be_removed_at_any_moment)
{
    char url[40];
    int fd = listener(url);

    open_multi();
    for (int turns = 0; turns < 6; turns++) {
        CURL *easy = transfer_to(url, MINUTES(5));

        for (int i = 0; i < turns; i++)
            loop_turn(false);
        multi_remove(multi, easy);
        curl_easy_cleanup(easy);
    }
    close_multi();
    close(fd);
}

/* As curl does with a socket that fails to connect while another address is left. */
TEST(a_socket_closed_behind_the_loops_back_lends_its_number_to_no_other)
{
    struct curl_sockaddr to = { .family = AF_INET, .socktype = SOCK_STREAM };
    char url[40];
    int fd = listener(url), another;
    CURL *easy;

    open_multi();
    easy = transfer_to(url, MINUTES(5));
    while (opened < 0)
        loop_turn(true);
    close(opened);
    another = multi_open_socket(multi, &to);
    CHECK(another >= 0 && another != opened);
    close(another);
    multi_remove(multi, easy);
    curl_easy_cleanup(easy);
    loop_turn(false);
    close_multi();
    close(fd);
}

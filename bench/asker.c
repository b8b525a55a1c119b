/* bench/asker.c - asks a policy service over socketmap as fast as it answers.
 *
 *     bench-asker [-c CONNECTIONS] [-n QUESTIONS] [-m MAP] ADDRESS:PORT KEY...
 *
 * Each connection has one question under way, as one Postfix process has.
 * Prints one JSON line: questions a second, how long answers took, and the bytes of
 * the first answer to each key. Ends with status 1 when an answer is no answer,
 * or is not what was answered to the same key before. */
#include "base/memory.h"
#include "net/address.h"

#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>

enum { CONNECTIONS_MAX = 1000, KEYS_MAX = 100, ANSWER_MAX = 4000 };

struct talk {
    int fd;
    unsigned key;
    uint64_t asked;
};

static struct {
    struct address server;
    unsigned connections, questions, keys;
    const char *map;
    struct slice requests[KEYS_MAX], answers[KEYS_MAX];
    struct talk talks[CONNECTIONS_MAX];
    uint32_t *took;             /* nanoseconds of each answer */
    unsigned asked, answered;
} load = { .connections = 20, .questions = 100000, .map = "QUERY" };

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t nanoseconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void ask(struct talk *t)
{
    struct slice request;

    if (load.asked == load.questions)
        return;
    t->key = load.asked++ % load.keys;
    request = load.requests[t->key];
    t->asked = nanoseconds();
    if (send(t->fd, request.at, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
        give_up("send");
}

static void take_answer(struct talk *t)
{
    char text[ANSWER_MAX];
    ssize_t n = recv(t->fd, text, sizeof text, 0);
    struct slice *known = &load.answers[t->key], answer;

    if (n <= 0)
        give_up("recv");
    load.took[load.answered++] = (uint32_t)(nanoseconds() - t->asked);
    answer = slice(text, (size_t)n);
    if (!known->at)
        *known = slice(memory_text(answer), answer.len);
    if (text[n - 1] != ',' || !slice_equal(answer, *known)) {
        fprintf(stderr, "%.*s after %.*s\n", SLICE_ARGS(answer), SLICE_ARGS(*known));
        exit(1);
    }
    ask(t);
}

static void connect_all(int poll)
{
    struct sockaddr_storage name;
    socklen_t len = address_to(&load.server, &name);

    for (unsigned i = 0; i < load.connections; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &load.talks[i] };
        int fd = socket(load.server.family, SOCK_STREAM, 0);

        if (fd < 0 || connect(fd, (struct sockaddr *)&name, len) != 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0 ||
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) != 0)
            give_up("connect");
        load.talks[i].fd = fd;
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void report(double seconds)
{
    qsort(load.took, load.questions, sizeof *load.took, by_size);
    printf("{\"per_second\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, \"answers\": [", load.questions / seconds,
           load.took[load.questions / 2] / 1e3, load.took[load.questions / 100 * 99] / 1e3,
           load.took[load.questions - 1] / 1e3);
    for (unsigned i = 0; i < load.keys; i++)
        printf("%s\"%.*s\"", i ? ", " : "", SLICE_ARGS(load.answers[i]));
    printf("]}\n");
}

static void run(void)
{
    struct epoll_event events[64];
    int poll = epoll_create1(0);
    uint64_t start;

    load.took = memory_array(load.questions, sizeof *load.took);
    connect_all(poll);
    start = nanoseconds();
    for (unsigned i = 0; i < load.connections; i++)
        ask(&load.talks[i]);
    while (load.answered < load.questions) {
        int n = epoll_wait(poll, events, 64, 120000);

        if (n <= 0)
            give_up("epoll_wait");
        for (int i = 0; i < n; i++)
            take_answer(events[i].data.ptr);
    }
    report((double)(nanoseconds() - start) / 1e9);
}

static void make_request(const char *key)
{
    char text[400], request[440];

    snprintf(text, sizeof text, "%s %s", load.map, key);
    snprintf(request, sizeof request, "%zu:%s,", strlen(text), text);
    load.requests[load.keys++] = slice_of(memory_text(slice_of(request)));
}

int main(int argc, char **argv)
{
    struct error why = { 0 };
    int option;

    while ((option = getopt(argc, argv, "c:n:m:")) != -1) {
        if (option == 'c')
            load.connections = (unsigned)atoi(optarg);
        else if (option == 'n')
            load.questions = (unsigned)atoi(optarg);
        else if (option == 'm')
            load.map = optarg;
    }
    if (argc - optind < 2 || argc - optind - 1 > KEYS_MAX || load.connections > CONNECTIONS_MAX || load.questions < 100 ||
        load.connections < 1 || !address_parse(slice_of(argv[optind]), &load.server, &why)) {
        fprintf(stderr, "usage: bench-asker [-c CONNECTIONS] [-n QUESTIONS] [-m MAP] ADDRESS:PORT KEY...\n");
        return 2;
    }
    for (int i = optind + 1; i < argc; i++)
        make_request(argv[i]);
    run();
    return 0;
}

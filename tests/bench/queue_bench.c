/* How fast the queue takes mail in and lets it out, both synced.
 *
 *     queue_bench DIRECTORY [seconds]        messages a second: groups of 32 and of one, 10 KiB
 *     queue_bench DIRECTORY open COUNT       fill with COUNT small messages, then: open, lease, list
 *
 * The directory must be empty, and on the disk that is to be measured. */
#include "base/memory.h"
#include "queue/queue.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>

enum { BODY_BYTES = 10 * 1024, FILL_GROUP = 5000, DESTINATIONS = 1000 };

static unsigned answered, refused;

static void answer(void *arg, bool done, const struct error *why)
{
    (void)arg;
    answered++;
    if (!done && refused++ == 0)
        fprintf(stderr, "refused: %s\n", why->text);
}

static double now_seconds(void)
{
    return (double)clock_now() / 1000;
}

static void accept_one(struct queue *q, struct id_maker *ids, const char *body, size_t size, unsigned n)
{
    char address[64], destination[64];
    struct queue_recipient to = { 0, address, destination };
    struct envelope e = { .sender = "sender@example.org", .origin = "client.example.org[192.0.2.7] ESMTPS TLSv1.3",
                          .recipients = &to, .count = 1 };
    struct incoming *in = incoming_new(q);

    snprintf(address, sizeof address, "user%u@d%u.example.org", n, n % DESTINATIONS);
    snprintf(destination, sizeof destination, "d%u.example.org", n % DESTINATIONS);
    e.arrived = clock_wall();
    e.id = message_id_new(ids, e.arrived);
    if (!incoming_add(in, slice(body, size), NULL))
        fputs("incoming_add failed\n", stderr);
    queue_accept(q, in, &e, answer, NULL);
}

static void commit(struct queue *q)
{
    struct group *g = queue_group(q);

    if (!g)
        return;
    group_apply(g);
    queue_applied(q, g);
}

static void deliver(struct queue *q, struct arena *arena, unsigned most)
{
    struct lease l;

    while (most-- > 0 && queue_lease(q, clock_wall(), 0, arena, &l)) {
        struct settlement done = { .number = l.envelope.recipients[0].number, .state = SETTLE_DELIVERED,
                                   .status = "2.0.0", .why = "" };

        if (l.body.len != l.envelope.size)
            fputs("short body\n", stderr);
        queue_settle(q, &(struct settle){ .lease = l.number, .recipients = &done, .count = 1, .attempted = true },
                     answer, NULL);
        arena_reset(arena);
    }
}

/* In at one end, out at the other, in the same groups. */
static void throughput(struct queue *q, unsigned group, double seconds)
{
    static char body[BODY_BYTES];
    struct id_maker ids = { .maker = 1 };
    auto_arena struct arena arena;
    double start = now_seconds(), took;
    struct rusage before, after;
    unsigned messages = 0;

    arena_init(&arena, 1024 * 1024);
    memset(body, 'x', sizeof body);
    getrusage(RUSAGE_SELF, &before);
    while ((took = now_seconds() - start) < seconds) {
        for (unsigned i = 0; i < group; i++)
            accept_one(q, &ids, body, sizeof body, messages + i);
        deliver(q, &arena, group);
        commit(q);
        messages += group;
    }
    deliver(q, &arena, group);
    commit(q);
    getrusage(RUSAGE_SELF, &after);
    printf("groups of %2u: %.0f messages/s, in and out, synced; %.0f us CPU each\n", group, messages / took,
           ((double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1e6 +
            (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
            (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1e6 +
            (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec)) / messages);
}

static void count_row(void *arg, const struct queue_view *v)
{
    *(uint64_t *)arg += v->envelope.size;
}

static struct queue *open_queue(const char *directory)
{
    struct queue_settings s = { .directory = directory, .slots = 1, .per_destination = 20 };
    struct error why;
    struct queue *q = queue_open(&s, &why);

    if (!q) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    return q;
}

static void fill(const char *directory, unsigned count)
{
    struct queue *q = open_queue(directory);
    struct id_maker ids = { .maker = 2 };
    double start = now_seconds(), part = start;

    for (unsigned i = 1; i <= count; i++) {
        accept_one(q, &ids, "Subject: small\r\n\r\nHello.\r\n", 26, i);
        if (i % FILL_GROUP == 0 || i == count)
            commit(q);
        if (i % (count / 5 ? count / 5 : 1) == 0) {
            printf("accepted %u: %.1f us each\n", i, (now_seconds() - part) * 1e6 / (count / 5));
            part = now_seconds();
        }
    }
    printf("filled with %u in %.1f s\n", count, now_seconds() - start);
    queue_close(q);
}

static void standing(const char *directory, unsigned count)
{
    auto_arena struct arena arena;
    struct queue_figures figures;
    struct queue *q;
    uint64_t bytes = 0, listed = 0;
    message_id after = 0;
    int64_t number = -1;
    struct lease l;
    double start;
    size_t before, n;

    arena_init(&arena, 1024 * 1024);
    fill(directory, count);
    malloc_trim(0);
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    start = now_seconds();
    q = open_queue(directory);
    printf("open: %.3f s, %.0f bytes of memory for each of %u\n", now_seconds() - start,
           (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / count, count);
    start = now_seconds();
    if (!queue_lease(q, clock_wall(), 0, &arena, &l))
        fputs("nothing to lease\n", stderr);
    printf("first lease: %.3f s\n", now_seconds() - start);
    start = now_seconds();
    deliver(q, &arena, 10000);
    commit(q);
    printf("10,000 leases, read and settled: %.1f us each\n", (now_seconds() - start) * 100);
    start = now_seconds();
    while ((n = queue_list(q, &after, &number, 1000, count_row, &bytes)) > 0)
        listed += n;
    printf("listed %llu: %.3f s\n", (unsigned long long)listed, now_seconds() - start);
    queue_figures(q, &figures);
    printf("figures: %llu messages, %llu due, %llu leased\n", (unsigned long long)figures.messages,
           (unsigned long long)figures.due, (unsigned long long)figures.leased);
    queue_close(q);
}

int main(int argc, char **argv)
{
    struct queue *q;

    if (argc == 4 && strcmp(argv[2], "open") == 0) {
        standing(argv[1], (unsigned)strtoul(argv[3], NULL, 10));
        return refused > 0;
    }
    if (argc < 2) {
        fputs("usage: queue_bench DIRECTORY [SECONDS | open COUNT]\n", stderr);
        return 2;
    }
    q = open_queue(argv[1]);
    throughput(q, 32, argc > 2 ? atof(argv[2]) : 3);
    throughput(q, 1, argc > 2 ? atof(argv[2]) : 3);
    queue_close(q);
    return refused > 0;
}

/* kill -9 at any moment, again and again: a child works on a queue as the
 * store process does, with a thread that applies groups, and tells through a
 * pipe what was asked and answered. The parent kills it, opens the same
 * directory, and compares. */
#include "tests/queue/fixture.h"

#include "base/memory.h"
#include "queue/engine/segments.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum event_kind { POSTED, ACCEPTED, SETTLING, SETTLED };

struct event {
    message_id id;
    enum event_kind kind;
    uint32_t size;
};

/* --- the child ------------------------------------------------------------------ */

static int told = -1;           /* the pipe */

static void tell(enum event_kind kind, message_id id, size_t size)
{
    struct event e = { .id = id, .kind = kind, .size = (uint32_t)size };

    if (write(told, &e, sizeof e) != (ssize_t)sizeof e)
        _exit(2);
}

static void tell_accepted(void *arg, bool done, const struct error *why)
{
    if (!done)
        _exit(3);
    tell(ACCEPTED, (message_id)(uintptr_t)arg, 0);
}

static void tell_settled(void *arg, bool done, const struct error *why)
{
    if (!done)
        _exit(4);
    tell(SETTLED, (message_id)(uintptr_t)arg, 0);
}

static uint32_t pseudo(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> 16;
}

static void post_one(struct queue *q, struct id_maker *ids, uint32_t *random)
{
    struct queue_recipient to = { 0, "user@example.org", pseudo(random) % 2 ? "a.example" : "b.example" };
    struct envelope e = { .sender = "", .origin = "", .recipients = &to, .count = 1, .arrived = clock_wall() };
    size_t size = pseudo(random) % 20 == 0 ? 40000 + pseudo(random) : pseudo(random) % 12000;
    struct incoming *in = incoming_new(q);
    auto_buf struct buf body;

    e.id = message_id_new(ids, e.arrived);
    if (!incoming_add(in, pattern(&body, e.id, size), NULL))
        _exit(5);
    tell(POSTED, e.id, size);
    queue_accept(q, in, &e, tell_accepted, (void *)(uintptr_t)e.id);
}

static void settle_one(struct queue *q, const struct lease *l, bool delivered)
{
    struct settlement s = { .number = 0, .state = delivered ? SETTLE_DELIVERED : SETTLE_DEFERRED, .status = "4.0.0",
                            .why = "", .due = clock_wall() + 20 };

    if (!delivered) {
        queue_settle(q, &(struct settle){ .lease = l->number, .recipients = &s, .count = 1, .attempted = true },
                     note_answer, NULL);
        return;
    }
    tell(SETTLING, l->envelope.id, 0);
    queue_settle(q, &(struct settle){ .lease = l->number, .recipients = &s, .count = 1, .attempted = true },
                 tell_settled, (void *)(uintptr_t)l->envelope.id);
}

static void *apply(void *g)
{
    group_apply(g);
    return NULL;
}

/* What the loop does while a group is out. */
static void work(struct queue *q, struct id_maker *ids, struct arena *arena, uint32_t *random)
{
    struct lease l;

    for (uint32_t n = pseudo(random) % 12; n > 0; n--)
        post_one(q, ids, random);
    for (uint32_t n = pseudo(random) % 12; n > 0 && queue_lease(q, clock_wall(), 0, arena, &l); n--)
        settle_one(q, &l, pseudo(random) % 4 != 0);
    arena_reset(arena);
    if (pseudo(random) % 8 == 0)
        queue_tend(q, clock_wall());
}

static void child(const char *directory, uint32_t random, unsigned maker)
{
    struct queue_settings s = { .directory = directory, .slots = 1, .per_destination = 50 };
    struct id_maker ids = { .maker = maker };
    struct arena arena;
    struct error why;
    struct queue *q = queue_open(&s, &why);

    if (!q)
        _exit(6);
    arena_init(&arena, 64 * 1024 * 1024);
    for (;;) {
        struct group *g;
        pthread_t thread;

        work(q, &ids, &arena, &random);
        g = queue_group(q);
        if (!g)
            continue;
        if (pthread_create(&thread, NULL, apply, g) != 0)
            _exit(7);
        work(q, &ids, &arena, &random);
        pthread_join(thread, NULL);
        queue_applied(q, g);
    }
}

/* --- the parent ------------------------------------------------------------------- */

struct known {
    message_id id;
    uint32_t size;
    bool accepted, settling, settled, seen;
};

static struct known *known;
static size_t known_count;

static struct known *find(message_id id)
{
    size_t low = 0, high = known_count;

    while (low < high) {        /* ids ascend */
        size_t middle = (low + high) / 2;

        if (known[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < known_count && known[low].id == id ? &known[low] : NULL;
}

static void learn(const struct event *e)
{
    struct known *k = find(e->id);

    if (e->kind == POSTED) {
        CHECK(!k && (known_count == 0 || known[known_count - 1].id < e->id));
        known = memory_grow(known, known_count + 1, sizeof *known);
        known[known_count++] = (struct known){ .id = e->id, .size = e->size };
        return;
    }
    CHECK(k != NULL);
    k->accepted |= e->kind == ACCEPTED;
    k->settling |= e->kind == SETTLING;
    k->settled |= e->kind == SETTLED;
}

static void see(void *arg, const struct queue_view *v)
{
    struct known *k = find(v->envelope.id);

    CHECK(k != NULL);
    CHECK_EQUAL(v->envelope.size, k->size);
    k->seen = true;
}

/* What was in doubt is certain from now on. */
static void compare(struct queue *q)
{
    message_id after = 0;
    int64_t number = -1;

    queue_list(q, &after, &number, SIZE_MAX, see, NULL);
    for (size_t i = 0; i < known_count; i++) {
        struct known *k = &known[i];

        if (k->accepted && !k->settling)
            CHECK_ID("(Q1) SMTP-049", k->seen);
        if (k->settled)
            CHECK_ID("(Q4) SMTP-090", !k->seen);
        k->accepted = k->seen;
        k->settled = !k->seen;
        k->settling = k->seen = false;
    }
}

static void check_bodies(struct fixture *f)
{
    struct lease l;
    size_t bodies = 0;

    f->now = clock_wall() + DAYS(1);
    while (take(f, &l)) {
        bodies++;
        arena_reset(&f->arena);
    }
    CHECK_EQUAL(bodies, figures(f).messages);
}

static void run_and_kill(const char *directory, uint32_t *random, unsigned round)
{
    struct event e;
    int fds[2], status;
    pid_t pid;

    CHECK(pipe(fds) == 0);
    fcntl(fds[1], F_SETPIPE_SZ, 1024 * 1024);
    pid = fork();
    if (pid == 0) {
        told = fds[1];
        child(directory, pseudo(random) + round, round & 0xff);
    }
    close(fds[1]);
    usleep(3000 + pseudo(random) % 40000);
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    while (read(fds[0], &e, sizeof e) == (ssize_t)sizeof e)
        learn(&e);
    close(fds[0]);
}

TEST(killed_under_load_the_queue_keeps_its_promises)
{
    time_ms end = clock_now() + SECONDS(4);
    struct fixture f = { .settings = { .slots = 1, .per_destination = 1000000 } };
    uint32_t random = (uint32_t)clock_now();
    unsigned rounds;

    segments_full_at = 300000;
    fixture_directory(f.directory);
    f.settings.directory = f.directory;
    arena_init(&f.arena, 64 * 1024 * 1024);
    for (rounds = 0; clock_now() < end; rounds++) {
        struct error why;

        run_and_kill(f.directory, &random, rounds + 1);
        f.q = queue_open(&f.settings, &why);
        if (!f.q)
            fail_msg("round %u: %s", rounds, why.text);
        compare(f.q);
        check_bodies(&f);
        queue_close(f.q);
    }
    CHECK(known_count > 0);
    print_message("killed %u times, with %zu messages\n", rounds, known_count);
    free(known);
    f.q = NULL;
    fixture_end(&f);
}

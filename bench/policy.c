/* What a decision costs when everything it stands on is at hand, and what it allocates.
 *
 *     bench-policy                        microseconds a decision, bytes that stay
 *     bench-policy fill DIRECTORY COUNT   a queue that keeps the policies and memories of COUNT domains
 *
 * As in a delivery: the kept policy is read, the host matched, the TLSA
 * records judged, memory asked, the decision made and a handshake's facts
 * compared with it. What waits (DNS, the network, the store) is not in it. */
#include "base/memory.h"
#include "discover/host.h"
#include "policy/memory.h"
#include "queue/queue.h"
#include "serve/frames.h"

#include <malloc.h>
#include <stdio.h>
#include <time.h>

enum { MX_PATTERNS = 5, RECORDS = 4, ROUNDS = 200000, GROUP = 1000 };

static const struct decide_settings settings;
static const struct dane_settings dane;
static const struct tls_rule rule = { .level = TLS_LEVEL_MAY };

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_policy(struct buf *kept)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf text = { 0 };
    struct sts_policy policy;
    struct sts_cached cached = { 0 };

    arena_init(&arena, 65536);
    buf_init(&text, 65536);
    buf_text(&text, "version: STSv1\r\nmode: enforce\r\nmax_age: 604800\r\n");
    for (int i = 1; i < MX_PATTERNS; i++)
        buf_text(&text, "mx: mx%d.mail.example.net\r\n", i);
    buf_text(&text, "mx: *.example.net\r\n");
    if (!sts_policy_parse(buf_slice(&text), &arena, &policy, NULL))
        abort();
    sts_cached_set(&cached, "20261122T000000", buf_slice(&text), &policy, clock_wall(), 0);
    sts_cached_encode(&cached, kept);
}

static bool decide_once(struct slice kept, const struct slice *tlsa, const struct memory *memory,
                        const struct tls_facts *tls)
{
    auto_arena struct arena arena = { 0 };
    struct sts_cached cached;
    struct sts_view view = { 0 };
    struct dane_records records;
    struct decide_input input;
    struct decision d;

    arena_init(&arena, 1024 * 1024);
    if (!sts_cached_decode(arena_copy(&arena, kept), &arena, &cached) || !sts_cached_lives(&cached, clock_wall()))
        return false;
    view.policy = &cached.policy;
    if (!dane_records_judge(tlsa, RECORDS, &dane, &arena, &records, NULL))
        return false;
    input = (struct decide_input){
        .need = NEED_STANDARD,
        .dane = dane_finding_of(true, false, records.usable_count ? TLSA_OUT_USABLE : TLSA_OUT_UNUSABLE, settings.insecure_mx),
        .tlsa_usable = records.usable_count > 0,
        .sts = sts_policy_match(view.policy, "mx.example.net") ? STS_ENFORCE_MATCH : STS_ENFORCE_MISMATCH,
        .authentic = true,
        .memory_holds = memory_holds(memory, &memory_default_settings, clock_wall(), false, NULL),
    };
    d = decide(&rule, &settings, &input, NULL);
    return d.outcome == DECIDED_GO && decide_plan(&d, true, NULL) == PLAN_STARTTLS && decide_facts(&d, tls, NULL);
}

static int measure(void)
{
    static const char record[35] = { 3, 1, 1, 42 }, other[35] = { 2, 1, 1, 7 };
    const struct slice tlsa[RECORDS] = { slice(record, 35), slice(other, 35), slice(record, 35), slice(other, 2) };
    const struct tls_facts tls = { .version = TLS_1_3, .trust = TLS_TRUST_PKIX, .name_matches = true,
                                   .dane = TLS_DANE_MATCH };
    const struct memory memory = { 0 };
    auto_buf struct buf kept = { 0 };
    struct mallinfo2 before, after;
    double start, used;

    buf_init(&kept, 65536);
    make_policy(&kept);
    if (!decide_once(buf_slice(&kept), tlsa, &memory, &tls)) {
        fputs("the decision is not what it should be\n", stderr);
        return EXIT_FAILURE;
    }
    before = mallinfo2();
    start = seconds_now();
    for (int i = 0; i < ROUNDS; i++)
        if (!decide_once(buf_slice(&kept), tlsa, &memory, &tls))
            return EXIT_FAILURE;
    used = seconds_now() - start;
    after = mallinfo2();
    printf("%.2f %lld\n", used / ROUNDS * 1e6, (long long)after.uordblks - (long long)before.uordblks);
    return EXIT_SUCCESS;
}

static void commit(struct queue *q)
{
    struct group *g = queue_group(q);

    if (!g)
        return;
    group_apply(g);
    queue_applied(q, g);
}

static int fill(const char *directory, long count)
{
    const struct queue_settings where = { .directory = directory, .slots = 1, .per_destination = 1 };
    auto_buf struct buf kept = { 0 }, remembered = { 0 };
    const struct memory memory = { .deliveries = 1, .with_tls = 1 };
    struct error why = { 0 };
    struct queue *q = queue_open(&where, &why);

    if (!q) {
        fprintf(stderr, "%s\n", why.text);
        return EXIT_FAILURE;
    }
    buf_init(&kept, 65536);
    buf_init(&remembered, 65536);
    make_policy(&kept);
    memory_encode(&memory, &remembered);
    for (long i = 0; i < count; i++) {
        char key[64];
        const struct note policy = { NOTE_STS, key, clock_wall() + DAYS(1), buf_slice(&kept) };
        const struct note memories = { NOTE_MEMORY, key, TIME_NEVER, buf_slice(&remembered) };

        snprintf(key, sizeof key, "d%ld.example.net", i);
        queue_note(q, &policy, NULL, NULL);
        queue_note(q, &memories, NULL, NULL);
        if (i % GROUP == 0)
            commit(q);
    }
    commit(q);
    queue_close(q);
    printf("%zu %zu\n", buf_len(&kept), buf_len(&remembered));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    return argc == 4 && strcmp(argv[1], "fill") == 0 ? fill(argv[2], atol(argv[3])) : measure();
}

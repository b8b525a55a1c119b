/* A day of mail, counted: fills a queue with what DOMAINS next hops came to, for the benchmark of TLS reports.
 *
 *     bench-report-day DIRECTORY DOMAINS ATTEMPTS
 *
 * Yesterday's. A third of the domains have a policy by MTA-STS, a third by DANE, a third none; nine kinds of failure
 * each, which make up a tenth of the attempts. */
#include "base/memory.h"
#include "queue/queue.h"
#include "serve/frames.h"
#include "tlsrpt/policy.h"
#include "tlsrpt/tally.h"

#include <stdio.h>

enum { FAILURES = 9, GROUP = 2000 };

static const char *const types[FAILURES] = {
    "starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted",
    "validation-failure", "tlsa-invalid", "dnssec-invalid", "sts-policy-fetch-error", "sts-webpki-invalid" };

static bool make_policy(unsigned n, const char *domain, struct arena *arena, struct report_policy *p)
{
    static const uint8_t digest[32] = { 1, 2, 3 };
    const struct tlsa record = { 3, 1, 1, slice((const char *)digest, sizeof digest) };
    const char *mx = arena_text(arena, "*.%s", domain).at;
    const char *text = arena_text(arena, "version: STSv1\r\nmode: enforce\r\nmax_age: 604800\r\nmx: *.%s\r\n", domain).at;

    return n % 3 == 1 ? report_policy_of_sts(domain, slice_of(text), &mx, 1, arena, p)
                      : report_policy_of_tlsa(arena_text(arena, "mx.%s", domain).at, &record, 1, arena, p);
}

static uint64_t keep_policy(struct queue *q, const struct report_policy *p)
{
    auto_buf struct buf value = { 0 };
    uint64_t id = report_policy_id(p);
    char key[REPORT_POLICY_KEY_MAX];

    buf_init(&value, NOTE_VALUE_MAX);
    report_policy_encode(p, &value);
    queue_note(q, &(struct note){ NOTE_POLICY, report_policy_key(id, key), TIME_NEVER, buf_slice(&value) }, NULL, NULL);
    return id;
}

static void count(struct queue *q, const struct report_tally *t, uint64_t n)
{
    auto_buf struct buf key = { 0 };

    buf_init(&key, TALLY_KEY_MAX);
    report_tally_encode(t, &key);
    queue_tally(q, &(struct tally){ .day = (uint32_t)(clock_wall() / DAYS(1)) - 1, .key = buf_slice(&key), .count = n });
}

static void fill_domain(struct queue *q, unsigned n, unsigned attempts)
{
    auto_arena struct arena arena = { 0 };
    struct report_policy p;
    struct report_tally t = { .policy = REPORT_POLICY_NONE, .result_type = "", .sending_ip = "", .receiving_ip = "", .mx = "",
                              .helo = "", .reason = "" };

    arena_init(&arena, 1024 * 1024);
    t.domain = arena_text(&arena, "d%u.example.net", n).at;
    if (n % 3 && make_policy(n, t.domain, &arena, &p))
        t.policy = keep_policy(q, &p);
    count(q, &t, attempts - attempts / 10);
    t.sending_ip = "192.0.2.25";
    t.receiving_ip = "198.51.100.7";
    t.mx = t.helo = arena_text(&arena, "mx.%s", t.domain).at;
    for (unsigned i = 0; i < FAILURES; i++) {
        t.result_type = types[i];
        count(q, &t, attempts / 10 / FAILURES + (i < attempts / 10 % FAILURES));
    }
}

int main(int argc, char **argv)
{
    struct queue_settings settings = { .directory = argc == 4 ? argv[1] : NULL, .slots = 2, .per_destination = 20 };
    unsigned domains = argc == 4 ? (unsigned)atoi(argv[2]) : 0, attempts = argc == 4 ? (unsigned)atoi(argv[3]) : 0;
    struct error why = { 0 };
    struct queue *q;

    if (domains == 0 || attempts / domains < 100) {
        fputs("usage: bench-report-day DIRECTORY DOMAINS ATTEMPTS\n", stderr);
        return 64;
    }
    q = queue_open(&settings, &why);
    if (!q) {
        fprintf(stderr, "%s\n", why.text);
        return EXIT_FAILURE;
    }
    for (unsigned n = 0; n < domains; n++) {
        fill_domain(q, n, attempts / domains);
        if (n % GROUP == GROUP - 1 || n == domains - 1) {
            queue_tally_flush(q);
            queue_commit(q);
        }
    }
    queue_close(q);
    return EXIT_SUCCESS;
}

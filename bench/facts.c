/* What it costs to count a message: facts made into keys, gathered, and added up in the store's database.
 *
 *     bench-facts DIRECTORY RATE      microseconds of CPU a message, at RATE messages a second
 *
 * The worst that ordinary mail can do: each message in a session of its own, from a client and for a next hop that change
 * with each of a thousand. A message then makes four counts: the client's visit, the receipt, the delivery, and the
 * session as TLS reports see it. The scribe gathers for a second, the store flushes every two. */
#include "base/memory.h"
#include "queue/queue.h"
#include "run/loop.h"
#include "serve/recorder.h"

#include <stdio.h>
#include <time.h>

enum { CLIENTS = 1000, SECONDS_SIMULATED = 20, FLUSH_SECONDS = 2 };

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void changed(void *self, uint8_t kind, const char *key)
{
}

static const struct tls_rule rule = { .level = TLS_LEVEL_MAY };
static const struct decide_settings settings;
static const struct tls_facts tls = { .version = TLS_1_3, .cipher = "TLS_AES_256_GCM_SHA384", .group = "X25519",
                                      .trust = TLS_TRUST_PKIX, .name_matches = true };

static void one_message(struct recorder *r, unsigned n)
{
    char domain[64], host[80], relay[100];
    const struct decide_input input = { .need = NEED_STANDARD };
    struct visit visit = { .role = VISIT_MX, .client = { .family = AF_INET }, .name = host, .user = "", .version = TLS_1_3,
                           .group = "X25519", .cipher = tls.cipher, .problem = "" };
    struct receipt receipt = { domain, TLS_1_3, "X25519", tls.cipher };
    struct fact fact = { .wall = clock_wall(), .next_hop = domain, .host = host, .relay = relay, .why = "", .tls = &tls,
                         .messages = 1, .sending_ip = "192.0.2.1", .receiving_ip = "198.51.100.1", .helo = host };

    snprintf(domain, sizeof domain, "d%u.example.net", n % CLIENTS);
    snprintf(host, sizeof host, "mx.%s", domain);
    snprintf(relay, sizeof relay, "%s[198.51.100.1]:25", host);
    memcpy(visit.client.ip, &n, sizeof n);
    visit.client.ip[0] = 10;
    visit.client.ip[1] = (uint8_t)(n % CLIENTS / 256);
    visit.client.ip[2] = (uint8_t)(n % CLIENTS);
    visit.client.ip[3] = 1;
    fact.decision = decide(&rule, &settings, &input, NULL);
    fact.policies[POLICY_NONE_FOUND] = REPORT_POLICY_NONE;
    recorder_visit(r, &visit, 1);
    recorder_receipt(r, &receipt, 1);
    recorder_fact(r, &fact);
}

/* What the store does with so many different keys, once: four for each client that was seen since the last flush. */
static double flush_cost(struct queue *q, unsigned clients)
{
    double began;

    for (unsigned n = 0; n < 4 * clients; n++) {
        char key[160];

        memset(key, 'x', sizeof key);
        key[0] = (char)(2 + n % 4);
        memcpy(key + 1, &n, sizeof n);
        queue_tally(q, &(struct tally){ .day = (uint32_t)(clock_wall() / DAYS(1)), .key = slice(key, sizeof key), .count = 1 });
    }
    began = cpu_now();
    queue_tally_flush(q);
    queue_commit(q);
    return cpu_now() - began;
}

int main(int argc, char **argv)
{
    struct queue_settings queue_settings = { .directory = argc == 3 ? argv[1] : NULL, .slots = 2, .per_destination = 20 };
    unsigned rate = argc == 3 ? (unsigned)atoi(argv[2]) : 0, seen = rate * FLUSH_SECONDS;
    struct error why = { 0 };
    struct recorder *recorder;
    struct scribe *scribe;
    double began, counting, flushing = 0;
    struct queue *q;

    if (rate == 0 || !(q = queue_open(&queue_settings, &why))) {
        fprintf(stderr, "usage: bench-facts DIRECTORY RATE %s\n", why.text);
        return 64;
    }
    loop_open();
    scribe = scribe_new(changed, NULL);
    recorder = recorder_new(scribe, NULL, 90);
    began = cpu_now();
    for (unsigned n = 0; n < 100000; n++)
        one_message(recorder, n);
    counting = (cpu_now() - began) / 100000;
    if (seen > CLIENTS)
        seen = CLIENTS;
    flush_cost(q, seen);                        /* the rows are there now, as they are all day */
    for (unsigned i = 0; i < SECONDS_SIMULATED / FLUSH_SECONDS; i++)
        flushing += flush_cost(q, seen);
    printf("%.2f %.2f\n", counting, flushing / ((double)rate * SECONDS_SIMULATED));
    recorder_free(recorder);
    scribe_free(scribe);
    queue_close(q);
    loop_close();
    return EXIT_SUCCESS;
}

/* tests/policy/habit.h - what the tests of memory see: a next hop with TLS, without it, and for long. */
#ifndef TESTS_POLICY_HABIT_H
#define TESTS_POLICY_HABIT_H

#include "tests/test.h"

#include "policy/memory.h"

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const uint8_t first_address[16] = { 1 }, second_address[16] = { 2 };
static const struct tls_facts tls = { .version = TLS_1_3, .trust = TLS_TRUST_PKIX, .name_matches = true,
                                      .key_fingerprint = KEY_A };
static const struct tls_facts other_key = { .version = TLS_1_3, .key_fingerprint = KEY_B };
static const time_ms day_one = DAYS(20000);
static const struct memory_settings *const usual = &memory_default_settings;

static inline struct memory_sight good(time_ms wall)
{
    return (struct memory_sight){ .wall = wall, .host = "mx1.example.net", .address = first_address, .delivered = true,
                                  .tls = &tls, .verdict = "trusted" };
}

static inline struct memory_sight stripped(time_ms wall, const uint8_t *address)
{
    return (struct memory_sight){ .wall = wall, .host = "mx1.example.net", .address = address, .lacking = 1,
                                  .tls_missing = true, .verdict = "none" };
}

static inline struct memory_sight in_clear(time_ms wall)
{
    struct memory_sight sight = stripped(wall, first_address);

    sight.delivered = true;
    return sight;
}

/* Whatever is seen, what is left makes sense and can be kept. */
static inline unsigned see(struct memory *m, const struct memory_settings *s, const struct memory_sight *sight)
{
    unsigned new = memory_see(m, s, sight);
    const char *problem = memory_problem(m);

    if (problem)
        fail_msg("%s", problem);
    return new;
}

/* Twenty deliveries over nineteen days; the last on day 19. */
static inline struct memory habit(const struct memory_settings *s)
{
    struct memory m = { 0 };

    for (int i = 0; i < 20; i++) {
        struct memory_sight sight = good(day_one + DAYS(i));

        CHECK(see(&m, s, &sight) == 0);
    }
    return m;
}

static inline void some_key(char key[65], int number)
{
    snprintf(key, 65, "%064x", (unsigned)number);
}

#endif

/* What is kept of a next hop. What decodes makes sense and encodes to the same bytes; and whatever
 * is seen next, what is left makes sense again. The input: a length, so many bytes of a memory, then sights. */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "policy/memory.h"

#include <stdio.h>

static void check_kept(struct slice bytes, const struct memory *m)
{
    auto_buf struct buf again = { 0 };

    buf_init(&again, bytes.len);
    memory_encode(m, &again);
    assert(!again.failed && slice_equal(buf_slice(&again), bytes));
    assert(memory_problem(m) == NULL);
}

static void see(struct memory *m, const struct memory_settings *s, struct cursor *in, time_ms *wall)
{
    static const char *const verdicts[] = { "none", "encrypted", "trusted", "verified" };
    struct tls_facts tls = { .version = TLS_1_2 };
    uint8_t how = cursor_u8(in), what = cursor_u8(in), who = cursor_u8(in);
    uint8_t address[16] = { who & 3 };
    char host[256];
    struct memory_sight sight = { .host = host, .address = address, .lacking = what & 3, .delivered = how & 1,
        .tls = how & 2 ? &tls : NULL, .tls_missing = how & 4 && !(how & 2), .sts_enforced = how & 8,
        .tlsa_usable = how & 16, .sts_known = how & 32, .tlsa_known = how & 64, .sts_withdrawn = how & 128 && !(how & 8),
        .verdict = verdicts[how & 2 ? 1 + (what >> 2) % 3 : 0] };
    unsigned new;

    snprintf(host, sizeof host, "mx%u.example.net", who & 15u);
    if (who & 0x80)
        host[0] = '\0';
    if (what & 0x80)
        snprintf(tls.key_fingerprint, sizeof tls.key_fingerprint, "%064x", who >> 4 & 7u);
    *wall += HOURS((int16_t)cursor_u16(in));        /* backwards, too */
    if (*wall <= 0)
        *wall = 1;
    sight.wall = *wall;
    new = memory_see(m, s, &sight);
    assert(memory_problem(m) == NULL);
    assert(new < 2 * BREAK_HOSTS && (new & (BREAK_TLS | BREAK_STS | BREAK_TLSA) & ~m->broken) == 0);
    assert(m->last <= *wall && m->alarm <= *wall);
    assert(memory_held_until(m, s, *wall, false) <= *wall + MEMORY_HOLDS_MAX * s->hold);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory_settings s = memory_default_settings;
    struct cursor in = cursor_over(slice(data, size));
    struct slice kept = cursor_bytes(&in, cursor_u16(&in));
    struct memory m = { 0 };
    time_ms wall;

    s.deliveries = 3;
    if (memory_decode(kept, &m))
        check_kept(kept, &m);
    wall = m.last && m.last < DAYS(40000) ? m.last : DAYS(20000);     /* the year 9999 is out of reach */
    while (!in.failed && in.rest.len > 0)
        see(&m, &s, &in, &wall);
    return 0;
}

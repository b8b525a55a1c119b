/* How a memory is kept, and what would make no sense in one; see policy/memory.h. */
#include "policy/memory.h"

#include "base/cursor.h"

#include <stdio.h>

enum { FORMAT = 1 };

static const time_ms LATEST = 253402300799999;      /* 9999-12-31T23:59:59.999Z */

/* --- sense ------------------------------------------------------------------ */

static bool in_order(time_ms earlier, time_ms later)
{
    return earlier >= 0 && earlier <= later;
}

static const char *problem_of_counts(const struct memory *m)
{
    if (m->deliveries > INT64_MAX)
        return "there are too many sessions";
    if (m->with_tls > m->deliveries || m->row > m->with_tls)
        return "there are more sessions under TLS than sessions, or more in a row than that";
    if (m->last > LATEST || m->alarm > LATEST || m->sts_last > LATEST)
        return "a time is beyond the year 9999";
    if (!in_order(m->first, m->last) || (m->deliveries > 0) != (m->first > 0))
        return "the first session must be there when any is, and not be later than the last";
    if (!in_order(m->tls_first, m->tls_last) || m->tls_last > m->last || (m->row > 0) != (m->tls_first > 0))
        return "the sessions under TLS must lie between the first session and the last";
    if (m->tls_first > 0 && m->tls_first < m->first)
        return "the first session under TLS is earlier than the first session";
    if (m->version > TLS_1_3 || (m->version != TLS_VERSION_NONE && m->row == 0))
        return "there is a TLS version without a session under TLS";
    return NULL;
}

static const char *problem_of_verdict(const struct memory *m)
{
    if (m->verdict[0] && memory_verdict_rank(m->verdict) == 0)
        return "the best verdict is none that there is";
    if (!in_order(m->verdict_last, m->last) || (m->verdict[0] != '\0') != (m->verdict_last > 0))
        return "a best verdict needs its time, not later than the last session";
    return NULL;
}

static bool is_fingerprint(const char *text)
{
    size_t len = strspn(text, "0123456789abcdef");

    return len == 64 && text[len] == '\0';
}

/* The DNS escapes what is no letter, so that a host can be shown as it is. */
static bool is_host(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

/* No gaps, no doubles, latest first. */
static bool is_list(const char *texts, const time_ms *times, size_t count, size_t size, time_ms latest)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = &texts[i * size];

        if ((text[0] != '\0') != (times[i] > 0) || !in_order(times[i], latest))
            return false;
        for (size_t k = 0; k < i; k++)
            if (text[0] && strcmp(&texts[k * size], text) == 0)
                return false;
        latest = times[i];
    }
    return true;
}

static const char *problem_of_lists(const struct memory *m)
{
    if (!is_list(m->keys[0], m->key_last, MEMORY_KEYS_MAX, sizeof m->keys[0], m->last))
        return "keys must stand latest first, each once, each with its time, not later than the last session";
    if (!is_list(m->hosts[0], m->host_last, MEMORY_HOSTS_MAX, sizeof m->hosts[0], m->last))
        return "hosts must stand latest first, each once, each with its time, not later than the last session";
    for (size_t i = 0; i < MEMORY_KEYS_MAX; i++)
        if (m->keys[i][0] && !is_fingerprint(m->keys[i]))
            return "a key must be a SHA-256 in 64 hexadecimal digits, lower case";
    for (size_t i = 0; i < MEMORY_HOSTS_MAX; i++)
        if (!is_host(m->hosts[i]) || m->host_tlsa[i] > MEMORY_TLSA_GONE || (!m->hosts[i][0] && m->host_tlsa[i]))
            return "a host has a name of printable ASCII";
    return NULL;
}

static const char *problem_of_breaks(const struct memory *m)
{
    static const uint8_t nobody[sizeof m->witness];
    bool tls = m->broken & BREAK_TLS, gone = false;

    for (size_t i = 0; i < MEMORY_HOSTS_MAX; i++)
        gone |= m->host_tlsa[i] == MEMORY_TLSA_GONE;
    if (m->broken & ~(unsigned)(BREAK_TLS | BREAK_STS | BREAK_TLSA))
        return "only tls, sts and tlsa can stay broken";
    if (m->alarm < 0 || tls != (m->alarm > 0) || tls != (m->witnesses > 0) || m->witnesses > 2)
        return "an alarm needs its time and one or two witnesses";
    if (!tls && memcmp(m->witness, nobody, sizeof nobody) != 0)
        return "there is a witness, but no alarm";
    if (gone != ((m->broken & BREAK_TLSA) != 0))
        return "tlsa is broken when the records of a host are gone, and only then";
    if (m->sts_last < 0 || ((m->sts || m->broken & BREAK_STS) && m->sts_last == 0) || (m->sts && m->broken & BREAK_STS))
        return "an MTA-STS policy needs its time, and cannot be there and gone";
    return NULL;
}

const char *memory_problem(const struct memory *m)
{
    const char *problem = problem_of_counts(m);

    if (!problem)
        problem = problem_of_verdict(m);
    if (!problem)
        problem = problem_of_lists(m);
    return problem ? problem : problem_of_breaks(m);
}

/* --- writing ------------------------------------------------------------------- */

static void put_time(struct buf *out, time_ms t)
{
    buf_u64(out, (uint64_t)t);
}

static void put_text(struct buf *out, const char *text)
{
    buf_block(out, slice_of(text));
}

void memory_encode(const struct memory *m, struct buf *out)
{
    buf_u8(out, FORMAT);
    put_time(out, m->first);
    put_time(out, m->last);
    buf_u64(out, m->deliveries);
    buf_u64(out, m->with_tls);
    buf_u64(out, m->row);
    put_time(out, m->tls_first);
    put_time(out, m->tls_last);
    buf_u8(out, (uint8_t)m->version);
    put_text(out, m->verdict);
    put_time(out, m->verdict_last);
    for (size_t i = 0; i < MEMORY_KEYS_MAX; i++) {
        put_text(out, m->keys[i]);
        put_time(out, m->key_last[i]);
    }
    for (size_t i = 0; i < MEMORY_HOSTS_MAX; i++) {
        put_text(out, m->hosts[i]);
        put_time(out, m->host_last[i]);
        buf_u8(out, (uint8_t)m->host_tlsa[i]);
    }
    buf_u8(out, m->sts);
    put_time(out, m->sts_last);
    buf_u8(out, (uint8_t)m->broken);
    put_time(out, m->alarm);
    buf_u8(out, (uint8_t)m->witnesses);
    buf_add(out, slice(m->witness, sizeof m->witness));
}

/* --- reading --------------------------------------------------------------------- */

static time_ms get_time(struct cursor *in)
{
    time_ms t = (time_ms)cursor_u64(in);

    if (t < 0)
        in->failed = true;
    return t;
}

static void get_text(struct cursor *in, char *text, size_t size)
{
    struct slice s = cursor_block(in);

    if (s.len >= size || slice_find(s, '\0') != s.len)
        in->failed = true;
    if (!in->failed)
        snprintf(text, size, "%.*s", SLICE_ARGS(s));
}

static unsigned get_below(struct cursor *in, unsigned end)
{
    unsigned v = cursor_u8(in);

    if (v >= end)
        in->failed = true;
    return v;
}

static void get_habit(struct cursor *in, struct memory *m)
{
    m->first = get_time(in);
    m->last = get_time(in);
    m->deliveries = cursor_u64(in);
    m->with_tls = cursor_u64(in);
    m->row = cursor_u64(in);
    m->tls_first = get_time(in);
    m->tls_last = get_time(in);
    m->version = (enum tls_version)get_below(in, TLS_1_3 + 1);
    get_text(in, m->verdict, sizeof m->verdict);
    m->verdict_last = get_time(in);
}

static void get_lists(struct cursor *in, struct memory *m)
{
    for (size_t i = 0; i < MEMORY_KEYS_MAX; i++) {
        get_text(in, m->keys[i], sizeof m->keys[i]);
        m->key_last[i] = get_time(in);
    }
    for (size_t i = 0; i < MEMORY_HOSTS_MAX; i++) {
        get_text(in, m->hosts[i], sizeof m->hosts[i]);
        m->host_last[i] = get_time(in);
        m->host_tlsa[i] = (enum memory_tlsa)get_below(in, MEMORY_TLSA_GONE + 1);
    }
}

bool memory_decode(struct slice bytes, struct memory *out)
{
    struct cursor in = cursor_over(bytes);
    struct memory m = { 0 };
    struct slice witness;

    if (cursor_u8(&in) != FORMAT)
        return false;
    get_habit(&in, &m);
    get_lists(&in, &m);
    m.sts = get_below(&in, 2);
    m.sts_last = get_time(&in);
    m.broken = get_below(&in, 2 * BREAK_HOSTS);
    m.alarm = get_time(&in);
    m.witnesses = get_below(&in, 3);
    witness = cursor_bytes(&in, sizeof m.witness);
    if (!cursor_ended(&in))
        return false;
    memcpy(m.witness, witness.at, sizeof m.witness);
    if (memory_problem(&m))
        return false;
    *out = m;
    return true;
}

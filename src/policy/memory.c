#include "policy/memory.h"

#include <stdio.h>

const struct memory_settings memory_default_settings = {
    .mode = MEMORY_DEFER, .deliveries = 20, .span = DAYS(14), .hold = HOURS(1), .forget = DAYS(90),
};

/* --- words ------------------------------------------------------------------ */

static const char *const mode_names[] = { "off", "alarm", "defer", "enforce" };

const char *memory_mode_name(enum memory_mode m)
{
    return mode_names[m];
}

bool memory_mode_parse(struct slice text, enum memory_mode *m)
{
    for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++) {
        if (slice_equal_nocase(text, slice_of(mode_names[i]))) {
            *m = (enum memory_mode)i;
            return true;
        }
    }
    return false;
}

static const struct {
    const char *name, *text;
} breaks[] = {      /* bit by bit */
    { "tls", "it used to offer TLS, and now there is none" },
    { "sts", "its MTA-STS policy is gone without having been withdrawn" },
    { "tlsa", "the TLSA records of a host are gone" },
    { "key", "its key was never seen before, and nobody vouches for it" },
    { "hosts", "this host of it was never seen before, and nobody vouches for it" },
};

const char *memory_break_text(unsigned what)
{
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++)
        if (what & 1u << i)
            return breaks[i].text;
    return "";
}

const char *memory_break_name(enum memory_break one)
{
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++)
        if (one == 1u << i)
            return breaks[i].name;
    return "";
}

int memory_verdict_rank(const char *verdict)
{
    static const char *const ranks[] = { "encrypted", "trusted", "verified" };

    for (int i = 0; i < 3; i++)
        if (strcmp(verdict, ranks[i]) == 0)
            return i + 1;
    return 0;
}

/* --- habit and hold ------------------------------------------------------------ */

/* Who takes a policy away on its way to us would strip STARTTLS next: what it promised is held against its absence. */
static bool was_promised(const struct memory *m, const struct memory_settings *s, time_ms wall)
{
    return (m->sts || m->broken & BREAK_STS) && wall - m->sts_last < s->forget;
}

bool memory_has_habit(const struct memory *m, const struct memory_settings *s, time_ms wall)
{
    bool long_row = m->row >= s->deliveries && m->tls_last - m->tls_first >= s->span;

    return s->mode != MEMORY_OFF && (long_row || was_promised(m, s, wall)) && wall - m->tls_last < s->forget;
}

time_ms memory_held_until(const struct memory *m, const struct memory_settings *s, time_ms wall, bool only_address)
{
    time_ms until;

    if (s->mode < MEMORY_DEFER || !memory_has_habit(m, s, wall))
        return 0;
    if (s->mode == MEMORY_ENFORCE)
        return TIME_NEVER;
    if (!(m->broken & BREAK_TLS) || m->alarm > wall)    /* the clock was set back: as if it began now */
        return wall + s->hold;
    until = m->alarm + (m->witnesses < 2 && !only_address ? MEMORY_HOLDS_MAX : 1) * s->hold;
    return wall < until ? until : 0;
}

/* "2026-03-01" */
static const char *day(time_ms wall, char text[CLOCK_TEXT_MAX])
{
    clock_iso_date(wall, text);
    text[10] = '\0';
    return text;
}

bool memory_holds(const struct memory *m, const struct memory_settings *s, time_ms wall, bool only_address,
                  struct error *why)
{
    time_ms until = memory_held_until(m, s, wall, only_address);
    char since[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX], end[CLOCK_TEXT_MAX];

    if (until == 0)
        return false;
    fail(why, E_CLEARTEXT_HELD, "clear text is held back until %s; TLS was there in %llu sessions from %s to %s",
         until == TIME_NEVER ? "TLS is back" : clock_iso_date(until, end), (unsigned long long)m->row,
         day(m->tls_first, since), day(m->tls_last, last));
    return true;
}

/* --- fading --------------------------------------------------------------------- */

static void not_after(time_ms *t, time_ms wall)
{
    if (*t > wall)
        *t = wall;
}

/* 0 stands for never, and stays that. */
static void earlier(time_ms *t, time_ms by)
{
    if (*t > 0)
        *t = *t > by ? *t - by : 1;
}

/* A clock that was ahead and is right again must not make anything last for years. */
static void stay_in_the_past(struct memory *m, time_ms wall)
{
    time_ms ahead = m->tls_last > wall ? m->tls_last - wall : 0;
    time_ms *const times[] = { &m->first, &m->last, &m->tls_first, &m->tls_last, &m->verdict_last, &m->sts_last, &m->alarm };

    /* A habit stays as long as it was. */
    earlier(&m->tls_first, ahead);
    earlier(&m->first, ahead);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        not_after(times[i], wall);
    for (size_t i = 0; i < MEMORY_KEYS_MAX; i++)
        not_after(&m->key_last[i], wall);
    for (size_t i = 0; i < MEMORY_HOSTS_MAX; i++)
        not_after(&m->host_last[i], wall);
}

static void heal_tls(struct memory *m)
{
    m->broken &= ~(unsigned)BREAK_TLS;
    m->alarm = 0;
    m->witnesses = 0;
    memset(m->witness, 0, sizeof m->witness);
}

static void judge_tlsa(struct memory *m)
{
    m->broken &= ~(unsigned)BREAK_TLSA;
    for (size_t i = 0; i < MEMORY_HOSTS_MAX; i++)
        if (m->host_tlsa[i] == MEMORY_TLSA_GONE)
            m->broken |= BREAK_TLSA;
}

static void begin_anew(struct memory *m)
{
    m->row = 0;
    m->tls_first = m->tls_last = 0;
    m->version = TLS_VERSION_NONE;
    m->verdict[0] = '\0';
    m->verdict_last = 0;
    heal_tls(m);
}

static void drop_host(struct memory *m, size_t i)
{
    m->hosts[i][0] = '\0';
    m->host_last[i] = 0;
    m->host_tlsa[i] = MEMORY_TLSA_NEVER;
}

/* Whatever was not seen for long. */
static void fade(struct memory *m, const struct memory_settings *s, time_ms wall)
{
    if (m->tls_last && wall - m->tls_last >= s->forget)
        begin_anew(m);
    if (m->verdict_last && wall - m->verdict_last >= s->forget) {
        m->verdict[0] = '\0';
        m->verdict_last = 0;
    }
    if (m->sts_last && wall - m->sts_last >= s->forget) {
        m->sts = false;
        m->sts_last = 0;
        m->broken &= ~(unsigned)BREAK_STS;
    }
    for (size_t i = 0; i < MEMORY_KEYS_MAX; i++) {
        if (!m->keys[i][0] || wall - m->key_last[i] < s->forget)
            continue;
        m->keys[i][0] = '\0';       /* those behind it were seen earlier still */
        m->key_last[i] = 0;
    }
    for (size_t i = 0; i < MEMORY_HOSTS_MAX; i++)
        if (m->hosts[i][0] && wall - m->host_last[i] >= s->forget)
            drop_host(m, i);
    judge_tlsa(m);
    if (m->last && wall - m->last >= s->forget)
        *m = (struct memory){ 0 };
}

/* --- lists, latest first ----------------------------------------------------------- */

/* Where it is, or the first free place, or the count. */
static size_t place_of(const char *texts, size_t count, size_t size, const char *text)
{
    size_t at = 0;

    while (at < count && texts[at * size] && strcmp(&texts[at * size], text) != 0)
        at++;
    return at;
}

static size_t host_place(const struct memory *m, const char *host)
{
    return place_of(m->hosts[0], MEMORY_HOSTS_MAX, sizeof m->hosts[0], host);
}

static size_t key_place(const struct memory *m, const char *key)
{
    return place_of(m->keys[0], MEMORY_KEYS_MAX, sizeof m->keys[0], key);
}

static bool knows_host(const struct memory *m, const char *host)
{
    size_t at = host_place(m, host);

    return at < MEMORY_HOSTS_MAX && m->hosts[at][0];
}

static bool knows_key(const struct memory *m, const char *key)
{
    size_t at = key_place(m, key);

    return at < MEMORY_KEYS_MAX && m->keys[at][0];
}

static void host_to_front(struct memory *m, const char *host, time_ms wall)
{
    bool known = knows_host(m, host);
    size_t at = host_place(m, host);
    enum memory_tlsa tlsa;

    if (at == MEMORY_HOSTS_MAX)
        at--;
    tlsa = known ? m->host_tlsa[at] : MEMORY_TLSA_NEVER;
    memmove(m->hosts + 1, m->hosts, at * sizeof *m->hosts);
    memmove(m->host_last + 1, m->host_last, at * sizeof *m->host_last);
    memmove(m->host_tlsa + 1, m->host_tlsa, at * sizeof *m->host_tlsa);
    snprintf(m->hosts[0], sizeof m->hosts[0], "%s", host);
    m->host_last[0] = wall;
    m->host_tlsa[0] = tlsa;
    judge_tlsa(m);
}

static void key_to_front(struct memory *m, const char *key, time_ms wall)
{
    size_t at = key_place(m, key);

    if (at == MEMORY_KEYS_MAX)
        at--;
    memmove(m->keys + 1, m->keys, at * sizeof *m->keys);
    memmove(m->key_last + 1, m->key_last, at * sizeof *m->key_last);
    snprintf(m->keys[0], sizeof m->keys[0], "%s", key);
    m->key_last[0] = wall;
}

/* --- seeing ---------------------------------------------------------------------- */

static unsigned see_missing(struct memory *m, const struct memory_sight *sight)
{
    bool new = !(m->broken & BREAK_TLS);

    if (new) {
        m->broken |= BREAK_TLS;
        m->alarm = sight->wall;
        m->witnesses = 1;
        memcpy(m->witness, sight->address, sizeof m->witness);
    }
    if (sight->lacking > 1 || memcmp(m->witness, sight->address, sizeof m->witness) != 0)
        m->witnesses = 2;
    return new ? BREAK_TLS : 0;
}

/* Of the whole domain. Was it taken back by whoever may? */
static unsigned see_sts(struct memory *m, const struct memory_sight *sight)
{
    bool had = m->sts;

    if (!sight->sts_known)
        return 0;
    m->sts = sight->sts_enforced;
    if (sight->sts_enforced)
        m->sts_last = sight->wall;
    if (sight->sts_enforced || sight->sts_withdrawn)
        m->broken &= ~(unsigned)BREAK_STS;
    else if (had)
        m->broken |= BREAK_STS;
    return had && m->broken & BREAK_STS ? BREAK_STS : 0;
}

/* Of this host: others of the domain may never have had any. */
static unsigned see_tlsa(struct memory *m, const struct memory_sight *sight)
{
    enum memory_tlsa *state, before;

    if (!sight->tlsa_known || !knows_host(m, sight->host))
        return 0;
    state = &m->host_tlsa[host_place(m, sight->host)];
    before = *state;
    if (sight->tlsa_usable)
        *state = MEMORY_TLSA_SEEN;
    else if (before == MEMORY_TLSA_SEEN)
        *state = MEMORY_TLSA_GONE;
    judge_tlsa(m);
    return before == MEMORY_TLSA_SEEN && *state == MEMORY_TLSA_GONE ? BREAK_TLSA : 0;
}

/* Once the list is full of hosts, another one says nothing: there, they come and go. */
static unsigned see_host(struct memory *m, const struct memory_sight *sight, bool habit)
{
    bool news = m->hosts[0][0] && !m->hosts[MEMORY_HOSTS_MAX - 1][0] && !knows_host(m, sight->host);
    bool vouched = memory_verdict_rank(sight->verdict) == memory_verdict_rank("verified");

    if (!sight->host[0])
        return 0;
    host_to_front(m, sight->host, sight->wall);
    return habit && news && !vouched ? BREAK_HOSTS : 0;
}

/* The same for keys, unless somebody used to vouch for them. */
static unsigned see_key(struct memory *m, const struct memory_sight *sight, bool habit)
{
    const char *key = sight->tls->key_fingerprint;
    bool full = m->keys[MEMORY_KEYS_MAX - 1][0] && memory_verdict_rank(m->verdict) <= memory_verdict_rank("encrypted");
    bool news = m->keys[0][0] && !full && !knows_key(m, key);
    bool vouched = memory_verdict_rank(sight->verdict) > memory_verdict_rank("encrypted");

    if (!key[0])
        return 0;
    key_to_front(m, key, sight->wall);
    return habit && news && !vouched ? BREAK_KEY : 0;
}

static void see_tls(struct memory *m, const struct memory_sight *sight)
{
    int rank = memory_verdict_rank(sight->verdict);

    m->with_tls++;
    m->row++;
    m->tls_last = sight->wall;
    if (m->tls_first == 0)
        m->tls_first = sight->wall;
    m->version = sight->tls->version;
    if (rank == 0 || rank < memory_verdict_rank(m->verdict))
        return;
    snprintf(m->verdict, sizeof m->verdict, "%s", sight->verdict);
    m->verdict_last = sight->wall;
}

static unsigned see_delivery(struct memory *m, const struct memory_sight *sight, bool habit)
{
    unsigned new = 0;

    m->deliveries++;
    m->last = sight->wall;
    if (m->first == 0)
        m->first = sight->wall;
    new |= see_host(m, sight, habit);
    if (sight->tls) {
        new |= see_key(m, sight, habit);
        see_tls(m, sight);
    } else if (sight->tls_missing && !habit) {
        begin_anew(m);      /* TLS now and then is no habit */
    }
    return new;
}

unsigned memory_see(struct memory *m, const struct memory_settings *s, const struct memory_sight *sight)
{
    unsigned new = 0;
    bool habit;

    stay_in_the_past(m, sight->wall);
    fade(m, s, sight->wall);
    new |= see_sts(m, sight);
    habit = memory_has_habit(m, s, sight->wall);
    if (sight->tls)
        heal_tls(m);
    else if (sight->tls_missing && habit)
        new |= see_missing(m, sight);
    if (sight->delivered)
        new |= see_delivery(m, sight, habit);
    return new | see_tlsa(m, sight);
}

bool memory_has_news(const struct memory *before, const struct memory *after)
{
    if (before->broken != after->broken || before->alarm != after->alarm || before->witnesses != after->witnesses ||
        before->sts != after->sts || before->version != after->version || strcmp(before->verdict, after->verdict) != 0)
        return true;
    for (size_t i = 0; i < MEMORY_KEYS_MAX && after->keys[i][0]; i++)
        if (!knows_key(before, after->keys[i]))
            return true;
    for (size_t i = 0; i < MEMORY_HOSTS_MAX && after->hosts[i][0]; i++)
        if (!knows_host(before, after->hosts[i]) ||
            before->host_tlsa[host_place(before, after->hosts[i])] != after->host_tlsa[i])
            return true;
    return false;
}

time_ms memory_forgotten_at(const struct memory *m, const struct memory_settings *s)
{
    return (m->last > m->sts_last ? m->last : m->sts_last) + s->forget;
}

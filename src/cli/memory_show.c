/* What is remembered, for people and in lines of JSON; see cli/memory.h. */
#include "cli/memory.h"
#include "cli/style.h"

#include "base/escape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *ago(time_ms wall, char text[40])
{
    char span[24];

    if (wall == 0)
        snprintf(text, 40, "never");
    else
        snprintf(text, 40, "%s ago", style_length(clock_wall() - wall, span));
    return text;
}

/* "2026-03-01 12:30 UTC" */
static const char *moment(time_ms wall, char text[CLOCK_TEXT_MAX])
{
    clock_iso_date(wall, text);
    text[10] = ' ';
    snprintf(text + 16, 5, " UTC");
    return text;
}

static const char *shown(const char *name, char text[400])
{
    return escape_line(slice_of(name), text, 400);
}

/* --- one ---------------------------------------------------------------------- */

static void row(const char *about, const char *format, ...) printf_like(2, 3);
static void row(const char *about, const char *format, ...)
{
    va_list args;

    printf("  %s%-10s%s", style.dim, about, style.plain);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void print_habit(const struct memory *m, const struct memory_settings *s)
{
    char since[CLOCK_TEXT_MAX], span[24], wanted[24];

    if (s->mode == MEMORY_OFF)
        row("habit", "the configuration says memory = off: nothing is looked at");
    else if (m->row == 0)
        row("habit", "no: the latest session went in clear, or long ago");
    else
        row("habit", "%s: %" PRIu64 " in a row since %s%s", memory_has_habit(m, s, clock_wall()) ? "yes" : "no", m->row,
            moment(m->tls_first, since),
            m->row >= s->deliveries && m->tls_last - m->tls_first >= s->span ? ""
            : memory_has_habit(m, s, clock_wall()) ? ", and an MTA-STS policy that nobody has taken back" : "");
    if (s->mode != MEMORY_OFF && !memory_has_habit(m, s, clock_wall()))
        row("", "it takes %u in a row over %s; these cover %s", s->deliveries, style_length(s->span, wanted),
            style_length(m->tls_last - m->tls_first, span));
}

static void print_hold(const struct remembered *r, const struct memory_settings *s)
{
    const struct memory *m = &r->memory;
    time_ms wall = clock_wall(), soonest = memory_held_until(m, s, wall, true), latest = memory_held_until(m, s, wall, false);
    char one[CLOCK_TEXT_MAX], two[CLOCK_TEXT_MAX], name[400];

    if (latest == TIME_NEVER)
        row("held", "clear text is held back until TLS is back, or: postern memory forget %s", shown(r->next_hop, name));
    else if (latest == 0)
        row("held", "clear text is no longer held back%s", s->mode == MEMORY_ALARM ? ": memory = alarm" : "");
    else if (soonest == 0)
        row("held", "clear text is held back until %s, unless a second address shows the same, or there is none",
            moment(latest, one));
    else if (soonest == latest)
        row("held", "clear text is held back until %s", moment(latest, one));
    else
        row("held", "clear text is held back until %s, or %s where a second address could not be asked",
            moment(soonest, one), moment(latest, two));
}

static void print_alarm(const struct remembered *r, const struct memory_settings *s)
{
    const struct memory *m = &r->memory;
    char since[CLOCK_TEXT_MAX], span[40], witness[ADDRESS_TEXT_MAX];

    if (m->broken & BREAK_TLS) {
        row("ALARM", "%s%s%s, since %s (%s)", style.bold, memory_break_text(BREAK_TLS), style.plain, moment(m->alarm, since),
            ago(m->alarm, span));
        row("", "seen at %s, %s", memory_witness(m, witness),
            m->witnesses > 1 ? "and at another address" : "at no other address yet");
        print_hold(r, s);
    }
    for (unsigned bit = BREAK_STS; bit <= BREAK_TLSA; bit <<= 1)
        if (m->broken & bit)
            row("ALARM", "%s%s%s", style.bold, memory_break_text(bit), style.plain);
}

static void print_lists(const struct memory *m)
{
    static const char *const tlsa[] = { "", "  TLSA", "  TLSA is gone" };
    char span[40], name[400];

    for (size_t i = 0; i < MEMORY_HOSTS_MAX && m->hosts[i][0]; i++)
        row(i ? "" : "hosts", "%-40s %s%s", shown(m->hosts[i], name), ago(m->host_last[i], span), tlsa[m->host_tlsa[i]]);
    for (size_t i = 0; i < MEMORY_KEYS_MAX && m->keys[i][0]; i++)
        row(i ? "" : "keys", "%s %s", m->keys[i], ago(m->key_last[i], span));
}

static void print_one(const struct remembered *r, const struct memory_settings *s)
{
    const struct memory *m = &r->memory;
    char first[CLOCK_TEXT_MAX], last[40], span[40], name[400];

    printf("%s%s%s\n", style.bold, shown(r->next_hop, name), style.plain);
    row("sessions", "%" PRIu64 " since %s, %" PRIu64 " of them under TLS, the latest %s", m->deliveries,
        m->first ? moment(m->first, first) : "ever", m->with_tls, ago(m->last, last));
    if (m->tls_last)
        row("TLS", "%s when last seen, %s%s%s", tls_version_name(m->version), ago(m->tls_last, span),
            m->verdict[0] ? "; at best " : "", m->verdict);
    print_habit(m, s);
    print_alarm(r, s);
    if (m->sts)
        row("MTA-STS", "an enforced policy, %s", ago(m->sts_last, span));
    else if (m->sts_last)
        row("MTA-STS", "none now; an enforced policy was there %s", ago(m->sts_last, span));
    print_lists(m);
}

/* The fields of an export, and what follows from them now. */
static void print_json(const struct remembered *r, const struct memory_settings *s)
{
    const struct memory *m = &r->memory;
    time_ms until = memory_held_until(m, s, clock_wall(), false);
    bool held = m->broken & BREAK_TLS && until != 0;
    char date[CLOCK_TEXT_MAX];
    json_t *o = memory_to_json(r);

    json_object_set_new(o, "habit", json_boolean(memory_has_habit(m, s, clock_wall())));
    json_object_set_new(o, "alarm", json_boolean(m->broken != 0));
    json_object_set_new(o, "held", json_boolean(held));
    json_object_set_new(o, "held-until", held && until != TIME_NEVER ? json_string(clock_iso_date(until, date)) : json_null());
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

void memory_show(const struct remembered *r, const struct memory_settings *s, bool json)
{
    style_choose();
    if (json)
        print_json(r, s);
    else
        print_one(r, s);
}

/* --- all ----------------------------------------------------------------------------- */

/* Read twice rather than kept: it may be long, and alarms come first. */
struct listing {
    const struct memory_settings *settings;
    bool json, alarms;              /* this time those with an alarm, or those without */
    uint64_t count, alarmed, habits, unreadable;
};

static size_t hosts_in(const struct memory *m)
{
    size_t count = 0;

    while (count < MEMORY_HOSTS_MAX && m->hosts[count][0])
        count++;
    return count;
}

static void print_line(const struct remembered *r, const struct memory_settings *s)
{
    const struct memory *m = &r->memory;
    char name[400], last[40], since[40], share[16] = "-";

    if (m->deliveries)
        snprintf(share, sizeof share, "%u%%", (unsigned)(100.0 * (double)m->with_tls / (double)m->deliveries));
    printf("%s%c %-34s %8" PRIu64 " %5s  %-9s  %-9s  %-5s  %5zu%s", m->broken ? style.bold : "", m->broken ? '!' : ' ',
           shown(r->next_hop, name), m->deliveries, share, m->verdict[0] ? m->verdict : "-", ago(m->last, last),
           memory_has_habit(m, s, clock_wall()) ? "yes" : "no", hosts_in(m), m->broken ? style.plain : "");
    if (m->broken & BREAK_TLS)
        printf("  no TLS since %s", ago(m->alarm, since));
    for (unsigned bit = BREAK_STS; bit <= BREAK_TLSA; bit <<= 1)
        if (m->broken & bit)
            printf("  %s gone", bit == BREAK_STS ? "MTA-STS" : "TLSA");
    putchar('\n');
}

static void count_one(void *arg, const struct note *n)
{
    struct listing *l = arg;
    struct remembered r;

    if (!memory_of_note(n, &r)) {
        l->unreadable++;
        return;
    }
    l->count++;
    l->alarmed += r.memory.broken != 0;
    l->habits += memory_has_habit(&r.memory, l->settings, clock_wall());
    if (l->json)
        print_json(&r, l->settings);
    else if (r.memory.broken)
        print_line(&r, l->settings);
}

static void print_quiet(void *arg, const struct note *n)
{
    const struct listing *l = arg;
    struct remembered r;

    if (memory_of_note(n, &r) && !r.memory.broken)
        print_line(&r, l->settings);
}

int memory_list(struct asking *store, const struct memory_settings *s, bool json)
{
    struct listing l = { .settings = s, .json = json };
    struct error why = { 0 };

    style_choose();
    if (!json)
        printf("%s  %-34s %8s %5s  %-9s  %-9s  %-5s  %5s%s\n", style.dim, "NEXT HOP", "SESSIONS", "TLS", "BEST", "LAST", "HABIT",
               "HOSTS", style.plain);
    if (!asking_notes(store, NOTE_MEMORY, count_one, &l, &why) ||
        (!json && !asking_notes(store, NOTE_MEMORY, print_quiet, &l, &why)))
        return memory_unanswered(&why);
    if (!json)
        printf("%" PRIu64 " next hop%s, %" PRIu64 " with a habit, %" PRIu64 " alarm%s; memory = %s\n", l.count,
               l.count == 1 ? "" : "s", l.habits, l.alarmed, l.alarmed == 1 ? "" : "s", memory_mode_name(s->mode));
    if (l.unreadable == 0)
        return EXIT_OK;
    cli_complain("%" PRIu64 " more cannot be read: they were made by another version", l.unreadable);
    return EXIT_FAILED;
}

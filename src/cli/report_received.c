/* postern report --received: what others saw of us, beside what we know of ourselves. */
#include "cli/report.h"

#include "base/memory.h"
#include "cli/style.h"
#include "fact/count.h"
#include "fact/visit.h"
#include "fact/tally_kind.h"
#include "serve/wardrobe.h"
#include "tlsrpt/mail.h"

#include <jansson.h>
#include <stdio.h>

enum { ARENA_MAX = 64 * 1024 * 1024 };

static const char *const ways[] = { [REPORT_BY_MAIL] = "mail", [REPORT_BY_HTTPS] = "https", [REPORT_BY_HAND] = "hand" };

/* --- walking through them ----------------------------------------------------------- */

struct entry {
    time_ms begin;
    char *submitter, *key;
};

struct walk {
    struct asking *store;
    const struct config *config;
    const struct report_wish *wish;
    void (*each)(struct walk *w, const char *key, const struct received_report *r);
    struct entry *entries;      /* notes may not be asked for while they are listed */
    size_t count, room, shown;
    uint64_t sessions, failures, unsigned_ones;     /* of those listed */
    int code;
};

static void note_entry(void *arg, const struct note *n)
{
    auto_arena struct arena arena = { 0 };
    struct received_report r;
    struct walk *w = arg;
    bool known;

    arena_init(&arena, ARENA_MAX);
    known = received_report_decode(n->value, &arena, &r);
    if (w->count == w->room) {
        w->room = 2 * w->room + 64;
        w->entries = memory_grow(w->entries, w->room, sizeof *w->entries);
    }
    w->entries[w->count++] = (struct entry){ known ? r.report.begin : 0, memory_text(slice_of(known ? r.submitter : "")),
                                             memory_text(slice_of(n->key)) };
}

static int by_day(const void *one, const void *other)
{
    const struct entry *a = one, *b = other;
    time_ms day = a->begin / DAYS(1), other_day = b->begin / DAYS(1);
    int by_sender = strcmp(a->submitter, b->submitter);

    if (day != other_day)
        return day < other_day ? -1 : 1;
    return by_sender ? by_sender : strcmp(a->key, b->key);
}

/* "Example.org." is example.org. */
static bool is_same_domain(const char *domain, const char *said)
{
    struct slice name = slice_of(said);

    if (name.len > 1 && name.at[name.len - 1] == '.')
        name.len--;
    return slice_equal_nocase(slice_of(domain), name);
}

static bool is_about(const struct received_report *r, const char *name)
{
    for (size_t i = 0; i < r->report.entry_count; i++)
        if (is_same_domain(r->report.entries[i].policy.domain, name))
            return true;
    return false;
}

/* Named by its key, by who sent it, or by what it is about. */
static bool is_wanted(const struct walk *w, const char *key, const struct received_report *r)
{
    bool named = w->wish->count == 0;

    if (w->wish->has_day && r->report.begin / DAYS(1) != (time_ms)w->wish->day)
        return false;
    for (int i = 0; i < w->wish->count; i++)
        named |= strcmp(key, w->wish->names[i]) == 0 || is_same_domain(r->submitter, w->wish->names[i]) ||
                 strcmp(r->report.id, w->wish->names[i]) == 0 || is_about(r, w->wish->names[i]);
    return named;
}

static void visit(struct walk *w, const char *key)
{
    auto_arena struct arena arena = { 0 };
    struct received_report r;
    struct error why = { 0 };
    struct note n;

    arena_init(&arena, ARENA_MAX);
    if (!asking_note(w->store, NOTE_RECEIVED, key, &arena, &n, &why)) {
        w->code = why.code == E_NOT_FOUND ? w->code : report_unanswered(&why);
        return;
    }
    if (!received_report_decode(n.value, &arena, &r)) {
        cli_complain("what is kept of %s was made by another version", key);
        w->code = EXIT_FAILED;
        return;
    }
    if (!is_wanted(w, key, &r))
        return;
    w->shown++;
    w->each(w, key, &r);
}

static int walk(struct walk *w)
{
    struct error why = { 0 };

    if (!asking_notes(w->store, NOTE_RECEIVED, note_entry, w, &why))
        w->code = report_unanswered(&why);
    if (w->count)
        qsort(w->entries, w->count, sizeof *w->entries, by_day);
    for (size_t i = 0; i < w->count; i++) {
        if (w->code != EXIT_TEMPORARY)
            visit(w, w->entries[i].key);
        free(w->entries[i].key);
        free(w->entries[i].submitter);
    }
    free(w->entries);
    if (w->code == EXIT_OK && w->shown == 0) {
        cli_complain(w->wish->count || w->wish->has_day ? "no report that was received is like that"
                                                        : "no report has been received");
        return EXIT_FAILED;
    }
    return w->code;
}

/* --- list ------------------------------------------------------------------------------ */

static uint64_t count_sessions(const struct report *r, uint64_t *failures)
{
    uint64_t sessions = 0;

    *failures = 0;
    for (size_t i = 0; i < r->entry_count; i++) {
        sessions += r->entries[i].successes + r->entries[i].failures;
        *failures += r->entries[i].failures;
    }
    return sessions;
}

static json_t *received_json(const char *key, const struct received_report *r)
{
    char begin[CLOCK_TEXT_MAX], received[CLOCK_TEXT_MAX];
    json_t *notes = json_array(), *domains = json_array();
    uint64_t failures, sessions = count_sessions(&r->report, &failures);

    for (size_t i = 0; i < r->notes.count; i++)
        json_array_append_new(notes, json_string(r->notes.at[i]));
    for (size_t i = 0; i < r->report.entry_count; i++)
        json_array_append_new(domains, json_string(r->report.entries[i].policy.domain));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:o, s:o}", "key", key, "from", r->submitter,
                     "report-id", r->report.id, "begin", clock_iso_date(r->report.begin, begin), "received",
                     clock_iso_date(r->received, received), "by", ways[r->way], "signed", r->trust == REPORT_SIGNED, "foreign",
                     r->foreign, "sessions", (json_int_t)sessions, "failed", (json_int_t)failures, "policy-domains", domains,
                     "notes", notes);
}

/* "example.org", "example.org +2": the first policy domain, and how many others there are; the entries of one stand together. */
static const char *about(const struct report *r, char text[500])
{
    const char *first = r->entry_count ? r->entries[0].policy.domain : "";
    size_t others = 0;
    char shown[400];

    for (size_t i = 1; i < r->entry_count; i++)     /* entries of one domain stand together */
        others += strcasecmp(r->entries[i].policy.domain, r->entries[i - 1].policy.domain) != 0;
    report_word(first[0] ? first : "-", shown);
    if (others)
        snprintf(text, 500, "%s +%zu", shown, others);
    else
        snprintf(text, 500, "%s", shown);
    return text;
}

static void list_one(struct walk *w, const char *key, const struct received_report *r)
{
    uint64_t failures, sessions = count_sessions(&r->report, &failures);
    char begin[CLOCK_TEXT_MAX], shown[400], domain[500];
    bool is_signed = r->trust == REPORT_SIGNED;

    if (w->wish->json) {
        json_t *line = received_json(key, r);

        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
        return;
    }
    if (w->shown == 1)
        printf("%s%-10s %-18s %-18s %8s %7s  %s%s\n", style.dim, "day", "from", "about", "sessions", "failed", "came", style.plain);
    printf("%.10s %-18s %-18s %8llu %s%7llu%s  %s %s\n", clock_iso_date(r->report.begin, begin),
           report_word(r->submitter, shown), about(&r->report, domain), (unsigned long long)sessions,
           failures ? style.bold : "", (unsigned long long)failures, failures ? style.plain : "", ways[r->way],
           is_signed ? "signed" : "unsigned");
    if (r->foreign)
        printf("           %snot about us: put aside%s\n", style.dim, style.plain);
    count_add(&w->sessions, sessions);
    count_add(&w->failures, failures);
    w->unsigned_ones += !is_signed;
}

int received_list(struct asking *store, const struct config *c, const struct report_wish *w)
{
    struct walk all = { .store = store, .config = c, .wish = w, .each = list_one };
    int code = walk(&all);

    if (w->json || all.shown == 0)
        return code;
    printf("%zu report%s: %llu session%s, %llu failed", all.shown, all.shown == 1 ? "" : "s", (unsigned long long)all.sessions,
           all.sessions == 1 ? "" : "s", (unsigned long long)all.failures);
    if (all.unsigned_ones)
        printf("; %llu unsigned", (unsigned long long)all.unsigned_ones);
    putchar('\n');
    return code;
}

/* --- show: joined with what we know ------------------------------------------------------ */

enum { SIGHTS_MAX = 200 };

/* What an address did here, of one kind; how often. */
struct sight {
    enum visit_end end;
    enum tls_version version;
    char client[ADDRESS_TEXT_MAX], problem[256];
    uint64_t count;
};

struct joined {
    const struct received_report *report;
    size_t lines;
    struct sight *sights;
    size_t sight_count;
    bool more_sights;
};

static void heading(struct joined *j)
{
    if (j->lines++ == 0)
        printf("  %swhat we know of that time%s\n", style.bold, style.plain);
}

static void say_change(struct joined *j, const char *name, const struct wardrobe_piece *before,
                       const struct wardrobe_piece *after)
{
    char date[CLOCK_TEXT_MAX], end[CLOCK_TEXT_MAX], shown[400];

    heading(j);
    printf("    our certificate for %s changed at %.19sZ", report_word(name, shown), clock_iso_date(after->seen, date));
    if (strcmp(before->key_fingerprint, after->key_fingerprint) != 0)
        printf(", and its key with it");
    if (before->not_after < after->seen)
        printf("; the one before had expired at %.19sZ", clock_iso_date(before->not_after, end));
    putchar('\n');
}

/* What changed within its days, or a day to either side: clocks and time zones differ. */
static void join_certificates(void *arg, const struct note *n)
{
    struct joined *j = arg;
    const struct report *r = &j->report->report;
    struct wardrobe_history h;

    if (!wardrobe_history_decode(n->value, &h))
        return;
    for (size_t i = 0; i < h.count; i++) {
        const struct wardrobe_piece *p = &h.at[i];
        bool last = i + 1 == h.count;
        char date[CLOCK_TEXT_MAX], shown[400];

        if (i > 0 && p->seen >= r->begin - DAYS(1) && p->seen <= r->end + DAYS(1))
            say_change(j, n->key, &h.at[i - 1], p);
        if (p->not_after >= r->begin && p->not_after <= r->end && (last || h.at[i + 1].seen > p->not_after)) {
            heading(j);
            printf("    our certificate for %s expired at %.19sZ while it was in use\n", report_word(n->key, shown),
                   clock_iso_date(p->not_after, date));
        }
    }
}

static bool is_their_address(const struct received_report *r, const struct address *client)
{
    char text[ADDRESS_TEXT_MAX];

    address_ip_text(client, text);
    for (size_t i = 0; i < r->report.entry_count; i++)
        for (size_t k = 0; k < r->report.entries[i].detail_count; k++)
            if (strcmp(r->report.entries[i].details[k].sending_ip, text) == 0)
                return true;
    return false;
}

static bool is_same_sight(const struct sight *a, const struct sight *b)
{
    return a->end == b->end && a->version == b->version && strcmp(a->client, b->client) == 0 &&
           strcmp(a->problem, b->problem) == 0;
}

/* Their failures as they looked from here: what differs only in what is not told is one. */
static void join_visit(void *arg, const struct tally *t)
{
    struct joined *j = arg;
    auto_arena struct arena arena = { 0 };
    struct sight sight = { .count = t->count };
    struct visit v;
    size_t i = 0;

    arena_init(&arena, 16 * 1024);
    if (!visit_decode(t->key, &arena, &v) || !is_their_address(j->report, &v.client))
        return;
    sight.end = v.end;
    sight.version = v.end == VISIT_SENT ? v.version : TLS_VERSION_NONE;
    address_ip_text(&v.client, sight.client);
    snprintf(sight.problem, sizeof sight.problem, "%s", v.end == VISIT_HANDSHAKE_FAILED ? v.problem : "");
    while (i < j->sight_count && !is_same_sight(&j->sights[i], &sight))
        i++;
    if (i < j->sight_count) {
        count_add(&j->sights[i].count, t->count);
    } else if (i == SIGHTS_MAX) {
        j->more_sights = true;
    } else {
        j->sights = memory_grow(j->sights, i + 1, sizeof *j->sights);
        j->sights[j->sight_count++] = sight;
    }
}

static void say_sight(struct joined *j, const struct sight *s)
{
    unsigned long long count = s->count;
    const char *plural = count == 1 ? "" : "s";
    char shown[400];

    heading(j);
    switch (s->end) {
    case VISIT_SENT:
        printf("    %llu message%s came from %s %s%s\n", count, plural, s->client,
               s->version == TLS_VERSION_NONE ? "in clear" : "by ",
               s->version == TLS_VERSION_NONE ? "" : tls_version_name(s->version));
        break;
    case VISIT_HANDSHAKE_FAILED:
        printf("    %llu handshake%s with %s failed here: %s\n", count, plural, s->client, report_word(s->problem, shown));
        break;
    case VISIT_REFUSED_IN_CLEAR:
        printf("    %llu session%s from %s in clear, where TLS is required\n", count, plural, s->client);
        break;
    }
}

static int join(struct walk *w, const struct received_report *r)
{
    struct joined j = { .report = r };
    auto_buf struct buf prefix = { 0 };
    struct error why = { 0 };
    bool good;

    buf_init(&prefix, 16);
    buf_u8(&prefix, TALLY_CLIENT);
    good = asking_notes(w->store, NOTE_CERTIFICATE, join_certificates, &j, &why) &&
           asking_tallies_of(w->store, (uint32_t)(r->report.begin / DAYS(1)), buf_slice(&prefix), join_visit, &j, &why);
    for (size_t i = 0; good && i < j.sight_count; i++)
        say_sight(&j, &j.sights[i]);
    if (j.more_sights)
        puts("    and more");
    free(j.sights);
    return good ? EXIT_OK : report_unanswered(&why);
}

static void show_one(struct walk *w, const char *key, const struct received_report *r)
{
    char received[CLOCK_TEXT_MAX], shown[400];

    if (w->wish->json) {
        w->code = report_print_json(&r->report);
        return;
    }
    if (w->shown > 1)
        putchar('\n');
    report_print(&r->report);
    printf("  %scame at %.19sZ by %s%s%s%s%s\n", style.dim, clock_iso_date(r->received, received), ways[r->way],
           r->peer[0] ? " from " : "", report_word(r->peer, shown),
           r->trust == REPORT_SIGNED ? ", signed" : ", not signed by anybody", style.plain);
    if (r->foreign)
        printf("  its policy domain is none of ours: it is put aside, and no event is raised\n");
    for (size_t i = 0; i < r->notes.count; i++)
        printf("  %snote: %s%s\n", style.dim, report_word(r->notes.at[i], shown), style.plain);
    w->code = join(w, r);
    (void)key;
}

int received_show(struct asking *store, const struct config *c, const struct report_wish *w)
{
    struct walk all = { .store = store, .config = c, .wish = w, .each = show_one };

    return walk(&all);
}

/* --- export ---------------------------------------------------------------------------------- */

static void export_one(struct walk *w, const char *key, const struct received_report *r)
{
    auto_buf struct buf text = { 0 };
    char name[REPORT_FILE_NAME_MAX];
    struct error why = { 0 };

    (void)key;
    buf_init(&text, REPORT_JSON_MAX);
    if (!report_write(&r->report, &text, &why))
        w->code = report_unanswered(&why);
    else if (!w->wish->to)
        printf("%.*s\n", SLICE_ARGS(buf_slice(&text)));
    else
        w->code = report_write_file(w->wish->to, report_file_name(&r->report, r->report.entry_count
                                        ? r->report.entries[0].policy.domain : "unknown", false, name), buf_slice(&text));
}

int received_export(struct asking *store, const struct config *c, const struct report_wish *w)
{
    struct walk all = { .store = store, .config = c, .wish = w, .each = export_one };

    return walk(&all);
}

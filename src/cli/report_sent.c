/* postern report: those that we make of what was counted. */
#include "cli/report.h"

#include "base/memory.h"
#include "cli/style.h"
#include "serve/report_maker.h"
#include "tlsrpt/mail.h"

#include <jansson.h>
#include <stdio.h>

/* --- what the store has ------------------------------------------------------ */

static bool get_tallies(void *self, uint32_t day, struct slice prefix, void (*each)(void *arg, const struct tally *t),
                        void *arg, struct error *why)
{
    return asking_tallies_of(self, day, prefix, each, arg, why);
}

static bool get_policy(void *self, const char *key, struct arena *arena, struct slice *value, struct error *why)
{
    struct note n;

    *value = slice("", 0);
    if (asking_note(self, NOTE_POLICY, key, arena, &n, why))
        *value = n.value;
    else if (why->code != E_NOT_FOUND)
        return false;
    return true;
}

static bool make(struct asking *store, const struct config *c, const char *domain, uint32_t day, struct made_report *out,
                 struct error *why)
{
    const struct report_source source = { get_tallies, get_policy, store };

    return report_make(&source, c, domain, day, out, why);
}

/* --- the domains of a day ------------------------------------------------------- */

struct domain {
    char *name;
    uint64_t sessions, failures;
    struct domain *next;
};

struct domains {
    struct domain *first, **last;
};

static const struct domain *domain_named(const struct domains *all, const char *name)
{
    const struct domain *d = all->first;

    while (d && strcmp(d->name, name) != 0)
        d = d->next;
    return d;
}

/* Tallies come by domain. */
static void note_tally(void *arg, const struct tally *t)
{
    struct domains *all = arg;
    struct domain *d = all->last == &all->first ? NULL : (struct domain *)((char *)all->last - offsetof(struct domain, next));
    auto_arena struct arena scratch = { 0 };
    struct report_tally one;

    arena_init(&scratch, 8 * 1024);
    if (!report_tally_decode(t->key, &scratch, &one))
        return;
    if (!d || strcmp(d->name, one.domain) != 0) {
        d = NEW(struct domain);
        d->name = memory_text(slice_of(one.domain));
        *all->last = d;
        all->last = &d->next;
    }
    d->sessions += t->count;
    d->failures += one.result_type[0] ? t->count : 0;
}

static bool find_domains(struct asking *store, uint32_t day, struct domains *out, struct error *why)
{
    auto_buf struct buf prefix = { 0 };

    *out = (struct domains){ .last = &out->first };
    buf_init(&prefix, TALLY_KEY_MAX);
    report_tally_prefix(NULL, &prefix);
    return asking_tallies_of(store, day, buf_slice(&prefix), note_tally, out, why);
}

static void domains_free(struct domains *all)
{
    while (all->first) {
        struct domain *d = all->first;

        all->first = d->next;
        free(d->name);
        free(d);
    }
}

/* False: nothing is known of it. */
static bool state_of(struct asking *store, uint32_t day, const char *domain, struct arena *arena, struct report_state *s)
{
    char key[REPORT_KEY_MAX];
    struct note n;

    *s = (struct report_state){ .problem = "" };
    return asking_note(store, NOTE_REPORT, report_state_key(day, domain, key), arena, &n, NULL) &&
           report_state_decode(n.value, arena, s);
}

static int nothing_counted(const struct report_wish *w, const char *domain)
{
    char day[DAY_TEXT_MAX];

    cli_complain("nothing was counted on %s%s%s", day_text(w->day, day), domain ? " for " : "", domain ? domain : "");
    return EXIT_FAILED;
}

/* --- list ----------------------------------------------------------------------- */

/* Where its state is known, that; else why there is none. */
static const char *stage_words(const struct report_wish *w, const struct report_state *s, bool known, const char *not_over)
{
    return known ? report_stage_name(s->stage) : w->day >= w->today ? not_over : "unplanned";
}

static json_t *state_json(const struct domain *d, const struct report_state *s, const char *stage, const char *day)
{
    json_t *to = json_array();

    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(to, json_pack("{s:s, s:b, s:s}", "address", s->to[i].to, "done", s->to[i].done, "said",
                                            s->to[i].words));
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:i, s:s, s:o}", "day", day, "domain", d->name, "counted",
                     (json_int_t)d->sessions, "failed", (json_int_t)d->failures, "stage", stage, "tries", (int)s->tries,
                     "problem", s->problem, "to", to);
}

static void list_one(struct asking *store, const struct domain *d, const struct report_wish *w)
{
    auto_arena struct arena arena = { 0 };
    struct report_state s;
    char day[DAY_TEXT_MAX], shown[400], said[400];
    bool known;

    arena_init(&arena, 4 * NOTE_VALUE_MAX);
    known = state_of(store, w->day, d->name, &arena, &s);
    day_text(w->day, day);
    if (w->json) {
        json_t *line = state_json(d, &s, stage_words(w, &s, known, "day-not-over"), day);

        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
        return;
    }
    printf("%-34s %8llu %8llu  %s%s%s\n", report_word(d->name, shown), (unsigned long long)d->sessions,
           (unsigned long long)d->failures, style.bold, stage_words(w, &s, known, "day not over"), style.plain);
    for (size_t i = 0; i < s.count; i++)
        printf("  %s%s: %s%s\n", style.dim, report_word(s.to[i].to, shown), report_word(s.to[i].words, said), style.plain);
    if (s.problem[0])
        printf("  %s%s%s\n", style.dim, report_word(s.problem, said), style.plain);
}

/* Who asks about yesterday in the morning of the first day may want to know of today. */
static void hint_at_today(struct asking *store, const struct report_wish *w)
{
    struct domains all;
    struct error why = { 0 };
    char day[DAY_TEXT_MAX];
    size_t count = 0;

    if (w->day == w->today || !find_domains(store, w->today, &all, &why))
        return;
    day_text(w->today, day);
    for (const struct domain *d = all.first; d; d = d->next)
        count++;
    if (w->count == 1 && domain_named(&all, w->names[0]))
        fprintf(stderr, "(%s, which is not over, has it: --day %s)\n", day, day);
    else if (w->count == 0 && count)
        fprintf(stderr, "(%s, which is not over, has %zu domain%s: --day %s)\n", day, count, count == 1 ? "" : "s", day);
    domains_free(&all);
}

static void print_head(const struct report_wish *w)
{
    char day[DAY_TEXT_MAX];

    printf("%s%-34s %8s %8s  report of %s%s\n", style.dim, "", "sessions", "failed", day_text(w->day, day), style.plain);
}

int report_list(struct asking *store, const struct config *c, const struct report_wish *w)
{
    const char *name = w->count == 1 ? w->names[0] : NULL;
    struct domains all;
    struct error why = { 0 };
    bool good = find_domains(store, w->day, &all, &why);
    size_t shown = 0;

    (void)c;
    for (const struct domain *d = good ? all.first : NULL; d; d = d->next) {
        if (name && strcmp(d->name, name) != 0)
            continue;
        if (shown++ == 0 && !w->json)
            print_head(w);
        list_one(store, d, w);
    }
    domains_free(&all);
    if (!good)
        return report_unanswered(&why);
    if (shown > 0)
        return EXIT_OK;
    nothing_counted(w, name);
    hint_at_today(store, w);
    return EXIT_FAILED;
}

/* --- show --------------------------------------------------------------------------- */

int report_show(struct asking *store, const struct config *c, const struct report_wish *w)
{
    int code = EXIT_OK;

    for (int i = 0; i < w->count && code != EXIT_TEMPORARY; i++) {
        struct made_report made = { 0 };
        struct error why = { 0 };
        char day[DAY_TEXT_MAX];

        if (!make(store, c, w->names[i], w->day, &made, &why)) {
            cli_complain("%s of %s: %s", w->names[i], day_text(w->day, day), why.text);
            code = why.code == E_NOT_FOUND ? EXIT_FAILED : EXIT_TEMPORARY;
            continue;
        }
        if (w->json)
            code = report_print_json(&made.report);
        else
            report_print(&made.report);
        report_unmake(&made);
    }
    return code;
}

/* --- send ----------------------------------------------------------------------------- */

/* What would go out, as it would: nothing is asked of the DNS, and nothing is sent. */
static int send_dry(struct asking *store, const struct config *c, const struct report_wish *w, const char *domain)
{
    struct made_report made = { 0 };
    struct error why = { 0 };
    char name[REPORT_FILE_NAME_MAX], day[DAY_TEXT_MAX];
    int code;

    if (!make(store, c, domain, w->day, &made, &why)) {
        cli_complain("%s of %s: %s", domain, day_text(w->day, day), why.text);
        return why.code == E_NOT_FOUND ? EXIT_FAILED : EXIT_TEMPORARY;
    }
    fprintf(stderr, "would be sent to the addresses at _smtp._tls.%s as %s\n", domain,
            report_file_name(&made.report, domain, true, name));
    code = report_print_json(&made.report);
    report_unmake(&made);
    return code;
}

/* The report process works on what is due. What was sent before is sent once more, under the same id. */
static int send_now(struct asking *store, const struct report_wish *w, const char *domain)
{
    auto_buf struct buf value = { 0 };
    const struct report_state again = { .problem = "" };
    char key[REPORT_KEY_MAX];
    struct note n = { .kind = NOTE_REPORT, .key = report_state_key(w->day, domain, key), .due = clock_wall() };
    struct error why = { 0 };

    buf_init(&value, NOTE_VALUE_MAX);
    report_state_encode(&again, &value);
    n.value = buf_slice(&value);
    if (!asking_put_note(store, &n, &why))
        return report_unanswered(&why);
    printf("%s: due now\n", key);
    return EXIT_OK;
}

static int send_one(struct asking *store, const struct config *c, const struct report_wish *w, const char *domain)
{
    return w->dry_run ? send_dry(store, c, w, domain) : send_now(store, w, domain);
}

static int send_named(struct asking *store, const struct config *c, const struct report_wish *w, const struct domains *all)
{
    int code = EXIT_OK;

    for (int i = 0; i < w->count && code != EXIT_TEMPORARY; i++) {
        int one = domain_named(all, w->names[i]) ? send_one(store, c, w, w->names[i]) : nothing_counted(w, w->names[i]);

        code = one != EXIT_OK ? one : code;
    }
    return code;
}

static int send_all(struct asking *store, const struct config *c, const struct report_wish *w, const struct domains *all)
{
    int code = all->first ? EXIT_OK : nothing_counted(w, NULL);

    for (const struct domain *d = all->first; d && code == EXIT_OK; d = d->next)
        code = send_one(store, c, w, d->name);
    return code;
}

/* What is counted later would be missing from it for good (TLSRPT-031: a report is of a whole day). */
static int refuse_day(const struct report_wish *w)
{
    char day[DAY_TEXT_MAX];

    day_text(w->day, day);
    if (w->day > w->today)
        return cli_usage("report", "%s has not begun (UTC): there is nothing to report", day);
    return cli_usage("report", "%s is not over (UTC): its report goes out by itself after midnight; "
                     "`postern report show --day %s DOMAIN` tells what is counted so far", day, day);
}

int report_send(struct asking *store, const struct config *c, const struct report_wish *w)
{
    struct domains all = { 0 };
    struct error why = { 0 };
    char day[DAY_TEXT_MAX];
    int code;

    if (!c->report.enabled && !w->dry_run) {
        cli_complain("reports are not sent: the configuration has no tls-report { contact = ... }");
        return EXIT_FAILED;
    }
    if (!w->dry_run && w->day >= w->today)
        return refuse_day(w);
    if (!find_domains(store, w->day, &all, &why))
        code = report_unanswered(&why);
    else
        code = w->all ? send_all(store, c, w, &all) : send_named(store, c, w, &all);
    domains_free(&all);
    if (code == EXIT_OK && !w->dry_run)
        printf("what becomes of it: postern report list --day %s\n", day_text(w->day, day));
    return code;
}

/* --- export ------------------------------------------------------------------------------ */

static int export_one(struct asking *store, const struct config *c, const struct report_wish *w, const char *domain)
{
    auto_buf struct buf text = { 0 };
    char name[REPORT_FILE_NAME_MAX];
    struct made_report made = { 0 };
    struct error why = { 0 };
    int code = EXIT_OK;

    if (!make(store, c, domain, w->day, &made, &why))
        return why.code == E_NOT_FOUND ? EXIT_OK : report_unanswered(&why);
    buf_init(&text, REPORT_JSON_MAX);
    if (!report_write(&made.report, &text, &why))
        code = report_unanswered(&why);
    else if (!w->to)
        printf("%.*s\n", SLICE_ARGS(buf_slice(&text)));
    else
        code = report_write_file(w->to, report_file_name(&made.report, domain, false, name), buf_slice(&text));
    report_unmake(&made);
    return code;
}

int report_export(struct asking *store, const struct config *c, const struct report_wish *w)
{
    struct domains all;
    struct error why = { 0 };
    int code = EXIT_OK;

    if (!find_domains(store, w->day, &all, &why))
        code = report_unanswered(&why);
    for (const struct domain *d = all.first; d && code == EXIT_OK; d = d->next) {
        bool wanted = w->count == 0;

        for (int i = 0; i < w->count; i++)
            wanted |= strcmp(w->names[i], d->name) == 0;
        if (wanted)
            code = export_one(store, c, w, d->name);
    }
    domains_free(&all);
    return code;
}

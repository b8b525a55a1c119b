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

/* --- list ----------------------------------------------------------------------- */

static json_t *state_json(const struct domain *d, const struct report_state *s, bool known, const char *day)
{
    json_t *to = json_array();

    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(to, json_pack("{s:s, s:b, s:s}", "address", s->to[i].to, "done", s->to[i].done, "said",
                                            s->to[i].words));
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:i, s:s, s:o}", "day", day, "domain", d->name, "counted",
                     (json_int_t)d->sessions, "failed", (json_int_t)d->failures, "stage",
                     known ? report_stage_name(s->stage) : "unplanned", "tries", (int)s->tries, "problem", s->problem, "to", to);
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
        json_t *line = state_json(d, &s, known, day);

        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
        return;
    }
    printf("%-34s %8llu %8llu  %s%s%s\n", report_word(d->name, shown), (unsigned long long)d->sessions,
           (unsigned long long)d->failures, style.bold, known ? report_stage_name(s.stage) : "unplanned", style.plain);
    for (size_t i = 0; i < s.count; i++)
        printf("  %s%s: %s%s\n", style.dim, report_word(s.to[i].to, shown), report_word(s.to[i].words, said), style.plain);
    if (s.problem[0])
        printf("  %s%s%s\n", style.dim, report_word(s.problem, said), style.plain);
}

int report_list(struct asking *store, const struct config *c, const struct report_wish *w)
{
    struct domains all;
    struct error why = { 0 };
    char day[DAY_TEXT_MAX];
    bool good = find_domains(store, w->day, &all, &why);
    size_t shown = 0;

    (void)c;
    if (good && !w->json)
        printf("%s%-34s %8s %8s  report of %s%s\n", style.dim, "", "sessions", "failed", day_text(w->day, day), style.plain);
    for (const struct domain *d = good ? all.first : NULL; d; d = d->next) {
        if (w->count == 1 && strcasecmp(d->name, w->names[0]) != 0)
            continue;
        list_one(store, d, w);
        shown++;
    }
    domains_free(&all);
    if (!good)
        return report_unanswered(&why);
    if (shown == 0)
        cli_complain("nothing was counted on %s%s%s", day_text(w->day, day), w->count ? " for " : "",
                     w->count ? w->names[0] : "");
    return shown > 0 ? EXIT_OK : EXIT_FAILED;
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

int report_send(struct asking *store, const struct config *c, const struct report_wish *w)
{
    struct domains all = { 0 };
    struct error why = { 0 };
    int code = EXIT_OK;

    if (!c->report.enabled && !w->dry_run) {
        cli_complain("reports are not sent: the configuration has no tls-report { contact = ... }");
        return EXIT_FAILED;
    }
    if (!w->all) {
        for (int i = 0; i < w->count && code == EXIT_OK; i++)
            code = w->dry_run ? send_dry(store, c, w, w->names[i]) : send_now(store, w, w->names[i]);
        return code;
    }
    if (!find_domains(store, w->day, &all, &why))
        code = report_unanswered(&why);
    for (const struct domain *d = all.first; d && code == EXIT_OK; d = d->next)
        code = w->dry_run ? send_dry(store, c, w, d->name) : send_now(store, w, d->name);
    domains_free(&all);
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
            wanted |= strcasecmp(w->names[i], d->name) == 0;
        if (wanted)
            code = export_one(store, c, w, d->name);
    }
    domains_free(&all);
    return code;
}

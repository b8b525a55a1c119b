/* postern explain --what-if: a rule, tried on what was delivered in the last days; see cli/explain.h. */
#include "cli/explain.h"

#include "base/memory.h"
#include "fact/digest.h"
#include "serve/asking.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum { MS_PER_DAY = 24 * 60 * 60 * 1000 };

struct victim {
    char *next_hop;
    uint64_t held, passed;
    struct error why;               /* of the first message that would have been held */
    struct victim *next;
};

enum { BUCKETS = 4096 };

struct trial {
    const struct config *config;
    const struct what_if *asked;
    struct victim *buckets[BUCKETS];
    uint64_t messages, held;
    size_t next_hops, held_next_hops;
};

static struct victim *find_victim(struct trial *t, const char *next_hop)
{
    struct victim **bucket = &t->buckets[slice_hash(slice_of(next_hop)) % BUCKETS], *v;

    for (v = *bucket; v; v = v->next)
        if (strcmp(v->next_hop, next_hop) == 0)
            return v;
    v = NEW(struct victim);
    v->next_hop = memory_text(slice_of(next_hop));
    v->next = *bucket;
    *bucket = v;
    t->next_hops++;
    return v;
}

/* The rule that is tried stands in the place of the one that was in force, but for what only that one knows. */
static void take_tally(void *arg, const struct tally *tally)
{
    struct trial *t = arg;
    auto_arena struct arena arena = { 0 };
    struct fact_digest f;
    struct victim *v;
    struct error why = { 0 };

    arena_init(&arena, 4096);
    if (!fact_digest_decode(tally->key, &arena, &f) || f.how != E_NONE)
        return;
    if (t->asked->domain && strcasecmp(t->asked->domain, f.next_hop) != 0)
        return;
    t->messages += tally->count;
    v = find_victim(t, f.next_hop);
    if (fact_digest_would_pass(&f, &t->asked->rule, &t->config->decide, &why)) {
        v->passed += tally->count;
        return;
    }
    t->held_next_hops += v->held == 0;
    t->held += tally->count;
    v->held += tally->count;
    if (v->why.code == E_NONE) {
        v->why = why;
        blame(&v->why, "%s", f.host);
    }
}

/* Those that would lose most come first. */
static int compare(const void *one, const void *other)
{
    const struct victim *a = *(struct victim *const *)one, *b = *(struct victim *const *)other;

    if (a->held != b->held)
        return a->held > b->held ? -1 : 1;
    return strcmp(a->next_hop, b->next_hop);
}

static struct victim **sorted(const struct trial *t)
{
    struct victim **list = memory_array(t->held_next_hops + 1, sizeof(struct victim *));
    size_t count = 0;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct victim *v = t->buckets[i]; v; v = v->next)
            if (v->held)
                list[count++] = v;
    qsort(list, count, sizeof *list, compare);
    return list;
}

static void print(const struct trial *t, struct victim **list)
{
    const struct what_if *w = t->asked;

    if (t->messages == 0) {
        printf("Nothing was delivered in the last %u days%s%s, so there is nothing to try %s on.\n", w->days,
               w->domain ? " to " : "", w->domain ? w->domain : "", w->said);
        return;
    }
    printf("With %s, of %" PRIu64 " messages to %zu destinations in the last %u days, %" PRIu64 " to %zu would have been held.\n",
           w->said, t->messages, t->next_hops, w->days, t->held, t->held_next_hops);
    for (size_t i = 0; i < t->held_next_hops; i++)
        printf("%8" PRIu64 "  %-30s %s%s\n", list[i]->held, list[i]->next_hop, list[i]->why.text,
               list[i]->passed ? " (others went through)" : "");
}

static void print_json(const struct trial *t, struct victim **list)
{
    json_t *o = json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:[]}", "what-if", t->asked->said, "days", (int)t->asked->days,
                          "messages", (json_int_t)t->messages, "destinations", (json_int_t)t->next_hops, "held-messages",
                          (json_int_t)t->held, "held-destinations", (json_int_t)t->held_next_hops, "held");

    for (size_t i = 0; i < t->held_next_hops; i++)
        json_array_append_new(json_object_get(o, "held"),
                              json_pack("{s:s, s:I, s:I, s:s, s:s}", "destination", list[i]->next_hop, "messages",
                                        (json_int_t)list[i]->held, "others", (json_int_t)list[i]->passed, "code",
                                        error_name(list[i]->why.code), "why", list[i]->why.text));
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

static void forget(struct trial *t)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (t->buckets[i]) {
            struct victim *v = t->buckets[i];

            t->buckets[i] = v->next;
            free(v->next_hop);
            free(v);
        }
    }
    free(t);
}

int explain_what_if(const struct config *c, const struct what_if *w)
{
    struct trial *t = NEW(struct trial);
    uint32_t today = (uint32_t)(clock_wall() / MS_PER_DAY);
    auto_free struct victim **list = NULL;
    struct error why = { 0 };
    struct asking *store = asking_open(c, ASK_RUNNING_OR_DISK, &why);
    bool read;

    t->config = c;
    t->asked = w;
    read = store && asking_tallies(store, today - (w->days - 1), take_tally, t, &why);
    asking_close(store);
    if (read) {
        list = sorted(t);
        if (w->json)
            print_json(t, list);
        else
            print(t, list);
    } else {
        cli_complain("%s", why.text);
    }
    forget(t);
    return read ? EXIT_OK : EXIT_TEMPORARY;
}

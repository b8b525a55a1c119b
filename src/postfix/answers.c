#include "postfix/answers.h"

#include "base/memory.h"

struct kept {
    struct answer answer;
    struct kept *next;              /* in its bucket */
    struct kept *sibling, **where;  /* in the bucket of its domain */
    struct kept *older, *newer;
    uint64_t hash;
    size_t question_len, domain_len;
    size_t size;                    /* of all this */
    char bytes[];                   /* the question, the domain, then the replies */
};

struct answers {
    struct kept **buckets;          /* by question */
    struct kept **domains;
    size_t bucket_count;            /* of each; a power of two */
    size_t count, most;
    size_t bytes, most_bytes;
    uint64_t seed;
    struct kept *oldest, *newest;
};

struct answers *answers_new(size_t most, size_t most_bytes, uint64_t seed)
{
    struct answers *a = NEW(struct answers);

    a->most = most > 0 ? most : 1;
    a->most_bytes = most_bytes;
    a->seed = seed;
    a->bucket_count = 64;
    while (a->bucket_count < a->most)
        a->bucket_count *= 2;
    a->buckets = memory_array(a->bucket_count, sizeof *a->buckets);
    a->domains = memory_array(a->bucket_count, sizeof *a->domains);
    return a;
}

/* Whoever writes to us chooses names that Postfix asks for: without the seed he could choose those of one bucket. */
static uint64_t hash_of(const struct answers *a, struct slice question)
{
    uint64_t h = a->seed ^ question.len;

    while (question.len > 0) {
        uint64_t word = 0;
        size_t n = question.len < sizeof word ? question.len : sizeof word;

        memcpy(&word, question.at, n);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
        h = (h + a->seed) * 0xbf58476d1ce4e5b9u;
        h ^= h >> 32;
        question = slice_after(question, n);
    }
    return h;
}

static struct kept **place_of(struct answers *a, struct slice question, uint64_t hash)
{
    struct kept **at = &a->buckets[hash & (a->bucket_count - 1)];

    while (*at && ((*at)->hash != hash || !slice_equal(slice((*at)->bytes, (*at)->question_len), question)))
        at = &(*at)->next;
    return at;
}

static struct slice domain_of(const struct kept *k)
{
    return slice(k->bytes + k->question_len, k->domain_len);
}

static struct kept **siblings_of(struct answers *a, struct slice domain)
{
    return &a->domains[hash_of(a, domain) & (a->bucket_count - 1)];
}

static void link_domain(struct answers *a, struct kept *k)
{
    k->where = siblings_of(a, domain_of(k));
    k->sibling = *k->where;
    if (k->sibling)
        k->sibling->where = &k->sibling;
    *k->where = k;
}

static void unlink_domain(struct kept *k)
{
    *k->where = k->sibling;
    if (k->sibling)
        k->sibling->where = k->where;
}

static void unlink_age(struct answers *a, struct kept *k)
{
    *(k->older ? &k->older->newer : &a->oldest) = k->newer;
    *(k->newer ? &k->newer->older : &a->newest) = k->older;
}

static void drop(struct answers *a, struct kept **at)
{
    struct kept *k = *at;

    *at = k->next;
    unlink_domain(k);
    unlink_age(a, k);
    a->count--;
    a->bytes -= k->size;
    free(k);
}

struct answer *answers_find(struct answers *a, struct slice question, time_ms now)
{
    struct kept *k = *place_of(a, question, hash_of(a, question));

    return k && now < k->answer.expires ? &k->answer : NULL;
}

static struct kept *make(struct slice question, struct slice domain, const struct answer *answer)
{
    size_t size = sizeof(struct kept) + question.len + domain.len;
    struct kept *k;
    char *at;

    for (int i = 0; i < ANSWER_FORMS; i++)
        size += answer->replies[i].len;
    k = memory_new(size);
    k->answer = *answer;
    k->size = size;
    k->question_len = question.len;
    k->domain_len = domain.len;
    memcpy(k->bytes, question.at, question.len);
    memcpy(k->bytes + question.len, domain.at, domain.len);
    at = k->bytes + question.len + domain.len;
    for (int i = 0; i < ANSWER_FORMS; i++) {
        if (answer->replies[i].len > 0)
            memcpy(at, answer->replies[i].at, answer->replies[i].len);
        k->answer.replies[i].at = at;
        at += answer->replies[i].len;
    }
    return k;
}

static void drop_kept(struct answers *a, const struct kept *k)
{
    drop(a, place_of(a, slice(k->bytes, k->question_len), k->hash));
}

void answers_put(struct answers *a, struct slice question, struct slice domain, const struct answer *answer)
{
    struct kept *k = make(question, domain, answer), **at;

    k->hash = hash_of(a, question);
    at = place_of(a, question, k->hash);
    if (*at)
        drop(a, at);
    while (a->oldest && (a->count >= a->most || a->bytes + k->size > a->most_bytes))
        drop_kept(a, a->oldest);
    if (k->size > a->most_bytes) {
        free(k);
        return;
    }
    at = &a->buckets[k->hash & (a->bucket_count - 1)];
    k->next = *at;
    *at = k;
    link_domain(a, k);
    k->older = a->newest;
    *(k->older ? &k->older->newer : &a->oldest) = k;
    a->newest = k;
    a->count++;
    a->bytes += k->size;
}

void answers_forget(struct answers *a, struct slice domain)
{
    for (struct kept *k = *siblings_of(a, domain), *next; k; k = next) {
        next = k->sibling;
        if (slice_equal(domain_of(k), domain))
            drop_kept(a, k);
    }
}

void answers_forget_all(struct answers *a)
{
    while (a->oldest)
        drop_kept(a, a->oldest);
}

size_t answers_count(const struct answers *a)
{
    return a->count;
}

void answers_free(struct answers *a)
{
    if (!a)
        return;
    answers_forget_all(a);
    free(a->buckets);
    free(a->domains);
    free(a);
}

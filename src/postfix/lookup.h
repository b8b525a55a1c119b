/* postfix/lookup.h - questions that are being looked up: each once, on a fiber of its own, whoever waits for it. */
#ifndef POSTFIX_LOOKUP_H
#define POSTFIX_LOOKUP_H

#include "postfix/answers.h"
#include "postfix/map_server.h"

enum {
    LOOKUP_AHEAD_MS = 30000,        /* so long before it expires, at most, an answer is looked up anew; */
    LOOKUP_AGAIN_MS = 15000,        /* so long after that came to nothing, again */
    LOOKUP_UNCLEAR_MS = 5000,       /* a key that is not understood need not be logged more often */
};

struct lookup;
struct lookups;

/* A connection that waits. In its owner's memory. */
struct lookup_waiter {
    void *owner;
    struct lookup *lookup;          /* NULL: does not wait */
    struct lookup_waiter *next, **where;
};

static inline bool lookup_is_awaited(const struct lookup_waiter *w)
{
    return w->lookup != NULL;
}

struct lookup_house {
    /* Once for each lookup that came to its end, before those who wait are told. */
    void (*found)(void *self, struct slice question, const struct map_key *key, const struct verdict *v, time_ms keep,
                  const struct slice replies[ANSWER_FORMS]);
    void (*answer)(void *owner, const struct slice replies[ANSWER_FORMS]);      /* it waits no longer */
    void (*idle)(void *self);       /* nothing is under way, after lookups_stop */
};

/* `most` at once; `reported`: as in struct map_settings. */
struct lookups *lookups_new(size_t most, bool reported, const struct map_finder *finder, const struct lookup_house *house,
                            void *self);
void lookups_free(struct lookups *all);     /* nothing may be under way; NULL is fine */

/* Never answers before the next turn of the loop. */
void lookup_join(struct lookups *all, struct slice question, const struct map_key *key, struct lookup_waiter *w);
void lookup_leave(struct lookup_waiter *w);         /* one that does not wait is fine */

/* What is being found of it, NULL: of any domain, is out of date: it is found anew before anybody is told. */
void lookups_forget(struct lookups *all, const char *domain);

/* For nobody in particular; only while there is room. */
void lookup_begin(struct lookups *all, struct slice question, const struct map_key *key);

/* Those for which nobody waits are cancelled; in a hurry all are, and those who wait are told to come again. */
void lookups_stop(struct lookups *all, bool hurry);
bool lookups_are_busy(const struct lookups *all);

#endif

/* postfix/answers.h - replies that are kept, as they go out, by what was asked. Pure.
 *
 * A question is the key as Postfix sent it, in lower case; several may be about
 * one domain ("example.org", "example.org:25"). Their number is bounded, and the
 * bytes of all; those whose answers are oldest give way. */
#ifndef POSTFIX_ANSWERS_H
#define POSTFIX_ANSWERS_H

#include "base/clock.h"
#include "base/slice.h"

enum answer_form { ANSWER_SOCKETMAP, ANSWER_REPORTED, ANSWER_TCP_TABLE, ANSWER_FORMS };

struct answer {
    struct slice replies[ANSWER_FORMS];     /* valid until the next change */
    time_ms expires;                        /* clock_now time; from then on it is not given */
    time_ms refresh;                        /* from then on whoever asks has it looked up anew */
};

struct answers;
struct answers *answers_new(size_t most, size_t most_bytes, uint64_t seed);
void answers_free(struct answers *a);       /* NULL is fine */

/* NULL: never asked, forgotten, or expired by `now`. The caller may move `refresh`. */
struct answer *answers_find(struct answers *a, struct slice question, time_ms now);

/* Copies. Takes the place of what was there. What is larger than all may be is not kept. */
void answers_put(struct answers *a, struct slice question, struct slice domain, const struct answer *answer);

void answers_forget(struct answers *a, struct slice domain);     /* all that is about it */
void answers_forget_all(struct answers *a);
size_t answers_count(const struct answers *a);

#endif

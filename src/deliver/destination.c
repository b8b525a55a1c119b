#include "deliver/destination.h"

#include "base/memory.h"

enum { FIRST_LIMIT = 5 };

struct destination *destination_new(const char *key, unsigned limit)
{
    struct destination *d = NEW(struct destination);

    d->key = memory_text(slice_of(key));
    d->local = slice_starts(slice_of(key), SLICE("maildir ")) || key[0] == '(';
    d->last = &d->first;
    d->limit = limit < FIRST_LIMIT ? limit : FIRST_LIMIT;
    return d;
}

void destination_free(struct destination *d)
{
    if (!d)
        return;
    free(d->key);
    free(d);
}

void destination_add(struct destination *d, struct delivery *delivery)
{
    delivery->next = NULL;
    *d->last = delivery;
    d->last = &delivery->next;
    d->waiting++;
}

struct delivery *destination_next(struct destination *d)
{
    struct delivery *first = d->first;

    if (!first)
        return NULL;
    d->first = first->next;
    if (!d->first)
        d->last = &d->first;
    d->waiting--;
    return first;
}

void destination_succeeded(struct destination *d, unsigned most)
{
    d->rests_until = 0;
    if (++d->successes >= d->limit && d->limit < most) {
        d->limit++;
        d->successes = 0;
    }
}

void destination_failed(struct destination *d)
{
    d->limit = d->limit > 1 ? d->limit / 2 : 1;
    d->successes = 0;
}

void destination_rest(struct destination *d, time_ms until, const struct error *why)
{
    d->rests_until = until;
    d->rest_why = *why;
}

bool destination_rests(const struct destination *d, time_ms now)
{
    return now < d->rests_until;
}

bool destination_wants_courier(const struct destination *d)
{
    return d->waiting > d->idle && d->couriers < d->limit;
}

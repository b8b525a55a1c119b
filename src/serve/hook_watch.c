#include "serve/hook_watch.h"

#include <stdio.h>

/* "5 h 12 min", "3 days" */
static const char *span_text(time_ms span, char text[40])
{
    enum { TEXT_SIZE = 40 };

    if (span >= DAYS(2))
        snprintf(text, TEXT_SIZE, "%lld days", (long long)(span / DAYS(1)));
    else if (span >= HOURS(1))
        snprintf(text, TEXT_SIZE, "%lld h %lld min", (long long)(span / HOURS(1)), (long long)(span % HOURS(1) / MINUTES(1)));
    else
        snprintf(text, TEXT_SIZE, "%lld min", (long long)(span / MINUTES(1)));
    return text;
}

bool hook_watch_queue(const struct config *c, const struct queue_figures *f, time_ms now, char *what, struct event *out)
{
    char span[40];

    if (f->oldest_arrival == 0 || now - f->oldest_arrival <= c->alarm.queue_age)
        return false;
    snprintf(what, EVENT_WHAT_MAX + 1, "the oldest message in the queue has waited for %s (%llu %s there): postern queue list shows why",
             span_text(now - f->oldest_arrival, span), (unsigned long long)f->messages, f->messages == 1 ? "is" : "are");
    *out = (struct event){ .kind = EVENT_QUEUE_AGE, .subject = c->hostname, .what = what };
    return true;
}

bool hook_watch_certificate(const struct config *c, const struct wardrobe_item *item, time_ms now, char *what,
                            struct event *out)
{
    time_ms left = item->own.not_after - now;
    char date[CLOCK_TEXT_MAX], span[40];

    if (left > c->alarm.certificate)
        return false;
    clock_iso_date(item->own.not_after, date);
    if (left > 0)
        snprintf(what, EVENT_WHAT_MAX + 1, "the certificate of %.200s expires in %s, on %.10s: renew %.200s", item->name,
                 span_text(left, span), date, item->file);
    else
        snprintf(what, EVENT_WHAT_MAX + 1, "the certificate of %.200s has expired on %.10s: renew %.200s", item->name, date,
                 item->file);
    *out = (struct event){ .kind = EVENT_CERTIFICATE, .subject = item->name, .what = what,
                           .reason = left > 0 ? "" : error_name(E_CERT_EXPIRED) };
    return true;
}

/* One more of the same, unless the last was only `pause` ago, or no hook wants to hear of it. */
static void ring(const struct hook_watch *w, struct event *e, time_ms pause, time_ms now)
{
    char key[EVENT_KEY_MAX];
    const struct event *before = w->known(w->self, event_key(e, key));

    if (!(config_events(w->config) >> e->kind & 1))
        return;
    if (before && now >= before->last && now - before->last < pause)
        return;
    e->first = before ? before->first : now;
    e->count = before ? before->count + 1 : 1;
    e->last = now;
    w->ring(w->self, e);
}

void hook_watch_look(const struct hook_watch *w, time_ms now)
{
    char what[EVENT_WHAT_MAX + 1];
    struct queue_figures figures;
    struct event e;

    if (scribe_figures(w->scribe, &figures, NULL) && hook_watch_queue(w->config, &figures, now, what, &e))
        ring(w, &e, HOURS(1), now);
    for (size_t i = 0; i < w->wardrobe->count; i++)
        if (hook_watch_certificate(w->config, &w->wardrobe->items[i], now, what, &e))
            ring(w, &e, DAYS(1), now);
}

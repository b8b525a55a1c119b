/* event/event.h - what an operator may want to be told of at once. Pure.
 *
 * Whoever sees something rings (serve/bell.h); events of one kind about one
 * subject are gathered into one note, and the hooks process tells them, so that
 * a thousand held messages make one call and not a thousand. */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

enum event_kind {
    EVENT_BLOCKED,              /* mail is held, or was returned, for want of TLS; subject: next hop */
    EVENT_CLEARTEXT,            /* mail was delivered in clear; subject: next hop */
    EVENT_DOWNGRADE,            /* a next hop no longer does what it used to (memory); subject: next hop */
    EVENT_POLICY_VANISHED,      /* its MTA-STS policy or TLSA records are gone, or weaker; subject: next hop */
    EVENT_CERTIFICATE,          /* one of ours expires soon; subject: its name */
    EVENT_REPORT,               /* others report failures of TLS towards us; subject: policy domain */
    EVENT_QUEUE_AGE,            /* the oldest message has waited too long; subject: our host name */
    EVENT_KINDS
};
const char *event_kind_name(enum event_kind k);         /* "blocked" "cleartext" "downgrade" "policy-vanished" ... */
bool event_kind_parse(struct slice text, enum event_kind *k) must_check;

/* NULL stands for "" in any of its strings. */
struct event {
    enum event_kind kind;
    const char *subject;
    time_ms first, last;        /* wall clock */
    uint64_t count;             /* of happenings since `first` */
    /* of the last one */
    const char *what;           /* a sentence: "2 messages to example.org are held: ..." */
    const char *policy;         /* "mta-sts" "dane" "requiretls" ... who asks for it; "" */
    const char *reason;         /* error name, "E_STARTTLS_NOT_OFFERED"; "" */
    const char *relay;          /* "mx1.example.net[192.0.2.7]:25"; "" */
};

/* Longer texts are cut where they are written: a key or an encoded event always has its bounds. */
enum { EVENT_SUBJECT_MAX = 255, EVENT_WHAT_MAX = 500, EVENT_WORD_MAX = 60, EVENT_RELAY_MAX = 340 };
enum { EVENT_KEY_MAX = 300, EVENT_BYTES_MAX = 1400, EVENT_JSON_MAX = 10 * 1024 };

const char *event_key(const struct event *e, char text[EVENT_KEY_MAX]);        /* "blocked/example.org" */
void event_encode(const struct event *e, struct buf *out);                     /* at most EVENT_BYTES_MAX */
bool event_decode(struct slice bytes, struct arena *arena, struct event *out) must_check;

/* One more of the same: counts add up, the earlier `first`, the later words, which stay borrowed. */
void event_join(struct event *into, const struct event *more);

/* What webhooks post and commands get on standard input: one JSON object; docs/events.md. `hostname`: who tells.
 * At most EVENT_JSON_MAX bytes. */
void event_json(const struct event *e, const char *hostname, struct buf *out);

#endif

/* What the hooks process sees by itself. */
#include "serve/hook_watch.h"

#include "tests/test.h"

static const time_ms now = 1792750000000;       /* 2026-10-23 */
static const struct config config = { .hostname = "mx.example.org", .alarm = { .certificate = DAYS(14), .queue_age = HOURS(4) } };
static char what[EVENT_WHAT_MAX + 1];

static struct wardrobe_item item(time_ms left)
{
    static char file[] = "/etc/postern/mx.pem";

    return (struct wardrobe_item){ .name = "mx.example.org", .file = file, .own = { .not_after = now + left } };
}

TEST(an_empty_or_a_young_queue_is_well)
{
    struct queue_figures f = { 0 };
    struct event e;

    CHECK(!hook_watch_queue(&config, &f, now, what, &e));
    f.messages = 10;
    f.oldest_arrival = now - HOURS(4);
    CHECK(!hook_watch_queue(&config, &f, now, what, &e));
    f.oldest_arrival = now + HOURS(4);
    CHECK(!hook_watch_queue(&config, &f, now, what, &e));
}

TEST(mail_that_waits_too_long_is_an_event_of_ours)
{
    struct queue_figures f = { .messages = 12, .oldest_arrival = now - HOURS(5) - MINUTES(12) };
    struct event e;

    CHECK(hook_watch_queue(&config, &f, now, what, &e));
    CHECK_EQUAL(e.kind, EVENT_QUEUE_AGE);
    CHECK_TEXT(e.subject, "mx.example.org");
    CHECK_TEXT(e.what, "the oldest message in the queue has waited for 5 h 12 min (12 are there): postern queue list shows why");
    f.messages = 1;
    CHECK(hook_watch_queue(&config, &f, now, what, &e) && strstr(e.what, "(1 is there)"));
    f.oldest_arrival = 1;
    CHECK(hook_watch_queue(&config, &f, now, what, &e) && strstr(e.what, " days"));
}

TEST(a_certificate_is_told_of_in_its_last_days)
{
    struct wardrobe_item i = item(DAYS(14) + 1);
    struct event e;

    CHECK(!hook_watch_certificate(&config, &i, now, what, &e));
    i = item(DAYS(12) + HOURS(3));
    CHECK(hook_watch_certificate(&config, &i, now, what, &e));
    CHECK_EQUAL(e.kind, EVENT_CERTIFICATE);
    CHECK_TEXT(e.subject, "mx.example.org");
    CHECK_TEXT(e.what, "the certificate of mx.example.org expires in 12 days, on 2026-11-04: renew /etc/postern/mx.pem");
    CHECK_TEXT(e.reason, "");
    i = item(MINUTES(7));
    CHECK(hook_watch_certificate(&config, &i, now, what, &e) && strstr(e.what, "in 7 min"));
}

TEST(and_after_them)
{
    struct wardrobe_item i = item(-DAYS(3));
    struct event e;

    CHECK(hook_watch_certificate(&config, &i, now, what, &e));
    CHECK_TEXT(e.what, "the certificate of mx.example.org has expired on 2026-10-20: renew /etc/postern/mx.pem");
    CHECK_TEXT(e.reason, "E_CERT_EXPIRED");
}

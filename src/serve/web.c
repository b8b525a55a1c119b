#include "serve/web.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/fiber.h"
#include "serve/clerk.h"
#include "serve/intake.h"
#include "serve/worker.h"
#include "tlsrpt/take.h"
#include "web/http.h"
#include "web/throttle.h"

enum {
    REQUESTS_PER_MINUTE = 60,       /* of one network */
    REPORTS_PER_DAY = 1000,         /* that are kept; a large domain hears from a few hundred senders */
    PATIENCE_MS = 30 * 1000,        /* for the turn of a report that others are before */
    RETRY_SECONDS = 60,
    DRAIN_GRACE_MS = 5000,
};

struct desk {
    const struct web_start *start;
    struct clerk *clerk;
    struct intake intake;
    struct http_server *server;
    struct throttle *throttle;
    struct timer *cut;
    struct gate turn;               /* reports are read one at a time: each may need REPORT_ARENA_MAX */
    bool reading;
    int64_t day;                    /* UTC; and how many were kept in it */
    unsigned kept;
};

/* --- what may not come in ------------------------------------------------------------ */

static void log_refused(const struct http_request *r, const struct http_answer *a, const struct error *why, const char *text)
{
    struct log_line l = log_begin(LOG_LEVEL_WARNING, "report.refused");
    char client[ADDRESS_TEXT_MAX];

    log_text(&l, "by", "https");
    log_text(&l, "client", address_ip_text(&r->peer, client));
    log_number(&l, "status", a->status);
    log_number(&l, "bytes", (int64_t)r->body.len);
    if (why)
        log_why(&l, why);
    else
        log_text(&l, "why", text);
    log_end(&l);
}

static void come_later(struct http_answer *a, unsigned status, int64_t seconds, const char *text)
{
    answer_say(a, status, "%s", text);
    answer_field(a, "Retry-After", "%lld", (long long)seconds);
}

/* A client that asks on is told so each time, the log but once. */
static bool is_too_often(struct desk *d, const struct http_request *r, struct http_answer *a)
{
    enum throttle_verdict verdict = throttle_take(d->throttle, &r->peer, clock_now());

    if (verdict == THROTTLE_PASS)
        return false;
    come_later(a, 429, RETRY_SECONDS, "too many requests from your network");
    if (verdict == THROTTLE_FIRST)
        log_refused(r, a, NULL, "its network asks too often");
    return true;
}

static bool is_day_full(struct desk *d, struct http_answer *a)
{
    time_ms now = clock_wall();

    if (d->day != now / DAYS(1)) {
        d->day = now / DAYS(1);
        d->kept = 0;
    }
    if (d->kept < REPORTS_PER_DAY)
        return false;
    come_later(a, 503, (DAYS(1) - now % DAYS(1)) / SECONDS(1) + 1, "no more reports are taken today");
    return true;
}

static void count_kept(struct desk *d)
{
    if (++d->kept == REPORTS_PER_DAY)
        log_say(LOG_LEVEL_WARNING, "report.day-full", NULL,
                "%d reports were taken by HTTPS today; more are refused until midnight UTC", REPORTS_PER_DAY);
}

/* --- reading one, beside the loop ------------------------------------------------------- */

struct reading {
    struct slice bytes;
    const char *peer;
    struct report_ours ours;
    time_ms wall;
    struct arena arena;
    struct received_report report;
    struct error why;
    bool done;
};

static void read_report(void *arg)
{
    struct reading *r = arg;

    r->done = report_take_bare(r->bytes, REPORT_BY_HTTPS, r->peer, &r->ours, r->wall, &r->arena, &r->report, &r->why);
}

static bool take_turn(struct desk *d)
{
    time_ms deadline = clock_now() + PATIENCE_MS;

    while (d->reading)
        if (gate_wait(&d->turn, deadline) != FIBER_WOKEN)
            return false;
    d->reading = true;
    return true;
}

static void leave_turn(struct desk *d)
{
    d->reading = false;
    gate_open_one(&d->turn);
}

/* --- the page ---------------------------------------------------------------------------- */

/* RFC 8460 5.4: "A response code of 200 or 201 signifies that the report was accepted". */
static void keep_report(struct desk *d, const struct http_request *r, const struct received_report *report,
                        struct http_answer *a)
{
    struct error why = { 0 };
    bool known = false;

    if (report->foreign) {          /* nobody vouches for it, and it is none of our business (TLSRPT-095) */
        answer_say(a, 403, "this report is about none of our domains");
        log_refused(r, a, NULL, "it is about none of our domains");
    } else if (is_day_full(d, a)) {
        log_refused(r, a, NULL, "enough reports were taken today");
    } else if (!intake_keep(&d->intake, report, &known, &why)) {
        if (why.code == E_LIMIT)
            answer_say(a, 413, "%s", why.text);
        else
            come_later(a, 503, RETRY_SECONDS, "the report cannot be stored now");
        log_refused(r, a, &why, NULL);
    } else if (known) {
        answer_say(a, 200, "this report is here already");
    } else {
        count_kept(d);
        answer_say(a, 201, "thank you");
    }
}

static void read_and_keep(struct desk *d, const struct http_request *r, struct http_answer *a)
{
    char peer[ADDRESS_TEXT_MAX];
    struct reading reading = { .bytes = r->body, .peer = address_ip_text(&r->peer, peer),
                               .ours = intake_ours(d->start->config), .wall = clock_wall() };

    arena_init(&reading.arena, REPORT_ARENA_MAX);
    fiber_work(read_report, &reading);
    if (reading.done) {
        keep_report(d, r, &reading.report, a);
    } else {
        answer_say(a, reading.why.code == E_LIMIT ? 413 : 400, "%s", reading.why.text);
        log_refused(r, a, &reading.why, NULL);
    }
    arena_done(&reading.arena);
}

static void take_report(void *self, const struct http_request *r, struct http_answer *a)
{
    struct desk *d = self;

    if (is_too_often(d, r, a))
        return;
    if (!take_turn(d)) {
        come_later(a, 503, RETRY_SECONDS, "too many reports at once");
        log_refused(r, a, NULL, "too many reports at once");
        return;
    }
    read_and_keep(d, r, a);
    leave_turn(d);
}

static const char *const report_types[] = { "application/tlsrpt+gzip", "application/tlsrpt+json", NULL };

static const struct http_page pages[] = {
    { WEB_REPORT_PATH, HTTP_POST, REPORT_MESSAGE_MAX, report_types, take_report },
};

/* --- life ------------------------------------------------------------------------------------ */

static void drained(void *self)
{
    struct desk *d = self;

    timer_stop(d->cut);
    clerk_finish(d->clerk);
}

static void cut(void *self)
{
    struct desk *d = self;

    http_server_drain(d->server, true, drained);
}

static void drain(void *self, bool hurry)
{
    struct desk *d = self;

    if (hurry)
        timer_set(d->cut, loop_now() + DRAIN_GRACE_MS);
    http_server_drain(d->server, false, drained);
}

static const struct clerk_orders orders = { .drain = drain };

static bool set_up(struct desk *d, struct error *why)
{
    const struct config *c = d->start->config;

    d->throttle = throttle_new(REQUESTS_PER_MINUTE, why);
    d->server = d->throttle ? http_server_new(pages, sizeof pages / sizeof *pages, &http_limits_usual, d, why) : NULL;
    if (!d->server)
        return false;
    for (size_t i = 0; i < c->web.listen_count; i++)
        if (d->start->fds[i] >= 0 && !http_server_listen(d->server, d->start->fds[i], d->start->tls, why))
            return false;
    return true;
}

int web_run(const struct web_start *start)
{
    struct desk *d = NEW(struct desk);
    struct error why = { 0 };

    d->start = start;
    if (!set_up(d, &why)) {
        log_say(LOG_LEVEL_ERROR, "web.unusable", &why, "reports cannot be taken by HTTPS");
        return WORKER_CANNOT_START;
    }
    d->clerk = clerk_new(start->control_fd, &orders, d);
    d->cut = timer_new(cut, d);
    d->intake = (struct intake){ .config = start->config, .scribe = clerk_scribe(d->clerk) };
    worker_ready();
    loop_run();
    timer_free(d->cut);
    http_server_free(d->server);
    throttle_free(d->throttle);
    clerk_free(d->clerk);
    free(d);
    return WORKER_DONE;
}

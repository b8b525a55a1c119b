/* serve/report_post.h - one report to each of the addresses that a domain publishes.
 *
 * The part of the report process that talks to others. */
#ifndef SERVE_REPORT_POST_H
#define SERVE_REPORT_POST_H

#include "dns/resolver.h"
#include "https/https.h"
#include "serve/report.h"
#include "serve/report_state.h"
#include "serve/scribe.h"
#include "tlsrpt/report.h"

/* No address gets more reports by mail in a day: many domains may share one, but who publishes it need not own it. */
enum { REPORT_FED = 4096, REPORT_FED_MOST = 1000 };

struct report_post {
    const struct report_start *start;
    struct resolver *resolver;
    struct https *https;
    struct scribe *scribe;
    struct id_maker ids;
    int64_t day;                    /* of `fed` */
    uint16_t fed[REPORT_FED];       /* reports mailed to addresses of this hash today */
};

/* Waits. The addresses at _smtp._tls.DOMAIN. E_NOT_FOUND: nobody wants reports; E_DNS: it cannot be told now. Memory from
 * `arena`. */
bool report_find_record(struct resolver *r, const char *domain, struct arena *arena, struct rpt_record *out,
                        struct error *why) must_check;

/* Whom it will go to, written down before it goes: what is mailed gets the id of its message, so that who tries again does
 * not send it twice. */
void report_prepare(struct report_post *p, const struct rpt_record *record, struct report_state *s);

/* Waits, REPORT_POST_MS at most. Send it to those of `record` that have not taken it yet, and write down in `s` what they
 * said. */
enum { REPORT_POST_MS = 3 * 60 * 1000 };
void report_post(struct report_post *p, const struct report *report, const char *domain, const struct rpt_record *record,
                 struct arena *arena, struct report_state *s);

/* The message for one address, signed by `key` when that is not NULL. */
bool report_letter_make(const struct report_start *start, const struct report *report, const char *domain, const char *to,
                        struct slice gzipped, time_ms wall, struct buf *out, struct error *why) must_check;

#endif

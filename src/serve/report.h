/* serve/report.h - the process that makes TLS reports and sends them (RFC 8460 4.1, 5).
 *
 * A clerk. Soon after midnight UTC it plans the day that has passed: one
 * state (serve/report_state.h) for each domain that was counted. Each is worked on when it is
 * due: made anew from the tallies, so nothing of it is kept but what became of
 * it; the record looked up then (TLSRPT-007); mailed through our own queue, or
 * posted. */
#ifndef SERVE_REPORT_H
#define SERVE_REPORT_H

#include "serve/config.h"
#include "tls/signature.h"

struct report_start {
    const struct config *config;
    const struct signing_key *key;      /* of the domain of config->report.contact */
    unsigned maker;                     /* for message ids: like no other process's */
    int control_fd;
};
int report_run(const struct report_start *start);   /* until drained; the process's exit code */

#endif

/* tlsrpt/take.h - taking in a report that came: read, checked, judged.
 *
 * The same for mail to a report address, for a request over HTTPS and for
 * files at hand. What is done with it (keeping it, saying so) is the
 * caller's. */
#ifndef TLSRPT_TAKE_H
#define TLSRPT_TAKE_H

#include "tlsrpt/judge.h"
#include "tlsrpt/read.h"

struct report_taking {
    const struct dkim_keys *keys;
    const struct report_ours *ours;
    bool unsigned_too;              /* one that is not signed as it should is REPORT_UNSIGNED, REPORT_BY_HAND */
    /* Runs job(arg) to its end before it returns, on another thread if it likes: finding the parts of a large message and
     * unpacking them is up to a second of pure work, too much for a loop that others wait for. NULL: it runs here. */
    void (*apart)(void (*job)(void *arg), void *arg);
};

/* A whole message. Waits as `keys` and `apart` do. Memory from `arena` (REPORT_ARENA_MAX and some for what DKIM needs).
 * Of a signed one, a policy-domain that is missing is taken from TLS-Report-Domain only when that is signed. Errors:
 * E_NOT_FOUND, there is no report in it; E_UNSIGNED, told before anything is unpacked, so of what may turn out to be none as
 * well; E_DNS, a key could not be looked up: try again; E_MALFORMED, E_LIMIT. */
bool report_take_letter(struct slice message, const struct report_taking *how, time_ms wall, struct arena *arena,
                        struct received_report *out, struct error *why) must_check;

/* A report itself, nobody's signature on it. The submitter is its contact's domain; "unknown" when it has none. */
bool report_take_bare(struct slice bytes, enum report_way way, const char *peer, const struct report_ours *ours,
                      time_ms wall, struct arena *arena, struct received_report *out, struct error *why) must_check;

#endif

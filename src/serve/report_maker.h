/* serve/report_maker.h - one domain's report of one day, from what is counted, wherever that is asked.
 *
 * The report process asks the store over its scribe, commands over asking.h;
 * both make the same report by the same code. */
#ifndef SERVE_REPORT_MAKER_H
#define SERVE_REPORT_MAKER_H

#include "serve/config.h"
#include "serve/frames.h"
#include "tlsrpt/build.h"

struct report_source {
    /* The day's tallies whose keys begin with `prefix`. */
    bool (*tallies)(void *self, uint32_t day, struct slice prefix, void (*each)(void *arg, const struct tally *t), void *arg,
                    struct error *why);
    /* The text of a policy into `arena`; empty when there is none. */
    bool (*policy)(void *self, const char *key, struct arena *arena, struct slice *value, struct error *why);
    void *self;
};

struct made_report {
    struct arena arena;
    struct report_build *build;
    struct report report;
};

/* May wait. E_NOT_FOUND: there is nothing to report; else what the source says. */
bool report_make(const struct report_source *from, const struct config *c, const char *domain, uint32_t day,
                 struct made_report *out, struct error *why) must_check;
void report_unmake(struct made_report *r);      /* a zeroed one is fine */

/* Of all its entries. */
uint64_t report_sessions(const struct report *r, uint64_t *failures);

#endif

/* cli/report.h - what `postern report` is made of. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/cli.h"
#include "serve/asking.h"
#include "serve/report_state.h"
#include "tlsrpt/read.h"

struct report_wish {
    const char *file;           /* of the configuration */
    const char *act;
    bool json, received, dry_run, all, unsigned_too;
    bool has_day;
    uint32_t day;               /* yesterday, unless said */
    uint32_t today;
    const char *to;             /* export: directory; NULL: standard output */
    int count;                  /* of what follows the act */
    char **names;               /* domains of what we counted: folded */
};

/* report_sent.c: of what we counted; each returns the exit code. */
int report_list(struct asking *store, const struct config *c, const struct report_wish *w);
int report_show(struct asking *store, const struct config *c, const struct report_wish *w);
int report_send(struct asking *store, const struct config *c, const struct report_wish *w);
int report_export(struct asking *store, const struct config *c, const struct report_wish *w);

/* report_received.c: of what others sent us. */
int received_list(struct asking *store, const struct config *c, const struct report_wish *w);
int received_show(struct asking *store, const struct config *c, const struct report_wish *w);
int received_export(struct asking *store, const struct config *c, const struct report_wish *w);

/* report_text.c: for people, and shared. `indent` stands before each line. */
void report_print(const struct report *r);
int report_print_json(const struct report *r);          /* the exit code */
int report_write_file(const char *directory, const char *name, struct slice bytes);
int report_unanswered(const struct error *why);
const char *report_word(const char *text, char shown[400]);     /* what a stranger said, escaped */

/* --- report_import.c ------------------------------------------------------------- */

/* Each name is a report (JSON, gzip of it), a message, an mbox, a maildir, or "-" for standard input. All is read before the
 * store is opened: without a running postern, whoever asks becomes the service, which may not read the operator's files.
 * `unsigned_too`: mail whose DKIM signature is missing or bad is taken as well. Returns the exit code. */
int report_import(const struct config *c, char *const *names, int count, bool unsigned_too);

#endif

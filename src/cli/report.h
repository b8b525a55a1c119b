/* cli/report.h - postern report import: reports that others sent, from files. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/cli.h"

/* Each name is a report (JSON, gzip of it), a message, an mbox, a maildir, or "-" for standard input. All is read before the
 * store is opened: without a running postern, whoever asks becomes the service, which may not read the operator's files.
 * `unsigned_too`: mail whose DKIM signature is missing or bad is taken as well. Returns the exit code. */
int report_import(const struct config *c, char *const *names, int count, bool unsigned_too);

#endif

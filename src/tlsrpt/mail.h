/* tlsrpt/mail.h - a TLS report as a message, and the name of its file (RFC 8460 5.1, 5.3). Pure. */
#ifndef TLSRPT_MAIL_H
#define TLSRPT_MAIL_H

#include "tlsrpt/report.h"

/* "example.org!example.net!1732147200!1732233599!001.json.gz" (TLSRPT-072): submitter, policy domain. Of their bytes those
 * stay that a file name may safely hold anywhere. */
enum { REPORT_FILE_NAME_MAX = 700 };
const char *report_file_name(const struct report *r, const char *domain, bool gzipped, char text[REPORT_FILE_NAME_MAX]);

struct report_mail {
    const struct report *report;
    const char *domain;             /* TLS-Report-Domain: the policy domain the report is for */
    const char *to;
    const char *hostname;           /* of the Message-ID's right side when the contact has none of its own */
    time_ms wall;
    struct slice gzipped;           /* the report, packed */
};
/* multipart/report; report-type=tlsrpt, CRLF lines, 7 bit, TLS-Required: No among the fields; unsigned (TLSRPT-073 to -077).
 * The boundary is stable for the report's id, the Message-ID for that and the recipient. */
void report_mail_write(const struct report_mail *m, struct buf *out);

/* The part for people: what happened, in a few lines for each policy, CRLF, printable ASCII. Strings of strangers stand
 * behind blanks only, so none begins a line. */
void report_summary_write(const struct report *r, const char *domain, struct buf *out);

#endif

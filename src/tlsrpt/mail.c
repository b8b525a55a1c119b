#include "tlsrpt/mail.h"

#include "base/base64.h"
#include "message/fold.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    SUMMARY_MAX = 256 * 1024,
    BASE64_LINE = 57,               /* bytes that make 76 characters (RFC 2045 6.8) */
    BOUNDARY_MAX = 48,
    NAME_SHOWN = 300,               /* of one domain in a file name */
    MESSAGE_ID_MAX = 2000,
};

/* --- the file's name ----------------------------------------------------------------- */

/* RFC 8460 5.1: A-labels. Whatever else a name holds is neither a path nor an option nor a quote any more. */
static void put_domain(struct buf *out, const char *domain)
{
    for (size_t i = 0; domain[i] && i < NAME_SHOWN; i++) {
        char c = domain[i];

        buf_byte(out, byte_is_alpha(c) || byte_is_digit(c) || (i > 0 && (c == '.' || c == '-')) ? c : '_');
    }
}

const char *report_file_name(const struct report *r, const char *domain, bool gzipped, char text[REPORT_FILE_NAME_MAX])
{
    auto_buf struct buf name;

    buf_init(&name, REPORT_FILE_NAME_MAX);
    put_domain(&name, report_submitter(r));
    buf_byte(&name, '!');
    put_domain(&name, domain);
    buf_text(&name, "!%" PRId64 "!%" PRId64 "!001.json%s", r->begin / 1000, r->end / 1000, gzipped ? ".gz" : "");
    snprintf(text, REPORT_FILE_NAME_MAX, "%.*s", SLICE_ARGS(buf_slice(&name)));
    return text;
}

/* --- the header ---------------------------------------------------------------------- */

/* `first` and `last`: what stands right before and behind the value. */
static void field(struct buf *out, const char *first, const char *value, const char *last)
{
    struct fold f;

    fold_begin(&f, out, first, " ");
    fold_word(&f, slice_of(value));
    buf_add(out, slice_of(last));
    fold_end(&f);
}

/* RFC 8460 5.3: "Report Domain: ", "Submitter: ", "Report-ID: ", the words in this very case; one blank where a line
 * breaks, so that unfolding gives what was folded. */
static void write_subject(const struct report_mail *m, struct buf *out)
{
    auto_buf struct buf id;
    struct fold f;

    buf_init(&id, MESSAGE_ID_MAX);
    buf_text(&id, "<%s>", m->report->id);
    fold_begin(&f, out, "Subject: ", " ");
    fold_text(&f, SLICE("Report Domain:"));
    fold_word(&f, slice_of(m->domain));
    fold_text(&f, SLICE("Submitter:"));
    fold_word(&f, slice_of(report_submitter(m->report)));
    fold_text(&f, SLICE("Report-ID:"));
    fold_word(&f, buf_slice(&id));
    fold_end(&f);
}

/* The report's id, made different for each recipient: to each goes a message of its own. */
static void write_message_id(const struct report_mail *m, struct buf *out)
{
    const struct slice id = slice_of(m->report->id);
    const char *right = report_submitter(m->report);
    auto_buf struct buf text;

    buf_init(&text, MESSAGE_ID_MAX);
    buf_text(&text, "%.*s.%016" PRIx64 "@%s", SLICE_ARGS(slice_first(id, slice_find_last(id, '@'))),
             report_hash(slice_of(m->to)), right[0] ? right : m->hostname);
    buf_byte(&text, '\0');
    field(out, "Message-ID: <", buf_slice(&text).at, ">");
}

static void write_header(const struct report_mail *m, const char *boundary, struct buf *out)
{
    char date[CLOCK_TEXT_MAX];

    field(out, "From: <", m->report->contact, ">");
    field(out, "To: <", m->to, ">");
    buf_text(out, "Date: %s\r\n", clock_mail_date(m->wall, date));
    write_message_id(m, out);
    write_subject(m, out);
    field(out, "TLS-Report-Domain: ", m->domain, "");
    field(out, "TLS-Report-Submitter: ", report_submitter(m->report), "");
    buf_add(out, SLICE("TLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"));
    buf_text(out, "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"%s\"\r\n\r\n", boundary);
}

/* --- the parts ------------------------------------------------------------------------- */

static void write_text_part(struct slice summary, const char *boundary, struct buf *out)
{
    buf_text(out, "--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary);
    buf_add(out, summary);
    buf_add(out, SLICE("\r\n"));
}

static void write_report_part(const struct report_mail *m, const char *boundary, struct buf *out)
{
    char name[REPORT_FILE_NAME_MAX];

    report_file_name(m->report, m->domain, true, name);
    buf_text(out, "--%s\r\nContent-Type: application/tlsrpt+gzip;\r\n name=\"%s\"\r\n", boundary, name);
    buf_text(out, "Content-Disposition: attachment;\r\n filename=\"%s\"\r\n", name);
    buf_add(out, SLICE("Content-Transfer-Encoding: base64\r\n\r\n"));
    for (size_t at = 0; at < m->gzipped.len; at += BASE64_LINE) {
        base64_write(slice_first(slice_after(m->gzipped, at), BASE64_LINE), out);
        buf_add(out, SLICE("\r\n"));
    }
    buf_text(out, "--%s--\r\n", boundary);
}

/* RFC 2046 5.1.1: "Boundary delimiters must not appear within the encapsulated material". Base64 has no '_'. */
static void choose_boundary(const struct report *r, struct slice summary, char boundary[BOUNDARY_MAX])
{
    unsigned turn = 0;

    do {
        snprintf(boundary, BOUNDARY_MAX, "=_%016" PRIx64 ".%u", report_hash(slice_of(r->id)), ++turn);
    } while (memmem(summary.at, summary.len, boundary, strlen(boundary)));
}

void report_mail_write(const struct report_mail *m, struct buf *out)
{
    char boundary[BOUNDARY_MAX];
    auto_buf struct buf summary;

    buf_init(&summary, SUMMARY_MAX);
    report_summary_write(m->report, m->domain, &summary);
    choose_boundary(m->report, buf_slice(&summary), boundary);
    write_header(m, boundary, out);
    write_text_part(buf_slice(&summary), boundary, out);
    write_report_part(m, boundary, out);
}

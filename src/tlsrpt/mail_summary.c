/* What a TLS report says, for people; see tlsrpt/mail.h. */
#include "tlsrpt/mail.h"

#include "message/fold.h"

#include <inttypes.h>
#include <stdio.h>

enum { ENTRIES_SHOWN = 20, KINDS_SHOWN = 8, WORD_SHOWN = 255 };

static void words(struct fold *f, const char *text)
{
    fold_text(f, slice_of(text));
}

/* Of a stranger: one word, and no more of it than one wants to read. */
static void word(struct fold *f, const char *text)
{
    fold_word(f, slice_first(slice_of(text), WORD_SHOWN));
}

static void number(struct fold *f, uint64_t n)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, n);
    words(f, text);
}

static void write_introduction(const struct report *r, const char *domain, struct buf *out)
{
    char date[CLOCK_TEXT_MAX];
    struct fold f;

    clock_iso_date(r->begin, date);
    date[strlen("2006-01-02")] = '\0';
    fold_begin(&f, out, "", "  ");
    words(&f, "How mail to");
    word(&f, domain);
    words(&f, "was encrypted on");
    words(&f, date);
    words(&f, "(UTC), as seen by");
    word(&f, report_submitter(r));
    fold_end(&f);
    buf_add(out, SLICE("\r\n"));
    fold_begin(&f, out, "", "");
    words(&f, "This report is sent because the domain asks for it in the DNS (RFC 8460). The attached file says the same, and "
              "more, to programs.");
    fold_end(&f);
}

static void write_kind(const struct report_failure *k, struct buf *out)
{
    struct fold f;

    fold_begin(&f, out, "      ", "          ");
    number(&f, k->count);
    words(&f, "x");
    word(&f, k->result_type);
    if (k->reason && k->reason[0]) {
        words(&f, "because of");
        word(&f, k->reason);
    }
    if (k->mx && k->mx[0]) {
        words(&f, "at");
        word(&f, k->mx);
    }
    if (k->receiving_ip && k->receiving_ip[0])
        word(&f, k->receiving_ip);
    fold_end(&f);
}

static void write_entry(const struct report_entry *e, struct buf *out)
{
    struct fold f;

    fold_begin(&f, out, "  ", "    ");
    words(&f, "Policy");
    word(&f, report_entry_type(e));
    words(&f, "of");
    word(&f, e->policy.domain);
    fold_end(&f);
    fold_begin(&f, out, "    ", "    ");
    number(&f, e->successes);
    words(&f, e->successes == 1 ? "session was" : "sessions were");
    words(&f, e->policy.type == POLICY_NONE_FOUND ? "encrypted," : "encrypted as it asks,");
    number(&f, e->failures);
    words(&f, e->failures == 1 ? "was not" : "were not");
    fold_end(&f);
    for (size_t i = 0; i < e->detail_count && i < KINDS_SHOWN; i++)
        write_kind(&e->details[i], out);
    if (e->detail_count > KINDS_SHOWN)
        buf_text(out, "      and %zu more kinds of failure\r\n", e->detail_count - KINDS_SHOWN);
    buf_add(out, SLICE("\r\n"));
}

void report_summary_write(const struct report *r, const char *domain, struct buf *out)
{
    struct fold f;

    write_introduction(r, domain, out);
    buf_add(out, SLICE("\r\n"));
    for (size_t i = 0; i < r->entry_count && i < ENTRIES_SHOWN; i++)
        write_entry(&r->entries[i], out);
    if (r->entry_count > ENTRIES_SHOWN)
        buf_text(out, "  and %zu more policies\r\n\r\n", r->entry_count - ENTRIES_SHOWN);
    fold_begin(&f, out, "", "  ");
    words(&f, "Questions:");
    fold_word(&f, slice_of(r->contact));
    fold_end(&f);
}

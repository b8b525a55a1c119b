/* tlsrpt/read.h - reading the reports of others: what the RFC says, and what large senders send instead.
 *
 * Hostile input is the rule here; everything has a bound (TLSRPT-093). Pure. */
#ifndef TLSRPT_READ_H
#define TLSRPT_READ_H

#include "tlsrpt/report.h"

enum {
    REPORT_MESSAGE_MAX = 10 * 1024 * 1024,      /* bytes of a message or a request's body */
    REPORT_JSON_MAX = 64 * 1024 * 1024,         /* unpacked */
    REPORT_LETTER_JSON_MAX = 32 * 1024 * 1024,  /* of a message: of all its parts that are tried */
    REPORT_LETTER_TRIES = 2,                    /* parts of a message that are read, should the first be none */
    REPORT_VALUES_MAX = 200000,                 /* JSON values: what is read of them takes many times their bytes */
    REPORT_VALUE_MAX = 1024 * 1024,             /* bytes of one string, before it is cut to what is kept */
    REPORT_DEPTH_MAX = 32,                      /* of nested JSON; a report has 6 */
    REPORT_ENTRIES_MAX = 2000,                  /* further ones are left out */
    REPORT_DETAILS_MAX = 2000,                  /* of an entry; further ones are folded into one, reason "truncated" */
    REPORT_TEXT_MAX = 1024,                     /* bytes of any string that is kept; domains and host names 255 */
    REPORT_NOTES_MAX = 12,
    REPORT_ARENA_MAX = 64 * 1024 * 1024,        /* an arena for it; what does not fit is E_LIMIT */
};
#define REPORT_COUNT_MAX ((UINT64_C(1) << 53) - 1)      /* what I-JSON can say exactly; larger counts and sums stay there */

/* What was not as the RFC wants it and was taken all the same, in words: "date-range without a time zone, taken as UTC". */
struct report_notes {
    const char *at[REPORT_NOTES_MAX];
    size_t count;
};

/* JSON, or JSON in gzip, whatever it is said to be. Memory from `arena`; some 200 MiB more while it reads the worst that the
 * bounds let through. E_MALFORMED: no report; E_LIMIT. */
bool report_read(struct slice bytes, struct arena *arena, struct report *out, struct report_notes *notes,
                 struct error *why) must_check;

/* A whole message: finds the report among its parts, of whatever shape (TLSRPT-091, -094), but not in another message that
 * it quotes. What the report itself says wins over all fields; only a policy-domain that it does not name is taken from
 * TLS-Report-Domain. What all its parts may cost together is bounded (REPORT_LETTER_...). E_NOT_FOUND: it has none;
 * E_MALFORMED, E_LIMIT: what should be one cannot be read. */
struct report_letter {
    struct report report;
    struct report_notes notes;
    const char *from;               /* domain of From:, lower case; "" without one, or when there are several */
    const char *submitter;          /* TLS-Report-Submitter, lower case; some write their name here and no domain; "" */
    const char *domain;             /* TLS-Report-Domain, lower case; "" */
    bool encoded;                   /* its own header has a Content-Transfer-Encoding */
};
bool report_letter_read(struct slice message, struct arena *arena, struct report_letter *out, struct error *why) must_check;

/* --- what is kept of a received report (NOTE_RECEIVED) ------------------------- */

enum report_way { REPORT_BY_MAIL, REPORT_BY_HTTPS, REPORT_BY_HAND };
enum report_trust { REPORT_SIGNED, REPORT_UNSIGNED };   /* unsigned ones come only by HTTPS or by hand */
struct received_report {
    struct report report;
    struct report_notes notes;
    enum report_way way;
    enum report_trust trust;
    const char *submitter;          /* who it is from: the DKIM domain; else the contact's domain */
    const char *peer;               /* the address it came from by HTTPS; "" */
    time_ms received;
    bool foreign;                   /* its policy domain is none of ours: quarantined (TLSRPT-095) */
};
/* "example.net/5f0c...": submitter and a hash of the report's id (TLSRPT-092). Of an unsigned one "-unsigned" follows:
 * whoever may say that he is example.net must not be able to have its own report taken for a duplicate. The same report
 * may come both ways (by mail and by HTTPS); received_report_key_as tells where it then is: an unsigned one is a duplicate
 * of the signed, and a signed one takes the place of the unsigned. */
enum { RECEIVED_KEY_MAX = 300 };
const char *received_report_key(const struct received_report *r, char text[RECEIVED_KEY_MAX]);
const char *received_report_key_as(const struct received_report *r, enum report_trust trust, char text[RECEIVED_KEY_MAX]);

/* The domain behind the last "@" of an address, lower case, when it can be one; "" else. Of an unsigned report's contact it
 * is the submitter. */
const char *report_address_domain(const char *address, struct arena *arena);

/* Packed to fit a note; details and policies that do not fit are folded into one, "truncated". `out` takes RECEIVED_VALUE_MAX. */
enum { RECEIVED_VALUE_MAX = 128 * 1024 };
void received_report_encode(const struct received_report *r, struct buf *out);
/* Memory from `arena`, which needs at most RECEIVED_ARENA_MAX. */
enum { RECEIVED_ARENA_MAX = 16 * 1024 * 1024 };
bool received_report_decode(struct slice bytes, struct arena *arena, struct received_report *out) must_check;

#endif

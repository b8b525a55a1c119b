/* policy/dane.h - what a TLSA RRset asks for. Pure.
 *
 * RFC 6698 2.1, RFC 7671 4 and 9, RFC 7672 3.1 (spec DANE-060 to -063, -073). */
#ifndef POLICY_DANE_H
#define POLICY_DANE_H

#include "base/arena.h"
#include "base/error.h"
#include "tls/session.h"

/* TLSA RDATA. `out->data` borrows from `rdata`. E_MALFORMED for fewer than four bytes. */
bool tlsa_parse(struct slice rdata, struct tlsa *out, struct error *why) must_check;

/* Why a record does not count; RECORD_USED does. */
enum record_use {
    RECORD_USED,
    RECORD_MALFORMED,           /* too short, wrong digest length, Full data that do not parse (DANE-060) */
    RECORD_USAGE,               /* 0 or 1: undefined for SMTP (RFC 7672 3.1.3, DANE-061); or above 3 */
    RECORD_SELECTOR,            /* above 1 */
    RECORD_MATCHING,            /* above 2, or switched off */
    RECORD_WEAKER,              /* a stronger digest of the same usage and selector is there (DANE-063) */
};
const char *record_use_name(enum record_use u);     /* for people: "usage 0 and 1 are not for SMTP" */

struct dane_settings {
    bool sha512_off;            /* matching type 2 is not used (DANE-060, -073) */
};

struct dane_records {
    struct tlsa *usable;        /* after digest agility; empty: all unusable, TLS is required all the same (DANE-072) */
    size_t usable_count;
    struct dane_record {        /* each record as it came, in order, for people */
        struct tlsa tlsa;       /* zero when too short */
        enum record_use use;
    } *all;
    size_t count;
};

/* Memory from `arena`, data borrowed from `rdata`. False: the arena is full (E_LIMIT). */
bool dane_records_judge(const struct slice *rdata, size_t count, const struct dane_settings *settings,
                        struct arena *arena, struct dane_records *out, struct error *why) must_check;

/* The record in presentation form, digests shortened behind 16 hex digits: "3 1 1 2bb183af2d1c0c1b...". */
enum { TLSA_TEXT_MAX = 64 };
const char *tlsa_text(const struct tlsa *t, char text[TLSA_TEXT_MAX]);

/* The names that count for usage 2 (RFC 7672 3.2.2, DANE-068). */
struct dane_names_in {
    const char *base;
    const char *host;           /* the MX host name */
    const char *next_hop;       /* as asked; NULL for a route with a fixed host */
    const char *next_hop_canonical;     /* its CNAME-expanded form, may equal it */
    bool mx;                    /* MX records led here */
    bool mx_secure;             /* their answer, or the proof that there are none, is secure */
};
enum { DANE_NAMES_MAX = 4 };
size_t dane_names(const struct dane_names_in *in, const char *out[DANE_NAMES_MAX]);     /* no duplicates */

#endif

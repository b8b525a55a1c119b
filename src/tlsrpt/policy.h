/* tlsrpt/policy.h - a policy as TLS reports quote it (RFC 8460 4.4, spec TLSRPT-018, -035 to -037). Pure.
 *
 * Reports have one entry for each distinct policy that was applied in a day.
 * Counters name a policy by its id, a hash of all it says; the text behind an id
 * is kept once (NOTE_POLICY). */
#ifndef TLSRPT_POLICY_H
#define TLSRPT_POLICY_H

#include "base/arena.h"
#include "base/buf.h"
#include "policy/decide.h"

struct report_policy {
    enum policy_type type;
    const char *domain;             /* policy-domain, A-labels: sts: policy domain; tlsa: TLSA base domain; none: next hop */
    const char *const *strings;     /* policy-string: of sts the lines as published; of tlsa "3 1 1 0123ab..." */
    size_t string_count;
    const char *const *mx;          /* mx-host: the patterns of sts */
    size_t mx_count;
};

/* From what was found. Memory from `arena`; false when it is full. Lines, records and patterns beyond the bounds, of which
 * the last is that of all together, are left out. */
enum { REPORT_STRINGS_MAX = 300, REPORT_STRING_BYTES = 8192, REPORT_POLICY_BYTES = 120 * 1024 };
/* Lines without CR; blank ones at the end are not lines. One that is not UTF-8 has '?' for its other bytes. */
bool report_policy_of_sts(const char *domain, struct slice text, const char *const *mx, size_t mx_count,
                          struct arena *arena, struct report_policy *out) must_check;
/* Sorted: the DNS turns the records of a set about, and it is one policy all the same. */
bool report_policy_of_tlsa(const char *base, const struct tlsa *records, size_t count, struct arena *arena,
                           struct report_policy *out) must_check;

/* Never 0. REPORT_POLICY_NONE stands for "no-policy-found" of the report's own domain, which needs no text. Of a hash that
 * nobody can aim at: who publishes a policy must not be able to put it in the place of somebody else's. */
enum { REPORT_POLICY_NONE = 1 };
uint64_t report_policy_id(const struct report_policy *p);

/* What is kept under an id; the note's key is report_policy_key: 16 hex digits. */
enum { REPORT_POLICY_KEY_MAX = 17 };
const char *report_policy_key(uint64_t id, char text[REPORT_POLICY_KEY_MAX]);
void report_policy_encode(const struct report_policy *p, struct buf *out);
bool report_policy_decode(struct slice bytes, struct arena *arena, struct report_policy *out) must_check;

/* The first 64 bits of SHA-256: for names on disk and in reports. */
uint64_t report_hash(struct slice bytes);

#endif

/* dns/text.h - TXT records as text. */
#ifndef DNS_TEXT_H
#define DNS_TEXT_H

#include "dns/answer.h"

/* Each record's strings joined without anything between (RFC 8461 3.1,
 * MTASTS-006); a NUL stands behind each. Records whose RDATA makes no sense are
 * left out, and there are none in an error: what that means is for the caller
 * (MTASTS-013). False when the arena is full. */
struct text_records {
    struct slice *at;
    size_t count;
};
bool text_records_from(const struct dns_answer *a, struct arena *arena, struct text_records *out) must_check;

#endif

/* message/header.h - reading the header of a message as it streams by.
 *
 * RFC 5322 2.2. Pure; fed with pieces of any size; keeps what is asked for and
 * nothing else, in the memory of its struct however long the header is. */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H

#include "base/slice.h"

/* What a message's TLS-Required fields come to (RFC 8689 3, REQTLS-006): "No",
 * in any case, with white space and folds around it and nothing else. */
enum tls_required_field {
    TLS_REQUIRED_ABSENT,
    TLS_REQUIRED_NO,
    TLS_REQUIRED_UNCLEAR,       /* one of them says something else */
};

/* Counts Received fields (loops, RFC 5321 6.3), reads TLS-Required and notes
 * the end of the header. Field names count at the start of a line only, any case. */
struct header_scan {
    int state;
    unsigned received;          /* Received: fields so far */
    bool ended;                 /* the empty line was seen */
    char name[16];              /* of the field under way */
    size_t name_len;
    bool in_tls_required;       /* the field under way is one */
    bool value_too_long;
    enum tls_required_field tls_required;   /* of the fields behind us */
    char value[32];             /* of TLS-Required: the one under way; for good, the first one that is unclear */
    size_t value_len;
};
void header_scan_init(struct header_scan *h);
void header_scan(struct header_scan *h, struct slice piece);

/* As if the header ended here. `*value`, when not NULL, is what the first
 * unclear field says, cut to what we keep; valid as long as `h` is. */
enum tls_required_field header_tls_required(const struct header_scan *h, struct slice *value);

/* The header of a message at hand: up to and with the empty line, or all when there is none. */
struct slice header_of(struct slice message);

#endif

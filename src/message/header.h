/* message/header.h - reading the header of a message as it streams by.
 *
 * RFC 5322 2.2. Pure; fed with pieces of any size; keeps what is asked for and
 * nothing else, in bounded memory. */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H

#include "base/slice.h"

/* Counts Received fields (loops, RFC 5321 6.3) and notes the end of the header.
 * Field names count at the start of a line only, any case. */
struct header_scan {
    int state;
    unsigned received;          /* Received: fields so far */
    bool ended;                 /* the empty line was seen */
    char name[16];              /* of the field under way */
    size_t name_len;
};
void header_scan_init(struct header_scan *h);
void header_scan(struct header_scan *h, struct slice piece);

/* The header of a message at hand: up to and with the empty line, or all when there is none. */
struct slice header_of(struct slice message);

#endif

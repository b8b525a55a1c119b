/* postfix/request.h - what Postfix asks of its lookup tables, and how it is told. Pure.
 *
 * Two protocols say the same: socketmap_table(5) in netstrings (spec
 * SOCKMAP-001 to -003) and tcp_table(5) in lines (TCPTBL-001, -002). Both
 * read the first request of what has come so far; several may follow. */
#ifndef POSTFIX_REQUEST_H
#define POSTFIX_REQUEST_H

#include "base/buf.h"

enum {
    SOCKETMAP_REQUEST_MAX = 10000,      /* bytes in the netstring, as Postfix bounds them */
    SOCKETMAP_REPLY_MAX = 100000,
    TCP_TABLE_LINE_MAX = 4096,          /* with its end, of request and reply */
};

enum request_state {
    REQUEST_WHOLE,
    REQUEST_PART,               /* more bytes are needed */
    REQUEST_BAD,                /* cannot be read: the connection is of no more use */
};

struct map_request {
    struct slice map;           /* borrowed from `in`; empty for tcp_table, which has no names */
    struct slice key;
    bool understood;            /* false: whole, but not a question: another verb, a key that cannot be decoded */
};

/* `*used`: the bytes of a whole request. */
enum request_state socketmap_read(struct slice in, struct map_request *out, size_t *used);

/* `decoded` takes the key, whose %XX are decoded. */
enum request_state tcp_table_read(struct slice in, char decoded[TCP_TABLE_LINE_MAX], struct map_request *out, size_t *used);

enum map_status {
    MAP_FOUND,                  /* with the data */
    MAP_NOT_FOUND,              /* the text is not said */
    MAP_TRY_LATER,              /* with the reason, as those below */
    MAP_WRONG,                  /* the question makes no sense, now or later */
};
/* Text beyond the protocol's bound becomes MAP_TRY_LATER: half a policy is none. */
void socketmap_put(struct buf *out, enum map_status status, struct slice text);
void tcp_table_put(struct buf *out, enum map_status status, struct slice text);

#endif

/* queue/message_id.h - the name of a message, from acceptance to the log line of its end.
 *
 * 42 bits of milliseconds since 2020, 8 bits for the process that made it, 12
 * bits counting within the millisecond: ids ascend with time, are unique over
 * restarts while the clock does not run backwards (the database refuses a
 * repeated one), and are positive as a signed 64-bit number. Text: 13
 * characters of Crockford's base32 in lower case; case and look-alikes
 * (i l o) are forgiven when read. */
#ifndef QUEUE_MESSAGE_ID_H
#define QUEUE_MESSAGE_ID_H

#include "base/clock.h"
#include "base/slice.h"

typedef uint64_t message_id;        /* 0 is none */

enum { MESSAGE_ID_TEXT = 14 };

struct id_maker {
    unsigned maker;                 /* 0..255, different in every process of an instance */
    time_ms last;
    unsigned count;
};
message_id message_id_new(struct id_maker *m, time_ms wall);    /* never repeats within one maker, even when the clock steps back */

const char *message_id_text(message_id id, char text[MESSAGE_ID_TEXT]);
bool message_id_parse(struct slice text, message_id *id) must_check;

#endif

/* smtp/transcript.h - an SMTP dialogue overheard, line by line, for people.
 *
 * Hears what a conn writes and reads (conn_listen_in) and tells it as lines,
 * whatever the pieces; the message itself only as its size. Lines are cut at
 * 1 KiB and not escaped. For the client's side of a dialogue. */
#ifndef SMTP_TRANSCRIPT_H
#define SMTP_TRANSCRIPT_H

#include "net/conn.h"

struct transcript {
    void (*line)(void *arg, bool sent, struct slice text);
    void *arg;
    bool in_message;            /* between 354 and the reply to the final dot */
    size_t message_bytes;
    struct half_line {
        char text[1024];
        size_t len;
    } halves[2];                /* read, written: without an end so far */
};

void transcript_hear(void *transcript, bool sent, struct slice bytes);     /* a conn_listener */

#endif

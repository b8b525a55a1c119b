/* cli/transcript.h - an SMTP dialogue as it happens, for people.
 *
 * Lines with "C: " and "S: " before them, escaped; the message itself shows
 * only as its size, and the handshake as its facts. */
#ifndef CLI_TRANSCRIPT_H
#define CLI_TRANSCRIPT_H

#include "net/conn.h"

struct transcript {
    bool shown;             /* false: nothing is printed */
    bool in_message;        /* between 354 and the reply to the final dot */
    size_t message_bytes;
    struct half_line {
        char text[1024];
        size_t len;
    } halves[2];            /* what was written or read without its end yet; cut where it is longer */
};

void transcript_hear(void *transcript, bool sent, struct slice bytes);     /* a conn_listener */
void transcript_tls(struct transcript *t, const struct tls_facts *facts);

#endif

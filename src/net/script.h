/* net/script.h - a conn whose peer is a text, for tests and fuzzers.
 *
 * Lines "S: text" and "C: text" of the server and the client, in order;
 * consecutive lines of the peer arrive in one read. "TLS" on a line of its own
 * marks where the handshake happens; what the peer says after it arrives only
 * under TLS. "S-" and "C-" are as "S:" and "C:" without the CRLF that is added
 * otherwise. C escapes (\r \n \t \0 \xHH \\) work inside. "EOF" ends the peer's side.
 * "CUT" lets the next read fail with E_CLOSED, "SILENCE" with E_TIMEOUT,
 * "TLSFAIL" lets the handshake fail. The dialogue under test plays the side that the script is not.
 *
 * One space behind the mark belongs to it; blank lines mean nothing. "PAUSE"
 * parts two lines of the peer into two reads. For what the dialogue must say
 * and a test does not care about:
 *
 *     S*              any one line (also "C*")
 *     S=250           one whole reply with this code, of one line or many
 *     C=EHLO          one line whose first word this is, in any case
 *
 * The order counts in both directions: it is a complaint when the dialogue
 * speaks before it has read what the script lets the peer say first, or waits
 * for the peer when it is its own turn. Behind the last line the peer is gone,
 * as after "EOF". "SILENCE" and "CUT" in the place of "TLS" befall the
 * handshake, and lines of the peer between STARTTLS's answer and "TLS" that
 * were not read make it fail, as they would on the wire. */
#ifndef NET_SCRIPT_H
#define NET_SCRIPT_H

#include "net/conn.h"

struct script;

/* `peer` is 'S' or 'C': whose lines are fed to the dialogue under test. The
 * other side's lines are what it must say, byte for byte. */
struct script *script_new(char peer, const char *text);

/* The peer is `bytes`, in reads of at most `chunk` bytes; what is written is
 * collected and never checked. STARTTLS "succeeds" at once. */
struct script *script_bytes(struct slice bytes, size_t chunk);

struct conn *script_conn(struct script *s);     /* closed by the dialogue or by conn_close; the script stays */
void script_facts(struct script *s, const struct tls_facts *facts);     /* what conn_tls says after TLS */

/* NULL when all was said as scripted and nothing is left, else the first
 * difference, in words. Valid as long as the script. */
const char *script_complaint(struct script *s);
struct slice script_written(const struct script *s);    /* everything that the dialogue wrote */
bool script_closed(const struct script *s);             /* the dialogue has closed its conn */
void script_free(struct script *s);

#endif

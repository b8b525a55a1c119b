/* smtp/command.h - one command line of an SMTP client, as a value. Pure.
 *
 * RFC 5321 4.1.1, 4.1.2; parameters of RFC 1870 (SIZE), RFC 6152 (BODY) and
 * RFC 8689 (REQUIRETLS). */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "smtp/address.h"

/* RFC 5321 4.5.3.1.4 asks for 512 bytes with CRLF; to MAIL, RFC 1870 adds 26,
 * RFC 6152 17 and RFC 8689 11. The rest is room for long addresses. */
enum { COMMAND_LINE_MAX = 2048 };

enum smtp_verb {
    VERB_UNKNOWN,
    VERB_HELO, VERB_EHLO, VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_RSET, VERB_NOOP, VERB_VRFY, VERB_EXPN,
    VERB_HELP, VERB_QUIT, VERB_STARTTLS, VERB_AUTH, VERB_BDAT, VERB_TURN, VERB_ETRN,
    VERB_COUNT
};
const char *verb_name(enum smtp_verb v);    /* "MAIL"; "" for VERB_UNKNOWN */

enum smtp_body { BODY_7BIT, BODY_8BITMIME };

struct smtp_command {
    enum smtp_verb verb;
    struct slice argument;      /* all behind the verb, trimmed */
    /* HELO, EHLO */
    struct slice client_name;   /* domain or literal, checked leniently: what real clients send */
    /* MAIL, RCPT */
    struct mailbox path;
    bool has_size;
    uint64_t size;              /* SIZE=, saturated: more digits than fit count as UINT64_MAX (SMTP-195) */
    bool has_body;
    enum smtp_body body;
    bool requiretls;
};

/* How a refused line is to be answered. */
struct smtp_refusal {
    int code;                   /* 452 500 501 550 553 555 */
    const char *status;         /* "5.5.2" */
    char text[160];             /* one line, printable ASCII */
};

/* `line` without CRLF. Slices borrow from `line` or `arena`. False: `*refusal`
 * says what to answer, and out->verb is set when the verb was known. */
bool command_parse(struct slice line, struct arena *arena, struct smtp_command *out,
                   struct smtp_refusal *refusal) must_check;

#endif

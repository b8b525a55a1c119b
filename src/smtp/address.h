/* smtp/address.h - mailbox addresses as they stand in MAIL and RCPT.
 *
 * RFC 5321 4.1.2 and 4.1.3, pure. Spec SMTP-004, -022 to -026, -029, -060. */
#ifndef SMTP_ADDRESS_H
#define SMTP_ADDRESS_H

#include "base/arena.h"
#include "base/error.h"

/* RFC 5321 4.5.3.1.1 asks for 64 bytes of local part at least and wishes for
 * no limit at all; bounce addresses of the VERP and SRS kind do pass 64. */
enum { LOCAL_PART_MAX = 255, DOMAIN_MAX = 255, PATH_MAX_BYTES = LOCAL_PART_MAX + DOMAIN_MAX + 3 };

struct mailbox {
    struct slice local;         /* as written, quotes kept when they are needed, case kept */
    struct slice domain;        /* lower case; "[192.0.2.1]", "[IPv6:2001:db8::1]"; empty for <Postmaster> */
    bool is_null;               /* "<>" */
    bool is_literal;            /* the domain is an address literal */
};

/* "<...>" with its brackets; source routes are parsed and dropped (SMTP-023).
 * `allow_null` for reverse-paths, `allow_bare_postmaster` for RCPT. Memory
 * from `arena`. Canonical: a quoted local part that needs no quotes loses
 * them, needless backslashes go (SMTP-025). E_MALFORMED with a reason fit for
 * the client; E_LIMIT when the arena is full. */
bool path_parse(struct slice text, bool allow_null, bool allow_bare_postmaster, struct arena *arena,
                struct mailbox *out, struct error *why) must_check;

/* The bytes of the "<...>" that `text` begins with, brackets inside a quoted
 * string minded; 0 when it begins with none or it does not end. */
size_t path_length(struct slice text);

/* "user@example.org" without brackets, e.g. from the command line. "" or "<>" is null. */
bool mailbox_parse(struct slice text, struct arena *arena, struct mailbox *out, struct error *why) must_check;

/* "user@example.org", "Postmaster", or "" for null; from `arena`. */
struct slice mailbox_text(const struct mailbox *m, struct arena *arena);

/* A host name: letters, digits, hyphens, (underscore tolerated when `lenient`), labels of 1 to 63, 255 in all. */
bool domain_is_valid(struct slice domain, bool lenient);

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]", RFC 5321 4.1.3. IPv6 is the only tag that was ever registered. */
bool literal_is_valid(struct slice literal);

#endif

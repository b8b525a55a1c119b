/* smtp/address.h - mailbox addresses as they stand in MAIL and RCPT.
 *
 * RFC 5321 4.1.2 and 4.1.3, pure. Spec SMTP-004, -022 to -026, -029, -060. */
#ifndef SMTP_ADDRESS_H
#define SMTP_ADDRESS_H

#include "base/arena.h"
#include "base/error.h"

enum { LOCAL_PART_MAX = 64, DOMAIN_MAX = 255, PATH_MAX_BYTES = 256 };

struct mailbox {
    struct slice local;         /* as written, quotes kept when they are needed, case kept */
    struct slice domain;        /* lower case; "[192.0.2.1]" for a literal; empty for <Postmaster> */
    bool is_null;               /* "<>" */
    bool is_literal;            /* the domain is an address literal */
};

/* "<...>" with its brackets; source routes are parsed and dropped (SMTP-023).
 * `allow_null` for reverse-paths, `allow_bare_postmaster` for RCPT. Memory
 * from `arena`. Canonical: a quoted local part that needs no quotes loses
 * them, needless backslashes go (SMTP-025). */
bool path_parse(struct slice text, bool allow_null, bool allow_bare_postmaster, struct arena *arena,
                struct mailbox *out, struct error *why) must_check;

/* "user@example.org" without brackets, e.g. from the command line. "" or "<>" is null. */
bool mailbox_parse(struct slice text, struct arena *arena, struct mailbox *out, struct error *why) must_check;

/* "user@example.org", "Postmaster", or "" for null; from `arena`. */
struct slice mailbox_text(const struct mailbox *m, struct arena *arena);

/* A host name: letters, digits, hyphens, (underscore tolerated when `lenient`), labels of 1 to 63, 255 in all. */
bool domain_is_valid(struct slice domain, bool lenient);

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]", full grammar of RFC 5321 4.1.3. */
bool literal_is_valid(struct slice literal);

#endif

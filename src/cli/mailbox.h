/* cli/mailbox.h - mail in files: a message, an mbox however large, a maildir; one message at a time. */
#ifndef CLI_MAILBOX_H
#define CLI_MAILBOX_H

#include "base/error.h"

/* Whom it is handed to. `number` counts the messages of an mbox or maildir from 1; 0: the file is the message. */
struct mail_taker {
    void *arg;
    size_t most;                    /* bytes of a message */
    size_t bare_most;               /* bytes of a file that is no message */
    bool (*is_bare)(struct slice head);     /* by how it begins: is the file no message, but what one would have inside? */
    void (*message)(void *arg, uint64_t number, struct slice message);
    void (*bare)(void *arg, struct slice bytes);
    /* E_NOT_FOUND: a message in a mailbox that is larger than `most`; E_LIMIT: a file that is; E_SYSTEM, E_USAGE. */
    void (*trouble)(void *arg, uint64_t number, const struct error *why);
};

/* "-" is standard input. Lines of an mbox are unquoted as mboxrd has it. File names are used for nothing but to open them. */
void mailbox_read(const char *name, const struct mail_taker *to);

#endif

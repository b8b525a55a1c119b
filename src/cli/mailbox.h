/* cli/mailbox.h - mail in files: a message, an mbox however large, a maildir; one message at a time. Or a folder of files
 * that are no messages. */
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
    bool (*is_bare_name)(const char *name);     /* of a folder that is no maildir: which of its files are to be read */
    void (*file)(void *arg, const char *path);  /* now one of them is; `path` is valid until the next is told, or the end */
    /* E_NOT_FOUND: a message in a mailbox that is larger than `most`; E_LIMIT: a file that is; E_SYSTEM, E_USAGE. */
    void (*trouble)(void *arg, uint64_t number, const struct error *why);
};

/* "-" is standard input. A folder with neither new nor cur is one of bare files: those that is_bare_name wants. Lines of an
 * mbox are unquoted as mboxrd has it. */
void mailbox_read(const char *name, const struct mail_taker *to);

#endif

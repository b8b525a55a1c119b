/* deliver/maildir.h - delivery into files.
 *
 * One file per recipient, written to tmp/, synced, renamed into new/, the
 * directory synced. The name is made from the queue id, so a delivery that is
 * repeated after a crash replaces itself. Messages are kept byte for byte,
 * lines ending in CRLF, with one Return-Path on top (SMTP-153). */
#ifndef DELIVER_MAILDIR_H
#define DELIVER_MAILDIR_H

#include "base/arena.h"
#include "queue/message_id.h"
#include "smtp/client.h"

/* `pattern` with %u and %d filled in from the address (lower case), %% a
 * percent. E_MALFORMED when the address would leave its place: a slash, a NUL,
 * or a part that begins with a dot. */
bool maildir_path(const char *pattern, const char *address, struct arena *arena, const char **path, struct error *why)
    must_check;

struct maildir_file {
    const char *directory;      /* made when it does not exist, with tmp new cur */
    const char *hostname;
    message_id id;
    uint32_t recipient;
    const char *sender;
    time_ms arrived;           /* wall clock; with the id it makes the file name */
};
/* Waits: syncing is done on a worker thread. E_STORAGE, E_STORAGE_FULL. */
bool maildir_deliver(const struct maildir_file *f, struct smtp_source *source, struct error *why) must_check;

#endif

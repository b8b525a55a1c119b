/* run/sandbox.h - giving up, for good, what a process does not need.
 *
 * After the account is dropped a process still shares it with its siblings:
 * without this, code that reads from strangers could open the queue's files.
 * Files by landlock, system calls by seccomp; both are inherited by threads
 * and children and cannot be undone. Needs no_new_privs (process_drop_to). */
#ifndef RUN_SANDBOX_H
#define RUN_SANDBOX_H

#include "base/error.h"

struct sandbox_path {
    const char *path;       /* a file, or a directory with all below it; one that does not exist is skipped */
    bool write;             /* also create, change, rename, remove */
};

/* From now on only these can be opened, and nothing executed; what is open
 * stays open. False with E_SYSTEM where the kernel has no landlock. */
bool sandbox_files(const struct sandbox_path *paths, size_t count, struct error *why) must_check;

/* Refuse (EPERM) system calls that no process of ours makes: executing,
 * tracing, mounting, loading code into the kernel, other name spaces. Without
 * `dial` also making sockets and connecting. */
bool sandbox_calls(bool dial, struct error *why) must_check;

#endif

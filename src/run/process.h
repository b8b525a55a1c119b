/* run/process.h - what a process does about itself and its children.
 *
 * Forking, giving up rights, and the limits of descriptors. Who is forked
 * when is the master's business (serve/master.c). */
#ifndef RUN_PROCESS_H
#define RUN_PROCESS_H

#include "base/error.h"

#include <sys/types.h>

/* The account to become; resolved before anything is confined. */
struct account {
    uid_t uid;
    gid_t gid;
    char name[64];
};
bool account_find(const char *name, struct account *out, struct error *why) must_check;

/* For good: groups, gid, uid, no_new_privs, and not dumpable. Does nothing
 * but the last two when we are not root (`account` may be NULL then). Checks
 * that there is no way back. */
bool process_drop_to(const struct account *account, struct error *why) must_check;

/* fork(), with loop_forked called in the child before any signal can reach
 * it. Called on the loop, not on a fiber. 0 in the child, -1 on failure. */
pid_t process_fork(struct error *why) must_check;

/* In a fresh child, before its loop_open: close every descriptor above stderr
 * except `keep` (any order, -1 ignored), reset signals (SIGPIPE is ignored: a
 * peer that went is an error to handle), name the process for ps ("postern:
 * inbound 1"). Such a child must not fork again: libuv's own descriptors went
 * with the rest. */
void process_begin_child(const char *title, const int *keep, size_t keep_count);

/* Called first in main: lets titles take the place of the arguments in ps,
 * whose strings are then gone: a child must not use argv. Without it a title
 * shows only in the short name of the process. */
void process_title_init(int argc, char **argv);

/* Die with the parent: a worker never outlives a killed master. `parent` is
 * getpid() from before the fork. */
void process_tie_to_parent(pid_t parent);

/* Raise the soft limit of open files to the hard one; returns it. */
size_t process_open_files_limit(void);

/* "exited with status 3", "was killed by signal 9 (Killed)"; `text` takes 80 bytes. */
const char *process_how_ended(int wait_status, char text[80]);

#endif

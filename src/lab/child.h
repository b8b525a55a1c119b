/* lab/child.h - other programs that the lab needs: found, started, watched. */
#ifndef LAB_CHILD_H
#define LAB_CHILD_H

#include "base/error.h"

#include <sys/types.h>

/* Is it in $PATH, /usr/sbin or /sbin? `package`: Debian's, for the complaint. */
bool child_find(const char *program, const char *package, char path[256], struct error *why) must_check;

/* Run `argv` (argv[0]: its path, as child_find gave it). Output goes to the
 * file `said`, complaints to `log`; both are appended to. It ends with us.
 * -1 on failure. Called on the loop or before it. */
pid_t child_start(const char *const *argv, const char *said, const char *log, struct error *why) must_check;

/* Wait for its end; anything but exit status 0 is an error, which names `log`. */
bool child_wait(pid_t child, const char *name, const char *log, struct error *why) must_check;

/* Ask it to end, and wait. A pid of 0 or less is fine. */
void child_stop(pid_t child);

#endif

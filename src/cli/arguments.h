/* cli/arguments.h - what commands do alike with what they are told, and with a store that cannot be asked. */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "cli/cli.h"

/* For getopt_long with ":" before the letters: `option` is '?' (not known) or ':' (lacks its value). Says so; EXIT_USAGE. */
int argument_refused(const char *command, int option, char **argv);

/* A domain as it is counted: lower case, without the dot at the end. */
void argument_fold_domain(char *domain);

/* Says why asking_open failed; returns the exit code. Only what may pass by itself is temporary: no permission, or a data
 * directory that nobody has made, stays so until somebody acts. */
int store_unopened(const struct config *c, const struct error *why);

#endif

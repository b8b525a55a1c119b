/* cli/cli.h - the subcommands, and what they share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "serve/config.h"

/* Exit codes, of sysexits where those fit. */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,        /* refused for good, problems found, not there */
    EXIT_USAGE = 64,        /* wrong arguments */
    EXIT_TEMPORARY = 75,    /* may work later */
};

#define DEFAULT_CONFIG "/etc/postern/postern.conf"

/* `argv[0]` is the subcommand's name. Each returns the exit code. */
int cli_serve(int argc, char **argv);
int cli_send(int argc, char **argv);
int cli_queue(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_lab(int argc, char **argv);
int cli_memory(int argc, char **argv);
int cli_stats(int argc, char **argv);
int cli_clients(int argc, char **argv);
int cli_report(int argc, char **argv);
int cli_help(int argc, char **argv);

/* Says "postern COMMAND: ..." and how to get help, on stderr; returns EXIT_USAGE. */
int cli_usage(const char *command, const char *format, ...) printf_like(2, 3);

/* "postern: ..." on stderr. */
void cli_complain(const char *format, ...) printf_like(1, 2);

/* The configuration, its problems told on stderr; NULL when there are any. */
struct config *cli_config_read(const char *file, enum config_use use);

#endif

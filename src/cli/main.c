#include "cli/cli.h"

#include "run/process.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "serve", cli_serve }, { "send", cli_send }, { "queue", cli_queue }, { "config", cli_config }, { "help", cli_help },
    { "lab", cli_lab }, { "explain", cli_explain }, { "memory", cli_memory },
    { "stats", cli_stats }, { "clients", cli_clients }, { "report", cli_report },
};

int cli_usage(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "postern %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\ntry: postern help %s\n", command);
    return EXIT_USAGE;
}

void cli_complain(const char *format, ...)
{
    va_list args;

    fputs("postern: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static void tell(void *arg, const char *text)
{
    fprintf(stderr, "%s\n", text);
}

struct config *cli_config_read(const char *file, enum config_use use)
{
    return config_read(file, use, tell, NULL);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";

    process_title_init(argc, argv);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        puts("postern " POSTERN_VERSION);
        return EXIT_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
        return cli_help(2, (char *[]){ argv[2], argv[1], NULL });
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv);
    cli_complain("there is no command \"%s\"; try: postern help", name);
    return EXIT_USAGE;
}

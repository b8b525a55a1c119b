#include "cli/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <sys/stat.h>

int argument_refused(const char *command, int option, char **argv)
{
    bool is_letter = optopt > 0 && optopt < 128;
    char letter[] = { '-', is_letter ? (char)optopt : '\0', '\0' };
    const char *said = is_letter ? letter : argv[optind - 1];

    if (option == ':')
        return cli_usage(command, "%s needs a value", said);
    return cli_usage(command, "the option %s is not known", said);
}

void argument_fold_domain(char *domain)
{
    size_t len = strlen(domain);

    for (char *c = domain; *c; c++)
        *c = byte_lower(*c);
    if (len > 1 && domain[len - 1] == '.')
        domain[len - 1] = '\0';
}

int store_unopened(const struct config *c, const struct error *why)
{
    struct stat st;

    if (stat(c->data_directory, &st) != 0 && errno == ENOENT) {
        cli_complain("nothing has run with this data-directory yet: %s", c->data_directory);
        return EXIT_FAILED;
    }
    cli_complain("%s", why->text);
    return why->code == E_STORAGE_LOCKED || why->code == E_STORAGE_FULL || why->code == E_TIMEOUT ? EXIT_TEMPORARY
                                                                                                   : EXIT_FAILED;
}

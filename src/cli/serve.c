#include "cli/cli.h"

#include "serve/master.h"

#include <getopt.h>

int cli_serve(int argc, char **argv)
{
    const char *file = DEFAULT_CONFIG;
    int option;

    opterr = 0;
    while ((option = getopt(argc, argv, "c:")) != -1) {
        if (option != 'c')
            return cli_usage("serve", "the option -%c is not known, or lacks its value", optopt);
        file = optarg;
    }
    if (optind < argc)
        return cli_usage("serve", "\"%s\" is one argument too many", argv[optind]);
    return master_run(file);
}

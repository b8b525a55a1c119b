#include "cli/cli.h"

#include "run/process.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static void tell_warning(void *arg, const char *text)
{
    printf("warning: %s\n", text);
}

/* Do the certificates load, and do they fit their keys? */
static bool check_certificates(const struct config *c)
{
    struct tls_server_settings settings = {
        .identities = c->identities, .identity_count = c->identity_count, .minimum = TLS_1_2 };
    struct error why = { 0 };
    struct tls_server *server;

    if (c->identity_count == 0) {
        puts("note: no certificate is configured: a self-signed one will be made");
        return true;
    }
    server = tls_server_new(&settings, &why);
    if (!server) {
        fprintf(stderr, "%s: %s\n", c->file, why.text);
        return false;
    }
    tls_server_review(server, clock_wall(), tell_warning, NULL);
    tls_server_free(server);
    return true;
}

static bool check_account(const struct config *c)
{
    struct account account;
    struct error why = { 0 };

    if (geteuid() != 0 || account_find(c->user, &account, &why))
        return true;
    fprintf(stderr, "%s: user = \"%s\": %s\n", c->file, c->user, why.text);
    return false;
}

int cli_config(int argc, char **argv)
{
    const char *file = DEFAULT_CONFIG;
    struct config *config;
    bool good;
    int option;

    opterr = 0;
    while ((option = getopt(argc, argv, "c:")) != -1) {
        if (option != 'c')
            return cli_usage("config", "the option -%c is not known, or lacks its value", optopt);
        file = optarg;
    }
    if (optind != argc - 1 || strcmp(argv[optind], "check") != 0)
        return cli_usage("config", "say: postern config check");
    config = cli_config_read(file, CONFIG_TO_SERVE);
    if (!config)
        return EXIT_FAILED;
    good = check_certificates(config);
    good = check_account(config) && good;
    if (good)
        printf("%s: good\n", file);
    config_free(config);
    return good ? EXIT_OK : EXIT_FAILED;
}

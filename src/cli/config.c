#include "cli/cli.h"

#include "deliver/route.h"
#include "run/process.h"
#include "tls/signature.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool complain(const struct config *c, const char *format, ...) printf_like(2, 3);

/* Returns false. */
static bool complain(const struct config *c, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", c->file);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

static void tell_warning(void *arg, const char *text)
{
    printf("warning: %s\n", text);
}

/* --- certificates and the account -------------------------------------------------- */

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
    if (!server)
        return complain(c, "%s", why.text);
    tls_server_review(server, clock_wall(), tell_warning, NULL);
    tls_server_free(server);
    return true;
}

/* `account` is whom the processes become; NULL: they stay what we are. */
static bool check_account(const struct config *c, struct account *found, const struct account **account)
{
    struct error why = { 0 };

    *account = NULL;
    if (geteuid() != 0)
        return true;
    if (!account_find(c->user, found, &why))
        return complain(c, "user = \"%s\": %s", c->user, why.text);
    *account = found;
    return true;
}

/* --- what hooks run ------------------------------------------------------------------ */

static int try_to_run(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0 || access(path, X_OK) != 0)
        return errno;
    return S_ISREG(st.st_mode) ? 0 : EACCES;
}

/* Every directory on the way counts too, so it is tried as that account. Returns what errno would be. */
static int try_as(const struct account *account, const char *path)
{
    pid_t child;
    int status;

    fflush(NULL);
    child = account ? fork() : -1;
    if (child == 0)
        _exit(process_drop_to(account, NULL) ? try_to_run(path) : EPERM);
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return try_to_run(path);
    return WEXITSTATUS(status);
}

static bool check_hooks(const struct config *c, const struct account *account)
{
    bool good = true;

    for (size_t i = 0; i < c->hook_count; i++) {
        const struct hook_config *h = &c->hooks[i];
        int problem = h->command ? try_as(account, h->command[0]) : 0;

        if (problem)
            good = complain(c, "hook \"%s\": %s cannot be run by %s: %s", h->name, h->command[0],
                            account ? account->name : "you", strerror(problem));
    }
    return good;
}

/* --- DKIM ------------------------------------------------------------------------------ */

/* As a zone file has it: strings of a TXT record have 255 bytes at most. */
static void tell_record(const struct dkim_config *d, const struct signing_key *key)
{
    enum { STRING_MOST = 255 };
    auto_buf struct buf text = { 0 };
    struct slice rest;

    buf_init(&text, 64 * 1024);
    buf_text(&text, "v=DKIM1; k=%s; p=", signing_key_kind(key) == SIGNATURE_RSA ? "rsa" : "ed25519");
    signing_key_publish(key, &text);
    printf("dkim: publish %s._domainkey.%s. TXT", d->selector, d->domain);
    for (rest = buf_slice(&text); rest.len > 0; rest = slice_after(rest, rest.len < STRING_MOST ? rest.len : STRING_MOST))
        printf(" \"%.*s\"", SLICE_ARGS(slice_first(rest, STRING_MOST)));
    putchar('\n');
}

static bool check_key(const struct config *c, const struct dkim_config *d)
{
    struct error why = { 0 };
    struct signing_key *key;

    if (geteuid() != 0 && access(d->key_file, R_OK) != 0 && errno == EACCES) {
        printf("note: dkim \"%s\": you may not read %s, it was not checked; root may\n", d->domain, d->key_file);
        return true;
    }
    key = signing_key_read(d->key_file, &why);
    if (!key)
        return complain(c, "dkim \"%s\": %s", d->domain, why.text);
    tell_record(d, key);
    signing_key_free(key);
    return true;
}

static bool check_keys(const struct config *c)
{
    bool good = true;

    for (size_t i = 0; i < c->dkim_count; i++)
        good = check_key(c, &c->dkim[i]) && good;
    return good;
}

/* --- places ------------------------------------------------------------------------------ */

/* The directory of something that will be made there; NULL: nothing will. */
static bool check_place(const struct config *c, const char *option, const char *path)
{
    struct slice whole = slice_of(path ? path : ""), parent;
    char directory[4096];
    struct stat st;

    if (!path)
        return true;
    parent = slice_first(whole, slice_find_last(whole, '/'));
    if (parent.len >= sizeof directory)
        return complain(c, "%s = \"%s\": the path is too long", option, path);
    snprintf(directory, sizeof directory, "%.*s", SLICE_ARGS(parent.len ? parent : SLICE("/")));
    if (stat(directory, &st) != 0)
        return complain(c, "%s = \"%s\": %s: %s", option, path, directory, strerror(errno));
    return S_ISDIR(st.st_mode) || complain(c, "%s = \"%s\": %s is not a directory", option, path, directory);
}

static bool check_places(const struct config *c)
{
    bool good = check_place(c, "facts file", c->facts.file);

    for (size_t i = 0; i < c->postfix.socketmap_count; i++)
        good = check_place(c, "postfix socketmap", c->postfix.socketmap[i].path) && good;
    for (size_t i = 0; i < c->postfix.tcp_table_count; i++)
        good = check_place(c, "postfix tcp-table", c->postfix.tcp_table[i].path) && good;
    return check_place(c, "postfix tlsrpt", c->postfix.tlsrpt) && good;
}

/* --- reports of others ---------------------------------------------------------------------- */

/* They are taken all the same; but most likely nothing sends them here. */
static void review_receive(const struct config *c)
{
    for (size_t i = 0; i < c->report.receive_count; i++) {
        struct slice domain = address_domain(slice_of(c->report.receive[i]));

        if (!routing_find(&c->routing, domain)->ours)
            printf("warning: tls-report receive = \"%s\": no domain section names %.*s, so is its mail for us?\n",
                   c->report.receive[i], SLICE_ARGS(domain));
    }
}

/* ----------------------------------------------------------------------------------------------- */

static bool check(const struct config *c)
{
    struct account found;
    const struct account *account;
    bool good = check_certificates(c);

    good = check_account(c, &found, &account) && good;
    good = check_hooks(c, account) && good;
    good = check_keys(c) && good;
    good = check_places(c) && good;
    review_receive(c);
    return good;
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
    good = check(config);
    if (good)
        printf("%s: good\n", file);
    config_free(config);
    return good ? EXIT_OK : EXIT_FAILED;
}

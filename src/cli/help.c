#include "cli/cli.h"

#include <stdio.h>

static const struct {
    const char *command, *line, *text;
} topics[] = {
    { "serve", "run the relay",
      "postern serve [-c FILE]\n\n"
      "Runs the relay in the foreground until SIGTERM or SIGINT. SIGHUP reads the\n"
      "configuration and the certificates again; sessions under way are not cut.\n\n"
      "  -c FILE   configuration, default " DEFAULT_CONFIG "; see postern.conf(5)\n\n"
      "Exit: 0 after a clean shutdown, 1 when it could not start.\n" },
    { "send", "hand one message to a server",
      "postern send --server HOST:PORT --from ADDRESS --to ADDRESS [OPTION...] [FILE|-]\n\n"
      "Hands the message in FILE (or on standard input) to a server, at once and\n"
      "without a queue. Lines ending in LF are sent with CRLF.\n\n"
      "  --server HOST:PORT  a name or an address; port 25 when none is given\n"
      "  --from ADDRESS      envelope sender; \"\" for the null sender\n"
      "  --to ADDRESS        envelope recipient; may be given again\n"
      "  --tls LEVEL         off | may (default) | encrypt | verify | implicit\n"
      "  --ca-file FILE      trust anchors for verify (PEM), instead of the system's\n"
      "  --helo NAME         what to call ourselves; default: this host's name\n"
      "  -v                  show the dialogue, with the TLS facts where they arise\n\n"
      "Exit: 0 taken for every recipient, 1 refused for good, 75 not now, 64 usage.\n" },
    { "queue", "look at the queue, and act on it",
      "postern queue list [--json]\n"
      "postern queue show ID [--json]\n"
      "postern queue retry|hold|release|remove ID...\n"
      "postern queue flush\n"
      "postern queue status [--json]\n\n"
      "list      every recipient that waits, oldest message first\n"
      "show      all that is known of one message\n"
      "retry     try it now\n"
      "hold      do not try it until it is released\n"
      "release   end the hold, try it now\n"
      "remove    delete it; nobody is told\n"
      "flush     try everything now\n"
      "status    figures of the whole queue\n\n"
      "  -c FILE   configuration, default " DEFAULT_CONFIG "\n"
      "  --json    one JSON object a line\n\n"
      "Speaks to the running instance; without one it opens the queue itself.\n"
      "Exit: 0 done, 1 no such message or the queue cannot be reached, 64 usage.\n" },
    { "config", "check the configuration",
      "postern config check [-c FILE]\n\n"
      "Reads the configuration and the certificates that it names, and says what is\n"
      "wrong, with file and line.\n\n"
      "Exit: 0 nothing is wrong, 1 something is.\n" },
    { "help", "this, or the help of one command", "postern help [COMMAND]\n" },
};

int cli_help(int argc, char **argv)
{
    if (argc > 1) {
        for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
            if (strcmp(topics[i].command, argv[1]) == 0) {
                fputs(topics[i].text, stdout);
                return EXIT_OK;
            }
        }
        cli_complain("there is no command \"%s\"; try: postern help", argv[1]);
        return EXIT_USAGE;
    }
    puts("postern " POSTERN_VERSION " - keeps mail encrypted on every hop\n\nusage: postern COMMAND [ARGUMENT...]\n");
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        printf("  %-8s %s\n", topics[i].command, topics[i].line);
    puts("\npostern help COMMAND tells more; the manuals are postern(1) and postern.conf(5).");
    return EXIT_OK;
}

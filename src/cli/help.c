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
      "  --requiretls        authenticated TLS on every hop or not at all (RFC 8689)\n"
      "  --tls-optional      put \"TLS-Required: No\" into the header\n"
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
      "status    figures of the whole queue, and whether DNSSEC validation works\n\n"
      "  -c FILE   configuration, default " DEFAULT_CONFIG "\n"
      "  --json    one JSON object a line\n\n"
      "Speaks to the running instance; without one it opens the queue itself.\n"
      "Exit: 0 done, 1 no such message or the queue cannot be reached, 64 usage.\n" },
    { "explain", "why mail to a domain goes as it goes",
      "postern explain [OPTION...] DOMAIN\n"
      "postern explain [OPTION...] ID\n"
      "postern explain --what-if level=LEVEL [--days N] [DOMAIN]\n\n"
      "Follows the chain that decides: MX, addresses, TLSA with their DNSSEC status,\n"
      "MTA-STS, the operator's rule, memory; then for each host the decision, and\n"
      "what would happen if STARTTLS were struck out on the way. ID is a message of\n"
      "the queue. --what-if tries a rule on what was delivered in the last days.\n\n"
      "  -c FILE          configuration, default " DEFAULT_CONFIG "\n"
      "  --connect        make the handshakes too; no mail is sent\n"
      "  --requiretls     as for a message with REQUIRETLS\n"
      "  --tls-optional   as for a message with TLS-Required: No\n"
      "  --days N         for --what-if; 7 when not given, at most 90\n"
      "  --json           one JSON object a line\n\n"
      "Exit: 0 explained, 1 no such message, 75 something cannot be looked up now,\n"
      "64 usage.\n" },
    { "memory", "what destinations used to offer",
      "postern memory list [--json] [DOMAIN...]\n"
      "postern memory forget DOMAIN... | --all [--yes]\n"
      "postern memory export\n"
      "postern memory import [--replace] FILE|-\n\n"
      "list      sessions, share under TLS, alarms first; with a DOMAIN all that is\n"
      "          known: keys, hosts, policies, until when clear text is held back\n"
      "forget    nothing is remembered of it any more\n"
      "export    one JSON object a line, for a backup or another machine\n"
      "import    what was exported; what was seen later stays, unless --replace\n\n"
      "  -c FILE   configuration, default " DEFAULT_CONFIG "\n"
      "  --json    one JSON object a line\n\n"
      "Speaks to the running instance; without one it opens the queue itself.\n"
      "Exit: 0 done, 1 not there or wrong, 75 the store does not answer, 64 usage.\n" },
    { "report", "TLS reports (RFC 8460), ours and those of others",
      "postern report list [--day D] [--received] [--json] [DOMAIN]\n"
      "postern report show [--day D] [--json] DOMAIN...\n"
      "postern report show --received [--day D] [--json] [NAME...]\n"
      "postern report send [--day D] [--dry-run] DOMAIN... | --all\n"
      "postern report export [--day D] [--received] [--to DIRECTORY] [DOMAIN...]\n"
      "postern report import [--unsigned] FILE|MBOX|MAILDIR|FOLDER|-...\n\n"
      "What is reported to other domains of a day (yesterday, if not given), and what\n"
      "became of it; with --received, what others have sent about us.\n\n"
      "  --day D      2026-11-21, today, yesterday, or 2d for two days ago\n"
      "  --dry-run    print what would be sent; ask and send nothing\n"
      "  --unsigned   also mail that is not signed by whoever it says it is from\n"
      "  --json       one object per line\n"
      "  -c FILE      the configuration; default /etc/postern/postern.conf\n" },
    { "stats", "how much mail goes encrypted and authenticated",
      "postern stats [OPTION...]\n\n"
      "By domain, sent and received: messages, share encrypted, share authenticated,\n"
      "TLS versions, key exchange, and how that changes; why mail went in clear, why\n"
      "certificates do not validate, why attempts failed.\n\n"
      "  --since 7d|DATE    days up to the last one, or the first day; default 7d\n"
      "  --until DATE|1d    the last day, or so many days ago; default today (UTC)\n"
      "  --sent, --received one of them only\n"
      "  --domain D         one domain only\n"
      "  --by day           a line for each day in the place of each domain\n"
      "  --top N            so many domains, the others in one line; 0 is all\n"
      "  --minimum N        for publishing: what is rarer is not told on its own\n"
      "  --json, --csv      for programs; --html: a page to show and to print\n"
      "  -c FILE            configuration, default " DEFAULT_CONFIG "\n\n"
      "Exit: 0 told, 1 configuration or output, 64 usage, 75 the store does not answer.\n" },
    { "clients", "who sends to us, how, and who could not under a stricter rule",
      "postern clients [OPTION...]\n\n"
      "By client: messages in clear and by TLS version, when it was last seen,\n"
      "passwords that go in clear, handshakes that fail. With --if only those that\n"
      "would be cut off, and how much mail that is.\n\n"
      "  --if tls=required          nothing in clear any more\n"
      "  --if tls-minimum=1.2       nothing by an older version; may stand beside it\n"
      "  --by address|network|name|user\n"
      "                             default: address; network for mx\n"
      "  --role mx|submission       one of them only\n"
      "  --since 30d|DATE, --until DATE|1d, --top N, -c FILE   as for stats\n"
      "  --json, --csv              for programs\n"
      "  --export csv               the list of those to write to\n\n"
      "Exit: 0 told, 1 configuration or output, 64 usage, 75 the store does not answer.\n" },
    { "lab", "a small internet to learn and test with",
      "postern lab list [--json]\n"
      "postern lab up [OPTION...]\n"
      "postern lab run [OPTION...] -- COMMAND...\n"
      "postern lab attack --listen ADDRESS:PORT --to ADDRESS:PORT KIND\n\n"
      "list     every domain of the lab, what it shows, what a correct sender does\n"
      "up       run it until interrupted: signed DNS, policy hosts, mail hosts\n"
      "run      run COMMAND in a network of its own where the lab has the usual\n"
      "         ports; needs root\n"
      "attack   stand in the middle: strip, refuse, certificate, inject, stall,\n"
      "         garbage or keyword\n\n"
      "  --directory DIR         where it keeps its files, and the mail it takes\n"
      "  --base-address ADDRESS  of its hosts; default 127.77.0.0\n"
      "  --smtp-port N, --https-port N, --dns-port N   for up; 0 is any that is free\n"
      "  --attack DOMAIN=KIND    an attacker in front of that domain's hosts\n\n"
      "Exit: 0 or that of COMMAND, 1 it could not start, 64 usage.\n" },
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
    puts("\npostern help COMMAND tells more; the manuals are postern(1),\npostern.conf(5), postern-policy(5), postern-watch(5) and "
         "postern-log(5).");
    return EXIT_OK;
}

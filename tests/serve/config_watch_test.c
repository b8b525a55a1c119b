/* What the operator says of facts, reports, hooks, and answers for Postfix. */
#include "tests/test.h"

#include "base/memory.h"
#include "event/event.h"
#include "serve/config.h"

static char problems[8000];

static void remember(void *arg, const char *text)
{
    strncat(problems, text, sizeof problems - strlen(problems) - 2);
    strcat(problems, "\n");
}

#define START "hostname = \"mx.example.org\"\nlisten \"127.0.0.1:25\" { role = \"mx\" }\n" \
              "domain \"example.org\" { route = \"discard\" }\n"

static struct config *read_text(const char *text)
{
    char file[] = "/tmp/postern-config-XXXXXX";
    int fd = mkstemp(file);
    struct config *c;

    CHECK(fd >= 0 && write(fd, START, strlen(START)) == (ssize_t)strlen(START) &&
          write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    problems[0] = '\0';
    c = config_read(file, CONFIG_TO_SERVE, remember, NULL);
    unlink(file);
    return c;
}

static void check_refused(const char *text, const char *words)
{
    struct config *c = read_text(text);

    CHECK(!c);
    if (!strstr(problems, words))
        fail_msg("\"%s\" is not in \"%s\"", words, problems);
}

TEST(nothing_is_sent_told_or_listened_for_unless_it_is_said)
{
    struct config *c = read_text("");

    CHECK_TEXT(problems, "");
    CHECK(!c->report.enabled && c->report.receive_count == 0 && c->hook_count == 0 && c->web.listen_count == 0);
    CHECK(c->postfix.socketmap_count == 0 && c->postfix.tcp_table_count == 0 && !c->postfix.tlsrpt);
    CHECK(c->facts.keep == 90 && !c->facts.file && c->dkim_count == 0);
    CHECK(c->report.domain_count == 1);
    CHECK_TEXT(c->report.domains[0], "example.org");
    config_free(c);
}

#define KEY "dkim \"example.org\" { selector = \"s1\" key = \"/etc/postern/dkim.pem\" }\n"

TEST(reports_are_sent_once_there_is_a_name_an_address_and_a_key)
{
    struct config *c = read_text(KEY "tls-report { organization = \"Example Org\" contact = \"tls@example.org\" spread = 60 "
                                     "receive = { \"tls@example.org\" } domains = { \"example.org\", \".example.net\" } }\n");

    CHECK_TEXT(problems, "");
    CHECK(c->report.enabled && c->report.spread == SECONDS(60) && c->report.give_up == HOURS(24));
    CHECK(c->report.domain_count == 2);
    CHECK_TEXT(c->report.organization, "Example Org");
    CHECK(routing_for(&c->routing, SLICE("TLS@example.org"))->route.kind == ROUTE_REPORTS);
    CHECK(routing_for(&c->routing, SLICE("other@example.org"))->route.kind == ROUTE_DISCARD);
    CHECK_TEXT(config_dkim_for(c, SLICE("Example.Org"))->selector, "s1");
    CHECK(!config_dkim_for(c, SLICE("example.net")));
    config_free(c);
}

TEST(a_report_that_could_not_be_signed_is_a_mistake)        /* TLSRPT-076 */
{
    check_refused("tls-report { organization = \"Example Org\" contact = \"tls@example.org\" }", "add dkim \"example.org\"");
    check_refused(KEY "tls-report { contact = \"tls@example.org\" }", "organization");
    check_refused(KEY "tls-report { organization = \"Example Org\" }", "contact");
    check_refused("tls-report { contact = \"nobody\" }", "must be an address");
}

TEST(a_key_needs_its_selector_and_file)
{
    check_refused("dkim \"example.org\" { key = \"/k\" }", "selector");
    check_refused("dkim \"example.org\" { selector = \"s\" }", "genpkey");
    check_refused("dkim \"not a domain\" { selector = \"s\" key = \"/k\" }", "example.org");
}

TEST(a_hook_calls_or_runs)
{
    struct config *c = read_text("hook \"pager\" { events = { \"blocked\", \"downgrade\" } url = \"https://alerts.example.org/\" "
                                 "every = 60 }\nhook \"mail\" { command = { \"/bin/tell\", \"--urgent\" } }\n");

    CHECK_TEXT(problems, "");
    CHECK(c->hook_count == 2 && c->hooks[0].events == (1u << EVENT_BLOCKED | 1u << EVENT_DOWNGRADE));
    CHECK(c->hooks[1].events == (1u << EVENT_KINDS) - 1 && !c->hooks[1].command[2]);
    CHECK_TEXT(c->hooks[1].command[1], "--urgent");
    CHECK(config_events(c) == (1u << EVENT_KINDS) - 1 && c->hooks[0].every == SECONDS(60));
    config_free(c);
    check_refused("hook \"x\" { }", "either url");
    check_refused("hook \"x\" { url = \"https://a.example/\" command = { \"/bin/true\" } }", "either url");
    check_refused("hook \"x\" { command = { \"true\" } }", "absolute path");
    check_refused("hook \"x\" { url = \"http://alerts.example.org/\" }", "hook \"x\"");
    check_refused("hook \"x\" { url = \"ftp://alerts.example.org/\" }", "hook \"x\"");
    check_refused("hook \"x\" { url = \"https://a.example/\" events = { \"sneeze\" } }", "is no event");
}

TEST(answers_for_postfix_are_given_at_addresses_and_paths)
{
    struct config *c = read_text("postfix { socketmap = { \"127.0.0.1:8461\", \"unix:/run/postern/map\" } "
                                 "tlsrpt = \"/run/postern/tlsrpt.sock\" }\nweb { listen = { \"[::1]:443\" } }\n");

    CHECK_TEXT(problems, "");
    CHECK(c->postfix.socketmap_count == 2 && c->postfix.socketmap[0].address.port == 8461);
    CHECK_TEXT(c->postfix.socketmap[1].path, "/run/postern/map");
    CHECK_TEXT(c->postfix.tlsrpt, "/run/postern/tlsrpt.sock");
    CHECK(c->web.listen_count == 1 && c->web.listen[0].port == 443);
    config_free(c);
    check_refused("postfix { socketmap = { \"localhost\" } }", "socketmap");
    check_refused("postfix { tlsrpt = \"127.0.0.1:25\" }", "must be the path");
    check_refused("web { listen = { \"/run/x\" } }", "web listen");
}

TEST(facts_are_kept_for_days)
{
    check_refused("facts { keep = 0 }", "must be from 1");
    check_refused("facts { file = \"facts.jsonl\" }", "absolute");
}

#include "tests/test.h"

#include "base/memory.h"
#include "serve/config.h"

static char problems[4000];

static void remember(void *arg, const char *text)
{
    strncat(problems, text, sizeof problems - strlen(problems) - 2);
    strcat(problems, "\n");
}

static struct config *read_text(const char *text)
{
    char file[] = "/tmp/postern-config-XXXXXX";
    int fd = mkstemp(file);
    struct config *c;

    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    problems[0] = '\0';
    c = config_read(file, CONFIG_TO_SERVE, remember, NULL);
    unlink(file);
    return c;
}

#define HOST "hostname = \"mx.example.org\"\n"
#define LISTEN "listen \"127.0.0.1:25\" { role = \"mx\" }\n"

TEST(a_small_configuration_has_safe_defaults)
{
    struct config *c = read_text(HOST LISTEN);
    struct address loopback, stranger;

    CHECK(c);
    CHECK_TEXT(problems, "");
    CHECK_EQUAL(c->listener_count, 1);
    CHECK_EQUAL(c->listeners[0].tls, LISTENER_STARTTLS);
    CHECK_EQUAL(c->listeners[0].minimum, TLS_1_2);
    CHECK_ID("SMTP-084", c->retry.give_up == DAYS(5) && c->retry.give_up_bounce == DAYS(1));
    CHECK_ID("SMTP-128", c->hops == 100);
    CHECK_ID("SMTP-064", c->limits.recipients >= 100);
    CHECK(!routing_find(&c->routing, SLICE("example.net"))->ours);
    CHECK_EQUAL(routing_find(&c->routing, SLICE("example.net"))->tls.level, TLS_LEVEL_MAY);
    CHECK_EQUAL(routing_find(&c->routing, SLICE("example.net"))->route.kind, ROUTE_MX);
    CHECK(address_parse_ip(SLICE("127.0.0.1"), &loopback) && address_parse_ip(SLICE("192.0.2.1"), &stranger));
    CHECK(config_is_trusted(c, &loopback));
    CHECK(!config_is_trusted(c, &stranger));
    CHECK_TEXT(c->postmaster, "postmaster@mx.example.org");
    config_free(c);
}

TEST(everything_that_can_be_said_is_understood)
{
    struct config *c = read_text(HOST
        "data-directory = \"/srv/postern\"\nuser = \"mail\"\ninbound-processes = 3\noutbound-processes = 4\n"
        "trusted = { \"192.0.2.0/24\", \"2001:db8::/32\" }\n"
        "log { to = \"syslog\" format = \"json\" level = \"debug\" }\n"
        "certificate \"one\" { chain = \"/a.pem\" key = \"/a.key\" }\n"
        "certificate \"two\" { chain = \"/b.pem\" }\n"
        "listen \"*:25\" { role = \"mx\" tls-minimum = \"1.0\" }\n"
        "listen \"[2001:db8::1]:465\" { role = \"submission\" tls = \"implicit\" }\n"
        "domain \"example.org\" { route = \"maildir /srv/%d/%u\" }\n"
        "domain \"example.com\" { route = \"smtp inner.example.com:24\" tls { level = \"verify\" } }\n"
        "destination \"default\" { route = \"smtp relay.example.net:465 implicit\" tls { level = encrypt } }\n"
        "destination \".lab.example.org\" { tls { level = \"off\" } }\n"
        "dns { forwarders = { \"192.0.2.53@5353\" } trust-anchor = \"/dev/null\" validate = false timeout = 3\n"
        "      stub \"example.net\" { server = \"192.0.2.54\" } }\n"
        "delivery { port = 2525 idle-connection = 0 cleartext-after = 60 ca-file = \"/dev/null\" }\n"
        "retry { first = 60 most = 600 give-up = 3600 give-up-bounce = 1800 delay-notice = 900 }\n"
        "limits { message-size = 100000 hops = 30 command-time = 10 }\n");
    const struct routing_rule *rule;

    CHECK_TEXT(problems, "");
    CHECK(c);
    CHECK_EQUAL(c->inbound_processes, 3);
    CHECK_EQUAL(c->outbound_processes, 4);
    CHECK_EQUAL(c->trusted_count, 2);
    CHECK_EQUAL(c->log.format, LOG_FORMAT_JSON);
    CHECK_EQUAL(c->identity_count, 2);
    CHECK_TEXT(c->identities[1].key_file, "/b.pem");
    CHECK_EQUAL(c->listener_count, 3);
    CHECK_EQUAL(c->listeners[0].minimum, TLS_1_0);
    CHECK_EQUAL(c->listeners[2].tls, LISTENER_IMPLICIT);
    rule = routing_find(&c->routing, SLICE("example.com"));
    CHECK(rule->ours && rule->route.kind == ROUTE_SMTP && rule->route.port == 24 && rule->tls.level == TLS_LEVEL_VERIFY);
    rule = routing_find(&c->routing, SLICE("elsewhere.example"));
    CHECK(!rule->ours && rule->route.implicit_tls && rule->tls.level == TLS_LEVEL_ENCRYPT);
    CHECK_EQUAL(rule->tls.cleartext_after, 60000);
    rule = routing_find(&c->routing, SLICE("a.lab.example.org"));
    CHECK_EQUAL(rule->tls.level, TLS_LEVEL_OFF);
    CHECK(!c->resolver.validate);
    CHECK_TEXT(c->resolver.stubs[0].zone, "example.net");
    CHECK_EQUAL(c->resolver.timeout, 3000);
    CHECK_EQUAL(c->delivery.port, 2525);
    CHECK_EQUAL(c->retry.delay_notice, 900000);
    CHECK_EQUAL(c->limits.command_time, 10000);
    CHECK_TEXT(c->postmaster, "postmaster@example.org");
    config_free(c);
}

/* Every wrong file is refused with its line and a remedy. */
TEST(mistakes_are_named_with_line_and_remedy)
{
    static const struct {
        const char *text, *line, *words;
    } cases[] = {
        { HOST "listen \"127.0.0.1:25\" { role = \"mix\" }\n", ":2:", "must be mx or submission" },
        { HOST "\nlisten \"127.0.0.1:25\" { }\n", ":3:", "needs a role" },
        { HOST "listen \"127.0.0.1\" { role = \"mx\" }\n", ":2:", "192.0.2.1:25" },
        { HOST "listen \"127.0.0.1:99999\" { role = \"mx\" }\n", ":2:", "listen" },
        { HOST, "", "nothing to listen on" },
        { HOST LISTEN "listen \"*:2525\" { role = \"mx\" }\nlisten \":2525\" { role = \"mx\" }\n", ":4:", "another listener" },
        { HOST LISTEN "colour = \"red\"\n", ":3:", "colour" },
        { HOST LISTEN "retry { first = 0 }\n", ":3:", "must be from 1 to 86400" },
        { HOST LISTEN "retry { first = 600 most = 60 }\n", ":3:", "must not be less" },
        { HOST LISTEN "limits { hops = 5000 }\n", ":3:", "must be from 10 to 1000" },
        { HOST LISTEN "trusted = { \"10.0.0.0/33\" }\n", ":3:", "trusted" },
        { HOST LISTEN "domain \"example.org\" { }\n", ":3:", "needs a route" },
        { HOST LISTEN "domain \"example.org\" { route = \"pigeon\" }\n", ":3:", "is no route" },
        { HOST LISTEN "domain \"default\" { route = \"mx\" }\n", ":3:", "open relay" },
        { HOST LISTEN "domain \"exa mple\" { route = \"mx\" }\n", ":3:", "is no domain" },
        { HOST LISTEN "destination \"example.org\" { tls { level = \"verify\" } }\n", ":3:", "names from the DNS" },
        { HOST LISTEN "destination \"example.org\" { tls { level = \"always\" } }\n", ":3:", "must be off, may" },
        { HOST LISTEN "destination \"a.example\" { route = \"mx\" }\ndomain \"a.example\" { route = \"mx\" }\n", ":3:",
          "given twice" },
        { HOST LISTEN "certificate \"x\" { key = \"/k\" }\n", ":3:", "needs chain" },
        { HOST LISTEN "dns { forwarders = { \"localhost\" } }\n", ":3:", "must be an address" },
        { HOST LISTEN "data-directory = \"here\"\n", "", "absolute path" },
        { "hostname = \"not a name\"\n" LISTEN, ":1:", "full host name" },
        { HOST LISTEN "postmaster = \"nobody\"\n", "", "postmaster must be an address" },
        { HOST LISTEN "listen \"[::1]:25\" { role = \"mx\"\n", ":", "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *c = read_text(cases[i].text);

        if (c || !strstr(problems, cases[i].line) || !strstr(problems, cases[i].words))
            fail_msg("case %zu: wanted \"%s\" and \"%s\", got: %s", i, cases[i].line, cases[i].words, problems);
    }
}

TEST(a_file_that_is_not_there_is_named)
{
    problems[0] = '\0';
    CHECK(!config_read("/nowhere/postern.conf", CONFIG_TO_SERVE, remember, NULL));
    CHECK(strstr(problems, "/nowhere/postern.conf") && strstr(problems, "-c FILE"));
}

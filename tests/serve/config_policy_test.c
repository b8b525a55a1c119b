/* What the operator says of encryption: rules, exceptions, policies of their own. */
#include "tests/test.h"

#include "base/memory.h"
#include "serve/config.h"

static char problems[8000];

static void remember(void *arg, const char *text)
{
    strncat(problems, text, sizeof problems - strlen(problems) - 2);
    strcat(problems, "\n");
}

#define START "hostname = \"mx.example.org\"\nlisten \"127.0.0.1:25\" { role = \"mx\" }\n"

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

static const struct tls_rule *rule_of(const struct config *c, const char *domain)
{
    return &routing_find(&c->routing, slice_of(domain))->tls;
}

TEST(what_is_not_said_is_as_the_specification_has_it)
{
    struct config *c = read_text("");

    CHECK_TEXT(problems, "");
    CHECK_ID("DANE-022", c->decide.insecure_mx == INSECURE_MX_DANE);
    CHECK_ID("PD-07", !c->decide.dane_satisfies_sts);
    CHECK_ID("REQTLS-052", !c->decide.tls_optional_lifts_all);
    CHECK_ID("REQTLS-020", !c->decide.requiretls_enforce_only);
    CHECK(c->requiretls && !c->dane.sha512_off);
    CHECK_ID("MTASTS-011", c->sts.enabled && !c->sts.defer_on_error && c->sts.port == 443);
    CHECK_ID("MTASTS-032", c->sts.patience == SECONDS(10));
    CHECK_ID("MTASTS-025", c->sts.fetch_time == SECONDS(60));
    CHECK(c->memory.mode == MEMORY_DEFER && c->memory.deliveries == 20 && c->memory.span == DAYS(14) &&
          c->memory.hold == HOURS(1) && c->memory.forget == DAYS(90));
    CHECK(c->selftest.enabled && c->selftest.names.signed_name.name);
    CHECK(!rule_of(c, "example.net")->no_dane && !rule_of(c, "example.net")->no_sts);
    config_free(c);
}

TEST(a_rule_says_whom_it_believes)
{
    struct config *c = read_text(
        "destination \"example.net\" { route = \"smtp relay.example.net:587\"\n"
        "  tls { level = \"verify\" names = { \"relay.example.net\", \".mail.example.net\" }\n"
        "        fingerprints = { \"AA:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99\" }\n"
        "        minimum = \"1.3\" ciphers = \"ECDHE+AESGCM\" } }\n"
        "destination \"example.com\" { tls { dane = false sts = false } }\n"
        "destination \"old.example\" { tls { level = off allow-cleartext-override = true } }\n"
        "destination \"strict.example\" { tls { level = dane-only } }\n"
        "destination \"partner.example\" { tls { requiretls = \"opportunistic+starttls\" } }\n");
    const struct tls_rule *r;

    CHECK_TEXT(problems, "");
    r = rule_of(c, "example.net");
    CHECK(r->level == TLS_LEVEL_VERIFY && r->name_count == 2 && r->fingerprint_count == 1 && r->minimum == TLS_1_3);
    CHECK_TEXT(r->fingerprints[0], "aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899");
    CHECK_TEXT(r->ciphers, "ECDHE+AESGCM");
    CHECK(rule_of(c, "example.com")->no_dane && rule_of(c, "example.com")->no_sts);
    CHECK(rule_of(c, "old.example")->allow_cleartext_override);
    CHECK(rule_of(c, "strict.example")->level == TLS_LEVEL_DANE_ONLY);
    CHECK_ID("REQTLS-030", rule_of(c, "partner.example")->requiretls == REQUIRETLS_WITH_TLS &&
                               rule_of(c, "strict.example")->requiretls == REQUIRETLS_ENFORCE);
    config_free(c);
}

TEST(a_strict_default_has_a_short_list_of_exceptions)
{
    struct config *c = read_text(
        "destination \"default\" { tls { level = encrypt except = { \"example.net\", \".example.com\" } } }\n"
        "destination \"hard.example.com\" { tls { level = encrypt } }\n");

    CHECK_TEXT(problems, "");
    CHECK(rule_of(c, "anywhere.example")->level == TLS_LEVEL_ENCRYPT);
    CHECK(rule_of(c, "example.net")->level == TLS_LEVEL_MAY);
    CHECK(rule_of(c, "www.example.net")->level == TLS_LEVEL_ENCRYPT);
    CHECK(rule_of(c, "a.example.com")->level == TLS_LEVEL_MAY);
    CHECK(rule_of(c, "example.com")->level == TLS_LEVEL_ENCRYPT);
    CHECK(rule_of(c, "hard.example.com")->level == TLS_LEVEL_ENCRYPT);
    config_free(c);
}

TEST(policies_of_the_operators_own_are_read_like_a_domains)     /* MTASTS-085 */
{
    struct config *c = read_text(
        "mta-sts { patience = 3 fetch-time = 20 port = 8443 lookup-failure = defer private-addresses = false\n"
        "  pin \"example.net\" { mx = { \"mx.example.net\", \"*.mail.example.net\" } }\n"
        "  pin \"example.com\" { mode = testing mx = { \"mx.example.com\" } } }\n"
        "policy { insecure-mx = may sts-with-dane = dane tls-required-no = all requiretls-sts = enforce requiretls = false\n"
        "  dane-sha512 = false memory = enforce memory-deliveries = 3 memory-span = 60 memory-hold = 5 memory-forget = 7200 }\n"
        "dns { selftest { signed = \"example.org MX\" bogus = \"none\" } }\n");

    CHECK_TEXT(problems, "");
    CHECK(c->sts.defer_on_error && !c->sts.private_addresses && c->sts.port == 8443 && c->sts.pin_count == 2);
    CHECK(c->sts.pins[0].policy->mode == STS_MODE_ENFORCE && c->sts.pins[0].policy->mx_count == 2);
    CHECK(c->sts.pins[1].policy->mode == STS_MODE_TESTING);
    CHECK(c->decide.insecure_mx == INSECURE_MX_MAY && c->decide.dane_satisfies_sts && c->decide.tls_optional_lifts_all);
    CHECK(c->decide.requiretls_enforce_only && !c->requiretls && c->dane.sha512_off);
    CHECK(c->memory.mode == MEMORY_ENFORCE && c->memory.deliveries == 3 && c->memory.hold == SECONDS(5));
    CHECK_TEXT(c->selftest.names.signed_name.name, "example.org");
    CHECK(!c->selftest.names.unsigned_name.name && !c->selftest.names.bogus_name.name);
    config_free(c);
}

TEST(who_only_asks_needs_no_listener)
{
    char file[] = "/tmp/postern-config-XXXXXX";
    int fd = mkstemp(file);
    struct config *c;

    CHECK(fd >= 0);
    close(fd);
    problems[0] = '\0';
    c = config_read(file, CONFIG_TO_ASK, remember, NULL);
    CHECK(c && c->hostname && c->listener_count == 0);
    CHECK_TEXT(problems, "");
    config_free(c);
    c = config_read(file, CONFIG_TO_SERVE, remember, NULL);
    CHECK(!c && strstr(problems, "nothing to listen on"));
    unlink(file);
}

TEST(what_could_never_work_is_refused_with_a_reason)
{
    static const struct { const char *text, *complaint; } rows[] = {
        { "destination \"a.example\" { tls { level = verify } }", "names from the DNS prove nothing" },
        { "destination \"a.example\" { tls { level = loud } }", "dane-only" },
        { "destination \"a.example\" { tls { level = dane-only dane = false } }", "nothing could ever be delivered" },
        { "destination \"a.example\" { tls { names = { \"b.example\" } } }", "verify only" },
        { "destination \"a.example\" { tls { allow-cleartext-override = true } }", "level = off only" },
        { "destination \"a.example\" { tls { level = verify fingerprints = { \"aabb\" } } }", "64 hex digits" },
        { "destination \"a.example\" { tls { level = verify names = { \"no name\" } } }", "mx.example.org" },
        { "destination \"a.example\" { tls { minimum = \"1.1\" } }", "less than 1.2" },
        { "destination \"a.example\" { tls { ciphers = \"NO-SUCH-CIPHER\" } }", "NO-SUCH-CIPHER" },
        { "destination \"a.example\" { tls { level = encrypt except = { \"a.example\" } } }", "given twice" },
        { "destination \"a.example\" { tls { level = encrypt except = { \"no domain\" } } }", "is no domain" },
        { "domain \"a.example\" { route = discard tls { level = encrypt except = { \"b.example\" } } }", "domain of ours" },
        { "destination \"a.example\" { tls { requiretls = maybe } }", "opportunistic" },
        { "dns { validate = false } destination \"a.example\" { tls { level = dane-only } }", "validate = true" },
        { "destination \"a.example\" { route = \"smtp 192.0.2.1\" tls { level = dane-only } }", "no TLSA records" },
        { "destination \"a.example\" { route = \"smtp b.example:465 implicit\" tls { level = off } }", "contradicts" },
        { "destination \"a.example\" { route = \"smtp m\u00fcller.example\" }", "A-labels" },
        { "mta-sts { enabled = false pin \"a.example\" { mx = { \"b.example\" } } }", "no effect" },
        { "policy { insecure-mx = loud }", "dane, encrypt or may" },
        { "policy { memory = loud }", "off, alarm, defer or enforce" },
        { "policy { memory-span = 864000 memory-forget = 3600 }", "no habit would last" },
        { "mta-sts { pin \"a.example\" { mode = enforce } }", "mx" },
        { "mta-sts { pin \"a.example\" { mx = { \"*.*.example\" } } }", "a.example" },
        { "mta-sts { patience = 301 }", "from 0 to 300" },
        { "mta-sts { ca-file = \"/does/not/exist\" }", "cannot be read" },
        { "dns { selftest { signed = \"not a name\" } }", "selftest signed" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config *c = read_text(rows[i].text);

        CHECK(!c);
        if (!strstr(problems, rows[i].complaint))
            fprintf(stderr, "%s\n%s\n", rows[i].text, problems);
        CHECK(strstr(problems, rows[i].complaint));
        CHECK(strstr(problems, ":3: "));
    }
}

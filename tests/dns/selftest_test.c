/* Every verdict of the self-test: from answers made by hand, and from resolvers that are as each says. */
#include "tests/dns/middle.h"

#include "dns/selftest.h"

#include <fcntl.h>
#include <unistd.h>

static struct selftest result;

/* --- answers made by hand ------------------------------------------------------ */

enum kind { SECURE, INSECURE, ABSENT, BOGUS, FAILED };

static struct dns_answer answer_of(enum kind kind)
{
    static const struct dns_answer answers[] = {
        [SECURE] = { .status = DNS_FOUND, .secure = true, .why = "" },
        [INSECURE] = { .status = DNS_FOUND, .why = "" },
        [ABSENT] = { .status = DNS_NO_NAME, .secure = true, .why = "" },
        [BOGUS] = { .status = DNS_BOGUS, .why = "signature expired" },
        [FAILED] = { .status = DNS_FAILED, .why = "no answer in time" },
    };

    return answers[kind];
}

static enum selftest_verdict judge(enum kind sure, enum kind plain, enum kind broken)
{
    const struct selftest_answers answers = { answer_of(sure), answer_of(plain), answer_of(broken) };

    selftest_judge(true, &selftest_defaults, &answers, &result);
    CHECK((result.verdict == SELFTEST_GOOD) == (result.why[0] == '\0'));
    return result.verdict;
}

TEST(three_answers_as_they_should_be_are_good)
{
    CHECK_EQUAL(judge(SECURE, INSECURE, BOGUS), SELFTEST_GOOD);
    CHECK_EQUAL(judge(SECURE, INSECURE, FAILED), SELFTEST_GOOD);    /* a forwarder validates as well */
    CHECK_EQUAL(judge(SECURE, SECURE, BOGUS), SELFTEST_GOOD);       /* its owner signs it now */
    CHECK_EQUAL(judge(SECURE, INSECURE, ABSENT), SELFTEST_GOOD);    /* its owner has given it up */
    CHECK_EQUAL(judge(ABSENT, INSECURE, BOGUS), SELFTEST_GOOD);     /* a proof is as good as a record */
}

TEST(a_signed_name_that_comes_insecure_is_not_secure)
{
    for (enum kind broken = SECURE; broken <= FAILED; broken++)
        CHECK_EQUAL(judge(INSECURE, INSECURE, broken), SELFTEST_NOT_SECURE);
    CHECK_TEXT(result.why, "com SOA is signed but came as insecure, so DANE protects nobody; check the trust anchor and who "
                           "answers for this name");
}

TEST(good_names_that_are_bogus_are_all_bogus)
{
    for (enum kind broken = SECURE; broken <= FAILED; broken++) {
        CHECK_EQUAL(judge(BOGUS, INSECURE, broken), SELFTEST_ALL_BOGUS);
        CHECK(strncmp(result.why, "com SOA fails DNSSEC validation, so mail waits; ", 48) == 0);
        CHECK(strstr(result.why, ": signature expired"));
        CHECK_EQUAL(judge(SECURE, BOGUS, broken), SELFTEST_ALL_BOGUS);
        CHECK(strncmp(result.why, "gmail.com A fails", 17) == 0);
    }
    CHECK_EQUAL(judge(FAILED, INSECURE, FAILED), SELFTEST_ALL_BOGUS);   /* only signed names fail */
    CHECK(strstr(result.why, "mail to signed domains waits") && strstr(result.why, ": no answer in time"));
}

TEST(a_broken_name_that_comes_as_data_is_blindness)
{
    CHECK_EQUAL(judge(SECURE, INSECURE, INSECURE), SELFTEST_BLIND);
    CHECK_EQUAL(judge(SECURE, FAILED, SECURE), SELFTEST_BLIND);
    CHECK(strncmp(result.why, "dnssec-failed.org A has broken signatures", 41) == 0);
}

TEST(without_answers_nothing_is_known)
{
    CHECK_EQUAL(judge(FAILED, FAILED, FAILED), SELFTEST_UNREACHABLE);
    CHECK(strstr(result.why, "com SOA has no answer") && strstr(result.why, "no answer in time"));
    CHECK_EQUAL(judge(SECURE, FAILED, BOGUS), SELFTEST_UNREACHABLE);
    CHECK(strstr(result.why, "gmail.com A has no answer"));
}

TEST(questions_that_are_left_out_do_not_count)
{
    const struct selftest_answers answers = { answer_of(FAILED), answer_of(BOGUS), answer_of(SECURE) };
    struct selftest_names names = { 0 };

    selftest_judge(true, &names, &answers, &result);
    CHECK_EQUAL(result.verdict, SELFTEST_GOOD);
    names.signed_name = (struct selftest_name){ "example.org", DNS_A };
    selftest_judge(true, &names, &answers, &result);
    CHECK_EQUAL(result.verdict, SELFTEST_UNREACHABLE);
    names.bogus_name = (struct selftest_name){ "broken.example.org", DNS_A };
    selftest_judge(true, &names, &answers, &result);
    CHECK_EQUAL(result.verdict, SELFTEST_BLIND);
}

TEST(the_words_are_one_line_however_long)
{
    struct selftest_answers answers = { answer_of(BOGUS), answer_of(INSECURE), answer_of(BOGUS) };
    static char words[2000];

    memset(words, '\n', sizeof words - 1);
    answers.signed_name.why = words;
    selftest_judge(true, &selftest_defaults, &answers, &result);
    CHECK(strlen(result.why) < sizeof result.why && !strchr(result.why, '\n'));
}

TEST(each_verdict_has_its_name)
{
    CHECK_TEXT(selftest_verdict_name(SELFTEST_GOOD), "good");
    CHECK_TEXT(selftest_verdict_name(SELFTEST_OFF), "off");
    CHECK_TEXT(selftest_verdict_name(SELFTEST_NOT_SECURE), "not secure");
    CHECK_TEXT(selftest_verdict_name(SELFTEST_ALL_BOGUS), "all bogus");
    CHECK_TEXT(selftest_verdict_name(SELFTEST_BLIND), "blind");
    CHECK_TEXT(selftest_verdict_name(SELFTEST_UNREACHABLE), "unreachable");
}

/* --- names from the configuration -------------------------------------------------- */

TEST(a_name_may_carry_its_type)
{
    static const struct { const char *text, *name; enum dns_type type; } table[] = {
        { "example.org", "example.org", DNS_A },     { " Example.ORG.  mx ", "example.org", DNS_MX },
        { ". SOA", ".", DNS_SOA },                   { "_25._tcp.mx.example.org TLSA", "_25._tcp.mx.example.org", DNS_TLSA },
        { "none", NULL, DNS_A },                     { "", NULL, DNS_A },
        { "none NS", "none", DNS_NS },
    };
    static const char *const bad[] = { "a..b", "example.org XYZ", "example.org A B", "b\xc3\xbc.example", ".. A" };
    struct selftest_name name;

    arena_init(&arena, 4096);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CHECK_OK(selftest_name_parse(slice_of(table[i].text), &arena, &name, &why), &why);
        CHECK(table[i].name ? strcmp(name.name, table[i].name) == 0 : !name.name);
        CHECK_EQUAL(name.type, table[i].type);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!selftest_name_parse(slice_of(bad[i]), &arena, &name, &why) && why.code == E_MALFORMED);
    arena_done(&arena);
}

/* --- resolvers ------------------------------------------------------------------------- */

static const struct selftest_names tree_names = {
    .signed_name = { ".", DNS_SOA },
    .unsigned_name = { "www.insec.test", DNS_A },
    .bogus_name = { "www.bogus.test", DNS_A },
};

static void run(void *arg)
{
    const struct selftest_names *names = arg;

    selftest_run(resolver, names, &result);
}

static enum selftest_verdict verdict_on(const struct selftest_names *names)
{
    struct selftest_names copy = *names;

    on_fiber(run, &copy);
    loop_run();
    return result.verdict;
}

TEST(a_resolver_that_validates_is_good)
{
    struct selftest_names names = tree_names;

    NEEDS_TREE;
    start_on_tree(0);
    CHECK_EQUAL(verdict_on(&names), SELFTEST_GOOD);
    CHECK_TEXT(result.why, "");
    names.signed_name = (struct selftest_name){ "_25._tcp.mx2.sec.test", DNS_TLSA };   /* proved not to be there */
    CHECK_EQUAL(verdict_on(&names), SELFTEST_GOOD);
    stop();
}

TEST(a_resolver_without_an_anchor_is_off)
{
    struct resolver_settings s;

    NEEDS_TREE;
    s = tree_settings(tree.address);
    s.validate = false;
    start(&s);
    CHECK_EQUAL(verdict_on(&tree_names), SELFTEST_OFF);
    CHECK(strstr(result.why, "no trust anchor"));
    stop();
}

/* The anchor of one zone below: nothing else is secure, or seen to be broken. */
TEST(with_an_anchor_for_one_zone_the_others_are_not_secure_and_forgeries_pass)
{
    struct selftest_names names = tree_names;
    struct resolver_settings s;
    char anchor[120];

    NEEDS_TREE;
    snprintf(anchor, sizeof anchor, "%s/sec.test.key", tree.folder);
    s = tree_settings(tree.address);
    s.trust_anchor_file = anchor;
    start(&s);
    CHECK_EQUAL(verdict_on(&names), SELFTEST_NOT_SECURE);
    names.signed_name = (struct selftest_name){ "www.sec.test", DNS_A };
    CHECK_EQUAL(verdict_on(&names), SELFTEST_BLIND);
    stop();
}

TEST(with_an_anchor_that_is_not_the_roots_all_is_bogus)
{
    static const char another[] = ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";
    struct resolver_settings s;
    char anchor[120];
    int fd;

    NEEDS_TREE;
    snprintf(anchor, sizeof anchor, "%s/another", tree.folder);
    fd = open(anchor, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, another, sizeof another - 1) == (ssize_t)sizeof another - 1);
    close(fd);
    s = tree_settings(tree.address);
    s.trust_anchor_file = anchor;
    start(&s);
    CHECK_EQUAL(verdict_on(&tree_names), SELFTEST_ALL_BOGUS);
    CHECK(strstr(result.why, ". SOA fails DNSSEC validation"));
    stop();
}

TEST(a_forwarder_that_drops_signatures_makes_all_bogus)
{
    NEEDS_TREE;
    middle_start(true, 0);
    middle.rules[0] = (struct middle_rule){ NULL, 0, WITHOUT_SIGNATURES };
    CHECK_EQUAL(verdict_on(&tree_names), SELFTEST_ALL_BOGUS);
    middle_stop();
}

TEST(a_forwarder_that_fails_signed_names_makes_all_bogus)
{
    NEEDS_TREE;
    middle_start(true, 0);
    middle.rules[0] = (struct middle_rule){ ".", DNS_SOA, SERVFAIL };
    CHECK_EQUAL(verdict_on(&tree_names), SELFTEST_ALL_BOGUS);
    CHECK(strstr(result.why, "while unsigned names have"));
    middle_stop();
}

TEST(servers_that_are_silent_are_unreachable)
{
    const struct selftest_names names = {
        { "signed.silent.test", DNS_A }, { "unsigned.silent.test", DNS_A }, { "bogus.silent.test", DNS_A },
    };

    NEEDS_TREE;
    start_on_tree(300);
    CHECK_EQUAL(verdict_on(&names), SELFTEST_UNREACHABLE);
    CHECK(strstr(result.why, "no answer in time"));
    stop();
}

#include "tests/test.h"

#include "policy/mta_sts.h"

#include <stdlib.h>
#include <time.h>

#define HEAD "version: STSv1\nmode: enforce\nmax_age: 604800\n"
#define GOOD HEAD "mx: mx.example.org\n"

static struct arena arena;

/* "enforce 604800 mx1 mx2", or the error's text. */
static const char *parsed(struct slice text)
{
    static char shown[1024];
    struct sts_policy p, untouched;
    struct error why = { 0 };
    size_t used;

    memset(&p, 'x', sizeof p);
    untouched = p;
    arena_done(&arena);
    arena_init(&arena, 256 * 1024);
    if (!sts_policy_parse(text, &arena, &p, &why)) {
        CHECK_EQUAL(why.code, E_STS_INVALID);
        CHECK(memcmp(&p, &untouched, sizeof p) == 0);
        CHECK(!sts_policy_parse(text, &arena, &p, NULL));
        snprintf(shown, sizeof shown, "%s", why.text);
        return shown;
    }
    used = (size_t)snprintf(shown, sizeof shown, "%s %u", sts_mode_name(p.mode), p.max_age);
    for (size_t i = 0; i < p.mx_count && used < sizeof shown; i++)
        used += (size_t)snprintf(shown + used, sizeof shown - used, " %s", p.mx[i]);
    return shown;
}

#define PARSED(text) parsed(SLICE(text))
#define ACCEPTED(text) (strstr(PARSED(text), "MTA-STS policy: ") == NULL)

static const char *mx(const char *value)
{
    static char text[512];

    snprintf(text, sizeof text, HEAD "mx: %s\n", value);
    return parsed(slice_of(text));
}

static const char *max_age(const char *value)
{
    static char text[512];

    snprintf(text, sizeof text, "version: STSv1\nmode: none\nmax_age: %s\n", value);
    return parsed(slice_of(text));
}

/* --- lines ------------------------------------------------------------------------- */

/* MTASTS-040 */
TEST(lines_end_in_lf_or_crlf_and_the_last_need_not_end)
{
    static const char *const wanted = "enforce 604800 mx.example.org";

    CHECK_TEXT(PARSED(GOOD), wanted);
    CHECK_TEXT(PARSED("version: STSv1\r\nmode: enforce\r\nmax_age: 604800\r\nmx: mx.example.org\r\n"), wanted);
    CHECK_TEXT(PARSED("version: STSv1\nmode: enforce\r\nmax_age: 604800\nmx: mx.example.org\r\n"), wanted);
    CHECK_TEXT(PARSED(HEAD "mx: mx.example.org"), wanted);
}

TEST(a_cr_that_ends_no_line_is_a_control_character)
{
    CHECK(!ACCEPTED("version: STSv1\rmode: enforce\rmax_age: 604800\rmx: mx.example.org\r"));
    CHECK(!ACCEPTED(HEAD "mx: mx.example.org\r"));
    CHECK(!ACCEPTED(HEAD "mx: mx.example.org\r\r\n"));
    CHECK(!ACCEPTED(GOOD "other: a\rb\n"));
    CHECK(!ACCEPTED(GOOD "\r"));
    CHECK(ACCEPTED(GOOD "\r\n"));
}

TEST(blanks_may_stand_behind_the_colon_and_at_the_end_of_a_line)
{
    CHECK_TEXT(PARSED("version:STSv1\nmode: \t enforce\t \r\nmax_age:604800 \nmx:\tmx.example.org \t"),
               "enforce 604800 mx.example.org");
    CHECK(!ACCEPTED(" version: STSv1\nmode: none\nmax_age: 1\n"));
    CHECK(!ACCEPTED("version : STSv1\nmode: none\nmax_age: 1\n"));
    CHECK(!ACCEPTED("version: STSv1\nmode: none\nmax_age: 1 2\n"));
}

/* MTASTS-047 */
TEST(blank_lines_are_borne_only_at_the_end)
{
    CHECK(ACCEPTED(GOOD "\n"));
    CHECK(ACCEPTED(GOOD "\n\r\n \t\n\n  "));
    CHECK_TEXT(PARSED("\n" GOOD), "MTA-STS policy: line 1: blank, with more behind it");
    CHECK_TEXT(PARSED("version: STSv1\n\n\nmode: none\nmax_age: 1\n"),
               "MTA-STS policy: line 2: blank, with more behind it");
    CHECK_TEXT(PARSED(GOOD " \nother: x\n"), "MTA-STS policy: line 5: blank, with more behind it");
}

TEST(nothing_is_no_policy)
{
    CHECK_TEXT(PARSED(""), "MTA-STS policy: there is no version");
    CHECK_TEXT(parsed(slice(NULL, 0)), "MTA-STS policy: there is no version");
    CHECK_TEXT(PARSED("\r\n\r\n"), "MTA-STS policy: there is no version");
    CHECK_TEXT(PARSED("<!DOCTYPE html>\n<html>"), "MTA-STS policy: line 1: not \"key: value\": \"<!DOCTYPE html>\"");
}

/* MTASTS-048 */
TEST(nul_and_what_is_not_utf_8_are_refused_anywhere)
{
    CHECK_TEXT(PARSED(GOOD "other: a\0b\n"),
               "MTA-STS policy: line 5: other holds a control character, or what is not UTF-8");
    CHECK(!ACCEPTED(HEAD "mx: mx.example.org\0\n"));
    CHECK(!ACCEPTED(GOOD "\0"));
    CHECK(!ACCEPTED("\0" GOOD));
    CHECK(!ACCEPTED(GOOD "oth\0er: x"));
    CHECK(!ACCEPTED("\xef\xbb\xbf" GOOD));
}

static bool value_accepted(const char *value)
{
    char text[256];

    snprintf(text, sizeof text, GOOD "other: %s\n", value);
    return strstr(parsed(slice_of(text)), "MTA-STS policy: ") == NULL;
}

TEST(values_of_unknown_fields_are_utf_8_without_controls)
{
    static const char *const good[] = {
        "a", "a b", "~!@:;=", "\xc2\xa0", "gr\xc3\xbcn", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
    };
    static const char *const bad[] = {
        "", "a\tb", "\x01", "a\x7f", "\x1b[2J", "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x9f\xbf",
        "\xe2\x82", "\xe2\x82(", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf0\x90\x80(", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff",
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!value_accepted(good[i]))
            fail_msg("good value %zu is refused", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (value_accepted(bad[i]))
            fail_msg("bad value %zu is taken", i);
}

TEST(a_character_cut_off_by_the_end_is_not_read_on)
{
    struct slice whole = SLICE(GOOD "other: \xf0\x90\x80\x80");

    CHECK_TEXT(parsed(whole), "enforce 604800 mx.example.org");
    for (size_t missing = 1; missing <= 3; missing++)
        CHECK(strstr(parsed(slice_first(whole, whole.len - missing)), "line 5: other holds"));
}

/* --- fields ------------------------------------------------------------------------- */

/* MTASTS-041 */
TEST(fields_come_in_any_order)
{
    static const char *const lines[] = { "version: STSv1\n", "mode: testing\n", "max_age: 86400\n", "mx: mx.example.org\n" };

    for (int order = 0; order < 256; order++) {
        int at[] = { order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6 };
        char text[128];
        int once = 0;

        for (int i = 0; i < 4; i++)
            once |= 1 << at[i];
        snprintf(text, sizeof text, "%s%s%s%s", lines[at[0]], lines[at[1]], lines[at[2]], lines[at[3]]);
        if (once == 15)
            CHECK_TEXT(parsed(slice_of(text)), "testing 86400 mx.example.org");
        else
            CHECK_ID("MTASTS-041", strstr(parsed(slice_of(text)), "there is no"));
    }
}

TEST(each_missing_field_is_named)
{
    CHECK_TEXT(PARSED("mode: none\nmax_age: 1\n"), "MTA-STS policy: there is no version");
    CHECK_TEXT(PARSED("version: STSv1\nmax_age: 1\n"), "MTA-STS policy: there is no mode");
    CHECK_TEXT(PARSED("version: STSv1\nmode: none\n"), "MTA-STS policy: there is no max_age");
    /* MTASTS-044 */
    CHECK_TEXT(PARSED(HEAD), "MTA-STS policy: there is no mx, which mode enforce needs");
    CHECK_TEXT(PARSED("version: STSv1\nmode: testing\nmax_age: 1\n"),
               "MTA-STS policy: there is no mx, which mode testing needs");
    CHECK_TEXT(PARSED("version: STSv1\nmode: none\nmax_age: 1\n"), "none 1");
    CHECK_TEXT(PARSED("version: STSv1\nmode: none\nmax_age: 1\nmx: a.example\n"), "none 1 a.example");
}

TEST(names_and_values_are_case_sensitive)
{
    CHECK_TEXT(PARSED("Version: STSv1\nmode: none\nmax_age: 1\n"), "MTA-STS policy: there is no version");
    CHECK_TEXT(PARSED("version: STSv1\nMODE: none\nmax_age: 1\n"), "MTA-STS policy: there is no mode");
    CHECK_TEXT(PARSED("version: STSv1\nmode: none\nMax_Age: 1\n"), "MTA-STS policy: there is no max_age");
    CHECK_TEXT(PARSED(HEAD "MX: mx.example.org\n"), "MTA-STS policy: there is no mx, which mode enforce needs");
    CHECK_TEXT(PARSED("version: stsv1\nmode: none\nmax_age: 1\n"), "MTA-STS policy: line 1: version is \"stsv1\", not STSv1");
    CHECK_TEXT(PARSED("version: STSv2\nmode: none\nmax_age: 1\n"), "MTA-STS policy: line 1: version is \"STSv2\", not STSv1");
    /* MTASTS-042 */
    CHECK_TEXT(PARSED("version: STSv1\nmode: Enforce\nmax_age: 1\n"),
               "MTA-STS policy: line 2: mode is \"Enforce\", not enforce, testing or none");
    CHECK(!ACCEPTED("version: STSv1\nmode: enforced\nmax_age: 1\nmx: mx.example.org\n"));
}

/* MTASTS-043 */
TEST(max_age_has_one_to_ten_digits_and_is_capped)
{
    CHECK_TEXT(max_age("0"), "none 0");
    CHECK_TEXT(max_age("31557600"), "none 31557600");
    CHECK_TEXT(max_age("31557601"), "none 31557600");
    CHECK_TEXT(max_age("4294967296"), "none 31557600");
    CHECK_TEXT(max_age("9999999999"), "none 31557600");
    CHECK_TEXT(max_age("0000000600"), "none 600");
    CHECK_TEXT(max_age("99999999999"), "MTA-STS policy: line 3: max_age is \"99999999999\", not a number of 1 to 10 digits");
    CHECK(strstr(max_age("00000000600"), "line 3"));
    CHECK(strstr(max_age("-1"), "line 3"));
    CHECK(strstr(max_age("+1"), "line 3"));
    CHECK(strstr(max_age("1d"), "line 3"));
    CHECK(strstr(max_age("1.5"), "line 3"));
    CHECK(strstr(max_age("0x10"), "line 3"));
    CHECK_TEXT(max_age(""), "MTA-STS policy: line 3: max_age has no value");
}

/* MTASTS-046 */
TEST(unknown_fields_are_ignored_and_must_be_grammatical)
{
    CHECK(ACCEPTED(GOOD "x-ext.1_2: anything = goes; here\n"));
    CHECK(ACCEPTED(GOOD "abcdefghijklmnopqrstuvwxyz012345: x\n"));
    CHECK(!ACCEPTED(GOOD "abcdefghijklmnopqrstuvwxyz0123456: x\n"));
    CHECK(!ACCEPTED(GOOD "-x: y\n"));
    CHECK(!ACCEPTED(GOOD "x y: z\n"));
    CHECK(!ACCEPTED(GOOD ": z\n"));
    CHECK_TEXT(PARSED(GOOD "other\n"), "MTA-STS policy: line 5: not \"key: value\": \"other\"");
    CHECK_TEXT(PARSED(GOOD "other: \n"), "MTA-STS policy: line 5: other has no value");
}

TEST(of_a_field_that_comes_twice_the_first_counts)
{
    CHECK_TEXT(PARSED("version: STSv1\nmode: none\nmode: enforce\nmax_age: 1\nmax_age: 2\nversion: STSv9\n"), "none 1");
    CHECK_TEXT(PARSED("version: STSv1\nmode: none\nmode: nonsense\nmax_age: 1\nmax_age: -2\n"), "none 1");
    CHECK(!ACCEPTED("version: STSv1\nmode: nonsense\nmode: none\nmax_age: 1\n"));
    CHECK(!ACCEPTED("version: STSv1\nmode: none\nmode:\nmax_age: 1\n"));
}

/* --- mx -------------------------------------------------------------------------------- */

/* MTASTS-045, -047 */
TEST(an_mx_is_a_host_name_perhaps_behind_an_asterisk)
{
    CHECK_TEXT(mx("mx.example.org"), "enforce 604800 mx.example.org");
    CHECK_TEXT(mx("*.example.org"), "enforce 604800 *.example.org");
    CHECK_TEXT(mx("MX.Example.ORG."), "enforce 604800 mx.example.org");
    CHECK_TEXT(mx("*.Example.org."), "enforce 604800 *.example.org");
    CHECK_TEXT(mx("xn--bcher-kva.example"), "enforce 604800 xn--bcher-kva.example");
    CHECK_TEXT(mx("_mx_1.example.org"), "enforce 604800 _mx_1.example.org");
    CHECK_TEXT(mx("localhost"), "enforce 604800 localhost");
    CHECK_TEXT(mx("*.org"), "enforce 604800 *.org");
    CHECK_TEXT(mx("1.2.3.4.5"), "enforce 604800 1.2.3.4.5");
    CHECK_TEXT(mx("b.example\nmx: a.example\nmx: *.c.example"), "enforce 604800 b.example a.example *.c.example");
}

TEST(any_other_mx_spoils_the_policy)
{
    static const char *const bad[] = {
        "*", "*.", "*..", ".", "..", "*.*.example.org", "a*.example.org", "mx.*.org", "**.example.org", "*example.org",
        ".example.org", "mx..example.org", "mx.example.org..", "a b", "a.example, b.example", "a.example b.example",
        "mx.example.org:25", "m\xc3\xbcll.example", "mx/example", "smtp://mx.example.org", "user@example.org",
        "\"mx.example.org\"", "[mx.example.org]", "[]", "[", "]", "*.[192.0.2.1]", "[192.0.2.1", "[[192.0.2.1]]", "2001:db8::g",
        "192.0.2.1/24", "a\\.example",
        "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd.example",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!strstr(mx(bad[i]), "line 4: mx \""))
            fail_msg("mx is taken: %s", bad[i]);
    CHECK_TEXT(mx("*.*.example.org"),
               "MTA-STS policy: line 4: mx \"*.*.example.org\" is not a host name, nor \"*.\" before one");
    CHECK_TEXT(mx(""), "MTA-STS policy: line 4: mx has no value");
    CHECK(!ACCEPTED("version: STSv1\nmode: none\nmax_age: 1\nmx: *\n"));
}

/* 63 bytes in a label and 253 in a name are the most that a host can have. */
static const char *long_name(char text[300], size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        text[i] = i % 64 == 63 ? '.' : 'a';
    text[bytes] = '\0';
    return text;
}

TEST(names_of_253_bytes_are_the_longest)
{
    char text[300], pattern[304];

    CHECK(strstr(mx(long_name(text, 253)), "enforce"));
    CHECK(!strstr(mx(long_name(text, 254)), "enforce"));
    CHECK(strstr(mx(long_name(text, 63)), "enforce"));
    snprintf(pattern, sizeof pattern, "*.%s.", long_name(text, 253));
    CHECK(strstr(mx(pattern), "enforce"));
}

TEST(there_may_be_256_mx_and_no_more)
{
    char text[8192] = HEAD, line[40];
    struct sts_policy p;
    struct error why = { 0 };

    arena_done(&arena);
    arena_init(&arena, 256 * 1024);
    for (int i = 0; i < STS_MX_MAX; i++) {
        snprintf(line, sizeof line, "mx: mx%d.example.org\n", i);
        strcat(text, line);
    }
    CHECK_OK(sts_policy_parse(slice_of(text), &arena, &p, &why), &why);
    CHECK_EQUAL(p.mx_count, STS_MX_MAX);
    CHECK_TEXT(p.mx[255], "mx255.example.org");
    CHECK_TEXT(sts_policy_match(&p, "mx200.example.org"), "mx200.example.org");
    strcat(text, "mx: mx.example.org\n");
    CHECK_TEXT(parsed(slice_of(text)), "MTA-STS policy: line 260: more than 256 mx lines");
}

TEST(a_policy_of_64_kib_is_the_longest)
{
    char *text = malloc(1 << 20);
    size_t len = strlen(GOOD);

    memset(text, 'x', 1 << 20);
    memcpy(text, GOOD "other: ", len + 7);
    CHECK_TEXT(parsed(slice(text, STS_POLICY_BYTES_MAX)), "enforce 604800 mx.example.org");
    CHECK_TEXT(parsed(slice(text, STS_POLICY_BYTES_MAX + 1)), "MTA-STS policy: 65537 bytes, and the limit is 65536");
    CHECK_TEXT(parsed(slice(text, 1 << 20)), "MTA-STS policy: 1048576 bytes, and the limit is 65536");
    memset(text, '\n', STS_POLICY_BYTES_MAX);
    CHECK_TEXT(parsed(slice(text, STS_POLICY_BYTES_MAX)), "MTA-STS policy: there is no version");
    free(text);
}

TEST(an_arena_that_is_full_is_not_the_policys_fault)
{
    for (size_t room = 0; room < 128; room++) {
        struct arena small;
        struct sts_policy p = { .max_age = 77 };
        struct error why = { 0 };

        arena_init(&small, room);
        if (sts_policy_parse(SLICE(GOOD "mx: a-rather-long-name-of-a-mail-host.example.org\n"), &small, &p, &why)) {
            CHECK_TEXT(p.mx[1], "a-rather-long-name-of-a-mail-host.example.org");
        } else {
            CHECK_EQUAL(why.code, E_LIMIT);
            CHECK_EQUAL(p.max_age, 77);
        }
        arena_done(&small);
    }
}

/* --- matching ------------------------------------------------------------------------------ */

static const char *match(const char *const *patterns, size_t count, const char *host)
{
    struct sts_policy p = { .mode = STS_MODE_ENFORCE, .mx = (const char **)patterns, .mx_count = count };
    const char *pattern = sts_policy_match(&p, host);

    return pattern ? pattern : "none";
}

/* MTASTS-060 */
TEST(an_asterisk_stands_for_exactly_one_label)
{
    static const char *const wild[] = { "*.example.com" };

    CHECK_TEXT(match(wild, 1, "a.example.com"), "*.example.com");
    CHECK_TEXT(match(wild, 1, "A.EXAMPLE.com."), "*.example.com");
    CHECK_TEXT(match(wild, 1, "_a-1.example.com"), "*.example.com");
    CHECK_TEXT(match(wild, 1, "example.com"), "none");
    CHECK_TEXT(match(wild, 1, ".example.com"), "none");
    CHECK_TEXT(match(wild, 1, "a.b.example.com"), "none");
    CHECK_TEXT(match(wild, 1, "a.example.com.evil.example"), "none");
    CHECK_TEXT(match(wild, 1, "a.example.co"), "none");
    CHECK_TEXT(match(wild, 1, "aexample.com"), "none");
    CHECK_TEXT(match(wild, 1, "*.example.com"), "none");
    CHECK_TEXT(match(wild, 1, ""), "none");
    CHECK_TEXT(match(wild, 1, NULL), "none");
    CHECK_TEXT(match(wild, 1, "."), "none");
}

TEST(a_name_matches_itself_in_either_case)
{
    static const char *const names[] = { "mx1.example.org", "*.mx.example.org", "mx2.example.org", "localhost" };

    CHECK_TEXT(match(names, 4, "mx1.example.org"), "mx1.example.org");
    CHECK_TEXT(match(names, 4, "MX2.Example.Org."), "mx2.example.org");
    CHECK_TEXT(match(names, 4, "b.mx.example.org"), "*.mx.example.org");
    CHECK_TEXT(match(names, 4, "localhost"), "localhost");
    CHECK_TEXT(match(names, 4, "mx3.example.org"), "none");
    CHECK_TEXT(match(names, 4, "mx1.example.org.."), "none");
    CHECK_TEXT(match(names, 4, "mx1.example.or"), "none");
    CHECK_TEXT(match(names, 0, "mx1.example.org"), "none");
}

/* An address in the list must not break delivery by the names beside it, and covers nothing. */
TEST(an_address_as_mx_spoils_nothing_and_matches_nothing)
{
    static const char *const addresses[] = { "192.0.2.1", "192.0.2.1.", "[192.0.2.1]", "2001:db8::1", "[2001:db8::1]",
                                             "[IPv6:2001:db8::1]", "::ffff:192.0.2.1" };

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        char text[256];
        struct sts_policy p;
        struct error why = { 0 };

        snprintf(text, sizeof text, HEAD "mx: %s\nmx: mx.example.org\n", addresses[i]);
        arena_done(&arena);
        arena_init(&arena, 64 * 1024);
        CHECK_OK(sts_policy_parse(slice_of(text), &arena, &p, &why), &why);
        CHECK(sts_policy_match(&p, addresses[i]) == NULL);
        CHECK_TEXT(sts_policy_match(&p, "mx.example.org"), "mx.example.org");
        CHECK(strstr(mx(addresses[i]), "enforce"));
    }
}

TEST(matching_256_patterns_is_cheap)
{
    enum { TIMES = 2000 };
    static char names[STS_MX_MAX][64];
    static const char *patterns[STS_MX_MAX];
    struct timespec before, after;
    double microseconds;

    for (int i = 0; i < STS_MX_MAX; i++) {
        snprintf(names[i], sizeof names[i], "%smail.part%d.of.a.large.example.org", i % 2 ? "*." : "", i);
        patterns[i] = names[i];
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    for (int i = 0; i < TIMES; i++)
        CHECK_TEXT(match(patterns, STS_MX_MAX, "mx.mail.part256.of.a.large.example.org"), "none");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    microseconds = ((double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec)) / 1e3 / TIMES;
    if (microseconds > 100)         /* it takes about two; a hundred leaves room for sanitizers and valgrind */
        fail_msg("%.1f microseconds", microseconds);
}

TEST(modes_have_names)
{
    CHECK_TEXT(sts_mode_name(STS_MODE_NONE), "none");
    CHECK_TEXT(sts_mode_name(STS_MODE_TESTING), "testing");
    CHECK_TEXT(sts_mode_name(STS_MODE_ENFORCE), "enforce");
    CHECK_TEXT(sts_mode_name((enum sts_mode)9), "unknown");
    arena_done(&arena);
}

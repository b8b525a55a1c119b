#include "tests/test.h"

#include "policy/mta_sts.h"

/* The id, or the name of the error. */
static const char *found(const struct slice *texts, size_t count)
{
    static struct sts_record record;
    struct sts_record untouched;
    struct error why = { 0 };

    memset(&record, 'x', sizeof record);
    untouched = record;
    if (sts_record_find(texts, count, &record, &why))
        return record.id;
    CHECK(memcmp(&record, &untouched, sizeof record) == 0);
    CHECK(why.text[0] != '\0');
    return error_name(why.code);
}

static const char *found_in(struct slice text)
{
    return found(&text, 1);
}

#define IN(text) found_in(SLICE(text))
#define AMONG(...) \
    found((struct slice[]){ __VA_ARGS__ }, sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice))

static const char *problem(struct slice text)
{
    static struct error why;
    struct sts_record record;

    why = (struct error){ 0 };
    CHECK(!sts_record_find(&text, 1, &record, &why));
    return why.text;
}

#define THIRTY_TWO "0123456789abcdefABCDEF0123456789"

/* MTASTS-001 */
TEST(good_records_give_their_id)
{
    CHECK_TEXT(IN("v=STSv1; id=20160831085700Z;"), "20160831085700Z");
    CHECK_TEXT(IN("v=STSv1;id=1"), "1");
    CHECK_TEXT(IN("v=STSv1; id=" THIRTY_TWO), THIRTY_TWO);
    CHECK_TEXT(IN("v=STSv1;\t \tid=a \t;\t "), "a");
    CHECK_TEXT(IN("v=STSv1; other=x; id=a"), "a");
    CHECK_TEXT(IN("v=STSv1; id=a; other=x;"), "a");
}

TEST(records_that_break_the_grammar_are_malformed)
{
    static const char *const bad[] = {
        "v=STSv1", "v=STSv1;", "v=STSv1; ", "v=STSv1;;id=a", "v=STSv1; id=a;;", "v=STSv1; id=a; ;",
        "v=STSv1; id=", "v=STSv1; id", "v=STSv1; =a", "v=STSv1 id=a", "v=STSv1, id=a",
        "v=STSv1; id=a ", "v=STSv1; id=a\t", "v=STSv1; id =a", "v=STSv1; id= a", "v=STSv1; id=a b",
        "v=STSv1; id=a-b", "v=STSv1; id=a_b", "v=STSv1; id=\xc3\xa4", "v=STSv1; id=" THIRTY_TWO "0",
        "v=STSv1; other=x", "v=STSv1; id=a\r\n", "v=STSv1;\nid=a", "v=STSv1\n;id=a", "v=STSv1; id=a\x7f",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(found_in(slice_of(bad[i])), "E_MALFORMED") != 0)
            fail_msg("taken for good: %s", bad[i]);
    CHECK_TEXT(IN("v=STSv1; id=a\0"), "E_MALFORMED");
    CHECK_TEXT(IN("v=STSv1; id=\0a"), "E_MALFORMED");
    CHECK_TEXT(IN("v=STSv1; id=a; \0"), "E_MALFORMED");
}

/* MTASTS-002 */
TEST(version_and_id_are_case_sensitive)
{
    CHECK_TEXT(IN("V=STSv1; id=a"), "E_NOT_FOUND");
    CHECK_TEXT(IN("v=stsv1; id=a"), "E_NOT_FOUND");
    CHECK_TEXT(IN("v=STSV1; id=a"), "E_NOT_FOUND");
    CHECK_TEXT(IN("v=STSv1; ID=a"), "E_MALFORMED");
    CHECK_TEXT(IN("v=STSv1; Id=a; id=b"), "b");
}

TEST(other_versions_and_blanks_in_front_are_no_record)
{
    CHECK_TEXT(IN("v=STSv10; id=a"), "E_NOT_FOUND");
    CHECK_TEXT(IN("v=STSv2; id=a"), "E_NOT_FOUND");
    CHECK_TEXT(IN(" v=STSv1; id=a"), "E_NOT_FOUND");
    CHECK_TEXT(IN("id=a; v=STSv1;"), "E_NOT_FOUND");
    CHECK_TEXT(IN(""), "E_NOT_FOUND");
    CHECK_TEXT(IN("v=STSv"), "E_NOT_FOUND");
    CHECK_TEXT(found(NULL, 0), "E_NOT_FOUND");
}

/* MTASTS-003 */
TEST(unknown_fields_are_ignored_when_they_are_grammatical)
{
    CHECK_TEXT(IN("v=STSv1; " THIRTY_TWO "=x; id=a"), "a");
    CHECK_TEXT(IN("v=STSv1; " THIRTY_TWO "0=x; id=a"), "E_MALFORMED");
    CHECK_TEXT(IN("v=STSv1; 0_-.=!~<>:,\"; id=a"), "a");
    CHECK_TEXT(IN("v=STSv1; _x=y; id=a"), "E_MALFORMED");
    CHECK_TEXT(IN("v=STSv1; .x=y; id=a"), "E_MALFORMED");
    CHECK_TEXT(IN("v=STSv1; x+=y; id=a"), "E_MALFORMED");
    CHECK_TEXT(IN("v=STSv1; x=; id=a"), "E_MALFORMED");
    CHECK_TEXT(IN("v=STSv1; a=b=c; id=a"), "E_MALFORMED");
    CHECK_TEXT(IN("v=STSv1; x=\xc3\xa4; id=a"), "E_MALFORMED");
    CHECK_TEXT(IN("v=STSv1; v=STSv2; id=a"), "a");
}

/* MTASTS-008 */
TEST(the_first_id_wins)
{
    CHECK_TEXT(IN("v=STSv1; id=a; id=b"), "a");
    CHECK_TEXT(IN("v=STSv1; id=a; id=not-an-id"), "a");
    CHECK_TEXT(IN("v=STSv1; id=not-an-id; id=b"), "E_MALFORMED");
}

/* MTASTS-004 */
TEST(records_of_others_are_dropped_and_exactly_one_must_be_left)
{
    CHECK_TEXT(AMONG(SLICE("v=spf1 -all"), SLICE("v=STSv1; id=a"), SLICE("")), "a");
    CHECK_TEXT(AMONG(SLICE("v=STSv1; id=a"), SLICE("v=STSv1; id=b")), "E_MALFORMED");
    CHECK_TEXT(AMONG(SLICE("v=STSv1; id=a"), SLICE("v=STSv1; id=a")), "E_MALFORMED");
    CHECK_TEXT(AMONG(SLICE("v=STSv1; id=a"), SLICE("v=STSv1;")), "E_MALFORMED");
    CHECK_TEXT(AMONG(SLICE("v=STSv10; id=a"), SLICE("v=STSv1; id=b")), "b");
    CHECK_TEXT(AMONG(SLICE("v=spf1 -all"), SLICE("V=STSv1; id=a")), "E_NOT_FOUND");
}

/* MTASTS-005 */
TEST(a_blank_before_the_first_semicolon_is_taken_when_no_strict_record_is_there)
{
    CHECK_TEXT(IN("v=STSv1 ;id=a"), "a");
    CHECK_TEXT(IN("v=STSv1\t ; id=a;"), "a");
    CHECK_TEXT(AMONG(SLICE("v=STSv1 ; id=a"), SLICE("v=spf1 -all")), "a");
    CHECK_TEXT(AMONG(SLICE("v=STSv1 ; id=a"), SLICE("v=STSv1; id=b")), "b");
    CHECK_TEXT(AMONG(SLICE("v=STSv1; id=b"), SLICE("v=STSv1 ; id=a"), SLICE("v=STSv1 ; id=c")), "b");
    CHECK_TEXT(AMONG(SLICE("v=STSv1; broken"), SLICE("v=STSv1 ; id=a")), "E_MALFORMED");
    CHECK_TEXT(AMONG(SLICE("v=STSv1 ; id=a"), SLICE("v=STSv1 ; id=b")), "E_MALFORMED");
    CHECK_TEXT(AMONG(SLICE("v=STSv1 ; id=a"), SLICE("v=STSv1")), "E_MALFORMED");
}

TEST(a_record_of_a_megabyte_is_read_and_its_error_is_one_line)
{
    static char text[1 << 20];

    memset(text, 'a', sizeof text);
    memcpy(text, "v=STSv1;", 8);
    CHECK_TEXT(found_in(slice(text, sizeof text)), "E_MALFORMED");
    memcpy(text, "v=STSv1;x=", 10);
    CHECK_TEXT(found_in(slice(text, sizeof text)), "E_MALFORMED");
    memcpy(text + sizeof text - 5, ";id=b", 5);
    CHECK_TEXT(found_in(slice(text, sizeof text)), "b");
}

TEST(errors_say_what_is_wrong)
{
    CHECK_TEXT(problem(SLICE("v=spf1")), "no TXT record begins with v=STSv1");
    CHECK_TEXT(problem(SLICE("v=STSv1;")), "the MTA-STS record has no id");
    CHECK_TEXT(problem(SLICE("v=STSv1; x")), "the MTA-STS record has a field that is not name=value: \"x\"");
    CHECK_TEXT(problem(SLICE("v=STSv1; x=")), "the MTA-STS record's field x has no value");
    CHECK_TEXT(problem(SLICE("v=STSv1; id=a-b")), "the MTA-STS record's id is not 1 to 32 letters and digits: \"a-b\"");
    CHECK_TEXT(problem(SLICE("v=STSv1; id=a ")), "the MTA-STS record lacks a ';' before \"\"");
    CHECK_TEXT(problem(SLICE("v=STSv1; id=a b\n")), "the MTA-STS record lacks a ';' before \"b\\n\"");
}

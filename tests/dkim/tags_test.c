#include "tests/test.h"

#include "base/buf.h"
#include "dkim/tags.h"

static bool parses(const char *text, struct dkim_tags *tags)
{
    struct error why = { 0 };
    bool good = dkim_tags_parse(slice_of(text), tags, &why);

    CHECK(good || why.code == E_MALFORMED);
    CHECK(good || why.text[0]);
    return good;
}

TEST(tags_are_told_with_their_values)
{
    struct dkim_tags t;

    CHECK(parses("v=1; a_2=x y;B=\r\n\tone\r\n two ;c=", &t));
    CHECK_EQUAL(t.count, 4);
    CHECK_SLICE(dkim_tags_value(&t, "v", SLICE("none")), "1");
    CHECK_SLICE(dkim_tags_value(&t, "a_2", SLICE("none")), "x y");
    CHECK_SLICE(dkim_tags_value(&t, "B", SLICE("none")), "one\r\n two");
    CHECK_SLICE(dkim_tags_find(&t, "B")->between, "\r\n\tone\r\n two ");
    CHECK_SLICE(dkim_tags_value(&t, "c", SLICE("none")), "");
    CHECK_SLICE(dkim_tags_value(&t, "d", SLICE("none")), "none");
    CHECK(!dkim_tags_find(&t, "d"));
}

/* RFC 6376 3.2: "Tags MUST be interpreted in a case-sensitive manner." */
TEST(names_count_in_their_case)
{
    struct dkim_tags t;

    CHECK(parses("a=1;A=2", &t));
    CHECK_SLICE(dkim_tags_value(&t, "a", SLICE("")), "1");
    CHECK_SLICE(dkim_tags_value(&t, "A", SLICE("")), "2");
}

TEST(white_space_stands_around_names_and_values)
{
    struct dkim_tags t;

    CHECK(parses(" \r\n a \t= 1 \r\n\t; b\r\n =2", &t));
    CHECK_SLICE(dkim_tags_value(&t, "a", SLICE("")), "1");
    CHECK_SLICE(dkim_tags_value(&t, "b", SLICE("")), "2");
}

TEST(one_semicolon_may_end_the_list)
{
    struct dkim_tags t;

    CHECK(parses("a=1;", &t));
    CHECK(parses("a=1; \r\n ", &t));
    CHECK_EQUAL(t.count, 1);
    CHECK(!parses("a=1;;", &t));
    CHECK(!parses("a=1;;b=2", &t));
    CHECK(!parses(";a=1", &t));
}

TEST(values_may_hold_an_equals_sign_and_utf8)
{
    struct dkim_tags t;

    CHECK(parses("b=AA==; i=\xc3\xbc@example.org", &t));
    CHECK_SLICE(dkim_tags_value(&t, "b", SLICE("")), "AA==");
    CHECK_SLICE(dkim_tags_value(&t, "i", SLICE("")), "\xc3\xbc@example.org");
}

/* RFC 6376 3.2: "Tags with duplicate names MUST NOT occur within a single tag-list; if a tag name does occur more than
 * once, the entire tag-list is invalid." */
TEST(a_tag_twice_makes_the_list_invalid)
{
    struct dkim_tags t;

    CHECK(!parses("a=1; b=2; a=1", &t));
}

TEST(what_is_no_list_is_refused)
{
    static const char *const BAD[] = { "", " ", ";", "a", "=1", "a b=1", "1a=1", "_a=1", "a-b=1", "a=\x01", "a=\x7f", "a=1; b", "a=1 b" };
    struct dkim_tags t;

    for (size_t i = 0; i < sizeof BAD / sizeof *BAD - 1; i++)
        if (parses(BAD[i], &t))
            fail_msg("\"%s\" was taken", BAD[i]);
    CHECK(parses("a=1 b", &t));
    CHECK(!dkim_tags_parse(SLICE("a=1\0"), &t, NULL));
}

TEST(there_is_a_bound_to_tags)
{
    auto_buf struct buf text = { 0 };
    struct dkim_tags t;
    struct error why = { 0 };

    buf_init(&text, 1000);
    for (int i = 0; i < DKIM_TAGS_MAX; i++)
        buf_text(&text, "a%d=;", i);
    CHECK(dkim_tags_parse(buf_slice(&text), &t, NULL));
    buf_text(&text, "b=");
    CHECK(!dkim_tags_parse(buf_slice(&text), &t, &why));
    CHECK_EQUAL(why.code, E_LIMIT);
}

TEST(lists_are_parted_by_colons)
{
    CHECK(dkim_tags_lists(SLICE("a : b:c"), SLICE("a")));
    CHECK(dkim_tags_lists(SLICE("a : b:c"), SLICE("b")));
    CHECK(dkim_tags_lists(SLICE("a : b:c"), SLICE("c")));
    CHECK(!dkim_tags_lists(SLICE("a : b:c"), SLICE("A")));
    CHECK(!dkim_tags_lists(SLICE("ab"), SLICE("a")));
    CHECK(!dkim_tags_lists(SLICE(""), SLICE("a")));
}

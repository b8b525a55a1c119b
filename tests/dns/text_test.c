/* TXT records as text, from answers made by hand and from the signed DNS. */
#include "tests/dns/tree.h"

#include "dns/text.h"

static struct text_records texts;

static bool join_all(struct slice *rdata, size_t count, enum dns_status status, size_t room)
{
    struct dns_answer a = { .status = status, .records = rdata, .count = count };

    arena_reset(&arena);
    arena_init(&arena, room);
    return text_records_from(&a, &arena, &texts);
}

static bool join(struct slice rdata)
{
    CHECK(join_all(&rdata, 1, DNS_FOUND, 200 * 1024));
    return texts.count == 1;
}

TEST(strings_of_a_record_are_joined_without_anything_between)
{
    CHECK(join(SLICE("\x3one\3two")));
    CHECK_ID("MTASTS-006", slice_equal(texts.at[0], SLICE("onetwo")));
    CHECK(join(SLICE("\6v=STSv\4\x31; i\7d=2026;")));
    CHECK_ID("MTASTS-006", slice_equal(texts.at[0], SLICE("v=STSv1; id=2026;")));
    CHECK(join(SLICE("\1a\0\1b\0")));
    CHECK_SLICE(texts.at[0], "ab");
    CHECK(texts.at[0].at[2] == '\0');
    CHECK(join(SLICE("\0")));
    CHECK_EQUAL(texts.at[0].len, 0);
    CHECK(join(SLICE("\3a\0\xff")));
    CHECK(slice_equal(texts.at[0], SLICE("a\0\xff")));
}

TEST(a_record_that_makes_no_sense_is_left_out)
{
    struct slice three[] = { SLICE("\3one"), SLICE("\4two"), SLICE("\5three") };

    CHECK(!join(SLICE("")));
    CHECK(!join(slice(NULL, 0)));
    CHECK(!join(SLICE("\1")));
    CHECK(!join(SLICE("\3one\1")));
    CHECK(!join(SLICE("\xff")));
    CHECK(join_all(three, 3, DNS_FOUND, 4096));
    CHECK_EQUAL(texts.count, 2);
    CHECK_SLICE(texts.at[0], "one");
    CHECK_SLICE(texts.at[1], "three");
}

TEST(the_largest_record_is_joined)
{
    static char rdata[65535], wanted[65535];
    size_t used = 0, len = 0;

    while (used < sizeof rdata) {
        size_t part = sizeof rdata - used - 1 < 255 ? sizeof rdata - used - 1 : 255;

        rdata[used++] = (char)part;
        memset(rdata + used, 'a' + (int)(used % 26), part);
        memcpy(wanted + len, rdata + used, part);
        used += part;
        len += part;
    }
    CHECK(join(slice(rdata, sizeof rdata)));
    CHECK(slice_equal(texts.at[0], slice(wanted, len)));
}

TEST(without_records_there_is_no_text)
{
    struct slice one = SLICE("\3one");

    CHECK(join_all(NULL, 0, DNS_NO_DATA, 4096) && texts.count == 0);
    CHECK(join_all(NULL, 0, DNS_NO_NAME, 4096) && texts.count == 0);
    CHECK(join_all(NULL, 0, DNS_FAILED, 4096) && texts.count == 0);
    CHECK_ID("MTASTS-013", join_all(&one, 1, DNS_BOGUS, 4096) && texts.count == 0);
}

TEST(an_arena_that_is_full_is_told)
{
    struct slice long_one = SLICE("\76" "01234567890123456789012345678901234567890123456789012345678901");
    struct slice many[] = { long_one, long_one, long_one };

    texts = (struct text_records){ .count = 77 };
    CHECK(!join_all(many, 3, DNS_FOUND, 150));
    CHECK(!join_all(many, 3, DNS_FOUND, 10));
    CHECK_EQUAL(texts.count, 77);
    CHECK(join_all(many, 3, DNS_FOUND, 400) && texts.count == 3);
}

static struct dns_answer ask_text(const char *name)
{
    struct dns_answer a = ask(name, DNS_TXT);

    CHECK(text_records_from(&a, &arena, &texts));
    return a;
}

TEST(a_policys_record_is_found_where_it_is_and_where_an_alias_leads)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask_text("_mta-sts.sec.test");
    CHECK_ID("MTASTS-006", a.secure && texts.count == 1);
    CHECK_SLICE(texts.at[0], "v=STSv1; id=20261122;");
    a = ask_text("_mta-sts.www.sec.test");
    CHECK_ID("MTASTS-007", a.status == DNS_FOUND && a.aliased && texts.count == 1);
    CHECK_SLICE(texts.at[0], "v=STSv1; id=1;");
    CHECK_ID("MTASTS-013", !a.secure);
    stop();
}

TEST(a_bogus_record_is_an_error_and_no_absence)
{
    struct dns_answer a;

    NEEDS_TREE;
    start_on_tree(0);
    a = ask_text("_mta-sts.bogus.test");
    CHECK_ID("MTASTS-013", a.status == DNS_BOGUS && dns_answer_is_error(&a) && texts.count == 0);
    a = ask_text("_mta-sts.insec.test.none.sec.test");
    CHECK(a.status == DNS_NO_NAME && !dns_answer_is_error(&a) && texts.count == 0);
    stop();
}

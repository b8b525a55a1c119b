#include "tests/test.h"

#include "lab/spoiler.h"

#define HEADER "\x12\x34" "\x01\x10" "\0\1" "\0\0" "\0\0" "\0\1"
#define NAME "\4_tcp\2mx\0"
#define OPT "\0" "\0\x29" "\x04\xd0" "\0\0\x80\0" "\0\0"

static struct buf answer;

static bool refuses(struct slice query)
{
    buf_done(&answer);
    buf_init(&answer, 4096);
    return spoiler_refuses(query, &answer);
}

TEST(a_question_for_tlsa_is_answered_with_servfail)
{
    static const char wanted[] = "\x12\x34" "\x81\x12" "\0\1" "\0\0" "\0\0" "\0\0" NAME "\0\x34" "\0\1";

    CHECK(refuses(SLICE(HEADER NAME "\0\x34" "\0\1" OPT)));
    CHECK(slice_equal(buf_slice(&answer), slice(wanted, sizeof wanted - 1)));
    buf_done(&answer);
}

TEST(questions_for_other_types_are_passed_on)
{
    CHECK(!refuses(SLICE(HEADER NAME "\0\1" "\0\1" OPT)));
    CHECK(!refuses(SLICE(HEADER NAME "\0\x30" "\0\1")));
    CHECK_EQUAL(buf_len(&answer), 0);
}

TEST(what_is_no_question_is_passed_on)
{
    static const char whole[] = HEADER NAME "\0\x34" "\0\1";

    for (size_t len = 0; len < sizeof whole - 1; len++)
        CHECK(!refuses(slice(whole, len)));
    CHECK(!refuses(SLICE("\x12\x34" "\x01\x10" "\0\2" "\0\0" "\0\0" "\0\0" NAME "\0\x34" "\0\1")));
    CHECK(!refuses(SLICE(HEADER "\xc0\x0c" "\0\x34" "\0\1")));
}

#include "tests/test.h"

#include "postfix/answers.h"

static void put_of(struct answers *a, const char *question, const char *domain, const char *reply, time_ms expires)
{
    struct answer answer = { .expires = expires, .refresh = expires };

    answer.replies[ANSWER_SOCKETMAP] = slice_of(reply);
    answer.replies[ANSWER_TCP_TABLE] = slice_of("table");
    answers_put(a, slice_of(question), slice_of(domain), &answer);
}

static void put(struct answers *a, const char *question, const char *reply, time_ms expires)
{
    put_of(a, question, question, reply, expires);
}

static const char *found(struct answers *a, const char *question, time_ms now)
{
    static char text[100];
    struct answer *answer = answers_find(a, slice_of(question), now);

    if (!answer)
        return "none";
    CHECK_SLICE(answer->replies[ANSWER_REPORTED], "");
    CHECK_SLICE(answer->replies[ANSWER_TCP_TABLE], "table");
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(answer->replies[ANSWER_SOCKETMAP]));
    return text;
}

TEST(an_answer_is_given_until_it_expires)
{
    struct answers *a = answers_new(10, 1 << 20, 42);

    CHECK_TEXT(found(a, "example.org", 0), "none");
    put(a, "example.org", "dane", 1000);
    CHECK_TEXT(found(a, "example.org", 999), "dane");
    CHECK_TEXT(found(a, "example.org", 1000), "none");
    CHECK_TEXT(found(a, "example.or", 0), "none");
    CHECK_TEXT(found(a, "example.orgx", 0), "none");
    put(a, "example.org", "dane-only", 2000);
    CHECK_TEXT(found(a, "example.org", 1000), "dane-only");
    CHECK_EQUAL(answers_count(a), 1);
    answers_free(a);
}

TEST(the_oldest_gives_way)
{
    struct answers *a = answers_new(3, 1 << 20, 1);

    put(a, "a", "1", 10);
    put(a, "b", "2", 10);
    put(a, "c", "3", 10);
    put(a, "a", "4", 10);       /* is the newest now */
    put(a, "d", "5", 10);
    CHECK_EQUAL(answers_count(a), 3);
    CHECK_TEXT(found(a, "b", 0), "none");
    CHECK_TEXT(found(a, "a", 0), "4");
    CHECK_TEXT(found(a, "c", 0), "3");
    CHECK_TEXT(found(a, "d", 0), "5");
    answers_free(a);
}

TEST(large_ones_leave_room_for_few)
{
    static char text[3000];
    struct answers *a = answers_new(100, 10000, 1);
    struct answer answer = { .expires = 10, .refresh = 10 };

    answer.replies[ANSWER_REPORTED] = slice(text, sizeof text);
    answers_put(a, SLICE("a"), SLICE("a"), &answer);
    answers_put(a, SLICE("b"), SLICE("b"), &answer);
    answers_put(a, SLICE("c"), SLICE("c"), &answer);
    CHECK_EQUAL(answers_count(a), 3);
    answers_put(a, SLICE("b"), SLICE("b"), &answer);
    CHECK_EQUAL(answers_count(a), 3);
    answers_put(a, SLICE("d"), SLICE("d"), &answer);
    CHECK_EQUAL(answers_count(a), 3);
    CHECK(!answers_find(a, SLICE("a"), 0) && answers_find(a, SLICE("c"), 0));
    answer.replies[ANSWER_TCP_TABLE] = answer.replies[ANSWER_SOCKETMAP] = answer.replies[ANSWER_REPORTED];
    answers_put(a, SLICE("e"), SLICE("e"), &answer);
    CHECK_EQUAL(answers_count(a), 1);
    answer.replies[ANSWER_TCP_TABLE].len = 0;
    answer.replies[ANSWER_SOCKETMAP].len = 0;
    answers_free(a);
    a = answers_new(100, 2000, 1);
    answers_put(a, SLICE("a"), SLICE("a"), &answer);
    CHECK_EQUAL(answers_count(a), 0);
    answers_free(a);
}

TEST(many_come_and_go)
{
    struct answers *a = answers_new(1000, 1 << 20, 7);
    char name[32];

    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "domain%d.example.org", i);
        put(a, name, name, 10);
    }
    CHECK_EQUAL(answers_count(a), 1000);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "domain%d.example.org", i);
        CHECK_TEXT(found(a, name, 0), i < 4000 ? "none" : name);
    }
    answers_free(a);
}

TEST(a_domain_is_forgotten_under_all_its_keys)
{
    struct answers *a = answers_new(10, 1 << 20, 1);

    put_of(a, "example.org", "example.org", "1", 10);
    put_of(a, "example.org:25", "example.org", "2", 10);
    put_of(a, "example.org.", "example.org", "3", 10);
    put_of(a, "example.org:25", "example.org", "4", 10);        /* in the place of the former */
    put_of(a, "example.net:25", "example.net", "5", 10);
    answers_forget(a, SLICE("example.or"));
    answers_forget(a, SLICE("example.org:25"));                 /* is no domain */
    CHECK_EQUAL(answers_count(a), 4);
    answers_forget(a, SLICE("example.org"));
    CHECK_EQUAL(answers_count(a), 1);
    CHECK_TEXT(found(a, "example.org", 0), "none");
    CHECK_TEXT(found(a, "example.org:25", 0), "none");
    CHECK_TEXT(found(a, "example.org.", 0), "none");
    CHECK_TEXT(found(a, "example.net:25", 0), "5");
    put_of(a, "example.org.", "example.org", "6", 10);
    CHECK_TEXT(found(a, "example.org.", 0), "6");
    answers_free(a);
}

/* Some give way to others meanwhile; what is left of each domain goes at once, and nothing else. */
TEST(domains_with_many_keys_come_and_go)
{
    struct answers *a = answers_new(500, 1 << 20, 9);
    char domain[32], key[40];

    for (int i = 0; i < 2000; i++) {
        snprintf(domain, sizeof domain, "d%d.example.org", i % 50);
        snprintf(key, sizeof key, "%s:%d", domain, i + 1);
        put_of(a, key, domain, "x", 10);
    }
    CHECK_EQUAL(answers_count(a), 500);
    for (int i = 0; i < 50; i++) {
        snprintf(domain, sizeof domain, "d%d.example.org", i);
        answers_forget(a, slice_of(domain));
        CHECK_EQUAL(answers_count(a), 500 - 10 * (size_t)(i + 1));
    }
    answers_free(a);
}

TEST(what_is_forgotten_is_not_found)
{
    struct answers *a = answers_new(3, 1 << 20, 1);

    put(a, "a", "1", 10);
    put(a, "b", "2", 10);
    answers_forget(a, SLICE("a"));
    answers_forget(a, SLICE("never there"));
    CHECK_TEXT(found(a, "a", 0), "none");
    CHECK_TEXT(found(a, "b", 0), "2");
    answers_forget_all(a);
    CHECK_EQUAL(answers_count(a), 0);
    put(a, "c", "3", 10);
    CHECK_TEXT(found(a, "c", 0), "3");
    answers_free(a);
    answers_free(NULL);
}

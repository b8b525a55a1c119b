#include "tests/test.h"

#include "base/memory.h"
#include "net/socket.h"
#include "postfix/collector.h"
#include "run/loop.h"

#include <sys/un.h>

static struct {
    char directory[32], path[64];
    int ours, theirs;
    struct collector *collector;
    unsigned results;
    char last[64];
} t;

static uint64_t policy_id(void *self, const struct report_policy *p)
{
    return 7;
}

static void result(void *self, const struct report_tally *tally)
{
    t.results++;
    snprintf(t.last, sizeof t.last, "%s", tally->domain);
}

static void begin(void)
{
    static const struct datagram_reader reader = { policy_id, result, NULL };
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    struct error why = { 0 };

    memset(&t, 0, sizeof t);
    strcpy(t.directory, "/tmp/postern-test-XXXXXX");
    CHECK(mkdtemp(t.directory));
    snprintf(t.path, sizeof t.path, "%s/tlsrpt.sock", t.directory);
    loop_open();
    t.ours = bind_datagram(t.path, 0600, &why);
    CHECK_OK(t.ours >= 0, &why);
    t.collector = collector_new(t.ours, &reader);
    t.theirs = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    strcpy(name.sun_path, t.path);
    CHECK(connect(t.theirs, (struct sockaddr *)&name, sizeof name) == 0);
}

static void end(void)
{
    collector_free(t.collector);
    close(t.ours);
    close(t.theirs);
    unlink(t.path);
    rmdir(t.directory);
    loop_close();
}

static bool tell(const char *domain)
{
    char text[200];
    int len = snprintf(text, sizeof text, "{\"dpv\":\"1\",\"d\":\"%s\",\"policies\":[{\"policy-type\":9,\"f\":0,\"t\":0}]}", domain);

    return send(t.theirs, text, (size_t)len, 0) == len;
}

static void some_turns(void)
{
    for (int i = 0; i < 20; i++)
        loop_turn(false);
}

TEST(datagrams_are_counted_as_they_come)
{
    begin();
    CHECK(tell("a.example") && tell("b.example"));
    some_turns();
    CHECK_EQUAL(t.results, 2);
    CHECK_TEXT(t.last, "b.example");
    CHECK_EQUAL(collector_figures(t.collector).datagrams, 2);
    CHECK_EQUAL(collector_figures(t.collector).refused, 0);
    end();
}

TEST(one_that_makes_no_sense_does_not_stop_the_others)
{
    begin();
    CHECK(send(t.theirs, "{", 1, 0) == 1);
    CHECK(send(t.theirs, "", 0, 0) == 0);
    CHECK(tell("a.example"));
    some_turns();
    CHECK_EQUAL(t.results, 1);
    CHECK_EQUAL(collector_figures(t.collector).refused, 2);
    end();
}

TEST(a_datagram_of_another_version_is_counted_too)
{
    static const char text[] = "{\"dpv\":\"9\",\"d\":\"a.example\",\"policies\":[{\"policy-type\":9,\"f\":1,\"t\":7,"
                               "\"failure-details\":[{\"c\":204}]}]}";

    begin();
    CHECK(send(t.theirs, text, strlen(text), 0) == (ssize_t)strlen(text));
    some_turns();
    CHECK_EQUAL(t.results, 1);
    CHECK_EQUAL(collector_figures(t.collector).refused, 0);
    end();
}

TEST(the_largest_datagram_of_the_library_is_read_whole)
{
    static char text[65000];
    size_t head;

    begin();
    head = (size_t)snprintf(text, sizeof text, "{\"dpv\":\"1\",\"d\":\"big.example\",\"policies\":[{\"policy-type\":9,\"f\":0}],\"pr\":\"");
    memset(text + head, 'x', sizeof text - head);
    memcpy(text + sizeof text - 2, "\"}", 2);
    CHECK_EQUAL(send(t.theirs, text, sizeof text, 0), sizeof text);
    some_turns();
    CHECK_TEXT(t.last, "big.example");
    end();
}

TEST(what_has_arrived_is_taken_before_the_end)
{
    unsigned sent = 0;

    begin();
    while (sent < 500 && tell("a.example"))
        sent++;
    CHECK(sent > 0);
    collector_drain(t.collector);
    CHECK_EQUAL(t.results, sent);
    end();
}

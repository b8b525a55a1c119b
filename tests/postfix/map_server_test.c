/* The server over real sockets, with lookups that the test answers. */
#include "tests/test.h"

#include "base/memory.h"
#include "net/socket.h"
#include "postfix/map_server.h"
#include "run/fiber.h"

#include <errno.h>
#include <sys/un.h>

enum { CLIENTS = 8 };

static struct {
    char directory[40], path[2][64];
    int doors[2];
    struct map_server *server;
    struct map_settings settings;
    int clients[CLIENTS];
    unsigned lookups, under_way, most_under_way;
    struct gate open;               /* for names that begin with "slow" */
    time_ms keep;
    unsigned forgets;               /* what is found of a name is out of date, so often, before it is told */
    const char *answer;             /* to all names but those that say what they want */
    bool failing, told;
    uint16_t port;
} t;

static time_ms find(void *self, const struct map_key *key, struct arena *arena, struct verdict *out)
{
    const char *answer = t.answer ? t.answer : "dane-only";

    t.lookups++;
    t.port = key->port;
    if (++t.under_way > t.most_under_way)
        t.most_under_way = t.under_way;
    if (strncmp(key->name, "slow", 4) == 0 && gate_wait(&t.open, TIME_NEVER) == FIBER_CANCELLED)
        answer = "cancelled";
    t.under_way--;
    if (t.forgets > 0 && t.forgets--)
        map_server_forget(t.server, key->name);
    *out = (struct verdict){ MAP_FOUND, arena_text(arena, "%s", answer), arena_text(arena, "%s policy_type=sts", answer), "dane" };
    if (t.failing || strncmp(key->name, "later", 5) == 0)
        *out = (struct verdict){ MAP_TRY_LATER, SLICE("no answer"), SLICE("no answer"), "error" };
    if (strncmp(key->name, "none", 4) == 0)
        *out = (struct verdict){ MAP_NOT_FOUND, SLICE(""), SLICE(""), "nothing" };
    if (strncmp(key->name, "big", 3) == 0) {
        char *text = arena_take(arena, SOCKETMAP_REPLY_MAX - 3);

        memset(text, 'x', SOCKETMAP_REPLY_MAX - 3);
        out->text = out->reported = slice(text, SOCKETMAP_REPLY_MAX - 3);
    }
    return t.keep;
}

static void told_idle(void *self)
{
    CHECK(!t.told);
    t.told = true;
}

static void turns(int n)
{
    for (int i = 0; i < n; i++)
        loop_turn(false);
}

static void pass(time_ms ms)
{
    time_ms until = clock_now() + ms;

    while (clock_now() < until) {
        usleep(2000);
        turns(1);
    }
    turns(3);
}

static int visit(int door)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    strcpy(name.sun_path, t.path[door]);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof name) == 0);
    turns(3);
    return fd;
}

static void begin(void)
{
    struct error why = { 0 };

    memset(&t, 0, sizeof t);
    t.keep = SECONDS(1000);
    t.settings = map_default_settings;
    strcpy(t.directory, "/tmp/postern-test-XXXXXX");
    CHECK(mkdtemp(t.directory));
    loop_open();
    for (int i = 0; i < 2; i++) {
        snprintf(t.path[i], sizeof t.path[i], "%s/%d", t.directory, i);
        t.doors[i] = listen_unix(t.path[i], 0600, 100, &why);
        CHECK_OK(t.doors[i] >= 0, &why);
    }
    for (int i = 0; i < CLIENTS; i++)
        t.clients[i] = -1;
}

/* After `t.settings` has been set. */
static void serve(int clients)
{
    static const struct map_finder finder = { find, NULL };

    t.server = map_server_new(&t.settings, &finder, told_idle, NULL);
    map_server_listen(t.server, t.doors[0], MAP_SOCKETMAP);
    map_server_listen(t.server, t.doors[1], MAP_TCP_TABLE);
    turns(1);
    for (int i = 0; i < clients; i++)
        t.clients[i] = visit(0);
}

static void end(void)
{
    map_server_drain(t.server, true);
    for (int i = 0; i < 100 && map_server_is_busy(t.server); i++)
        turns(1);
    CHECK(t.told && !map_server_is_busy(t.server));
    map_server_free(t.server);
    for (int i = 0; i < CLIENTS; i++)
        if (t.clients[i] >= 0)
            close(t.clients[i]);
    for (int i = 0; i < 2; i++) {
        close(t.doors[i]);
        unlink(t.path[i]);
    }
    rmdir(t.directory);
    turns(5);
    loop_close();
}

static void say(int client, const char *text)
{
    CHECK_EQUAL(send(t.clients[client], text, strlen(text), MSG_NOSIGNAL), strlen(text));
    turns(10);
}

static const char *heard(int client)
{
    static char text[4000];
    ssize_t n;

    turns(10);
    n = recv(t.clients[client], text, sizeof text - 1, MSG_DONTWAIT);
    if (n == 0)
        return "closed";
    if (n < 0)
        return errno == EAGAIN ? "" : "broken";
    text[n] = '\0';
    return text;
}

/* --- questions and answers --------------------------------------------------------- */

TEST(a_question_is_looked_up_once_and_then_kept)
{
    begin();
    serve(2);
    say(0, "17:QUERY example.org,");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    say(1, "17:QUERY EXAMPLE.org,");
    CHECK_TEXT(heard(1), "12:OK dane-only,");
    say(1, "27:querywithtlsrpt example.org,");
    CHECK_TEXT(heard(1), "28:OK dane-only policy_type=sts,");
    CHECK_EQUAL(t.lookups, 1);
    CHECK_EQUAL(map_server_figures(t.server).questions, 3);
    CHECK_EQUAL(map_server_figures(t.server).kept, 2);
    CHECK_EQUAL(map_server_figures(t.server).answers, 1);
    CHECK_EQUAL(map_server_figures(t.server).connections, 2);
    end();
}

TEST(each_status_has_its_word)
{
    begin();
    serve(1);
    say(0, "12:QUERY none.a,");
    CHECK_TEXT(heard(0), "9:NOTFOUND ,");
    say(0, "13:QUERY later.a,");
    CHECK_TEXT(heard(0), "14:TEMP no answer,");
    say(0, "9:OTHER x.a,");
    CHECK_TEXT(heard(0), "49:PERM there are the maps QUERY and QUERYwithTLSRPT,");
    end();
}

TEST(parents_and_what_is_no_name_are_not_looked_up)
{
    begin();
    serve(1);
    say(0, "12:QUERY .a.org,13:QUERY a b.org,6:QUERY ,");
    CHECK_TEXT(heard(0), "9:NOTFOUND ,9:NOTFOUND ,9:NOTFOUND ,");
    CHECK_ID("SOCKMAP-004", t.lookups == 0);
    end();
}

TEST(a_key_longer_than_any_name_is_not_looked_up)
{
    char text[400];

    begin();
    serve(1);
    snprintf(text, sizeof text, "306:QUERY %0300d,", 1);
    say(0, text);
    CHECK_TEXT(heard(0), "9:NOTFOUND ,");
    CHECK_EQUAL(t.lookups, 0);
    end();
}

TEST(the_port_of_a_next_hop_is_asked_with)
{
    begin();
    t.settings.port = 2525;
    serve(1);
    say(0, "20:QUERY [mx.a.org]:587,");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    CHECK_EQUAL(t.port, 587);
    say(0, "16:QUERY [mx.a.org],");
    CHECK_EQUAL(t.port, 2525);
    CHECK_EQUAL(t.lookups, 2);
    end();
}

TEST(with_the_setting_the_plain_map_reports_too)
{
    begin();
    t.settings.reported = true;
    serve(1);
    say(0, "9:QUERY a.b,");
    CHECK_TEXT(heard(0), "28:OK dane-only policy_type=sts,");
    end();
}

TEST(tcp_table_answers_in_lines)
{
    begin();
    serve(0);
    t.clients[0] = visit(1);
    say(0, "get example.org\nget none.a\nput a b\nget later.a\nget .org\n");
    CHECK_TEXT(heard(0), "200 dane-only\n500 not found\n400 a%20request%20is:%20get%20KEY\n400 no%20answer\n500 not found\n");
    end();
}

TEST(what_is_no_protocol_ends_the_connection_after_what_was_asked)
{
    begin();
    serve(3);
    say(0, "9:QUERY a.b,GET / HTTP/1.1\r\n");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    CHECK_TEXT(heard(0), "closed");
    say(1, "9:QUERY a.b,x");
    CHECK_TEXT(heard(1), "12:OK dane-only,");
    CHECK_ID("SOCKMAP-001", strcmp(heard(1), "closed") == 0);
    say(2, "9:QUERY a.b,");
    CHECK_TEXT(heard(2), "12:OK dane-only,");
    end();
}

TEST(a_request_may_come_byte_by_byte)
{
    const char *text = "9:QUERY a.b,10:QUERY a.cd,";

    begin();
    serve(1);
    for (size_t i = 0; text[i]; i++)
        say(0, (char[]){ text[i], '\0' });
    CHECK_TEXT(heard(0), "12:OK dane-only,12:OK dane-only,");
    end();
}

/* --- order ------------------------------------------------------------------------------ */

TEST(replies_keep_their_order_and_others_go_on)
{
    begin();
    serve(2);
    say(1, "9:QUERY a.b,");
    CHECK_TEXT(heard(1), "12:OK dane-only,");
    say(0, "9:QUERY a.b,12:QUERY slow.a,12:QUERY none.a,9:QUERY a.b,");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    CHECK_TEXT(heard(0), "");
    say(1, "12:QUERY none.a,");
    CHECK_TEXT(heard(1), "9:NOTFOUND ,");
    t.answer = "may";
    gate_open_all(&t.open);
    CHECK_TEXT(heard(0), "12:OK dane-only,9:NOTFOUND ,12:OK dane-only,");
    end();
}

TEST(many_who_ask_the_same_share_one_lookup)
{
    begin();
    serve(CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        say(i, i % 2 ? "12:QUERY slow.a," : "22:QUERYwithTLSRPT slow.a,");
    close(t.clients[3]);
    t.clients[3] = -1;
    gate_open_all(&t.open);
    for (int i = 0; i < CLIENTS; i++)
        if (i != 3)
            CHECK_TEXT(heard(i), i % 2 ? "12:OK dane-only," : "28:OK dane-only policy_type=sts,");
    CHECK_EQUAL(t.lookups, 1);
    end();
}

TEST(lookups_beyond_the_bound_stand_in_line)
{
    char text[40];

    begin();
    t.settings.lookups = 2;
    serve(CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        snprintf(text, sizeof text, "13:QUERY slow%d.a,", i);
        say(i, text);
    }
    for (int i = 0; i < 10; i++) {
        gate_open_all(&t.open);
        turns(5);
    }
    for (int i = 0; i < CLIENTS; i++)
        CHECK_TEXT(heard(i), "12:OK dane-only,");
    CHECK_EQUAL(t.lookups, CLIENTS);
    CHECK_EQUAL(t.most_under_way, 2);
    end();
}

/* Each answer is 100,000 bytes long; no more is made ready than the reader takes. */
TEST(who_does_not_read_is_not_written_to)
{
    static char flood[8000];
    size_t questions = 500, len = 0, wanted, got = 0;

    begin();
    serve(1);
    for (size_t i = 0; i < questions; i++)
        len += (size_t)snprintf(flood + len, sizeof flood - len, "11:QUERY big.a,");
    say(0, flood);
    wanted = questions * (SOCKETMAP_REPLY_MAX + 8);
    for (int i = 0; i < 200000 && got < wanted; i++) {
        static char sink[65536];
        ssize_t n = recv(t.clients[0], sink, sizeof sink, MSG_DONTWAIT);

        if (n > 0)
            got += (size_t)n;
        turns(1);
    }
    CHECK_EQUAL(got, wanted);
    CHECK_EQUAL(t.lookups, 1);
    end();
}

/* --- time ------------------------------------------------------------------------------------ */

TEST(an_answer_is_not_given_once_it_has_expired)
{
    begin();
    t.keep = 100;
    serve(1);
    say(0, "9:QUERY a.b,");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    t.answer = "may";
    pass(110);
    say(0, "9:QUERY a.b,");
    CHECK_TEXT(heard(0), "6:OK may,");
    CHECK_EQUAL(t.lookups, 2);
    end();
}

TEST(what_is_asked_for_is_renewed_before_it_expires)
{
    begin();
    t.keep = 1000;
    serve(1);
    say(0, "9:QUERY a.b,");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    pass(700);
    say(0, "9:QUERY a.b,");
    CHECK_EQUAL(t.lookups, 1);
    pass(100);
    t.answer = "may";
    say(0, "9:QUERY a.b,");
    CHECK_TEXT(heard(0), "12:OK dane-only,12:OK dane-only,");     /* what is kept is good still */
    CHECK_EQUAL(t.lookups, 2);
    say(0, "9:QUERY a.b,");
    CHECK_TEXT(heard(0), "6:OK may,");
    CHECK_EQUAL(t.lookups, 2);
    end();
}

TEST(a_renewal_that_fails_changes_nothing_until_the_answer_expires)
{
    begin();
    t.keep = 1000;
    serve(1);
    say(0, "9:QUERY a.b,");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    pass(800);
    t.failing = true;
    say(0, "9:QUERY a.b,9:QUERY a.b,");
    say(0, "9:QUERY a.b,");
    CHECK_TEXT(heard(0), "12:OK dane-only,12:OK dane-only,12:OK dane-only,");
    CHECK_EQUAL(t.lookups, 2);      /* it is not tried again at once */
    pass(250);
    say(0, "9:QUERY a.b,");
    CHECK_TEXT(heard(0), "14:TEMP no answer,");
    end();
}

TEST(what_may_not_be_kept_is_looked_up_each_time)
{
    begin();
    t.keep = 0;
    serve(1);
    say(0, "9:QUERY a.b,9:QUERY a.b,");
    CHECK_TEXT(heard(0), "12:OK dane-only,12:OK dane-only,");
    CHECK_EQUAL(t.lookups, 2);
    CHECK_EQUAL(map_server_figures(t.server).answers, 0);
    end();
}

TEST(what_is_forgotten_is_looked_up_anew_under_each_of_its_keys)
{
    begin();
    serve(1);
    say(0, "9:QUERY a.b,12:QUERY a.b:25,10:QUERY A.B.,14:QUERY a.b:smtp,9:QUERY a.c,");
    CHECK_EQUAL(t.lookups, 5);
    map_server_forget(t.server, "a.b");
    CHECK_EQUAL(map_server_figures(t.server).answers, 1);
    say(0, "9:QUERY a.b,9:QUERY a.c,");
    CHECK_EQUAL(t.lookups, 6);
    map_server_forget(t.server, NULL);
    CHECK_EQUAL(map_server_figures(t.server).answers, 0);
    end();
}

TEST(what_is_forgotten_while_it_is_looked_up_is_looked_up_again_before_it_is_told)
{
    begin();
    serve(2);
    t.answer = "may";
    say(0, "12:QUERY slow.a,");
    say(1, "15:QUERY slow.a:25,");
    map_server_forget(t.server, "slow.b");
    map_server_forget(t.server, "slow.a");
    t.answer = "dane-only";
    gate_open_all(&t.open);
    CHECK_TEXT(heard(0), "");
    CHECK_EQUAL(t.lookups, 4);
    gate_open_all(&t.open);
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    CHECK_TEXT(heard(1), "12:OK dane-only,");
    say(0, "12:QUERY slow.a,");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    CHECK_EQUAL(t.lookups, 4);
    end();
}

TEST(what_is_forgotten_again_and_again_is_told_and_not_kept)
{
    begin();
    serve(1);
    t.forgets = 1;
    say(0, "9:QUERY a.b,");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    CHECK_EQUAL(t.lookups, 2);
    CHECK_EQUAL(map_server_figures(t.server).answers, 1);
    t.forgets = 100;
    say(0, "9:QUERY a.c,");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    CHECK_EQUAL(t.lookups, 5);
    CHECK_EQUAL(map_server_figures(t.server).answers, 1);
    t.forgets = 0;
    end();
}

/* NOTFOUND would leave it to main.cf, which may ask for less than the operator's rule does. */
TEST(a_next_hop_that_is_not_understood_has_to_wait)
{
    begin();
    serve(1);
    say(0, "20:QUERY [mx.a.b]:relay,");
    CHECK_TEXT(heard(0), "66:TEMP postern does not know that port by its name: write its number,");
    say(0, "11:QUERY m\xc3\xbc.a,");
    CHECK_TEXT(heard(0), "88:TEMP postern does not look up names in UTF-8: name the next hop by its A-labels, xn--...,");
    CHECK_EQUAL(t.lookups, 0);
    say(0, "25:QUERY [mx.a.b]:submission,");
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    CHECK_EQUAL(t.port, 587);
    end();
}

TEST(who_waits_too_long_is_told_to_come_again)
{
    begin();
    t.settings.patience = 200;
    serve(1);
    say(0, "12:QUERY slow.a,9:QUERY a.b,");
    pass(100);
    CHECK_TEXT(heard(0), "");
    pass(200);
    CHECK_TEXT(heard(0), "30:TEMP the lookup takes too long,12:OK dane-only,");
    gate_open_all(&t.open);
    say(0, "12:QUERY slow.a,");     /* the lookup went on, and what it found is kept */
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    CHECK_EQUAL(t.lookups, 2);
    end();
}

TEST(an_idle_connection_is_closed)
{
    begin();
    t.settings.idle = 400;
    serve(2);
    pass(300);
    say(1, "9:QUERY a.b,");
    CHECK_TEXT(heard(1), "12:OK dane-only,");
    pass(250);
    CHECK_TEXT(heard(0), "closed");
    CHECK_TEXT(heard(1), "");
    end();
}

/* --- bounds and the end ------------------------------------------------------------------------- */

TEST(connections_beyond_the_bound_wait_at_the_door)
{
    begin();
    t.settings.connections = 2;
    serve(2);
    t.clients[2] = visit(0);
    say(2, "9:QUERY a.b,");
    CHECK_TEXT(heard(2), "");
    CHECK_EQUAL(map_server_figures(t.server).connections, 2);
    close(t.clients[0]);
    t.clients[0] = -1;
    turns(10);
    CHECK_TEXT(heard(2), "12:OK dane-only,");
    end();
}

TEST(who_waits_is_answered_before_the_end)
{
    begin();
    serve(3);
    say(0, "12:QUERY slow.a,9:QUERY a.b,");
    say(1, "9:QUERY a.b,");
    CHECK_TEXT(heard(1), "12:OK dane-only,");
    map_server_drain(t.server, false);
    turns(5);
    CHECK(!t.told && map_server_is_busy(t.server));
    CHECK_TEXT(heard(1), "closed");
    CHECK_TEXT(heard(2), "closed");
    gate_open_all(&t.open);
    CHECK_TEXT(heard(0), "12:OK dane-only,");
    CHECK_TEXT(heard(0), "closed");
    CHECK(t.told);
    t.told = true;
    end();
}

TEST(in_a_hurry_who_waits_is_told_to_come_again)
{
    begin();
    t.settings.lookups = 1;
    serve(2);
    say(0, "13:QUERY slow1.a,");
    say(1, "13:QUERY slow2.a,");
    map_server_drain(t.server, true);
    CHECK_TEXT(heard(0), "31:TEMP postern is being restarted,");
    CHECK_TEXT(heard(1), "31:TEMP postern is being restarted,");
    end();
}

TEST(a_client_that_goes_while_it_waits_does_no_harm)
{
    begin();
    serve(2);
    say(0, "12:QUERY slow.a,");
    say(1, "12:QUERY slow.a,9:QUERY a.b,");
    close(t.clients[0]);
    close(t.clients[1]);
    t.clients[0] = t.clients[1] = -1;
    turns(5);
    gate_open_all(&t.open);
    turns(20);
    CHECK_EQUAL(map_server_figures(t.server).connections, 0);
    end();
}

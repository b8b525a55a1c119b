/* Calls of hooks: real commands, and a webhook on loopback. */
#include "serve/hook_call.h"

#include "base/memory.h"
#include "run/fiber.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>

static const struct event event = {
    .kind = EVENT_BLOCKED, .subject = "example.org", .first = 1792750000000, .last = 1792750060000, .count = 3,
    .what = "mail to example.org is held: \"$(id)\"\n`id`", .policy = "mta-sts", .reason = "E_STARTTLS_NOT_OFFERED",
    .relay = "mx1.example.org[192.0.2.7]:25",
};

static struct hook_caller caller = { .hostname = "mx.postern.example" };

struct try {
    const struct hook_config *hook;
    struct fiber *fiber;
    bool told;
    struct error why;
};

static void call_on_fiber(void *arg)
{
    struct try *t = arg;

    t->told = hook_call(&caller, t->hook, &event, &t->why);
    loop_stop();
}

static struct try call(const struct hook_config *hook)
{
    struct try t = { .hook = hook };
    struct error why = { 0 };

    loop_open();
    caller.https = https_new(&(struct https_settings){ 0 }, &why);
    CHECK_OK(caller.https, &why);
    t.fiber = fiber_start("try", call_on_fiber, &t);
    loop_run();
    https_free(caller.https);
    loop_close();
    return t;
}

/* --- commands -------------------------------------------------------------------- */

static struct try shell(const char *script, time_ms timeout)
{
    const char *const command[] = { "/bin/sh", "-c", script, NULL };
    const struct hook_config hook = { .name = "mail", .command = command, .timeout = timeout };

    return call(&hook);
}

static void check_told(const char *script)
{
    struct try t = shell(script, SECONDS(10));

    CHECK_OK(t.told, &t.why);
}

TEST(a_command_gets_the_event_in_its_variables)
{
    check_told("test \"$POSTERN_EVENT\" = blocked && test \"$POSTERN_SUBJECT\" = example.org && test $POSTERN_COUNT = 3");
    check_told("test \"$POSTERN_HOST\" = mx.postern.example && test \"$POSTERN_POLICY\" = mta-sts");
    check_told("test \"$POSTERN_REASON\" = E_STARTTLS_NOT_OFFERED");
    check_told("test \"$POSTERN_RELAY\" = 'mx1.example.org[192.0.2.7]:25'");
    check_told("test \"$POSTERN_FIRST\" = 2026-10-23T10:06:40.000Z && test \"$POSTERN_LAST\" = 2026-10-23T10:07:40.000Z");
}

TEST(no_variable_is_interpreted_or_longer_than_a_line)
{
    check_told("test \"$POSTERN_WHAT\" = 'mail to example.org is held: \"$(id)\"\\n`id`'");
}

TEST(a_command_reads_the_event_as_json)
{
    check_told("/usr/bin/python3 -c 'import json, sys; e = json.load(sys.stdin); "
               "assert e[\"event\"] == \"blocked\" and e[\"count\"] == 3 and e[\"host\"] == \"mx.postern.example\"'");
}

TEST(a_command_that_fails_was_not_told)
{
    struct try t = shell("echo 'no such pager' >&2; exit 3", SECONDS(10));

    CHECK(!t.told && t.why.code == E_REFUSED_FOR_NOW);
    CHECK_TEXT(t.why.text, "/bin/sh exited with status 3; it said: no such pager");
    t = shell("kill -15 $$", SECONDS(10));
    CHECK(!t.told);
    CHECK_TEXT(t.why.text, "/bin/sh was killed by signal 15 (Terminated)");
    t = shell("echo waiting >&2; exec sleep 60", 300);
    CHECK(!t.told && t.why.code == E_TIMEOUT);
    CHECK_TEXT(t.why.text, "/bin/sh took too long and was killed; it said: waiting");
}

TEST(a_command_that_is_not_there_was_not_told)
{
    const char *const command[] = { "/nonexistent/tell-admin", "--urgent", NULL };
    struct try t = call(&(struct hook_config){ .name = "mail", .command = command, .timeout = SECONDS(10) });

    CHECK(!t.told && t.why.code == E_USAGE && strstr(t.why.text, "cannot run /nonexistent/tell-admin"));
}

/* --- webhooks -------------------------------------------------------------------- */

/* Takes one request, of a thread of its own, and answers with what it is given. */
static struct {
    int listener;
    uint16_t port;
    const char *answer;         /* NULL: none */
    char asked[4096];
    pthread_t thread;
} web;

static void *serve(void *arg)
{
    int fd = accept(web.listener, NULL, NULL);
    size_t got = 0;
    ssize_t n = 1;

    while (n > 0 && !strstr(web.asked, "}\n") && got < sizeof web.asked - 1) {
        n = read(fd, web.asked + got, sizeof web.asked - 1 - got);
        got += n > 0 ? (size_t)n : 0;
    }
    if (web.answer && write(fd, web.answer, strlen(web.answer)) < 0)
        perror("write");
    if (!web.answer)
        sleep(2);
    close(fd);
    return NULL;
}

static struct try post(const char *path, const char *answer, time_ms timeout)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof at;
    struct try t;
    char url[80];

    memset(web.asked, 0, sizeof web.asked);
    web.answer = answer;
    web.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(web.listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(web.listener, 4) == 0);
    CHECK(getsockname(web.listener, (struct sockaddr *)&at, &length) == 0);
    CHECK(pthread_create(&web.thread, NULL, serve, NULL) == 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", ntohs(at.sin_port), path);
    t = call(&(struct hook_config){ .name = "pager", .url = url, .timeout = timeout });
    pthread_join(web.thread, NULL);
    close(web.listener);
    return t;
}

TEST(a_webhook_is_posted_the_event_as_json)
{
    struct try t = post("/hook?key=1", "HTTP/1.1 204 No Content\r\n\r\n", SECONDS(10));

    CHECK_OK(t.told, &t.why);
    CHECK(slice_starts(slice_of(web.asked), SLICE("POST /hook?key=1 HTTP/1.1\r\n")));
    CHECK(strstr(web.asked, "\r\nUser-Agent: postern\r\n") && strstr(web.asked, "\r\nContent-Type: application/json\r\n"));
    CHECK(strstr(web.asked, "\r\n\r\n{\"event\": \"blocked\", \"subject\": \"example.org\", \"host\": \"mx.postern.example\", "));
}

TEST(a_webhook_that_does_not_agree_was_not_told)
{
    struct try t = post("/", "HTTP/1.1 500 Oh Dear\r\nContent-Length: 0\r\n\r\n", SECONDS(10));

    CHECK(!t.told && t.why.code == E_REFUSED_FOR_NOW);
    CHECK_TEXT(t.why.text, "127.0.0.1 answers with HTTP status 500");
    t = post("/", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", SECONDS(10));
    CHECK(!t.told && strstr(t.why.text, "HTTP status 302"));
    t = post("/", NULL, 500);
    CHECK(!t.told && t.why.code == E_CONNECT && strstr(t.why.text, "no answer in time"));
}

TEST(a_webhook_that_is_not_there_was_not_told)
{
    struct try t = call(&(struct hook_config){ .name = "pager", .url = "http://127.0.0.1:1/", .timeout = SECONDS(5) });

    CHECK(!t.told && t.why.code == E_CONNECT && strstr(t.why.text, "Connection refused"));
    t = call(&(struct hook_config){ .name = "pager", .url = "http://192.0.2.1/", .timeout = SECONDS(5) });
    CHECK(!t.told && t.why.code == E_USAGE);
}

#include "tests/test.h"

#include "lab/web.h"
#include "net/script.h"

#define GET "C: GET /.well-known/mta-sts.txt HTTP/1.1\n" "C: Host: mta-sts.sts-enforce.lab.example\n" "C-\\r\\n\n"

static void check_policy(const char *domain, const char *wanted)
{
    auto_buf struct buf policy = { .max = 4096 };

    web_policy(lab_case_find(slice_of(domain)), &policy);
    CHECK_SLICE(buf_slice(&policy), wanted);
}

TEST(a_policy_names_the_hosts_of_the_mx_records)
{
    check_policy("sts-enforce", "version: STSv1\r\nmode: enforce\r\nmx: mx.sts-enforce.lab.example\r\nmax_age: 604800\r\n");
    check_policy("sts-backup", "version: STSv1\r\nmode: enforce\r\nmx: mx1.sts-backup.lab.example\r\n"
                 "mx: mx2.sts-backup.lab.example\r\nmax_age: 604800\r\n");
}

TEST(a_policy_can_say_something_else)
{
    check_policy("sts-wildcard-deep",
                 "version: STSv1\r\nmode: enforce\r\nmx: *.sts-wildcard-deep.lab.example\r\nmax_age: 604800\r\n");
    check_policy("sts-ip-mx", "version: STSv1\r\nmode: enforce\r\nmx: [192.0.2.25]\r\nmax_age: 604800\r\n");
    check_policy("sts-max-age-0",
                 "version: STSv1\r\nmode: enforce\r\nmx: mx.sts-max-age-0.lab.example\r\nmax_age: 0\r\n");
}

/* What the host of `domain` says to `request`, a script of the client. */
static bool says(const char *domain, const char *request, const char *words)
{
    struct script *s = script_new('C', request);
    struct conn *c = script_conn(s);
    bool said;

    web_serve(c, lab_case_find(slice_of(domain)));
    said = memmem(script_written(s).at, script_written(s).len, words, strlen(words)) != NULL;
    conn_close(c);
    script_free(s);
    return said;
}

TEST(the_policy_is_at_its_one_place)
{
    CHECK(says("sts-enforce", GET, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 80\r\n"));
    CHECK(says("sts-enforce", GET, "\r\n\r\nversion: STSv1\r\n"));
    CHECK(says("sts-enforce", "C: GET / HTTP/1.1\n" "C-\\r\\n\n", "HTTP/1.1 404 "));
    CHECK(says("sts-enforce", "C: POST /.well-known/mta-sts.txt HTTP/1.1\n" "C-\\r\\n\n", "HTTP/1.1 404 "));
}

TEST(each_way_to_fail_is_its_own)
{
    CHECK(says("sts-fetch-404", GET, "HTTP/1.1 404 "));
    CHECK(says("sts-fetch-302", GET, "HTTP/1.1 302 Found\r\nLocation: https://mta-sts.sts-enforce.lab.example/"));
    CHECK(says("sts-fetch-html", GET, "Content-Type: text/html\r\n"));
    CHECK(says("sts-fetch-bad", GET, "mode: Enforce\r\n"));
    CHECK(says("sts-fetch-huge", GET, "x-padding: ..."));
    CHECK(!says("sts-fetch-stall", GET, "max_age"));
}

TEST(a_request_that_never_ends_gets_no_answer)
{
    CHECK(!says("sts-enforce", "C: GET /.well-known/mta-sts.txt HTTP/1.1\n" "C: Host: x\n" "CUT\n", "HTTP"));
}

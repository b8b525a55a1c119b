/* Replies of a server that says what it likes, in pieces of any size. */
#include "tests/fuzz/fuzz.h"

#include "net/script.h"
#include "smtp/reply.h"

static void count(void *arg, struct slice text)
{
    ++*(size_t *)arg;
}

static void check(const struct reply *r, size_t lines)
{
    struct slice status, rest;
    struct error why = { 0 };
    char shown[400];

    assert(r->code >= 200 && r->code <= 599);
    assert(r->lines == lines && r->lines <= REPLY_LINES_MAX);
    assert(strlen(r->text) < REPLY_TEXT_MAX);
    if (reply_class(r) == 3) {
        assert(r->status[0] == '\0');
    } else {
        assert(status_parse(slice_of(r->status), &status, &rest));
        assert(r->status[0] - '0' == reply_class(r));
    }
    reply_shown(r, shown);
    for (const char *at = shown; *at; at++)
        assert(*at >= ' ' && *at <= '~');
    assert(!reply_refused(r, "MAIL", &why) && why.code != E_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error why = { 0 };
    struct script *script;
    struct reply reply;
    struct conn *conn;
    size_t lines = 0;

    if (size == 0)
        return 0;
    script = script_bytes(slice(data + 1, size - 1), 1 + data[0]);
    conn = script_conn(script);
    while (reply_read(conn, &reply, count, &lines, &why)) {
        check(&reply, lines);
        lines = 0;
    }
    assert(why.code == E_PROTOCOL || why.code == E_CLOSED);
    conn_close(conn);
    script_free(script);
    return 0;
}

/* The web server's dialogue with a client that sends what it likes. The first byte says how the rest arrives.
 *
 * Claims: a page gets only its own methods and paths and no more than its bound; everything said is an answer of HTTP,
 * and each page that was asked is heard exactly once. */
#include "tests/fuzz/fuzz.h"

#include "net/script.h"
#include "web/http.h"

enum { BODY_MAX = 50 };

static unsigned calls;

static void note(const struct http_request *r, struct http_answer *a)
{
    const char *field = http_field(r, "X"), *argument = http_argument(r, "q");

    calls++;
    answer_say(a, 200, "%zu", r->body.len);
    answer_field(a, "X-Page", "%s %s", field ? field : "", argument ? argument : "");
}

static void get(void *self, const struct http_request *r, struct http_answer *a)
{
    assert(r->method == HTTP_GET && strcmp(r->path, "/get") == 0 && r->body.len == 0);
    note(r, a);
}

static void post(void *self, const struct http_request *r, struct http_answer *a)
{
    assert(r->method == HTTP_POST && strncmp(r->path, "/post", 5) == 0 && r->body.len <= BODY_MAX);
    note(r, a);
}

static const char *const types[] = { "text/plain", NULL };
static const struct http_page pages[] = {
    { "/get", HTTP_GET, 0, NULL, get },
    { "/post", HTTP_POST, BODY_MAX, NULL, post },
    { "/post/*", HTTP_POST, BODY_MAX, types, post },
};

static unsigned count_of(struct slice text, struct slice word)
{
    unsigned count = 0;

    for (; text.len >= word.len; text = slice_after(text, 1))
        count += slice_starts(text, word);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error why = { 0 };
    struct http_server *s;
    struct script *client;
    struct conn *c;
    struct slice said;

    if (size == 0)
        return 0;
    s = http_server_new(pages, sizeof pages / sizeof *pages, &http_limits_usual, NULL, &why);
    assert(s);
    client = script_bytes(slice(data + 1, size - 1), data[0] % 64 ? data[0] % 64 : 100000);
    c = script_conn(client);
    calls = 0;
    http_serve(s, c, data[0] & 64);
    conn_close(c);
    said = script_written(client);
    assert(slice_empty(said) || slice_starts(said, SLICE("HTTP/1.1 ")));
    assert(count_of(said, SLICE("\r\nX-Page: ")) == calls);
    script_free(client);
    http_server_free(s);        /* asserts that no body is held */
    return 0;
}

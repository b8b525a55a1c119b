/* The server's dialogue with a client that says what it likes. The first byte
 * sets the server up, the second how the rest arrives.
 *
 * Claims: the house is asked in order, never for a message with a bare CR or
 * LF; a transaction requires TLS only inside TLS, and from its first moment to
 * its last or never (REQTLS-003); every reply is well formed; and without DATA
 * there is exactly one for each command (SMTP-005). */
#include "tests/fuzz/fuzz.h"

#include "net/script.h"
#include "smtp/server.h"

struct house {
    bool open;              /* a MAIL was accepted and has not ended */
    bool willing;           /* REQUIRETLS is offered */
    bool requiretls;        /* that MAIL asked for it */
    size_t recipients;
    unsigned data;          /* DATA commands that were let through */
    char last;              /* byte of the body */
    uint64_t bytes;
    bool bare, failed;
    uint8_t mood;           /* whom it refuses */
};

static void answer(struct house *h, const struct mailbox *m, struct smtp_answer *a)
{
    assert(a->code == 250);
    if (m->local.len && m->local.at[0] == 'n')
        smtp_answer_set(a, 550, "5.1.1", "No %.*s here", SLICE_ARGS(m->local));
    else if (m->local.len && m->local.at[0] == 'x')
        smtp_answer_set(a, 421, "4.7.0", "Go away");
}

static void fuzz_mail(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct house *h = self;

    assert(!h->open && s->client_name[0] && s->recipients == 0);
    assert(!s->requiretls || (h->willing && conn_tls(s->conn)));
    h->requiretls = s->requiretls;
    answer(h, &s->sender, a);
    h->open = a->code == 250;
    h->recipients = 0;
}

static void fuzz_rcpt(void *self, const struct smtp_session *s, const struct mailbox *to, struct smtp_answer *a)
{
    struct house *h = self;

    assert(h->open && s->recipients == h->recipients && !to->is_null);
    assert(s->requiretls == h->requiretls);
    answer(h, to, a);
    h->recipients += a->code == 250;
}

static void fuzz_data(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct house *h = self;

    assert(h->open && h->recipients > 0 && a->code == 354 && s->requiretls == h->requiretls);
    h->bytes = 0;
    h->last = '\0';
    h->bare = h->failed = false;
    if (h->mood & 1)
        smtp_answer_set(a, 451, "4.3.1", "Not now");
    else
        h->data++;
}

static bool fuzz_body(void *self, struct slice bytes)
{
    struct house *h = self;

    assert(h->open && !h->failed && bytes.len > 0);
    for (size_t i = 0; i < bytes.len; i++) {
        h->bare |= (h->last == '\r') != (bytes.at[i] == '\n');
        h->last = bytes.at[i];
    }
    h->bytes += bytes.len;
    h->failed = (h->mood & 2) && h->bytes > 50;
    return !h->failed;
}

static void fuzz_end(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct house *h = self;

    assert(h->open && h->recipients > 0 && s->requiretls == h->requiretls);
    assert(h->failed || (!h->bare && s->bytes == h->bytes));
    assert(h->failed || h->bytes == 0 || h->last == '\n');
    h->open = false;
    if (h->mood & 4)
        smtp_answer_set(a, 554, "5.7.1", "Not that");
}

static void fuzz_reset(void *self)
{
    struct house *h = self;

    assert(h->open);
    h->open = false;
}

static const struct smtp_house fuzz_house = { fuzz_mail, fuzz_rcpt, fuzz_data, fuzz_body, fuzz_end, fuzz_reset };

/* Every line is "ddd text" or "ddd-text" of printable ASCII, at most 512 bytes; returns the number of replies. */
static size_t count_replies(struct slice written)
{
    size_t replies = 0;

    while (written.len) {
        struct slice line = slice_cut(&written, '\n');

        assert(line.len >= 5 && line.len < 512 && line.at[line.len - 1] == '\r' && written.at);
        for (size_t i = 0; i + 1 < line.len; i++)
            assert(line.at[i] >= ' ' && line.at[i] <= '~');
        assert(line.at[0] >= '2' && line.at[0] <= '5' && byte_is_digit(line.at[1]) && byte_is_digit(line.at[2]));
        assert(line.at[3] == ' ' || line.at[3] == '-');
        replies += line.at[3] == ' ';
    }
    return replies;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char context;
    struct house house = { 0 };
    struct smtp_ending ending;
    struct smtp_server server = {
        .hostname = "mx.example.org", .software = "ESMTP postern", .limits = smtp_default_limits,
    };
    struct script *script;
    struct conn *conn;
    size_t replies;

    if (size < 2)
        return 0;
    house.mood = data[0] & 7;
    server.tls = data[0] & 8 ? (const struct tls_server *)(const void *)&context : NULL;
    server.require_tls = data[0] & 16;
    server.qualified_domains_only = data[0] & 32;
    server.requiretls = house.willing = data[1] & 1;
    server.limits.message_bytes = data[0] & 64 ? 100 : 0;
    server.limits.line_bytes = data[0] & 128 ? 20 : 0;
    server.limits.recipients = 5;
    script = script_bytes(slice(data + 2, size - 2), 1 + data[1]);
    conn = script_conn(script);
    smtp_serve(conn, &server, &fuzz_house, &house, &ending);
    assert(!house.open);

    /* one for the greeting, one for each command, two for each message that
     * reached its end; a session that was broken off says why, or nothing */
    replies = count_replies(script_written(script));
    assert(replies >= 1);
    if (house.data == 0 && ending.how == ENDED_QUIT)
        assert(replies == 1 + ending.commands);
    if (house.data == 0 && ending.how == ENDED_CLOSED)
        assert(replies == 1 + ending.commands);
    conn_close(conn);
    script_free(script);
    return 0;
}

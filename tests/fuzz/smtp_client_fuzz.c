/* The client's dialogue with a server that says what it likes. The first byte
 * is how the rest arrives, the second what is sent.
 *
 * Claims: every recipient has a result when smtp_send says so; no line end
 * stands alone in what is written; after a bare newline in the message no dot
 * follows; REQUIRETLS is believed in under TLS only (REQTLS-023), and said for
 * the messages that ask for it. */
#include "tests/fuzz/fuzz.h"

#include "net/script.h"
#include "smtp/client.h"

static const char *const messages[] = {
    "Subject: x\r\n\r\nhello\r\n", "", ".\r\n..\r\n", "no end", "bare\n.\r\nline\r\n", "caf\xc3\xa9\r\n", "cr\r", ".",
};

struct source {
    struct slice left;
    size_t piece;
};

static bool next(void *self, struct slice *piece, struct error *why)
{
    struct source *s = self;

    *piece = slice_first(s->left, s->piece);
    s->left = slice_after(s->left, s->piece);
    return true;
}

static bool judge(void *arg, const struct tls_facts *facts, struct error *why)
{
    assert(facts);
    return *(bool *)arg || fail(why, E_CERT_NOT_TRUSTED, "not good enough");
}

static void check_lines(struct slice written)
{
    for (size_t i = 0; i < written.len; i++) {
        if (written.at[i] == '\n')
            assert(i > 0 && written.at[i - 1] == '\r');
        if (i > 0 && written.at[i - 1] == '\r')
            assert(written.at[i] == '\n');
    }
}

static bool send_one(struct smtp_client *client, unsigned choice)
{
    enum { COUNT = 3 };
    struct smtp_recipient recipients[COUNT] = { { "b@example.net" }, { "c@example.net" }, { "d@example.net" } };
    struct source source = { slice_of(messages[choice % 8]), 3 };
    struct smtp_mail mail = {
        .sender = choice & 8 ? "" : "a@example.org",
        .size = source.left.len,
        .needs_8bit = choice % 8 == 5,
        .requiretls = (choice & 128) && client->peer.requiretls,
        .source = { &source, next },
    };
    struct error why = { 0 };
    bool again = smtp_send(client, &mail, recipients, COUNT, &why);

    assert(again || why.code != E_NONE);
    for (size_t i = 0; i < COUNT; i++) {
        if (again)
            assert(recipients[i].result != RCPT_UNDECIDED);
        if (recipients[i].result == RCPT_UNDECIDED)
            assert(recipients[i].reply.code == 0);
        if (recipients[i].result == RCPT_DELIVERED)
            assert(reply_class(&recipients[i].reply) == 2 && choice % 8 != 4 && choice % 8 != 6);
    }
    return again;
}

static void talk(struct smtp_client *client, uint8_t choice)
{
    static const struct tls_want want;
    bool content = choice & 16;
    struct error why = { 0 };

    if (!smtp_hello(client, choice & 32, &why)) {
        assert(why.code != E_NONE);
        return;
    }
    if (choice & 64) {
        if (smtp_secure(client, &want, judge, &content, &why))
            assert(content && conn_tls(client->conn) && !client->peer.starttls);
        else if (why.code != E_STARTTLS_REFUSED && why.code != E_STARTTLS_NOT_OFFERED)
            return;
    }
    assert(!client->peer.requiretls || conn_tls(client->conn));
    for (unsigned i = 0; i < 3; i++)
        if (!send_one(client, choice + i))
            return;
    if (!smtp_reset(client, &why))
        return;
    smtp_quit(client);
}

static bool says(struct slice written, const char *words)
{
    return written.len && memmem(written.at, written.len, words, strlen(words));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_client client;
    struct script *script;

    if (size < 2)
        return 0;
    script = script_bytes(slice(data + 2, size - 2), 1 + data[0]);
    smtp_client_init(&client, script_conn(script), "client.example", &smtp_client_times);
    talk(&client, data[1]);
    conn_close(client.conn);
    check_lines(script_written(script));
    if (data[1] < 126)      /* nor do the two messages after it */
        assert(!says(script_written(script), "REQUIRETLS"));
    script_free(script);
    return 0;
}

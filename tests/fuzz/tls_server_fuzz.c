/* The input is a client. With an odd first byte it is bytes alone; with an
 * even one it is damage to what an honest client says: pairs of how many bytes
 * to leave as they are, and what to XOR into the next. */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "tls/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct tls_server *server(void)
{
    static struct tls_server *s;
    char folder[] = "/tmp/postern-fuzz-XXXXXX", chain[64], key[64];
    struct tls_identity id = { chain, key };
    struct tls_server_settings settings = { &id, 1, .minimum = TLS_1_0, .tickets = true, .refuse_unknown_name = true };

    if (s)
        return s;
    if (!mkdtemp(folder))
        abort();
    snprintf(chain, sizeof chain, "%s/chain", folder);
    snprintf(key, sizeof key, "%s/key", folder);
    if (!tls_make_self_signed("mx.example.org", chain, key, clock_wall(), NULL))
        abort();
    s = tls_server_new(&settings, NULL);
    if (!s)
        abort();
    unlink(chain);
    unlink(key);
    rmdir(folder);
    return s;
}

static const struct tls_client *client(void)
{
    static struct tls_client *c;

    if (!c && !(c = tls_client_new(&(struct tls_client_settings){ .minimum = TLS_1_0 }, NULL)))
        abort();
    return c;
}

/* Everything a server does with what it has; what fails stays failed. */
static enum tls_step work(struct tls *t, bool *established)
{
    struct error why = { 0 };
    enum tls_step step = TLS_DONE;
    char clear[100];
    size_t got = 0;

    if (!*established) {
        step = tls_handshake(t, &why);
        *established = step == TLS_DONE;
    }
    while (*established && (step = tls_read(t, clear, sizeof clear, &got, &why)) == TLS_DONE)
        assert(got > 0 && got <= sizeof clear);
    assert(got <= sizeof clear);
    assert((step == TLS_FAILED) == (why.code != E_NONE));
    if (step == TLS_FAILED) {
        assert(why.text[0] != '\0');
        assert(tls_handshake(t, &why) == TLS_FAILED);
        assert(tls_read(t, clear, sizeof clear, &got, &why) == TLS_FAILED && got == 0);
    }
    return step;
}

static void end(struct tls *t, bool established, enum tls_step step)
{
    struct tls_facts facts;

    if (established)
        tls_get_facts(t, &facts);
    tls_feed_end(t);
    if (step == TLS_MORE)
        assert(work(t, &established) == TLS_FAILED);
    tls_close(t);
    tls_free(t);
}

static void listen_to_bytes(struct cursor *in)
{
    struct tls *t = tls_accept(server());
    size_t chunk = cursor_u8(in) * 16 + 1;
    bool established = false;
    enum tls_step step = TLS_MORE;

    while (in->rest.len && step == TLS_MORE) {
        struct slice piece = cursor_bytes(in, in->rest.len < chunk ? in->rest.len : chunk);

        tls_feed(t, slice_first(piece, tls_input_room(t)));
        step = work(t, &established);
        buf_clear(tls_output(t));
    }
    end(t, established, step);
}

/* From `from` to `to`, with the next damage done on the way. */
static void carry(struct tls *from, struct tls *to, struct cursor *damage)
{
    struct buf *out = tls_output(from);
    size_t len = buf_len(out) < tls_input_room(to) ? buf_len(out) : tls_input_room(to);

    for (size_t at = 0; damage && damage->rest.len >= 2;) {
        at += cursor_u8(damage);
        if (at >= len)
            break;
        out->memory[out->start + at++] ^= (char)cursor_u8(damage);
    }
    tls_feed(to, slice_first(buf_slice(out), len));
    buf_take(out, len);
}

static void listen_to_damage(struct cursor *in)
{
    struct tls_want want = { .client = client(), .server_name = "mx.example.org" };
    struct tls *honest = tls_connect(&want, NULL), *t = tls_accept(server());
    bool established = false, client_established = false;
    enum tls_step step = TLS_MORE;

    for (int round = 0; round < 6 && step == TLS_MORE; round++) {
        if (!client_established)
            client_established = tls_handshake(honest, NULL) == TLS_DONE;
        if (client_established)
            tls_write(honest, SLICE("EHLO client.example.org\r\n"), NULL);
        carry(honest, t, in);
        step = work(t, &established);
        carry(t, honest, NULL);
    }
    tls_free(honest);
    end(t, established, step);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_over(slice(data, size));

    if (cursor_u8(&in) % 2)
        listen_to_bytes(&in);
    else
        listen_to_damage(&in);
    return 0;
}

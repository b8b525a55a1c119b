#include "tls/session.h"

#include "base/memory.h"
#include "tls/inside.h"
#include "tls/name.h"
#include "tls/parameters.h"

#include <assert.h>
#include <openssl/err.h>

enum {
    /* A ClientHello or a certificate message may have 100 KiB; no honest handshake needs more (STARTTLS-014). */
    HANDSHAKE_MAX = 160 * 1024,
    /* Our callers write far less before they send. */
    OUTPUT_MAX = 64 * 1024 * 1024,
};

/* --- a BIO over the two bufs ---------------------------------------------- */

static int wire_read(BIO *bio, char *into, size_t size, size_t *got)
{
    struct tls *t = BIO_get_data(bio);
    struct slice held = slice_first(buf_slice(&t->input), size);

    BIO_clear_retry_flags(bio);
    if (held.len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(into, held.at, held.len);
    buf_take(&t->input, held.len);
    *got = held.len;
    return 1;
}

static int wire_write(BIO *bio, const char *bytes, size_t size, size_t *taken)
{
    struct tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    buf_add(&t->output, slice(bytes, size));
    *taken = size;
    return !t->output.failed;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static BIO *wire_new(struct tls *t)
{
    static BIO_METHOD *method;      /* one for the process */
    BIO *bio;

    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "buf");
        BIO_meth_set_read_ex(method, wire_read);
        BIO_meth_set_write_ex(method, wire_write);
        BIO_meth_set_ctrl(method, wire_control);
    }
    bio = BIO_new(method);
    if (!bio)
        abort();    /* out of memory */
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    return bio;
}

/* --- beginning and end ------------------------------------------------------ */

static struct tls *session_new(SSL *ssl)
{
    struct tls *t = NEW(struct tls);
    BIO *wire;

    if (!ssl)
        abort();    /* out of memory */
    t->ssl = ssl;
    buf_init(&t->input, TLS_INPUT_MAX);
    buf_init(&t->output, OUTPUT_MAX);
    wire = wire_new(t);
    SSL_set_bio(ssl, wire, wire);
    SSL_set_app_data(ssl, t);
    return t;
}

struct tls *tls_accept(const struct tls_server *server)
{
    struct tls *t = session_new(server_ssl(server));

    t->server = server_hold(server);
    t->minimum = server_minimum(server);
    SSL_set_accept_state(t->ssl);
    return t;
}

/* RFC 6066 3: "literal IPv4 and IPv6 addresses are not permitted" in
 * HostName, and it comes without the final dot. */
static bool set_server_name(SSL *ssl, const char *name, struct error *why)
{
    unsigned char octets[TLS_ADDRESS_MAX];
    struct slice text = slice_of(name);
    auto_free char *host = NULL;

    if (text.len == 0 || tls_name_address(name, octets) > 0)
        return true;
    if (text.at[text.len - 1] == '.')
        text.len--;
    host = memory_text(text);
    return SSL_set_tlsext_host_name(ssl, host)
        || fail(why, E_USAGE, "the host name \"%.80s\" is too long for TLS", name);
}

struct names names_copy(const char *const *names, size_t count)
{
    struct names copy = { .count = count };

    if (count > 0)
        copy.at = memory_array(count, sizeof *copy.at);
    for (size_t i = 0; i < count; i++)
        copy.at[i] = memory_text(slice_of(names[i]));
    return copy;
}

void names_done(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->at[i]);
    free(n->at);
}

/* A want can ask for more than the client does, never for less. */
static bool narrow(struct tls *t, const struct tls_want *want, struct error *why)
{
    enum tls_version above = want->minimum > t->minimum ? want->minimum : TLS_VERSION_NONE;

    if (above != TLS_VERSION_NONE)
        t->minimum = above;
    return tls_parameters_narrow(t->ssl, above, want->ciphers, why);
}

struct tls *tls_connect(const struct tls_want *want, struct error *why)
{
    struct tls *t = session_new(client_ssl(want->client));
    bool good;

    ERR_clear_error();
    t->minimum = client_minimum(want->client);
    t->pkix.chain = X509_V_ERR_UNSPECIFIED;     /* until chain_verify has been there */
    SSL_set_connect_state(t->ssl);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(t->ssl), (time_t)(clock_wall() / SECONDS(1)));
    if (want->check_name)
        t->check_name = memory_text(slice_of(want->check_name));
    t->names = names_copy(want->names, want->name_count);
    dane_ask(t, want);
    good = narrow(t, want, why) && (!want->server_name || set_server_name(t->ssl, want->server_name, why));
    ERR_clear_error();
    if (!good) {
        tls_free(t);
        return NULL;
    }
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    if (t->server)
        server_release(t->server);
    free(t->check_name);
    names_done(&t->names);
    dane_done(&t->dane);
    buf_done(&t->input);
    buf_done(&t->output);
    free(t);
}

/* --- bytes ------------------------------------------------------------------- */

size_t tls_input_room(const struct tls *t)
{
    return TLS_INPUT_MAX - buf_len(&t->input);
}

void tls_feed(struct tls *t, struct slice bytes)
{
    assert(bytes.len <= tls_input_room(t));
    if (!t->established) {
        struct slice opening = slice_first(bytes, OPENING_MAX - t->opening_len);

        if (opening.len > 0)
            memcpy(t->opening + t->opening_len, opening.at, opening.len);
        t->opening_len += opening.len;
        t->handshake_bytes += bytes.len;
    }
    buf_add(&t->input, bytes);
}

void tls_feed_end(struct tls *t)
{
    t->input_ended = true;
}

struct buf *tls_output(struct tls *t)
{
    return &t->output;
}

/* --- steps --------------------------------------------------------------------- */

typedef void trouble_teller(const struct tls *t, struct error *why);

static enum tls_step fall(struct tls *t, trouble_teller *tell, struct error *why)
{
    tell(t, why);
    t->failed = true;
    return TLS_FAILED;
}

static enum tls_step has_failed_before(struct error *why)
{
    fail(why, E_CLOSED, "the TLS session failed before");
    return TLS_FAILED;
}

/* An idle session keeps no memory for bytes that are not there. */
static enum tls_step rest(struct tls *t)
{
    if (buf_len(&t->input) == 0)
        buf_release(&t->input);
    if (buf_len(&t->output) == 0)
        buf_release(&t->output);
    return TLS_MORE;
}

static enum tls_step step_after(struct tls *t, int result, trouble_teller *tell, struct error *why)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    case SSL_ERROR_WANT_READ:
        return t->input_ended ? fall(t, tell, why) : rest(t);
    default:
        return fall(t, tell, why);
    }
}

enum tls_step tls_handshake(struct tls *t, struct error *why)
{
    enum tls_step step;

    if (t->failed)
        return has_failed_before(why);
    ERR_clear_error();
    step = step_after(t, SSL_do_handshake(t->ssl), trouble_in_handshake, why);
    if (step == TLS_MORE && t->handshake_bytes > HANDSHAKE_MAX) {
        t->failed = true;
        fail(why, E_TLS_HANDSHAKE, "TLS handshake failed: the peer sent more than %d bytes for it", HANDSHAKE_MAX);
        return TLS_FAILED;
    }
    if (step == TLS_ENDED) {
        t->input_ended = true;      /* it took its leave in the middle */
        return fall(t, trouble_in_handshake, why);
    }
    t->established = step == TLS_DONE;
    return step;
}

enum tls_step tls_read(struct tls *t, char *into, size_t size, size_t *got, struct error *why)
{
    *got = 0;
    if (t->failed)
        return has_failed_before(why);
    ERR_clear_error();
    return step_after(t, SSL_read_ex(t->ssl, into, size, got), trouble_later, why);
}

enum tls_step tls_write(struct tls *t, struct slice clear, struct error *why)
{
    size_t written;
    enum tls_step step;

    assert(t->established);
    if (t->failed)
        return has_failed_before(why);
    if (clear.len == 0)
        return TLS_DONE;
    if (clear.len > OUTPUT_MAX / 2 || buf_len(&t->output) > OUTPUT_MAX / 4) {
        fail(why, E_LIMIT, "%zu bytes are too many to write under TLS at once", clear.len);
        return TLS_FAILED;
    }
    ERR_clear_error();
    step = step_after(t, SSL_write_ex(t->ssl, clear.at, clear.len, &written), trouble_later, why);
    return step;
}

void tls_close(struct tls *t)
{
    if (t->failed || !t->established)
        return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
}

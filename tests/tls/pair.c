#include "tests/tls/pair.h"

struct pair pair_of(struct tls *client, struct tls *server)
{
    return (struct pair){ .client = client, .server = server, .client_step = TLS_MORE, .server_step = TLS_MORE };
}

void pair_done(struct pair *p)
{
    tls_free(p->client);
    tls_free(p->server);
    *p = (struct pair){ 0 };
}

size_t pair_carry(struct tls *from, struct tls *to, size_t most)
{
    struct slice bytes = slice_first(buf_slice(tls_output(from)), most);

    bytes = slice_first(bytes, tls_input_room(to));
    tls_feed(to, bytes);
    buf_take(tls_output(from), bytes.len);
    return bytes.len;
}

bool pair_shake(struct pair *p, size_t chunk)
{
    size_t moved;

    do {
        if (p->client_step == TLS_MORE)
            p->client_step = tls_handshake(p->client, &p->client_why);
        moved = pair_carry(p->client, p->server, chunk);
        if (p->server_step == TLS_MORE)
            p->server_step = tls_handshake(p->server, &p->server_why);
        moved += pair_carry(p->server, p->client, chunk);
    } while (moved > 0);
    return p->client_step == TLS_DONE && p->server_step == TLS_DONE;
}

struct pair pair_new(const struct tls_server *server, const struct tls_want *want)
{
    struct error why = { 0 };
    struct tls *client = tls_connect(want, &why);
    struct pair p;

    CHECK_OK(client, &why);
    p = pair_of(client, tls_accept(server));
    if (!pair_shake(&p, SIZE_MAX))
        fail_msg("client: %s; server: %s", p.client_why.text, p.server_why.text);
    return p;
}

static void raw_begin(struct raw *r)
{
    r->ssl = SSL_new(r->ctx);
    r->in = BIO_new(BIO_s_mem());
    r->out = BIO_new(BIO_s_mem());
    SSL_set_bio(r->ssl, r->in, r->out);
}

static SSL_CTX *lax_context(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, 0);
    SSL_CTX_set_cipher_list(ctx, "ALL:COMPLEMENTOFALL");
    return ctx;
}

struct raw raw_client(void)
{
    struct raw r = { .ctx = lax_context(TLS_client_method()) };

    raw_begin(&r);
    SSL_set_connect_state(r.ssl);
    return r;
}

struct raw raw_server(const char *chain_file, const char *key_file)
{
    struct raw r = { .ctx = lax_context(TLS_server_method()) };

    CHECK(SSL_CTX_use_certificate_chain_file(r.ctx, chain_file) == 1);
    CHECK(SSL_CTX_use_PrivateKey_file(r.ctx, key_file, SSL_FILETYPE_PEM) == 1);
    SSL_CTX_set_dh_auto(r.ctx, 1);
    raw_begin(&r);
    SSL_set_accept_state(r.ssl);
    return r;
}

void raw_done(struct raw *r)
{
    SSL_free(r->ssl);
    SSL_CTX_free(r->ctx);
}

static size_t carry_to_raw(struct raw *r, struct tls *ours)
{
    struct slice bytes = buf_slice(tls_output(ours));

    if (bytes.len > 0)
        BIO_write(r->in, bytes.at, (int)bytes.len);
    buf_take(tls_output(ours), bytes.len);
    return bytes.len;
}

static size_t carry_from_raw(struct raw *r, struct tls *ours)
{
    char bytes[8192];
    size_t room = tls_input_room(ours);
    int len = BIO_read(r->out, bytes, (int)(room < sizeof bytes ? room : sizeof bytes));

    if (len <= 0)
        return 0;
    tls_feed(ours, slice(bytes, (size_t)len));
    return (size_t)len;
}

void raw_exchange(struct raw *r, struct tls *ours)
{
    carry_from_raw(r, ours);
    carry_to_raw(r, ours);
}

bool raw_shake(struct raw *r, struct tls *ours, enum tls_step *step, struct error *why)
{
    size_t moved;
    int result;

    *step = TLS_MORE;
    do {
        result = SSL_do_handshake(r->ssl);
        moved = carry_from_raw(r, ours);
        if (*step == TLS_MORE)
            *step = tls_handshake(ours, why);
        moved += carry_to_raw(r, ours);
    } while (moved > 0);
    return result == 1 && *step == TLS_DONE;
}

/* A server's certificates, and which of them a client gets; see tls/context.h.
 *
 * OpenSSL keeps one certificate of each key type in an SSL_CTX and picks by
 * what the client can verify. So every name has a context that holds the best
 * fitting certificate of each type, and an SNI switches to it. Names with the
 * same certificates share one context. */
#include "base/memory.h"
#include "tls/identity.h"
#include "tls/inside.h"
#include "tls/parameters.h"
#include "tls/tickets.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>

/* One identity for each kind of key, NULL for none. */
struct choice {
    const struct identity *of_kind[KEY_KINDS];
};

struct hall {
    struct choice choice;
    SSL_CTX *ctx;
};

struct signpost {
    struct slice name;          /* or a wildcard */
    SSL_CTX *ctx;
};

struct tls_server {
    int holders;                /* the owner and every session: the only thing that changes */
    enum tls_version minimum;
    bool refuse_unknown_name;
    struct identity *identities;
    size_t identity_count;
    struct hall *halls;         /* the first is the default; every session begins there */
    size_t hall_count;
    struct signpost *signposts; /* sorted by name */
    size_t signpost_count;
    struct tickets *tickets;    /* NULL when they are off */
    unsigned char id[32];       /* tickets of another server are not ours, even with the same key */
};

/* --- the callbacks of a handshake ---------------------------------------- */

static int by_name(const void *a, const void *b)
{
    struct slice x = ((const struct signpost *)a)->name, y = ((const struct signpost *)b)->name;
    size_t common = x.len < y.len ? x.len : y.len;

    for (size_t i = 0; i < common; i++) {
        int difference = byte_lower(x.at[i]) - byte_lower(y.at[i]);

        if (difference)
            return difference;
    }
    return (x.len > y.len) - (x.len < y.len);
}

static SSL_CTX *find_exactly(const struct tls_server *s, struct slice name)
{
    struct signpost wanted = { .name = name }, *found = NULL;

    if (s->signpost_count > 0)
        found = bsearch(&wanted, s->signposts, s->signpost_count, sizeof wanted, by_name);
    return found ? found->ctx : NULL;
}

static SSL_CTX *find_context(const struct tls_server *s, struct slice name)
{
    char wildcard[256] = "*";
    struct slice parent = slice_after(name, slice_find(name, '.'));
    SSL_CTX *found = find_exactly(s, name);

    if (found || parent.len == name.len || parent.len >= sizeof wildcard)
        return found;
    memcpy(wildcard + 1, parent.at, parent.len);
    return find_exactly(s, slice(wildcard, parent.len + 1));
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    struct tls *t = SSL_get_app_data(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *ctx;

    if (!name)
        return SSL_TLSEXT_ERR_NOACK;
    ctx = find_context(t->server, slice_of(name));
    if (ctx) {
        SSL_set_SSL_CTX(ssl, ctx);
        return SSL_TLSEXT_ERR_OK;
    }
    if (t->server->refuse_unknown_name) {
        t->name_refused = true;
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return SSL_TLSEXT_ERR_NOACK;    /* STARTTLS-102: mail goes on with the default certificate */
}

static bool start_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
    OSSL_PARAM settings[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, sizeof key->mac),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, settings) == 1;
}

/* RFC 5077 4: -1 for an error, 0 for a ticket that is not ours, 1 to go on. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    struct tls *t = SSL_get_app_data(ssl);
    const struct ticket_key *key;

    if (sealing) {
        key = tickets_seal(t->server->tickets, clock_wall());
        memcpy(name, key->name, sizeof key->name);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return -1;
    } else {
        key = tickets_open(t->server->tickets, name, clock_wall());
        if (!key)
            return 0;
    }
    if (!EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, sealing) || !start_mac(mac, key))
        return -1;
    return 1;
}

/* --- contexts -------------------------------------------------------------- */

static void set_tickets(const struct tls_server *s, SSL_CTX *ctx)
{
    SSL_CTX_set_session_id_context(ctx, s->id, sizeof s->id);
    if (!s->tickets) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
        return;
    }
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_timeout(ctx, TICKET_LIFE / SECONDS(1));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}

static bool use_identity(SSL_CTX *ctx, const struct identity *id, struct error *why)
{
    bool used = SSL_CTX_use_cert_and_key(ctx, id->leaf, id->key, id->above, 1) == 1;
    const char *reason = used ? "" : ERR_reason_error_string(ERR_peek_error());

    ERR_clear_error();
    return used || fail(why, E_TLS_SETUP, "OpenSSL cannot use the certificate %s: %s", id->chain_file,
                        reason ? reason : "no reason given");
}

static SSL_CTX *make_context(const struct tls_server *s, const struct tls_server_settings *settings,
                             const struct choice *choice, struct error *why)
{
    const struct tls_parameters parameters = {
        .server = true, .minimum = s->minimum,
        .ciphers = settings->ciphers, .suites = settings->suites, .groups = settings->groups,
    };
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    bool good = ctx && tls_parameters_apply(ctx, &parameters, why);

    for (size_t kind = 0; good && kind < KEY_KINDS; kind++) {
        if (choice->of_kind[kind])
            good = use_identity(ctx, choice->of_kind[kind], why);
    }
    if (!good) {
        ERR_clear_error();
        SSL_CTX_free(ctx);
        return NULL;
    }
    /* The strongest that both know; a client without AES in hardware that puts
     * ChaCha20 first is given it, which is as strong. */
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    set_tickets(s, ctx);
    return ctx;
}

/* The best fit of each kind, of equals the one named first. */
static struct choice choose(const struct tls_server *s, struct slice name)
{
    struct choice choice = { 0 };
    enum fit best[KEY_KINDS] = { FIT_NOT };

    for (size_t i = 0; i < s->identity_count; i++) {
        const struct identity *id = &s->identities[i];
        enum fit fit = identity_fits(id, name);

        if (fit > best[id->kind]) {
            best[id->kind] = fit;
            choice.of_kind[id->kind] = id;
        }
    }
    return choice;
}

/* What clients get who name no name, or none that we know. */
static struct choice choose_default(const struct tls_server *s)
{
    const struct identity *first = &s->identities[0];
    struct choice choice = { 0 };

    if (first->name_count > 0)
        choice = choose(s, slice_of(first->names[0]));
    choice.of_kind[first->kind] = first;
    return choice;
}

static SSL_CTX *hall_for(struct tls_server *s, const struct tls_server_settings *settings, struct choice choice,
                         struct error *why)
{
    SSL_CTX *ctx;

    for (size_t i = 0; i < s->hall_count; i++) {
        if (memcmp(&s->halls[i].choice, &choice, sizeof choice) == 0)
            return s->halls[i].ctx;
    }
    ctx = make_context(s, settings, &choice, why);
    if (ctx) {
        s->halls = memory_grow(s->halls, s->hall_count + 1, sizeof *s->halls);
        s->halls[s->hall_count++] = (struct hall){ choice, ctx };
    }
    return ctx;
}

static void put_signpost(struct tls_server *s, struct slice name, SSL_CTX *ctx)
{
    s->signposts = memory_grow(s->signposts, s->signpost_count + 1, sizeof *s->signposts);
    s->signposts[s->signpost_count++] = (struct signpost){ name, ctx };
}

static void sort_signposts(struct tls_server *s)
{
    size_t kept = 0;

    if (s->signpost_count == 0)
        return;
    qsort(s->signposts, s->signpost_count, sizeof *s->signposts, by_name);
    for (size_t i = 0; i < s->signpost_count; i++) {
        if (kept == 0 || by_name(&s->signposts[kept - 1], &s->signposts[i]) != 0)
            s->signposts[kept++] = s->signposts[i];
    }
    s->signpost_count = kept;
}

static bool build_halls(struct tls_server *s, const struct tls_server_settings *settings, struct error *why)
{
    if (!hall_for(s, settings, choose_default(s), why))
        return false;
    for (size_t i = 0; i < s->identity_count; i++) {
        const struct identity *id = &s->identities[i];

        for (size_t n = 0; n < id->name_count; n++) {
            struct slice name = slice_of(id->names[n]);
            SSL_CTX *ctx = hall_for(s, settings, choose(s, name), why);

            if (!ctx)
                return false;
            put_signpost(s, name, ctx);
        }
    }
    sort_signposts(s);
    return true;
}

static bool load_identities(struct tls_server *s, const struct tls_server_settings *settings, struct error *why)
{
    if (settings->identity_count == 0)
        return fail(why, E_USAGE, "a TLS server needs a certificate and its key");
    s->identities = memory_array(settings->identity_count, sizeof *s->identities);
    for (; s->identity_count < settings->identity_count; s->identity_count++) {
        if (!identity_load(&s->identities[s->identity_count], &settings->identities[s->identity_count], why))
            return false;
    }
    return true;
}

/* --- public ------------------------------------------------------------------ */

struct tls_server *tls_server_new(const struct tls_server_settings *settings, struct error *why)
{
    struct tls_server *s = NEW(struct tls_server);

    s->holders = 1;
    s->minimum = settings->minimum == TLS_VERSION_NONE ? TLS_1_2 : settings->minimum;
    s->refuse_unknown_name = settings->refuse_unknown_name;
    s->tickets = settings->tickets ? tickets_new(clock_wall()) : NULL;
    if (RAND_bytes(s->id, sizeof s->id) != 1)
        abort();
    if (!load_identities(s, settings, why) || !build_halls(s, settings, why)) {
        tls_server_free(s);
        return NULL;
    }
    return s;
}

void tls_server_free(struct tls_server *s)
{
    if (s)
        server_release(s);
}

static bool is_used(const struct tls_server *s, const struct identity *id)
{
    for (size_t i = 0; i < s->hall_count; i++) {
        if (s->halls[i].choice.of_kind[id->kind] == id)
            return true;
    }
    return false;
}

void tls_server_review(const struct tls_server *s, time_ms wall, void (*tell)(void *arg, const char *text), void *arg)
{
    for (size_t i = 0; i < s->identity_count; i++) {
        const struct identity *id = &s->identities[i];
        char text[400];

        identity_review(id, wall, tell, arg);
        if (is_used(s, id))
            continue;
        snprintf(text, sizeof text, "certificate %s is never used: one named before it has the same names and "
                 "the same type of key", id->chain_file);
        tell(arg, text);
    }
}

struct tls_server *server_hold(const struct tls_server *s)
{
    struct tls_server *held = (struct tls_server *)s;

    held->holders++;
    return held;
}

void server_release(struct tls_server *s)
{
    assert(s->holders > 0);
    if (--s->holders > 0)
        return;
    for (size_t i = 0; i < s->hall_count; i++)
        SSL_CTX_free(s->halls[i].ctx);
    for (size_t i = 0; i < s->identity_count; i++)
        identity_done(&s->identities[i]);
    tickets_free(s->tickets);
    free(s->signposts);
    free(s->halls);
    free(s->identities);
    free(s);
}

SSL *server_ssl(const struct tls_server *s)
{
    return SSL_new(s->halls[0].ctx);
}

enum tls_version server_minimum(const struct tls_server *s)
{
    return s->minimum;
}

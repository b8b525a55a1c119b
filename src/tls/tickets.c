#include "tls/tickets.h"

#include "base/memory.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

struct tickets {
    int64_t day;                    /* of `today` */
    unsigned char secret[32];       /* today's; becomes tomorrow's by one step */
    struct ticket_key today, yesterday;
};

/* HKDF-Expand, RFC 5869 2.3. */
static void derive(const unsigned char secret[32], const char *purpose, void *out, size_t size)
{
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(hkdf);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM settings[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, 32),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)purpose, strlen(purpose)),
        OSSL_PARAM_construct_end(),
    };

    if (EVP_KDF_derive(ctx, out, size, settings) != 1)
        abort();    /* better than a key that is not secret */
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(hkdf);
}

static void make_key(struct tickets *t)
{
    derive(t->secret, "postern ticket key", &t->today, sizeof t->today);
}

static void next_day(struct tickets *t)
{
    unsigned char next[sizeof t->secret];

    derive(t->secret, "postern ticket secret of the next day", next, sizeof next);
    memcpy(t->secret, next, sizeof next);
    OPENSSL_cleanse(next, sizeof next);
    t->yesterday = t->today;
    make_key(t);
    t->day++;
}

static void catch_up(struct tickets *t, time_ms wall)
{
    while (t->day < wall / TICKET_KEY_PERIOD)
        next_day(t);
}

struct tickets *tickets_new(time_ms wall)
{
    struct tickets *t = NEW(struct tickets);

    t->day = wall / TICKET_KEY_PERIOD;
    if (RAND_priv_bytes(t->secret, sizeof t->secret) != 1
        || RAND_bytes((unsigned char *)&t->yesterday, sizeof t->yesterday) != 1)
        abort();
    make_key(t);
    return t;
}

void tickets_free(struct tickets *t)
{
    if (t)
        OPENSSL_cleanse(t, sizeof *t);
    free(t);
}

const struct ticket_key *tickets_seal(struct tickets *t, time_ms wall)
{
    catch_up(t, wall);
    return &t->today;
}

const struct ticket_key *tickets_open(struct tickets *t, const unsigned char name[16], time_ms wall)
{
    catch_up(t, wall);
    if (memcmp(name, t->today.name, sizeof t->today.name) == 0)
        return &t->today;
    if (memcmp(name, t->yesterday.name, sizeof t->yesterday.name) == 0)
        return &t->yesterday;
    return NULL;
}

#include "tests/tls/meet.h"

#include "base/memory.h"
#include "tests/tls/pair.h"

#include <openssl/evp.h>

const struct cert *meet_root(void)
{
    static struct cert *root;

    if (!root)
        root = cert_make(&(struct cert_wish){ .common_name = "Root", .is_ca = true }, NULL);
    return root;
}

const struct cert *meet_between(void)
{
    static struct cert *between;

    if (!between)
        between = cert_make(&(struct cert_wish){ .common_name = "Between", .is_ca = true }, meet_root());
    return between;
}

static const struct tls_client *client(void)
{
    static struct tls_client *c;
    struct error why = { 0 };

    if (!c)
        c = tls_client_new(&(struct tls_client_settings){ .ca_file = cert_file("known.pem", meet_root(), NULL) }, &why);
    CHECK_OK(c, &why);
    return c;
}

struct tlsa tlsa_of(uint8_t usage, uint8_t selector, uint8_t matching, const struct cert *c)
{
    static unsigned char kept[512][EVP_MAX_MD_SIZE];
    static size_t next;
    struct slice data = selector == 0 ? cert_der(c) : cert_key_der(c);
    unsigned char *digest;
    unsigned len;

    if (matching != 0) {
        digest = kept[next++ % 512];
        CHECK(EVP_Digest(data.at, data.len, digest, &len, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL));
        data = slice(digest, len);
    }
    return (struct tlsa){ usage, selector, matching, data };
}

/* --- what goes away --------------------------------------------------------- */

static size_t count(const char *const *names)
{
    size_t n = 0;

    while (n < 4 && names[n])
        n++;
    return n;
}

static char **borrow(const char *const *names)
{
    char **copy = memory_array(4, sizeof *copy);

    for (size_t i = 0; i < count(names); i++)
        copy[i] = memory_text(slice_of(names[i]));
    return copy;
}

static void give_back(char **names)
{
    for (size_t i = 0; i < 4; i++)
        free(names[i]);
    free(names);
}

static struct tlsa *borrow_records(const struct meeting *m)
{
    struct tlsa *copy = memory_array(m->dane_count + 1, sizeof *copy);

    for (size_t i = 0; i < m->dane_count; i++) {
        copy[i] = m->dane[i];
        if (copy[i].data.at)
            copy[i].data.at = memory_text(copy[i].data);
    }
    return copy;
}

static void give_back_records(struct tlsa *records, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((char *)records[i].data.at);
    free(records);
}

static struct tls *connect_with(const struct meeting *m)
{
    char **names = borrow(m->names), **dane_names = borrow(m->dane_names);
    char *server_name = m->server_name ? memory_text(slice_of(m->server_name)) : NULL;
    char *check_name = m->check_name ? memory_text(slice_of(m->check_name)) : NULL;
    struct tlsa *records = borrow_records(m);
    struct tls_want want = {
        .client = client(), .server_name = server_name, .check_name = check_name,
        .names = (const char *const *)names, .name_count = count(m->names),
        .dane = records, .dane_count = m->dane_count,
        .dane_names = (const char *const *)dane_names, .dane_name_count = count(m->dane_names),
    };
    struct error why = { 0 };
    struct tls *t = tls_connect(&want, &why);

    CHECK_OK(t, &why);
    give_back(names);
    give_back(dane_names);
    give_back_records(records, m->dane_count);
    free(server_name);
    free(check_name);
    return t;
}

struct tls_facts meet(const struct meeting *m)
{
    const struct cert *const *c = m->shown;
    const char *chain = cert_file("shown.pem", c[0], c[1], c[2], c[3], c[4], c[5], NULL);
    struct raw server = raw_server(chain, cert_key_file("shown.key", c[0]));
    struct tls *t = connect_with(m);
    struct error why = { 0 };
    enum tls_step step;
    struct tls_facts facts;

    if (m->most == TLS_1_2)
        SSL_set_max_proto_version(server.ssl, TLS1_2_VERSION);
    if (!raw_shake(&server, t, &step, &why))    /* whatever the certificate is: STARTTLS-105 */
        fail_msg("no handshake: %s", why.text);
    tls_get_facts(t, &facts);
    tls_free(t);
    raw_done(&server);
    return facts;
}

/* Fills the tallies of a data directory, for tests of the commands that read them: a JSON object a line.
 *
 *     tally_tool DIRECTORY < lines
 *
 * "kind" says what is counted, sent, received, client or raw (its "key" in hex); "day" when, "count" how often; the
 * rest are the fields of a fact, a receipt or a visit, by the names below. What is not said is "", no or none. */
#include "fact/digest.h"
#include "fact/visit.h"
#include "queue/queue.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "tally_tool: %s\n", what);
    exit(1);
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text ? text : "";
}

static bool truth_of(const json_t *o, const char *name)
{
    return json_is_true(json_object_get(o, name));
}

/* Where it stands among these names; 0 when it is not said. */
static int one_of(const json_t *o, const char *name, const char *const *names)
{
    const char *text = text_of(o, name);

    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    if (text[0])
        give_up(name);
    return 0;
}

static enum tls_version version_of(const json_t *o)
{
    enum tls_version version = TLS_VERSION_NONE;

    if (text_of(o, "tls")[0] && !tls_version_parse(slice_of(text_of(o, "tls")), &version))
        give_up("tls");
    return version;
}

static enum error_code code_of(const json_t *o, const char *name)
{
    const char *text = text_of(o, name);

    for (int code = E_NONE + 1; code < E_COUNT; code++)
        if (strcmp(error_name((enum error_code)code), text) == 0)
            return (enum error_code)code;
    if (text[0])
        give_up(name);
    return E_NONE;
}

static void put_sent(const json_t *o, bool rest, struct buf *key)
{
    static const char *const levels[] = { "may", "off", "encrypt", "verify", "dane-only", NULL };
    static const enum tls_level level[] = { TLS_LEVEL_MAY, TLS_LEVEL_OFF, TLS_LEVEL_ENCRYPT, TLS_LEVEL_VERIFY, TLS_LEVEL_DANE_ONLY };
    static const char *const policies[] = { "", "dane", "mta-sts", NULL };
    static const char *const danes[] = { "", "match", "no-match", "expired", "name", NULL };
    static const char *const trusts[] = { "none", "untrusted", "expired", "pkix", NULL };
    const int policy = one_of(o, "policy", policies);
    const struct tls_rule rule = { .level = level[one_of(o, "level", levels)] };
    const struct decide_settings settings = { 0 };
    const struct decide_input input = { .dane = policy == 1 ? DANE_AUTH : DANE_NONE, .authentic = true,
                                        .sts = policy == 2 ? STS_ENFORCE_MATCH : STS_NONE };
    struct tls_facts tls = { .version = version_of(o), .name_matches = truth_of(o, "name-matches"),
                             .self_signed = truth_of(o, "self-signed"), .dane = (enum tls_dane)one_of(o, "dane", danes),
                             .trust = (enum tls_trust)one_of(o, "trust", trusts) };
    const struct fact f = { .next_hop = text_of(o, "next-hop"), .host = text_of(o, "host"), .relay = "", .why = "",
                            .decision = decide(&rule, &settings, &input, NULL), .how = code_of(o, "how"),
                            .tls_problem = code_of(o, "tls-problem"), .starttls_missing = truth_of(o, "starttls-missing"),
                            .tls = tls.version == TLS_VERSION_NONE ? NULL : &tls };

    snprintf(tls.group, sizeof tls.group, "%s", text_of(o, "group"));
    snprintf(tls.cipher, sizeof tls.cipher, "%s", text_of(o, "cipher"));
    snprintf(tls.trust_problem, sizeof tls.trust_problem, "%s", text_of(o, "trust-problem"));
    if (rest)
        fact_digest_rest(&f, key);
    else
        fact_digest_encode(&f, key);
}

static void put_received(const json_t *o, bool rest, struct buf *key)
{
    const struct receipt r = { text_of(o, "domain"), version_of(o), text_of(o, "group"), text_of(o, "cipher") };

    if (rest)
        receipt_rest(&r, key);
    else
        receipt_encode(&r, key);
}

static void put_client(const json_t *o, bool rest, struct buf *key)
{
    static const char *const roles[] = { "mx", "submission", NULL };
    static const char *const ends[] = { "sent", "handshake-failed", "refused-in-clear", NULL };
    struct visit v = { .role = (enum visit_role)one_of(o, "role", roles), .end = (enum visit_end)one_of(o, "end", ends),
                       .name = text_of(o, "name"), .user = text_of(o, "user"), .version = version_of(o),
                       .password_in_clear = truth_of(o, "password-in-clear"), .group = text_of(o, "group"),
                       .cipher = text_of(o, "cipher"), .problem = text_of(o, "problem") };

    if (!address_parse_ip(slice_of(text_of(o, "address")), &v.client))
        give_up("address");
    if (rest)
        visit_rest(&v, key);
    else
        visit_encode(&v, key);
}

static void put_raw(const json_t *o, bool rest, struct buf *key)
{
    unsigned byte;

    for (const char *hex = text_of(o, "key"); sscanf(hex, "%2x", &byte) == 1; hex += 2)
        buf_u8(key, (uint8_t)byte);
}

static void add(struct queue *q, const json_t *o)
{
    static const char *const kinds[] = { "sent", "received", "client", "raw", NULL };
    static void (*const put[])(const json_t *o, bool rest, struct buf *key) = { put_sent, put_received, put_client, put_raw };
    auto_buf struct buf key = { 0 };
    struct tally t = { .day = (uint32_t)json_integer_value(json_object_get(o, "day")),
                       .count = (uint64_t)json_integer_value(json_object_get(o, "count")) };

    buf_init(&key, TALLY_KEY_MAX);
    put[one_of(o, "kind", kinds)](o, truth_of(o, "rest"), &key);
    if (key.failed || buf_len(&key) == 0)
        give_up("the key is too long, or empty");
    t.key = buf_slice(&key);
    queue_tally(q, &t);
}

int main(int argc, char **argv)
{
    struct queue_settings settings = { .directory = argc == 2 ? argv[1] : "", .slots = 1, .per_destination = 1 };
    struct error why = { 0 };
    struct queue *q = queue_open(&settings, &why);
    char line[8192];

    if (!q)
        give_up(why.text);
    while (fgets(line, sizeof line, stdin)) {
        json_t *o = json_loads(line, 0, NULL);

        if (!o)
            give_up("a line is no JSON");
        add(q, o);
        json_decref(o);
    }
    queue_tally_flush(q);
    queue_commit(q);
    queue_close(q);
    return 0;
}

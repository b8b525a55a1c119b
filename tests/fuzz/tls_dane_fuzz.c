/* The input is the data of TLSA records: of each usage, selector and matching type there is. */
#include "tests/fuzz/fuzz.h"

#include "tls/inside.h"

static const struct tls_client *client(void)
{
    static struct tls_client *c;

    if (!c && !(c = tls_client_new(&(struct tls_client_settings){ 0 }, NULL)))
        abort();
    return c;
}

/* How many of `count` records OpenSSL will match with. */
static size_t taken(const struct tlsa *records, size_t count)
{
    struct tls_want want = { .client = client(), .dane = records, .dane_count = count };
    struct tls *t = tls_connect(&want, NULL);
    size_t n;

    assert(t && t->dane.result == TLS_DANE_NO_MATCH);
    n = t->dane.records;
    tls_free(t);
    return n;
}

static void check_form(struct slice data, uint8_t selector, bool (*is)(struct slice der))
{
    struct tlsa r = { 3, selector, 0, data };

    assert(!is(slice("", 0)));
    if (!is(data))
        return;
    assert(!is(slice_first(data, data.len - 1)));

    /* What we call usable is of use. */
    assert(taken(&r, 1) == 1);
    r.usage = 2;
    assert(taken(&r, 1) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice(data, size);
    struct tlsa all[5 * 3 * 4];
    size_t count = 0;

    for (uint8_t usage = 0; usage < 5; usage++) {
        for (uint8_t selector = 0; selector < 3; selector++) {
            for (uint8_t matching = 0; matching < 4; matching++)
                all[count++] = (struct tlsa){ usage, selector, matching, input };
        }
    }
    assert(taken(all, count) <= 6);     /* usages 2 and 3, as a digest with both selectors, or whole, or both */
    check_form(input, 0, tls_is_certificate);
    check_form(input, 1, tls_is_public_key);
    assert(!tls_is_certificate(input) || !tls_is_public_key(input));
    return 0;
}

/* The first byte tells of the host: are its addresses secure, is it an alias. Then come answers in the order of
 * the questions, each a status, a TTL and records with their length in one byte, up to a record of 255. */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "dns/tlsa.h"

enum { RECORDS_MAX = 300, END_OF_RECORDS = 255 };

static const char host[] = "mx.example.org", end[] = "end.example.net";

static struct dialogue {
    struct cursor in;
    bool secure, aliased;
    size_t asked;
    struct dns_answer last;
    struct slice records[RECORDS_MAX];
} d;

static void check_question(const char *name, enum dns_type type)
{
    if (type == DNS_CNAME) {
        assert(d.asked == 0 && d.aliased && !d.secure && strcmp(name, host) == 0);
        return;
    }
    assert(type == DNS_TLSA);
    if (d.secure)
        assert(strcmp(name, d.aliased && d.asked == 0 ? "_25._tcp.end.example.net" : "_25._tcp.mx.example.org") == 0);
    else
        assert(d.asked == 1 && d.last.status == DNS_FOUND && d.last.secure && strcmp(name, "_25._tcp.mx.example.org") == 0);
}

static void answer(void *self, const char *name, enum dns_type type, struct arena *arena, struct dns_answer *out)
{
    uint8_t status = cursor_u8(&d.in), len;

    check_question(name, type);
    d.asked++;
    d.last = (struct dns_answer){ .status = status % 5, .canonical = name, .ttl = cursor_u16(&d.in), .why = "" };
    d.last.secure = status >= 128 && !dns_answer_is_error(&d.last);
    while (d.last.status == DNS_FOUND && d.last.count < RECORDS_MAX && !d.in.failed &&
           (len = cursor_u8(&d.in)) != END_OF_RECORDS)
        d.records[d.last.count++] = cursor_bytes(&d.in, len);
    d.last.records = d.records;
    *out = d.last;
}

static void check_found(const struct tlsa_answer *t, const struct host_addresses *at)
{
    assert(d.last.status == DNS_FOUND && d.last.secure && t->count == d.last.count && t->count <= TLSA_RECORDS_MAX);
    assert(strcmp(t->base, d.secure && d.aliased && d.asked == 1 ? end : host) == 0);
    assert(t->ttl <= d.last.ttl && t->ttl <= at->ttl);
    for (size_t i = 0; i < t->count; i++)
        assert(slice_equal(t->records[i], d.last.records[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host_addresses at = { .canonical = host, .ttl = 600 };
    struct tlsa_answer t;
    uint8_t first;
    auto_arena struct arena arena;

    d = (struct dialogue){ .in = cursor_over(slice(data, size)) };
    first = cursor_u8(&d.in);
    d.secure = at.secure = first & 1;
    d.aliased = at.aliased = first & 2;
    if (d.aliased)
        at.canonical = end;
    arena_init(&arena, first & 4 ? 200 : 256 * 1024);
    tlsa_find_from(&(struct tlsa_source){ answer, NULL }, host, &at, 25, &arena, &t);

    assert((t.status == TLSA_ERROR) == (t.why.code == E_TLSA_LOOKUP));
    assert(t.status == TLSA_FOUND || (t.count == 0 && !t.records && strcmp(t.base, host) == 0));
    assert(d.asked == t.asked_count + (d.aliased && !d.secure));
    if (t.status == TLSA_FOUND)
        check_found(&t, &at);
    if (t.status == TLSA_NOT_ASKED)
        assert(!d.secure && t.asked_count == 0);
    if (t.status == TLSA_ABSENT || t.status == TLSA_INSECURE)
        assert(t.asked_count == (d.secure && d.aliased ? 2 : 1));
    if (dns_answer_is_error(&d.last))
        assert(t.status == TLSA_ERROR && t.ttl == 0);
    return 0;
}

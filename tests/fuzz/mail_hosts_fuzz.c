/* The first byte is the answer's status, the second the seed; then come records,
 * each with its length in one byte. They are read as MX and as addresses. */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "dns/hosts.h"

enum { RECORDS_MAX = 200 };

static void check_hosts(const struct dns_answer *mx, uint64_t seed)
{
    struct error why = { 0 };
    struct mail_hosts hosts = { 0 };
    auto_arena struct arena arena;

    arena_init(&arena, 256 * 1024);
    if (!mail_hosts_from(mx, "example.org", seed, &arena, &hosts, &why)) {
        assert(why.code != E_NONE && hosts.count == 0);
        return;
    }
    assert(mx->status == DNS_FOUND || mx->status == DNS_NO_DATA);
    assert(hosts.count > 0 && hosts.count <= MAIL_HOSTS_MAX);
    for (size_t i = 0; i < hosts.count; i++) {
        struct address ignored;

        assert(dns_name_valid(hosts.hosts[i].name));
        assert(!address_parse_ip(slice_of(hosts.hosts[i].name), &ignored));
        assert(i == 0 || hosts.hosts[i - 1].preference <= hosts.hosts[i].preference);
        for (size_t other = 0; other < i; other++)
            assert(strcmp(hosts.hosts[i].name, hosts.hosts[other].name) != 0);
    }
}

static void check_addresses(const struct dns_answer *answer)
{
    struct error why = { 0 };
    struct host_addresses found = { 0 };
    auto_arena struct arena arena;

    arena_init(&arena, 64 * 1024);
    if (!host_addresses_from(answer, answer, "mx.example.org", 25, &arena, &found, &why)) {
        assert(why.code != E_NONE && found.count == 0);
        return;
    }
    assert(answer->status == DNS_FOUND && found.count > 0 && found.count <= HOST_ADDRESSES_MAX);
    assert(found.secure == answer->secure);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_over(slice(data, size));
    uint8_t status = cursor_u8(&in), seed = cursor_u8(&in);
    struct slice records[RECORDS_MAX];
    struct dns_answer answer = { .status = status % 5, .secure = status >= 128, .canonical = "example.org", .why = "" };

    while (in.rest.len && answer.count < RECORDS_MAX) {
        uint8_t len = cursor_u8(&in);

        records[answer.count++] = slice_first(in.rest, len);
        in.rest = slice_after(in.rest, len);
    }
    if (answer.status == DNS_FOUND && answer.count == 0)
        return 0;
    answer.records = records;
    check_hosts(&answer, seed);
    check_addresses(&answer);
    return 0;
}

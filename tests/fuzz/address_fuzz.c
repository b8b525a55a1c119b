/* Whatever is taken for an address, a network or a host can be shown and read again, and means the same. */
#include "tests/fuzz/fuzz.h"

#include "net/address.h"

static void check_address(struct slice text)
{
    struct address a, again;
    struct error why;
    char shown[ADDRESS_TEXT_MAX];

    if (address_parse_ip(text, &a)) {
        assert(a.port == 0);
        assert(address_parse_ip(slice_of(address_ip_text(&a, shown)), &again));
        assert(address_same_ip(&a, &again));
    }
    if (address_parse(text, &a, &why)) {
        assert(address_parse(slice_of(address_text(&a, shown)), &again, &why));
        assert(address_same_ip(&a, &again) && a.port == again.port);
    }
}

static void check_network(struct slice text)
{
    struct network n;
    struct error why = { 0 };

    if (network_parse(text, &n, &why))
        assert(n.bits <= 128 && network_holds(&n, &n.base));
    else
        assert(why.code == E_MALFORMED && why.text[0] != '\0');
}

static void check_host_port(struct slice text)
{
    struct slice host;
    uint16_t port;
    struct error why;

    if (!host_port_parse(text, 25, &host, &port, &why))
        return;
    assert(port != 0 && host.len > 0 && host.len <= 255);
    assert(host.at >= text.at && host.at + host.len <= text.at + text.len);
    for (size_t i = 0; i < host.len; i++)
        assert((unsigned char)host.at[i] > ' ' && host.at[i] != '[' && host.at[i] != ']');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice(data, size);

    check_address(text);
    check_network(text);
    check_host_port(text);
    return 0;
}

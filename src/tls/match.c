#include "tls/match.h"

#include "tls/identity.h"
#include "tls/name.h"

#include <openssl/x509v3.h>

struct search {
    struct slice reference;
    bool found;
};

static bool compare_name(void *arg, struct slice name)
{
    struct search *s = arg;

    s->found = tls_name_covers(name, s->reference);
    return !s->found;
}

/* RFC 9525 6.4: an IP-ID matches octet for octet. */
static bool has_address(const X509 *cert, struct slice octets)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool found = false;

    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_IPADD)
            found = slice_equal(octets, slice(ASN1_STRING_get0_data(name->d.iPAddress),
                                              (size_t)ASN1_STRING_length(name->d.iPAddress)));
    }
    GENERAL_NAMES_free(names);
    return found;
}

bool match_name(const X509 *cert, const char *reference)
{
    unsigned char octets[TLS_ADDRESS_MAX];
    size_t len = tls_name_address(reference, octets);
    struct search search = { slice_of(reference), false };

    if (len > 0)
        return has_address(cert, slice(octets, len));
    certificate_names(cert, compare_name, &search);
    return search.found;
}

bool match_common_name(const X509 *cert, const char *reference)
{
    unsigned char octets[TLS_ADDRESS_MAX];
    char name[256];

    return tls_name_address(reference, octets) == 0 && !certificate_has_names(cert)
        && certificate_common_name(cert, name, sizeof name)
        && tls_name_covers(slice_of(name), slice_of(reference));
}

static bool compare_ending(void *arg, struct slice name)
{
    struct search *s = arg;

    s->found = slice_ends_nocase(name, s->reference);   /* a usable name has something before each dot */
    return !s->found;
}

bool match_listed(const X509 *cert, const char *listed)
{
    struct search search = { slice_of(listed), false };

    if (!slice_starts(search.reference, SLICE(".")))
        return match_name(cert, listed);
    certificate_names(cert, compare_ending, &search);
    return search.found;
}

#include "tls/name.h"

#include <arpa/inet.h>

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 };

static bool label_is_usable(struct slice label)
{
    if (label.len == 0 || label.len > LABEL_MAX_BYTES)
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.at[i];

        if (!byte_is_alpha(c) && !byte_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

/* All labels usable; returns how many, 0 when one is not. */
static size_t count_labels(struct slice name)
{
    size_t labels = 0;

    if (name.len > NAME_MAX_BYTES)
        return 0;
    do {
        if (!label_is_usable(slice_cut(&name, '.')))
            return 0;
        labels++;
    } while (name.at);
    return labels;
}

static bool is_wildcard(struct slice name)
{
    return slice_starts(name, SLICE("*."));
}

bool tls_name_is_usable(struct slice presented)
{
    /* A whole top-level domain belongs to nobody who could hold its key. */
    if (is_wildcard(presented))
        return count_labels(slice_after(presented, 2)) >= 2;
    return count_labels(presented) > 0;
}

bool tls_name_covers(struct slice presented, struct slice reference)
{
    if (reference.len > 0 && reference.at[reference.len - 1] == '.')
        reference.len--;
    if (!tls_name_is_usable(presented) || count_labels(reference) == 0)
        return false;
    if (is_wildcard(presented)) {
        presented = slice_after(presented, 2);
        slice_cut(&reference, '.');
        if (!reference.at)
            return false;
    }
    return slice_equal_nocase(presented, reference);
}

size_t tls_name_address(const char *text, unsigned char octets[TLS_ADDRESS_MAX])
{
    if (inet_pton(AF_INET, text, octets) == 1)
        return 4;
    if (inet_pton(AF_INET6, text, octets) == 1)
        return 16;
    return 0;
}

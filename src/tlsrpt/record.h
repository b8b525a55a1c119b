/* tlsrpt/record.h - the record at _smtp._tls.DOMAIN (RFC 8460 3, spec TLSRPT-001 to -008). Pure. */
#ifndef TLSRPT_RECORD_H
#define TLSRPT_RECORD_H

#include "base/arena.h"
#include "base/error.h"

enum { RUA_MAX = 10, RUA_TEXT_MAX = 1024 };

enum rua_scheme { RUA_MAILTO, RUA_HTTPS };
struct rua {
    enum rua_scheme scheme;
    const char *address;            /* mailto: local@domain, decoded; the header parts are dropped (TLSRPT-008). Else NULL */
    const char *host;               /* https: lower case, a name and no address. Else NULL */
    uint16_t port;
    const char *path;               /* with the query; "/" when none was given. Encoded as it came */
    const char *text;               /* the URI as published */
};
struct rpt_record {
    struct rua rua[RUA_MAX];        /* those with a scheme and form that we know, each once; may be none */
    size_t count;
    size_t skipped;                 /* those without; longer than RUA_TEXT_MAX; and those behind the tenth */
};

/* Among all TXT records (strings joined). E_NOT_FOUND: none begins with the version, or several do; E_MALFORMED: the one
 * that does is wrong; E_LIMIT: the arena is full. "v=TLSRPTv1 ;" with a blank, which the grammar allows, counts only while
 * no record begins with "v=TLSRPTv1;"; blanks at the end are overlooked. Memory from `arena`. */
bool rpt_record_find(const struct slice *texts, size_t count, struct arena *arena, struct rpt_record *out,
                     struct error *why) must_check;

#endif

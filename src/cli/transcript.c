#include "cli/transcript.h"

#include "base/escape.h"

#include <stdio.h>

void transcript_print(void *unused, bool sent, struct slice line)
{
    char shown[1200];

    printf("%c: %s\n", sent ? 'C' : 'S', escape_line(line, shown, sizeof shown));
    fflush(stdout);
}

void transcript_print_tls(const struct tls_facts *f)
{
    static const char *const trusts[] = { "no certificate", "not trusted", "expired", "trusted" };

    printf("-- TLS: %s %s (%d bits)%s%s\n", tls_version_name(f->version), f->cipher, f->cipher_bits,
           f->group[0] ? " " : "", f->group);
    printf("-- certificate: %s, %s, %s%s%s%s\n", f->subject[0] ? f->subject : "(no name)", f->key, trusts[f->trust],
           f->trust_problem[0] ? " (" : "", f->trust_problem, f->trust_problem[0] ? ")" : "");
    printf("-- name %s; SHA-256 %s\n", f->name_matches ? "matches" : "does not match", f->fingerprint);
    fflush(stdout);
}

#include "cli/transcript.h"

#include "base/escape.h"

#include <stdio.h>

static void show_line(char who, struct slice line)
{
    char shown[1200];

    printf("%c: %s\n", who, escape_line(line, shown, sizeof shown));
}

static void show_message(struct transcript *t)
{
    if (t->message_bytes)
        printf("C: (the message, %zu bytes)\n", t->message_bytes);
    t->in_message = false;
    t->message_bytes = 0;
}

static void add_to_line(struct transcript *t, bool sent, struct slice part, bool ended)
{
    struct half_line *half = &t->halves[sent];
    struct slice fitting = slice_first(part, sizeof half->text - half->len);

    memcpy(half->text + half->len, fitting.at, fitting.len);
    half->len += fitting.len;
    if (!ended)
        return;
    show_line(sent ? 'C' : 'S', slice_trim(slice(half->text, half->len)));
    if (!sent && slice_starts(slice(half->text, half->len), SLICE("354")))
        t->in_message = true;
    half->len = 0;
}

void transcript_hear(void *transcript, bool sent, struct slice bytes)
{
    struct transcript *t = transcript;

    if (!t->shown)
        return;
    if (sent && t->in_message) {
        t->message_bytes += bytes.len;
        return;
    }
    if (!sent && t->in_message)
        show_message(t);
    while (bytes.len) {
        bool ended = slice_find(bytes, '\n') < bytes.len;

        add_to_line(t, sent, slice_cut(&bytes, '\n'), ended);
    }
    fflush(stdout);
}

void transcript_tls(struct transcript *t, const struct tls_facts *f)
{
    static const char *const trusts[] = { "no certificate", "not trusted", "expired", "trusted" };

    if (!t->shown)
        return;
    printf("-- TLS: %s %s (%d bits)%s%s\n", tls_version_name(f->version), f->cipher, f->cipher_bits,
           f->group[0] ? " " : "", f->group);
    printf("-- certificate: %s, %s, %s%s%s%s\n", f->subject[0] ? f->subject : "(no name)", f->key, trusts[f->trust],
           f->trust_problem[0] ? " (" : "", f->trust_problem, f->trust_problem[0] ? ")" : "");
    printf("-- name %s; SHA-256 %s\n", f->name_matches ? "matches" : "does not match", f->fingerprint);
    fflush(stdout);
}

#include "smtp/transcript.h"

#include <stdio.h>

static void tell_message(struct transcript *t)
{
    char text[64];

    snprintf(text, sizeof text, "(the message, %zu bytes)", t->message_bytes);
    if (t->message_bytes)
        t->line(t->arg, true, slice_of(text));
    t->in_message = false;
    t->message_bytes = 0;
}

static void add_to_line(struct transcript *t, bool sent, struct slice part, bool ended)
{
    struct half_line *half = &t->halves[sent];
    struct slice fitting = slice_first(part, sizeof half->text - half->len);

    if (fitting.len)
        memcpy(half->text + half->len, fitting.at, fitting.len);
    half->len += fitting.len;
    if (!ended)
        return;
    t->line(t->arg, sent, slice_trim(slice(half->text, half->len)));
    if (!sent && slice_starts(slice(half->text, half->len), SLICE("354")))
        t->in_message = true;
    half->len = 0;
}

void transcript_hear(void *transcript, bool sent, struct slice bytes)
{
    struct transcript *t = transcript;

    if (sent && t->in_message) {
        t->message_bytes += bytes.len;
        return;
    }
    if (!sent && t->in_message)
        tell_message(t);
    while (bytes.len) {
        bool ended = slice_find(bytes, '\n') < bytes.len;

        add_to_line(t, sent, slice_cut(&bytes, '\n'), ended);
    }
}

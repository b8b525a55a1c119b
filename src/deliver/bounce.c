#include "deliver/bounce.h"

#include <stdio.h>

static bool concerned(enum dsn_action action, const struct outcome *o)
{
    return o->result == (action == DSN_FAILED ? RCPT_FAILED : RCPT_DEFERRED);
}

static size_t list_recipients(enum dsn_action action, const struct outcome *all, size_t count,
                              struct dsn_recipient *out)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (!concerned(action, &all[i]))
            continue;
        out[used++] = (struct dsn_recipient){
            .address = all[i].address,
            .status = all[i].status,
            .remote_host = all[i].words ? all[i].host : NULL,
            .remote_words = all[i].words,
            .why = all[i].why,
        };
    }
    return used;
}

/* What did not fit is written again with less: without the header, without the
 * remote's words (our own sentence has their gist), then with fewer recipients. */
static bool shorten(struct dsn *d, struct dsn_recipient *recipients)
{
    if (!slice_empty(d->original_header)) {
        d->original_header = slice("", 0);
    } else if (recipients[0].remote_words) {
        for (size_t i = 0; i < d->count; i++)
            recipients[i].remote_words = recipients[i].remote_host = NULL;
    } else {
        d->count /= 2;
    }
    return d->count > 0;
}

static bool drop(struct bounce *b)
{
    buf_done(&b->body);
    return false;
}

bool bounce_make(const struct bounce_settings *s, enum dsn_action action, const struct envelope *original,
                 const struct outcome *all, size_t count, struct slice original_header, time_ms give_up, time_ms wall,
                 struct arena *arena, struct bounce *out)
{
    struct slice sender = slice_of(original->sender);
    const struct routing_rule *rule = routing_for(s->routing, sender);
    char own_id[MESSAGE_ID_TEXT], original_id[MESSAGE_ID_TEXT];
    struct dsn_recipient *recipients;
    struct dsn dsn;

    if (bounce_is_pointless(original))
        return false;
    recipients = arena_take(arena, (count ? count : 1) * sizeof *recipients);
    if (!recipients)
        return false;
    *out = (struct bounce){ .envelope = {
        .id = message_id_new(s->ids, wall), .sender = "", .arrived = wall, .tls = original->tls, .origin = "bounce",
        .count = 1 } };
    dsn = (struct dsn){
        .action = action,
        .hostname = s->hostname,
        .postmaster = arena_text(arena, "postmaster@%s", s->hostname).at,
        .sender = original->sender,
        .queue_id = message_id_text(original->id, original_id),
        .own_id = message_id_text(out->envelope.id, own_id),
        .arrived = original->arrived,
        .wall = wall,
        .give_up = give_up,
        .recipients = recipients,
        .count = list_recipients(action, all, count, recipients),
        .tls_optional = original->tls == TLS_OPTIONAL,
        .original_header = original_header,
    };
    if (dsn.count == 0)
        return false;
    buf_init(&out->body, BOUNCE_BODY_MAX);
    dsn_write(&dsn, &out->body);
    while (out->body.failed && shorten(&dsn, recipients)) {
        buf_clear(&out->body);
        dsn_write(&dsn, &out->body);
    }
    if (out->body.failed)
        return drop(out);
    out->named = dsn.count;
    for (size_t i = 0; i < buf_len(&out->body) && !out->envelope.eight_bit; i++)
        out->envelope.eight_bit = (unsigned char)buf_slice(&out->body).at[i] > 127;
    out->recipient = (struct queue_recipient){
        .address = arena_string(arena, slice_of(original->sender)),
        .destination = routing_destination(rule, address_domain(sender), arena),
    };
    out->envelope.recipients = &out->recipient;
    out->envelope.size = buf_len(&out->body);
    return !arena->failed || drop(out);
}

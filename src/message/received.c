#include "message/received.h"

#include "message/fold.h"

#include <stdio.h>

enum { DOMAIN_MAX = 255, PATH_MAX_SHOWN = 512 };

static bool is_domain_byte(char c)
{
    /* The underscore is in no domain of RFC 5321, but in many a HELO, and harmless here. */
    return byte_is_alpha(c) || byte_is_digit(c) || c == '-' || c == '.' || c == '_';
}

static bool is_domain(struct slice name)
{
    if (slice_empty(name) || name.len > DOMAIN_MAX || name.at[0] == '.' || name.at[0] == '-')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_domain_byte(name.at[i]) || (name.at[i] == '.' && i > 0 && name.at[i - 1] == '.'))
            return false;
    return true;
}

static bool is_literal(struct slice name)
{
    struct address ignored;
    struct slice inner;

    if (name.len < 3 || name.len > ADDRESS_TEXT_MAX || name.at[0] != '[' || name.at[name.len - 1] != ']')
        return false;
    inner = slice(name.at + 1, name.len - 2);
    if (slice_starts_nocase(inner, SLICE("IPv6:")))
        inner = slice_after(inner, strlen("IPv6:"));
    return address_parse_ip(inner, &ignored);
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] < ' ' || s.at[i] > '~')
            return false;
    return true;
}

/* RFC 3848. HELO knows no extensions, so there is no word for it with TLS:
 * SMTP then, and the comment behind it tells the rest. */
static const char *protocol(const struct received *r)
{
    if (!r->esmtp)
        return "SMTP";
    if (r->authenticated)
        return r->tls ? "ESMTPSA" : "ESMTPA";
    return r->tls ? "ESMTPS" : "ESMTP";
}

static void write_from(const struct received *r, struct fold *f)
{
    struct slice name = slice_of(r->client_name);
    char literal[ADDRESS_TEXT_MAX], shown[ADDRESS_TEXT_MAX + 8];

    fold_word(f, SLICE("from"));
    fold_word(f, is_domain(name) || is_literal(name) ? name : SLICE("unknown"));
    snprintf(shown, sizeof shown, "([%s])", address_literal_text(r->client, literal));
    fold_word(f, slice_of(shown));
}

static void write_by(const struct received *r, struct fold *f)
{
    fold_break(f);
    fold_word(f, SLICE("by"));
    fold_word(f, slice_of(r->by));
    fold_word(f, SLICE("with"));
    fold_word(f, slice_of(protocol(r)));
}

/* RFC 3207 4.1 would have the cipher told; RFC 5321 4.4 leaves comments as the place for it. */
static void write_tls(const struct tls_facts *tls, struct fold *f)
{
    char comment[128];

    fold_break(f);
    snprintf(comment, sizeof comment, "(%s %s%s%s)", tls_version_name(tls->version), tls->cipher,
             tls->group[0] ? " " : "", tls->group);
    fold_text(f, slice_of(comment));
}

static void write_id(const struct received *r, struct fold *f)
{
    struct slice recipient = slice_of(r->only_recipient);

    fold_break(f);
    fold_word(f, SLICE("id"));
    fold_word(f, slice_of(r->queue_id));
    if (!slice_empty(recipient) && recipient.len <= PATH_MAX_SHOWN && is_printable(recipient)) {
        char path[PATH_MAX_SHOWN + 3];

        snprintf(path, sizeof path, "<%.*s>", SLICE_ARGS(recipient));
        fold_word(f, SLICE("for"));
        fold_word(f, slice_of(path));
    }
    buf_byte(f->out, ';');
}

void received_write(const struct received *r, struct buf *out)
{
    char date[CLOCK_TEXT_MAX];
    struct fold f;

    fold_begin(&f, out, "Received: ", "        ");
    write_from(r, &f);
    write_by(r, &f);
    if (r->tls)
        write_tls(r->tls, &f);
    write_id(r, &f);
    fold_break(&f);
    fold_text(&f, slice_of(clock_mail_date(r->wall, date)));
    fold_end(&f);
}

void return_path_write(const char *sender, struct buf *out)
{
    struct slice path = slice_of(sender);

    /* No parser of ours lets such a sender in; were it to happen, a header line is not to be had from it. */
    if (path.len > PATH_MAX_SHOWN || !is_printable(path))
        path = SLICE("");
    buf_text(out, "Return-Path: <%.*s>\r\n", SLICE_ARGS(path));
}

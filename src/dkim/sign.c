#include "dkim/sign.h"

#include "base/memory.h"
#include "base/base64.h"
#include "dkim/canon.h"
#include "dkim/header.h"
#include "message/fold.h"

#include <assert.h>
#include <stdio.h>

/* RFC 6376 5.4.1: what readers see and what tells them how to read it; and TLSRPT-076. Trace fields, which others change
 * on the way, are left alone. A field that is there is named once more than it stands: one added on the way would break the
 * signature (8.15). So is one that is not there, unless relays or lists add it in good faith. */
static const struct {
    struct slice name;
    bool often_added;
} SIGNED[] = {
    { SLICE("From"), false },
    { SLICE("To"), false },
    { SLICE("Cc"), false },
    { SLICE("Subject"), false },
    { SLICE("Date"), true },
    { SLICE("Message-ID"), true },
    { SLICE("Reply-To"), true },
    { SLICE("In-Reply-To"), true },
    { SLICE("References"), true },
    { SLICE("MIME-Version"), false },
    { SLICE("Content-Type"), false },
    { SLICE("Content-Transfer-Encoding"), false },
    { SLICE("TLS-Required"), true },
    { SLICE("TLS-Report-Domain"), false },
    { SLICE("TLS-Report-Submitter"), false },
};

enum {
    SAME_FIELDS_MAX = 8,        /* of one name: RFC 5322 3.6 allows one of each, and the field must end somewhere */
    PIECE = 4096,
    CHUNK = 64,                 /* characters of a long value before the line may break */
    FIELD_MAX = 16 * 1024,
    SIGNATURE_MAX = 2048,
};

struct dkim_signing {
    const struct dkim_signer *signer;
    struct buf header;
    size_t header_seen;         /* how far its end was looked for */
    bool header_ended;
    struct sha256 *hash;
    struct dkim_body body;
};

struct dkim_signing *dkim_signing_new(const struct dkim_signer *s)
{
    struct dkim_signing *d = NEW(struct dkim_signing);

    d->signer = s;
    d->hash = sha256_new();
    buf_init(&d->header, DKIM_HEADER_MAX + 1);      /* one more shows that there is more */
    dkim_body_init(&d->body, DKIM_RELAXED, d->hash);
    return d;
}

void dkim_signing_free(struct dkim_signing *d)
{
    if (!d)
        return;
    buf_done(&d->header);
    sha256_free(d->hash);
    free(d);
}

/* Returns what lies behind the header. The pieces are small, so that little of the body is kept for nothing. */
static struct slice add_to_header(struct dkim_signing *d, struct slice bytes)
{
    while (bytes.len > 0 && !d->header_ended) {
        size_t before = buf_len(&d->header), room = d->header.max - before;
        struct slice piece = slice_first(bytes, room < PIECE ? room : PIECE);

        if (piece.len == 0)     /* it stays too large */
            return piece;
        buf_add(&d->header, piece);
        d->header_ended = dkim_header_ends(buf_slice(&d->header), &d->header_seen);
        bytes = slice_after(bytes, d->header_ended ? d->header_seen - before : piece.len);
    }
    return bytes;
}

void dkim_signing_add(struct dkim_signing *d, struct slice bytes)
{
    if (!d->header_ended)
        bytes = add_to_header(d, bytes);
    if (d->header_ended)
        dkim_body_add(&d->body, bytes);
}

/* --- the field ------------------------------------------------------------------------- */

/* A value without spaces, which may be folded behind each `CHUNK` characters. */
struct chunks {
    struct fold *fold;
    char text[CHUNK + 40];
    size_t len;
};

static void flush(struct chunks *c)
{
    fold_word(c->fold, slice(c->text, c->len));
    c->len = 0;
}

static void add_chunk(struct chunks *c, struct slice part)
{
    if (c->len > 0 && c->len + part.len > CHUNK)
        flush(c);
    assert(part.len <= sizeof c->text - c->len);
    memcpy(c->text + c->len, part.at, part.len);
    c->len += part.len;
}

static void add_name(struct chunks *names, struct slice name)
{
    char text[CHUNK];
    int len = snprintf(text, sizeof text, "%.*s:", SLICE_ARGS(name));

    add_chunk(names, slice(text, (size_t)len));
}

/* Write the names into h= and the fields into `text`, in the same order, repeated ones from the bottom up (5.4.2). */
static void add_fields(struct slice name, const struct dkim_header *h, struct chunks *names, struct buf *text)
{
    size_t left = SAME_FIELDS_MAX;

    for (size_t i = h->count; i > 0 && left > 0; i--) {
        if (!dkim_field_is(h->fields[i - 1], name))
            continue;
        left--;
        add_name(names, name);
        dkim_canon_field(h->fields[i - 1], DKIM_RELAXED, text);
        buf_add(text, SLICE("\r\n"));
    }
}

static void write_names(struct fold *field, const struct dkim_header *h, struct buf *text)
{
    struct chunks names = { .fold = field };

    add_chunk(&names, SLICE("h="));
    for (size_t i = 0; i < sizeof SIGNED / sizeof *SIGNED; i++) {
        size_t count = dkim_header_count(h, SIGNED[i].name);

        add_fields(SIGNED[i].name, h, &names, text);
        if (count <= SAME_FIELDS_MAX && (count > 0 || !SIGNED[i].often_added))
            add_name(&names, SIGNED[i].name);
    }
    names.text[names.len - 1] = ';';    /* in place of the last colon */
    flush(&names);
}

static void write_base64(struct fold *field, const char *tag, struct slice bytes, const char *end)
{
    auto_buf struct buf text = { 0 };
    struct chunks chunks = { .fold = field };

    buf_init(&text, 2 * SIGNATURE_MAX);
    buf_add(&text, slice_of(tag));
    base64_write(bytes, &text);
    buf_add(&text, slice_of(end));
    for (struct slice rest = buf_slice(&text); rest.len > 0; rest = slice_after(rest, CHUNK))
        add_chunk(&chunks, slice_first(rest, CHUNK));
    flush(&chunks);
}

static void add_word(struct fold *field, const char *tag, const char *value)
{
    char word[300];
    int len = snprintf(word, sizeof word, "%s=%s;", tag, value);

    fold_word(field, slice(word, (size_t)len < sizeof word ? (size_t)len : sizeof word - 1));
}

/* All of it but the signature; what it vouches for goes to `text`. */
static void write_field(struct dkim_signing *d, const struct dkim_header *h, time_ms wall, struct fold *field,
                        struct buf *text)
{
    uint8_t body[SHA256_BYTES];
    char made[24];

    dkim_body_end(&d->body, body);
    snprintf(made, sizeof made, "%lld", (long long)(wall / SECONDS(1)));
    add_word(field, "v", "1");
    add_word(field, "a", signing_key_kind(d->signer->key) == SIGNATURE_RSA ? "rsa-sha256" : "ed25519-sha256");
    add_word(field, "c", "relaxed/relaxed");
    add_word(field, "d", d->signer->domain);
    add_word(field, "s", d->signer->selector);
    add_word(field, "t", made);
    write_names(field, h, text);
    write_base64(field, "bh=", slice(body, sizeof body), ";");
}

/* In relaxed form a fold and a space are the same, so b= is signed as if it stood on the same line. */
static void hash_all(struct slice field, struct buf *text, uint8_t digest[SHA256_BYTES])
{
    dkim_canon_field(field, DKIM_RELAXED, text);
    buf_add(text, SLICE(" b="));
    sha256_of(buf_slice(text), digest);
}

static bool sign_header(struct dkim_signing *d, const struct dkim_header *h, time_ms wall, struct buf *out,
                        struct error *why)
{
    auto_buf struct buf written = { 0 }, text = { 0 }, signature = { 0 };
    uint8_t digest[SHA256_BYTES];
    struct fold field;

    buf_init(&written, FIELD_MAX);
    buf_init(&text, 2 * DKIM_HEADER_MAX + FIELD_MAX);
    buf_init(&signature, SIGNATURE_MAX);
    fold_begin(&field, &written, "DKIM-Signature: ", "        ");
    write_field(d, h, wall, &field, &text);
    hash_all(buf_slice(&written), &text, digest);
    if (!signing_key_sign(d->signer->key, digest, &signature, why))
        return false;
    write_base64(&field, "b=", buf_slice(&signature), "");
    fold_end(&field);
    assert(!written.failed && !text.failed);
    buf_add(out, buf_slice(&written));
    return !out->failed || fail(why, E_LIMIT, "no room for a DKIM-Signature field of %zu bytes", buf_len(&written));
}

bool dkim_signing_end(struct dkim_signing *d, time_ms wall, struct buf *out, struct error *why)
{
    struct dkim_header header;
    bool good;

    dkim_header_read(buf_slice(&d->header), &header);
    good = header.defect.code == E_NONE || fail(why, header.defect.code, "%s", header.defect.text);
    good = good && sign_header(d, &header, wall, out, why);
    dkim_header_done(&header);
    return good;
}

#include "tests/dkim/hand.h"

#include "base/memory.h"
#include "tests/test.h"
#include "tests/tls/certs.h"

#include <openssl/evp.h>

/* --- keys ------------------------------------------------------------------------- */

const struct signing_key *hand_key(enum signature_kind kind)
{
    static struct signing_key *keys[2];
    struct error why = { 0 };

    if (!keys[kind]) {
        struct cert *c = cert_make(&(struct cert_wish){ .common_name = "key",
                                                        .key = kind == SIGNATURE_RSA ? CERT_RSA_2048 : CERT_ED25519 }, NULL);

        keys[kind] = signing_key_read(cert_key_file(kind == SIGNATURE_RSA ? "rsa.key" : "ed25519.key", c), &why);
        cert_free(c);
        if (!keys[kind])
            fail_msg("%s", why.text);
    }
    return keys[kind];
}

const char *hand_record(enum signature_kind kind)
{
    static char *records[2];
    auto_buf struct buf b = { 0 };

    if (!records[kind]) {
        buf_init(&b, 4096);
        buf_text(&b, "v=DKIM1; k=%s; p=", kind == SIGNATURE_RSA ? "rsa" : "ed25519");
        signing_key_publish(hand_key(kind), &b);
        records[kind] = memory_text(buf_slice(&b));
    }
    return records[kind];
}

/* --- canonical forms --------------------------------------------------------------- */

static struct slice next_line(struct slice *rest)
{
    struct slice line = slice_cut(rest, '\n');

    if (line.len > 0 && rest->at && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

static void relaxed_line(struct slice line, struct buf *out)
{
    while (line.len > 0 && strchr(" \t", line.at[line.len - 1]))
        line.len--;
    for (size_t i = 0; i < line.len; i++) {
        bool blank = line.at[i] == ' ' || line.at[i] == '\t';

        if (blank && i > 0 && (line.at[i - 1] == ' ' || line.at[i - 1] == '\t'))
            continue;
        buf_byte(out, blank ? ' ' : line.at[i]);
    }
}

void hand_body(struct slice body, bool simple, struct buf *out)
{
    struct slice rest = body;
    struct buf line = { 0 };
    size_t empty = 0;
    bool begun = false;

    buf_init(&line, body.len + 1);
    while (rest.at && rest.len > 0) {
        struct slice raw = next_line(&rest);

        buf_clear(&line);
        if (simple)
            buf_add(&line, raw);
        else
            relaxed_line(raw, &line);
        if (buf_len(&line) == 0) {
            empty++;
            continue;
        }
        for (; empty > 0; empty--)
            buf_add(out, SLICE("\r\n"));
        buf_add(out, buf_slice(&line));
        buf_add(out, SLICE("\r\n"));
        begun = true;
    }
    if (simple && !begun)
        buf_add(out, SLICE("\r\n"));
    buf_done(&line);
}

void hand_field(struct slice field, bool simple, struct buf *out)
{
    struct slice rest = field, colon;
    struct buf flat = { 0 };

    buf_init(&flat, field.len + 1);
    while (rest.at) {
        struct slice line = next_line(&rest);

        buf_add(simple ? out : &flat, line);
        if (simple)
            buf_add(out, SLICE("\r\n"));
    }
    if (!simple) {
        struct slice name;

        colon = buf_slice(&flat);
        name = slice_trim(slice_cut(&colon, ':'));
        for (size_t i = 0; i < name.len; i++)
            buf_byte(out, byte_lower(name.at[i]));
        buf_byte(out, ':');
        while (colon.len > 0 && (colon.at[0] == ' ' || colon.at[0] == '\t'))
            colon = slice_after(colon, 1);
        relaxed_line(colon, out);
        buf_add(out, SLICE("\r\n"));
    }
    buf_done(&flat);
}

/* --- signing ------------------------------------------------------------------------- */

static void base64(struct slice bytes, struct buf *out)
{
    auto_free char *text = memory_new(bytes.len / 3 * 4 + 5);

    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes.at, (int)bytes.len);
    buf_add(out, slice_of(text));
}

/* The field named `name` that is `skip`th from the bottom, with its folds; empty when there is none. */
static struct slice field_from_below(struct slice header, struct slice name, size_t skip)
{
    struct slice fields[100];
    size_t count = 0;
    struct slice rest = header;

    while (rest.at && rest.len > 0) {
        struct slice line = next_line(&rest);

        if (line.len > 0 && count > 0 && (line.at[0] == ' ' || line.at[0] == '\t'))
            fields[count - 1].len = (size_t)(line.at + line.len - fields[count - 1].at);
        else if (line.len > 0 && count < 100)
            fields[count++] = line;
    }
    while (count-- > 0) {
        struct slice own = slice_trim(slice_first(fields[count], slice_find(fields[count], ':')));

        if (slice_equal_nocase(own, name) && skip-- == 0)
            return fields[count];
    }
    return slice("", 0);
}

static void add_fields(struct slice header, const char *names, bool simple, struct buf *text)
{
    struct slice rest = slice_of(names), seen[50];
    size_t count = 0;

    while (rest.at && count < 50) {
        struct slice name = slice_trim(slice_cut(&rest, ':')), field;
        size_t skip = 0;

        for (size_t i = 0; i < count; i++)
            skip += slice_equal_nocase(seen[i], name);
        seen[count++] = name;
        field = field_from_below(header, name, skip);
        if (field.len > 0)
            hand_field(field, simple, text);
    }
}

/* The header without the empty line. */
static struct slice cut_header(struct slice message, struct slice *body)
{
    const char *crlf = memmem(message.at, message.len, "\r\n\r\n", 4), *lf = memmem(message.at, message.len, "\n\n", 2);
    size_t end;

    if (!crlf && !lf) {
        *body = slice("", 0);
        return message;
    }
    end = (size_t)((crlf && (!lf || crlf < lf) ? crlf + 2 : lf + 1) - message.at);
    *body = slice_after(message, end + (crlf && (!lf || crlf < lf) ? 2 : 1));
    return slice_first(message, end);
}

void hand_sign(struct slice message, const struct hand_wish *wish, struct buf *out)
{
    const char *names = wish->names ? wish->names : "From:Subject:Date";
    const char *algorithm = wish->kind == SIGNATURE_RSA ? "rsa-sha256" : "ed25519-sha256";
    struct slice body, header = cut_header(message, &body);
    auto_buf struct buf field = { 0 }, text = { 0 }, signature = { 0 };
    uint8_t digest[SHA256_BYTES];
    struct error why = { 0 };

    buf_init(&field, 64 * 1024);
    buf_init(&text, 4 * message.len + 64 * 1024);
    buf_init(&signature, 4096);
    hand_body(body, wish->simple_body, &text);
    sha256_of(buf_slice(&text), digest);
    buf_clear(&text);

    buf_text(&field, "DKIM-Signature: %s; a=%s; c=%s/%s;\r\n\th=%s;\r\n\tbh=",
             wish->tags ? wish->tags : "v=1; d=example.org; s=sel; t=1700000000",
             wish->algorithm ? wish->algorithm : algorithm, wish->simple_header ? "simple" : "relaxed",
             wish->simple_body ? "simple" : "relaxed", names);
    base64(slice(digest, sizeof digest), &field);
    buf_add(&field, SLICE(";  b="));
    add_fields(header, names, wish->simple_header, &text);
    hand_field(buf_slice(&field), wish->simple_header, &text);
    sha256_of(slice_first(buf_slice(&text), buf_len(&text) - 2), digest);
    CHECK_OK(signing_key_sign(hand_key(wish->kind), digest, &signature, &why), &why);
    base64(buf_slice(&signature), &field);
    buf_add(out, buf_slice(&field));
    buf_add(out, SLICE("\r\n"));
    buf_add(out, message);
}

/* --- verifying --------------------------------------------------------------------------- */

static enum dkim_lookup find(void *self, const char *name, struct arena *arena, struct slice *texts, size_t most,
                             size_t *count)
{
    struct hand_zone *zone = self;

    zone->asked++;
    snprintf(zone->last, sizeof zone->last, "%s", name);
    if (zone->down)
        return DKIM_LOOKUP_FAILED;
    *count = 0;
    for (size_t i = 0; i < sizeof zone->at / sizeof *zone->at && zone->at[i].name; i++)
        if (strcmp(zone->at[i].name, name) == 0 && *count < most)
            texts[(*count)++] = arena_copy(arena, slice_of(zone->at[i].text));
    return *count > 0 ? DKIM_LOOKUP_FOUND : DKIM_LOOKUP_NONE;
}

struct dkim_keys hand_keys(struct hand_zone *zone)
{
    return (struct dkim_keys){ find, zone };
}

size_t hand_verify(struct slice message, struct hand_zone *zone, struct dkim_result out[DKIM_RESULTS_MAX])
{
    static struct arena arena;
    struct dkim_keys keys = hand_keys(zone);

    arena_done(&arena);
    arena_init(&arena, 256 * 1024);
    return dkim_verify(message, "email", SECONDS(HAND_SECONDS), &keys, &arena, out);
}

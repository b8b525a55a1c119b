#include "dkim/verify.h"

#include "base/memory.h"
#include "dkim/header.h"
#include "dkim/key.h"

enum {
    RECORDS_MAX = 8,                /* of key records at one name */
    CLOCKS_APART = SECONDS(300),    /* so much may a signer's clock be ahead of ours */
};

/* One message, whose body is hashed once for each canonical form that is asked for. */
struct job {
    struct dkim_header header;
    const char *service;
    time_ms wall;
    const struct dkim_keys *keys;
    struct arena *arena;
    bool hashed[DKIM_RELAXED + 1];
    uint8_t body_hash[DKIM_RELAXED + 1][SHA256_BYTES];
};

const char *dkim_verdict_name(enum dkim_verdict v)
{
    static const char *const NAMES[] = {
        [DKIM_PASS] = "pass",       [DKIM_FAIL] = "fail",       [DKIM_NO_KEY] = "no-key",
        [DKIM_UNKNOWN] = "unknown", [DKIM_INVALID] = "invalid", [DKIM_EXPIRED] = "expired",
    };

    return NAMES[v];
}

bool dkim_covers(const struct dkim_result *r, struct slice name)
{
    struct slice names = r->names;

    while (r->verdict == DKIM_PASS && names.at)
        if (slice_equal_nocase(slice_trim(slice_cut(&names, ':')), name))
            return true;
    return false;
}

/* --- the body --------------------------------------------------------------------- */

static const uint8_t *body_hash(struct job *job, enum dkim_canon canon)
{
    if (!job->hashed[canon]) {
        struct sha256 *hash = sha256_new();
        struct dkim_body body;

        dkim_body_init(&body, canon, hash);
        dkim_body_add(&body, job->header.body);
        dkim_body_end(&body, job->body_hash[canon]);
        sha256_free(hash);
        job->hashed[canon] = true;
    }
    return job->body_hash[canon];
}

/* --- the header --------------------------------------------------------------------- */

/* RFC 6376 5.4.2: "select the fields from the bottom of the header field block to the top". The signature itself is
 * never among them (3.7), and a name without a field stands for nothing. */
static void add_signed_fields(const struct dkim_header *h, size_t self, const struct dkim_signature *s, struct buf *out)
{
    auto_free bool *used = memory_array(h->count, sizeof *used);

    used[self] = true;
    for (size_t n = 0; n < s->name_count; n++) {
        size_t i = h->count;

        while (i > 0 && (used[i - 1] || !dkim_field_is(h->fields[i - 1], s->names[n])))
            i--;
        if (i == 0)
            continue;
        used[i - 1] = true;
        dkim_canon_field(h->fields[i - 1], s->header, out);
        buf_add(out, SLICE("\r\n"));
    }
}

/* The signature's own field, "with the value of the "b=" tag (including all surrounding whitespace) deleted" (3.5). */
static void add_own_field(struct slice field, const struct dkim_signature *s, struct buf *out)
{
    size_t b = (size_t)(s->b.at - field.at);
    auto_buf struct buf bare = { 0 };

    buf_init(&bare, field.len);
    buf_add(&bare, slice_first(field, b));
    buf_add(&bare, slice_after(field, b + s->b.len));
    dkim_canon_field(buf_slice(&bare), s->header, out);
}

static void header_hash(const struct dkim_header *h, size_t self, const struct dkim_signature *s,
                        uint8_t digest[SHA256_BYTES])
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, 2 * DKIM_HEADER_MAX + 2 * DKIM_FIELDS_MAX);
    add_signed_fields(h, self, s, &text);
    add_own_field(h->fields[self], s, &text);
    sha256_of(buf_slice(&text), digest);
}

/* --- keys ------------------------------------------------------------------------------ */

static struct slice lower(struct arena *arena, struct slice name)
{
    char *copy = arena_take(arena, name.len + 1);

    for (size_t i = 0; copy && i < name.len; i++)
        copy[i] = byte_lower(name.at[i]);
    return copy ? slice(copy, name.len) : slice("", 0);
}

/* The first record with a key that is one decides; `why` is about the last that is not, or about the signature. */
static enum dkim_verdict try_keys(const struct slice *records, size_t count, const struct dkim_signature *s,
                                  const char *service, const uint8_t digest[SHA256_BYTES], struct error *why)
{
    for (size_t i = 0; i < count; i++) {
        auto_buf struct buf key = { 0 };

        buf_init(&key, DKIM_KEY_MAX);
        if (!dkim_key_from(records[i], s, service, &key, why))
            continue;
        if (signature_verify(s->kind, buf_slice(&key), digest, slice(s->bytes, s->bytes_len), why))
            return DKIM_PASS;
        if (why->code != E_MALFORMED)
            return DKIM_FAIL;
    }
    return DKIM_NO_KEY;
}

static enum dkim_verdict check_signature(struct job *job, size_t self, const struct dkim_signature *s,
                                         const struct dkim_result *names, struct error *why)
{
    struct slice name = arena_text(job->arena, "%s._domainkey.%s", names->selector, names->domain);
    struct slice records[RECORDS_MAX];
    enum dkim_lookup found = DKIM_LOOKUP_FAILED;
    uint8_t digest[SHA256_BYTES];
    size_t count = 0;

    if (!job->arena->failed)
        found = job->keys->find(job->keys->self, name.at, job->arena, records, RECORDS_MAX, &count);
    if (found == DKIM_LOOKUP_FAILED || job->arena->failed) {
        fail(why, E_DNS, "the key could not be looked up at %s", name.at);
        return DKIM_UNKNOWN;
    }
    if (found == DKIM_LOOKUP_NONE || count == 0) {
        fail(why, E_NOT_FOUND, "there is no key at %s", name.at);
        return DKIM_NO_KEY;
    }
    header_hash(&job->header, self, s, digest);
    return try_keys(records, count < RECORDS_MAX ? count : RECORDS_MAX, s, job->service, digest, why);
}

/* --- one signature ------------------------------------------------------------------------ */

/* Who it claims to be from, also when it makes no further sense. */
static void read_names(const struct dkim_tags *tags, struct arena *arena, struct dkim_result *out)
{
    struct slice d = dkim_tags_value(tags, "d", SLICE("")), s = dkim_tags_value(tags, "s", SLICE(""));

    if (dkim_name_is_valid(d, 2))
        out->domain = lower(arena, d).at;
    if (dkim_name_is_valid(s, 1))
        out->selector = lower(arena, s).at;
}

static size_t times_signed(const struct dkim_signature *s, struct slice name)
{
    size_t count = 0;

    for (size_t n = 0; n < s->name_count; n++)
        count += slice_equal_nocase(s->names[n], name);
    return count;
}

/* RFC 6376 8.15: DKIM looks at the lowest field of a name, where a reader may look at one that was added on top. A second
 * Content-Type makes parts of a message out of what its signer only quoted. */
static bool stands_as_signed(const struct dkim_header *h, const struct dkim_signature *s, struct error *why)
{
    for (size_t i = 0; i < DKIM_SINGLE_COUNT; i++) {
        size_t count = times_signed(s, DKIM_SINGLE[i]);

        if (count > 0 && dkim_header_count(h, DKIM_SINGLE[i]) > count)
            return fail(why, E_MALFORMED, "the header has more %.*s fields than are signed", SLICE_ARGS(DKIM_SINGLE[i]));
    }
    return true;
}

/* What costs least is looked at first: the clock, the body, and only then what must be asked for. */
static enum dkim_verdict judge(struct job *job, size_t self, struct dkim_result *out, struct error *why)
{
    struct dkim_tags tags;
    struct dkim_signature s;
    enum dkim_verdict verdict;

    if (!dkim_tags_parse(dkim_field_value(job->header.fields[self]), &tags, why))
        return DKIM_INVALID;
    read_names(&tags, job->arena, out);
    if (job->header.defect.code != E_NONE) {
        *why = job->header.defect;
        return DKIM_INVALID;
    }
    if (!dkim_signature_from(&tags, &s, why) || !stands_as_signed(&job->header, &s, why))
        return DKIM_INVALID;
    if (s.expires < job->wall) {
        fail(why, E_CERT_EXPIRED, "it has expired (x=)");
        return DKIM_EXPIRED;
    }
    if (s.made > job->wall + CLOCKS_APART) {
        fail(why, E_MALFORMED, "it was made in the future (t=)");
        return DKIM_INVALID;
    }
    if (memcmp(s.body_hash, body_hash(job, s.body), SHA256_BYTES) != 0) {
        fail(why, E_CERT_NOT_TRUSTED, "the body is not the one that was signed (bh=)");
        return DKIM_FAIL;
    }
    verdict = check_signature(job, self, &s, out, why);
    if (verdict == DKIM_PASS)
        out->names = dkim_tags_value(&tags, "h", SLICE(""));
    return verdict;
}

static struct dkim_result result_of(struct job *job, size_t self)
{
    struct dkim_result r = { .domain = "", .selector = "", .words = "", .names = slice("", 0) };
    struct error why = { 0 };

    r.verdict = judge(job, self, &r, &why);
    if (r.verdict == DKIM_PASS)
        return r;
    r.words = arena_string(job->arena, slice_of(why.text));
    if (!r.words[0])
        r.words = "there is no memory left to say why";
    return r;
}

size_t dkim_verify(struct slice message, const char *service, time_ms wall, const struct dkim_keys *keys,
                   struct arena *arena, struct dkim_result out[DKIM_RESULTS_MAX])
{
    struct job job = { .service = service, .wall = wall, .keys = keys, .arena = arena };
    size_t count = 0;

    dkim_header_read(message, &job.header);
    for (size_t i = 0; i < job.header.count && count < DKIM_RESULTS_MAX; i++)
        if (dkim_field_is(job.header.fields[i], SLICE("DKIM-Signature")))
            out[count++] = result_of(&job, i);
    dkim_header_done(&job.header);
    return count;
}

/* The first line is a key record, the rest a message, whatever its signatures say. Nothing passes unless its key is
 * there; and what we sign ourselves passes, whatever it is, and does not when a line is added. */
#include "tests/fuzz/fuzz.h"

#include "base/memory.h"
#include "dkim/sign.h"
#include "dkim/verify.h"

#include <stdio.h>
#include <sys/mman.h>

/* RFC 8463 A.1, A.2 */
static const char KEY[] = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                          "-----END PRIVATE KEY-----\n";
#define RECORD "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
static const time_ms NOW = SECONDS(1700000000);

static const struct signing_key *key(void)
{
    static struct signing_key *k;
    char file[40];
    int fd;

    if (k)
        return k;
    fd = memfd_create("key", MFD_CLOEXEC);
    snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, KEY, strlen(KEY)) != (ssize_t)strlen(KEY) || !(k = signing_key_read(file, NULL)))
        abort();
    close(fd);
    return k;
}

static enum dkim_lookup find(void *record, const char *name, struct arena *arena, struct slice *texts, size_t most,
                             size_t *count)
{
    assert(most > 0 && strlen(name) <= 253);
    for (const char *c = name; *c; c++)
        assert(byte_is_alpha(*c) || byte_is_digit(*c) || strchr("-_.", *c));
    texts[0] = *(struct slice *)record;
    *count = 1;
    return DKIM_LOOKUP_FOUND;
}

static size_t verify(struct slice message, struct slice record, struct arena *arena, struct dkim_result *results)
{
    struct dkim_keys keys = { find, &record };
    size_t count = dkim_verify(message, "tlsrpt", NOW, &keys, arena, results);

    assert(count <= DKIM_RESULTS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert((results[i].verdict == DKIM_PASS) == (results[i].words[0] == '\0'));
        assert(results[i].verdict != DKIM_PASS || results[i].domain[0]);
        assert(results[i].verdict != DKIM_UNKNOWN);
        for (const char *c = results[i].words; *c; c++)
            assert(*c >= ' ' && *c <= '~');
    }
    return count;
}

/* With a signature of ours on top; nothing when there can be none. */
static void sign(struct slice message, size_t piece, struct buf *out)
{
    struct dkim_signer signer = { "example.org", "sel", key() };
    struct dkim_signing *d = dkim_signing_new(&signer);

    for (struct slice rest = message; rest.len > 0; rest = slice_after(rest, piece))
        dkim_signing_add(d, slice_first(rest, piece));
    if (dkim_signing_end(d, NOW, out, NULL))
        buf_add(out, message);
    dkim_signing_free(d);
}

static void check_own(struct slice message, size_t piece, struct arena *arena)
{
    struct dkim_result results[DKIM_RESULTS_MAX];
    auto_buf struct buf out = { 0 };

    buf_init(&out, message.len + 10000);
    sign(message, piece, &out);
    if (buf_len(&out) == 0 || out.failed)
        return;
    assert(verify(buf_slice(&out), SLICE(RECORD), arena, results) > 0);
    assert(results[0].verdict == DKIM_PASS);
    buf_add(&out, SLICE("\r\n\r\nmore"));
    assert(verify(buf_slice(&out), SLICE(RECORD), arena, results) > 0);
    assert(results[0].verdict != DKIM_PASS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice message = slice(data, size), record = slice_cut(&message, '\n');
    struct dkim_result results[DKIM_RESULTS_MAX];
    auto_arena struct arena arena = { 0 };

    if (!message.at)
        return 0;
    arena_init(&arena, 1024 * 1024);
    verify(message, record, &arena, results);
    check_own(message, 1 + record.len % 13, &arena);
    return 0;
}

/* The room from the command line, for tests with other programs.
 *
 *   dkim_tool publish KEY-FILE                         the p= of a key record
 *   dkim_tool sign DOMAIN SELECTOR KEY-FILE TIME       a message, with its signature on top
 *   dkim_tool verify SERVICE TIME [NAME RECORD]...     a line for each signature: verdict, domain, selector, words
 *
 * The message comes from standard input; TIME is in seconds since 1970. */
#include "base/memory.h"
#include "dkim/sign.h"
#include "dkim/verify.h"

#include <stdio.h>

enum { MESSAGE_MAX = 64 * 1024 * 1024, PIECE = 4000 };

static void read_all(struct buf *message)
{
    size_t got;
    char *room;

    buf_init(message, MESSAGE_MAX);
    while ((room = buf_room(message, PIECE)) && (got = fread(room, 1, PIECE, stdin)) > 0)
        buf_grew(message, got);
}

static time_ms time_of(const char *seconds)
{
    return SECONDS(strtoll(seconds, NULL, 10));
}

static int complain(const struct error *why)
{
    fprintf(stderr, "dkim_tool: %s\n", why->text);
    return 1;
}

static int write_all(const struct buf *b)
{
    struct slice s = buf_slice(b);

    return fwrite(s.at, 1, s.len, stdout) == s.len ? 0 : 1;
}

static int publish(char **arguments)
{
    struct error why = { 0 };
    struct signing_key *key = signing_key_read(arguments[0], &why);
    auto_buf struct buf text = { 0 };

    if (!key)
        return complain(&why);
    buf_init(&text, 4096);
    signing_key_publish(key, &text);
    buf_byte(&text, '\n');
    signing_key_free(key);
    return write_all(&text);
}

static int sign(char **arguments)
{
    struct error why = { 0 };
    struct dkim_signer signer = { arguments[0], arguments[1], signing_key_read(arguments[2], &why) };
    auto_buf struct buf message = { 0 }, field = { 0 };
    struct dkim_signing *d;
    bool good;

    if (!signer.key)
        return complain(&why);
    read_all(&message);
    buf_init(&field, 8192);
    d = dkim_signing_new(&signer);
    for (struct slice rest = buf_slice(&message); rest.len > 0; rest = slice_after(rest, PIECE))
        dkim_signing_add(d, slice_first(rest, PIECE));
    good = dkim_signing_end(d, time_of(arguments[3]), &field, &why);
    dkim_signing_free(d);
    signing_key_free((struct signing_key *)signer.key);
    return good ? write_all(&field) || write_all(&message) : complain(&why);
}

static enum dkim_lookup find(void *arguments, const char *name, struct arena *arena, struct slice *texts, size_t most,
                             size_t *count)
{
    *count = 0;
    for (char **a = arguments; a[0] && a[1]; a += 2)
        if (strcmp(a[0], name) == 0 && *count < most)
            texts[(*count)++] = slice_of(a[1]);
    return *count > 0 ? DKIM_LOOKUP_FOUND : DKIM_LOOKUP_NONE;
}

static int verify(char **arguments)
{
    struct dkim_keys keys = { find, arguments + 2 };
    struct dkim_result results[DKIM_RESULTS_MAX];
    auto_buf struct buf message = { 0 };
    auto_arena struct arena arena;
    size_t count;

    read_all(&message);
    arena_init(&arena, 1024 * 1024);
    count = dkim_verify(buf_slice(&message), arguments[0], time_of(arguments[1]), &keys, &arena, results);
    for (size_t i = 0; i < count; i++)
        printf("%s\t%s\t%s\t%s\n", dkim_verdict_name(results[i].verdict), results[i].domain, results[i].selector,
               results[i].words);
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "publish") == 0)
        return publish(arguments + 2);
    if (count == 6 && strcmp(arguments[1], "sign") == 0)
        return sign(arguments + 2);
    if (count >= 4 && strcmp(arguments[1], "verify") == 0)
        return verify(arguments + 2);
    fprintf(stderr, "usage: dkim_tool publish KEY-FILE | sign DOMAIN SELECTOR KEY-FILE TIME | "
            "verify SERVICE TIME [NAME RECORD]...\n");
    return 2;
}

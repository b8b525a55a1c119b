#include "net/script.h"

#include "base/arena.h"
#include "base/escape.h"
#include "base/memory.h"

#include <assert.h>
#include <stdio.h>

enum { SCRIPT_MAX = 256 * 1024 * 1024 };    /* only to have a bound */

enum step_kind {
    PEER_SAYS, PEER_PAUSES, PEER_ENDS, PEER_CUTS, PEER_IS_SILENT,
    HANDSHAKE, HANDSHAKE_FAILS,
    WE_SAY, WE_SAY_ANYTHING, WE_COMMAND, WE_REPLY,
};

struct step {
    enum step_kind kind;
    unsigned line;
    struct slice text;
};

struct script {
    char peer;
    struct arena memory;            /* of the steps' texts */
    struct step *steps;
    size_t count, now;
    size_t heard;                   /* bytes of the peer's present step that were read */
    bool amid;                      /* the peer was read in part: what is said now may answer that part */
    size_t chunk;
    bool unchecked;                 /* script_bytes */
    bool ended, cut, tls, closed;
    struct tls_facts facts;
    struct buf said, written;       /* not yet compared; everything */
    char complaint[600];
};

/* --- complaints ------------------------------------------------------- */

static void complain(struct script *s, const struct step *step, const char *format, ...) printf_like(3, 4);

static void complain(struct script *s, const struct step *step, const char *format, ...)
{
    size_t len = 0;
    va_list args;

    if (s->complaint[0] != '\0')
        return;
    if (step)
        len = (size_t)snprintf(s->complaint, sizeof s->complaint, "line %u: ", step->line);
    va_start(args, format);
    vsnprintf(s->complaint + len, sizeof s->complaint - len, format, args);
    va_end(args);
}

/* What was said and has no place in the script, up to the end of its first line. */
static const char *shown_said(const struct script *s, char text[200])
{
    struct slice said = buf_slice(&s->said);

    return escape_line(slice_first(said, slice_find(said, '\n') + 1), text, 200);
}

static const char *shown_step(const struct step *step, char text[200])
{
    char inner[160];

    escape_line(step->text, inner, sizeof inner);
    switch (step->kind) {
    case PEER_SAYS:
    case WE_SAY:            snprintf(text, 200, "\"%s\"", inner); break;
    case PEER_PAUSES:       snprintf(text, 200, "PAUSE"); break;
    case PEER_ENDS:         snprintf(text, 200, "EOF"); break;
    case PEER_CUTS:         snprintf(text, 200, "CUT"); break;
    case PEER_IS_SILENT:    snprintf(text, 200, "SILENCE"); break;
    case HANDSHAKE:         snprintf(text, 200, "TLS"); break;
    case HANDSHAKE_FAILS:   snprintf(text, 200, "TLSFAIL"); break;
    case WE_SAY_ANYTHING:   snprintf(text, 200, "any line"); break;
    case WE_COMMAND:        snprintf(text, 200, "a line that begins with %s", inner); break;
    case WE_REPLY:          snprintf(text, 200, "a reply %s", inner); break;
    }
    return text;
}

/* --- reading the script ----------------------------------------------- */

static int hex_value(char c)
{
    if (byte_is_digit(c))
        return c - '0';
    c = byte_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One escape at the front of `*in`, whose backslash is gone; -1 for none that we know. */
static int unescape_one(struct slice *in)
{
    static const struct { char letter, byte; } known[] = {
        { 'r', '\r' }, { 'n', '\n' }, { 't', '\t' }, { '0', '\0' }, { '\\', '\\' },
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (in->len > 0 && in->at[0] == known[i].letter) {
            *in = slice_after(*in, 1);
            return known[i].byte;
        }
    }
    if (in->len >= 3 && in->at[0] == 'x' && hex_value(in->at[1]) >= 0 && hex_value(in->at[2]) >= 0) {
        int byte = hex_value(in->at[1]) * 16 + hex_value(in->at[2]);

        *in = slice_after(*in, 3);
        return byte;
    }
    return -1;
}

static bool unescape(struct script *s, struct slice text, struct slice end, struct slice *out)
{
    char *bytes = arena_take(&s->memory, text.len + end.len + 1);
    size_t len = 0;

    assert(bytes);
    while (text.len > 0) {
        int byte = (unsigned char)text.at[0];

        text = slice_after(text, 1);
        if (byte == '\\')
            byte = unescape_one(&text);
        if (byte < 0)
            return false;
        bytes[len++] = (char)byte;
    }
    memcpy(bytes + len, end.at, end.len);
    *out = slice(bytes, len + end.len);
    return true;
}

static const struct { const char *word; enum step_kind kind; } marks[] = {
    { "TLS", HANDSHAKE }, { "TLSFAIL", HANDSHAKE_FAILS }, { "EOF", PEER_ENDS },
    { "CUT", PEER_CUTS }, { "SILENCE", PEER_IS_SILENT }, { "PAUSE", PEER_PAUSES },
};

static bool step_parse(struct script *s, struct slice line, struct step *out)
{
    bool peers = slice_starts(line, slice(&s->peer, 1));
    char mark;

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (slice_equal(line, slice_of(marks[i].word))) {
            out->kind = marks[i].kind;
            return true;
        }
    }
    if (line.len < 2 || (line.at[0] != 'S' && line.at[0] != 'C'))
        return false;
    mark = line.at[1];
    if (mark == ':' || mark == '-')
        out->kind = peers ? PEER_SAYS : WE_SAY;
    else if (mark == '*' && !peers)
        out->kind = WE_SAY_ANYTHING;
    else if (mark == '=' && !peers)
        out->kind = line.at[0] == 'S' ? WE_REPLY : WE_COMMAND;
    else
        return false;
    line = slice_after(line, 2);
    if (slice_starts(line, SLICE(" ")))
        line = slice_after(line, 1);
    return unescape(s, line, mark == ':' ? SLICE("\r\n") : SLICE(""), &out->text);
}

static void add_step(struct script *s, struct step step)
{
    s->steps = memory_grow(s->steps, s->count + 1, sizeof *s->steps);
    s->steps[s->count++] = step;
}

static struct script *script_bare(void)
{
    struct script *s = NEW(struct script);

    arena_init(&s->memory, SCRIPT_MAX);
    buf_init(&s->said, SCRIPT_MAX);
    buf_init(&s->written, SCRIPT_MAX);
    s->chunk = SIZE_MAX;
    s->facts = (struct tls_facts){ .version = TLS_1_3, .cipher = "TLS_AES_256_GCM_SHA384", .cipher_bits = 256,
                                   .group = "X25519" };
    return s;
}

struct script *script_new(char peer, const char *text)
{
    struct script *s = script_bare();
    struct slice rest = slice_of(text);

    assert(peer == 'S' || peer == 'C');
    s->peer = peer;
    for (unsigned number = 1; rest.at; number++) {
        struct slice line = slice_cut(&rest, '\n');
        struct step step = { .line = number };
        char shown[200];

        if (line.len == 0)
            continue;
        if (step_parse(s, line, &step))
            add_step(s, step);
        else
            complain(s, &step, "the script makes no sense: \"%s\"", escape_line(line, shown, sizeof shown));
    }
    return s;
}

struct script *script_bytes(struct slice bytes, size_t chunk)
{
    struct script *s = script_bare();
    struct step step = { .kind = PEER_SAYS, .line = 1, .text = arena_copy(&s->memory, bytes) };

    assert(chunk > 0);
    s->unchecked = true;
    s->chunk = chunk;
    if (bytes.len > 0)
        add_step(s, step);
    return s;
}

/* --- what the dialogue says ------------------------------------------- */

static const struct step *present(const struct script *s)
{
    return s->now < s->count ? &s->steps[s->now] : NULL;
}

static bool is_ours(const struct step *step)
{
    return step->kind >= WE_SAY;
}

static bool peer_has_more(const struct script *s)
{
    const struct step *step = present(s);

    return step && (step->kind == PEER_SAYS || step->kind == PEER_PAUSES);
}

static bool differs(struct script *s, const struct step *step)
{
    char wanted[200], said[200];

    complain(s, step, "wanted %s, but the dialogue said \"%s\"", shown_step(step, wanted), shown_said(s, said));
    return false;
}

/* A whole line of what was said, from `*from` on; moves `*from` behind it. */
static bool said_line(const struct script *s, size_t *from, struct slice *line)
{
    struct slice rest = slice_after(buf_slice(&s->said), *from);
    const char *end = rest.len ? memmem(rest.at, rest.len, "\r\n", 2) : NULL;

    if (!end)
        return false;
    *line = slice(rest.at, (size_t)(end - rest.at));
    *from += line->len + 2;
    return true;
}

/* Each returns true when the step is done and its bytes are taken; false when
 * more must be said first, or after a complaint. */
static bool match_text(struct script *s, const struct step *step)
{
    struct slice said = buf_slice(&s->said);
    struct slice begun = slice_first(step->text, said.len);

    if (!slice_starts(said, begun))
        return differs(s, step);
    if (begun.len < step->text.len)
        return false;
    buf_take(&s->said, begun.len);
    return true;
}

static bool match_command(struct script *s, const struct step *step)
{
    size_t len = 0;
    struct slice line;

    if (!said_line(s, &len, &line))
        return false;
    if (step->kind == WE_COMMAND && !slice_equal_nocase(slice_cut(&line, ' '), step->text))
        return differs(s, step);
    buf_take(&s->said, len);
    return true;
}

static bool match_reply(struct script *s, const struct step *step)
{
    size_t len = 0;
    struct slice line;

    do {
        if (!said_line(s, &len, &line))
            return false;
        if (!slice_starts(line, step->text))
            return differs(s, step);
        line = slice_after(line, step->text.len);
        if (line.len > 0 && line.at[0] != '-' && line.at[0] != ' ')
            return differs(s, step);
    } while (line.len > 0 && line.at[0] == '-');
    buf_take(&s->said, len);
    return true;
}

static bool match_step(struct script *s, const struct step *step)
{
    switch (step->kind) {
    case WE_SAY:
        return match_text(s, step);
    case WE_REPLY:
        return match_reply(s, step);
    default:
        return match_command(s, step);
    }
}

static void match(struct script *s)
{
    char said[200], wanted[200];

    while (s->complaint[0] == '\0' && buf_len(&s->said) > 0) {
        const struct step *step = present(s);

        if (!step) {
            complain(s, NULL, "behind the last line: the dialogue also said \"%s\"", shown_said(s, said));
        } else if (is_ours(step)) {
            if (!match_step(s, step))
                return;
            s->now++;
        } else if (step->kind == PEER_ENDS) {
            s->ended = true;
            s->now++;
        } else if (s->amid) {
            return;
        } else {
            complain(s, step, "the dialogue said \"%s\" before %s", shown_said(s, said), shown_step(step, wanted));
        }
    }
}

static bool script_write(void *self, struct slice bytes, time_ms deadline, struct error *why)
{
    struct script *s = self;

    buf_add(&s->written, bytes);
    if (!s->unchecked && s->complaint[0] == '\0') {
        buf_add(&s->said, bytes);
        match(s);
    }
    return true;
}

/* --- what the dialogue hears ------------------------------------------ */

/* As much as there is room for, of everything the peer says in a row. */
static size_t hear(struct script *s, char *into, size_t size)
{
    size_t got = 0;

    while (got < size && present(s) && present(s)->kind == PEER_SAYS) {
        struct slice part = slice_first(slice_after(present(s)->text, s->heard), size - got);

        if (part.len > 0)
            memcpy(into + got, part.at, part.len);
        got += part.len;
        s->heard += part.len;
        if (s->heard == present(s)->text.len) {
            s->now++;
            s->heard = 0;
        }
    }
    s->amid = peer_has_more(s);
    match(s);
    return got;
}

static bool wrong_turn(struct script *s, const struct step *step, struct error *why)
{
    char wanted[200], said[200];

    if (buf_len(&s->said) > 0)
        complain(s, step, "wanted %s, but the dialogue said only \"%s\"", shown_step(step, wanted),
                 shown_said(s, said));
    complain(s, step, "wanted %s, but the dialogue waits for its peer", shown_step(step, wanted));
    return fail(why, E_TIMEOUT, "script: %s", s->complaint);
}

static bool script_read(void *self, char *into, size_t size, size_t *got, time_ms deadline, struct error *why)
{
    struct script *s = self;
    const struct step *step;

    *got = 0;
    while (present(s) && present(s)->kind == PEER_PAUSES)
        s->now++;
    step = present(s);
    if (s->complaint[0] != '\0')
        return fail(why, E_CLOSED, "script: %s", s->complaint);
    if (s->cut)
        return fail(why, E_CLOSED, "the connection was cut");
    if (s->ended || !step)
        return true;
    switch (step->kind) {
    case PEER_SAYS:
        *got = hear(s, into, size < s->chunk ? size : s->chunk);
        return *got > 0 || script_read(self, into, size, got, deadline, why);
    case PEER_ENDS:
        s->now++;
        s->ended = true;
        return true;
    case PEER_CUTS:
        s->now++;
        s->cut = true;
        return fail(why, E_CLOSED, "the connection was cut");
    case PEER_IS_SILENT:
        s->now++;
        return fail(why, E_TIMEOUT, "the peer is silent");
    default:
        return wrong_turn(s, step, why);
    }
}

/* --- TLS and the end -------------------------------------------------- */

static bool script_handshake(struct script *s, struct error *why)
{
    bool clear_bytes = false;
    const struct step *step;

    if (s->unchecked)
        return s->tls = true;
    if (s->complaint[0] != '\0')
        return fail(why, E_TLS_HANDSHAKE, "script: %s", s->complaint);
    for (; peer_has_more(s); s->now++)
        clear_bytes = true;
    step = present(s);
    if (!step || is_ours(step) || step->kind == PEER_ENDS) {
        complain(s, step, "the dialogue starts TLS, which the script does not");
        return fail(why, E_TLS_HANDSHAKE, "script: %s", s->complaint);
    }
    s->now++;
    s->heard = 0;
    if (step->kind == PEER_IS_SILENT)
        return fail(why, E_TIMEOUT, "the peer is silent in the TLS handshake");
    s->cut = step->kind == PEER_CUTS;
    if (clear_bytes || step->kind != HANDSHAKE)
        return fail(why, E_TLS_HANDSHAKE, "the TLS handshake failed as scripted");
    return s->tls = true;
}

static bool script_start_tls_server(void *self, const struct tls_server *server, time_ms deadline,
                                    struct error *why)
{
    return script_handshake(self, why);
}

static bool script_start_tls_client(void *self, const struct tls_want *want, time_ms deadline, struct error *why)
{
    return script_handshake(self, why);
}

static const struct tls_facts *script_tls(void *self)
{
    struct script *s = self;

    return s->tls ? &s->facts : NULL;
}

static void script_close(void *self, bool polite)
{
    struct script *s = self;

    s->closed = true;
}

static const struct transport script_transport = {
    .read = script_read,
    .write = script_write,
    .start_tls_server = script_start_tls_server,
    .start_tls_client = script_start_tls_client,
    .tls = script_tls,
    .close = script_close,
};

struct conn *script_conn(struct script *s)
{
    return conn_new(&script_transport, s, &(struct address){ 0 }, &(struct address){ 0 });
}

void script_facts(struct script *s, const struct tls_facts *facts)
{
    s->facts = *facts;
}

const char *script_complaint(struct script *s)
{
    const struct step *step;
    char wanted[200], said[200];

    while (present(s) && (present(s)->kind == PEER_ENDS || present(s)->kind == PEER_PAUSES))
        s->now++;
    step = present(s);
    if (!s->unchecked && step) {
        if (buf_len(&s->said) > 0)
            complain(s, step, "wanted %s, but the dialogue said only \"%s\"", shown_step(step, wanted),
                     shown_said(s, said));
        complain(s, step, "the dialogue ended before %s", shown_step(step, wanted));
    }
    return s->complaint[0] != '\0' ? s->complaint : NULL;
}

struct slice script_written(const struct script *s)
{
    return buf_slice(&s->written);
}

bool script_closed(const struct script *s)
{
    return s->closed;
}

void script_free(struct script *s)
{
    if (!s)
        return;
    arena_done(&s->memory);
    buf_done(&s->said);
    buf_done(&s->written);
    free(s->steps);
    free(s);
}

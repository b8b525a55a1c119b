#include "lab/attack.h"

#include "base/arena.h"
#include "base/memory.h"
#include "lab/service.h"
#include "net/socket.h"
#include "run/fiber.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum {
    LINE_MAX_BYTES = 16 * 1024,
    REPLY_LINES_MAX = 64,
    PATIENCE = MINUTES(10),     /* with a silent side */
};

static const char *const names[ATTACK_COUNT] = {
    [ATTACK_NONE] = "none",         [ATTACK_STRIP] = "strip",   [ATTACK_REFUSE] = "refuse",
    [ATTACK_CERTIFICATE] = "certificate", [ATTACK_INJECT] = "inject", [ATTACK_STALL] = "stall",
    [ATTACK_GARBAGE] = "garbage",   [ATTACK_KEYWORD] = "keyword",
};

const char *attack_name(enum attack a)
{
    return names[a];
}

bool attack_parse(struct slice text, enum attack *a)
{
    for (unsigned i = 0; i < ATTACK_COUNT; i++) {
        if (slice_equal(text, slice_of(names[i]))) {
            *a = (enum attack)i;
            return true;
        }
    }
    return false;
}

const char *attack_words(void)
{
    return "strip, refuse, certificate, inject, stall, garbage, keyword or none";
}

/* --- the part of the way that can be read ------------------------------------------- */

/* Everything is read from one side and said to the other, one command and one
 * reply at a time, which is slow and misses nothing. */
struct way {
    struct conn *client, *host;
    const struct attacker *attacker;
    bool read_on;               /* TLS ends here: the attacker goes on reading */
};

static bool hear(struct way *w, struct conn *from, struct slice *line)
{
    conn_deadline(from, clock_now() + PATIENCE);
    if (conn_line(from, LINE_MAX_BYTES, LINE_MAX_BYTES, line, NULL) != LINE_OK)
        return false;
    if (w->attacker->overheard)
        w->attacker->overheard(w->attacker->arg, from == w->host, *line);
    return true;
}

static void say(struct conn *to, struct slice line)
{
    conn_deadline(to, clock_now() + PATIENCE);
    conn_write(to, line);
    conn_write(to, SLICE("\r\n"));
}

/* A reply of several lines: the texts behind "250-" or "250 ". */
struct said {
    struct arena memory;
    struct slice code, texts[REPLY_LINES_MAX];
    size_t count;
};

static bool hear_reply(struct way *w, struct said *r)
{
    struct slice line;

    arena_reset(&r->memory);
    r->count = 0;
    do {
        if (!hear(w, w->host, &line) || line.len < 3 || r->count == REPLY_LINES_MAX)
            return false;
        r->code = arena_copy(&r->memory, slice_first(line, 3));
        r->texts[r->count++] = arena_copy(&r->memory, slice_after(line, 4));
    } while (line.len > 3 && line.at[3] == '-');
    return true;
}

static void say_reply(struct way *w, const struct said *r)
{
    conn_deadline(w->client, clock_now() + PATIENCE);
    for (size_t i = 0; i < r->count; i++)
        conn_text(w->client, "%.*s%c%.*s\r\n", SLICE_ARGS(r->code), i + 1 < r->count ? '-' : ' ',
                  SLICE_ARGS(r->texts[i]));
}

static void falsify_hello(const struct way *w, struct said *r)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->count; i++)
        if (i == 0 || w->attacker->kind != ATTACK_STRIP || !slice_equal_nocase(r->texts[i], SLICE("STARTTLS")))
            r->texts[kept++] = r->texts[i];
    if (w->attacker->kind == ATTACK_KEYWORD && kept < REPLY_LINES_MAX)
        r->texts[kept++] = SLICE("REQUIRETLS");
    r->count = kept;
}

/* The lines of a message, up to the final dot. */
static bool carry_message(struct way *w)
{
    struct slice line;

    do {
        if (!hear(w, w->client, &line))
            return false;
        say(w->host, line);
    } while (!slice_equal(line, SLICE(".")));
    return true;
}

/* TLS to the host as a client that believes anything, and to the client with
 * a certificate of our own. */
static bool end_tls_here(struct way *w, struct said *r)
{
    const struct tls_want want = { .client = w->attacker->any };

    say(w->host, SLICE("STARTTLS"));
    if (!hear_reply(w, r) || !conn_start_tls(w->host, NULL, &want, NULL))
        return false;
    say_reply(w, r);
    w->read_on = conn_start_tls(w->client, w->attacker->disguise, NULL, NULL);
    return w->read_on;
}

static void wait_for_the_end(struct conn *client)
{
    conn_deadline(client, clock_now() + PATIENCE);
    while (conn_more(client, NULL))
        conn_consume(client, conn_unread(client));
}

/* STARTTLS came. True: go on reading commands. */
static bool meddle_with_starttls(struct way *w, struct said *r, enum attack_end *end)
{
    *end = ATTACK_OVER;
    switch (w->attacker->kind) {
    case ATTACK_STRIP:
    case ATTACK_REFUSE:
        say(w->client, w->attacker->kind == ATTACK_REFUSE ? SLICE("454 4.7.0 TLS is not available, come later")
                                                          : SLICE("502 5.5.1 What is that?"));
        return true;
    case ATTACK_CERTIFICATE:
        return end_tls_here(w, r);
    case ATTACK_STALL:
        say(w->client, SLICE("220 2.0.0 Ready to start TLS"));
        wait_for_the_end(w->client);
        return false;
    case ATTACK_GARBAGE:
        say(w->client, SLICE("220 2.0.0 Ready to start TLS"));
        if (conn_more(w->client, NULL))         /* the handshake's first bytes, or it would be an injection */
            say(w->client, SLICE("This is not TLS, and it never was."));
        (void)!conn_flush(w->client, NULL);
        return false;
    default:
        say(w->host, SLICE("STARTTLS"));
        if (!hear_reply(w, r))
            return false;
        say_reply(w, r);
        if (w->attacker->kind == ATTACK_INJECT)
            say(w->client, SLICE("250 2.0.0 injected in clear"));
        if (conn_flush(w->client, NULL) && slice_equal(r->code, SLICE("220")))
            *end = ATTACK_BLIND;
        return *end != ATTACK_BLIND;
    }
}

static bool is_command(struct slice line, struct slice verb)
{
    struct slice word = slice_cut(&line, ' ');

    return slice_equal_nocase(slice_trim(word), verb);
}

static bool carry_reply(struct way *w, struct said *r)
{
    if (!hear_reply(w, r))
        return false;
    say_reply(w, r);
    return true;
}

static bool carry_command(struct way *w, struct slice line, struct said *r)
{
    bool hello = is_command(line, SLICE("EHLO"));

    say(w->host, line);
    if (!hear_reply(w, r))
        return false;
    if (hello && !w->read_on && slice_equal(r->code, SLICE("250")))
        falsify_hello(w, r);
    say_reply(w, r);
    return !slice_equal(r->code, SLICE("354")) || (carry_message(w) && carry_reply(w, r));
}

static enum attack_end talk(struct way *w, struct said *r)
{
    enum attack_end end = ATTACK_OVER;
    struct slice line;
    bool going = carry_reply(w, r);     /* the greeting */

    while (going && hear(w, w->client, &line))
        going = !w->read_on && is_command(line, SLICE("STARTTLS")) ? meddle_with_starttls(w, r, &end)
                                                                   : carry_command(w, line, r);
    return end;
}

enum attack_end attack_dialogue(struct conn *client, struct conn *host, const struct attacker *a)
{
    struct way w = { .client = client, .host = host, .attacker = a };
    struct said r = { .count = 0 };
    enum attack_end end;

    arena_init(&r.memory, 2 * REPLY_LINES_MAX * LINE_MAX_BYTES);
    end = talk(&w, &r);
    arena_done(&r.memory);
    return end;
}

/* --- the part that cannot -------------------------------------------------------------- */

/* Bytes in one direction. Each lane has descriptors of its own, so that the
 * two of a connection end independently. */
struct lane {
    int from, to;
};

static bool push(const struct lane *l, struct fiber_watch *writable, struct slice bytes)
{
    while (!slice_empty(bytes)) {
        ssize_t sent = send(l->to, bytes.at, bytes.len, MSG_NOSIGNAL);

        if (sent > 0)
            bytes = slice_after(bytes, (size_t)sent);
        else if (errno != EAGAIN || fiber_wait_ready(writable, WATCH_WRITE, clock_now() + PATIENCE, NULL) != FIBER_WOKEN)
            return false;
    }
    return true;
}

static void carry_blindly(void *arg)
{
    struct lane *l = arg;
    struct fiber_watch *readable = fiber_watch_new(l->from), *writable = fiber_watch_new(l->to);
    char bytes[8 * 1024];

    for (;;) {
        ssize_t got = recv(l->from, bytes, sizeof bytes, 0);

        if (got > 0 && push(l, writable, slice(bytes, (size_t)got)))
            continue;
        if (got >= 0 || errno != EAGAIN
            || fiber_wait_ready(readable, WATCH_READ, clock_now() + PATIENCE, NULL) != FIBER_WOKEN)
            break;
    }
    shutdown(l->to, SHUT_WR);
    fiber_watch_free(readable);
    fiber_watch_free(writable);
    close(l->from);
    close(l->to);
    free(l);
}

static void open_lane(int from, int to)
{
    struct lane *l = NEW(struct lane);

    l->from = fcntl(from, F_DUPFD_CLOEXEC, 0);
    l->to = fcntl(to, F_DUPFD_CLOEXEC, 0);
    service_fiber(carry_blindly, l);
}

void attack_stand_between(int client, int host, const struct attacker *a)
{
    struct conn *c = socket_conn(client), *h = socket_conn(host);

    if (attack_dialogue(c, h, a) == ATTACK_BLIND) {
        open_lane(client, host);
        open_lane(host, client);
        conn_abort(c);      /* closes our descriptors and leaves the connections alone */
        conn_abort(h);
    } else {
        conn_close(c);
        conn_close(h);
    }
}

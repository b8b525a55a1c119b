#include "tests/smtp/timed.h"

static bool timed_read(void *self, char *into, size_t size, size_t *got, time_ms deadline, struct error *why)
{
    struct timed *t = self;
    time_ms arrival = t->left ? clock_now() + t->next->after : TIME_NEVER;
    size_t len;

    *got = 0;
    if (arrival > deadline) {
        clock_advance(deadline > clock_now() ? deadline - clock_now() : 0);
        return fail(why, E_TIMEOUT, "nothing came in time");
    }
    if (!t->left)
        return fail(why, E_CLOSED, "silent for ever, and no deadline");
    clock_advance(arrival - clock_now());
    if (!t->next->words)
        return fail(why, E_CANCELLED, "cancelled");
    len = strlen(t->next->words);
    memcpy(into, t->next->words, len < size ? len : size);
    *got = len < size ? len : size;
    t->next++;
    t->left--;
    return true;
}

static bool timed_write(void *self, struct slice bytes, time_ms deadline, struct error *why)
{
    struct timed *t = self;

    buf_add(&t->written, bytes);
    return clock_now() <= deadline || fail(why, E_TIMEOUT, "too late to write");
}

static const struct tls_facts *timed_tls(void *self)
{
    return NULL;
}

static void timed_close(void *self, bool polite)
{
}

struct conn *timed_conn(struct timed *t, const struct timed_words *words, size_t count)
{
    static const struct transport transport = { .read = timed_read, .write = timed_write, .tls = timed_tls,
                                                .close = timed_close };
    struct address none = { 0 };

    clock_freeze(0);
    *t = (struct timed){ .next = words, .left = count, .started = clock_now() };
    buf_init(&t->written, 1024 * 1024);
    return conn_new(&transport, t, &none, &none);
}

void timed_done(struct timed *t)
{
    buf_done(&t->written);
    clock_thaw();
}

time_ms timed_spent(const struct timed *t)
{
    return clock_now() - t->started;
}

bool timed_wrote(const struct timed *t, const char *text)
{
    struct slice written = buf_slice(&t->written);

    return memmem(written.at, written.len, text, strlen(text)) != NULL;
}

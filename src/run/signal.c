#include "base/memory.h"
#include "run/loop_internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>

/* Not uv_signal: it keeps descriptors that no one can ask it for, shares them
 * with a forked child, and aborts when the child closes them. Here a signal
 * sets a flag in this process's memory and rings an eventfd; should a fresh
 * child still ring the parent's, the parent finds no flag set. */

struct signal_watch {
    int number;                 /* 0: made by the parent, before a fork */
    bool due;
    void (*arrived)(void *owner, int signal_number);
    void *owner;
    struct signal_watch *next;
};

static struct {
    struct signal_watch *all;
    struct watch *bell_watch;
} signals;

static atomic_int bell = -1;
static atomic_bool caught[NSIG];

static void on_signal(int number)
{
    const uint64_t one = 1;
    int before = errno;

    atomic_store(&caught[number], true);
    if (write(atomic_load(&bell), &one, sizeof one) < 0)
        errno = before;     /* full is rung enough; closed is nobody to tell */
    errno = before;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

    sigfillset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static struct signal_watch *next_due(void)
{
    struct signal_watch *s = signals.all;

    while (s && !s->due)
        s = s->next;
    return s;
}

/* Marks first and looks again after each call: a callback may free any watch. */
static void deliver(void *owner, int events)
{
    uint64_t rung;

    if (read(atomic_load(&bell), &rung, sizeof rung) < 0)
        return;
    for (int number = 1; number < NSIG; number++) {
        if (!atomic_exchange(&caught[number], false))
            continue;
        for (struct signal_watch *s = signals.all; s; s = s->next)
            s->due |= s->number == number;
    }
    for (struct signal_watch *s; (s = next_due()) != NULL;) {
        s->due = false;
        s->arrived(s->owner, s->number);
    }
}

static bool is_watched(int number)
{
    for (const struct signal_watch *s = signals.all; s; s = s->next)
        if (s->number == number)
            return true;
    return false;
}

static void bell_hang(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        perror("postern: eventfd");
        abort();
    }
    atomic_store(&bell, fd);
    signals.bell_watch = watch_new(fd, deliver, NULL);
    watch_set(signals.bell_watch, WATCH_READ);
}

static void bell_remove(void)
{
    watch_free(signals.bell_watch);
    signals.bell_watch = NULL;
    close(atomic_exchange(&bell, -1));
}

struct signal_watch *signal_watch_new(int signal_number, void (*arrived)(void *owner, int signal_number), void *owner)
{
    struct signal_watch *s = NEW(struct signal_watch);

    assert(signal_number > 0 && signal_number < NSIG);
    if (!signals.all)
        bell_hang();
    if (!is_watched(signal_number)) {
        atomic_store(&caught[signal_number], false);
        handle(signal_number, on_signal);
    }
    *s = (struct signal_watch){ signal_number, false, arrived, owner, signals.all };
    signals.all = s;
    return s;
}

void signal_watch_free(struct signal_watch *s)
{
    struct signal_watch **where = &signals.all;

    if (!s)
        return;
    while (*where && *where != s)
        where = &(*where)->next;
    if (*where) {
        *where = s->next;
        if (!is_watched(s->number))
            handle(s->number, SIG_DFL);
        if (!signals.all)
            bell_remove();
    }
    free(s);
}

void signal_loop_forked(void)
{
    if (!signals.all)
        return;
    for (struct signal_watch *s = signals.all, *next; s; s = next) {
        next = s->next;
        handle(s->number, SIG_DFL);
        s->number = 0;
        s->next = NULL;
    }
    signals.all = NULL;
    bell_remove();
}

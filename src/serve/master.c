#include "serve/master.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/channel.h"
#include "serve/confine.h"
#include "serve/generation.h"
#include "serve/roles.h"
#include "serve/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

enum {
    NO_MAKER = 1000,
    STOP_GRACE_MS = 40000,      /* for the workers on shutdown; their own grace is shorter */
    RETIRE_GRACE_MS = 600000,   /* for an old generation after a reload */
    STABLE_MS = 5000,           /* who lives so long did not die of its start */
    RESTART_MOST_MS = 30000,
    STORE_RESTART_MOST_MS = 1000,
    IMPATIENCE_MS = 2000,
    LOCK_PATIENCE_MS = 2000,        /* at the start: another instance is soon found out */
    LOCK_PATIENCE_LATER_MS = 60000, /* a command holds the queue's lock at worst */
};

struct seat;

/* A process. */
struct child {
    enum link_role role;
    unsigned slot, maker;
    uint32_t generation;
    pid_t pid;
    struct channel *control;
    struct seat *seat;          /* NULL once it has been told to go */
    bool ready;
    time_ms started, kill_at;
    struct child *next;
};

/* A place that must be filled. */
struct seat {
    enum link_role role;
    unsigned slot;
    struct child *child;
    unsigned failures;          /* short lives in a row */
    time_ms start_at;
};

static struct {
    const char *config_file;
    struct generation *now;
    struct census *census;
    struct seat *seats;
    size_t seat_count;
    struct child *children;
    struct timer *timer;
    time_ms stop_since;
    bool reload, stop, kill_all, announced, served, failed, draining_store;
} master;

static struct child *the_store(void);
static void link_children(struct child *worker, struct child *store);

/* --- the line to a child ---------------------------------------------------------- */

static void announce_when_ready(void)
{
    auto_buf struct buf addresses = { 0 };
    struct log_line l;

    for (size_t i = 0; i < master.seat_count; i++)
        if (!master.seats[i].child || !master.seats[i].child->ready)
            return;
    if (master.announced)
        return;
    master.announced = master.served = true;
    l = log_begin(LOG_LEVEL_INFO, "ready");
    log_text(&l, "hostname", master.now->config->hostname);
    log_number(&l, "generation", master.now->number);
    buf_init(&addresses, 4096);
    for (size_t i = 0; i < master.now->config->listener_count; i++) {
        char text[ADDRESS_TEXT_MAX];

        buf_text(&addresses, "%s%s", i ? " " : "", address_text(&master.now->config->listeners[i].address, text));
    }
    log_slice(&l, "listen", buf_slice(&addresses));
    log_text(&l, "version", POSTERN_VERSION);
    log_end(&l);
}

static bool child_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct child *c = owner;

    if (fd >= 0)
        close(fd);
    if (fd >= 0 || body.len)
        return false;
    switch (type) {
    case FRAME_READY:
        c->ready = true;
        announce_when_ready();
        return true;
    case FRAME_UNLINKED:
        if (c->role != LINK_STORE && the_store())
            link_children(c, the_store());
        return true;
    default:
        return false;
    }
}

/* Its death follows, or comes by our hand. */
static void child_closed(void *owner, const struct error *why)
{
    struct child *c = owner;

    channel_free(c->control);
    c->control = NULL;
    if (c->kill_at == TIME_NEVER)
        c->kill_at = loop_now() + SECONDS(1);
}

static const struct channel_events child_events = { child_frame, child_closed };

static void order(struct child *c, enum frame_type type, time_ms grace)
{
    if (c->control)
        channel_send(c->control, (uint8_t)type, slice("", 0));
    c->kill_at = loop_now() + grace;
    if (c->seat)
        c->seat->child = NULL;
    c->seat = NULL;
}

/* --- links between a worker and the store ------------------------------------------- */

static void send_link(struct child *to, const struct child *about, int fd)
{
    struct frame_link link = { (uint8_t)about->role, (uint16_t)about->slot, about->generation };
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 64);
    frame_put_link(&frame, &link);
    if (to->control)
        channel_send_fd(to->control, FRAME_LINK, buf_slice(&frame), fd);
}

static void link_children(struct child *worker, struct child *store)
{
    struct error why = { 0 };
    int fds[2];

    if (!channel_pair(fds, &why)) {
        log_say(LOG_LEVEL_ERROR, "link.failed", &why, "a worker stays without the queue");
        kill(worker->pid, SIGKILL);     /* its successor is linked anew */
        return;
    }
    send_link(worker, store, fds[0]);
    send_link(store, worker, fds[1]);
    close(fds[0]);
    close(fds[1]);
}

static struct child *the_store(void)
{
    for (size_t i = 0; i < master.seat_count; i++)
        if (master.seats[i].role == LINK_STORE)
            return master.seats[i].child;
    return NULL;
}

static void link_new(struct child *c)
{
    struct child *store = the_store();

    if (c->role != LINK_STORE) {
        if (store)
            link_children(c, store);
        return;
    }
    /* Those of an older generation first: what they still work on must be known before others get it. */
    for (int retired = 1; retired >= 0; retired--)
        for (struct child *worker = master.children; worker; worker = worker->next)
            if (worker->role != LINK_STORE && retired == (worker->seat == NULL))
                link_children(worker, c);
}

/* --- starting --------------------------------------------------------------------------- */

/* A number that no living process of this kind has: their ids and counters must not mix. */
static unsigned free_maker(enum link_role role)
{
    for (unsigned n = 0; n < role_makers(role); n++) {
        bool taken = false;

        for (struct child *c = master.children; c; c = c->next)
            taken |= c->role == role && c->maker == n;
        if (!taken)
            return n;
    }
    return NO_MAKER;
}

/* A terminal or a service manager signals the whole group; workers hear of it
 * from the master, in the right order. */
static void ignore_service_signals(void)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static void be_child(const struct child *c, int control_fd, pid_t parent)
{
    struct generation *g = master.now;
    struct role_start start = { g, c->slot, c->maker, master.served ? LOCK_PATIENCE_LATER_MS : LOCK_PATIENCE_MS, control_fd,
                                master.census };
    size_t kept;
    int *keep = role_descriptors(c->role, &start, &kept);
    struct error why = { 0 };
    char title[48];
    int code = EXIT_FAILURE;

    if (c->role == LINK_INBOUND || c->role == LINK_OUTBOUND)
        snprintf(title, sizeof title, "postern: %s.%u", role_name(c->role), c->slot);
    else
        snprintf(title, sizeof title, "postern: %s", role_name(c->role));
    log_name(title + strlen("postern: "));
    log_close();
    process_begin_child(title, keep, kept);
    free(keep);
    if (!role_needs_keys(c->role))
        generation_forget_keys(g);
    log_setup(g->config->log);
    log_record_to(g->record_fd);
    ignore_service_signals();
    process_tie_to_parent(parent);
    loop_open();
    if (process_drop_to(g->drop ? &g->account : NULL, &why)) {
        confine(g->config, c->role);
        code = role_run(c->role, &start);
    } else {
        log_say(LOG_LEVEL_ERROR, "rights.kept", &why, "cannot give up root's rights; not starting");
    }
    _exit(code);
}

static void start_child(struct seat *seat)
{
    struct child *c;
    struct error why = { 0 };
    pid_t parent = getpid();
    int fds[2];

    if (!channel_pair(fds, &why)) {
        log_say(LOG_LEVEL_ERROR, "start.failed", &why, "cannot start %s", role_name(seat->role));
        seat->start_at = loop_now() + SECONDS(1);
        return;
    }
    c = NEW(struct child);
    *c = (struct child){ .role = seat->role, .slot = seat->slot, .generation = master.now->number, .seat = seat,
                         .maker = free_maker(seat->role), .started = loop_now(), .kill_at = TIME_NEVER };
    c->pid = c->maker != NO_MAKER ? process_fork(&why) : -1;
    if (c->pid == 0) {
        close(fds[0]);
        be_child(c, fds[1], parent);
    }
    close(fds[1]);
    if (c->pid < 0) {
        log_say(LOG_LEVEL_ERROR, "start.failed", &why, "cannot start %s", role_name(seat->role));
        close(fds[0]);
        free(c);
        seat->start_at = loop_now() + SECONDS(1);
        return;
    }
    c->control = channel_new(fds[0], &child_events, c);
    channel_start(c->control);
    c->next = master.children;
    master.children = c;
    seat->child = c;
    link_new(c);
}

/* During a stop only the store is still replaced: what the workers finish must be recorded. */
static bool is_needed(const struct seat *seat)
{
    bool workers = false;

    if (!master.stop)
        return true;
    for (struct child *c = master.children; c; c = c->next)
        workers |= c->role != LINK_STORE;
    return seat->role == LINK_STORE && workers && !master.failed && !master.draining_store;
}

static void fill_seats(void)
{
    for (size_t i = 0; i < master.seat_count; i++)
        if (!master.seats[i].child && master.seats[i].start_at <= loop_now() && is_needed(&master.seats[i]))
            start_child(&master.seats[i]);
}

static void make_seats(void)
{
    const struct config *c = master.now->config;
    size_t n = 0;

    master.seats = memory_array(1 + c->inbound_processes + c->outbound_processes + LINK_ROLES, sizeof *master.seats);
    master.seats[n++] = (struct seat){ .role = LINK_STORE };
    for (unsigned i = 0; i < c->outbound_processes; i++)
        master.seats[n++] = (struct seat){ .role = LINK_OUTBOUND, .slot = i };
    for (unsigned i = 0; i < c->inbound_processes; i++)
        master.seats[n++] = (struct seat){ .role = LINK_INBOUND, .slot = i };
    for (enum link_role role = LINK_POLICY; role < LINK_ROLES; role++)
        if (role_has_work(c, role))
            master.seats[n++] = (struct seat){ .role = role, .slot = CLERK_SLOT };
    master.seat_count = n;
}

/* --- ending ---------------------------------------------------------------------------------- */

static void log_death(const struct child *c, int status)
{
    struct log_line l = log_begin(LOG_LEVEL_WARNING, "process.died");
    char text[80];

    log_text(&l, "role", role_name(c->role));
    log_number(&l, "slot", c->slot);
    log_number(&l, "pid", c->pid);
    log_text(&l, "why", process_how_ended(status, text));
    log_end(&l);
}

static time_ms restart_delay(const struct seat *seat)
{
    time_ms delay = seat->failures < 2 ? 0 : (time_ms)250 << (seat->failures < 10 ? seat->failures : 10);

    if (seat->role == LINK_STORE && delay > STORE_RESTART_MOST_MS)
        return STORE_RESTART_MOST_MS;       /* without it no mail is taken at all */
    return delay < RESTART_MOST_MS ? delay : RESTART_MOST_MS;
}

static void bury(struct child *c, int status)
{
    struct child **at = &master.children;
    bool expected = !c->seat && WIFEXITED(status) && WEXITSTATUS(status) == WORKER_DONE;

    if (!expected)
        log_death(c, status);
    /* Once mail has flowed, going on without one process beats stopping all. */
    if (!master.served && WIFEXITED(status) && WEXITSTATUS(status) == WORKER_CANNOT_START)
        master.stop = master.failed = true;
    if (c->role == LINK_INBOUND)
        census_wipe(master.census, c->maker);
    if (c->seat) {
        c->seat->failures = loop_now() - c->started < STABLE_MS ? c->seat->failures + 1 : 0;
        c->seat->start_at = loop_now() + restart_delay(c->seat);
        c->seat->child = NULL;
    }
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    channel_free(c->control);
    free(c);
}

static void reap(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (struct child *c = master.children; c; c = c->next) {
            if (c->pid == pid) {
                bury(c, status);
                break;
            }
        }
    }
}

static void kill_late_ones(void)
{
    for (struct child *c = master.children; c; c = c->next)
        if (master.kill_all || loop_now() >= c->kill_at)
            kill(c->pid, SIGKILL);
}

/* Workers first; the store when they have handed in what they had. */
static void proceed_with_stop(void)
{
    bool workers = false;

    for (struct child *c = master.children; c; c = c->next) {
        if (c->role == LINK_STORE)
            continue;
        workers = true;
        if (c->seat || c->kill_at > loop_now() + STOP_GRACE_MS)
            order(c, FRAME_DRAIN, STOP_GRACE_MS);
    }
    if (workers || master.draining_store)
        return;
    master.draining_store = true;
    for (struct child *c = master.children; c; c = c->next)
        order(c, FRAME_DRAIN, STOP_GRACE_MS);
}

/* --- reload -------------------------------------------------------------------------------------- */

/* What cannot change while the store runs stays as it was. */
static void keep_fixed_settings(const struct generation *old, struct generation *new)
{
    struct config *was = old->config, *is = new->config;

    if (strcmp(was->data_directory, is->data_directory) == 0 && strcmp(was->user, is->user) == 0 &&
        was->outbound_processes == is->outbound_processes)
        return;
    log_say(LOG_LEVEL_WARNING, "reload.partial", NULL,
            "data-directory, user and outbound-processes change only with a restart; the old values stay");
    is->data_directory = arena_string(&is->arena, slice_of(was->data_directory));
    is->user = arena_string(&is->arena, slice_of(was->user));
    is->outbound_processes = was->outbound_processes;
    new->account = old->account;
}

static void retire_workers(void)
{
    for (struct child *c = master.children; c; c = c->next)
        if (c->role != LINK_STORE && c->seat)
            order(c, FRAME_RETIRE, RETIRE_GRACE_MS);
}

static void reload(void)
{
    struct generation *old = master.now;
    struct generation *new = generation_new(master.config_file, old);
    struct child *store = the_store();

    if (!new) {
        log_setup(old->config->log);
        log_say(LOG_LEVEL_ERROR, "reload.failed", NULL, "the old configuration stays in force");
        return;
    }
    keep_fixed_settings(old, new);
    retire_workers();
    master.now = new;
    free(master.seats);
    make_seats();
    master.seats[0].child = store;
    if (store)
        store->seat = &master.seats[0];
    generation_free(old, new);
    master.announced = false;
    log_say(LOG_LEVEL_INFO, "reload.done", NULL, "generation %u takes over", new->number);
}

/* --- life ------------------------------------------------------------------------------------------ */

static void on_signal(void *owner, int number)
{
    if (number == SIGHUP)
        master.reload = true;
    if (number == SIGTERM || number == SIGINT) {
        /* Asked again after a while: somebody is impatient. At once: the same wish by two ways. */
        if (master.stop && loop_now() - master.stop_since > IMPATIENCE_MS)
            master.kill_all = true;
        if (!master.stop)
            master.stop_since = loop_now();
        master.stop = true;
    }
}

/* There is always a next turn soon: late children, and seats that wait. */
static void on_time(void *owner)
{
    timer_set(master.timer, loop_now() + 200);
}

static void serve(void)
{
    while (!master.stop || master.children) {
        loop_turn(true);
        reap();
        if (master.reload && !master.stop)
            reload();
        master.reload = false;
        fill_seats();
        if (master.stop)
            proceed_with_stop();
        kill_late_ones();
    }
}

int master_run(const char *config_file)
{
    static const int signals[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };
    struct signal_watch *watches[sizeof signals / sizeof *signals];
    struct error why = { 0 };

    log_name("master");
    master.config_file = config_file;
    process_open_files_limit();
    master.now = generation_new(config_file, NULL);
    if (!master.now)
        return EXIT_FAILURE;
    master.census = census_new(role_makers(LINK_INBOUND), &why);
    if (!master.census) {
        log_say(LOG_LEVEL_ERROR, "start.failed", &why, "cannot start");
        return EXIT_FAILURE;
    }
    loop_open();
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        watches[i] = signal_watch_new(signals[i], on_signal, NULL);
    master.timer = timer_new(on_time, NULL);
    on_time(NULL);
    make_seats();
    fill_seats();
    serve();
    log_say(LOG_LEVEL_INFO, "stopped", NULL, "all processes have ended");
    timer_free(master.timer);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal_watch_free(watches[i]);
    free(master.seats);
    generation_free(master.now, NULL);
    census_free(master.census);
    loop_close();
    return master.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A command's questions: to a store that runs, to the disk where none does, and to one that talks nonsense. */
#include "serve/asking.h"

#include "base/memory.h"
#include "run/channel.h"
#include "run/process.h"
#include "serve/control.h"
#include "serve/store.h"
#include "tests/test.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static char directory[64];
static struct config config;

static void begin(void)
{
    snprintf(directory, sizeof directory, "/tmp/postern-asking-XXXXXX");
    CHECK(mkdtemp(directory) != NULL);
    CHECK(chmod(directory, 0777) == 0);
    config = (struct config){ .data_directory = directory, .user = "nobody" };
}

static void end(void)
{
    char command[96];

    snprintf(command, sizeof command, "rm -r %s", directory);
    CHECK(system(command) == 0);
}

/* --- a store that runs ------------------------------------------------------- */

static struct queue *served;
static struct soon commit;

static void commit_now(void *owner)
{
    queue_commit(served);
}

static void on_acted(void *owner)
{
    soon_add(&commit);
}

/* What the command line has changed stands in a note of its own, for the test to see. */
static void on_noted(void *owner, const struct frame_note_key *what)
{
    queue_note(served, &(struct note){ NOTE_HEALTH, "heard", 1, slice_of(what->key) }, NULL, NULL);
    soon_add(&commit);
}

static void serve(int ready)
{
    static const struct control_events events = { on_acted, on_noted };
    struct queue_settings s = { .directory = directory, .slots = 2, .per_destination = 1 };
    struct error why = { 0 };

    loop_open();
    commit = (struct soon){ .run = commit_now };
    served = queue_open(&s, &why);
    if (!served || !control_new(directory, served, &events, NULL, &why) || write(ready, "r", 1) != 1)
        _exit(1);
    loop_run();
}

static pid_t child(void (*run)(int ready))
{
    pid_t parent = getpid(), pid;
    int pipes[2];
    char byte;

    CHECK(pipe(pipes) == 0);
    pid = fork();
    if (pid == 0) {
        process_tie_to_parent(parent);
        close(pipes[0]);
        run(pipes[1]);
        _exit(0);
    }
    close(pipes[1]);
    CHECK(read(pipes[0], &byte, 1) == 1);
    close(pipes[0]);
    return pid;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* --- what must be the same with both ------------------------------------------- */

static struct buf seen;

static void see_note(void *arg, const struct note *n)
{
    buf_text(&seen, "%s=%.*s ", n->key, SLICE_ARGS(n->value));
}

static void see_tally(void *arg, const struct tally *t)
{
    buf_text(&seen, "%u:%.*s=%u ", (unsigned)t->day, SLICE_ARGS(t->key), (unsigned)t->count);
}

static bool see_figures(void *arg, uint8_t type, struct slice body)
{
    return type == FRAME_COUNTED && frame_get_figures(body, arg);
}

static void put(struct asking *a, const char *key, struct slice value)
{
    struct error why = { 0 };

    CHECK_OK(asking_put_note(a, &(struct note){ NOTE_MEMORY, key, 7, value }, &why), &why);
}

static void check_pages(struct asking *a)
{
    auto_buf struct buf wanted = { 0 };
    struct error why = { 0 };
    char key[16];

    buf_init(&wanted, 1 << 20);
    for (int i = 0; i < 2 * FRAME_NOTES_MOST + 3; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        put(a, key, SLICE("v"));
        buf_text(&wanted, "%s=v ", key);
    }
    buf_init(&seen, 1 << 20);
    CHECK_OK(asking_notes(a, NOTE_MEMORY, see_note, NULL, &why), &why);
    CHECK(slice_equal(buf_slice(&seen), buf_slice(&wanted)));
    buf_clear(&seen);
    CHECK_OK(asking_notes(a, NOTE_STS, see_note, NULL, &why), &why);
    CHECK_EQUAL(buf_len(&seen), 0);
    buf_done(&seen);
}

static void check_conversation(struct asking *a)
{
    char *large = memory_new(NOTE_VALUE_MAX);
    struct queue_figures figures = { .messages = 99 };
    struct error why = { 0 };
    struct arena arena;
    struct note n;

    arena_init(&arena, 4 * NOTE_VALUE_MAX);
    memset(large, 'x', NOTE_VALUE_MAX);
    CHECK(!asking_note(a, NOTE_MEMORY, "example.org", &arena, &n, &why));
    CHECK_EQUAL(why.code, E_NOT_FOUND);
    put(a, "example.org", slice(large, NOTE_VALUE_MAX));
    CHECK_OK(asking_note(a, NOTE_MEMORY, "example.org", &arena, &n, &why), &why);
    CHECK(n.kind == NOTE_MEMORY && n.due == 7 && slice_equal(n.value, slice(large, NOTE_VALUE_MAX)));
    CHECK_TEXT(n.key, "example.org");
    put(a, "example.org", SLICE(""));
    CHECK(!asking_note(a, NOTE_MEMORY, "example.org", &arena, &n, &why));
    check_pages(a);
    CHECK_OK(asking_ask(a, FRAME_FIGURES, SLICE(""), see_figures, &figures, &why), &why);
    CHECK_EQUAL(figures.messages, 0);
    free(large);
    arena_done(&arena);
}

TEST(a_running_store_answers)
{
    struct error why = { 0 };
    struct arena arena;
    struct asking *a;
    struct note n;
    pid_t store;

    begin();
    store = child(serve);
    a = asking_open(&config, ASK_RUNNING, &why);
    CHECK_OK(a != NULL, &why);
    check_conversation(a);
    put(a, "changed", SLICE("x"));
    arena_init(&arena, 10000);
    CHECK_OK(asking_note(a, NOTE_HEALTH, "heard", &arena, &n, &why), &why);
    CHECK_SLICE(n.value, "changed");            /* whoever has it in a cache is told */
    arena_done(&arena);
    asking_close(a);
    end_child(store);
    end();
}

/* As a process of its own: it may drop its rights for good. */
static void ask_disk(int ready)
{
    struct error why = { 0 };
    struct asking *a = asking_open(&config, ASK_RUNNING_OR_DISK, &why);

    CHECK_OK(a != NULL, &why);
    check_conversation(a);
    asking_close(a);
    if (write(ready, "r", 1) != 1)
        _exit(1);
}

TEST(without_a_running_one_the_disk_answers)
{
    pid_t pid;
    int status;

    begin();
    pid = child(ask_disk);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    end();
}

TEST(a_command_that_needs_a_running_one_is_told_that_there_is_none)
{
    struct error why = { 0 };

    begin();
    CHECK(asking_open(&config, ASK_RUNNING, &why) == NULL);
    CHECK_EQUAL(why.code, E_NOT_FOUND);
    CHECK(strstr(why.text, "no postern runs on") && strstr(why.text, directory));
    asking_close(NULL);
    end();
}

static void count_much(int ready)
{
    struct queue_settings s = { .directory = directory, .slots = 1, .per_destination = 1 };
    struct queue *q = queue_open(&s, NULL);
    char key[16];

    for (unsigned i = 0; i < 2 * OPERATOR_PAGE + 10; i++) {
        snprintf(key, sizeof key, "key%04u", i);
        queue_tally(q, &(struct tally){ 100 + i % 2, slice_of(key), i + 1 });
    }
    queue_tally_flush(q);
    queue_commit(q);
    queue_close(q);
    serve(ready);
}

TEST(tallies_are_read_page_by_page)
{
    auto_buf struct buf wanted = { 0 };
    struct error why = { 0 };
    struct asking *a;
    pid_t store;

    begin();
    store = child(count_much);
    a = asking_open(&config, ASK_RUNNING, &why);
    CHECK_OK(a != NULL, &why);
    buf_init(&wanted, 1 << 20);
    buf_init(&seen, 1 << 20);
    for (unsigned day = 100; day < 102; day++)
        for (unsigned i = day - 100; i < 2 * OPERATOR_PAGE + 10; i += 2)
            buf_text(&wanted, "%u:key%04u=%u ", day, i, i + 1);
    CHECK_OK(asking_tallies(a, 0, see_tally, NULL, &why), &why);
    CHECK(slice_equal(buf_slice(&seen), buf_slice(&wanted)));
    buf_clear(&seen);
    CHECK_OK(asking_tallies(a, 101, see_tally, NULL, &why), &why);
    CHECK(slice_equal(buf_slice(&seen), slice_after(buf_slice(&wanted), buf_len(&wanted) - buf_len(&seen))));
    CHECK(slice_starts(buf_slice(&seen), SLICE("101:key0001=2 101:key0003=4 ")));
    buf_clear(&seen);
    CHECK_OK(asking_tallies(a, 102, see_tally, NULL, &why), &why);
    CHECK_EQUAL(buf_len(&seen), 0);
    CHECK_OK(asking_tallies_of(a, 100, SLICE("key100"), see_tally, NULL, &why), &why);
    CHECK_SLICE(buf_slice(&seen), "100:key1000=1001 100:key1002=1003 100:key1004=1005 100:key1006=1007 100:key1008=1009 ");
    buf_clear(&seen);
    CHECK_OK(asking_tallies_of(a, 100, SLICE("key"), see_tally, NULL, &why), &why);
    CHECK(buf_len(&seen) > 0 && slice_starts(buf_slice(&wanted), buf_slice(&seen)));        /* more than a page */
    buf_clear(&seen);
    CHECK_OK(asking_tallies_of(a, 99, SLICE(""), see_tally, NULL, &why), &why);
    CHECK_EQUAL(buf_len(&seen), 0);
    buf_done(&seen);
    asking_close(a);
    end_child(store);
    end();
}

/* --- a store that talks nonsense ------------------------------------------------ */

static struct slice answer;

/* Says `answer` to the first question, whatever it is, and hangs up. */
static void answer_wrongly(int ready)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), peer;
    char question[1000];

    if (!store_socket_path(directory, address.sun_path) ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0 || write(ready, "r", 1) != 1)
        _exit(1);
    peer = accept(fd, NULL, NULL);
    if (read(peer, question, sizeof question) <= 0 || write(peer, answer.at, answer.len) != (ssize_t)answer.len)
        _exit(1);
    close(peer);
    close(fd);
}

TEST(nonsense_and_silence_are_errors)
{
    const struct {
        struct slice answer;
        enum error_code code;
    } cases[] = {
        { SLICE(""), E_CLOSED },
        { SLICE("\0\0\0"), E_CLOSED },
        { SLICE("\0\0\0\x0a\x55\0only"), E_CLOSED },                /* FRAME_NOTES_LISTED, cut short */
        { SLICE("\xff\0\0\0\x55\0"), E_PROTOCOL },                  /* 4 GiB announced */
        { SLICE("\0\0\0\0\x55\x02"), E_PROTOCOL },                  /* an unknown flag */
        { SLICE("\0\0\0\0\x55\0"), E_PROTOCOL },                    /* an end that is none */
        { SLICE("\0\0\0\x01\x54\0x"), E_PROTOCOL },                 /* FRAME_NOTE_VIEW, but no note */
        { SLICE("\0\0\0\0\x01\0"), E_PROTOCOL },                    /* not an answer at all */
        { SLICE("\0\0\0\x08\x55\0\0\0\0\0\0\0\0\0"), E_NONE },      /* no note; that is sense */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error why = { 0 };
        struct asking *a;
        pid_t store;

        begin();
        answer = cases[i].answer;
        store = child(answer_wrongly);
        a = asking_open(&config, ASK_RUNNING, &why);
        CHECK_OK(a != NULL, &why);
        CHECK_EQUAL(asking_notes(a, NOTE_STS, see_note, NULL, &why), cases[i].code == E_NONE);
        CHECK_EQUAL(why.code, cases[i].code);
        if (cases[i].code != E_NONE)
            CHECK(!asking_notes(a, NOTE_STS, see_note, NULL, &why));        /* nor ever again */
        asking_close(a);
        end_child(store);
        end();
    }
}

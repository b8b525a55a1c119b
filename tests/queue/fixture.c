#include "tests/queue/fixture.h"

#include "base/log.h"
#include "base/memory.h"

#include <dirent.h>

void fixture_directory(char directory[64])
{
    snprintf(directory, 64, "%s/postern-queue-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(directory) != NULL);
}

void remove_directory(const char *directory)
{
    DIR *files = opendir(directory);
    struct dirent *file;
    char path[512];

    while (files && (file = readdir(files))) {
        if (strcmp(file->d_name, ".") == 0 || strcmp(file->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, file->d_name);
        if (unlink(path) != 0)
            remove_directory(path);
    }
    if (files)
        closedir(files);
    rmdir(directory);
}

static void open_queue(struct fixture *f)
{
    struct error why = { 0 };

    f->settings.directory = f->directory;
    f->q = queue_open(&f->settings, &why);
    if (!f->q)
        fail_msg("%s", why.text);
}

void fixture_begin(struct fixture *f)
{
    log_setup((struct log_settings){ .least = LOG_LEVEL_ERROR + 1 });      /* the failures are on purpose */
    *f = (struct fixture){ .settings = { .slots = 1, .per_destination = 100 }, .now = SECONDS(1700000000) };
    fixture_directory(f->directory);
    arena_init(&f->arena, 16 * 1024 * 1024);
    open_queue(f);
}

void fixture_end(struct fixture *f)
{
    queue_close(f->q);
    arena_done(&f->arena);
    remove_directory(f->directory);
}

void fixture_reopen(struct fixture *f)
{
    queue_close(f->q);
    open_queue(f);
}

void commit(struct fixture *f)
{
    queue_commit(f->q);
}

void note_answer(void *arg, bool done, const struct error *why)
{
    struct answered *a = arg;

    if (!a)
        return;
    a->count++;
    a->done = done;
    if (!done)
        a->why = *why;
}

struct slice pattern(struct buf *b, uint64_t seed, size_t size)
{
    buf_init(b, size + 1);
    for (size_t i = 0; i < size; i++)
        buf_byte(b, (char)((seed * 0x9e3779b97f4a7c15u + i * 0x2545f4914f6cdd1du) >> 56));
    return buf_slice(b);
}

static size_t recipients_of(const char *destinations, struct queue_recipient *recipients, char (*texts)[2][64],
                            size_t most)
{
    struct slice rest = slice_of(destinations);
    size_t count = 0;

    while (rest.at && count < most) {
        struct slice word = slice_cut(&rest, ' ');

        snprintf(texts[count][0], 64, "user%zu@%.*s", count, SLICE_ARGS(word));
        snprintf(texts[count][1], 64, "%.*s", SLICE_ARGS(word));
        recipients[count] = (struct queue_recipient){ (uint32_t)count, texts[count][0], texts[count][1] };
        count++;
    }
    return count;
}

message_id post(struct fixture *f, const char *destinations, size_t size, struct answered *a)
{
    struct queue_recipient recipients[64];
    char texts[64][2][64];
    struct envelope e = { .id = message_id_new(&f->ids, f->now), .sender = "sender@example.org", .arrived = f->now,
                          .eight_bit = true, .origin = "client.example.org[192.0.2.7] ESMTPS TLSv1.3",
                          .recipients = recipients, .tls = f->tls };
    struct incoming *in = incoming_new(f->q);
    auto_buf struct buf body;
    struct slice rest = pattern(&body, e.id, size);
    struct error why = { 0 };

    e.count = recipients_of(destinations, recipients, texts, 64);
    e.head = slice_first(rest, f->head);
    rest = slice_after(rest, f->head);
    while (rest.len) {
        struct slice some = slice_first(rest, 7001);

        CHECK_OK(incoming_add(in, some, &why), &why);
        rest = slice_after(rest, some.len);
    }
    queue_accept(f->q, in, &e, note_answer, a);
    return e.id;
}

message_id deposit(struct fixture *f, const char *destinations, size_t size)
{
    struct answered a = { 0 };
    message_id id = post(f, destinations, size, &a);

    commit(f);
    if (!a.done)
        fail_msg("%s", a.why.text);
    return id;
}

static void check_body(struct fixture *f, const struct lease *l)
{
    size_t size = (size_t)l->envelope.size, got = 0;
    auto_buf struct buf wanted;
    auto_free char *read = memory_new(size + 1);
    struct error why = { 0 };

    pattern(&wanted, l->envelope.id, size);
    if (size <= LEASE_BODY_MAX)
        CHECK(slice_equal(l->body, buf_slice(&wanted)));
    else
        CHECK(slice_empty(l->body));
    CHECK_OK(queue_read(f->q, l->number, 0, read, size + 1, &got, &why), &why);
    CHECK(slice_equal(slice(read, got), buf_slice(&wanted)));
}

bool take(struct fixture *f, struct lease *l)
{
    if (!queue_lease(f->q, f->now, 0, &f->arena, l))
        return false;
    CHECK(l->number != 0);
    CHECK(l->envelope.count > 0);
    check_body(f, l);
    return true;
}

void settle(struct fixture *f, const struct lease *l, enum settle_state state, time_ms due, struct answered *a)
{
    struct settlement each[64];

    for (size_t i = 0; i < l->envelope.count; i++)
        each[i] = (struct settlement){
            .number = l->envelope.recipients[i].number,
            .state = state,
            .status = state == SETTLE_DELIVERED ? "2.0.0" : state == SETTLE_FAILED ? "5.1.1" : "4.4.1",
            .why = state == SETTLE_DELIVERED ? "" : "it did not work",
            .due = due,
        };
    queue_settle(f->q, &(struct settle){ .lease = l->number, .recipients = each, .count = l->envelope.count,
                                         .attempted = true }, note_answer, a);
}

size_t deliver_all(struct fixture *f)
{
    struct lease l;
    size_t count = 0;

    do {
        while (take(f, &l)) {
            settle(f, &l, SETTLE_DELIVERED, 0, NULL);
            arena_reset(&f->arena);
            count++;
        }
        commit(f);
    } while (queue_next_due(f->q) <= f->now);
    return count;
}

/* --- notes and tallies ------------------------------------------------------ */

void put_note(struct fixture *f, uint8_t kind, const char *key, time_ms due, const char *value, struct answered *a)
{
    queue_note(f->q, &(struct note){ kind, key, due, slice_of(value) }, a ? note_answer : NULL, a);
}

const char *note_value(struct fixture *f, uint8_t kind, const char *key)
{
    struct error why = { 0 };
    struct note n;

    if (queue_note_find(f->q, kind, key, &f->arena, &n, &why)) {
        CHECK(n.kind == kind && strcmp(n.key, key) == 0);
        return arena_string(&f->arena, n.value);
    }
    CHECK_EQUAL(why.code, E_NOT_FOUND);
    return NULL;
}

static void add_words(void *arg, const struct note *n)
{
    struct buf *words = arg;

    buf_text(words, "%s%s=%.*s", buf_len(words) ? " " : "", n->key, SLICE_ARGS(n->value));
}

static size_t words_in(struct slice words)
{
    size_t count = words.len > 0;

    for (size_t i = 0; i < words.len; i++)
        count += words.at[i] == ' ';
    return count;
}

const char *list_notes(struct fixture *f, uint8_t kind, const char *after, size_t limit)
{
    auto_buf struct buf words;
    size_t given;

    buf_init(&words, SIZE_MAX / 2);
    given = queue_note_list(f->q, kind, after, limit, add_words, &words);
    CHECK_EQUAL(words_in(buf_slice(&words)), given);
    return arena_string(&f->arena, buf_slice(&words));
}

const char *due_notes(struct fixture *f, uint8_t kind, unsigned slot, time_ms now, size_t limit)
{
    auto_buf struct buf words;
    size_t given;

    buf_init(&words, SIZE_MAX / 2);
    given = queue_note_due(f->q, kind, slot, now, limit, add_words, &words);
    CHECK_EQUAL(words_in(buf_slice(&words)), given);
    return arena_string(&f->arena, buf_slice(&words));
}

void tally(struct fixture *f, uint32_t day, const char *key, uint64_t by)
{
    queue_tally(f->q, &(struct tally){ day, slice_of(key), by });
}

static void add_tally(void *arg, const struct tally *t)
{
    struct buf *words = arg;

    buf_text(words, "%s%u:%.*s=%llu", buf_len(words) ? " " : "", (unsigned)t->day, SLICE_ARGS(t->key),
             (unsigned long long)t->count);
}

const char *tallies(struct fixture *f, size_t page)
{
    auto_buf struct buf words, after;
    uint32_t day = 0;
    size_t got;

    buf_init(&words, SIZE_MAX / 2);
    buf_init(&after, TALLY_KEY_MAX);
    do
        got = queue_tally_list(f->q, &day, &after, page, add_tally, &words);
    while (got == page);
    return arena_string(&f->arena, buf_slice(&words));
}

const char *find_tallies(struct fixture *f, uint32_t day, const char *prefix, size_t page)
{
    auto_buf struct buf words, after;
    size_t got;

    buf_init(&words, SIZE_MAX / 2);
    buf_init(&after, TALLY_KEY_MAX);
    do
        got = queue_tally_find(f->q, day, slice_of(prefix), &after, page, add_tally, &words);
    while (got == page);
    return arena_string(&f->arena, buf_slice(&words));
}

struct queue_figures figures(struct fixture *f)
{
    struct queue_figures found;

    queue_figures(f->q, &found);
    return found;
}

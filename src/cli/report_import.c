#include "cli/report.h"

#include "base/cursor.h"
#include "base/escape.h"
#include "cli/arguments.h"
#include "cli/mailbox.h"
#include "cli/style.h"
#include "run/fiber.h"
#include "serve/asking.h"
#include "serve/intake.h"
#include "tlsrpt/gzip.h"
#include "tlsrpt/take.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LETTER_ARENA = REPORT_ARENA_MAX + 16 * 1024 * 1024,
    RECORD_MAX = RECEIVED_VALUE_MAX + 4096,
};

struct import {
    const struct config *config;
    bool unsigned_too;
    struct report_ours ours;
    struct resolver *resolver;
    struct dkim_keys keys;
    char *const *names;
    int count;
    FILE *found;                        /* what was taken waits here for the store */
    /* what is read now */
    const char *name;
    uint64_t message;                   /* its number in the file; 0: the file is one */
    time_ms told;
    /* what became of it */
    uint64_t read, taken, without, refused, later;
    bool hint;                          /* of --unsigned */
    uint64_t stored, there, foreign;
};

/* --- what is told ------------------------------------------------------------------ */

static void complain(const struct import *in, const struct error *why)
{
    char shown[400];

    escape_line(slice_of(in->name), shown, sizeof shown);
    if (in->message)
        cli_complain("%s: message %" PRIu64 ": %s", shown, in->message, why->text);
    else
        cli_complain("%s: %s", shown, why->text);
}

static void show_progress(struct import *in)
{
    in->read++;
    if (!isatty(STDERR_FILENO) || clock_now() < in->told)
        return;
    in->told = clock_now() + SECONDS(1);
    fprintf(stderr, "\r%" PRIu64 " read, %" PRIu64 " reports\r", in->read, in->taken);
}

/* "2026-11-20  example.com  about example.org: 15 sessions, 12 failed" */
static void describe(const struct received_report *r, struct buf *out)
{
    const struct report *report = &r->report;
    char date[CLOCK_TEXT_MAX], from[260], about[260];
    uint64_t good = 0, failed = 0;

    for (size_t i = 0; i < report->entry_count; i++) {
        good += report->entries[i].successes;
        failed += report->entries[i].failures;
    }
    escape_line(slice_of(r->submitter), from, sizeof from);
    escape_line(slice_of(report->entries[0].policy.domain), about, sizeof about);
    buf_text(out, "%.10s  %s  about %s: %" PRIu64 " session%s, %" PRIu64 " failed%s", clock_iso_date(report->begin, date),
             from, about[0] ? about : "no domain", good + failed, good + failed == 1 ? "" : "s", failed,
             r->trust == REPORT_SIGNED ? "" : ", unsigned");
}

/* --- reports that wait for the store ------------------------------------------------- */

static bool write_record(FILE *to, struct slice record)
{
    uint32_t len = (uint32_t)record.len;

    return fwrite(&len, sizeof len, 1, to) == 1 && fwrite(record.at, 1, record.len, to) == record.len;
}

/* False at the end, or when it cannot be read. */
static bool read_record(FILE *from, struct buf *record)
{
    uint32_t len;
    char *room;

    buf_clear(record);
    if (fread(&len, sizeof len, 1, from) != 1)
        return false;
    room = buf_room(record, len);
    if (!room || fread(room, 1, len, from) != len)
        return false;
    buf_grew(record, len);
    return true;
}

static bool remember(struct import *in, const struct received_report *r, struct error *why)
{
    auto_buf struct buf record = { 0 }, value = { 0 }, words = { 0 };
    enum report_trust other = r->trust == REPORT_SIGNED ? REPORT_UNSIGNED : REPORT_SIGNED;
    char key[RECEIVED_KEY_MAX];

    buf_init(&value, RECEIVED_VALUE_MAX);
    buf_init(&words, 1000);
    buf_init(&record, RECORD_MAX);
    received_report_encode(r, &value);
    describe(r, &words);
    buf_u8(&record, r->foreign);
    buf_u8(&record, r->trust == REPORT_SIGNED);
    buf_block(&record, slice_of(received_report_key(r, key)));
    buf_block(&record, slice_of(received_report_key_as(r, other, key)));
    buf_block(&record, buf_slice(&words));
    buf_block(&record, buf_slice(&value));
    if (record.failed)
        return fail(why, E_LIMIT, "the report is too large to be kept");
    return write_record(in->found, buf_slice(&record)) || fail_errno(why, E_SYSTEM, "writing a temporary file");
}

/* --- one report ------------------------------------------------------------------------- */

static void settle(struct import *in, bool good, const struct received_report *r, struct error *why)
{
    show_progress(in);
    if (good && remember(in, r, why)) {
        in->taken++;
        return;
    }
    if (why->code == E_NOT_FOUND && in->message) {      /* a mailbox may hold other mail as well */
        in->without++;
        return;
    }
    complain(in, why);
    in->hint |= why->code == E_UNSIGNED;
    if (why->code == E_DNS)
        in->later++;
    else
        in->refused++;
}

static void take_message(void *arg, uint64_t number, struct slice message)
{
    auto_arena struct arena arena = { 0 };
    struct received_report r = { 0 };
    struct import *in = arg;
    const struct report_taking how = { .keys = &in->keys, .ours = &in->ours, .unsigned_too = in->unsigned_too };
    struct error why = { 0 };
    bool good;

    in->message = number;
    arena_init(&arena, LETTER_ARENA);
    good = report_take_letter(message, &how, clock_wall(), &arena, &r, &why);
    settle(in, good, &r, &why);
}

static void take_bare(void *arg, struct slice bytes)
{
    auto_arena struct arena arena = { 0 };
    struct received_report r = { 0 };
    struct import *in = arg;
    struct error why = { 0 };
    bool good;

    in->message = 0;
    arena_init(&arena, LETTER_ARENA);
    good = report_take_bare(bytes, REPORT_BY_HAND, "", &in->ours, clock_wall(), &arena, &r, &why);
    settle(in, good, &r, &why);
}

static bool is_bare(struct slice head)
{
    if (slice_starts(head, SLICE("\xef\xbb\xbf")))
        head = slice_after(head, 3);
    return gzip_is(head) || slice_starts(slice_trim(head), SLICE("{"));
}

/* As `export --to` and others name them. */
static bool is_bare_name(const char *name)
{
    return slice_ends_nocase(slice_of(name), SLICE(".json")) || slice_ends_nocase(slice_of(name), SLICE(".json.gz"));
}

static void take_name(void *arg, const char *path)
{
    struct import *in = arg;

    in->name = path;
}

static void take_trouble(void *arg, uint64_t number, const struct error *why)
{
    struct import *in = arg;
    struct error reason = *why;

    in->message = number;
    settle(in, false, NULL, &reason);
}

/* --- reading all, on a fiber: the keys of signatures are asked for --------------------------- */

static void read_all(void *arg)
{
    struct import *in = arg;
    const struct mail_taker to = { .arg = in, .most = REPORT_MESSAGE_MAX, .bare_most = REPORT_JSON_MAX, .is_bare = is_bare,
                                   .is_bare_name = is_bare_name, .file = take_name, .message = take_message,
                                   .bare = take_bare, .trouble = take_trouble };

    for (int i = 0; i < in->count; i++) {
        in->name = strcmp(in->names[i], "-") == 0 ? "standard input" : in->names[i];
        mailbox_read(in->names[i], &to);
    }
    loop_stop();
}

static bool read_everything(struct import *in)
{
    struct error why = { 0 };

    loop_open();
    in->resolver = resolver_new(&in->config->resolver, &why);
    in->keys = (struct dkim_keys){ intake_find_key, in->resolver };
    if (in->resolver) {
        fiber_start("import", read_all, in);
        loop_run();
    } else {
        cli_complain("%s", why.text);
    }
    resolver_free(in->resolver);
    loop_close();
    return why.code == E_NONE;
}

/* --- storing ------------------------------------------------------------------------------------ */

static bool is_there(struct asking *store, const char *key, bool *there, struct error *why)
{
    auto_arena struct arena arena = { 0 };
    struct note note;

    arena_init(&arena, 2 * NOTE_VALUE_MAX);
    *there = asking_note(store, NOTE_RECEIVED, key, &arena, &note, why);
    return *there || why->code == E_NOT_FOUND;
}

struct waiting {                        /* a record */
    bool foreign, trusted;
    char key[RECEIVED_KEY_MAX], other[RECEIVED_KEY_MAX];    /* as signed or not; the other way round */
    struct slice words, value;
};

static void parse_record(struct slice record, struct waiting *w)
{
    struct cursor from = cursor_over(record);
    struct slice key, other;

    w->foreign = cursor_u8(&from);
    w->trusted = cursor_u8(&from);
    key = cursor_block(&from);
    other = cursor_block(&from);
    snprintf(w->key, sizeof w->key, "%.*s", SLICE_ARGS(key));
    snprintf(w->other, sizeof w->other, "%.*s", SLICE_ARGS(other));
    w->words = cursor_block(&from);
    w->value = cursor_block(&from);
}

/* TLSRPT-092: "Duplicates (same submitter, report-id) are dropped". A signed one takes the place of the unsigned. */
static bool put_record(struct asking *store, const struct waiting *w, time_ms due, bool *there, struct error *why)
{
    const struct note note = { .kind = NOTE_RECEIVED, .key = w->key, .due = due, .value = w->value };
    const struct note nothing = { .kind = NOTE_RECEIVED, .key = w->other, .due = TIME_NEVER };
    bool other;

    if (!is_there(store, w->key, there, why) || !is_there(store, w->other, &other, why))
        return false;
    if (!w->trusted)
        *there |= other;
    return *there || (asking_put_note(store, &note, why) && (!other || asking_put_note(store, &nothing, why)));
}

static bool store_record(struct import *in, struct asking *store, struct slice record, struct error *why)
{
    struct waiting w;
    bool there;

    parse_record(record, &w);
    if (!put_record(store, &w, clock_wall() + DAYS((time_ms)in->config->facts.keep), &there, why))
        return false;
    in->there += there;
    in->stored += !there;
    in->foreign += !there && w.foreign;
    printf("%s%-13s%s %.*s\n", there ? style.dim : "", there ? "already there" : w.foreign ? "put aside" : "taken",
           there ? style.plain : "", SLICE_ARGS(w.words));
    return true;
}

static int store_all(struct import *in)
{
    auto_buf struct buf record = { 0 };
    struct error why = { 0 };
    struct asking *store = asking_open(in->config, ASK_RUNNING_OR_DISK, &why);
    bool good = store != NULL;

    if (!store)
        return store_unopened(in->config, &why);
    buf_init(&record, RECORD_MAX);
    rewind(in->found);
    while (good && read_record(in->found, &record))
        good = store_record(in, store, buf_slice(&record), &why);
    asking_close(store);
    if (good && feof(in->found))
        return EXIT_OK;
    if (good)
        fail(&why, E_SYSTEM, "the temporary file cannot be read");
    cli_complain("%s; to import them again does no harm", why.text);
    return error_is_final(why.code) ? EXIT_FAILED : EXIT_TEMPORARY;
}

static void sum_up(const struct import *in)
{
    printf("%" PRIu64 " report%s taken", in->stored, in->stored == 1 ? "" : "s");
    if (in->foreign)
        printf(", %" PRIu64 " of them put aside: not about our domains", in->foreign);
    if (in->there)
        printf("; %" PRIu64 " already there", in->there);
    if (in->without)
        printf("; %" PRIu64 " message%s without a report", in->without, in->without == 1 ? "" : "s");
    if (in->refused)
        printf("; %" PRIu64 " refused", in->refused);
    if (in->later)
        printf("; %" PRIu64 " to be tried again later", in->later);
    putchar('\n');
    if (in->hint)
        fputs("postern: with --unsigned a report is taken whoever signed it\n", stderr);
}

static int import(struct import *in)
{
    int code = EXIT_OK;

    if (!read_everything(in))
        return EXIT_TEMPORARY;
    if (in->taken)
        code = store_all(in);
    sum_up(in);
    if (code != EXIT_OK)
        return code;
    if (in->later && !in->refused)
        return EXIT_TEMPORARY;
    return in->refused || !in->taken ? EXIT_FAILED : EXIT_OK;
}

int report_import(const struct config *c, char *const *names, int count, bool unsigned_too)
{
    struct import in = { .config = c, .unsigned_too = unsigned_too, .ours = intake_ours(c), .names = names, .count = count };
    int code;

    log_setup((struct log_settings){ .least = LOG_LEVEL_ERROR });
    in.found = tmpfile();
    if (!in.found) {
        cli_complain("a temporary file cannot be made: %s", strerror(errno));
        return EXIT_TEMPORARY;
    }
    code = import(&in);
    fclose(in.found);
    return code;
}

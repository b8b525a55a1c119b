/* Memories from one machine to another, as lines of JSON; see cli/memory.h. */
#include "cli/memory.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 * 1024, TOLD_MAX = 20 };

/* --- out --------------------------------------------------------------------- */

static void export_one(void *arg, const struct note *n)
{
    uint64_t *unreadable = arg;
    struct remembered r;
    json_t *o;

    if (!memory_of_note(n, &r)) {
        ++*unreadable;
        return;
    }
    o = memory_to_json(&r);
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

int memory_export(struct asking *store)
{
    struct error why = { 0 };
    uint64_t unreadable = 0;

    if (!asking_notes(store, NOTE_MEMORY, export_one, &unreadable, &why))
        return memory_unanswered(&why);
    if (unreadable == 0)
        return EXIT_OK;
    cli_complain("%" PRIu64 " cannot be read, and are not in the export: they were made by another version", unreadable);
    return EXIT_FAILED;
}

/* --- in: all is checked before anything is stored -------------------------------- */

struct import {
    FILE *from;
    const char *name;
    struct asking *store;
    const struct memory_settings *settings;
    bool replace;
    uint64_t line;              /* the number of the one in hand */
    char *text;
    size_t room;
    uint64_t entries, wrong, added, replaced, kept;
    int code;
};

/* The next line that is not empty, without its end. */
static bool next_line(struct import *in, struct slice *line)
{
    ssize_t got;

    while ((got = getline(&in->text, &in->room, in->from)) >= 0) {
        in->line++;
        *line = slice_trim(slice(in->text, (size_t)got));
        if (line->len > 0)
            return true;
    }
    return false;
}

static void tell_wrong(struct import *in, const struct error *why)
{
    if (in->wrong++ < TOLD_MAX)
        fprintf(stderr, "%s:%" PRIu64 ": %s\n", in->name, in->line, why->text);
}

static bool read_entry(struct import *in, struct slice line, char *next_hop, struct memory *m, struct error *why)
{
    if (line.len > LINE_MAX_BYTES)
        return fail(why, E_LIMIT, "the line has %zu bytes, at most %d are taken", line.len, LINE_MAX_BYTES);
    return memory_from_json(line, clock_wall(), next_hop, m, why);
}

static bool check_all(struct import *in)
{
    char next_hop[NOTE_KEY_MAX + 1];
    struct slice line;
    struct memory m;

    while (next_line(in, &line)) {
        struct error why = { 0 };

        if (read_entry(in, line, next_hop, &m, &why))
            in->entries++;
        else
            tell_wrong(in, &why);
    }
    if (in->wrong == 0 && !ferror(in->from))
        return true;
    if (in->wrong > TOLD_MAX)
        fprintf(stderr, "%s: %" PRIu64 " more lines are wrong\n", in->name, in->wrong - TOLD_MAX);
    cli_complain("%s%s: nothing was imported", ferror(in->from) ? "cannot read " : "", in->name);
    return false;
}

/* What is there and was seen later is worth more. */
static bool is_newer(struct import *in, const char *next_hop, const struct memory *m, bool *there, struct error *why)
{
    auto_arena struct arena arena = { 0 };
    struct remembered have;
    struct note note;

    arena_init(&arena, 2 * NOTE_VALUE_MAX);
    *there = asking_note(in->store, NOTE_MEMORY, next_hop, &arena, &note, why);
    if (!*there)
        return why->code == E_NOT_FOUND;
    return in->replace || !memory_of_note(&note, &have) || have.memory.last < m->last;
}

static bool put(struct import *in, const char *next_hop, const struct memory *m, struct error *why)
{
    struct note note = { .kind = NOTE_MEMORY, .key = next_hop, .due = memory_forgotten_at(m, in->settings) };
    auto_buf struct buf value = { 0 };

    buf_init(&value, NOTE_VALUE_MAX);
    memory_encode(m, &value);
    note.value = buf_slice(&value);
    return asking_put_note(in->store, &note, why);
}

static bool store_entry(struct import *in, const char *next_hop, const struct memory *m, struct error *why)
{
    bool there;

    if (is_newer(in, next_hop, m, &there, why)) {
        if (!put(in, next_hop, m, why))
            return false;
        in->added += !there;
        in->replaced += there;
        return true;
    }
    in->kept += there;
    return there;
}

static void show_progress(const struct import *in, time_ms *next)
{
    uint64_t done = in->added + in->replaced + in->kept;

    if (!isatty(STDERR_FILENO) || (clock_now() < *next && done < in->entries))
        return;
    *next = clock_now() + SECONDS(1);
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 "%s", done, in->entries, done == in->entries ? "\n" : "");
}

static void store_all(struct import *in)
{
    time_ms next = clock_now() + SECONDS(1);
    char next_hop[NOTE_KEY_MAX + 1];
    struct slice line;
    struct memory m;

    rewind(in->from);
    in->line = 0;
    while (next_line(in, &line)) {
        struct error why = { 0 };

        if (!read_entry(in, line, next_hop, &m, &why) || !store_entry(in, next_hop, &m, &why)) {
            in->code = memory_unanswered(&why);
            cli_complain("stopped at %s:%" PRIu64 "; to import it again does no harm", in->name, in->line);
            break;
        }
        show_progress(in, &next);
    }
    printf("%" PRIu64 " imported: %" PRIu64 " new, %" PRIu64 " replaced", in->added + in->replaced, in->added, in->replaced);
    if (in->kept)
        printf("; %" PRIu64 " not: what is known of them was seen as late, or later (--replace)", in->kept);
    putchar('\n');
}

/* It is read twice, and what comes through a pipe can be read once. */
static FILE *keep_input(FILE *from)
{
    FILE *kept = tmpfile();
    char piece[16384];
    size_t got;

    while (kept && (got = fread(piece, 1, sizeof piece, from)) > 0) {
        if (fwrite(piece, 1, got, kept) == got)
            continue;
        fclose(kept);
        kept = NULL;
    }
    if (kept && !ferror(from) && fflush(kept) == 0) {
        rewind(kept);
        return kept;
    }
    if (kept)
        fclose(kept);
    return NULL;
}

FILE *memory_input(const char *name)
{
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdin : fopen(name, "re"), *kept = file;

    if (file && (standard || fseek(file, 0, SEEK_SET) != 0)) {
        kept = keep_input(file);
        fclose(file);
    }
    if (!kept)
        cli_complain("cannot read %s: %m", name);
    return kept;
}

int memory_import(struct asking *store, const struct memory_settings *s, FILE *from, const char *name, bool replace)
{
    struct import in = { .from = from, .name = name, .store = store, .settings = s, .replace = replace, .code = EXIT_OK };

    if (check_all(&in))
        store_all(&in);
    else
        in.code = EXIT_FAILED;
    free(in.text);
    return in.code;
}

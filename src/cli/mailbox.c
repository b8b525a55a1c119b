#include "cli/mailbox.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "base/memory.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    PIECE = 64 * 1024,              /* of a file, read at once */
    LINE_PIECE = 16 * 1024,         /* a longer line is passed on in pieces */
};

static void trouble(const struct mail_taker *to, uint64_t number, enum error_code code, const char *words)
{
    struct error why = { 0 };

    fail(&why, code, "%s", words);
    to->trouble(to->arg, number, &why);
}

static void system_trouble(const struct mail_taker *to, uint64_t number, const char *words)
{
    struct error why = { 0 };

    fail_errno(&why, E_SYSTEM, "%s", words);
    to->trouble(to->arg, number, &why);
}

/* More of the file behind what is held. False: there is none, or no room. */
static bool read_piece(FILE *from, struct buf *out)
{
    size_t left = out->max - buf_len(out), wanted = left < PIECE ? left : PIECE, got;
    char *room = wanted ? buf_room(out, wanted) : NULL;

    if (!room)
        return false;
    got = fread(room, 1, wanted, from);
    buf_grew(out, got);
    return got > 0;
}

/* False: it cannot be read, or is too large. */
static bool read_rest(FILE *from, struct buf *out)
{
    while (read_piece(from, out))
        ;
    return feof(from) && !ferror(from);
}

/* --- mbox ----------------------------------------------------------------------- */

struct mbox {
    const struct mail_taker *to;
    struct buf message;
    uint64_t number;
    bool after_blank;
};

static void end_message(struct mbox *m)
{
    struct slice message = buf_slice(&m->message);

    if (m->number == 0)
        return;
    if (slice_ends_nocase(message, SLICE("\r\n\r\n")))      /* the empty line before "From " is the mbox's */
        message.len -= 2;
    else if (slice_ends_nocase(message, SLICE("\n\n")))
        message.len -= 1;
    if (m->message.failed)
        trouble(m->to, m->number, E_NOT_FOUND, "it is too large to be looked at");
    else
        m->to->message(m->to->arg, m->number, message);
}

static void begin_message(struct mbox *m)
{
    end_message(m);
    buf_clear(&m->message);
    m->number++;
    m->after_blank = false;
}

/* mboxrd: one ">" was added to any line that is "From " behind some of them. */
static struct slice unquoted(struct slice line)
{
    struct cursor in = cursor_over(line);

    while (cursor_skip(&in, '>'))
        ;
    return in.rest.len < line.len && slice_starts(in.rest, SLICE("From ")) ? slice_after(line, 1) : line;
}

/* A line with its end, or a piece of one that is too long to be held. */
static void take_line(struct mbox *m, struct slice line, bool whole)
{
    if (whole && m->after_blank && slice_starts(line, SLICE("From "))) {
        begin_message(m);
        return;
    }
    m->after_blank = whole && slice_empty(slice_trim(line));
    buf_add(&m->message, whole ? unquoted(line) : line);
}

static void read_mbox(FILE *from, struct buf *input, const struct mail_taker *to)
{
    struct mbox m = { .to = to, .after_blank = true };
    bool more = true, at_start = true;

    buf_init(&m.message, to->most);
    while (more || buf_len(input)) {
        struct slice held = buf_slice(input);
        size_t end = slice_find(held, '\n');
        bool ended = end < held.len;

        if (!ended && more && held.len < LINE_PIECE) {
            more = read_piece(from, input);
            continue;
        }
        held = slice_first(held, end + 1);
        take_line(&m, held, at_start && ended);
        at_start = ended;
        buf_take(input, held.len);
    }
    end_message(&m);
    buf_done(&m.message);
}

/* --- one file --------------------------------------------------------------------- */

static void read_stream(FILE *from, const struct mail_taker *to)
{
    auto_buf struct buf input = { 0 };

    buf_init(&input, to->bare_most > to->most ? to->bare_most + 1 : to->most + 1);
    read_piece(from, &input);
    if (slice_starts(buf_slice(&input), SLICE("From "))) {
        read_mbox(from, &input, to);
        if (ferror(from))
            system_trouble(to, 0, "cannot be read to its end");
        return;
    }
    if (read_rest(from, &input) && to->is_bare(buf_slice(&input)))
        to->bare(to->arg, buf_slice(&input));
    else if (feof(from) && !ferror(from) && buf_len(&input) <= to->most)
        to->message(to->arg, 0, buf_slice(&input));
    else if (ferror(from))
        system_trouble(to, 0, "cannot be read");
    else
        trouble(to, 0, E_LIMIT, "too large to be looked at");
}

/* --- maildir ------------------------------------------------------------------------- */

static int is_visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void read_member(const char *folder, const char *file, uint64_t number, const struct mail_taker *to)
{
    auto_buf struct buf message = { 0 };
    char path[PATH_MAX];
    struct stat st;
    FILE *from;

    if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    from = fopen(path, "r");
    if (!from) {
        system_trouble(to, number, file);
        return;
    }
    buf_init(&message, to->most + 1);
    if (read_rest(from, &message))
        to->message(to->arg, number, buf_slice(&message));
    else if (ferror(from))
        system_trouble(to, number, file);
    else
        trouble(to, number, E_NOT_FOUND, "it is too large to be looked at");
    fclose(from);
}

/* False: there is no such folder. */
static bool read_folder(const char *name, const char *part, uint64_t *number, const struct mail_taker *to)
{
    struct dirent **members;
    char path[PATH_MAX];
    int count;

    if (snprintf(path, sizeof path, "%s/%s", name, part) >= (int)sizeof path)
        return false;
    count = scandir(path, &members, is_visible, alphasort);
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++) {
        read_member(path, members[i]->d_name, ++*number, to);
        free(members[i]);
    }
    free(members);
    return true;
}

/* --- a path ------------------------------------------------------------------------------ */

static void read_file(const char *path, const struct mail_taker *to)
{
    FILE *from = fopen(path, "r");

    if (!from) {
        system_trouble(to, 0, "cannot be opened");
        return;
    }
    read_stream(from, to);
    fclose(from);
}

/* True: it was one of those that are to be read. */
static bool read_bare_member(const char *folder, const char *file, const struct mail_taker *to)
{
    char path[PATH_MAX];
    struct stat st;

    if (!to->is_bare_name(file) || snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path ||
        (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
        return false;
    to->file(to->arg, path);
    read_file(path, to);
    to->file(to->arg, folder);
    return true;
}

static void read_bare_files(const char *folder, const struct mail_taker *to)
{
    struct dirent **members;
    int count = scandir(folder, &members, is_visible, alphasort);
    bool any = false;

    if (count < 0) {
        system_trouble(to, 0, "this folder cannot be read");
        return;
    }
    for (int i = 0; i < count; i++) {
        any |= read_bare_member(folder, members[i]->d_name, to);
        free(members[i]);
    }
    free(members);
    if (!any)
        trouble(to, 0, E_USAGE, "this folder is no maildir, for it has neither new nor cur, and no file in it could be one");
}

static void read_directory(const char *name, const struct mail_taker *to)
{
    uint64_t number = 0;
    bool fresh = read_folder(name, "new", &number, to), seen = read_folder(name, "cur", &number, to);

    if (!fresh && !seen)
        read_bare_files(name, to);
}

void mailbox_read(const char *name, const struct mail_taker *to)
{
    struct stat st;

    if (strcmp(name, "-") == 0)
        read_stream(stdin, to);
    else if (stat(name, &st) == 0 && S_ISDIR(st.st_mode))
        read_directory(name, to);
    else
        read_file(name, to);
}

#include "queue/engine/segments.h"

#include "base/memory.h"
#include "queue/engine/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    NAME_MAX_BYTES = 32,
    OPEN_MOST = 128,            /* descriptors kept for files that may be read again */
};

uint64_t segments_full_at = 64 * 1024 * 1024;

static const char *name_of(uint32_t number, char name[NAME_MAX_BYTES])
{
    snprintf(name, NAME_MAX_BYTES, "%08u.body", (unsigned)number);
    return name;
}

/* 0 for a file that is not ours. */
static uint32_t number_of(const char *name)
{
    struct slice rest = slice_of(name), digits = slice_cut(&rest, '.');
    char again[NAME_MAX_BYTES];
    uint64_t number;

    if (!slice_to_number(digits, UINT32_MAX - 1, &number) || strcmp(name_of((uint32_t)number, again), name) != 0)
        return 0;
    return (uint32_t)number;
}

static struct segment *add(struct segments *s, uint32_t number)
{
    struct segment *one = NEW(struct segment);

    one->number = number;
    one->fd = -1;
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 16;
        s->list = memory_grow(s->list, s->capacity, sizeof *s->list);
    }
    s->list[s->count++] = one;
    return one;
}

static int ascending(const void *a, const void *b)
{
    const struct segment *left = *(struct segment *const *)a, *right = *(struct segment *const *)b;

    return left->number < right->number ? -1 : left->number > right->number;
}

static bool find_files(struct segments *s, struct error *why)
{
    int again = openat(s->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *files = again < 0 ? NULL : fdopendir(again);
    struct dirent *file;

    if (!files) {
        io_fail(why, "segments");
        if (again >= 0)
            close(again);
        return false;
    }
    while ((file = readdir(files))) {
        uint32_t number = number_of(file->d_name);
        struct stat about;

        if (number == 0 || fstatat(s->directory, file->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(about.st_mode))
            continue;
        add(s, number)->end = (uint64_t)about.st_size;
        if (number >= s->next)
            s->next = number + 1;
    }
    closedir(files);
    if (s->count)
        qsort(s->list, s->count, sizeof(struct segment *), ascending);
    return true;
}

bool segments_open(struct segments *s, int directory, struct error *why)
{
    *s = (struct segments){ .directory = -1, .next = 1 };
    if (mkdirat(directory, "segments", 0700) != 0 && errno != EEXIST)
        return io_fail(why, "segments");
    s->directory = openat(directory, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->directory < 0)
        return io_fail(why, "segments");
    return find_files(s, why);
}

static void shut(struct segments *s, struct segment *one)
{
    if (one->fd < 0)
        return;
    io.close(one->fd);
    one->fd = -1;
    s->open--;
}

void segments_close(struct segments *s)
{
    for (size_t i = 0; i < s->count; i++) {
        shut(s, s->list[i]);
        free(s->list[i]);
    }
    free(s->list);
    if (s->directory >= 0)
        close(s->directory);
    *s = (struct segments){ .directory = -1 };
}

struct segment *segments_find(const struct segments *s, uint32_t number)
{
    struct segment key = { .number = number }, *wanted = &key;
    struct segment **found =
        s->count ? bsearch(&wanted, s->list, s->count, sizeof(struct segment *), ascending) : NULL;

    return found ? *found : NULL;
}

/* Descriptors of files that are only read are kept for a while, not for ever. */
static void make_room(struct segments *s)
{
    for (size_t i = 0; i < s->count && s->open >= OPEN_MOST; i++)
        if (s->list[i] != s->current && s->list[i]->users == 0)
            shut(s, s->list[i]);
}

static bool open_file(struct segments *s, struct segment *one, int flags, struct error *why)
{
    char name[NAME_MAX_BYTES];

    make_room(s);
    one->fd = io.open(s->directory, name_of(one->number, name), flags | O_CLOEXEC, 0600);
    if (one->fd < 0)
        return io_fail(why, "segments/%s", name);
    s->open++;
    return true;
}

int segments_fd(struct segments *s, uint32_t number, struct error *why)
{
    struct segment *one = segments_find(s, number);

    if (!one) {
        fail(why, E_STORAGE, "segment %u is missing", (unsigned)number);
        return -1;
    }
    if (one->fd < 0 && !open_file(s, one, O_RDWR, why))
        return -1;
    return one->fd;
}

static bool begin_file(struct segments *s, struct error *why)
{
    struct segment *fresh = add(s, s->next);

    if (!open_file(s, fresh, O_RDWR | O_CREAT | O_EXCL, why)) {
        free(s->list[--s->count]);
        return false;
    }
    s->next++;
    s->current = fresh;
    return true;
}

bool segments_reserve(struct segments *s, uint64_t n, struct extent *out, struct error *why)
{
    struct segment *into = s->current;

    if (!into || into->spoiled || (into->end > 0 && into->end + n > segments_full_at))
        if (!begin_file(s, why))
            return false;
    into = s->current;
    *out = (struct extent){ into->number, into->end, n };
    into->end += n;
    return true;
}

void segments_use(struct segments *s, const struct extents *e)
{
    for (size_t i = 0; i < e->count; i++) {
        struct segment *one = segments_find(s, e->at[i].segment);

        if (one)
            one->users++;
    }
}

void segments_unuse(struct segments *s, const struct extents *e)
{
    for (size_t i = 0; i < e->count; i++) {
        struct segment *one = segments_find(s, e->at[i].segment);

        if (one && one->users > 0)
            one->users--;
    }
}

void segments_add_live(struct segments *s, const struct extents *e)
{
    for (size_t i = 0; i < e->count; i++) {
        struct segment *one = segments_find(s, e->at[i].segment);

        if (one)
            one->live += e->at[i].length;
        else if (e->at[i].segment >= s->next && e->at[i].segment < UINT32_MAX)
            s->next = e->at[i].segment + 1;     /* lost, but its number is not free */
    }
}

void segments_drop_live(struct segments *s, const struct extents *e)
{
    for (size_t i = 0; i < e->count; i++) {
        struct segment *one = segments_find(s, e->at[i].segment);

        if (one)
            one->live -= e->at[i].length < one->live ? e->at[i].length : one->live;
    }
}

void segments_spoil(struct segments *s, uint32_t number)
{
    struct segment *one = segments_find(s, number);

    if (one)
        one->spoiled = true;
}

bool segments_has_spoiled(const struct segments *s, const struct extents *e)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct segment *one = segments_find(s, e->at[i].segment);

        if (!one || one->spoiled)
            return true;
    }
    return false;
}

struct segment *segments_take_dead(struct segments *s, bool idle)
{
    for (size_t i = 0; i < s->count; i++) {
        struct segment *one = s->list[i];

        if (one->live > 0 || one->users > 0 || (one == s->current && !idle))
            continue;
        if (one == s->current)
            s->current = NULL;
        if (one->fd >= 0)
            s->open--;
        memmove(&s->list[i], &s->list[i + 1], (s->count - i - 1) * sizeof(struct segment *));
        s->count--;
        return one;
    }
    return NULL;
}

void segments_remove(int directory, struct segment *dead)
{
    char name[NAME_MAX_BYTES];

    /* What cannot be unlinked now is an orphan, and goes at the next start. */
    io.unlink(directory, name_of(dead->number, name));
    if (dead->fd >= 0)
        io.close(dead->fd);
    free(dead);
}

uint32_t segments_sparse(const struct segments *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct segment *one = s->list[i];

        if (one != s->current && one->live > 0 && one->users == 0 && one->live < one->end / 4)
            return one->number;
    }
    return 0;
}

uint64_t segments_bytes(const struct segments *s)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < s->count; i++)
        bytes += s->list[i]->end;
    return bytes;
}

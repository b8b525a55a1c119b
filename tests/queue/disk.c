#include "tests/queue/disk.h"

#include "base/memory.h"
#include "queue/engine/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sqlite3.h>
#include <sys/stat.h>

enum change_kind { CREATED, WRITTEN, CUT, SYNCED, UNLINKED, NAMES_SYNCED };

struct change {
    enum change_kind kind;
    int file;
    uint64_t offset;        /* WRITTEN, CUT */
    size_t len;
    char *bytes;            /* WRITTEN */
    bool segments;          /* NAMES_SYNCED: of that directory, or of the one above */
};

/* One life of a file: a name that is made again is another. */
struct file {
    char name[64];          /* below the directory */
    bool alive, segment;
    bool synced;            /* ever */
};

enum { FILES_MAX = 4096, FDS_MAX = 1024 };

static struct {
    bool recording;
    char directory[256];
    struct change *changes;
    size_t count, capacity;
    struct file files[FILES_MAX];
    int file_count;
    int file_of_fd[FDS_MAX];
    size_t fail_in, fail_more;
    bool fail_full, failed;
    uint64_t free;
} disk = { .free = UINT64_MAX };

/* --- faults ------------------------------------------------------------------ */

/* Whether the next change must fail; a full disk can still sync and unlink. */
static bool fault(enum change_kind kind)
{
    if (disk.fail_in == 0 || (disk.fail_full && kind != WRITTEN && kind != CREATED))
        return false;
    if (--disk.fail_in > 0)
        return false;
    if (disk.fail_more > 0) {
        disk.fail_more--;
        disk.fail_in = 1;
    }
    disk.failed = true;
    errno = disk.fail_full ? ENOSPC : EIO;
    return true;
}

void disk_fail(size_t at, size_t more, bool full)
{
    disk.fail_in = at;
    disk.fail_more = more;
    disk.fail_full = full;
    disk.failed = false;
}

bool disk_failed(void)
{
    return disk.failed;
}

void disk_set_free(uint64_t bytes)
{
    disk.free = bytes;
}

/* --- writing down -------------------------------------------------------------- */

static struct change *note(enum change_kind kind, int file)
{
    if (disk.count == disk.capacity) {
        disk.capacity = disk.capacity ? disk.capacity * 2 : 1024;
        disk.changes = memory_grow(disk.changes, disk.capacity, sizeof *disk.changes);
    }
    disk.changes[disk.count] = (struct change){ .kind = kind, .file = file };
    return &disk.changes[disk.count++];
}

static void note_sync(int file)
{
    if (!disk.recording || file < 0)
        return;
    note(SYNCED, file);
    /* SQLite's own way: the first sync of a new log or journal syncs its directory too. */
    if (!disk.files[file].segment && !disk.files[file].synced && strcmp(disk.files[file].name, "queue.db") != 0)
        note(NAMES_SYNCED, -1);
    disk.files[file].synced = true;
}

static void note_write(int file, const void *bytes, size_t len, uint64_t offset)
{
    struct change *c;

    if (!disk.recording || file < 0)
        return;
    c = note(WRITTEN, file);
    c->offset = offset;
    c->len = len;
    c->bytes = memory_new(len + 1);
    memcpy(c->bytes, bytes, len);
}

static int find_file(const char *name)
{
    for (int i = disk.file_count; i-- > 0;)
        if (disk.files[i].alive && strcmp(disk.files[i].name, name) == 0)
            return i;
    return -1;
}

static int new_file(const char *name, bool segment)
{
    struct file *f = &disk.files[disk.file_count];

    if (disk.file_count == FILES_MAX)
        abort();
    snprintf(f->name, sizeof f->name, "%s", name);
    f->alive = true;
    f->segment = segment;
    f->synced = false;
    note(CREATED, disk.file_count);
    return disk.file_count++;
}

/* -1 when the path is not below the recorded directory. */
static const char *below(const char *path)
{
    size_t len = strlen(disk.directory);

    return path && disk.recording && strncmp(path, disk.directory, len) == 0 && path[len] == '/' ? path + len + 1
                                                                                                 : NULL;
}

static void note_unlink(const char *name)
{
    int file = disk.recording ? find_file(name) : -1;

    if (file < 0)
        return;
    note(UNLINKED, file);
    disk.files[file].alive = false;
}

void disk_record(const char *directory)
{
    disk_stop();
    for (size_t i = 0; i < disk.count; i++)
        free(disk.changes[i].bytes);
    disk.count = 0;
    disk.file_count = 0;
    for (int i = 0; i < FDS_MAX; i++)
        disk.file_of_fd[i] = -1;
    snprintf(disk.directory, sizeof disk.directory, "%s", directory);
    disk.recording = true;
}

void disk_stop(void)
{
    disk.recording = false;
}

size_t disk_changes(void)
{
    return disk.count;
}

/* --- in place of the queue's system calls ------------------------------------- */

static struct io real;

static int io_open(int directory, const char *name, int flags, mode_t mode)
{
    char path[96];
    int fd;

    if (flags & O_CREAT && fault(CREATED))
        return -1;
    fd = real.open(directory, name, flags, mode);
    if (fd < 0 || fd >= FDS_MAX || !disk.recording)
        return fd;
    snprintf(path, sizeof path, "segments/%s", name);
    disk.file_of_fd[fd] = flags & O_CREAT ? new_file(path, true) : find_file(path);
    return fd;
}

static int io_close(int fd)
{
    if (fd < FDS_MAX)
        disk.file_of_fd[fd] = -1;
    return real.close(fd);
}

static ssize_t io_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t n;

    if (fault(WRITTEN))
        return -1;
    n = real.pwritev(fd, parts, count, offset);
    for (ssize_t done = 0; done < n; parts++) {
        note_write(disk.file_of_fd[fd], parts->iov_base, parts->iov_len, (uint64_t)(offset + done));
        done += (ssize_t)parts->iov_len;
    }
    return n;
}

static int io_datasync(int fd)
{
    if (fault(SYNCED))
        return -1;
    note_sync(disk.file_of_fd[fd]);
    return real.datasync(fd);
}

static bool is_segments(int directory)
{
    struct stat this, that;
    char path[300];

    snprintf(path, sizeof path, "%s/segments", disk.directory);
    return fstat(directory, &this) == 0 && stat(path, &that) == 0 && this.st_ino == that.st_ino;
}

static int io_sync_directory(int directory)
{
    if (fault(NAMES_SYNCED))
        return -1;
    if (disk.recording)
        note(NAMES_SYNCED, -1)->segments = is_segments(directory);
    return real.sync_directory(directory);
}

static int io_unlink(int directory, const char *name)
{
    char path[96];

    if (fault(UNLINKED))
        return -1;
    snprintf(path, sizeof path, "segments/%s", name);
    note_unlink(path);
    return real.unlink(directory, name);
}

static int io_statvfs(int fd, struct statvfs *out)
{
    int result = real.statvfs(fd, out);

    if (result == 0 && disk.free != UINT64_MAX) {
        out->f_frsize = 1;
        out->f_blocks = (fsblkcnt_t)1 << 40;
        out->f_bavail = disk.free;
    }
    return result;
}

/* --- in place of SQLite's -------------------------------------------------------- */

struct shim {
    sqlite3_file base;
    int file;
    sqlite3_file *inner;    /* behind this struct */
};

static sqlite3_vfs *inner_vfs;

static struct shim *shim_of(sqlite3_file *f)
{
    return (struct shim *)(void *)f;
}

static sqlite3_file *inner(sqlite3_file *f)
{
    return shim_of(f)->inner;
}

static int shim_close(sqlite3_file *f)
{
    return inner(f)->pMethods->xClose(inner(f));
}

static int shim_read(sqlite3_file *f, void *into, int len, sqlite3_int64 offset)
{
    return inner(f)->pMethods->xRead(inner(f), into, len, offset);
}

static int shim_write(sqlite3_file *f, const void *bytes, int len, sqlite3_int64 offset)
{
    if (fault(WRITTEN))
        return disk.fail_full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    note_write(shim_of(f)->file, bytes, (size_t)len, (uint64_t)offset);
    return inner(f)->pMethods->xWrite(inner(f), bytes, len, offset);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (fault(CUT))
        return SQLITE_IOERR_TRUNCATE;
    if (disk.recording && shim_of(f)->file >= 0)
        note(CUT, shim_of(f)->file)->offset = (uint64_t)size;
    return inner(f)->pMethods->xTruncate(inner(f), size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    if (fault(SYNCED))
        return SQLITE_IOERR_FSYNC;
    note_sync(shim_of(f)->file);
    return inner(f)->pMethods->xSync(inner(f), flags);
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return inner(f)->pMethods->xFileSize(inner(f), size);
}

static int shim_lock(sqlite3_file *f, int level)
{
    return inner(f)->pMethods->xLock(inner(f), level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
    return inner(f)->pMethods->xUnlock(inner(f), level);
}

static int shim_reserved(sqlite3_file *f, int *out)
{
    return inner(f)->pMethods->xCheckReservedLock(inner(f), out);
}

static int shim_control(sqlite3_file *f, int op, void *arg)
{
    return inner(f)->pMethods->xFileControl(inner(f), op, arg);
}

static int shim_sector(sqlite3_file *f)
{
    return inner(f)->pMethods->xSectorSize(inner(f));
}

static int shim_device(sqlite3_file *f)
{
    return inner(f)->pMethods->xDeviceCharacteristics(inner(f));
}

static int shim_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return inner(f)->pMethods->xShmMap(inner(f), page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return inner(f)->pMethods->xShmLock(inner(f), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *f)
{
    inner(f)->pMethods->xShmBarrier(inner(f));
}

static int shim_shm_unmap(sqlite3_file *f, int remove)
{
    return inner(f)->pMethods->xShmUnmap(inner(f), remove);
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close, .xRead = shim_read, .xWrite = shim_write, .xTruncate = shim_truncate, .xSync = shim_sync,
    .xFileSize = shim_size, .xLock = shim_lock, .xUnlock = shim_unlock, .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control, .xSectorSize = shim_sector, .xDeviceCharacteristics = shim_device,
    .xShmMap = shim_shm_map, .xShmLock = shim_shm_lock, .xShmBarrier = shim_shm_barrier, .xShmUnmap = shim_shm_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out_flags)
{
    struct shim *s = shim_of(f);
    const char *name = below(path);
    int result;

    s->inner = (sqlite3_file *)(void *)(s + 1);
    s->file = -1;
    result = inner_vfs->xOpen(inner_vfs, path, s->inner, flags, out_flags);
    s->base.pMethods = s->inner->pMethods ? &shim_methods : NULL;
    if (result == SQLITE_OK && name) {
        s->file = find_file(name);
        if (s->file < 0)
            s->file = new_file(name, false);
    }
    return result;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    const char *name = below(path);

    if (fault(UNLINKED))
        return SQLITE_IOERR_DELETE;
    if (name)
        note_unlink(name);
    return inner_vfs->xDelete(inner_vfs, path, sync);
}

void disk_install(void)
{
    static sqlite3_vfs vfs;

    if (inner_vfs)
        return;
    inner_vfs = sqlite3_vfs_find(NULL);
    vfs = *inner_vfs;
    vfs.zName = "remembering";
    vfs.szOsFile = (int)sizeof(struct shim) + inner_vfs->szOsFile;
    vfs.xOpen = shim_open;
    vfs.xDelete = shim_delete;
    sqlite3_vfs_register(&vfs, 1);
    real = io;
    io = (struct io){ io_open, io_close, io_pwritev, io_datasync, io_sync_directory, io_unlink, io_statvfs };
    disk_record("");
    disk_stop();
}

/* --- making it again ------------------------------------------------------------ */

struct image {
    char *bytes;
    size_t size, capacity;
    bool exists;
};

static uint32_t pseudo(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> 16;
}

static void image_write(struct image *m, const char *bytes, size_t len, uint64_t offset)
{
    size_t end = (size_t)offset + len;

    if (end > m->capacity) {
        m->bytes = memory_grow(m->bytes, end * 2, 1);
        memset(m->bytes + m->capacity, 0, end * 2 - m->capacity);
        m->capacity = end * 2;
    }
    memcpy(m->bytes + offset, bytes, len);
    if (end > m->size)
        m->size = end;
}

static void image_cut(struct image *m, uint64_t size)
{
    if (size < m->size) {
        memset(m->bytes + size, 0, m->size - (size_t)size);
        m->size = (size_t)size;
    }
}

static void image_change(struct image *m, const struct change *c)
{
    if (c->kind == CREATED)
        m->exists = true;
    else if (c->kind == UNLINKED)
        m->exists = false;
    else if (c->kind == WRITTEN)
        image_write(m, c->bytes, c->len, c->offset);
    else if (c->kind == CUT)
        image_cut(m, c->offset);
}

/* What came before this can no longer be undone: of a file's bytes, or of its name. */
static size_t durable_until(int file, bool name, size_t changes)
{
    for (size_t i = changes; i-- > 0;) {
        const struct change *c = &disk.changes[i];

        if (name ? c->kind == NAMES_SYNCED && c->segments == disk.files[file].segment
                 : c->kind == SYNCED && c->file == file)
            return i;
    }
    return 0;
}

/* Of a change that was not synced, anything may have reached the disk. */
static void image_gamble(struct image *m, const struct change *c, uint32_t *random)
{
    struct change half = *c;

    switch (pseudo(random) % 3) {
    case 0:
        break;
    case 1:
        image_change(m, c);
        break;
    case 2:
        half.len /= 2;
        image_change(m, &half);
        break;
    }
}

static void write_image(const char *directory, const char *name, const struct image *m)
{
    char path[512];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    out = fopen(path, "wb");
    if (!out || fwrite(m->bytes ? m->bytes : "", 1, m->size, out) != m->size || fclose(out) != 0)
        abort();
}

static void replay(const char *directory, size_t changes, uint32_t *random)
{
    char path[512];

    snprintf(path, sizeof path, "%s/segments", directory);
    mkdir(directory, 0700);
    mkdir(path, 0700);
    for (int file = 0; file < disk.file_count; file++) {
        size_t bytes_until = random ? durable_until(file, false, changes) : changes;
        size_t name_until = random ? durable_until(file, true, changes) : changes;
        struct image m = { 0 };

        for (size_t i = 0; i < changes; i++) {
            const struct change *c = &disk.changes[i];
            bool name = c->kind == CREATED || c->kind == UNLINKED;

            if (c->file != file)
                continue;
            if (i < (name ? name_until : bytes_until))
                image_change(&m, c);
            else
                image_gamble(&m, c, random);
        }
        if (m.exists)
            write_image(directory, disk.files[file].name, &m);
        free(m.bytes);
    }
}

void disk_replay_killed(const char *directory, size_t changes)
{
    replay(directory, changes, NULL);
}

void disk_replay_power_lost(const char *directory, size_t changes, uint32_t random)
{
    replay(directory, changes, &random);
}

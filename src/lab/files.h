/* lab/files.h - whole small files. */
#ifndef LAB_FILES_H
#define LAB_FILES_H

#include "base/buf.h"
#include "base/error.h"

/* All of it, appended to `out`, whose maximum bounds it. */
bool file_read(const char *path, struct buf *out, struct error *why) must_check;
/* Readers see the old file or the new one, nothing between. */
bool file_write(const char *path, struct slice content, struct error *why) must_check;
/* Mode 0755; that it is there already is fine. */
bool folder_make(const char *path, struct error *why) must_check;
/* With all that is in it. */
void folder_remove(const char *path);

#endif

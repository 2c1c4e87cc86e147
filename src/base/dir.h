/*
 * dir - making directory entries and whole files durable
 * Calls return 0, or -1 with errno.
 */
#ifndef BASE_DIR_H
#define BASE_DIR_H

#include "base/attr.h"
#include "base/str.h"

MUST_USE int dir_sync(const char *path);
/*
 * Tells the file system that the directories made in this one from now on have
 * little to do with each other, so that their files need not lie together. A
 * hint, for ext4 (the attribute T of chattr); without effect elsewhere.
 */
void dir_spread(const char *path);
MUST_USE int dir_sync_parent(const char *path); /* the directory path is in */
/* Appends a whole file; -1 with EFBIG if it has more than max bytes. */
MUST_USE int file_read(const char *path, size_t max, struct str *to);
/* The same from the current offset of an open descriptor. */
MUST_USE int file_read_fd(int fd, size_t max, struct str *to);

#endif

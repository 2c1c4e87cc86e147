/*
 * memfs - a file system in memory, on which the recovery code runs
 *
 * The program is linked with --wrap for the calls that this code makes; between
 * memfs_begin and memfs_end they work on a tree, with root as the working
 * directory, else on the real files. What changes the tree is told to a sink,
 * so that a recovery can be cut as well.
 */
#ifndef CRASH_MEMFS_H
#define CRASH_MEMFS_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tree.h"

/* One operation, as in oplog.h; strings end with NUL. */
struct op {
	uint32_t type, pid;
	const char *path, *path2, *data;
	size_t len;
	uint64_t ino, off;
};

typedef void (*memfs_sink)(void *owner, const struct op *op);
void memfs_begin(struct node *root, memfs_sink sink, void *owner);
/* Ends it; returns how many descriptors were left open. */
int memfs_end(void);
/* What was written to stderr, NUL-terminated; valid until memfs_begin. */
const char *memfs_said(void);
/* _exit comes here. */
extern jmp_buf memfs_exit;
extern int memfs_exit_code;

#endif

/*
 * disk - a model of what a power cut leaves: the states that a disk may be in
 *
 * Operations are applied in order. At any point disk_build makes one of the
 * trees that may be found after a cut there; which one is the chooser's choice.
 *
 * What is guaranteed, and nothing else: a sync of a file makes its bytes and
 * its size durable, not its name; a sync of a directory makes all changes of
 * its names durable; a sector of 512 bytes is old or new; a rename does not
 * take the old name away before the new one is there. Of all else each change
 * is there or not, in any order: each name made, replaced or removed; each
 * sector written, as one of its contents since the last sync; each size since
 * then. Sectors never synced that the size covers are zero, or hold what lay
 * there.
 */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memfs.h"

struct disk;

struct disk *disk_new(void); /* an empty directory */
/* All of a tree, durable. The tree is not used later. */
struct disk *disk_from_tree(const struct node *root);
/* The same of a directory of the real file system. */
struct disk *disk_from_directory(const char *path);
void disk_free(struct disk *disk);

/* op->path and op->data must live as long as the disk. False if it does not
   fit what was before: the record has a hole. */
bool disk_apply(struct disk *disk, const struct op *op);

/* Decides: a number under count, which is at least 1. */
struct chooser {
	int (*choose)(void *owner, int count);
	uint32_t (*noise)(void *owner); /* where a choice has too many values */
	void *owner;
};
/* A state after a cut here; lives until tree_reset. Without content only the
   choices are made, and the result is NULL. */
struct node *disk_build(
    struct disk *disk, const struct chooser *chooser, bool content);
/* What is there without a cut. */
struct node *disk_current(struct disk *disk);

#endif

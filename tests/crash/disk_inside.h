/*
 * disk_inside - what the two parts of disk share
 */
#ifndef CRASH_DISK_INSIDE_H
#define CRASH_DISK_INSIDE_H

#include "disk.h"

/* A change of a file since its last sync: bytes, or a size. */
struct item {
	const char *data; /* NULL: the size becomes off */
	size_t len, off;
};

struct inode;
struct name {
	char *name;
	struct inode *inode;
};

struct inode {
	bool is_dir;
	uint64_t ino; /* 0: not known yet */
	struct blob *durable;
	struct blob *newest; /* with the first newest_count items; or NULL */
	size_t newest_count;
	struct item *items;
	size_t item_count, item_room;
	struct name *names, *current; /* of a directory: durable, and now */
	size_t name_count, current_count;
	unsigned stamp; /* of the build that has made node */
	struct node *node;
};

/* A change of a directory that is not synced. */
struct change {
	struct inode *dir, *inode; /* inode NULL: the name is removed */
	char *name;
	uint64_t serial;
	uint64_t needs; /* serial of the change that must be there too, or 0 */
	bool applied;   /* in this build */
};

struct disk {
	struct inode *root, **inodes;
	size_t inode_count, inode_room;
	struct change *changes;
	size_t change_count, change_room;
	uint64_t serial;
	unsigned stamp;
	const char *stale; /* what lies about on the disk */
	size_t stale_len;
};

/* Adds or changes a name; removes it if inode is NULL. */
void disk_set_name(
    struct name **names, size_t *count, const char *name, struct inode *inode);
/* The content when the first count items are there; a reference. */
struct blob *disk_content(struct inode *inode, size_t count);
/* NULL if it is durable, or serial is 0. */
struct change *disk_find_change(struct disk *disk, uint64_t serial);

#endif

#define _GNU_SOURCE 1
#include "disk.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk_inside.h"
#include "oplog.h"

enum {
	STALE_MIN = 64, /* bytes of a write that may lie about later */
};

/* ---- names -------------------------------------------------------------- */

void
disk_set_name(
    struct name **names, size_t *count, const char *name, struct inode *inode)
{
	size_t i = 0;

	while (i < *count && strcmp((*names)[i].name, name) != 0)
		i++;
	if (i < *count && inode != NULL) {
		(*names)[i].inode = inode;
	} else if (i < *count) {
		free((*names)[i].name);
		(*names)[i] = (*names)[--*count];
	} else if (inode != NULL) {
		*names =
		    tree_need(realloc(*names, (*count + 1) * sizeof(**names)));
		(*names)[(*count)++] =
		    (struct name){tree_need(strdup(name)), inode};
	}
}

static struct inode *
find_name(const struct inode *dir, const char *name, size_t len)
{
	for (size_t i = 0; i < dir->current_count; i++) {
		const char *have = dir->current[i].name;

		if (strncmp(have, name, len) == 0 && have[len] == '\0')
			return dir->current[i].inode;
	}
	return NULL;
}

/* The directory of a path, and its last part; NULL if it is not there. */
static struct inode *
find_parent(struct disk *disk, const char *path, const char **last)
{
	struct inode *dir = disk->root;

	for (;;) {
		size_t len = strcspn(path, "/");

		if (path[len] == '\0') {
			*last = path;
			return dir;
		}
		dir = find_name(dir, path, len);
		if (dir == NULL || !dir->is_dir)
			return NULL;
		path += len + 1;
	}
}

static struct inode *
find_path(struct disk *disk, const char *path)
{
	const char *last;
	struct inode *dir;

	if (strcmp(path, ".") == 0)
		return disk->root;
	dir = find_parent(disk, path, &last);
	return dir == NULL ? NULL : find_name(dir, last, strlen(last));
}

/* The newest one: numbers of removed files are given again. */
static struct inode *
find_ino(struct disk *disk, uint64_t ino)
{
	for (size_t i = disk->inode_count; i-- > 0;) {
		if (disk->inodes[i]->ino == ino)
			return disk->inodes[i];
	}
	return NULL;
}

static struct inode *
inode_new(struct disk *disk, bool is_dir, uint64_t ino)
{
	struct inode *inode = tree_need(calloc(1, sizeof(*inode)));

	inode->is_dir = is_dir;
	inode->ino = ino;
	if (!is_dir)
		inode->durable = blob_new("", 0);
	if (disk->inode_count == disk->inode_room) {
		disk->inode_room = disk->inode_room * 2 + 256;
		disk->inodes = tree_need(realloc(
		    disk->inodes, disk->inode_room * sizeof(*disk->inodes)));
	}
	disk->inodes[disk->inode_count++] = inode;
	return inode;
}

/* ---- making one --------------------------------------------------------- */

struct disk *
disk_new(void)
{
	struct disk *disk = tree_need(calloc(1, sizeof(*disk)));

	disk->root = inode_new(disk, true, 0);
	return disk;
}

static void
add_durable(struct inode *dir, const char *name, struct inode *inode)
{
	disk_set_name(&dir->names, &dir->name_count, name, inode);
	disk_set_name(&dir->current, &dir->current_count, name, inode);
}

static void
copy_tree(struct disk *disk, struct inode *to, const struct node *from)
{
	to->ino = from->ino;
	for (size_t i = 0; i < from->count; i++) {
		const struct entry *entry = &from->entries[i];
		struct inode *inode = find_ino(disk, entry->node->ino);

		if (inode == NULL) { /* else one file with two names */
			inode = inode_new(
			    disk, entry->node->is_dir, entry->node->ino);
			if (inode->is_dir) {
				copy_tree(disk, inode, entry->node);
			} else {
				blob_unref(inode->durable);
				inode->durable = blob_ref(entry->node->blob);
			}
		}
		add_durable(to, entry->name, inode);
	}
}

struct disk *
disk_from_tree(const struct node *root)
{
	struct disk *disk = disk_new();

	copy_tree(disk, disk->root, root);
	return disk;
}

static struct blob *
read_file(const char *path)
{
	FILE *file = tree_need(fopen(path, "rb"));
	struct blob *blob = blob_new("", 0);
	char buf[65536];
	size_t got;

	while ((got = fread(buf, 1, sizeof(buf), file)) > 0) {
		size_t size = blob->size;

		blob_own(&blob, size + got);
		memcpy(blob->data + size, buf, got);
	}
	fclose(file);
	return blob;
}

static void
copy_directory(struct disk *disk, struct inode *to, const char *path)
{
	DIR *dir = tree_need(opendir(path));
	struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		char child[4096];
		struct inode *inode;
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		if (lstat(child, &st) == -1 ||
		    (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)))
			continue;
		inode = inode_new(disk, S_ISDIR(st.st_mode), 0);
		add_durable(to, entry->d_name, inode);
		if (inode->is_dir) {
			copy_directory(disk, inode, child);
		} else {
			blob_unref(inode->durable);
			inode->durable = read_file(child);
		}
	}
	closedir(dir);
}

struct disk *
disk_from_directory(const char *path)
{
	struct disk *disk = disk_new();

	copy_directory(disk, disk->root, path);
	return disk;
}

void
disk_free(struct disk *disk)
{
	for (size_t i = 0; i < disk->inode_count; i++) {
		struct inode *inode = disk->inodes[i];

		for (size_t n = 0; n < inode->name_count; n++)
			free(inode->names[n].name);
		for (size_t n = 0; n < inode->current_count; n++)
			free(inode->current[n].name);
		blob_unref(inode->durable);
		blob_unref(inode->newest);
		free(inode->names);
		free(inode->current);
		free(inode->items);
		free(inode);
	}
	for (size_t i = 0; i < disk->change_count; i++)
		free(disk->changes[i].name);
	free(disk->inodes);
	free(disk->changes);
	free(disk);
}

/* ---- operations --------------------------------------------------------- */

/* Returns the serial of the change. */
static uint64_t
change_name(
    struct disk *disk, const char *path, struct inode *inode, uint64_t needs)
{
	const char *last;
	struct inode *dir = find_parent(disk, path, &last);

	if (dir == NULL)
		return 0;
	disk_set_name(&dir->current, &dir->current_count, last, inode);
	if (disk->change_count == disk->change_room) {
		disk->change_room = disk->change_room * 2 + 64;
		disk->changes = tree_need(realloc(
		    disk->changes, disk->change_room * sizeof(*disk->changes)));
	}
	disk->changes[disk->change_count++] = (struct change){.dir = dir,
	    .inode = inode,
	    .name = tree_need(strdup(last)),
	    .serial = ++disk->serial,
	    .needs = needs};
	return disk->serial;
}

struct change *
disk_find_change(struct disk *disk, uint64_t serial)
{
	for (size_t i = 0; serial != 0 && i < disk->change_count; i++) {
		if (disk->changes[i].serial == serial)
			return &disk->changes[i];
	}
	return NULL;
}

/* From here on the change is durable; earlier ones of this name are over. */
static void
settle(struct disk *disk, struct change *change)
{
	struct change it = *change;
	size_t kept = 0;

	disk_set_name(&it.dir->names, &it.dir->name_count, it.name, it.inode);
	for (size_t i = 0; i < disk->change_count; i++) {
		struct change *c = &disk->changes[i];

		if (c->dir == it.dir && c->serial <= it.serial &&
		    (c->serial == it.serial || strcmp(c->name, it.name) == 0)) {
			if (c->serial != it.serial)
				free(c->name);
			continue;
		}
		disk->changes[kept++] = *c;
	}
	disk->change_count = kept;
	free(it.name);
}

static void
sync_directory(struct disk *disk, struct inode *dir)
{
	for (size_t i = 0; i < disk->change_count;) {
		struct change *first, *change = &disk->changes[i];

		if (change->dir != dir) {
			i++;
			continue;
		}
		first = disk_find_change(disk, change->needs);
		settle(disk, first != NULL ? first : change);
		i = 0;
	}
}

/* The content when the first count items are there. */
struct blob *
disk_content(struct inode *inode, size_t count)
{
	struct blob *blob;
	size_t i = 0;

	if (inode->newest != NULL && inode->newest_count == count)
		return blob_ref(inode->newest);
	if (inode->newest != NULL && inode->newest_count < count) {
		blob = blob_ref(inode->newest);
		i = inode->newest_count;
	} else {
		blob = blob_ref(inode->durable);
	}
	for (; i < count; i++) {
		const struct item *item = &inode->items[i];
		size_t end = item->off + item->len;

		if (item->data == NULL) {
			blob_own(&blob, item->off);
			continue;
		}
		blob_own(&blob, end > blob->size ? end : blob->size);
		memcpy(blob->data + item->off, item->data, item->len);
	}
	if (count == inode->item_count && count > 0) {
		blob_unref(inode->newest);
		inode->newest = blob_ref(blob);
		inode->newest_count = count;
	}
	return blob;
}

static void
sync_file(struct inode *inode)
{
	struct blob *blob = disk_content(inode, inode->item_count);

	blob_unref(inode->durable);
	inode->durable = blob;
	blob_unref(inode->newest);
	inode->newest = NULL;
	inode->item_count = 0;
}

static bool
change_file(struct disk *disk, const struct op *op)
{
	struct inode *inode = find_ino(disk, op->ino);

	if (inode == NULL || inode->is_dir)
		return false;
	if (inode->item_count == inode->item_room) {
		inode->item_room = inode->item_room * 2 + 4;
		inode->items = tree_need(realloc(
		    inode->items, inode->item_room * sizeof(*inode->items)));
	}
	inode->items[inode->item_count++] =
	    (struct item){op->data, op->len, (size_t)op->off};
	if (op->len >= STALE_MIN) {
		disk->stale = op->data;
		disk->stale_len = op->len;
	}
	return true;
}

static bool
meet(struct disk *disk, const struct op *op)
{
	struct inode *inode = find_path(disk, op->path);

	if (inode == NULL || (inode->ino != 0 && inode->ino != op->ino))
		return false;
	inode->ino = op->ino;
	return true;
}

bool
disk_apply(struct disk *disk, const struct op *op)
{
	struct inode *inode;
	uint64_t serial;

	switch (op->type) {
	case OPLOG_CREATE:
	case OPLOG_MKDIR:
		inode = inode_new(disk, op->type == OPLOG_MKDIR, op->ino);
		return change_name(disk, op->path, inode, 0) != 0;
	case OPLOG_OPEN:
		return meet(disk, op);
	case OPLOG_WRITE:
	case OPLOG_TRUNCATE:
		return change_file(disk, op);
	case OPLOG_RENAME:
		inode = find_path(disk, op->path);
		if (inode == NULL)
			return false;
		serial = change_name(disk, op->path2, inode, 0);
		return serial != 0 &&
		    change_name(disk, op->path, NULL, serial) != 0;
	case OPLOG_LINK:
		inode = find_path(disk, op->path);
		return inode != NULL &&
		    change_name(disk, op->path2, inode, 0) != 0;
	case OPLOG_UNLINK:
		return find_path(disk, op->path) != NULL &&
		    change_name(disk, op->path, NULL, 0) != 0;
	case OPLOG_SYNC:
		inode = find_ino(disk, op->ino);
		if (inode == NULL)
			return false;
		if (inode->is_dir)
			sync_directory(disk, inode);
		else
			sync_file(inode);
		return true;
	}
	return true;
}

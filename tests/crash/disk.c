#define _GNU_SOURCE 1
#include "disk.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oplog.h"

enum {
	SECTOR = 512,
	STALE_MIN = 64, /* bytes of a write that may lie about later */
};

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

static void *
need(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

/* ---- names
 * ------------------------------------------------------------------- */

static void
names_set(
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
		*names = need(realloc(*names, (*count + 1) * sizeof(**names)));
		(*names)[(*count)++] = (struct name){need(strdup(name)), inode};
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
	struct inode *inode = need(calloc(1, sizeof(*inode)));

	inode->is_dir = is_dir;
	inode->ino = ino;
	if (!is_dir)
		inode->durable = blob_new("", 0);
	if (disk->inode_count == disk->inode_room) {
		disk->inode_room = disk->inode_room * 2 + 256;
		disk->inodes = need(realloc(
		    disk->inodes, disk->inode_room * sizeof(*disk->inodes)));
	}
	disk->inodes[disk->inode_count++] = inode;
	return inode;
}

/* ---- making one
 * -------------------------------------------------------------- */

struct disk *
disk_new(void)
{
	struct disk *disk = need(calloc(1, sizeof(*disk)));

	disk->root = inode_new(disk, true, 0);
	return disk;
}

static void
add_durable(struct inode *dir, const char *name, struct inode *inode)
{
	names_set(&dir->names, &dir->name_count, name, inode);
	names_set(&dir->current, &dir->current_count, name, inode);
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
	FILE *file = need(fopen(path, "rb"));
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
	DIR *dir = need(opendir(path));
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

/* ---- operations
 * --------------------------------------------------------------- */

/* Returns the serial of the change. */
static uint64_t
change_name(
    struct disk *disk, const char *path, struct inode *inode, uint64_t needs)
{
	const char *last;
	struct inode *dir = find_parent(disk, path, &last);

	if (dir == NULL)
		return 0;
	names_set(&dir->current, &dir->current_count, last, inode);
	if (disk->change_count == disk->change_room) {
		disk->change_room = disk->change_room * 2 + 64;
		disk->changes = need(realloc(
		    disk->changes, disk->change_room * sizeof(*disk->changes)));
	}
	disk->changes[disk->change_count++] = (struct change){.dir = dir,
	    .inode = inode,
	    .name = need(strdup(last)),
	    .serial = ++disk->serial,
	    .needs = needs};
	return disk->serial;
}

static struct change *
find_change(struct disk *disk, uint64_t serial)
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

	names_set(&it.dir->names, &it.dir->name_count, it.name, it.inode);
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
		first = find_change(disk, change->needs);
		settle(disk, first != NULL ? first : change);
		i = 0;
	}
}

/* The content when the first count items are there. */
static struct blob *
content_at(struct inode *inode, size_t count)
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
	struct blob *blob = content_at(inode, inode->item_count);

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
		inode->items = need(realloc(
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

/* ---- the states
 * ---------------------------------------------------------------- */

struct build {
	struct disk *disk;
	const struct chooser *chooser;
	bool content;
};

static int
choose(struct build *build, size_t count)
{
	return count <= 1
	    ? 0
	    : build->chooser->choose(build->chooser->owner, (int)count);
}

/* Which sectors the items touch, as a range. */
static void
touched_sectors(const struct inode *inode, size_t *first, size_t *end)
{
	*first = SIZE_MAX;
	*end = 0;
	for (size_t i = 0; i < inode->item_count; i++) {
		size_t low = inode->items[i].off;
		size_t high = low + inode->items[i].len;

		if (low / SECTOR < *first)
			*first = low / SECTOR;
		if ((high + SECTOR - 1) / SECTOR > *end)
			*end = (high + SECTOR - 1) / SECTOR;
	}
	if (*first >= *end)
		*end = *first + 1;
}

static void
put_sector(struct blob *to, size_t sector, const struct blob *from)
{
	size_t at = sector * SECTOR, len = SECTOR;

	if (at >= to->size)
		return;
	if (len > to->size - at)
		len = to->size - at;
	memset(to->data + at, 0, len);
	if (at >= from->size)
		return;
	memcpy(to->data + at, from->data + at,
	    len < from->size - at ? len : from->size - at);
}

/* What lay on the disk before the file got the sector. */
static void
put_stale(struct build *build, struct blob *to, size_t from_size)
{
	const struct disk *disk = build->disk;

	for (size_t at = from_size; at < to->size && disk->stale_len > 0; at++)
		to->data[at] = disk->stale[at % disk->stale_len];
}

/* The ways in which a file may be found that was changed. */
enum shape {
	SHAPE_OLD,
	SHAPE_NEW,
	SHAPE_OLD_BYTES,   /* the new size, but none of the bytes */
	SHAPE_STALE_BYTES, /* likewise, where there were none: what lay there */
	SHAPE_OLD_SIZE,    /* the bytes, but not the size */
	SHAPE_MIXED,       /* each sector as of another time, another size */
	SHAPE_SHORT,       /* new, but a piece of it only */
	SHAPE_EARLIER,     /* between two of the changes */
	SHAPE_PREFIX,      /* the first sectors only */
	SHAPE_SUFFIX,      /* all but the first sectors */
	SHAPES,
};

/* Old bytes in the size of like; grown by zeros. */
static struct blob *
old_in_size(struct inode *inode, size_t size)
{
	struct blob *blob = blob_ref(inode->durable);

	blob_own(&blob, size);
	return blob;
}

static struct blob *
mixed(struct build *build, struct inode *inode, uint32_t noise)
{
	size_t times = inode->item_count + 1, first, end;
	struct blob *sized = content_at(inode, (noise >> 8) % times);
	struct blob *result = old_in_size(inode, sized->size);
	struct blob *versions[8];
	size_t version_count = times < 8 ? times : 8;

	blob_unref(sized);
	if (noise & 1)
		put_stale(build, result, inode->durable->size);
	/* the last ones, if there are very many */
	for (size_t i = 0; i < version_count; i++)
		versions[i] = content_at(inode, times - 1 - i);
	touched_sectors(inode, &first, &end);
	for (size_t s = first; s < end; s++) {
		noise = build->chooser->noise(build->chooser->owner);
		if (noise & 256)
			put_sector(
			    result, s, versions[(noise >> 9) % version_count]);
	}
	for (size_t i = 0; i < version_count; i++)
		blob_unref(versions[i]);
	return result;
}

static struct blob *
torn(struct inode *inode, size_t from, size_t to)
{
	struct blob *all = content_at(inode, inode->item_count);
	struct blob *result = old_in_size(inode, all->size);

	for (size_t s = from; s < to; s++)
		put_sector(result, s, all);
	blob_unref(all);
	return result;
}

static size_t
new_size(const struct inode *inode)
{
	size_t size = inode->durable->size;

	for (size_t i = 0; i < inode->item_count; i++) {
		size_t end = inode->items[i].off + inode->items[i].len;

		if (inode->items[i].data == NULL || end > size)
			size = end;
	}
	return size;
}

static struct blob *
cut_short(struct build *build, struct inode *inode, uint32_t noise)
{
	struct blob *blob = content_at(inode, inode->item_count);
	size_t old = inode->durable->size;

	(void)build;
	if (blob->size > old)
		blob_own(&blob, old + noise % (blob->size - old));
	return blob;
}

/* A content for the file; NULL if only choices are made. */
static struct blob *
build_content(struct build *build, struct inode *inode)
{
	enum shape list[SHAPES];
	size_t count = 0, first, end, place = 0;
	size_t size = new_size(inode), old = inode->durable->size;
	uint32_t noise = 0;
	enum shape shape;

	list[count++] = SHAPE_OLD;
	list[count++] = SHAPE_NEW;
	touched_sectors(inode, &first, &end);
	if (size > old) {
		list[count++] = SHAPE_OLD_BYTES;
		list[count++] = SHAPE_STALE_BYTES;
		list[count++] = SHAPE_SHORT;
	}
	if (size != old && old > 0)
		list[count++] = SHAPE_OLD_SIZE;
	if (inode->item_count > 1)
		list[count++] = SHAPE_EARLIER;
	if (end - first > 1) {
		list[count++] = SHAPE_PREFIX;
		list[count++] = SHAPE_SUFFIX;
	}
	if (end - first > 2 || inode->item_count > 1)
		list[count++] = SHAPE_MIXED;
	shape = list[choose(build, count)];
	if (shape == SHAPE_PREFIX || shape == SHAPE_SUFFIX)
		place = first + 1 + (size_t)choose(build, end - first - 1);
	if (shape == SHAPE_EARLIER)
		place = 1 + (size_t)choose(build, inode->item_count - 1);
	if (shape == SHAPE_MIXED || shape == SHAPE_SHORT)
		noise = build->chooser->noise(build->chooser->owner);
	if (!build->content)
		return NULL;
	switch (shape) {
	case SHAPE_OLD:
	case SHAPES:
		break;
	case SHAPE_NEW:
		return content_at(inode, inode->item_count);
	case SHAPE_OLD_BYTES:
		return old_in_size(inode, size);
	case SHAPE_STALE_BYTES: {
		struct blob *blob = old_in_size(inode, size);

		put_stale(build, blob, old);
		return blob;
	}
	case SHAPE_OLD_SIZE: {
		struct blob *blob = content_at(inode, inode->item_count);

		blob_own(&blob, old);
		return blob;
	}
	case SHAPE_MIXED:
		return mixed(build, inode, noise);
	case SHAPE_SHORT:
		return cut_short(build, inode, noise);
	case SHAPE_EARLIER:
		return content_at(inode, place);
	case SHAPE_PREFIX:
		return torn(inode, first, place);
	case SHAPE_SUFFIX:
		return torn(inode, place, end);
	}
	return blob_ref(inode->durable);
}

static struct node *build_inode(struct build *build, struct inode *inode);

static void
build_entry(struct build *build, struct node *dir, const char *name,
    struct inode *inode)
{
	struct node *node = build_inode(build, inode);

	if (build->content)
		node_add(dir, name, node);
}

static void
build_directory(
    struct build *build, const struct inode *inode, struct node *node)
{
	struct name *names = NULL;
	size_t count = 0;
	bool changed = false;

	for (size_t i = 0; i < build->disk->change_count; i++)
		changed = changed ||
		    (build->disk->changes[i].applied &&
			build->disk->changes[i].dir == inode);
	if (!changed) {
		for (size_t i = 0; i < inode->name_count; i++)
			build_entry(build, node, inode->names[i].name,
			    inode->names[i].inode);
		return;
	}
	for (size_t i = 0; i < inode->name_count; i++)
		names_set(&names, &count, inode->names[i].name,
		    inode->names[i].inode);
	for (size_t i = 0; i < build->disk->change_count; i++) {
		const struct change *c = &build->disk->changes[i];

		if (c->applied && c->dir == inode)
			names_set(&names, &count, c->name, c->inode);
	}
	for (size_t i = 0; i < count; i++) {
		build_entry(build, node, names[i].name, names[i].inode);
		free(names[i].name);
	}
	free(names);
}

static struct node *
build_inode(struct build *build, struct inode *inode)
{
	if (inode->stamp == build->disk->stamp)
		return inode->node;
	inode->stamp = build->disk->stamp;
	inode->node = build->content ? node_new(inode->is_dir) : NULL;
	if (inode->is_dir) {
		build_directory(build, inode, inode->node);
	} else {
		struct blob *blob = inode->item_count > 0
		    ? build_content(build, inode)
		    : build->content ? blob_ref(inode->durable)
				     : NULL;

		if (build->content)
			inode->node->blob = blob;
	}
	return inode->node;
}

struct node *
disk_build(struct disk *disk, const struct chooser *chooser, bool content)
{
	struct build build = {disk, chooser, content};

	disk->stamp++;
	for (size_t i = 0; i < disk->change_count; i++) {
		struct change *change = &disk->changes[i];
		const struct change *first = find_change(disk, change->needs);

		change->applied =
		    (first == NULL || first->applied) && choose(&build, 2) == 1;
	}
	return build_inode(&build, disk->root);
}

static int
choose_new(void *owner, int count)
{
	(void)owner;
	(void)count;
	return 1;
}

struct node *
disk_current(struct disk *disk)
{
	struct chooser chooser = {choose_new, NULL, NULL};

	return disk_build(disk, &chooser, true);
}

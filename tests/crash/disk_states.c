#include "disk.h"

#include <stdlib.h>
#include <string.h>

#include "disk_inside.h"

enum {
	SECTOR = 512,
};

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
	struct blob *sized = disk_content(inode, (noise >> 8) % times);
	struct blob *result = old_in_size(inode, sized->size);
	struct blob *versions[8];
	size_t version_count = times < 8 ? times : 8;

	blob_unref(sized);
	if (noise & 1)
		put_stale(build, result, inode->durable->size);
	/* the last ones, if there are very many */
	for (size_t i = 0; i < version_count; i++)
		versions[i] = disk_content(inode, times - 1 - i);
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
	struct blob *all = disk_content(inode, inode->item_count);
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
	struct blob *blob = disk_content(inode, inode->item_count);
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
		return disk_content(inode, inode->item_count);
	case SHAPE_OLD_BYTES:
		return old_in_size(inode, size);
	case SHAPE_STALE_BYTES: {
		struct blob *blob = old_in_size(inode, size);

		put_stale(build, blob, old);
		return blob;
	}
	case SHAPE_OLD_SIZE: {
		struct blob *blob = disk_content(inode, inode->item_count);

		blob_own(&blob, old);
		return blob;
	}
	case SHAPE_MIXED:
		return mixed(build, inode, noise);
	case SHAPE_SHORT:
		return cut_short(build, inode, noise);
	case SHAPE_EARLIER:
		return disk_content(inode, place);
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
		disk_set_name(&names, &count, inode->names[i].name,
		    inode->names[i].inode);
	for (size_t i = 0; i < build->disk->change_count; i++) {
		const struct change *c = &build->disk->changes[i];

		if (c->applied && c->dir == inode)
			disk_set_name(&names, &count, c->name, c->inode);
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
		const struct change *first =
		    disk_find_change(disk, change->needs);

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

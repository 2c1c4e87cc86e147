#include "queue/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/num.h"
#include "queue/store.h"

#define ID_MAX (UINT64_MAX / 2)

/* Calls take for each name but "." and "..". */
static int
for_each_name(
    const char *path, int (*take)(void *owner, const char *name), void *owner)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int result = 0;

	if (dir == NULL)
		return -1;
	while (result == 0) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			result = errno == 0 ? 0 : -1;
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			result = take(owner, entry->d_name);
	}
	(void)closedir(dir); /* was only read */
	return result;
}

/* ---- ids ---------------------------------------------------------------- */

struct place {
	struct inventory *inventory;
	enum queue_kind kind;
	unsigned split;
	const char *path;
};

static int
take_id(void *owner, const char *name)
{
	struct place *place = owner;
	struct inventory_list *list = &place->inventory->lists[place->kind];
	uint64_t id;

	if (num_parse_u64(span_of(name), &id) == -1 || id == 0 || id > ID_MAX ||
	    name[0] == '0' || id % QUEUE_FILE_SPLIT != place->split) {
		warn_plain("queue/%s/%s is not a file of the queue",
		    place->path, quote(name));
		return 0;
	}
	if (id >= place->inventory->next_id)
		place->inventory->next_id = id + 1;
	if (list->count == list->size) {
		list->size = list->size * 2 + 1024;
		list->ids =
		    mem_resize(list->ids, list->size, sizeof(*list->ids));
	}
	list->ids[list->count++] = id;
	return 0;
}

/* Names of damaged/ end in an id: that is not given again either. */
static int
take_damaged(void *owner, const char *name)
{
	struct inventory *inventory = owner;
	const char *dot = strrchr(name, '.');
	uint64_t id;

	if (dot != NULL && num_leading_u64(span_of(dot + 1), &id) > 0 &&
	    id <= ID_MAX && id >= inventory->next_id)
		inventory->next_id = id + 1;
	return 0;
}

static int
compare_ids(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int
inventory_read(struct inventory *inventory)
{
	struct str path = STR_INIT;
	int result = 0;

	*inventory = (struct inventory){.next_id = 1};
	for (int kind = 0; kind < QUEUE_KINDS; kind++) {
		struct inventory_list *list = &inventory->lists[kind];

		for (unsigned split = 0;
		     split < QUEUE_FILE_SPLIT && result == 0; split++) {
			struct place place = {
			    inventory, (enum queue_kind)kind, split, NULL};

			str_format(
			    &path, "%s/%u", queue_kind_name[kind], split);
			place.path = path.s;
			result = for_each_name(path.s, take_id, &place);
		}
		if (list->count > 0)
			qsort(list->ids, list->count, sizeof(*list->ids),
			    compare_ids);
	}
	if (result == 0)
		result = for_each_name("damaged", take_damaged, inventory);
	str_free(&path);
	return result;
}

bool
inventory_has(
    const struct inventory *inventory, enum queue_kind kind, uint64_t id)
{
	const struct inventory_list *list = &inventory->lists[kind];

	return list->count > 0 &&
	    bsearch(&id, list->ids, list->count, sizeof(id), compare_ids) !=
	    NULL;
}

void
inventory_free(struct inventory *inventory)
{
	for (int kind = 0; kind < QUEUE_KINDS; kind++)
		free(inventory->lists[kind].ids);
	*inventory = (struct inventory){.next_id = 1};
}

/* ---- clearing ----------------------------------------------------------- */

static int
remove_name(void *owner, const char *name)
{
	const char *directory = owner;
	struct str path = STR_INIT;
	int result;

	str_format(&path, "%s/%s", directory, name);
	result = unlink(path.s);
	if (result == -1 && errno == ENOENT)
		result = 0;
	str_free(&path);
	return result;
}

int
inventory_clear_directory(const char *path)
{
	return for_each_name(path, remove_name, (void *)(uintptr_t)path);
}

static int
remove_unneeded(void *owner, const char *name)
{
	const struct id_table *needed = owner;
	uint64_t number;

	if (num_leading_u64(span_of(name), &number) > 0 && number != 0 &&
	    id_table_get(needed, number) != NULL)
		return 0;
	return remove_name((void *)(uintptr_t) "tmp", name);
}

int
inventory_clear_tmp(const struct id_table *needed)
{
	return for_each_name("tmp", remove_unneeded, (void *)(uintptr_t)needed);
}

static int
set_name_aside(void *owner, const char *name)
{
	const char *directory = owner;
	struct str path = STR_INIT;
	int result;

	str_format(&path, "%s/%s", directory, name);
	result = store_set_aside(path.s);
	if (result == -1 && errno == ENOENT)
		result = 0;
	str_free(&path);
	return result;
}

int
inventory_set_aside_directory(const char *path)
{
	return for_each_name(path, set_name_aside, (void *)(uintptr_t)path);
}

/*
 * inventory - which ids have files under queue/, by their names alone
 */
#ifndef QUEUE_INVENTORY_H
#define QUEUE_INVENTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "mail/queue_file.h"
#include "queue/id_table.h"

struct inventory_list {
	uint64_t *ids; /* sorted */
	size_t count, size;
};

struct inventory {
	struct inventory_list lists[QUEUE_KINDS];
	uint64_t next_id; /* above every id that a name holds */
};

/* Lists the directories. Names that are no ids, or in the wrong place, are
   told on stderr and left alone. 0, or -1 with errno. */
MUST_USE int inventory_read(struct inventory *inventory);
bool inventory_has(
    const struct inventory *inventory, enum queue_kind kind, uint64_t id);
void inventory_free(struct inventory *inventory);

/* Removes from tmp/ what belongs to none of the numbers. 0, or -1. */
MUST_USE int inventory_clear_tmp(const struct id_table *needed);
/* Removes every file of a directory. 0, or -1 with errno. */
MUST_USE int inventory_clear_directory(const char *path);
/* Moves every file of a directory to damaged/. 0, or -1 with errno. */
MUST_USE int inventory_set_aside_directory(const char *path);

#endif

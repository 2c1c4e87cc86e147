/*
 * id_table - a set of message ids, each with a number
 *
 * Open addressing in one block of memory, which grows with its content and
 * shrinks when it is emptied. Any id but 0, which no message has.
 */
#ifndef QUEUE_ID_TABLE_H
#define QUEUE_ID_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct id_slot {
	uint64_t id; /* 0: empty */
	uint64_t value;
};

struct id_table {
	struct id_slot *slots;
	size_t size; /* 0 or a power of two */
	size_t count;
};

#define ID_TABLE_INIT                                                          \
	{                                                                      \
		NULL, 0, 0                                                     \
	}

/* Adds id or changes its value. */
void id_table_put(struct id_table *table, uint64_t id, uint64_t value);
/* The value, valid until the table changes; NULL if id is not there. */
uint64_t *id_table_get(const struct id_table *table, uint64_t id);
void id_table_remove(struct id_table *table, uint64_t id); /* if it is there */
void id_table_clear(struct id_table *table);

#endif

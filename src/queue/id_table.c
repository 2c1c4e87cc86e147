#include "queue/id_table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
	SIZE_MIN = 64,
};

/* Ids are consecutive: spread them, so that runs do not grow together. */
static size_t
home_of(const struct id_table *table, uint64_t id)
{
	return (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & (table->size - 1);
}

/* The slot of id, or the empty one where it would go. */
static size_t
find(const struct id_table *table, uint64_t id)
{
	size_t at = home_of(table, id);

	while (table->slots[at].id != 0 && table->slots[at].id != id)
		at = (at + 1) & (table->size - 1);
	return at;
}

static void
grow(struct id_table *table)
{
	struct id_table larger = ID_TABLE_INIT;

	larger.size = table->size ? table->size * 2 : SIZE_MIN;
	larger.slots = mem_alloc(larger.size, sizeof(*larger.slots));
	for (size_t i = 0; i < table->size; i++) {
		if (table->slots[i].id != 0)
			larger.slots[find(&larger, table->slots[i].id)] =
			    table->slots[i];
	}
	larger.count = table->count;
	free(table->slots);
	*table = larger;
}

void
id_table_put(struct id_table *table, uint64_t id, uint64_t value)
{
	size_t at;

	assert(id != 0);
	if (table->count * 2 >= table->size)
		grow(table);
	at = find(table, id);
	if (table->slots[at].id == 0) {
		table->slots[at].id = id;
		table->count++;
	}
	table->slots[at].value = value;
}

uint64_t *
id_table_get(const struct id_table *table, uint64_t id)
{
	size_t at;

	if (table->size == 0 || id == 0)
		return NULL;
	at = find(table, id);
	return table->slots[at].id == id ? &table->slots[at].value : NULL;
}

void
id_table_remove(struct id_table *table, uint64_t id)
{
	size_t at, next;

	if (table->size == 0 || id == 0)
		return;
	at = find(table, id);
	if (table->slots[at].id != id)
		return;
	table->count--;
	if (table->count == 0) {
		id_table_clear(table);
		return;
	}
	/* Close the gap: whatever probed across it moves into it. */
	for (next = (at + 1) & (table->size - 1); table->slots[next].id != 0;
	     next = (next + 1) & (table->size - 1)) {
		size_t home = home_of(table, table->slots[next].id);
		size_t reach = (next - home) & (table->size - 1);

		if (reach < ((next - at) & (table->size - 1)))
			continue;
		table->slots[at] = table->slots[next];
		at = next;
	}
	table->slots[at].id = 0;
}

void
id_table_clear(struct id_table *table)
{
	free(table->slots);
	*table = (struct id_table)ID_TABLE_INIT;
}

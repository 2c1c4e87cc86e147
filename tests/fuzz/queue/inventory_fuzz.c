/*
 * Names under queue/, each up to a LF behind a byte that says where: exactly
 * those that are ids in their place are found, sorted, and the next id is above
 * all of them and above those in damaged/.
 */
#include "../fuzz.h"

#include "base/num.h"
#include "queue/inventory.h"
#include "queue/store.h"

enum {
	NAMES_MAX = 32,
};

/* The disk is not for here. */
int
fsync(int fd)
{
	(void)fd;
	return 0;
}

static struct str made[NAMES_MAX];
static size_t made_count;
static uint64_t highest; /* id that must not be given again */
static size_t wanted[QUEUE_KINDS];

static void
make_name(unsigned char where, struct span name)
{
	static const char *const kinds[QUEUE_KINDS] = {
	    "mess", "env", "done", "bounce"};
	struct str *path = &made[made_count];
	unsigned split = where / 8 % 4, kind = where % 4;
	uint64_t id;

	if (name.len == 0 || name.len > 100 || span_is(name, ".") ||
	    span_is(name, "..") || span_find(name, '/') != SPAN_NONE ||
	    span_find(name, '\0') != SPAN_NONE)
		return;
	if (where & 128)
		str_format(path, "damaged/");
	else
		str_format(path, "%s/%u/", kinds[kind], split);
	str_append_span(path, name);
	if (access(path->s, F_OK) == 0)
		return;
	fuzz_write_file(path->s, (struct span){"", 0});
	made_count++;
	if (where & 128) {
		size_t dot = span_find_last(name, '.');

		if (dot != SPAN_NONE &&
		    num_leading_u64(span_from(name, dot + 1), &id) > 0 &&
		    id <= UINT64_MAX / 2 && id > highest)
			highest = id;
	} else if (num_parse_u64(name, &id) == 0 && name.s[0] != '0' &&
	    id <= UINT64_MAX / 2 && id % QUEUE_FILE_SPLIT == split) {
		wanted[kind]++;
		if (id > highest)
			highest = id;
		require(id > 0);
	}
}

static void
check(const struct inventory *inventory)
{
	require(inventory->next_id == highest + 1);
	for (int kind = 0; kind < QUEUE_KINDS; kind++) {
		const struct inventory_list *list = &inventory->lists[kind];

		require(list->count == wanted[kind]);
		for (size_t i = 0; i < list->count; i++) {
			require(i == 0 || list->ids[i - 1] < list->ids[i]);
			require(inventory_has(
			    inventory, (enum queue_kind)kind, list->ids[i]));
		}
		require(!inventory_has(
		    inventory, (enum queue_kind)kind, highest + 1));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_made;
	struct span input = {(const char *)data, size};
	struct inventory inventory;
	struct str failed = STR_INIT;

	fuzz_enter_directory();
	if (!is_made)
		require(store_make_directories(&failed) == 0);
	is_made = true;
	made_count = 0;
	highest = 0;
	memset(wanted, 0, sizeof(wanted));
	for (size_t i = 0; i < NAMES_MAX; i++)
		made[i] = (struct str)STR_INIT;
	while (input.len > 0 && made_count < NAMES_MAX) {
		unsigned char where = fuzz_byte(&input);

		make_name(where, fuzz_until(&input, '\n'));
	}
	fuzz_hush();
	require(inventory_read(&inventory) == 0);
	fuzz_speak();
	check(&inventory);
	inventory_free(&inventory);
	for (size_t i = 0; i < NAMES_MAX; i++) {
		if (i < made_count)
			require(unlink(made[i].s) == 0);
		str_free(&made[i]);
	}
	str_free(&failed);
	return 0;
}

#include "send/schedule.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	CHUNK = 1024, /* messages allocated at a time */
	HASH_MIN = 1024,
	INDEX_BITS = 26, /* of an item in a heap; the rest is the time */
	INDEX_MAX = (1 << INDEX_BITS) - 1,
};

/* added to times, so that those before 1970 sort right */
#define BIAS_S (INT64_C(1) << 37)

static const int64_t skips[CHANNELS] = {10, 20};

static struct message *
at_index(const struct schedule *schedule, uint32_t index)
{
	index--;
	return &schedule->chunks[index / CHUNK][index % CHUNK];
}

/* ---- the table ---------------------------------------------------------- */

/* Ids are consecutive, so their low bits spread best as they are; the high
   product bits keep regular gaps from piling up. */
static size_t
hash_slot(const struct schedule *schedule, uint64_t id)
{
	return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 20) &
	    (schedule->hash_size - 1);
}

static int
grow_hash(struct schedule *schedule)
{
	size_t old_size = schedule->hash_size;
	size_t size = old_size ? old_size * 2 : HASH_MIN;
	uint32_t *old = schedule->hash;
	uint32_t *hash = mem_try_alloc(size, sizeof(*hash));

	if (hash == NULL)
		return -1;
	schedule->hash = hash;
	schedule->hash_size = size;
	for (size_t i = 0; i < old_size; i++) {
		size_t slot;

		if (old[i] == 0)
			continue;
		slot = hash_slot(schedule, at_index(schedule, old[i])->id);
		while (hash[slot] != 0)
			slot = (slot + 1) & (size - 1);
		hash[slot] = old[i];
	}
	free(old);
	return 0;
}

static int
grow_chunks(struct schedule *schedule)
{
	struct message **chunks, *chunk;
	uint32_t first = (uint32_t)(schedule->chunk_count * CHUNK) + 1;

	if (schedule->chunk_count >= INDEX_MAX / CHUNK)
		return -1;
	chunks = mem_try_resize(
	    schedule->chunks, schedule->chunk_count + 1, sizeof(*chunks));
	if (chunks == NULL)
		return -1;
	schedule->chunks = chunks;
	chunk = mem_try_alloc(CHUNK, sizeof(*chunk));
	if (chunk == NULL)
		return -1;
	chunks[schedule->chunk_count++] = chunk;
	for (uint32_t i = CHUNK; i-- > 0;) {
		chunk[i].place[0] = schedule->free_list;
		schedule->free_list = first + i;
	}
	return 0;
}

struct message *
schedule_add(struct schedule *schedule, uint64_t id)
{
	struct message *message;
	uint32_t index;
	size_t slot;

	if (schedule->count * 4 >= schedule->hash_size * 3 &&
	    grow_hash(schedule) == -1)
		return NULL;
	if (schedule->free_list == 0 && grow_chunks(schedule) == -1)
		return NULL;
	index = schedule->free_list;
	message = at_index(schedule, index);
	schedule->free_list = message->place[0];
	memset(message, 0, sizeof(*message));
	message->id = id;
	slot = hash_slot(schedule, id);
	while (schedule->hash[slot] != 0) {
		assert(at_index(schedule, schedule->hash[slot])->id != id);
		slot = (slot + 1) & (schedule->hash_size - 1);
	}
	schedule->hash[slot] = index;
	schedule->count++;
	return message;
}

static size_t
find_slot(const struct schedule *schedule, uint64_t id)
{
	size_t slot = hash_slot(schedule, id);

	while (schedule->hash[slot] != 0) {
		if (at_index(schedule, schedule->hash[slot])->id == id)
			return slot;
		slot = (slot + 1) & (schedule->hash_size - 1);
	}
	return SIZE_MAX;
}

struct message *
schedule_find(const struct schedule *schedule, uint64_t id)
{
	size_t slot = schedule->count ? find_slot(schedule, id) : SIZE_MAX;

	return slot == SIZE_MAX ? NULL
				: at_index(schedule, schedule->hash[slot]);
}

void
schedule_remove(struct schedule *schedule, struct message *message)
{
	size_t mask = schedule->hash_size - 1;
	size_t hole = find_slot(schedule, message->id);
	uint32_t index;

	assert(hole != SIZE_MAX);
	index = schedule->hash[hole];
	for (size_t i = 0; i < SCHEDULE_HEAPS; i++)
		schedule_unset(schedule, message, (enum schedule_heap)i);
	/* close the gap: what follows in the run and belongs at or before the
	   hole moves into it */
	for (size_t i = (hole + 1) & mask; schedule->hash[i] != 0;
	     i = (i + 1) & mask) {
		size_t home = hash_slot(
		    schedule, at_index(schedule, schedule->hash[i])->id);

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			schedule->hash[hole] = schedule->hash[i];
			hole = i;
		}
	}
	schedule->hash[hole] = 0;
	message->place[0] = schedule->free_list;
	schedule->free_list = index;
	schedule->count--;
}

void
schedule_free(struct schedule *schedule)
{
	for (size_t i = 0; i < schedule->chunk_count; i++)
		free(schedule->chunks[i]);
	free(schedule->chunks);
	free(schedule->hash);
	for (size_t i = 0; i < SCHEDULE_HEAPS; i++)
		free(schedule->heaps[i].items);
	*schedule = (struct schedule)SCHEDULE_INIT;
}

/* ---- the heaps ---------------------------------------------------------- */

static uint64_t
make_item(int64_t due_s, uint32_t index)
{
	if (due_s < -BIAS_S)
		due_s = -BIAS_S;
	if (due_s >= BIAS_S)
		due_s = BIAS_S - 1;
	return (uint64_t)(due_s + BIAS_S) << INDEX_BITS | index;
}

static int64_t
item_due(uint64_t item)
{
	return (int64_t)(item >> INDEX_BITS) - BIAS_S;
}

static uint32_t
item_index(uint64_t item)
{
	return (uint32_t)(item & INDEX_MAX);
}

/* Equal times go in the order of the ids. */
static bool
is_before(const struct schedule *schedule, uint64_t a, uint64_t b)
{
	if (a >> INDEX_BITS != b >> INDEX_BITS)
		return a < b;
	return at_index(schedule, item_index(a))->id <
	    at_index(schedule, item_index(b))->id;
}

static void
put_at(struct schedule *schedule, enum schedule_heap heap, size_t place,
    uint64_t item)
{
	schedule->heaps[heap].items[place] = item;
	at_index(schedule, item_index(item))->place[heap] = (uint32_t)place;
}

/* Returns where the item has come to. */
static size_t
sift_up(struct schedule *schedule, enum schedule_heap heap, uint64_t item,
    size_t place)
{
	const uint64_t *items = schedule->heaps[heap].items;

	while (place > 1 && is_before(schedule, item, items[place / 2])) {
		put_at(schedule, heap, place, items[place / 2]);
		place /= 2;
	}
	put_at(schedule, heap, place, item);
	return place;
}

static void
sift_down(struct schedule *schedule, enum schedule_heap heap, uint64_t item,
    size_t place)
{
	const uint64_t *items = schedule->heaps[heap].items;
	size_t count = schedule->heaps[heap].count;

	while (place * 2 <= count) {
		size_t child = place * 2;

		if (child < count &&
		    is_before(schedule, items[child + 1], items[child]))
			child++;
		if (!is_before(schedule, items[child], item))
			break;
		put_at(schedule, heap, place, items[child]);
		place = child;
	}
	put_at(schedule, heap, place, item);
}

void
schedule_unset(
    struct schedule *schedule, struct message *message, enum schedule_heap heap)
{
	size_t place = message->place[heap];
	uint64_t last;

	if (place == 0)
		return;
	message->place[heap] = 0;
	last = schedule->heaps[heap].items[schedule->heaps[heap].count--];
	if (place > schedule->heaps[heap].count)
		return; /* it was the last */
	if (sift_up(schedule, heap, last, place) == place)
		sift_down(schedule, heap, last, place);
}

/* Room for one item more; places start with 1. */
static void
grow_heap(struct schedule *schedule, enum schedule_heap heap)
{
	size_t size = schedule->heaps[heap].size;

	if (schedule->heaps[heap].count + 2 <= size)
		return;
	size += size / 8 + CHUNK;
	schedule->heaps[heap].items =
	    mem_resize(schedule->heaps[heap].items, size, sizeof(uint64_t));
	schedule->heaps[heap].size = size;
}

void
schedule_set_due(struct schedule *schedule, struct message *message,
    enum schedule_heap heap, int64_t due_s)
{
	size_t slot = find_slot(schedule, message->id);

	assert(slot != SIZE_MAX);
	schedule_unset(schedule, message, heap);
	grow_heap(schedule, heap);
	(void)sift_up(schedule, heap, make_item(due_s, schedule->hash[slot]),
	    ++schedule->heaps[heap].count);
}

int64_t
schedule_due(const struct schedule *schedule, const struct message *message,
    enum schedule_heap heap)
{
	assert(message->place[heap] != 0);
	return item_due(schedule->heaps[heap].items[message->place[heap]]);
}

struct message *
schedule_first(const struct schedule *schedule, enum schedule_heap heap)
{
	if (schedule->heaps[heap].count == 0)
		return NULL;
	return at_index(schedule, item_index(schedule->heaps[heap].items[1]));
}

/* ---- channels ----------------------------------------------------------- */

static void
set_bit(uint8_t *bits, enum channel_kind channel, bool set)
{
	uint8_t bit = (uint8_t)(1U << channel);

	*bits = (uint8_t)(set ? *bits | bit : *bits & ~bit);
}

bool
message_is_todo(const struct message *message, enum channel_kind channel)
{
	return (message->todo >> channel & 1) != 0;
}

void
message_set_todo(struct message *message, enum channel_kind channel, bool todo)
{
	set_bit(&message->todo, channel, todo);
}

bool
message_is_active(const struct message *message, enum channel_kind channel)
{
	return (message->active >> channel & 1) != 0;
}

void
message_set_active(
    struct message *message, enum channel_kind channel, bool active)
{
	set_bit(&message->active, channel, active);
}

/* ---- times -------------------------------------------------------------- */

void
schedule_flush(struct schedule *schedule, int64_t now_s)
{
	for (size_t heap = 0; heap < CHANNELS; heap++) {
		uint64_t *items = schedule->heaps[heap].items;

		/* equal times are a heap; the order is that of the old times */
		for (size_t i = 1; i <= schedule->heaps[heap].count; i++)
			items[i] = make_item(now_s, item_index(items[i]));
	}
}

bool
schedule_is_held(const struct message *message, enum schedule_heap heap)
{
	enum channel_kind channel = (enum channel_kind)heap;

	return message_is_todo(message, channel) &&
	    !message_is_active(message, channel) && !message->unread &&
	    message->place[heap] == 0;
}

static bool
is_to_release(const struct message *message, enum schedule_heap heap)
{
	return schedule_is_held(message, heap) ||
	    (message->held && message->place[heap] != 0);
}

/* Those that could not even begin. */
static void
release_unread(struct schedule *schedule, int64_t now_s)
{
	for (size_t i = 0; i < schedule->hash_size; i++) {
		struct message *message;

		if (schedule->hash[i] == 0)
			continue;
		message = at_index(schedule, schedule->hash[i]);
		if (message->unread && message->place[SCHEDULE_ERRAND] != 0)
			schedule_set_due(
			    schedule, message, SCHEDULE_ERRAND, now_s);
	}
}

void
schedule_release(struct schedule *schedule, int64_t now_s)
{
	release_unread(schedule, now_s);
	for (size_t heap = 0; heap < CHANNELS; heap++) {
		enum schedule_heap to = (enum schedule_heap)heap;

		for (size_t i = 0; i < schedule->hash_size; i++) {
			struct message *message;

			if (schedule->hash[i] == 0)
				continue;
			message = at_index(schedule, schedule->hash[i]);
			if (is_to_release(message, to))
				schedule_set_due(schedule, message, to, now_s);
		}
	}
}

void
schedule_shift(struct schedule *schedule, int64_t back_s)
{
	for (size_t heap = 0; heap < SCHEDULE_HEAPS; heap++) {
		uint64_t *items = schedule->heaps[heap].items;

		for (size_t i = 1; i <= schedule->heaps[heap].count; i++)
			items[i] = make_item(
			    item_due(items[i]) - back_s, item_index(items[i]));
	}
}

/* The greatest number whose square is not over value. */
static int64_t
square_root(int64_t value)
{
	uint64_t rest = (uint64_t)value, root = 0, bit = UINT64_C(1) << 62;

	while (bit > rest)
		bit >>= 2;
	while (bit != 0) {
		if (rest >= root + bit) {
			rest -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
		bit >>= 2;
	}
	return (int64_t)root;
}

int64_t
schedule_next(int64_t birth_s, int64_t now_s, enum channel_kind channel)
{
	int64_t root;

	if (birth_s > now_s)
		birth_s = now_s;
	root = square_root(now_s - birth_s) + skips[channel];
	return birth_s + root * root;
}

int64_t
schedule_resume(int64_t birth_s, int64_t now_s, enum channel_kind channel)
{
	int64_t steps;

	if (birth_s > now_s)
		return now_s;
	if (now_s - birth_s < SCHEDULE_FRESH_S)
		return birth_s; /* it is over: due, the oldest first */
	steps = square_root(now_s - birth_s) / skips[channel] + 1;
	return birth_s + steps * steps * skips[channel] * skips[channel];
}

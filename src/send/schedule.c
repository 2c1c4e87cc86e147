#include "send/schedule.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	CHUNK = 1024, /* messages allocated at a time */
	HASH_MIN = 1024,
};

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

	if (schedule->chunk_count >= (UINT32_MAX - 1) / CHUNK)
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

/* Room for one message more in each heap, so that no later call can fail. */
static int
grow_heaps(struct schedule *schedule)
{
	for (size_t i = 0; i < SCHEDULE_HEAPS; i++) {
		size_t size = schedule->heaps[i].size;
		uint32_t *items;

		if (schedule->count + 2 <= size)
			continue;
		size = size + size / 2 + CHUNK;
		items = mem_try_resize(
		    schedule->heaps[i].items, size, sizeof(*items));
		if (items == NULL)
			return -1;
		schedule->heaps[i].items = items;
		schedule->heaps[i].size = size;
	}
	return 0;
}

struct message *
schedule_add(struct schedule *schedule, uint64_t id)
{
	struct message *message;
	uint32_t index;
	size_t slot;

	if (schedule->count * 2 >= schedule->hash_size &&
	    grow_hash(schedule) == -1)
		return NULL;
	if (grow_heaps(schedule) == -1)
		return NULL;
	if (schedule->free_list == 0 && grow_chunks(schedule) == -1)
		return NULL;
	index = schedule->free_list;
	message = at_index(schedule, index);
	schedule->free_list = message->place[0];
	memset(message, 0, sizeof(*message));
	message->id = id;
	message->self = index;
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

	assert(hole != SIZE_MAX);
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
	schedule->free_list = message->self;
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

/* Equal times go in the order of the ids. */
static bool
is_before(
    const struct message *a, const struct message *b, enum schedule_heap heap)
{
	if (a->due_s[heap] != b->due_s[heap])
		return a->due_s[heap] < b->due_s[heap];
	return a->id < b->id;
}

static void
put_at(struct schedule *schedule, enum schedule_heap heap, size_t place,
    struct message *message)
{
	schedule->heaps[heap].items[place] = message->self;
	message->place[heap] = (uint32_t)place;
}

static void
sift_up(struct schedule *schedule, enum schedule_heap heap,
    struct message *message, size_t place)
{
	while (place > 1) {
		struct message *parent =
		    at_index(schedule, schedule->heaps[heap].items[place / 2]);

		if (!is_before(message, parent, heap))
			break;
		put_at(schedule, heap, place, parent);
		place /= 2;
	}
	put_at(schedule, heap, place, message);
}

static void
sift_down(struct schedule *schedule, enum schedule_heap heap,
    struct message *message, size_t place)
{
	const uint32_t *items = schedule->heaps[heap].items;
	size_t count = schedule->heaps[heap].count;

	while (place * 2 <= count) {
		size_t child = place * 2;
		struct message *first = at_index(schedule, items[child]);

		if (child < count) {
			struct message *other =
			    at_index(schedule, items[child + 1]);

			if (is_before(other, first, heap)) {
				first = other;
				child++;
			}
		}
		if (!is_before(first, message, heap))
			break;
		put_at(schedule, heap, place, first);
		place = child;
	}
	put_at(schedule, heap, place, message);
}

void
schedule_unset(
    struct schedule *schedule, struct message *message, enum schedule_heap heap)
{
	size_t place = message->place[heap];
	struct message *last;

	if (place == 0)
		return;
	message->place[heap] = 0;
	last = at_index(schedule,
	    schedule->heaps[heap].items[schedule->heaps[heap].count--]);
	if (last == message)
		return;
	sift_up(schedule, heap, last, place);
	if (last->place[heap] == place)
		sift_down(schedule, heap, last, place);
}

void
schedule_set_due(struct schedule *schedule, struct message *message,
    enum schedule_heap heap, int64_t due_s)
{
	schedule_unset(schedule, message, heap);
	message->due_s[heap] = due_s;
	assert(schedule->heaps[heap].count + 1 < schedule->heaps[heap].size);
	sift_up(schedule, heap, message, ++schedule->heaps[heap].count);
}

struct message *
schedule_first(const struct schedule *schedule, enum schedule_heap heap)
{
	if (schedule->heaps[heap].count == 0)
		return NULL;
	return at_index(schedule, schedule->heaps[heap].items[1]);
}

/* ---- times -------------------------------------------------------------- */

void
schedule_flush(struct schedule *schedule, int64_t now_s)
{
	for (size_t heap = 0; heap < CHANNELS; heap++) {
		/* equal times are a heap; the order is that of the old times */
		for (size_t i = 1; i <= schedule->heaps[heap].count; i++)
			at_index(schedule, schedule->heaps[heap].items[i])
			    ->due_s[heap] = now_s;
	}
}

bool
schedule_is_held(const struct message *message, enum schedule_heap heap)
{
	return message->todo[heap] && !message->active[heap] &&
	    !message->unread && message->place[heap] == 0;
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
		for (size_t i = 1; i <= schedule->heaps[heap].count; i++)
			at_index(schedule, schedule->heaps[heap].items[i])
			    ->due_s[heap] -= back_s;
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

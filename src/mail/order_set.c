#include "mail/order_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pack.h"
#include "mail/address.h"
#include "mail/queue_file.h"

enum {
	ROOM_MIN = 16,
	TRAILER_BYTES = 13, /* "end ", 8 digits, LF */
	LINE_COST = 48,     /* bytes of a line beside its key, at most */
};

/* ---- the table ---------------------------------------------------------- */

static size_t
hash_of(const struct order_set *set, const struct order *order)
{
	uint64_t hash =
	    order->id * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)order->kind;

	for (size_t i = 0; i < order->key.len; i++) {
		hash += (unsigned char)span_lower(order->key.s[i]);
		hash *= UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return (size_t)(hash ^ hash >> 32) & (set->hash_size - 1);
}

/* Domains have no case. */
static bool
is_same(const struct order *a, const struct order *b)
{
	if (a->kind != b->kind || a->id != b->id)
		return false;
	return a->kind == ORDER_HOLD_DOMAIN ? span_equal_nocase(a->key, b->key)
					    : span_equal(a->key, b->key);
}

/* The slot of an order like that, or the empty one where it belongs. What was
   taken away keeps its slot until the next rebuild. */
static size_t
find_slot(const struct order_set *set, const struct order *like)
{
	size_t slot = hash_of(set, like);

	while (set->hash[slot] != 0) {
		const struct order_entry *entry =
		    &set->entries[set->hash[slot] - 1];

		if (!entry->gone && is_same(&entry->order, like))
			break;
		slot = (slot + 1) & (set->hash_size - 1);
	}
	return slot;
}

/* Closes the gaps, and makes room for one more. 0, -1 with ENOMEM. */
static int
rebuild(struct order_set *set)
{
	size_t room = set->count * 2 + ROOM_MIN, size = ROOM_MIN, kept = 0;
	struct order_entry *entries;
	uint32_t *hash;

	while (size < room * 2)
		size *= 2;
	entries = mem_try_alloc(room, sizeof(*entries));
	hash = mem_try_alloc(size, sizeof(*hash));
	if (entries == NULL || hash == NULL) {
		free(entries);
		free(hash);
		errno = ENOMEM;
		return -1;
	}
	for (size_t i = 0; i < set->used; i++) {
		if (!set->entries[i].gone)
			entries[kept++] = set->entries[i];
	}
	free(set->entries);
	free(set->hash);
	set->entries = entries;
	set->used = kept;
	set->room = room;
	set->hash = hash;
	set->hash_size = size;
	for (size_t i = 0; i < kept; i++)
		set->hash[find_slot(set, &entries[i].order)] = (uint32_t)i + 1;
	return 0;
}

int
order_set_add(struct order_set *set, const struct order *order)
{
	struct order_entry *entry;
	char *key = NULL;

	if (order_set_find(set, order) != NULL)
		return 0;
	if (set->count >= ORDER_SET_MAX ||
	    set->bytes + order->key.len + (set->count + 1) * LINE_COST >
		ORDER_SET_BYTES_MAX) {
		errno = EDQUOT;
		return -1;
	}
	if (set->used == set->room && rebuild(set) == -1)
		return -1;
	if (order->key.len > 0) {
		key = mem_try_alloc(order->key.len, 1);
		if (key == NULL)
			return -1;
		for (size_t i = 0; i < order->key.len; i++)
			key[i] = order->kind == ORDER_HOLD_DOMAIN
			    ? span_lower(order->key.s[i])
			    : order->key.s[i];
	}
	entry = &set->entries[set->used++];
	entry->number = ++set->last;
	entry->gone = false;
	entry->order = *order;
	entry->order.key = (struct span){key, order->key.len};
	set->hash[find_slot(set, order)] = (uint32_t)set->used;
	set->count++;
	set->bytes += order->key.len;
	set->of_kind[order->kind]++;
	return 1;
}

static struct order_entry *
find_entry(const struct order_set *set, const struct order *like)
{
	size_t slot;

	if (set->of_kind[like->kind] == 0)
		return NULL;
	slot = find_slot(set, like);
	return set->hash[slot] == 0 ? NULL : &set->entries[set->hash[slot] - 1];
}

const struct order *
order_set_find(const struct order_set *set, const struct order *like)
{
	const struct order_entry *entry = find_entry(set, like);

	return entry == NULL ? NULL : &entry->order;
}

bool
order_set_remove(struct order_set *set, const struct order *like)
{
	struct order_entry *entry = find_entry(set, like);

	if (entry == NULL)
		return false;
	set->count--;
	set->of_kind[entry->order.kind]--;
	set->bytes -= entry->order.key.len;
	free((char *)(uintptr_t)entry->order.key.s);
	/* its place in the table stays taken, for those behind it */
	entry->gone = true;
	entry->order.key = (struct span){NULL, 0};
	return true;
}

bool
order_set_forget(struct order_set *set, uint64_t id)
{
	bool found = false;

	for (int kind = 0; kind <= ORDER_OF_MESSAGE; kind++) {
		struct order like = {.kind = (enum order_kind)kind, .id = id};

		if (order_set_remove(set, &like))
			found = true;
	}
	return found;
}

const struct order *
order_set_next(const struct order_set *set, uint64_t *number)
{
	size_t low = 0, high = set->used;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->entries[middle].number <= *number)
			low = middle + 1;
		else
			high = middle;
	}
	while (low < set->used && set->entries[low].gone)
		low++;
	if (low == set->used)
		return NULL;
	*number = set->entries[low].number;
	return &set->entries[low].order;
}

void
order_set_free(struct order_set *set)
{
	for (size_t i = 0; i < set->used; i++)
		free((char *)(uintptr_t)set->entries[i].order.key.s);
	free(set->entries);
	free(set->hash);
	*set = (struct order_set)ORDER_SET_INIT;
}

/* ---- questions ---------------------------------------------------------- */

bool
order_set_has_message(
    const struct order_set *set, enum order_kind kind, uint64_t id)
{
	struct order like = {.kind = kind, .id = id};

	return order_set_find(set, &like) != NULL;
}

static bool
has_key(const struct order_set *set, enum order_kind kind, struct span key)
{
	struct order like = {.kind = kind, .key = key};

	return order_set_find(set, &like) != NULL;
}

bool
order_set_holds_channel(const struct order_set *set, const char *name)
{
	return has_key(set, ORDER_HOLD_CHANNEL, span_of(name));
}

bool
order_set_holds_import(const struct order_set *set, struct span origin)
{
	return set->of_kind[ORDER_HOLD_IMPORT] > 0 && origin.len > 0 &&
	    has_key(set, ORDER_HOLD_IMPORT, queue_origin_key(origin));
}

bool
order_set_holds_recipient(const struct order_set *set, struct span recipient)
{
	struct span domain;

	if (set->of_kind[ORDER_HOLD_DOMAIN] == 0)
		return false;
	domain = address_domain(recipient);
	if (domain.len == 0)
		return false;
	if (domain.len <= ORDER_KEY_MAX &&
	    has_key(set, ORDER_HOLD_DOMAIN, domain))
		return true;
	for (size_t i = 1; i < domain.len; i++) {
		if (domain.s[i] == '.' && domain.len - i <= ORDER_KEY_MAX &&
		    has_key(set, ORDER_HOLD_DOMAIN, span_from(domain, i)))
			return true;
	}
	return false;
}

/* ---- the file ----------------------------------------------------------- */

void
order_set_write(const struct order_set *set, struct str *to)
{
	size_t start = to->len;

	for (size_t i = 0; i < set->used; i++) {
		if (set->entries[i].gone)
			continue;
		order_append(to, &set->entries[i].order);
		str_append_char(to, '\n');
	}
	str_append_format(to, "end %08lx\n",
	    (unsigned long)crc32c(0, to->s + start, to->len - start));
}

static bool
is_whole(struct span file)
{
	char want[TRAILER_BYTES + 1];
	size_t len;

	if (file.len < TRAILER_BYTES)
		return false;
	len = file.len - TRAILER_BYTES;
	(void)snprintf(want, sizeof(want), "end %08lx\n",
	    (unsigned long)crc32c(0, file.s, len));
	return memcmp(file.s + len, want, TRAILER_BYTES) == 0;
}

/* Takes the next line off *file. 1; 0 at the end; -1 if it is no order, or has
   no end. */
static int
next_order(struct span *file, struct order *order)
{
	size_t end = span_find(*file, '\n');
	struct span line = *file;

	if (file->len == 0)
		return 0;
	if (end == SPAN_NONE) {
		*file = span_from(*file, file->len);
		return -1;
	}
	line = span_until(line, end);
	*file = span_from(*file, end + 1);
	return order_parse(line, order) == -1 ? -1 : 1;
}

static bool
is_sound(struct span file)
{
	struct order order;
	int got;

	while ((got = next_order(&file, &order)) == 1)
		continue;
	return got == 0;
}

int
order_set_read(struct order_set *set, struct span file)
{
	bool whole = is_whole(file), damaged;
	struct order order;
	int got;

	if (whole)
		file = span_until(file, file.len - TRAILER_BYTES);
	damaged = !whole || !is_sound(file);
	while ((got = next_order(&file, &order)) != 0) {
		/* what may be wrong must do nothing that cannot be undone */
		if (got == -1 ||
		    (damaged &&
			(order.kind == ORDER_EXPIRE ||
			    order.kind == ORDER_REMOVE)))
			continue;
		if (order_set_add(set, &order) != -1)
			continue;
		if (errno != EDQUOT)
			return -2;
		damaged = true;
	}
	return damaged ? -1 : 0;
}

#include "base/cdb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/pack.h"

enum {
	TABLES = 256,
	HEADER_BYTES = TABLES * 8,
	PAIR_BYTES = 8,
	BUFFER_BYTES = 64 * 1024,
};

uint32_t
cdb_hash(struct span key)
{
	uint32_t hash = 5381;

	for (size_t i = 0; i < key.len; i++)
		hash = ((hash << 5) + hash) ^ (unsigned char)key.s[i];
	return hash;
}

int
cdb_open(struct cdb *cdb, int fd)
{
	struct stat info;

	if (fstat(fd, &info) == -1)
		return -1;
	if (info.st_size < HEADER_BYTES) {
		errno = EINVAL;
		return -1;
	}
	cdb->fd = fd;
	cdb->size_bytes = (uint64_t)info.st_size;
	return 0;
}

/* Exactly len bytes at position; past the end is corruption. */
static int
read_at(const struct cdb *cdb, uint64_t position, char *buf, size_t len)
{
	if (position > cdb->size_bytes || len > cdb->size_bytes - position) {
		errno = EINVAL;
		return -1;
	}
	while (len > 0) {
		ssize_t got = pread(cdb->fd, buf, len, (off_t)position);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0) { /* it shrank */
			errno = EINVAL;
			return -1;
		}
		buf += got;
		len -= (size_t)got;
		position += (uint64_t)got;
	}
	return 0;
}

/* Compares piece by piece: a key may be longer than any buffer of ours. */
static int
key_matches(const struct cdb *cdb, uint64_t position, struct span key)
{
	char piece[256];

	while (key.len > 0) {
		size_t len = key.len < sizeof(piece) ? key.len : sizeof(piece);

		if (read_at(cdb, position, piece, len) == -1)
			return -1;
		if (memcmp(piece, key.s, len) != 0)
			return 0;
		position += len;
		key = span_from(key, len);
	}
	return 1;
}

/* The record at position: 1 and its value if it has this key, 0, -1. */
static int
read_record(
    const struct cdb *cdb, uint64_t position, struct span key, struct str *data)
{
	char lengths[PAIR_BYTES];
	size_t data_len;
	int match;

	if (read_at(cdb, position, lengths, sizeof(lengths)) == -1)
		return -1;
	if (unpack_u32(lengths) != key.len)
		return 0;
	match = key_matches(cdb, position + PAIR_BYTES, key);
	if (match != 1)
		return match;
	data_len = unpack_u32(lengths + 4);
	if (data_len > CDB_DATA_MAX) {
		errno = EFBIG;
		return -1;
	}
	str_clear(data);
	if (str_try_reserve(data, data_len) == -1 ||
	    read_at(cdb, position + PAIR_BYTES + key.len, data->s, data_len) ==
		-1)
		return -1;
	data->len = data_len;
	if (data->size > 0)
		data->s[data_len] = '\0';
	return 1;
}

int
cdb_find(const struct cdb *cdb, struct span key, struct str *data)
{
	uint32_t hash = cdb_hash(key), slots, slot;
	uint64_t table;
	char pair[PAIR_BYTES];

	if (read_at(cdb, (hash % TABLES) * PAIR_BYTES, pair, sizeof(pair)) ==
	    -1)
		return -1;
	table = unpack_u32(pair);
	slots = unpack_u32(pair + 4);
	if (slots == 0)
		return 0;
	if (table > cdb->size_bytes ||
	    slots > (cdb->size_bytes - table) / PAIR_BYTES) {
		errno = EINVAL;
		return -1;
	}
	slot = (hash >> 8) % slots;
	for (uint32_t tried = 0; tried < slots; tried++) {
		int found;

		if (read_at(cdb, table + (uint64_t)slot * PAIR_BYTES, pair,
			sizeof(pair)) == -1)
			return -1;
		if (unpack_u32(pair + 4) == 0)
			return 0;
		if (unpack_u32(pair) == hash) {
			found =
			    read_record(cdb, unpack_u32(pair + 4), key, data);
			if (found != 0)
				return found;
		}
		slot = slot + 1 == slots ? 0 : slot + 1;
	}
	return 0;
}

void
cdb_writer_open(struct cdb_writer *writer, int fd)
{
	*writer = (struct cdb_writer){.fd = fd, .buffer = STR_INIT};
}

static int
flush(struct cdb_writer *writer)
{
	if (fd_write_all(writer->fd, writer->buffer.s, writer->buffer.len) ==
	    -1)
		return -1;
	str_clear(&writer->buffer);
	return 0;
}

static int
put(struct cdb_writer *writer, const char *bytes, size_t len)
{
	if (len > UINT32_MAX - writer->position) {
		errno = EFBIG;
		return -1;
	}
	if (str_try_append(&writer->buffer, bytes, len) == -1)
		return -1;
	writer->position += len;
	return writer->buffer.len >= BUFFER_BYTES ? flush(writer) : 0;
}

static int
put_pair(struct cdb_writer *writer, uint32_t first, uint32_t second)
{
	char pair[PAIR_BYTES];

	pack_u32(pair, first);
	pack_u32(pair + 4, second);
	return put(writer, pair, sizeof(pair));
}

/* The header comes last; until then zeros hold its place. */
static int
put_room_for_header(struct cdb_writer *writer)
{
	static const char zeros[HEADER_BYTES];

	return put(writer, zeros, sizeof(zeros));
}

int
cdb_writer_add(struct cdb_writer *writer, struct span key, struct span data)
{
	if (writer->position == 0 && put_room_for_header(writer) == -1)
		return -1;
	if (key.len > UINT32_MAX || data.len > UINT32_MAX) {
		errno = EFBIG;
		return -1;
	}
	if (writer->count == writer->room) {
		size_t room = writer->room == 0 ? 256 : writer->room * 2;
		struct cdb_slot *slots =
		    mem_try_resize(writer->slots, room, sizeof(*writer->slots));

		if (slots == NULL)
			return -1;
		writer->slots = slots;
		writer->room = room;
	}
	writer->slots[writer->count++] =
	    (struct cdb_slot){cdb_hash(key), (uint32_t)writer->position};
	if (put_pair(writer, (uint32_t)key.len, (uint32_t)data.len) == -1 ||
	    put(writer, key.s, key.len) == -1 ||
	    put(writer, data.s, data.len) == -1)
		return -1;
	return 0;
}

/* Sorts the slots by table; records of one table stay in their order. */
static struct cdb_slot *
sort_by_table(const struct cdb_writer *writer, uint32_t starts[TABLES + 1])
{
	struct cdb_slot *sorted =
	    mem_try_alloc(writer->count + 1, sizeof(*sorted));
	uint32_t next[TABLES];

	if (sorted == NULL)
		return NULL;
	memset(starts, 0, (TABLES + 1) * sizeof(*starts));
	for (size_t i = 0; i < writer->count; i++)
		starts[writer->slots[i].hash % TABLES + 1]++;
	for (size_t i = 0; i < TABLES; i++) {
		starts[i + 1] += starts[i];
		next[i] = starts[i];
	}
	for (size_t i = 0; i < writer->count; i++)
		sorted[next[writer->slots[i].hash % TABLES]++] =
		    writer->slots[i];
	return sorted;
}

/* One hash table, twice as many slots as entries, probed linearly. */
static int
put_table(
    struct cdb_writer *writer, const struct cdb_slot *entries, uint32_t count)
{
	uint32_t slots = count * 2;
	struct cdb_slot *table;
	int result = 0;

	if (count == 0)
		return 0;
	table = mem_try_alloc(slots, sizeof(*table));
	if (table == NULL)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = (entries[i].hash >> 8) % slots;

		while (table[slot].position != 0)
			slot = slot + 1 == slots ? 0 : slot + 1;
		table[slot] = entries[i];
	}
	for (uint32_t i = 0; i < slots && result == 0; i++)
		result = put_pair(writer, table[i].hash, table[i].position);
	free(table);
	return result;
}

int
cdb_writer_finish(struct cdb_writer *writer)
{
	uint32_t starts[TABLES + 1];
	struct cdb_slot *sorted = NULL;
	char header[HEADER_BYTES];
	int result = -1;

	if (writer->position == 0 && put_room_for_header(writer) == -1)
		goto fail;
	sorted = sort_by_table(writer, starts);
	if (sorted == NULL)
		goto fail;
	for (size_t i = 0; i < TABLES; i++) {
		uint32_t count = starts[i + 1] - starts[i];

		pack_u32(header + i * PAIR_BYTES, (uint32_t)writer->position);
		pack_u32(header + i * PAIR_BYTES + 4, count * 2);
		if (put_table(writer, sorted + starts[i], count) == -1)
			goto fail;
	}
	if (flush(writer) == -1 || lseek(writer->fd, 0, SEEK_SET) == -1 ||
	    fd_write_all(writer->fd, header, sizeof(header)) == -1)
		goto fail;
	result = 0;
fail:
	free(sorted);
	return result;
}

void
cdb_writer_free(struct cdb_writer *writer)
{
	free(writer->slots);
	str_free(&writer->buffer);
	writer->slots = NULL;
	writer->count = writer->room = 0;
}

#include "queue/journal_format.h"

#include <assert.h>
#include <string.h>

#include "base/pack.h"

enum {
	HEADER_CRC = 508, /* offset; it covers all before */
	LARGE_HEAD = 24,
	LARGE_ENV_FILE = 1,
	CHANGE_HEAD = 5,
	DAMAGE_MAX = 1000, /* places; then the rest is given up */
};

static const char magic[8] = {'C', 'Q', 'J', 'R', 'N', 'L', '0', '1'};

static size_t
round_up(size_t len, size_t unit)
{
	return (len + unit - 1) / unit * unit;
}

static void
append_zeros(struct str *to, size_t count)
{
	static const char zeros[JOURNAL_SECTOR];

	assert(count <= sizeof(zeros));
	str_append(to, zeros, count);
}

/* ---- segment headers ---------------------------------------------------- */

void
journal_header_encode(
    char sector[JOURNAL_SECTOR], const struct journal_header *header)
{
	memset(sector, 0, JOURNAL_SECTOR);
	memcpy(sector, magic, sizeof(magic));
	pack_u32(sector + 8, header->version);
	pack_u32(sector + 12, header->size_kib);
	pack_u64(sector + 16, header->epoch);
	pack_u64(sector + 24, header->low);
	pack_u64(sector + 32, header->base_id);
	pack_u64(sector + 40, header->time_s);
	pack_u64(sector + 48, header->salt);
	pack_u32(sector + HEADER_CRC, crc32c(0, sector, HEADER_CRC));
}

enum journal_header_state
journal_header_decode(const char *sector, struct journal_header *header)
{
	static const char zeros[JOURNAL_SECTOR];

	if (memcmp(sector, zeros, JOURNAL_SECTOR) == 0)
		return JOURNAL_HEADER_EMPTY;
	/* the last two are digits: another number is another format */
	if (memcmp(sector, magic, sizeof(magic) - 2) == 0 &&
	    memcmp(sector, magic, sizeof(magic)) != 0)
		return JOURNAL_HEADER_NEWER;
	if (memcmp(sector, magic, sizeof(magic)) != 0 ||
	    unpack_u32(sector + HEADER_CRC) != crc32c(0, sector, HEADER_CRC))
		return JOURNAL_HEADER_BAD;
	header->version = unpack_u32(sector + 8);
	if (header->version > JOURNAL_VERSION)
		return JOURNAL_HEADER_NEWER;
	header->size_kib = unpack_u32(sector + 12);
	header->epoch = unpack_u64(sector + 16);
	header->low = unpack_u64(sector + 24);
	header->base_id = unpack_u64(sector + 32);
	header->time_s = unpack_u64(sector + 40);
	header->salt = unpack_u64(sector + 48);
	if (header->version == 0 || header->epoch == 0 ||
	    header->low > header->epoch)
		return JOURNAL_HEADER_BAD;
	return JOURNAL_HEADER_OK;
}

/* ---- records ------------------------------------------------------------ */

size_t
journal_record_size(size_t body_len)
{
	return JOURNAL_RECORD_HEAD + round_up(body_len, 8);
}

void
journal_record_append(struct str *batch, enum journal_type type, uint64_t id,
    const struct span *parts, size_t count)
{
	char head[JOURNAL_RECORD_HEAD] = {0};
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	assert(len <= UINT32_MAX);
	pack_u32(head, (uint32_t)len);
	head[4] = (char)type;
	pack_u64(head + 8, id);
	str_reserve(batch, journal_record_size(len));
	str_append(batch, head, sizeof(head));
	for (size_t i = 0; i < count; i++)
		str_append_span(batch, parts[i]);
	append_zeros(batch, round_up(len, 8) - len);
}

int
journal_record_next(struct span *records, struct journal_record *record)
{
	size_t len, whole;
	unsigned char type;

	if (records->len == 0)
		return 0;
	if (records->len < JOURNAL_RECORD_HEAD)
		return -1;
	len = unpack_u32(records->s);
	whole = journal_record_size(len);
	type = (unsigned char)records->s[4];
	if (whole > records->len || type < JOURNAL_MESSAGE ||
	    type > JOURNAL_SEAL)
		return -1;
	record->type = (enum journal_type)type;
	record->id = unpack_u64(records->s + 8);
	record->body = (struct span){records->s + JOURNAL_RECORD_HEAD, len};
	*records = span_from(*records, whole);
	return 1;
}

int
journal_message_decode(struct span body, struct journal_message *message)
{
	size_t env_len;

	if (body.len < 4)
		return -1;
	env_len = unpack_u32(body.s);
	if (env_len > body.len - 4)
		return -1;
	message->env = (struct span){body.s + 4, env_len};
	message->mess = span_from(body, 4 + env_len);
	return 0;
}

void
journal_large_append(
    struct str *batch, uint64_t id, const struct journal_large *large)
{
	char head[LARGE_HEAD];
	struct span parts[4] = {{head, sizeof(head)}, large->head,
	    large->env_head, large->env_tail};

	pack_u64(head, large->number);
	pack_u32(head + 8, large->env_file ? LARGE_ENV_FILE : 0);
	pack_u32(head + 12, (uint32_t)large->head.len);
	pack_u32(head + 16, (uint32_t)large->env_head.len);
	pack_u32(head + 20, (uint32_t)large->env_tail.len);
	journal_record_append(batch, JOURNAL_LARGE, id, parts, COUNT(parts));
}

int
journal_large_decode(struct span body, struct journal_large *large)
{
	uint64_t head_len, env_len, tail_len;
	uint32_t flags;

	if (body.len < LARGE_HEAD)
		return -1;
	large->number = unpack_u64(body.s);
	flags = unpack_u32(body.s + 8);
	head_len = unpack_u32(body.s + 12);
	env_len = unpack_u32(body.s + 16);
	tail_len = unpack_u32(body.s + 20);
	body = span_from(body, LARGE_HEAD);
	if (flags > LARGE_ENV_FILE || head_len + env_len + tail_len != body.len)
		return -1;
	large->env_file = flags == LARGE_ENV_FILE;
	large->head = span_until(body, (size_t)head_len);
	body = span_from(body, (size_t)head_len);
	large->env_head = span_until(body, (size_t)env_len);
	large->env_tail = span_from(body, (size_t)env_len);
	return 0;
}

void
journal_change_append(struct str *batch, enum journal_type type, uint64_t id,
    const struct journal_change *change)
{
	char head[CHANGE_HEAD];
	struct span parts[2] = {{head, sizeof(head)}, change->text};

	pack_u32(head, change->index);
	head[4] = change->first ? 1 : 0;
	journal_record_append(
	    batch, type, id, parts, type == JOURNAL_FAILED ? 2 : 1);
}

int
journal_change_decode(
    const struct journal_record *record, struct journal_change *change)
{
	struct span body = record->body;

	if (body.len < CHANGE_HEAD || (unsigned char)body.s[4] > 1)
		return -1;
	if (record->type == JOURNAL_DONE && body.len != CHANGE_HEAD)
		return -1;
	change->index = unpack_u32(body.s);
	change->first = body.s[4] == 1;
	change->text = span_from(body, CHANGE_HEAD);
	return 0;
}

void
journal_checkpoint_append(struct str *batch, uint64_t low)
{
	char body[8];
	struct span part = {body, sizeof(body)};

	pack_u64(body, low);
	journal_record_append(batch, JOURNAL_CHECKPOINT, 0, &part, 1);
}

int
journal_checkpoint_decode(struct span body, uint64_t *low)
{
	if (body.len != 8)
		return -1;
	*low = unpack_u64(body.s);
	return 0;
}

/* ---- batches ------------------------------------------------------------ */

void
journal_batch_begin(struct str *batch)
{
	append_zeros(batch, JOURNAL_BATCH_HEAD);
}

size_t
journal_batch_size(size_t records_len)
{
	return round_up(JOURNAL_BATCH_HEAD + records_len, JOURNAL_SECTOR);
}

static uint32_t
batch_crc(const char *batch, size_t records_len, uint64_t salt)
{
	return crc32c(
	    (uint32_t)salt, batch + 4, JOURNAL_BATCH_HEAD - 4 + records_len);
}

void
journal_batch_finish(struct str *batch, size_t start,
    const struct journal_header *header, uint32_t number)
{
	size_t len = batch->len - start - JOURNAL_BATCH_HEAD;
	char *head = batch->s + start;

	assert(len <= UINT32_MAX);
	pack_u32(head + 4, (uint32_t)len);
	pack_u64(head + 8, header->epoch);
	pack_u32(head + 16, number);
	pack_u32(head + 20, (uint32_t)(header->salt >> 32));
	pack_u32(head, batch_crc(head, len, header->salt));
	append_zeros(batch, start + journal_batch_size(len) - batch->len);
}

/* ---- reading a segment -------------------------------------------------- */

enum journal_header_state
journal_scan_begin(struct journal_scan *scan, struct span segment)
{
	*scan = (struct journal_scan){.segment = segment, .at = JOURNAL_SECTOR};
	if (segment.len < JOURNAL_SECTOR)
		return JOURNAL_HEADER_BAD;
	return journal_header_decode(segment.s, &scan->header);
}

/* The batch at offset at, if there is a valid one of this use. */
static bool
batch_at(const struct journal_scan *scan, size_t at, uint32_t *number,
    struct span *records)
{
	struct span rest = span_from(scan->segment, at);
	size_t len;

	if (rest.len < JOURNAL_BATCH_HEAD ||
	    unpack_u64(rest.s + 8) != scan->header.epoch ||
	    unpack_u32(rest.s + 20) != (uint32_t)(scan->header.salt >> 32))
		return false;
	len = unpack_u32(rest.s + 4);
	if (len > rest.len - JOURNAL_BATCH_HEAD ||
	    unpack_u32(rest.s) != batch_crc(rest.s, len, scan->header.salt))
		return false;
	*number = unpack_u32(rest.s + 16);
	*records = (struct span){rest.s + JOURNAL_BATCH_HEAD, len};
	return true;
}

static bool
ends_with_seal(struct span records)
{
	struct journal_record record = {.type = JOURNAL_MESSAGE};

	while (journal_record_next(&records, &record) == 1)
		continue;
	return record.type == JOURNAL_SEAL;
}

int
journal_scan_batch(struct journal_scan *scan, struct span *records)
{
	uint32_t number = 0;
	size_t at = scan->at;

	if (at > scan->segment.len || scan->skipped >= DAMAGE_MAX)
		return 0;
	for (;; at += JOURNAL_SECTOR) {
		if (at > scan->segment.len - JOURNAL_BATCH_HEAD)
			return 0; /* nothing behind: it was torn, or the end */
		if (batch_at(scan, at, &number, records) &&
		    number >= scan->number)
			break;
	}
	if (at != scan->at || number != scan->number)
		scan->skipped++;
	scan->at = at + journal_batch_size(records->len);
	scan->number = number + 1;
	scan->sealed = ends_with_seal(*records);
	return 1;
}

/*
 * Records of every type, from pieces of the input, in batches of one segment:
 * all that was written is read, in its order; and after one byte of it was
 * changed nothing is read that was not written.
 */
#include "../fuzz.h"

#include "queue/journal_format.h"

enum {
	RECORDS_MAX = 64,
};

struct wrote {
	enum journal_type type;
	uint64_t id;
	struct str body;
};

static struct wrote wrote[RECORDS_MAX];
static size_t wrote_count;

/* Appends a record of any type and remembers its body as it lies there. */
static void
write_record(struct str *batch, struct span *input)
{
	unsigned char type = fuzz_byte(input) % 7 + 1;
	uint64_t id = fuzz_byte(input);
	struct span part = fuzz_some(input, fuzz_byte(input));
	struct journal_change change = {
	    .index = (uint32_t)part.len, .first = id & 1, .text = part};
	struct journal_large large = {.number = id,
	    .env_file = id & 1,
	    .head = part,
	    .env_head = part,
	    .env_tail = part};
	struct span records, env[3] = {{"\3\0\0", 4}, {"env", 3}, part};
	struct journal_record record;
	size_t start = batch->len;

	switch (type) {
	case JOURNAL_DONE:
	case JOURNAL_FAILED:
		journal_change_append(
		    batch, (enum journal_type)type, id, &change);
		break;
	case JOURNAL_LARGE:
		journal_large_append(batch, id, &large);
		break;
	case JOURNAL_CHECKPOINT:
		journal_checkpoint_append(batch, id);
		break;
	default:
		journal_record_append(batch, (enum journal_type)type, id, env,
		    type == JOURNAL_MESSAGE ? 3 : 0);
	}
	records = span_from(str_span(batch), start);
	require(journal_record_next(&records, &record) == 1);
	require(records.len == 0 && record.type == (enum journal_type)type);
	wrote[wrote_count] = (struct wrote){record.type, record.id, STR_INIT};
	str_copy(&wrote[wrote_count++].body, record.body);
}

static void
check_body(const struct journal_record *record)
{
	struct journal_message message;
	struct journal_change change;
	struct journal_large large;
	uint64_t low;

	switch (record->type) {
	case JOURNAL_MESSAGE:
		require(journal_message_decode(record->body, &message) == 0);
		require(span_is(message.env, "env"));
		break;
	case JOURNAL_LARGE:
		require(journal_large_decode(record->body, &large) == 0);
		require(span_equal(large.head, large.env_head) &&
		    span_equal(large.head, large.env_tail) &&
		    large.number == record->id &&
		    large.env_file == (record->id & 1));
		break;
	case JOURNAL_DONE:
	case JOURNAL_FAILED:
		require(journal_change_decode(record, &change) == 0);
		require(record->type == JOURNAL_DONE ||
		    change.index == change.text.len);
		break;
	case JOURNAL_CHECKPOINT:
		require(journal_checkpoint_decode(record->body, &low) == 0);
		break;
	default:
		require(record->body.len == 0);
	}
}

/* Reads the segment; how many records came, all of which were written, in
   their order. */
static size_t
read_all(struct span segment)
{
	struct journal_record record;
	struct journal_scan scan;
	struct span records;
	size_t at = 0, count = 0;

	if (journal_scan_begin(&scan, segment) != JOURNAL_HEADER_OK)
		return 0;
	while (journal_scan_batch(&scan, &records) == 1) {
		while (journal_record_next(&records, &record) == 1) {
			while (at < wrote_count &&
			    (wrote[at].type != record.type ||
				wrote[at].id != record.id ||
				!span_equal(
				    str_span(&wrote[at].body), record.body)))
				at++;
			require(at < wrote_count);
			at++;
			count++;
			check_body(&record);
		}
		require(records.len == 0);
	}
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct journal_header header = {.version = JOURNAL_VERSION,
	    .size_kib = 64,
	    .epoch = 3,
	    .low = 1,
	    .base_id = 1};
	struct str segment = STR_INIT;
	char sector[JOURNAL_SECTOR];
	size_t place, whole;
	uint32_t number = 0;
	char change;

	header.salt = fuzz_number(&input);
	place = (size_t)(fuzz_number(&input) >> 44);
	change = (char)fuzz_byte(&input);
	journal_header_encode(sector, &header);
	str_append(&segment, sector, sizeof(sector));
	while (input.len > 0 && wrote_count < RECORDS_MAX) {
		size_t start = segment.len;
		unsigned count = fuzz_byte(&input) % 4;

		journal_batch_begin(&segment);
		while (
		    count-- > 0 && input.len > 0 && wrote_count < RECORDS_MAX)
			write_record(&segment, &input);
		journal_batch_finish(&segment, start, &header, number++);
	}
	require(segment.len % JOURNAL_SECTOR == 0);
	whole = read_all(str_span(&segment));
	require(whole == wrote_count);
	segment.s[place % segment.len] ^= change;
	require(read_all(str_span(&segment)) <= whole);
	/* and cut anywhere */
	require(read_all(span_until(str_span(&segment), place % segment.len)) <=
	    whole);
	for (size_t i = 0; i < wrote_count; i++)
		str_free(&wrote[i].body);
	wrote_count = 0;
	str_free(&segment);
	return 0;
}

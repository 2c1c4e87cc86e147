/*
 * A journal of up to three segments of any bytes: cut at the first bytes that
 * say so, with every checksum mended, so that the records are reached.
 */
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "queue/journal_format.h"
#include "queue/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Puts right checksums on the header and on what could be batches. */
static void
mend(struct str *segment)
{
	struct journal_header header;

	if (segment->len < JOURNAL_SECTOR)
		return;
	memcpy(segment->s, "CQJRNL01", 8);
	pack_u32(segment->s + 508, crc32c(0, segment->s, 508));
	if (journal_header_decode(segment->s, &header) != JOURNAL_HEADER_OK)
		return;
	for (size_t at = JOURNAL_SECTOR;
	     at + JOURNAL_BATCH_HEAD <= segment->len; at += JOURNAL_SECTOR) {
		char *batch = segment->s + at;
		size_t len = unpack_u32(batch + 4);

		if (len > segment->len - at - JOURNAL_BATCH_HEAD)
			continue;
		pack_u64(batch + 8, header.epoch);
		pack_u32(batch + 20, (uint32_t)(header.salt >> 32));
		pack_u32(batch,
		    crc32c((uint32_t)header.salt, batch + 4,
			JOURNAL_BATCH_HEAD - 4 + len));
	}
}

/* What recovery would take apart. */
static void
walk(const struct replay *replay)
{
	struct journal_message message;
	struct journal_change change;
	struct journal_large large;
	size_t sum = 0;

	for (size_t i = 0; i < replay->record_count; i++) {
		const struct journal_record *record =
		    &replay->records[i].record;

		if (i > 0 && record->id < replay->records[i - 1].record.id)
			abort();
		if (journal_message_decode(record->body, &message) == 0)
			sum += crc32c(0, message.env.s, message.env.len) +
			    crc32c(0, message.mess.s, message.mess.len);
		if (journal_large_decode(record->body, &large) == 0)
			sum += crc32c(0, large.head.s, large.head.len) +
			    crc32c(0, large.env_head.s, large.env_head.len) +
			    crc32c(0, large.env_tail.s, large.env_tail.len);
		if (journal_change_decode(record, &change) == 0)
			sum += crc32c(0, change.text.s, change.text.len);
	}
	if (sum == 1)
		abort(); /* never: keeps the reads above */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct replay replay = REPLAY_INIT;
	struct span rest = {(const char *)data, size};

	for (size_t slot = 0; slot < 3 && rest.len >= 2; slot++) {
		struct str segment = STR_INIT;
		size_t len = ((size_t)(unsigned char)rest.s[0] + 1) * 512;
		bool mended = rest.s[1] & 1;

		rest = span_from(rest, 2);
		if (len > rest.len)
			len = rest.len;
		str_append_span(&segment, span_until(rest, len));
		rest = span_from(rest, len);
		if (mended)
			mend(&segment);
		replay_add(&replay, slot, &segment);
	}
	if (replay_find_newer(&replay) == SPAN_NONE) {
		replay_run(&replay);
		walk(&replay);
	}
	replay_free(&replay);
	return 0;
}

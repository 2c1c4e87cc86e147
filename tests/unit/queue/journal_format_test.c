/* headers, records and batches: round trips, stale, torn and damaged ones */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/pack.h"
#include "queue/journal_format.h"

enum {
	SEGMENT = 16 * 1024,
};

static const struct journal_header header = {.version = JOURNAL_VERSION,
    .size_kib = 16,
    .epoch = 7,
    .low = 5,
    .base_id = 1000,
    .time_s = 1795373134,
    .salt = 0x1122334455667788};

static void
headers_come_back(void **state)
{
	char sector[JOURNAL_SECTOR];
	struct journal_header got;

	(void)state;
	journal_header_encode(sector, &header);
	assert_int_equal(
	    journal_header_decode(sector, &got), JOURNAL_HEADER_OK);
	assert_memory_equal(&got, &header, sizeof(got));
	for (size_t i = 0; i < JOURNAL_SECTOR; i++) {
		sector[i] ^= 4;
		assert_int_not_equal(
		    journal_header_decode(sector, &got), JOURNAL_HEADER_OK);
		sector[i] ^= 4;
	}
	memset(sector, 0, sizeof(sector));
	assert_int_equal(
	    journal_header_decode(sector, &got), JOURNAL_HEADER_EMPTY);
}

static void
later_versions_are_seen(void **state)
{
	struct journal_header later = header, got;
	char sector[JOURNAL_SECTOR];

	(void)state;
	later.version = JOURNAL_VERSION + 1;
	journal_header_encode(sector, &later);
	assert_int_equal(
	    journal_header_decode(sector, &got), JOURNAL_HEADER_NEWER);
	journal_header_encode(sector, &header);
	sector[7] = '2';
	assert_int_equal(
	    journal_header_decode(sector, &got), JOURNAL_HEADER_NEWER);
}

static void
records_come_back(void **state)
{
	struct journal_large large = {.number = 9,
	    .env_file = true,
	    .head = SPAN_LITERAL("Received"),
	    .env_head = SPAN_LITERAL("v1"),
	    .env_tail = SPAN_LITERAL("C0")};
	struct journal_change change = {.index = 3, .first = true};
	struct journal_record record;
	struct str batch = STR_INIT;
	struct span records;
	uint64_t low;

	(void)state;
	journal_large_append(&batch, 11, &large);
	journal_change_append(&batch, JOURNAL_DONE, 12, &change);
	change.text = SPAN_LITERAL("no\n");
	journal_change_append(&batch, JOURNAL_FAILED, 13, &change);
	journal_checkpoint_append(&batch, 6);
	assert_int_equal(batch.len % 8, 0);
	records = str_span(&batch);
	memset(&large, 0, sizeof(large));
	assert_int_equal(journal_record_next(&records, &record), 1);
	assert_int_equal(record.id, 11);
	assert_int_equal(journal_large_decode(record.body, &large), 0);
	assert_int_equal(large.number, 9);
	assert_true(large.env_file && span_is(large.head, "Received") &&
	    span_is(large.env_head, "v1") && span_is(large.env_tail, "C0"));
	assert_int_equal(journal_record_next(&records, &record), 1);
	assert_int_equal(journal_change_decode(&record, &change), 0);
	assert_true(record.type == JOURNAL_DONE && change.index == 3 &&
	    change.first && change.text.len == 0);
	assert_int_equal(journal_record_next(&records, &record), 1);
	assert_int_equal(journal_change_decode(&record, &change), 0);
	assert_true(span_is(change.text, "no\n"));
	assert_int_equal(journal_record_next(&records, &record), 1);
	assert_int_equal(journal_checkpoint_decode(record.body, &low), 0);
	assert_int_equal(low, 6);
	assert_int_equal(journal_record_next(&records, &record), 0);
	str_free(&batch);
}

/* ---- segments ---- */

/* Appends a batch with one RETIRED record to a segment under construction. */
static void
add_batch(struct str *segment, uint64_t id, uint32_t number, bool seal)
{
	size_t start = segment->len;

	journal_batch_begin(segment);
	journal_record_append(segment, JOURNAL_RETIRED, id, NULL, 0);
	if (seal)
		journal_record_append(segment, JOURNAL_SEAL, 0, NULL, 0);
	journal_batch_finish(segment, start, &header, number);
	assert_int_equal(segment->len % JOURNAL_SECTOR, 0);
}

static void
make_segment(struct str *segment, uint32_t batches)
{
	char sector[JOURNAL_SECTOR];

	str_clear(segment);
	journal_header_encode(sector, &header);
	str_append(segment, sector, sizeof(sector));
	for (uint32_t i = 0; i < batches; i++)
		add_batch(segment, 100 + i, i, false);
	while (segment->len < SEGMENT)
		str_append_char(segment, '\0');
}

/* The ids that a scan finds, as text. */
static void
scan_all(const struct str *segment, struct str *ids, struct journal_scan *scan)
{
	struct journal_record record;
	struct span records;

	str_clear(ids);
	assert_int_equal(
	    journal_scan_begin(scan, str_span(segment)), JOURNAL_HEADER_OK);
	while (journal_scan_batch(scan, &records) == 1) {
		while (journal_record_next(&records, &record) == 1)
			str_append_format(
			    ids, "%llu ", (unsigned long long)record.id);
	}
}

static void
whole_segments_are_read(void **state)
{
	struct str segment = STR_INIT, ids = STR_INIT;
	struct journal_scan scan;

	(void)state;
	make_segment(&segment, 3);
	scan_all(&segment, &ids, &scan);
	assert_string_equal(ids.s, "100 101 102 ");
	assert_true(scan.skipped == 0 && !scan.sealed);
	make_segment(&segment, 0);
	scan_all(&segment, &ids, &scan);
	assert_string_equal(ids.s, "");
	str_truncate(&segment, JOURNAL_SECTOR);
	add_batch(&segment, 5, 0, true);
	scan_all(&segment, &ids, &scan);
	assert_string_equal(ids.s, "5 0 ");
	assert_true(scan.sealed);
	str_free(&segment);
	str_free(&ids);
}

static void
the_last_batch_may_be_torn_anywhere(void **state)
{
	struct str segment = STR_INIT, ids = STR_INIT;
	struct journal_scan scan;

	(void)state;
	/* what is left of the batch are its first cut bytes */
	for (size_t cut = 0; cut < JOURNAL_BATCH_HEAD + JOURNAL_RECORD_HEAD;
	     cut++) {
		make_segment(&segment, 3);
		memset(segment.s + JOURNAL_SECTOR * 3 + cut, 0,
		    JOURNAL_SECTOR - cut);
		scan_all(&segment, &ids, &scan);
		/* the record ends with zeros: some cuts change nothing */
		if (strcmp(ids.s, "100 101 102 ") != 0)
			assert_string_equal(ids.s, "100 101 ");
		assert_int_equal(scan.skipped, 0);
	}
	str_free(&segment);
	str_free(&ids);
}

static void
a_damaged_batch_is_stepped_over(void **state)
{
	struct str segment = STR_INIT, ids = STR_INIT;
	struct journal_scan scan;

	(void)state;
	make_segment(&segment, 4);
	segment.s[JOURNAL_SECTOR * 2 + 33] ^= 1;
	scan_all(&segment, &ids, &scan);
	assert_string_equal(ids.s, "100 102 103 ");
	assert_int_equal(scan.skipped, 1);
	str_free(&segment);
	str_free(&ids);
}

static void
what_a_former_use_left_is_not_read(void **state)
{
	struct journal_header other = header;
	struct str segment = STR_INIT, ids = STR_INIT;
	struct journal_scan scan;
	char sector[JOURNAL_SECTOR];

	(void)state;
	make_segment(&segment, 4);
	other.epoch++;
	other.salt++;
	journal_header_encode(sector, &other);
	memcpy(segment.s, sector, sizeof(sector));
	scan_all(&segment, &ids, &scan);
	assert_string_equal(ids.s, "");
	/* the same epoch, guessed by somebody who does not know the salt */
	other.epoch = header.epoch;
	journal_header_encode(sector, &other);
	memcpy(segment.s, sector, sizeof(sector));
	scan_all(&segment, &ids, &scan);
	assert_string_equal(ids.s, "");
	str_free(&segment);
	str_free(&ids);
}

static void
odd_lengths_are_harmless(void **state)
{
	struct str segment = STR_INIT, ids = STR_INIT;
	struct journal_scan scan;

	(void)state;
	for (size_t len = 0; len < 2000; len += 13) {
		make_segment(&segment, 4);
		str_truncate(&segment, len);
		if (len < JOURNAL_SECTOR) {
			assert_int_equal(
			    journal_scan_begin(&scan, str_span(&segment)),
			    JOURNAL_HEADER_BAD);
			continue;
		}
		scan_all(&segment, &ids, &scan);
	}
	str_free(&segment);
	str_free(&ids);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headers_come_back),
	    cmocka_unit_test(later_versions_are_seen),
	    cmocka_unit_test(records_come_back),
	    cmocka_unit_test(whole_segments_are_read),
	    cmocka_unit_test(the_last_batch_may_be_torn_anywhere),
	    cmocka_unit_test(a_damaged_batch_is_stepped_over),
	    cmocka_unit_test(what_a_former_use_left_is_not_read),
	    cmocka_unit_test(odd_lengths_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

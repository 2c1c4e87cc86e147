#include "queue/replay.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/mem.h"
#include "base/num.h"
#include "queue/journal.h"

void
replay_add(struct replay *replay, size_t slot, struct str *bytes)
{
	struct replay_segment *segment;
	struct journal_scan scan;

	replay->segments = mem_resize(replay->segments,
	    replay->segment_count + 1, sizeof(*replay->segments));
	segment = &replay->segments[replay->segment_count++];
	*segment = (struct replay_segment){.slot = slot, .bytes = *bytes};
	*bytes = (struct str)STR_INIT;
	segment->state = journal_scan_begin(&scan, str_span(&segment->bytes));
	segment->header = scan.header;
}

/* A file of journal/; others than segments are not looked at. */
static int
load_file(struct replay *replay, const char *name)
{
	struct str path = STR_INIT, bytes = STR_INIT;
	uint64_t slot;
	int result = 0;

	if (num_parse_u64(span_of(name), &slot) == -1 ||
	    slot >= JOURNAL_SLOTS_MAX)
		return 0;
	journal_slot_path(&path, (size_t)slot);
	if (strcmp(path.s + strlen("journal/"), name) == 0)
		result =
		    file_read(path.s, JOURNAL_KIB_MAX * (size_t)1024, &bytes);
	if (result == 0 && bytes.len > 0)
		replay_add(replay, (size_t)slot, &bytes);
	str_free(&path);
	str_free(&bytes);
	return result;
}

int
replay_load(struct replay *replay)
{
	DIR *dir = opendir("journal");
	struct dirent *entry;
	int result = 0;

	if (dir == NULL)
		return -1;
	while (result == 0) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			result = errno == 0 ? 0 : -1;
			break;
		}
		result = load_file(replay, entry->d_name);
	}
	(void)closedir(dir); /* was only read */
	return result;
}

size_t
replay_find_newer(const struct replay *replay)
{
	for (size_t i = 0; i < replay->segment_count; i++) {
		if (replay->segments[i].state == JOURNAL_HEADER_NEWER)
			return replay->segments[i].slot;
	}
	return SPAN_NONE;
}

/* ---- which segments are live -------------------------------------------- */

static int
compare_segments(const void *a, const void *b)
{
	const struct replay_segment *x = a, *y = b;

	if (x->header.epoch != y->header.epoch)
		return x->header.epoch < y->header.epoch ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* Raises low by the CHECKPOINT records of a segment. */
static void
find_checkpoints(struct replay *replay, const struct replay_segment *segment)
{
	struct journal_record record;
	struct journal_scan scan;
	struct span records;
	uint64_t low;

	if (journal_scan_begin(&scan, str_span(&segment->bytes)) !=
	    JOURNAL_HEADER_OK)
		return;
	while (journal_scan_batch(&scan, &records) == 1) {
		while (journal_record_next(&records, &record) == 1) {
			if (record.type == JOURNAL_CHECKPOINT &&
			    journal_checkpoint_decode(record.body, &low) == 0 &&
			    low > replay->low && low <= replay->epoch)
				replay->low = low;
		}
	}
}

static void
find_live(struct replay *replay)
{
	for (size_t i = 0; i < replay->segment_count; i++) {
		const struct replay_segment *s = &replay->segments[i];

		if (s->state != JOURNAL_HEADER_OK)
			continue;
		if (s->header.epoch > replay->epoch)
			replay->epoch = s->header.epoch;
		if (s->header.low > replay->low)
			replay->low = s->header.low;
		if (s->header.base_id > replay->next_id)
			replay->next_id = s->header.base_id;
	}
	for (size_t i = 0; i < replay->segment_count; i++) {
		const struct replay_segment *s = &replay->segments[i];

		if (s->state == JOURNAL_HEADER_OK &&
		    s->header.epoch >= replay->low)
			find_checkpoints(replay, s);
	}
	for (size_t i = 0; i < replay->segment_count; i++) {
		struct replay_segment *s = &replay->segments[i];

		s->live = s->state == JOURNAL_HEADER_OK &&
		    s->header.epoch >= replay->low;
		if (s->live && s->header.base_id < replay->base_id)
			replay->base_id = s->header.base_id;
	}
}

/* ---- what they say ------------------------------------------------------ */

static void
add_record(struct replay *replay, const struct journal_record *record)
{
	if (record->id >= replay->next_id && record->id < UINT64_MAX)
		replay->next_id = record->id + 1;
	if (record->id == 0)
		return;
	if (replay->record_count == replay->record_size) {
		replay->record_size = replay->record_size * 2 + 1024;
		replay->records = mem_resize(replay->records,
		    replay->record_size, sizeof(*replay->records));
	}
	replay->records[replay->record_count] = (struct replay_record){
	    .record = *record, .order = replay->record_count};
	replay->record_count++;
}

/* Adds the records of a segment. True if it is damaged. */
static bool
collect(struct replay *replay, const struct replay_segment *segment)
{
	struct journal_record record;
	struct journal_scan scan;
	struct span records;
	int more = 0;

	if (journal_scan_begin(&scan, str_span(&segment->bytes)) !=
	    JOURNAL_HEADER_OK)
		return true;
	while (journal_scan_batch(&scan, &records) == 1) {
		while ((more = journal_record_next(&records, &record)) == 1)
			add_record(replay, &record);
		if (more == -1)
			scan.skipped++;
	}
	if (scan.skipped > 0)
		warn_plain("queue/journal/%zu is damaged in %zu places; "
			   "what is readable is kept",
		    segment->slot, scan.skipped);
	/* only the newest may end without a word */
	if (scan.sealed || segment->header.epoch == replay->epoch)
		return scan.skipped > 0;
	warn_plain("queue/journal/%zu is damaged: its end is missing; "
		   "what is readable is kept",
	    segment->slot);
	return true;
}

static int
compare_records(const void *a, const void *b)
{
	const struct replay_record *x = a, *y = b;

	if (x->record.id != y->record.id)
		return x->record.id < y->record.id ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void
replay_run(struct replay *replay)
{
	uint64_t expected;

	find_live(replay);
	if (replay->segment_count > 0)
		qsort(replay->segments, replay->segment_count,
		    sizeof(*replay->segments), compare_segments);
	expected = replay->low;
	for (size_t i = 0; i < replay->segment_count; i++) {
		const struct replay_segment *s = &replay->segments[i];

		if (s->state == JOURNAL_HEADER_BAD)
			replay->damaged = true;
		if (!s->live)
			continue;
		if (s->header.epoch != expected) {
			replay->damaged = true;
			warn_plain("queue/journal is damaged: no segment has "
				   "epoch %llu",
			    (unsigned long long)expected);
		}
		expected = s->header.epoch + 1;
		if (collect(replay, s))
			replay->damaged = true;
	}
	if (replay->record_count > 0)
		qsort(replay->records, replay->record_count,
		    sizeof(*replay->records), compare_records);
}

void
replay_free(struct replay *replay)
{
	for (size_t i = 0; i < replay->segment_count; i++)
		str_free(&replay->segments[i].bytes);
	free(replay->segments);
	free(replay->records);
	*replay = (struct replay)REPLAY_INIT;
}

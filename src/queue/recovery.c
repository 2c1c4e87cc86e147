#include "queue/recovery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/mem.h"
#include "queue/changes.h"
#include "queue/inventory.h"
#include "queue/replay.h"
#include "queue/restore.h"
#include "queue/store.h"

/* What the journal says of a message. */
enum {
	STATE_LIVE = 1, /* its files are there, and right */
	STATE_GONE,     /* retired, or damaged and moved away */
};

struct recovery {
	struct ledger *ledger;
	struct replay replay;
	struct inventory inventory;
	struct id_table states;
	bool failed; /* a qmail-clean could not do its work */
	size_t live_count, gone_count, leftover_count, kept_count;
};

/* ---- messages that the journal names ------------------------------------ */

/* Applies the changes among count records of one message. */
static void
redo_changes(const struct replay_record *records, size_t count)
{
	struct change *changes = mem_alloc(count, sizeof(*changes));
	uint64_t id = records[0].record.id;
	size_t used = 0, recipients = 0;

	for (size_t i = 0; i < count; i++) {
		struct change *change = &changes[used];

		change->id = id;
		change->type = records[i].record.type;
		if ((change->type == JOURNAL_DONE ||
			change->type == JOURNAL_FAILED) &&
		    journal_change_decode(&records[i].record, &change->what) ==
			0)
			used++;
	}
	if (used > 0) {
		int found = changes_count_recipients(id, &recipients);

		if (found == -1)
			die_sys("cannot read queue/env of message %llu",
			    (unsigned long long)id);
		if (found == 1 &&
		    changes_apply(changes, used, recipients, true) == -1)
			die_sys("cannot mark recipients of message %llu",
			    (unsigned long long)id);
	}
	free(changes);
}

/* All records of one message, in order; here and below. */
static void
remove_retired(struct recovery *recovery, const struct replay_record *records,
    size_t count)
{
	uint64_t id = records[0].record.id;
	bool retired = false;

	for (size_t i = 0; i < count; i++)
		retired = retired || records[i].record.type == JOURNAL_RETIRED;
	if (!retired)
		return;
	id_table_put(&recovery->states, id, STATE_GONE);
	recovery->gone_count++;
	if (store_remove_all(id) == -1)
		die_sys("cannot remove message %llu", (unsigned long long)id);
}

static void
redo_message(struct recovery *recovery, const struct replay_record *records,
    size_t count)
{
	const struct journal_record *message = NULL;
	uint64_t id = records[0].record.id;
	int whole = 1;

	if (id_table_get(&recovery->states, id) != NULL)
		return; /* retired */
	for (size_t i = 0; i < count; i++) {
		enum journal_type type = records[i].record.type;

		if (type == JOURNAL_MESSAGE || type == JOURNAL_LARGE)
			message = &records[i].record;
	}
	if (message != NULL) {
		whole = restore_message(message);
		if (whole == -1)
			die_sys("cannot restore message %llu",
			    (unsigned long long)id);
		id_table_put(
		    &recovery->states, id, whole ? STATE_LIVE : STATE_GONE);
		recovery->live_count++;
	}
	if (whole == 1)
		redo_changes(records, count);
}

/* Calls take with the records of each message. */
static void
for_each_message(struct recovery *recovery,
    void (*take)(struct recovery *recovery, const struct replay_record *records,
	size_t count))
{
	const struct replay *replay = &recovery->replay;
	size_t start, end;

	for (start = 0; start < replay->record_count; start = end) {
		end = start + 1;
		while (end < replay->record_count &&
		    replay->records[end].record.id ==
			replay->records[start].record.id)
			end++;
		take(recovery, &replay->records[start], end - start);
	}
}

/* Removes, from tmp/, what no record will ask for. */
static void
clear_tmp(const struct recovery *recovery)
{
	const struct replay *replay = &recovery->replay;
	struct id_table needed = ID_TABLE_INIT;

	for (size_t i = 0; i < replay->record_count; i++) {
		struct journal_large large;

		if (replay->records[i].record.type == JOURNAL_LARGE &&
		    journal_large_decode(
			replay->records[i].record.body, &large) == 0 &&
		    large.number != 0)
			id_table_put(&needed, large.number, 1);
	}
	if (inventory_clear_tmp(&needed) == -1)
		die_sys("cannot clear queue/tmp");
	id_table_clear(&needed);
}

/* What makes room on the disk comes before what needs it: it may have been a
   full disk that ended the last run. */
static void
redo_journal(struct recovery *recovery)
{
	for_each_message(recovery, remove_retired);
	if (!recovery->replay.damaged)
		clear_tmp(recovery);
	for_each_message(recovery, redo_message);
}

/* ---- files that it does not name ---------------------------------------- */

/* A message whose record may have been lost: rather twice than never. */
static void
keep_if_whole(struct recovery *recovery, uint64_t id)
{
	int whole = restore_unrecorded(id);

	if (whole == -1)
		die_sys("cannot check message %llu", (unsigned long long)id);
	id_table_put(&recovery->states, id, whole ? STATE_LIVE : STATE_GONE);
	recovery->kept_count++;
	if (whole == 1)
		warn_plain("message %llu is not in the journal, which is "
			   "damaged, but it is whole: kept",
		    (unsigned long long)id);
}

/*
 * An id that the journal does not know is either older than all of it: then it
 * was checkpointed, and both files must be there; or it is not: then nobody
 * was told that it is accepted, unless the journal has lost its record.
 */
static void
judge_file(struct recovery *recovery, enum queue_kind kind, uint64_t id)
{
	const struct inventory *inventory = &recovery->inventory;
	struct str path = STR_INIT;

	if (id_table_get(&recovery->states, id) != NULL)
		return; /* known, and dealt with */
	if (recovery->replay.damaged) {
		keep_if_whole(recovery, id);
		return;
	}
	if (id >= recovery->replay.base_id) {
		recovery->leftover_count++;
		if (store_remove(kind, id) == -1)
			die_sys("cannot remove queue/%s of message %llu",
			    queue_kind_name[kind], (unsigned long long)id);
		return;
	}
	if (inventory_has(inventory, QUEUE_ENV, id) &&
	    inventory_has(inventory, QUEUE_MESS, id))
		return;
	queue_file_path(&path, kind, id);
	if (store_set_aside(path.s) == -1 && errno != ENOENT)
		die_sys("cannot move queue/%s", path.s);
	str_free(&path);
}

static void
judge_files(struct recovery *recovery)
{
	for (int kind = 0; kind < QUEUE_KINDS; kind++) {
		const struct inventory_list *list =
		    &recovery->inventory.lists[kind];

		for (size_t i = 0; i < list->count; i++)
			judge_file(
			    recovery, (enum queue_kind)kind, list->ids[i]);
	}
	if ((recovery->replay.damaged ? inventory_set_aside_directory("tmp")
				      : inventory_clear_directory("tmp")) == -1)
		die_sys("cannot clear queue/tmp");
}

/* Removed names must not come back once the journal that says so is gone. */
static void
sync_directories(const struct recovery *recovery)
{
	struct str path = STR_INIT;

	if (recovery->leftover_count == 0 && recovery->gone_count == 0 &&
	    recovery->live_count == 0 && recovery->kept_count == 0)
		return;
	for (int kind = 0; kind < QUEUE_KINDS; kind++) {
		for (int split = 0; split < QUEUE_FILE_SPLIT; split++) {
			str_format(
			    &path, "%s/%d", queue_kind_name[kind], split);
			if (dir_sync(path.s) == -1)
				die_sys("cannot sync queue/%s", path.s);
		}
	}
	if (dir_sync("damaged") == -1)
		die_sys("cannot sync queue/damaged");
	str_free(&path);
}

/* ---- the journal -------------------------------------------------------- */

static void
note_result(
    void *owner, const struct clean_job *job, bool ok, struct span error)
{
	struct recovery *recovery = owner;

	(void)job;
	if (ok)
		return;
	recovery->failed = true;
	warn_plain("cannot checkpoint: %s", quote_span(error));
}

/* Syncs the files of all messages that the live segments name. */
static void
sync_files(struct recovery *recovery)
{
	struct cleaners *cleaners = recovery->ledger->cleaners;

	cleaners->done = note_result;
	cleaners->owner = recovery;
	for (size_t i = 0; i < recovery->replay.segment_count; i++) {
		const struct replay_segment *s = &recovery->replay.segments[i];

		if (s->live)
			cleaners_add(cleaners, CLEAN_CHECKPOINT, s->slot,
			    s->header.epoch);
	}
	if (cleaners_finish(cleaners) == -1)
		die_temp("lost qmail-clean");
	if (recovery->failed)
		die_temp("recovery failed; the journal is kept");
}

static bool
is_of_size(const struct journal *journal, const struct replay_segment *s)
{
	return s->bytes.len == journal->segment_bytes;
}

/* Takes the segment files over. Live ones still hold what they held. */
static void
adopt_segments(struct recovery *recovery)
{
	struct journal *journal = &recovery->ledger->journal;
	struct str path = STR_INIT;

	for (size_t i = 0; i < recovery->replay.segment_count; i++) {
		struct replay_segment *s = &recovery->replay.segments[i];

		journal_reserve_slots(journal, s->slot + 1);
		journal_slot_path(&path, s->slot);
		if (!s->live &&
		    (!is_of_size(journal, s) ||
			s->slot >= journal->wanted_count)) {
			/* from another configuration */
			if (unlink(path.s) == -1)
				die_sys("cannot remove queue/%s", path.s);
			continue;
		}
		if (journal_slot_adopt(journal, s->slot) == -1)
			die_sys("cannot open queue/%s", path.s);
		if (s->live) {
			journal->slots[s->slot].state = JOURNAL_CLEAN;
			journal->slots[s->slot].epoch = s->header.epoch;
		}
	}
	str_free(&path);
}

/* At least one segment must be free to write to. */
static void
ensure_free_slot(struct journal *journal)
{
	size_t slot = 0;

	for (size_t i = 0; i < journal->slot_count; i++) {
		if (journal->slots[i].state == JOURNAL_FREE)
			return;
	}
	while (slot < journal->slot_count &&
	    journal->slots[slot].state != JOURNAL_ABSENT)
		slot++;
	journal_reserve_slots(journal, slot + 1);
	if (journal_slot_make(slot, journal->segment_bytes) == -1 ||
	    journal_slot_adopt(journal, slot) == -1)
		die_sys("cannot make queue/journal/%zu", slot);
}

/* The new segment's header makes all others obsolete, at once. */
static void
start_journal(struct recovery *recovery)
{
	struct ledger *ledger = recovery->ledger;
	struct journal *journal = &ledger->journal;

	/* a qmail-clean that was killed may have left a new segment of which
	   the name is not durable */
	if (dir_sync("journal") == -1)
		die_sys("cannot sync queue/journal");
	journal->epoch = recovery->replay.epoch;
	journal->low_durable = recovery->replay.low;
	journal->low_wanted = journal->epoch + 1;
	ledger->durable_id = ledger->next_id;
	ensure_free_slot(journal);
	if (journal_commit(journal, ledger->next_id) == -1)
		die_sys("cannot write to queue/journal");
	for (size_t i = 0; i < recovery->replay.segment_count; i++) {
		const struct replay_segment *s = &recovery->replay.segments[i];

		if (s->live && !is_of_size(journal, s) &&
		    journal_slot_discard(journal, s->slot) == -1)
			die_sys("cannot remove queue/journal/%zu", s->slot);
	}
}

/* Files of journal/ that hold no journal. */
static void
set_bad_segments_aside(struct recovery *recovery)
{
	struct replay *replay = &recovery->replay;
	struct str path = STR_INIT;
	size_t kept = 0;

	for (size_t i = 0; i < replay->segment_count; i++) {
		struct replay_segment *s = &replay->segments[i];

		if (s->state != JOURNAL_HEADER_BAD) {
			replay->segments[kept++] = *s;
			continue;
		}
		journal_slot_path(&path, s->slot);
		if (store_set_aside(path.s) == -1)
			die_sys("cannot move queue/%s", path.s);
		str_free(&s->bytes);
	}
	replay->segment_count = kept;
	str_free(&path);
}

void
recovery_run(struct ledger *ledger, size_t slots, size_t size_kib)
{
	struct recovery recovery = {
	    .ledger = ledger, .replay = REPLAY_INIT, .states = ID_TABLE_INIT};
	size_t newer;

	journal_init(&ledger->journal, slots, size_kib);
	if (replay_load(&recovery.replay) == -1)
		die_sys("cannot read queue/journal");
	newer = replay_find_newer(&recovery.replay);
	if (newer != SPAN_NONE)
		die_temp("queue/journal/%zu is of a later version of cqmail; "
			 "nothing was touched",
		    newer);
	if (inventory_read(&recovery.inventory) == -1)
		die_sys("cannot list queue");
	replay_run(&recovery.replay);
	ledger->next_id = recovery.replay.next_id;
	if (recovery.inventory.next_id > ledger->next_id)
		ledger->next_id = recovery.inventory.next_id;
	ledger->first_id = ledger->next_id;
	set_bad_segments_aside(&recovery);
	redo_journal(&recovery);
	judge_files(&recovery);
	sync_files(&recovery);
	sync_directories(&recovery);
	adopt_segments(&recovery);
	start_journal(&recovery);
	if (recovery.live_count + recovery.leftover_count > 0)
		warn_plain("recovered %zu messages from the journal, removed "
			   "%zu files that were not accepted",
		    recovery.live_count, recovery.leftover_count);
	id_table_clear(&recovery.states);
	inventory_free(&recovery.inventory);
	replay_free(&recovery.replay);
}

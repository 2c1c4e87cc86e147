/* segments on the disk: commits, sealing, checkpoints, reuse, replay */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/dir.h"
#include "base/fd.h"
#include "queue/journal.h"
#include "queue/replay.h"

enum {
	SLOTS = 4,
	KIB = 64,
};

static char start[4096];

static int
enter(void **state)
{
	static char template[64];

	(void)state;
	(void)snprintf(template, sizeof(template), "/tmp/journal.XXXXXX");
	if (getcwd(start, sizeof(start)) == NULL || mkdtemp(template) == NULL ||
	    chdir(template) == -1)
		return -1;
	return mkdir("journal", 0700);
}

static int
leave(void **state)
{
	char *here = getcwd(NULL, 0);
	struct str path = STR_INIT;

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		journal_slot_path(&path, i);
		(void)unlink(path.s);
	}
	str_free(&path);
	(void)rmdir("journal");
	if (here == NULL || chdir(start) == -1 || rmdir(here) == -1)
		return -1;
	free(here);
	return 0;
}

static void
begin(struct journal *journal, size_t slots)
{
	journal_init(journal, SLOTS, KIB);
	for (size_t i = 0; i < slots; i++) {
		assert_int_equal(journal_slot_make(i, KIB * 1024), 0);
		assert_int_equal(journal_slot_adopt(journal, i), 0);
	}
	journal->low_wanted = 1;
}

static void
add(struct journal *journal, uint64_t id, size_t size)
{
	struct str body = STR_INIT;
	struct span part;

	while (body.len < size)
		str_append_char(&body, 'x');
	part = str_span(&body);
	assert_true(journal_has_room(journal, size));
	journal_record_append(&journal->batch, JOURNAL_MESSAGE, id, &part, 1);
	str_free(&body);
}

/* Reads everything back from the disk. */
static void
read_back(struct replay *replay)
{
	*replay = (struct replay)REPLAY_INIT;
	assert_int_equal(replay_load(replay), 0);
	replay_run(replay);
}

static void
commits_are_read_back(void **state)
{
	struct journal journal;
	struct replay replay;

	(void)state;
	begin(&journal, 2);
	assert_true(journal_is_empty(&journal));
	for (uint64_t id = 5; id < 8; id++) {
		add(&journal, id, 1000);
		assert_true(journal_can_commit(&journal));
		assert_int_equal(journal_commit(&journal, 5), 0);
		assert_true(journal_is_empty(&journal));
	}
	assert_int_equal(journal.sync_count, 3);
	read_back(&replay);
	assert_int_equal(replay.record_count, 3);
	assert_int_equal(replay.base_id, 5);
	assert_int_equal(replay.next_id, 8);
	assert_int_equal(replay.epoch, 1);
	assert_int_equal(replay.records[2].record.id, 7);
	assert_int_equal(replay.records[2].record.body.len, 1000);
	replay_free(&replay);
	journal_free(&journal);
}

/* Commits one record; if there is no place, lets a checkpoint happen. */
static void
commit_one(struct journal *journal, uint64_t id, size_t *checkpoints)
{
	add(journal, id, 9000);
	while (!journal_can_commit(journal)) {
		size_t slot = journal_take_sealed(journal);

		assert_int_not_equal(slot, SPAN_NONE);
		journal_checkpointed(journal, slot);
		(*checkpoints)++;
	}
	assert_int_equal(journal_commit(journal, id), 0);
}

static void
segments_are_used_again_after_a_checkpoint(void **state)
{
	size_t checkpoints = 0;
	struct journal journal;
	struct replay replay;

	(void)state;
	begin(&journal, 3);
	for (uint64_t id = 1; id <= 200; id++) {
		commit_one(&journal, id, &checkpoints);
		read_back(&replay);
		/* the newest is always there, and nothing is doubled */
		assert_int_equal(
		    replay.records[replay.record_count - 1].record.id, id);
		for (size_t i = 1; i < replay.record_count; i++)
			assert_int_equal(replay.records[i].record.id,
			    replay.records[i - 1].record.id + 1);
		assert_true(replay.next_id == id + 1);
		assert_true(replay.base_id <= replay.records[0].record.id);
		replay_free(&replay);
	}
	assert_true(checkpoints > 20);
	journal_free(&journal);
}

static void
without_a_checkpoint_commits_wait(void **state)
{
	struct journal journal;
	uint64_t id = 0;

	(void)state;
	begin(&journal, 3);
	do {
		add(&journal, ++id, 9000);
		if (!journal_can_commit(&journal))
			break;
		assert_int_equal(journal_commit(&journal, id), 0);
	} while (id < 100);
	/* two segments of seven; the third is kept for recovery */
	assert_int_equal(id, 15);
	journal_free(&journal);
}

static void
a_checkpoint_record_frees_the_oldest(void **state)
{
	struct journal journal;
	struct replay replay;
	uint64_t first = 0; /* of the second segment */
	size_t slot;

	(void)state;
	begin(&journal, 4);
	for (uint64_t id = 1; journal.epoch < 2; id++) {
		add(&journal, id, 9000);
		assert_int_equal(journal_commit(&journal, id), 0);
		first = id;
	}
	slot = journal_take_sealed(&journal);
	assert_int_equal(journal.slots[slot].epoch, 1);
	assert_int_equal(journal_take_sealed(&journal), SPAN_NONE);
	journal_checkpointed(&journal, slot);
	assert_true(journal_has_news(&journal));
	assert_int_equal(journal.slots[slot].state, JOURNAL_CLEAN);
	add(&journal, 100, 10);
	assert_int_equal(journal_commit(&journal, 100), 0);
	assert_false(journal_has_news(&journal));
	assert_int_equal(journal.slots[slot].state, JOURNAL_FREE);
	read_back(&replay);
	assert_int_equal(replay.low, 2);
	assert_int_equal(replay.record_count, 2);
	assert_int_equal(replay.records[0].record.id, first);
	assert_int_equal(replay.records[1].record.id, 100);
	replay_free(&replay);
	journal_free(&journal);
}

static void
segments_are_made_as_they_are_needed(void **state)
{
	struct journal journal;

	(void)state;
	begin(&journal, 2);
	add(&journal, 1, 10);
	assert_int_equal(journal_commit(&journal, 1), 0);
	assert_int_equal(journal_take_absent(&journal), SPAN_NONE);
	for (uint64_t id = 2; journal.offset <= KIB * 1024 / 2; id++) {
		add(&journal, id, 9000);
		assert_int_equal(journal_commit(&journal, id), 0);
	}
	assert_int_equal(journal_take_absent(&journal), 2);
	assert_int_equal(journal_take_absent(&journal), SPAN_NONE);
	journal_free(&journal);
}

static void
a_record_of_a_quarter_always_fits(void **state)
{
	struct journal journal;

	(void)state;
	begin(&journal, 4);
	assert_true(journal_has_room(&journal, KIB * 1024 / 4 + 2000));
	assert_false(journal_has_room(&journal, KIB * 1024));
	for (uint64_t id = 1; id < 4; id++)
		add(&journal, id, KIB * 1024 / 4);
	assert_false(journal_has_room(&journal, KIB * 1024 / 4));
	assert_int_equal(journal_commit(&journal, 1), 0);
	assert_true(journal_has_room(&journal, KIB * 1024 / 4));
	journal_free(&journal);
}

static void
a_torn_header_leaves_the_older_segments(void **state)
{
	struct journal journal;
	struct replay replay;
	size_t last;
	int fd;

	(void)state;
	begin(&journal, 4);
	for (uint64_t id = 1; journal.epoch < 3; id++) {
		add(&journal, id, 9000);
		assert_int_equal(journal_commit(&journal, id), 0);
	}
	last = journal.current;
	fd = journal.slots[last].fd;
	assert_int_equal(pwrite(fd, "?", 1, 3), 1);
	read_back(&replay);
	assert_int_equal(replay.epoch, 2);
	assert_int_equal(replay.segments[0].state == JOURNAL_HEADER_BAD ||
		replay.segments[1].state == JOURNAL_HEADER_BAD ||
		replay.segments[2].state == JOURNAL_HEADER_BAD ||
		replay.segments[3].state == JOURNAL_HEADER_BAD,
	    true);
	assert_true(replay.record_count >= 10);
	replay_free(&replay);
	journal_free(&journal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		commits_are_read_back, enter, leave),
	    cmocka_unit_test_setup_teardown(
		segments_are_used_again_after_a_checkpoint, enter, leave),
	    cmocka_unit_test_setup_teardown(
		without_a_checkpoint_commits_wait, enter, leave),
	    cmocka_unit_test_setup_teardown(
		a_checkpoint_record_frees_the_oldest, enter, leave),
	    cmocka_unit_test_setup_teardown(
		segments_are_made_as_they_are_needed, enter, leave),
	    cmocka_unit_test_setup_teardown(
		a_record_of_a_quarter_always_fits, enter, leave),
	    cmocka_unit_test_setup_teardown(
		a_torn_header_leaves_the_older_segments, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

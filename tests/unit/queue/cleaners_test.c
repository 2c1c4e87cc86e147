/* who gets the next of four qmail-cleans */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/fd.h"
#include "queue/cleaners.h"

static const struct row {
	const char *what;
	int syncs, removals, longs;
	const char *want; /* a letter for each job given out */
} rows[] = {
    {"nothing to do", 0, 0, 0, ""},
    {"one sync", 1, 0, 0, "s"},
    {"only syncs", 9, 0, 0, "ssss"},
    {"only removals, each with some ids", 0, 4000, 0, "rrrr"},
    {"of the long ones two at a time", 0, 0, 9, "ll"},
    {"syncs leave room for removals", 9, 1, 0, "srss"},
    {"syncs leave room for long ones", 9, 0, 9, "slss"},
    {"all kinds", 9, 4000, 9, "srls"},
    {"removals leave room for long ones", 0, 4000, 9, "rlrr"},
};

static char
letter_of(const struct clean_job *job)
{
	if (job->kind == CLEAN_SYNC)
		return 's';
	return job->kind == CLEAN_REMOVE ? 'r' : 'l';
}

static void
run(const struct row *row)
{
	struct cleaners cleaners = {.removals = NULL};
	int others[CLEANERS];
	char got[CLEANERS + 1] = "";

	cleaners.syncs_end = &cleaners.syncs;
	cleaners.longs_end = &cleaners.longs;
	for (size_t i = 0; i < CLEANERS; i++) {
		int ends[2];

		assert_int_equal(fd_packet_pair(ends), 0);
		cleaners.workers[i].fd = ends[0];
		others[i] = ends[1];
	}
	for (int i = 0; i < row->longs; i++)
		cleaners_add(&cleaners, CLEAN_CHECKPOINT, 1, 1);
	for (int i = 0; i < row->removals; i++)
		cleaners_remove(&cleaners, (uint64_t)i + 1);
	for (int i = 0; i < row->syncs; i++)
		cleaners_add(&cleaners, CLEAN_SYNC, 1, 0);
	assert_int_equal(cleaners_dispatch(&cleaners), 0);
	for (size_t i = 0; i < CLEANERS && cleaners.workers[i].busy; i++)
		got[i] = letter_of(&cleaners.workers[i].job);
	if (strcmp(got, row->want) != 0)
		fail_msg("%s: %s, not %s", row->what, got, row->want);
	cleaners_stop(&cleaners);
	for (size_t i = 0; i < CLEANERS; i++)
		fd_close(others[i]);
}

static void
every_kind_gets_its_turn(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		run(&rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_gets_its_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

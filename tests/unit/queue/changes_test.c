/* done and bounce files: what is written, and how crashes are mended */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/changes.h"
#include "queue/inventory.h"
#include "queue/store.h"

enum {
	ID = 33,
	RECIPIENTS = 4,
};

static char start[4096];

static int
enter(void **state)
{
	static char template[64];
	struct str failed = STR_INIT;
	int result;

	(void)state;
	(void)snprintf(template, sizeof(template), "/tmp/changes.XXXXXX");
	if (getcwd(start, sizeof(start)) == NULL || mkdtemp(template) == NULL ||
	    chdir(template) == -1)
		return -1;
	result = store_make_directories(&failed);
	str_free(&failed);
	return result;
}

static int
leave(void **state)
{
	char command[128], *here = getcwd(NULL, 0);

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", here);
	free(here);
	return chdir(start) == -1 || system(command) != 0 ? -1 : 0;
}

static const struct change all[] = {
    {ID, JOURNAL_DONE, {1, true, {"", 0}}},
    {ID, JOURNAL_FAILED, {3, false, {"no three\n", 9}}},
    {ID, JOURNAL_FAILED, {0, false, {"no zero\n", 8}}},
    {ID, JOURNAL_DONE, {3, false, {"", 0}}},    /* too late */
    {ID, JOURNAL_FAILED, {1, false, {"x", 1}}}, /* too late */
};

/* "DONE|BOUNCE TEXTS" as they are on the disk. */
static void
look(struct str *seen)
{
	struct queue_failure failure;
	struct str bounce = STR_INIT;
	struct span rest;
	int more;

	str_clear(seen);
	if (store_read(QUEUE_DONE, ID, 100, seen) == -1)
		str_clear(seen);
	str_append_char(seen, '|');
	if (store_read(QUEUE_BOUNCE, ID, 100000, &bounce) == -1)
		str_clear(&bounce);
	rest = str_span(&bounce);
	while ((more = queue_failure_next(&rest, ID, &failure)) == 1)
		str_append_format(seen, "%u:%.*s", failure.recipient,
		    (int)failure.text.len, failure.text.s);
	if (more == -1)
		str_append_cstr(seen, "torn");
	str_free(&bounce);
}

#define WHOLE "FDTF|3:no three\n0:no zero\n"

static void
changes_are_written_once(void **state)
{
	struct str seen = STR_INIT;

	(void)state;
	assert_int_equal(changes_apply(all, 1, RECIPIENTS, false), 0);
	look(&seen);
	assert_string_equal(seen.s, "TDTT|");
	for (int again = 0; again < 3; again++) {
		assert_int_equal(
		    changes_apply(all, COUNT(all), RECIPIENTS, false), 0);
		look(&seen);
		assert_string_equal(seen.s, WHOLE);
	}
	str_free(&seen);
}

static void
recipients_that_are_not_there_are_ignored(void **state)
{
	struct change odd = {ID, JOURNAL_FAILED, {RECIPIENTS, false, {"x", 1}}};
	struct str seen = STR_INIT;

	(void)state;
	assert_int_equal(changes_apply(&odd, 1, RECIPIENTS, false), 0);
	look(&seen);
	assert_string_equal(seen.s, "TTTT|");
	str_free(&seen);
}

/* Whatever a crash left of both files, replaying gives the same. */
static void
every_torn_state_is_mended(void **state)
{
	struct str seen = STR_INIT, done = STR_INIT, bounce = STR_INIT;
	struct span part;

	(void)state;
	assert_int_equal(changes_apply(all, COUNT(all), RECIPIENTS, false), 0);
	assert_int_equal(store_read(QUEUE_DONE, ID, 100, &done), 0);
	assert_int_equal(store_read(QUEUE_BOUNCE, ID, 1000, &bounce), 0);
	for (size_t cut = 0; cut <= bounce.len; cut++) {
		for (size_t len = 0; len <= done.len; len++) {
			part = (struct span){bounce.s, cut};
			assert_int_equal(
			    store_replace(QUEUE_BOUNCE, ID, &part, 1), 0);
			part = (struct span){done.s, len};
			assert_int_equal(
			    store_replace(QUEUE_DONE, ID, &part, 1), 0);
			assert_int_equal(
			    changes_apply(all, COUNT(all), RECIPIENTS, true),
			    0);
			look(&seen);
			if (strncmp(seen.s, "FDTF|", 5) != 0 ||
			    strstr(seen.s, "3:no three\n") == NULL ||
			    strstr(seen.s, "0:no zero\n") == NULL ||
			    seen.len != strlen(WHOLE))
				fail_msg("cut %zu %zu: %s", cut, len, seen.s);
		}
	}
	str_free(&seen);
	str_free(&done);
	str_free(&bounce);
}

static void
what_was_before_the_first_record_is_not_read(void **state)
{
	struct span wrong = {"DDDD", 4};
	struct str seen = STR_INIT;

	(void)state;
	assert_int_equal(store_replace(QUEUE_DONE, ID, &wrong, 1), 0);
	assert_int_equal(changes_apply(all, COUNT(all), RECIPIENTS, true), 0);
	look(&seen);
	assert_string_equal(seen.s, WHOLE);
	str_free(&seen);
}

static void
older_marks_are_kept(void **state)
{
	struct span older = {"TTDT", 4};
	struct str seen = STR_INIT;

	(void)state;
	assert_int_equal(store_replace(QUEUE_DONE, ID, &older, 1), 0);
	assert_int_equal(
	    changes_apply(all + 1, COUNT(all) - 1, RECIPIENTS, true), 0);
	look(&seen);
	assert_string_equal(seen.s, "FFDF|3:no three\n0:no zero\n1:x");
	str_free(&seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		changes_are_written_once, enter, leave),
	    cmocka_unit_test_setup_teardown(
		recipients_that_are_not_there_are_ignored, enter, leave),
	    cmocka_unit_test_setup_teardown(
		every_torn_state_is_mended, enter, leave),
	    cmocka_unit_test_setup_teardown(
		what_was_before_the_first_record_is_not_read, enter, leave),
	    cmocka_unit_test_setup_teardown(older_marks_are_kept, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* life: what is put off, and for how long */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "send/life.h"

enum {
	NOW_S = 1795373181,
};

static void
puts_trouble_off_for_123_seconds(void **state)
{
	static struct state all;
	struct bounce_answer refused = {.letter = 'E', .id = 8};
	struct message *message;

	(void)state;
	all.now_s = NOW_S;
	all.queue_dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(all.queue_dir, -1);
	message_log_init(&all.log, -1);

	/* an envelope that cannot be read */
	life_begin(&all, 7, false, (struct span){"", 0});
	message = schedule_find(&all.schedule, 7);
	assert_non_null(message);
	assert_int_equal(
	    schedule_due(&all.schedule, message, SCHEDULE_ERRAND), NOW_S + 123);

	/* a bounce that the queue refuses */
	message = schedule_add(&all.schedule, 8);
	assert_non_null(message);
	life_end_bounce(&all, &refused);
	assert_ptr_equal(schedule_find(&all.schedule, 8), message);
	assert_int_equal(
	    schedule_due(&all.schedule, message, SCHEDULE_ERRAND), NOW_S + 123);
	assert_null(strstr(all.log.lines.s, "end msg"));

	schedule_free(&all.schedule);
	str_free(&all.log.lines);
	str_free(&all.env);
	str_free(&all.done);
	assert_int_equal(close(all.queue_dir), 0);
}

static void
says_that_memory_ran_out(void **state)
{
	static struct state all;

	(void)state;
	all.now_s = NOW_S;
	message_log_init(&all.log, -1);
	all.schedule.chunk_count = SIZE_MAX / 16; /* one more is too much */
	life_begin(&all, 7, false, (struct span){"", 0});
	assert_string_equal(
	    all.log.lines.s, "alert: out of memory, sleeping...\n");
	assert_null(schedule_find(&all.schedule, 7));
	/* the scan comes back to it */
	assert_true(queue_scan_is_wanted(&all.scan));
	assert_true(all.scan.retry_s > NOW_S);

	all.schedule.chunk_count = 0;
	schedule_free(&all.schedule);
	str_free(&all.log.lines);
	queue_scan_free(&all.scan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(puts_trouble_off_for_123_seconds),
	    cmocka_unit_test(says_that_memory_ran_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

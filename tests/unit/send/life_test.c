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
	life_begin(&all, 7, false);
	message = schedule_find(&all.schedule, 7);
	assert_non_null(message);
	assert_int_equal(message->due_s[SCHEDULE_ERRAND], NOW_S + 123);

	/* a bounce that the queue refuses */
	message = schedule_add(&all.schedule, 8);
	assert_non_null(message);
	life_end_bounce(&all, &refused);
	assert_ptr_equal(schedule_find(&all.schedule, 8), message);
	assert_int_equal(message->due_s[SCHEDULE_ERRAND], NOW_S + 123);
	assert_null(strstr(all.log.lines.s, "end msg"));

	schedule_free(&all.schedule);
	str_free(&all.log.lines);
	str_free(&all.env);
	str_free(&all.done);
	assert_int_equal(close(all.queue_dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(puts_trouble_off_for_123_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

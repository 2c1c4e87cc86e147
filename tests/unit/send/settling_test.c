/* settling: messages wait until what was reported of them is durable */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "send/settling.h"

enum {
	MESSAGES = 1000,
};

static void
waits_for_the_last_report(void **state)
{
	struct settling settling = SETTLING_INIT;
	struct schedule schedule = SCHEDULE_INIT;
	struct queue_link link = {.acked_count = UINT32_MAX - 1};
	struct message *one = schedule_add(&schedule, 7);

	(void)state;
	/* numbers wrap */
	settling_add(&settling, one, UINT32_MAX);
	settling_add(&settling, one, 1);
	settling_note(&settling, &link, &schedule);
	assert_int_equal(one->settling, 2);
	link.acked_count = 0;
	settling_note(&settling, &link, &schedule);
	assert_int_equal(one->settling, 1);
	link.acked_count = 5;
	settling_note(&settling, &link, &schedule);
	assert_int_equal(one->settling, 0);
	assert_int_equal(settling.count, 0);
	settling_free(&settling);
	schedule_free(&schedule);
}

static void
messages_may_end_meanwhile(void **state)
{
	struct settling settling = SETTLING_INIT;
	struct schedule schedule = SCHEDULE_INIT;
	struct queue_link link = {.acked_count = 0};

	(void)state;
	for (uint32_t i = 1; i <= MESSAGES; i++)
		settling_add(&settling, schedule_add(&schedule, i), i);
	for (uint64_t i = 2; i <= MESSAGES; i += 2)
		schedule_remove(&schedule, schedule_find(&schedule, i));
	/* a place that is used again is another message */
	for (uint64_t i = 1; i <= MESSAGES / 2; i++)
		assert_non_null(schedule_add(&schedule, MESSAGES + i));
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		const struct message *old = schedule_find(&schedule, i);

		assert_true(old == NULL || old->settling == 1);
		link.acked_count = i;
		settling_note(&settling, &link, &schedule);
		assert_true(old == NULL || old->settling == 0);
		assert_int_equal(settling.count, MESSAGES - i);
	}
	for (uint64_t i = 1; i <= MESSAGES / 2; i++)
		assert_int_equal(
		    schedule_find(&schedule, MESSAGES + i)->settling, 0);
	settling_free(&settling);
	schedule_free(&schedule);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(waits_for_the_last_report),
	    cmocka_unit_test(messages_may_end_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

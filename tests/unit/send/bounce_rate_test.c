/* bounce_rate: so many at once, then evenly; and never more in an hour */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "send/bounce_rate.h"

enum {
	HOUR_MS = 3600 * 1000,
	START_MS = 5000, /* a machine just started */
};

/* How many leave until end_ms, if there is always one more. */
static int
drain(struct bounce_rate *rate, int64_t now_ms, int64_t end_ms)
{
	int count = 0;

	while (count <= 1000000) {
		if (bounce_rate_free_ms(rate) > now_ms)
			now_ms = bounce_rate_free_ms(rate);
		if (now_ms > end_ms)
			break;
		(void)bounce_rate_use(rate, now_ms);
		count++;
	}
	return count;
}

static void
has_so_many_places(void **state)
{
	static const unsigned long rows[] = {1, 2, 7, 100, 3600, 100000};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bounce_rate rate = {.per_hour = rows[i]};
		int count = (int)rows[i];

		for (int j = 1; j < count; j++) {
			assert_true(bounce_rate_free_ms(&rate) <= START_MS);
			assert_false(bounce_rate_use(&rate, START_MS));
		}
		assert_true(bounce_rate_free_ms(&rate) <= START_MS);
		assert_true(bounce_rate_use(&rate, START_MS));
		assert_int_equal(bounce_rate_free_ms(&rate),
		    START_MS + HOUR_MS / count * (count + 1) - HOUR_MS);
	}
}

static void
gives_places_back_evenly(void **state)
{
	struct bounce_rate rate = {.per_hour = 100};

	(void)state;
	assert_int_equal(drain(&rate, START_MS, START_MS), 100);
	assert_int_equal(bounce_rate_free_ms(&rate), START_MS + 36000);
	assert_int_equal(drain(&rate, START_MS, START_MS + 36000), 1);
	assert_int_equal(drain(&rate, START_MS, START_MS + 10 * HOUR_MS), 999);
	/* an hour of rest gives all back, and no more */
	assert_int_equal(
	    drain(&rate, START_MS + 20 * HOUR_MS, START_MS + 20 * HOUR_MS),
	    100);
}

static void
has_no_bound(void **state)
{
	static const unsigned long rows[] = {0, HOUR_MS + 1, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bounce_rate rate = {.per_hour = rows[i]};

		assert_int_equal(drain(&rate, START_MS, START_MS), 1000001);
		assert_false(bounce_rate_use(&rate, START_MS));
	}
}

static void
takes_a_new_rate_at_once(void **state)
{
	struct bounce_rate rate = {.per_hour = 1};

	(void)state;
	assert_true(bounce_rate_use(&rate, START_MS));
	assert_int_equal(bounce_rate_free_ms(&rate), START_MS + HOUR_MS);
	rate.per_hour = 3600;
	assert_int_equal(bounce_rate_free_ms(&rate), START_MS + 1000);
	rate.per_hour = 0;
	assert_int_equal(bounce_rate_free_ms(&rate), 0);
	rate.per_hour = 1;
	assert_int_equal(bounce_rate_free_ms(&rate), START_MS + HOUR_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(has_so_many_places),
	    cmocka_unit_test(gives_places_back_evenly),
	    cmocka_unit_test(has_no_bound),
	    cmocka_unit_test(takes_a_new_rate_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

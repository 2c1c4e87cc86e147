/* schedule: the table, the heaps, and the times of the attempts */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "send/schedule.h"

/* Every attempt when it is due, up to the last one: the first that starts
   later than the lifetime. */
static void
follows_the_table_of_attempts(void **state)
{
	static const struct {
		enum channel_kind channel;
		int64_t last_before, final, first[8];
		int count;
	} rows[] = {
	    {CHANNEL_LOCAL, 592900, 608400,
		{0, 100, 400, 900, 1600, 2500, 3600, 4900}, 79},
	    {CHANNEL_REMOTE, 577600, 608400,
		{0, 400, 1600, 3600, 6400, 10000, 14400, 19600}, 40},
	};
	const int64_t birth = 1795373134;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t now = birth, before = 0;
		int count = 1;

		while (now - birth <= 604800) {
			if (count <= 8)
				assert_int_equal(
				    now - birth, rows[i].first[count - 1]);
			assert_int_equal(now - birth,
			    rows[i].first[1] * (count - 1) * (count - 1));
			before = now - birth;
			now = schedule_next(birth, now, rows[i].channel);
			count++;
		}
		assert_int_equal(before, rows[i].last_before);
		assert_int_equal(now - birth, rows[i].final);
		assert_int_equal(count, rows[i].count);
	}
}

static void
finds_single_times(void **state)
{
	static const struct {
		const char *what;
		int64_t birth, now, next, resume;
	} rows[] = {
	    {"a late attempt counts from when it was", 1000, 1000 + 450,
		1000 + 31 * 31, 1000 + 900},
	    {"a birth in the future is now", 5000, 1000, 1100, 1000},
	    {"just born", 1000, 1000, 1100, 1000},
	    {"young: due since its birth", 1000, 1399, 1000 + 29 * 29, 1000},
	    {"no more young", 1000, 1400, 1000 + 900, 1000 + 900},
	    {"very old", 0, INT64_C(253402300799), INT64_C(513397) * 513397,
		INT64_C(513390) * 513390},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t next =
		    schedule_next(rows[i].birth, rows[i].now, CHANNEL_LOCAL);
		int64_t resume =
		    schedule_resume(rows[i].birth, rows[i].now, CHANNEL_LOCAL);

		if (i == COUNT(rows) - 1) {
			/* the exact root matters less than its order */
			assert_true(next > rows[i].now);
			assert_true(resume > rows[i].now);
			continue;
		}
		if (next != rows[i].next || resume != rows[i].resume)
			fail_msg("%s: %lld %lld", rows[i].what, (long long)next,
			    (long long)resume);
	}
}

static uint64_t
random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Against a plain array: adding, removing, moving, and the order in which
   they come due. */
static void
keeps_many(void **state)
{
	enum {
		IDS = 5000
	};
	static struct message *known[IDS];
	struct schedule schedule = SCHEDULE_INIT;
	uint64_t seed = 88172645463325252u;
	size_t count = 0;
	int64_t last = -1;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		uint64_t id = random_next(&seed) % IDS;
		struct message *message = schedule_find(&schedule, id);

		assert_ptr_equal(message, known[id]);
		if (message == NULL) {
			known[id] = schedule_add(&schedule, id);
			assert_non_null(known[id]);
			count++;
		} else if (random_next(&seed) % 3 == 0) {
			schedule_remove(&schedule, message);
			known[id] = NULL;
			count--;
			continue;
		}
		schedule_set_due(&schedule, known[id], SCHEDULE_REMOTE,
		    (int64_t)(random_next(&seed) % 1000));
	}
	assert_int_equal(schedule.count, count);
	while (schedule_first(&schedule, SCHEDULE_REMOTE) != NULL) {
		struct message *first =
		    schedule_first(&schedule, SCHEDULE_REMOTE);

		assert_true(
		    schedule_due(&schedule, first, SCHEDULE_REMOTE) >= last);
		last = schedule_due(&schedule, first, SCHEDULE_REMOTE);
		schedule_remove(&schedule, first);
		count--;
	}
	assert_int_equal(count, 0);
	assert_int_equal(schedule.count, 0);
	assert_null(schedule_first(&schedule, SCHEDULE_LOCAL));
	schedule_free(&schedule);
}

/* All at once; what is due later stays so. */
static void
flushes_all(void **state)
{
	struct schedule schedule = SCHEDULE_INIT;
	size_t count = 0;

	(void)state;
	for (uint64_t id = 1; id <= 20000; id++)
		schedule_set_due(&schedule, schedule_add(&schedule, id),
		    SCHEDULE_LOCAL, 1000000 - (int64_t)(id * 7919 % 10007));
	schedule_flush(&schedule, 500);
	schedule_set_due(
	    &schedule, schedule_add(&schedule, 20001), SCHEDULE_LOCAL, 501);
	while (
	    schedule_due(&schedule, schedule_first(&schedule, SCHEDULE_LOCAL),
		SCHEDULE_LOCAL) == 500) {
		schedule_remove(
		    &schedule, schedule_first(&schedule, SCHEDULE_LOCAL));
		count++;
	}
	assert_int_equal(count, 20000);
	assert_non_null(schedule_find(&schedule, 20001));
	schedule_free(&schedule);
}

static void
stays_small(void **state)
{
	struct schedule schedule = SCHEDULE_INIT;
	size_t bytes;

	(void)state;
	for (uint64_t id = 1; id <= 20000; id++)
		schedule_set_due(&schedule, schedule_add(&schedule, id),
		    SCHEDULE_REMOTE, 1000 + (int64_t)id);
	bytes = schedule.chunk_count * 1024 * sizeof(struct message) +
	    schedule.hash_size * sizeof(*schedule.hash);
	for (size_t i = 0; i < SCHEDULE_HEAPS; i++)
		bytes +=
		    schedule.heaps[i].size * sizeof(*schedule.heaps[i].items);
	assert_true(bytes <= 20000 * 44);
	schedule_free(&schedule);
}

/* Times that no clock has do no harm. */
static void
keeps_any_time(void **state)
{
	static const int64_t times[] = {
	    INT64_MIN, -1, 0, 253402300799, INT64_MAX};
	struct schedule schedule = SCHEDULE_INIT;

	(void)state;
	for (size_t i = COUNT(times); i-- > 0;)
		schedule_set_due(&schedule, schedule_add(&schedule, i + 1),
		    SCHEDULE_LOCAL, times[i]);
	for (size_t i = 0; i < COUNT(times); i++) {
		struct message *first =
		    schedule_first(&schedule, SCHEDULE_LOCAL);

		assert_int_equal(first->id, i + 1);
		if (times[i] == -1 || times[i] == 0)
			assert_int_equal(
			    schedule_due(&schedule, first, SCHEDULE_LOCAL),
			    times[i]);
		schedule_unset(&schedule, first, SCHEDULE_LOCAL);
	}
	schedule_free(&schedule);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(follows_the_table_of_attempts),
	    cmocka_unit_test(finds_single_times),
	    cmocka_unit_test(keeps_many),
	    cmocka_unit_test(flushes_all),
	    cmocka_unit_test(stays_small),
	    cmocka_unit_test(keeps_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

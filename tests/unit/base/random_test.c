/* random: every byte is filled, and trouble is told */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>

#include "base/random.h"

enum {
	LEN = 100,
	ROUNDS = 64, /* a byte stays 0 through all of them once in 2^512 */
};

static void
test_each_byte_is_filled(void **state)
{
	bool seen[LEN] = {false};
	char bytes[LEN + 1];

	(void)state;
	for (size_t i = 0; i < ROUNDS; i++) {
		memset(bytes, 0, sizeof(bytes));
		assert_int_equal(random_fill(bytes, LEN), 0);
		for (size_t j = 0; j < LEN; j++)
			seen[j] = seen[j] || bytes[j] != 0;
		assert_int_equal(bytes[LEN], 0);
	}
	for (size_t j = 0; j < LEN; j++)
		assert_true(seen[j]);
}

static void
test_trouble_is_told(void **state)
{
	struct rlimit before, none;
	char byte;
	int result, error;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	result = random_fill(&byte, 1);
	error = errno;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(result, -1);
	assert_int_equal(error, EMFILE);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_byte_is_filled),
	    cmocka_unit_test(test_trouble_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

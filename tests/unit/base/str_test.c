/* str and mem: growth, sharing, limits */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

static void
test_a_new_string_is_empty_and_terminated(void **state)
{
	struct str a = STR_INIT;

	(void)state;
	assert_string_equal(a.s, "");
	str_clear(&a);
	str_truncate(&a, 0);
	str_free(&a);
	str_append(&a, "", 0);
	assert_string_equal(a.s, "");
	str_free(&a);
}

static void
test_every_way_to_append(void **state)
{
	struct str a = STR_INIT;

	(void)state;
	str_append(&a, "ab\0c", 4);
	assert_int_equal(a.len, 4);
	assert_memory_equal(a.s, "ab\0c", 5);
	str_clear(&a);
	str_append_cstr(&a, "x");
	str_append_span(&a, SPAN_LITERAL("yz"));
	str_append_char(&a, '-');
	str_append_u64(&a, 0);
	str_append_char(&a, ' ');
	str_append_u64(&a, UINT64_MAX);
	str_append_format(&a, " %s %d", "f", -3);
	assert_string_equal(a.s, "xyz-0 18446744073709551615 f -3");
	str_format(&a, "%s", "new");
	assert_string_equal(a.s, "new");
	str_copy(&a, SPAN_LITERAL("copy"));
	assert_string_equal(a.s, "copy");
	str_truncate(&a, 2);
	assert_string_equal(a.s, "co");
	assert_int_equal(str_span(&a).len, 2);
	str_free(&a);
	assert_int_equal(a.len, 0);
}

static void
test_a_string_may_be_appended_to_itself(void **state)
{
	struct str a = STR_INIT;

	(void)state;
	str_append_cstr(&a, "ab");
	for (int i = 0; i < 12; i++)
		str_append_span(&a, str_span(&a));
	assert_int_equal(a.len, 2 << 12);
	for (size_t i = 0; i < a.len; i++)
		assert_int_equal(a.s[i], i % 2 ? 'b' : 'a');
	str_copy(&a, span_from(str_span(&a), 4095));
	assert_int_equal(a.len, (2 << 12) - 4095);
	assert_int_equal(a.s[0], 'b');
	str_free(&a);
}

static void
test_removing_from_the_front(void **state)
{
	struct str a = STR_INIT;

	(void)state;
	str_remove_front(&a, 0);
	str_append_cstr(&a, "abc");
	str_remove_front(&a, 1);
	assert_string_equal(a.s, "bc");
	str_remove_front(&a, 2);
	assert_string_equal(a.s, "");
	str_free(&a);
}

static void
test_a_size_that_wraps_is_exhaustion(void **state)
{
	static const size_t sizes[] = {
	    SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 2 - 1};
	struct str a = STR_INIT;

	(void)state;
	str_append_cstr(&a, "kept");
	for (size_t i = 0; i < COUNT(sizes); i++) {
		errno = 0;
		assert_int_equal(str_try_reserve(&a, sizes[i]), -1);
		assert_int_equal(errno, ENOMEM);
		assert_string_equal(a.s, "kept");
	}
	assert_null(mem_try_resize(NULL, SIZE_MAX / 2, 3));
	str_free(&a);
}

static void
test_room_that_was_reserved_is_there(void **state)
{
	struct str a = STR_INIT;
	const char *at;

	(void)state;
	str_reserve(&a, 1000);
	at = a.s;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(str_try_append(&a, "x", 1), 0);
	assert_ptr_equal(a.s, at);
	str_free(&a);
}

static void
test_nothing_is_something_to_free(void **state)
{
	char *a = mem_alloc(0, 0), *b = mem_try_alloc(0, 5);
	char *c = mem_resize(NULL, 3, 1);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(a[0], 0);
	c = mem_resize(c, 0, 1);
	assert_non_null(c);
	free(a);
	free(b);
	free(c);
}

static void
test_exhaustion_ends_the_process_with_111(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_int_not_equal(child, -1);
	if (child == 0) {
		struct str a = STR_INIT;

		(void)close(2);
		str_reserve(&a, SIZE_MAX);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 111);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_new_string_is_empty_and_terminated),
	    cmocka_unit_test(test_every_way_to_append),
	    cmocka_unit_test(test_a_string_may_be_appended_to_itself),
	    cmocka_unit_test(test_removing_from_the_front),
	    cmocka_unit_test(test_a_size_that_wraps_is_exhaustion),
	    cmocka_unit_test(test_room_that_was_reserved_is_there),
	    cmocka_unit_test(test_nothing_is_something_to_free),
	    cmocka_unit_test(test_exhaustion_ends_the_process_with_111),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

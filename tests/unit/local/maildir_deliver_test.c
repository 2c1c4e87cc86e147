/* the names of files in a maildir */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/maildir_deliver.h"

static void
names_files(void **state)
{
	struct str name = STR_INIT;

	(void)state;
	maildir_append_name(&name, 1795373029, 77, 1, span_of("h.example"));
	assert_string_equal(name.s, "1795373029.77.h.example");
	str_clear(&name);
	maildir_append_name(&name, 1795373029, 77, 2, span_of("h"));
	assert_string_equal(name.s, "1795373029.77_2.h");
	str_clear(&name);
	maildir_append_name(&name, 1, 2, 1, span_of("../x"));
	assert_string_equal(name.s, "1.2...\\057x");
	str_free(&name);
}

static void
gives_a_day(void **state)
{
	(void)state;
	assert_int_equal(MAILDIR_TIME_MAX, 86400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_files),
	    cmocka_unit_test(gives_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

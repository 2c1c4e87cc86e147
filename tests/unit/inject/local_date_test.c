/* the date with the zone of the user */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "inject/local_date.h"

static const struct row {
	const char *what, *zone;
	int64_t when_s;
	const char *want;
} rows[] = {
    {"UTC", "UTC0", 1795373181, "22 Nov 2026 18:46:21 +0000"},
    {"a day of one digit, east", "XXX-5:30", 86400 * 8,
	"9 Jan 1970 05:30:00 +0530"},
    {"west, the day before", "XXX8", 0, "31 Dec 1969 16:00:00 -0800"},
    {"summer time", "CET-1CEST,M3.5.0,M10.5.0/3", 1783000000,
	"2 Jul 2026 15:46:40 +0200"},
    {"a year beyond all", "XXX-1", INT64_MAX, NULL},
};

static void
dates(void **state)
{
	struct str seen = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_int_equal(setenv("TZ", rows[i].zone, 1), 0);
		str_clear(&seen);
		local_date_append(&seen, rows[i].when_s);
		if (rows[i].want != NULL)
			assert_string_equal(seen.s, rows[i].want);
		else /* whatever it is, it is one */
			assert_true(seen.len > 0);
	}
	str_free(&seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

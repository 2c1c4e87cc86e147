/* dates as mail has them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/clock.h"

static const struct row {
	const char *what;
	int64_t when_s;
	const char *date, *mbox;
} rows[] = {
    {"the beginning", 0, "1 Jan 1970 00:00:00 -0000",
	"Thu Jan 01 00:00:00 1970"},
    {"a day of two digits", 1795373181, "22 Nov 2026 18:46:21 -0000",
	"Sun Nov 22 18:46:21 2026"},
    {"before the beginning", -1, "31 Dec 1969 23:59:59 -0000",
	"Wed Dec 31 23:59:59 1969"},
    {"behind the year 9999", 253402300800, "1 Jan 10000 00:00:00 -0000",
	"Sat Jan 01 00:00:00 10000"},
    {"a year over it, though libc knows it", 67768036191676799,
	"1 Jan 1970 00:00:00 -0000", "Thu Jan 01 00:00:00 1970"},
    {"a year that libc does not know", INT64_MAX, "1 Jan 1970 00:00:00 -0000",
	"Thu Jan 01 00:00:00 1970"},
};

static void
dates_are_told(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		str_clear(&text);
		clock_append_date(&text, rows[i].when_s);
		if (!span_is(str_span(&text), rows[i].date))
			fail_msg("%s: %s", rows[i].what, text.s);
		str_clear(&text);
		clock_append_mbox(&text, rows[i].when_s);
		if (!span_is(str_span(&text), rows[i].mbox))
			fail_msg("%s: %s", rows[i].what, text.s);
	}
	str_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dates_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

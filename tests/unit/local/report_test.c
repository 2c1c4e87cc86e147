/* what reports keep and where they are cut */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "local/report.h"

static void
keeps_what_fits(void **state)
{
	struct report report = REPORT_INIT(100);

	(void)state;
	assert_int_equal(
	    report_perm(&report, "no %s. (#5.1.1)", "box"), EXIT_PERM);
	assert_int_equal(report_temp(&report, "later"), EXIT_TEMP);
	report_finish(&report);
	assert_string_equal(report.text.s, "no box. (#5.1.1)\nlater\n");
	str_free(&report.text);
}

static void
cuts_what_does_not(void **state)
{
	struct report report = REPORT_INIT(100);
	char bytes[300];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	/* exactly full is not too long */
	report_add(&report, (struct span){bytes, 100});
	report_finish(&report);
	assert_int_equal(report.text.len, 100);
	assert_int_equal(report.text.s[99], 'x');
	/* one more is */
	report_add(&report, (struct span){bytes, 1});
	report_finish(&report);
	assert_int_equal(report.text.len, 100);
	assert_string_equal(
	    report.text.s + 64, "\nThe report was too long: cut here.\n");
	str_free(&report.text);
}

static void
ends_at_a_nul(void **state)
{
	struct report report = REPORT_INIT(100);

	(void)state;
	report_add(&report, SPAN_LITERAL("a\0b"));
	report_finish(&report);
	assert_int_equal(report.text.len, 1);
	str_free(&report.text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keeps_what_fits),
	    cmocka_unit_test(cuts_what_does_not),
	    cmocka_unit_test(ends_at_a_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

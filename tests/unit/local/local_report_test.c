/* local_report: the letter for each exit code, and whose words count */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "local/local_report.h"
#include "net/child.h"

static const struct {
	const char *what;
	int code;
	char letter;
	const char *text; /* NULL: the output */
} rows[] = {
    {"delivered", 0, 'K', NULL},
    {"not now", 111, 'Z', NULL},
    {"an operating system's error", 71, 'Z', NULL},
    {"an input error", 74, 'Z', NULL},
    {"try again", 75, 'Z', NULL},
    {"never", 100, 'D', NULL},
    {"no code that we know, low", 1, 'D', NULL},
    {"no code that we know, high", 255, 'D', NULL},
    {"114 is none of ours", 114, 'D', NULL},
    {"killed", CHILD_KILLED, 'Z', "qmail-local crashed.\n"},
    {"a bug", 112, 'Z', "bug"},
    {"root", 113, 'Z', "root"},
    {"NFS", 115, 'Z', "network"},
    {"no alias", 116, 'Z', "alias"},
    {"users/cdb", 117, 'Z', "users/cdb"},
    {"the system", 118, 'Z', "system"},
    {"memory", 119, 'Z', "memory"},
    {"not to be run now", 120, 'Z', "qmail-local"},
    {"qmail-getpw not to be run", 121, 'Z', "qmail-getpw"},
    {"not to be run", 126, 'D', "qmail-local"},
};

static void
translates_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct report report = REPORT_INIT(REPORT_MAX);
		char letter = local_report_output(rows[i].code,
		    SPAN_LITERAL("its words\n\0and more"), &report);
		const char *want =
		    rows[i].text != NULL ? rows[i].text : "its words\n";

		if (letter != rows[i].letter ||
		    strstr(report.text.s, want) == NULL ||
		    (rows[i].text != NULL &&
			strstr(report.text.s, "its words") != NULL))
			fail_msg(
			    "%s: %c %s", rows[i].what, letter, report.text.s);
		str_free(&report.text);
	}
}

static void
judges_getpw(void **state)
{
	char letter;

	(void)state;
	for (int code = -1; code < 256; code++) {
		const char *text = local_report_getpw(code, &letter);

		assert_non_null(text);
		if (code != 126)
			assert_int_equal(letter, code == 100 ? 'D' : 'Z');
	}
	assert_string_equal(local_report_getpw(CHILD_KILLED, &letter),
	    "qmail-getpw crashed.\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(translates_rows),
	    cmocka_unit_test(judges_getpw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

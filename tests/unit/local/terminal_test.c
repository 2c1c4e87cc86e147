/* names that a login record may have */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/terminal.h"

static const struct row {
	const char *what, *name;
	bool want;
} rows[] = {
    {"a pseudo terminal", "pts/12", true},
    {"a console", "tty1", true},
    {"other signs", "pts/a-b_c:0", true},
    {"a dot inside", "tty.x", true},
    {"a display", ":0", true},
    {"nothing", "", false},
    {"up", "../etc/passwd", false},
    {"up, later", "pts/../../etc/passwd", false},
    {"an absolute name", "/etc/passwd", false},
    {"two slashes", "pts//0", false},
    {"a slash at the end", "pts/", false},
    {"a hidden file", ".x", false},
    {"a space", "tty 1", false},
    {"a control byte", "tty\n", false},
    {"a byte over 127", "tty\xe9", false},
};

static void
names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_int_equal(
		    terminal_is_name(span_of(rows[i].name)), rows[i].want);
	}
	assert_false(terminal_is_name(SPAN_LITERAL("tty\0x")));
}

static void
not_a_terminal(void **state)
{
	(void)state;
	assert_int_equal(
	    terminal_write(SPAN_LITERAL("null"), 0, SPAN_LITERAL("x")), -1);
	assert_int_equal(
	    terminal_write(SPAN_LITERAL("../x"), 0, SPAN_LITERAL("x")), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(not_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

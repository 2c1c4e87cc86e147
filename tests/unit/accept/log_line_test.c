/* the fields of a log line cannot pretend to be others */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "accept/log_line.h"
#include "base/attr.h"

static const struct {
	const char *what;
	struct span input;
	const char *want;
} rows[] = {
    {"plain bytes stay", SPAN_LITERAL("a@b"), "x=1 to=a@b size=7"},
    {"nothing", SPAN_LITERAL(""), "x=1 to= size=7"},
    {"a space", SPAN_LITERAL("a result=ok"), "x=1 to=a_result=ok size=7"},
    {"a percent sign", SPAN_LITERAL("%n"), "x=1 to=_n size=7"},
    {"a line end", SPAN_LITERAL("a\nb"), "x=1 to=a/b size=7"},
    {"NUL, tab, escape, bytes over 126", SPAN_LITERAL("\0\t\033\177\377"),
	"x=1 to=_____ size=7"},
};

static void
writes_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str line = STR_INIT;

		log_line_add(&line, "x", SPAN_LITERAL("1"));
		log_line_add(&line, "to", rows[i].input);
		log_line_add_u64(&line, "size", 7);
		if (strcmp(line.s, rows[i].want) != 0)
			fail_msg("%s: got %s", rows[i].what, line.s);
		str_free(&line);
	}
}

static void
cuts_long_values(void **state)
{
	char bytes[LOG_LINE_SHOWN_MAX + 1];
	struct str line = STR_INIT;

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	log_line_add(&line, "to", (struct span){bytes, sizeof(bytes)});
	assert_int_equal(line.len, strlen("to=") + LOG_LINE_SHOWN_MAX);
	str_free(&line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_rows),
	    cmocka_unit_test(cuts_long_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* log_record: lines become records of syslog */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/log_record.h"
#include "base/attr.h"
#include "base/str.h"

#define STAMP "1795373227.000101"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define FULL                                                                   \
	HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED TEN TEN TEN    \
	    TEN TEN TEN TEN TEN TEN "012345678"

static void
record_text(void *owner, enum log_level level, const char *text)
{
	static const char letters[] = "iwa";
	struct str *all = owner;

	str_append_char(all, letters[level]);
	str_append_cstr(all, text);
	str_append_char(all, '|');
}

static void
fixed_time(struct timespec *now)
{
	*now = (struct timespec){.tv_sec = 1795373227, .tv_nsec = 101999};
}

static const struct {
	const char *what, *input, *want;
} rows[] = {
    {"a line is one record of information", "hello\n", "i" STAMP " hello|"},
    {"a line that starts so is a warning", "warning: w\n",
	"w" STAMP " warning: w|"},
    {"or an alert", "alert: a\n", "a" STAMP " alert: a|"},
    {"the word must come first", "no alert: a\n", "i" STAMP " no alert: a|"},
    {"with its colon", "alert a\n", "i" STAMP " alert a|"},
    {"in this case", "Alert: a\n", "i" STAMP " Alert: a|"},
    {"the words alone are enough", "alert:\nwarning:\n",
	"a" STAMP " alert:|w" STAMP " warning:|"},
    {"a priority ends with its line", "alert: a\nb\n",
	"a" STAMP " alert: a|i" STAMP " b|"},
    {"empty lines are dropped", "\n\na\n\n", "i" STAMP " a|"},
    {"a last line without end is dropped", "a\nb", "i" STAMP " a|"},
    {"nothing", "", ""},
    {"tabs, eight bits and controls are shown as ?",
	"\ta\x80\xff\x7f\x1b\r b~\n", "i" STAMP " ?a????? b~|"},
    {"percent signs stay", "%s%n\n", "i" STAMP " %s%n|"},
    {"799 bytes are one record", FULL "\n", "i" STAMP " " FULL "|"},
    {"800 are two of one time", FULL "x\n",
	"i" STAMP " " FULL "|i" STAMP "+x|"},
    {"a continued alert stays one", "alert: " FULL "\n",
	"a" STAMP " alert: " HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
	    HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN "01|a" STAMP
	"+2345678|"},
    {"a warning in the continuation is none", FULL "warning: x\n",
	"i" STAMP " " FULL "|i" STAMP "+warning: x|"},
    {"three records", FULL FULL "y\nz\n",
	"i" STAMP " " FULL "|i" STAMP "+" FULL "|i" STAMP "+y|i" STAMP " z|"},
};

static void
feed(const char *input, size_t piece, struct str *got)
{
	struct log_record record = {
	    .emit = record_text, .now = fixed_time, .owner = got};
	struct span rest = span_of(input);

	while (rest.len > 0) {
		size_t len = rest.len < piece ? rest.len : piece;

		log_record_feed(&record, span_until(rest, len));
		rest = span_from(rest, len);
	}
}

static void
cuts(void **state)
{
	static const size_t pieces[] = {1, 7, 799, 1000000};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t j = 0; j < COUNT(pieces); j++) {
			struct str got = STR_INIT;

			feed(rows[i].input, pieces[j], &got);
			if (strcmp(got.s, rows[i].want) != 0)
				fail_msg("%s: got %s", rows[i].what, got.s);
			str_free(&got);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

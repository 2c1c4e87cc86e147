/* remote_report: every kind of output and end of a one-shot qmail-remote */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/child.h"
#include "remote/remote_report.h"

/* '~' stands for NUL in the outputs */
static const struct {
	const char *what;
	int code;
	const char *output;
	char letter;
	const char *text;
} rows[] = {
    {"accepted", 0, "r~Kok text\n~", 'K', "ok text\n"},
    {"recipient refused, so message too", 0, "hbad rcpt\n~DGiving up\n~", 'D',
	"bad rcpt\nGiving up\n"},
    {"recipient deferred, others went", 0, "slater\n~Kok\n~", 'Z', "later\n"},
    {"recipient fine, message not", 0, "r~Ztemp\n~", 'Z', "temp\n"},
    {"a message record alone, Z", 0, "Zonly\n~", 'Z', "only\n"},
    {"a message record alone, K", 0, "Konly\n~", 'K', "only\n"},
    {"a message record alone, D", 0, "Donly\n~", 'D', "only\n"},
    {"deferred without a word", 0, "s~Dz\n~", 'Z', "z\n"},
    {"deferred, message too", 0, "slater\n~Zmore\n~", 'Z', "later\nmore\n"},
    {"refused without a word, others went", 0, "h~Kz\n~", 'D', ""},
    {"refused, message deferred", 0, "hbad\n~Zm\n~", 'D', "bad\n"},
    {"a recipient record too many", 0, "r~r~Kz\n~", 'K', ""},
    {"an unknown letter", 0, "xweird\n~", 'D', "weird\n"},
    {"an unknown letter, then a message record", 0, "xweird\n~Kfine\n~", 'K',
	"weird\nfine\n"},
    {"no message record", 0, "r~", 'D', ""},
    {"no NUL at all", 0, "Kaccepted\n", 'D', ""},
    {"the message record is cut off", 0, "r~Kaccepted\n", 'D', ""},
    {"an empty record first", 0, "~Kok\n~", 'K', "ok\n"},
    {"no output", 0, "", 'Z', "qmail-remote produced no output.\n"},
    {"killed, whatever it said", CHILD_KILLED, "r~Kok\n~", 'Z',
	"qmail-remote crashed.\n"},
    {"temporary exit", 111, "r~Kok\n~", 'Z', "Unable to run qmail-remote.\n"},
    {"permanent exit", 100, "", 'D', "Unable to run qmail-remote.\n"},
    {"a script's interpreter or program is missing", 127, "", 'Z',
	"Unable to run qmail-remote.\n"},
    {"a script's program may not be run", 126, "", 'Z',
	"Unable to run qmail-remote.\n"},
    {"any other exit", 1, "r~Kok\n~", 'D', "Unable to run qmail-remote.\n"},
};

static void
translates_rows(void **state)
{
	struct str output = STR_INIT, text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char letter;

		str_copy(&output, span_of(rows[i].output));
		for (size_t at = 0; at < output.len; at++) {
			if (output.s[at] == '~')
				output.s[at] = '\0';
		}
		letter = remote_report(rows[i].code, str_span(&output), &text);
		if (letter != rows[i].letter ||
		    !span_is(str_span(&text), rows[i].text))
			fail_msg("%s: %c %s", rows[i].what, letter, text.s);
	}
	str_free(&output);
	str_free(&text);
}

static void
names_lost_workers(void **state)
{
	(void)state;
	assert_string_equal(
	    remote_report_lost(CHILD_KILLED), "qmail-remote crashed.\n");
	assert_string_equal(
	    remote_report_lost(0), "qmail-remote produced no output.\n");
	assert_string_equal(
	    remote_report_lost(111), "Unable to run qmail-remote.\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(translates_rows),
	    cmocka_unit_test(names_lost_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

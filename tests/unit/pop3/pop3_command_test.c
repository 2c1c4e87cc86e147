/* command lines of POP3 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pop3/pop3_command.h"

static const struct {
	const char *what;
	struct span input;
	enum pop3_verb verb;
	const char *argument;
} rows[] = {
    {"CR LF", SPAN_LITERAL("USER joe\r\n"), POP3_USER, "joe"},
    {"a bare LF", SPAN_LITERAL("stat\n"), POP3_STAT, ""},
    {"leading spaces go, others stay", SPAN_LITERAL("PASS   a  b \r\n"),
	POP3_PASS, "a  b "},
    {"no space behind the verb", SPAN_LITERAL("RETR1\r\n"), POP3_UNKNOWN, ""},
    {"an empty line", SPAN_LITERAL("\r\n"), POP3_UNKNOWN, ""},
    {"nothing", SPAN_LITERAL(""), POP3_UNKNOWN, ""},
    {"a NUL in the verb", SPAN_LITERAL("QUIT\0\r\n"), POP3_UNKNOWN, ""},
    {"apop", SPAN_LITERAL("APOP a b\r\n"), POP3_APOP, "a b"},
    {"capa", SPAN_LITERAL("capa\r\n"), POP3_CAPA, ""},
    {"dele", SPAN_LITERAL("Dele 1\r\n"), POP3_DELE, "1"},
    {"last", SPAN_LITERAL("LAST\r\n"), POP3_LAST, ""},
    {"list", SPAN_LITERAL("LIST\r\n"), POP3_LIST, ""},
    {"noop", SPAN_LITERAL("NOOP\r\n"), POP3_NOOP, ""},
    {"quit", SPAN_LITERAL("QUIT\r\n"), POP3_QUIT, ""},
    {"retr", SPAN_LITERAL("RETR 7\r\n"), POP3_RETR, "7"},
    {"rset", SPAN_LITERAL("RSET\r\n"), POP3_RSET, ""},
    {"top", SPAN_LITERAL("TOP 1 2\r\n"), POP3_TOP, "1 2"},
    {"uidl", SPAN_LITERAL("UIDL\r\n"), POP3_UIDL, ""},
};

static void
parses_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span argument;
		enum pop3_verb verb =
		    pop3_command_parse(rows[i].input, &argument);

		if (verb != rows[i].verb ||
		    !span_is(argument, rows[i].argument))
			fail_msg("%s: got %d, %.*s", rows[i].what, (int)verb,
			    (int)argument.len, argument.s);
	}
}

static const struct {
	const char *what, *input;
	int found;
	uint64_t number;
	const char *rest;
} numbers[] = {
    {"one number", "12", 1, 12, ""},
    {"two numbers", "1   22 x", 1, 1, "22 x"},
    {"digits, then something else", "3x", 1, 3, "x"},
    {"no number", "x3", 0, 0, "x3"},
    {"a sign", "-1", 0, 0, "-1"},
    {"nothing", "", 0, 0, ""},
    {"too great", "99999999999999999999999", 1, UINT64_MAX, ""},
};

static void
takes_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		struct span rest = span_of(numbers[i].input);
		uint64_t number = 0;
		int found = pop3_command_number(&rest, &number);

		if (found != numbers[i].found || number != numbers[i].number ||
		    !span_is(rest, numbers[i].rest))
			fail_msg("%s: got %d", numbers[i].what, found);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_rows),
	    cmocka_unit_test(takes_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

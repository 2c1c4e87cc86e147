/* command lines: verb, argument, SIZE */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "accept/smtp_command.h"

static const struct {
	const char *what;
	struct span input;
	enum smtp_verb verb;
	const char *argument;
} rows[] = {
    {"CR LF", SPAN_LITERAL("HELO x\r\n"), SMTP_HELO, "x"},
    {"a bare LF ends a command too", SPAN_LITERAL("helo x\n"), SMTP_HELO, "x"},
    {"no line end", SPAN_LITERAL("NoOp"), SMTP_NOOP, ""},
    {"only one CR belongs to the line end", SPAN_LITERAL("HELO x\r\r\n"),
	SMTP_HELO, "x\r"},
    {"spaces before the argument are skipped",
	SPAN_LITERAL("MAIL   FROM:<a>  SIZE=1\r\n"), SMTP_MAIL,
	"FROM:<a>  SIZE=1"},
    {"spaces before the verb make it empty", SPAN_LITERAL(" NOOP\r\n"),
	SMTP_UNKNOWN, "NOOP"},
    {"an empty line", SPAN_LITERAL("\r\n"), SMTP_UNKNOWN, ""},
    {"nothing at all", SPAN_LITERAL(""), SMTP_UNKNOWN, ""},
    {"a tab does not end a verb", SPAN_LITERAL("HELO\tx\r\n"), SMTP_UNKNOWN,
	""},
    {"a verb with something behind it", SPAN_LITERAL("DATAX\r\n"), SMTP_UNKNOWN,
	""},
    {"the start of a verb", SPAN_LITERAL("DAT\r\n"), SMTP_UNKNOWN, ""},
    {"a NUL in the verb", SPAN_LITERAL("DATA\0\r\n"), SMTP_UNKNOWN, ""},
    {"rcpt", SPAN_LITERAL("rCPT TO:<a>\r\n"), SMTP_RCPT, "TO:<a>"},
    {"ehlo", SPAN_LITERAL("EHLO\r\n"), SMTP_EHLO, ""},
    {"data", SPAN_LITERAL("data\r\n"), SMTP_DATA, ""},
    {"rset", SPAN_LITERAL("RSET\r\n"), SMTP_RSET, ""},
    {"vrfy", SPAN_LITERAL("VRFY a b\r\n"), SMTP_VRFY, "a b"},
    {"help", SPAN_LITERAL("HELP\r\n"), SMTP_HELP, ""},
    {"quit", SPAN_LITERAL("QUIT\r\n"), SMTP_QUIT, ""},
    {"a request of a browser", SPAN_LITERAL("POST / HTTP/1.1\r\n"), SMTP_HTTP,
	"/ HTTP/1.1"},
    {"AUTH is not known", SPAN_LITERAL("AUTH PLAIN\r\n"), SMTP_UNKNOWN,
	"PLAIN"},
};

static void
parses_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span argument;
		enum smtp_verb verb =
		    smtp_command_parse(rows[i].input, &argument);

		if (verb != rows[i].verb ||
		    !span_is(argument, rows[i].argument))
			fail_msg("%s: got %d, %.*s", rows[i].what, (int)verb,
			    (int)argument.len, argument.s);
	}
}

static const struct {
	const char *what, *input;
	int found;
	uint64_t size;
} sizes[] = {
    {"alone", "SIZE=123", 1, 123},
    {"in any case, behind another", " BODY=8BITMIME sIzE=7 X", 1, 7},
    {"not there", " BODY=8BITMIME", 0, 0},
    {"no parameters", "", 0, 0},
    {"spaces only", "   ", 0, 0},
    {"no number", " SIZE=", 0, 0},
    {"no number either", " SIZE=x1", 0, 0},
    {"part of another word", " XSIZE=5", 0, 0},
    {"too great for 64 bits", "SIZE=99999999999999999999999", 1, UINT64_MAX},
};

static void
finds_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		uint64_t size = 0;
		int found = smtp_command_size(span_of(sizes[i].input), &size);

		if (found != sizes[i].found || size != sizes[i].size)
			fail_msg("%s: got %d, %llu", sizes[i].what, found,
			    (unsigned long long)size);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_rows),
	    cmocka_unit_test(finds_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

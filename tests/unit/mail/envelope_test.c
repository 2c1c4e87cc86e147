/* what qmail-queue accepts on descriptor 1, fed whole and byte by byte */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail/address.h"
#include "mail/envelope.h"

struct row {
	const char *what;
	struct span input;
	const char *want; /* one line an event */
};

static const struct row rows[] = {
    {"sender and two recipients", {"Fa\0Tb@c\0Td\0\0", 12}, "F=a T=b@c T=d ."},
    {"no recipient is allowed", {"Fa\0\0", 4}, "F=a ."},
    {"the null sender and an empty recipient", {"F\0T\0\0", 5}, "F= T= ."},
    {"what follows the end is not looked at", {"Fa\0\0Zx", 6}, "F=a ."},
    {"an empty envelope is not complete", {"", 0}, ""},
    {"the last NUL is missing", {"Fa\0Tb\0", 6}, "F=a T=b"},
    {"an address without its NUL", {"Fa\0Tb", 5}, "F=a"},
    {"a recipient first", {"Tb\0\0", 4}, "bad"},
    {"two senders", {"Fa\0Fb\0\0", 7}, "F=a bad"},
    {"lower case letters", {"fa\0\0", 4}, "bad"},
    {"NUL first", {"\0", 1}, "bad"},
};

/* Feeds input in pieces of step bytes and writes down what came out. */
static void
run(struct span input, size_t step, struct str *seen)
{
	struct envelope_parser parser = ENVELOPE_PARSER_INIT;
	enum envelope_event event = ENVELOPE_MORE;

	str_clear(seen);
	while (input.len > 0 && event == ENVELOPE_MORE) {
		struct span piece =
		    span_until(input, step < input.len ? step : input.len);

		input = span_from(input, piece.len);
		do {
			static const char *const names[] = {
			    "", "F=", "T=", ".", "bad", "long"};

			event = envelope_feed(&parser, &piece);
			if (event == ENVELOPE_MORE)
				break;
			if (seen->len > 0)
				str_append_char(seen, ' ');
			str_append_cstr(seen, names[event]);
			if (event == ENVELOPE_SENDER ||
			    event == ENVELOPE_RECIPIENT)
				str_append_span(
				    seen, str_span(&parser.address));
		} while (
		    event == ENVELOPE_SENDER || event == ENVELOPE_RECIPIENT);
	}
	envelope_parser_free(&parser);
}

static void
parses_rows(void **state)
{
	struct str seen = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t step = 1; step < 16; step += 7) {
			run(rows[i].input, step, &seen);
			if (strcmp(seen.s, rows[i].want) != 0)
				fail_msg("%s: got %s", rows[i].what, seen.s);
		}
	}
	str_free(&seen);
}

static void
limits_addresses(void **state)
{
	struct str input = STR_INIT, seen = STR_INIT;

	(void)state;
	for (size_t extra = 0; extra < 2; extra++) {
		str_clear(&input);
		str_append_char(&input, 'F');
		for (size_t i = 0; i < ADDRESS_MAX + extra; i++)
			str_append_char(&input, 'x');
		str_append(&input, "\0\0", 2);
		run(str_span(&input), 100, &seen);
		if (extra == 0)
			assert_int_equal(seen.len, 2 + ADDRESS_MAX + 2);
		else
			assert_string_equal(seen.s, "long");
	}
	str_free(&input);
	str_free(&seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_rows),
	    cmocka_unit_test(limits_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

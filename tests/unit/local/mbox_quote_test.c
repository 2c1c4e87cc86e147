/* quoting for an mbox, whole and byte by byte */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/mbox_quote.h"

struct row {
	const char *what;
	struct span input;
	struct span want;
};

#define BYTES(text)                                                            \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}
#define ROW(what, input, want)                                                 \
	{                                                                      \
		what, BYTES(input), BYTES(want)                                \
	}

static const struct row rows[] = {
    ROW("the table of the format",
	"From me\nSubject: x\n\nFrom a\n>From b\n From d\nfrom e\nFrom\n"
	"From: x\nlast",
	">From me\nSubject: x\n\n>From a\n>>From b\n From d\nfrom e\nFrom\n"
	"From: x\nlast\n"),
    ROW("nothing", "", ""),
    ROW("NUL, CR and an empty line", "x\0y\r\n\n", "x\0y\r\n\n"),
    ROW("only the start of a match, without LF", "Fro", "Fro\n"),
    ROW("a match and nothing else", "From ", ">From \n"),
    ROW("many quotes", ">>>>From \n", ">>>>>From \n"),
    ROW("quotes alone", ">>>", ">>>\n"),
    ROW("quotes and half a match", ">>Fr\nFrom x", ">>Fr\n>From x\n"),
    ROW("a second F", "FFrom \n", "FFrom \n"),
    ROW("a quote inside the match", "Fr>From \n", "Fr>From \n"),
    ROW("From in the middle of a line", "x From \n", "x From \n"),
    ROW("a final LF is not doubled", "a\n", "a\n"),
};

static void
quotes(void **state)
{
	struct str seen = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t step = 1; step < 9; step++) {
			struct mbox_quote quote = MBOX_QUOTE_INIT;
			struct span rest = rows[i].input;

			str_clear(&seen);
			while (rest.len > 0) {
				size_t len = step < rest.len ? step : rest.len;

				mbox_quote_feed(
				    &quote, span_until(rest, len), &seen);
				rest = span_from(rest, len);
			}
			mbox_quote_end(&quote, &seen);
			print_message("%s, by %zu\n", rows[i].what, step);
			assert_int_equal(seen.len, rows[i].want.len);
			assert_memory_equal(seen.s, rows[i].want.s, seen.len);
		}
	}
	str_free(&seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

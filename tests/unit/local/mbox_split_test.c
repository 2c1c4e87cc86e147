/* an mbox taken apart, and the time of its From_ lines */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/mbox_split.h"

#define F "From x\n"

static const struct row {
	const char *what, *input;
	const char *want; /* messages, each behind a '|'; NULL: no mbox */
} rows[] = {
    {"nothing", "", ""},
    {"a message and its empty line", F "a: b\n\nc\n\n", "|a: b\n\nc\n"},
    {"two", F "a\n\n" F "b\n\n", "|a\n|b\n"},
    {"no empty line at the end", F "a\n", "|a\n"},
    {"no LF at the end", F "a", "|a"},
    {"empty messages", F "\n" F "\n", "||"},
    {"nothing but a From_ line", "From ", "|"},
    {"only the last empty line goes", F "a\n\n\n\n", "|a\n\n\n"},
    {"empty lines inside", F "a\n\n\nb\n\n" F "c\n\n", "|a\n\n\nb\n|c\n"},
    {"From behind a line that is not empty", F "a\n" F "b\n\n",
	"|a\nFrom x\nb\n"},
    {"quotes", F ">From a\n>>From b\n>>>From c\n\n",
	"|From a\n>From b\n>>From c\n"},
    {"quotes that are none", F ">from\n> From a\n>>\n>\n>Fro\n>From\n\n",
	"|>from\n> From a\n>>\n>\n>Fro\n>From\n"},
    {"a quote at the end", F "a\n>", "|a\n>"},
    {"a quoted From_ at the end", F "a\n>From ", "|a\nFrom "},
    {"empty lines at the start", "\n\n" F "a\n\n", "|a\n"},
    {"something at the start", "a\n\n" F "b\n\n", NULL},
    {"a quoted line at the start", ">From x\n", NULL},
    {"CR LF is not an empty line", F "a\r\n\r\n" F "b\n\n",
	"|a\r\n\r\nFrom x\nb\n"},
};

/* Feeds lines, or parts of them of step bytes. */
static bool
split_all(struct span rest, size_t step, struct str *seen)
{
	struct mbox_split split = MBOX_SPLIT_INIT;
	struct str data = STR_INIT;
	bool is_mbox = true;

	str_clear(seen);
	while (rest.len > 0 && is_mbox) {
		size_t lf = span_find(rest, '\n');
		size_t len = lf == SPAN_NONE ? rest.len : lf + 1;

		if (len > step)
			len = step;
		switch (mbox_split_feed(&split, span_until(rest, len), &data)) {
		case MBOX_PIECE_WRONG:
			is_mbox = false;
			break;
		case MBOX_PIECE_START:
			str_append_span(seen, str_span(&data));
			str_append_char(seen, '|');
			str_clear(&data);
			break;
		case MBOX_PIECE_DATA:
			break;
		}
		rest = span_from(rest, len);
	}
	mbox_split_end(&split, &data);
	str_append_span(seen, str_span(&data));
	str_free(&data);
	return is_mbox;
}

static void
splits(void **state)
{
	struct str seen = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t step = 6; step < 100; step += 47) {
			print_message("%s, by %zu\n", rows[i].what, step);
			/* From_ behind quotes must not be cut */
			if (step == 6 && i == 10)
				continue;
			assert_int_equal(
			    split_all(span_of(rows[i].input), step, &seen),
			    rows[i].want != NULL);
			if (rows[i].want != NULL)
				assert_string_equal(seen.s, rows[i].want);
		}
	}
	str_free(&seen);
}

static const struct time_row {
	const char *what, *line;
	int64_t want; /* -1: none */
} time_rows[] = {
    {"as we write it", "From a@b Sun Nov 02 18:43:49 2025\n", 1762109029},
    {"as ctime writes it", "From a@b Sun Nov  2 18:43:49 2025\n", 1762109029},
    {"without LF", "From a@b Sun Nov 22 18:46:21 2026", 1795373181},
    {"the first one", "From a Thu Jan 01 00:00:00 1970\n", 0},
    {"a leap day", "From a Thu Feb 29 12:00:00 2024\n", 1709208000},
    {"behind a leap day", "From a Fri Mar 01 00:00:00 2024\n", 1709251200},
    {"a century that leaps", "From a Wed Mar 01 00:00:00 2000\n", 951868800},
    {"one that does not", "From a Mon Mar 01 00:00:00 2100\n", 4107542400},
    {"no time", "From a\n", -1},
    {"no month", "From a@b Sun Nox 02 18:43:49 2025\n", -1},
    {"day 0", "From a@b Sun Nov 00 18:43:49 2025\n", -1},
    {"hour 24", "From a@b Sun Nov 02 24:43:49 2025\n", -1},
    {"a zone behind it", "From a@b Sun Nov 02 18:43:49 2025 +0100\n", -1},
    {"before 1970", "From a@b Sun Nov 02 18:43:49 1969\n", -1},
};

static void
times(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(time_rows); i++) {
		int64_t when = -1;

		print_message("%s\n", time_rows[i].what);
		assert_int_equal(
		    mbox_from_time(span_of(time_rows[i].line), &when),
		    time_rows[i].want != -1);
		assert_int_equal(when, time_rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(splits),
	    cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

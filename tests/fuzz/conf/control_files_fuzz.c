/*
 * One file, read as a value, a number, a list and a map, against readings that
 * are slow and plain. The first byte says whether control/me is there too.
 */
#include "../fuzz.h"

#include <limits.h>

#include "conf/control.h"

static struct span
first_line(struct span text)
{
	return span_trim_right(fuzz_until(&text, '\n'));
}

static void
check_value(struct span text, bool has_me)
{
	struct str value = STR_INIT;

	require(control_line("control/x", &value) == 1);
	require(span_equal(str_span(&value), first_line(text)));
	str_copy(&value, SPAN_LITERAL("old"));
	require(control_line_default_me("control/none", NULL, &value) ==
	    (has_me ? 1 : 0));
	require(span_is(str_span(&value), has_me ? "me.example" : "old"));
	require(control_line_default_me("control/none", "word", &value) == 1);
	require(span_is(str_span(&value), has_me ? "me.example" : "word"));
	str_free(&value);
}

static void
check_number(struct span text)
{
	struct span line = first_line(text);
	unsigned long value = 7, want = 0;
	size_t digits = 0;

	while (digits < line.len && line.s[digits] >= '0' &&
	    line.s[digits] <= '9') {
		unsigned long digit = (unsigned long)(line.s[digits++] - '0');

		want = want > (ULONG_MAX - digit) / 10 ? ULONG_MAX
						       : want * 10 + digit;
	}
	require(control_number("control/x", &value) == (digits > 0));
	require(value == (digits > 0 ? want : 7));
}

/* The value of the last line with that key; false if there is none. */
static bool
find_slowly(struct span text, struct span key, struct span *value)
{
	bool found = false;

	while (text.len > 0) {
		struct span line = span_trim_right(fuzz_until(&text, '\n'));
		size_t colon = span_find(line, ':');

		if (line.len == 0 || line.s[0] == '#' || colon == SPAN_NONE ||
		    !span_equal_nocase(span_until(line, colon), key))
			continue;
		*value = span_from(line, colon + 1);
		found = true;
	}
	return found;
}

static void
check_map(struct span text)
{
	struct control_table table = CONTROL_TABLE_INIT;
	struct span rest = text, value, want = {"", 0};

	require(control_map("control/x", &table) == 1);
	require(table.entry_count <= fuzz_count(text, ':'));
	while (rest.len > 0) {
		struct span line = fuzz_until(&rest, '\n');
		struct span key = fuzz_until(&line, ':');
		bool there = find_slowly(text, key, &want);

		require(control_find(&table, key, &value) == there);
		require(!there || span_equal(value, want));
	}
	control_table_free(&table);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct control_table list = CONTROL_TABLE_INIT;
	bool has_me = fuzz_byte(&input) & 1;

	fuzz_enter_directory();
	fuzz_make_directory("control");
	fuzz_write_file("control/x", input);
	if (has_me)
		fuzz_write_file("control/me", SPAN_LITERAL("me.example \n\n"));
	else
		(void)unlink("control/me");
	check_value(input, has_me);
	check_number(input);
	check_map(input);
	require(control_list("control/none", &list) == 0);
	require(control_list("control/x", &list) == 1);
	for (size_t i = 0; i < list.entry_count; i++)
		require(control_has(&list, list.lines[i]));
	control_table_free(&list);
	return 0;
}

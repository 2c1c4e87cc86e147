/* files of a classic queue, and the notes of an import */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/classic_file.h"
#include "admin/import_record.h"

#define ROW(text)                                                              \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}

static void
todo_is_read(void **state)
{
	static const char file[] = "u7\0p99\0Fs@x\0Ta@b\0T\0";
	struct span rest = {file, sizeof(file) - 1}, one;
	struct classic_todo todo;

	(void)state;
	assert_null(classic_parse_todo(rest, &todo));
	assert_int_equal(todo.uid, 7);
	assert_int_equal(todo.pid, 99);
	assert_true(span_is(todo.sender, "s@x"));
	assert_int_equal(classic_next_recipient(&rest, &one), 1);
	assert_true(span_is(one, "a@b"));
	assert_int_equal(classic_next_recipient(&rest, &one), 1);
	assert_int_equal(one.len, 0);
	assert_int_equal(classic_next_recipient(&rest, &one), 0);
}

static void
done_recipients_are_passed_over(void **state)
{
	static const char file[] = "Da@b\0Tc@d\0De@f\0";
	struct span rest = {file, sizeof(file) - 1}, one;

	(void)state;
	assert_null(classic_parse_channel(rest));
	assert_int_equal(classic_next_recipient(&rest, &one), 1);
	assert_true(span_is(one, "c@d"));
	assert_int_equal(classic_next_recipient(&rest, &one), 0);
}

static void
info_may_hold_more_behind_the_sender(void **state)
{
	struct span sender;

	(void)state;
	assert_null(classic_parse_info(SPAN_LITERAL("F\0"), &sender));
	assert_int_equal(sender.len, 0);
	assert_null(classic_parse_info(SPAN_LITERAL("Fs\0eX\0?"), &sender));
	assert_true(span_is(sender, "s"));
	assert_non_null(classic_parse_info(SPAN_LITERAL(""), &sender));
	assert_non_null(classic_parse_info(SPAN_LITERAL("Fs"), &sender));
}

static void
bounces_become_whole_paragraphs(void **state)
{
	static const struct {
		const char *what;
		struct span file;
		const char *want;
	} rows[] = {
	    {"whole already", ROW("<a>:\nno\n\n"), "<a>:\nno\n\n"},
	    {"without the empty line", ROW("<a>:\nno\n"), "<a>:\nno\n\n"},
	    {"cut in a line", ROW("<a>:\nn"), "<a>:\nn\n\n"},
	    {"one LF", ROW("\n"), "\n\n"},
	    {"a NUL", ROW("<a>:\n\0\n\n"), "<a>:\n_\n\n"},
	};
	struct str got = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		classic_mend_bounce(rows[i].file, &got);
		if (strcmp(got.s, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].what, got.s);
	}
	classic_mend_bounce(SPAN_LITERAL(""), &got);
	assert_memory_equal(got.s, "<>:\n", 4);
	str_free(&got);
}

static void
a_message_is_known_by_three_numbers(void **state)
{
	struct import_record record = IMPORT_RECORD_INIT;
	struct import_entry entry = {.number = 5, .size_bytes = 6};

	(void)state;
	assert_int_equal(import_record_parse(&record,
			     SPAN_LITERAL("9 1 1 3\n5 6 7 8\n5 6 7 9\n")),
	    0);
	assert_false(import_record_has(&record, &entry)); /* not sorted yet */
	import_record_sort(&record);
	assert_int_equal(record.count, 2);
	assert_int_equal(record.entries[0].id, 8);
	assert_false(import_record_has(&record, &entry));
	assert_int_equal(import_record_parse_origin(SPAN_LITERAL("key/5/6/7"),
			     SPAN_LITERAL("key"), &entry),
	    0);
	assert_true(import_record_has(&record, &entry));
	import_record_free(&record);
}

static void
other_texts_are_refused(void **state)
{
	static const struct span origins[] = {ROW("key"), ROW("key/"),
	    ROW("key/1/2"), ROW("key/1/2/3/4"), ROW("key/1/2/x"),
	    ROW("kex/1/2/3"), ROW("ke/1/2/3"), ROW("keyy/1/2/3"), ROW("")};
	static const struct span lists[] = {ROW("1 2 3\n"), ROW("1 2 3 4"),
	    ROW("1 2 3 4 5\n"), ROW("x 2 3 4\n"), ROW("\n")};
	struct import_record record = IMPORT_RECORD_INIT;
	struct import_entry entry;

	(void)state;
	for (size_t i = 0; i < COUNT(origins); i++) {
		if (import_record_parse_origin(
			origins[i], SPAN_LITERAL("key"), &entry) != -1)
			fail_msg("origin %zu was taken", i);
	}
	for (size_t i = 0; i < COUNT(lists); i++) {
		if (import_record_parse(&record, lists[i]) != -1)
			fail_msg("list %zu was taken", i);
	}
	import_record_free(&record);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(todo_is_read),
	    cmocka_unit_test(done_recipients_are_passed_over),
	    cmocka_unit_test(info_may_hold_more_behind_the_sender),
	    cmocka_unit_test(bounces_become_whole_paragraphs),
	    cmocka_unit_test(a_message_is_known_by_three_numbers),
	    cmocka_unit_test(other_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

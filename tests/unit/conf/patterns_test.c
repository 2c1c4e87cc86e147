/* one regular expression a line, as badrcptto and its kin have them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "base/attr.h"
#include "conf/patterns.h"

#define FILE_NAME "patterns-test-file"

static void
write_file(const char *text, size_t len)
{
	FILE *file = fopen(FILE_NAME, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void
test_lines_match(void **state)
{
	static const struct {
		const char *what, *file, *text;
		bool want;
	} rows[] = {
	    {"an empty list matches nothing", "", "a@b.example", false},
	    {"an expression is found anywhere", "spam", "x.spammer@h", true},
	    {"case does not count", "SPAM", "spam@h", true},
	    {"anchors hold", "^spam", "x-spam@h", false},
	    {"extended syntax", "^(a|b)+@x\\.example$", "abba@x.example", true},
	    {"any line is enough", "nothing\nh$", "a@h", true},
	    {"! asks for what does not match", "!@good\\.example$", "a@bad",
		true},
	    {"! leaves what matches", "!@good\\.example$", "a@good.example",
		false},
	    {"comments and empty lines are dropped", "# a\n\n", "# a", false},
	    {"the end of a line is trimmed", "h$ \t\n", "a@h", true},
	    {"a plain address with a plus", "joe+x@h.example",
		"Joe+X@h.example", true},
	    {"a plain domain", "@h.example", "joe@h.example", true},
	    {"a plain domain is no suffix", "@h.example$", "joe@x.h.example",
		false},
	    {"the empty text", "^$", "", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct patterns patterns = PATTERNS_INIT;
		struct str trouble = STR_INIT, text = STR_INIT;

		write_file(rows[i].file, strlen(rows[i].file));
		assert_int_equal(
		    patterns_load(&patterns, FILE_NAME, &trouble), 0);
		str_copy(&text, span_of(rows[i].text));
		if (patterns_match(&patterns, &text) != rows[i].want)
			fail_msg("%s", rows[i].what);
		patterns_free(&patterns);
		str_free(&text);
		str_free(&trouble);
	}
	assert_int_equal(unlink(FILE_NAME), 0);
}

static void
test_missing_adds_none(void **state)
{
	struct patterns patterns = PATTERNS_INIT;
	struct str trouble = STR_INIT;

	(void)state;
	assert_int_equal(patterns_load(&patterns, "no-such-file", &trouble), 0);
	assert_int_equal(patterns.count, 0);
}

static void
test_trouble_names_the_line(void **state)
{
	static const struct {
		const char *what, *file;
		size_t len;
		const char *want;
	} rows[] = {
	    {"an open bracket", "fine\n\n[a\n", 9, FILE_NAME ": line 3: "},
	    {"a NUL", "a\0b\n", 4, FILE_NAME ": line 1: it holds a NUL"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct patterns patterns = PATTERNS_INIT;
		struct str trouble = STR_INIT;

		write_file(rows[i].file, rows[i].len);
		errno = 0;
		assert_int_equal(
		    patterns_load(&patterns, FILE_NAME, &trouble), -1);
		assert_int_equal(errno, EINVAL);
		if (strncmp(trouble.s, rows[i].want, strlen(rows[i].want)) != 0)
			fail_msg("%s: %s", rows[i].what, trouble.s);
		patterns_free(&patterns);
		str_free(&trouble);
	}
	assert_int_equal(unlink(FILE_NAME), 0);
}

static void
test_bounds(void **state)
{
	struct patterns patterns = PATTERNS_INIT;
	struct str trouble = STR_INIT, text = STR_INIT;

	(void)state;
	for (int i = 0; i < PATTERNS_LINE_MAX + 1; i++)
		str_append_char(&text, 'a');
	write_file(text.s, text.len);
	assert_int_equal(patterns_load(&patterns, FILE_NAME, &trouble), -1);
	assert_int_equal(errno, EINVAL);
	str_clear(&text);
	for (int i = 0; i < PATTERNS_MAX + 1; i++)
		str_append_cstr(&text, "a\n");
	write_file(text.s, text.len);
	assert_int_equal(patterns_load(&patterns, FILE_NAME, &trouble), -1);
	assert_int_equal(errno, EFBIG);
	patterns_free(&patterns);
	str_free(&text);
	str_free(&trouble);
	assert_int_equal(unlink(FILE_NAME), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines_match),
	    cmocka_unit_test(test_missing_adds_none),
	    cmocka_unit_test(test_trouble_names_the_line),
	    cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

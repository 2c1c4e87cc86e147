/* patterns and JSON strings of qmail-qtool */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/queue_entry.h"

static void
patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool want;
	} rows[] = {
	    {"", "", true},
	    {"", "a", false},
	    {"*", "", true},
	    {"*", "abc", true},
	    {"a*", "abc", true},
	    {"a*", "ba", false},
	    {"*c", "abc", true},
	    {"*c", "abcd", false},
	    {"a*c", "ABC", true},
	    {"A*b*c", "axxbyybzzc", true},
	    {"a*b*c", "axxcyyb", false},
	    {"*aab", "aaaaab", true},
	    {"**a**", "bab", true},
	    {"a?c", "abc", false},
	    {"abc", "ab", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (queue_pattern_matches(span_of(rows[i].pattern),
			span_of(rows[i].text)) != rows[i].want)
			fail_msg("%s %s", rows[i].pattern, rows[i].text);
	}
}

static void
json_strings(void **state)
{
	static const struct {
		const char *what, *input, *want;
	} rows[] = {
	    {"nothing", "", "\"\""},
	    {"quotes and backslashes", "a\"b\\c", "\"a\\\"b\\\\c\""},
	    {"control characters", "\n\x01\x7f", "\"\\u000a\\u0001\\u007f\""},
	    {"two to four bytes a character",
		"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
	    {"a byte that starts nothing", "a\xff\x80z",
		"\"a\\ufffd\\ufffdz\""},
	    {"a cut character", "\xe2\x82", "\"\\ufffd\\ufffd\""},
	    {"a cut character before another", "\xe2\x82z",
		"\"\\ufffd\\ufffdz\""},
	    {"a longer spelling than needed", "\xc0\xaf", "\"\\ufffd\\ufffd\""},
	    {"the same in three bytes", "\xe0\x80\xaf",
		"\"\\ufffd\\ufffd\\ufffd\""},
	    {"a surrogate", "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
	    {"above the last character", "\xf4\x90\x80\x80",
		"\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	};
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		str_clear(&text);
		queue_json_append(&text, span_of(rows[i].input));
		if (!span_is(str_span(&text), rows[i].want))
			fail_msg("%s: %s", rows[i].what, text.s);
	}
	str_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns),
	    cmocka_unit_test(json_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* what the start of a message says, and how it is shown */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/glance.h"

static const struct row {
	const char *what, *input;
	const char *return_path, *delivered_to, *from, *subject, *body;
} rows[] = {
    {"nothing", "", NULL, "", "", "", ""},
    {"all of it",
	"Return-Path: <a@b>\nDelivered-To: c@d\nFrom: E <e@f>\n"
	"subject:  hello \n\nbody\nmore\n",
	"<a@b>", "c@d", "E <e@f>", "hello", "body\nmore\n"},
    {"the null sender", "Return-Path: <>\n\n", "<>", "", "", "", ""},
    {"an empty Return-Path is one", "Return-Path:\nX: y\n\nb", "", "", "", "",
	"b"},
    {"the first of each name",
	"Return-Path: <1>\nSubject: 1\nReturn-Path: <2>\nSubject: 2\n\n", "<1>",
	"", "", "1", ""},
    {"a folded subject", "Subject: a\n b\n\n", NULL, "", "", "a\n b", ""},
    {"a header that just ends", "Subject: a", NULL, "", "", "a", ""},
    {"a body without an empty line", "Subject: a\nnot a field\n", NULL, "", "",
	"a", "not a field\n"},
    {"fields of the body are none", "X: y\n\nReturn-Path: <x>\n", NULL, "", "",
	"", "Return-Path: <x>\n"},
};

static void
parses(void **state)
{
	struct glance glance = GLANCE_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];

		print_message("%s\n", row->what);
		glance_parse(&glance, span_of(row->input));
		assert_int_equal(
		    glance.has_return_path, row->return_path != NULL);
		if (row->return_path != NULL)
			assert_string_equal(
			    glance.return_path.s, row->return_path);
		assert_string_equal(glance.delivered_to.s, row->delivered_to);
		assert_string_equal(glance.from.s, row->from);
		assert_string_equal(glance.subject.s, row->subject);
		assert_string_equal(glance.body.s, row->body);
	}
	glance_free(&glance);
}

static void
shows(void **state)
{
	struct str to = STR_INIT;

	(void)state;
	glance_append_shown(
	    &to, SPAN_LITERAL("a b\n\033[2J\r\0\x7f\x9b\xff~"), 100);
	assert_string_equal(to.s, "a b/_[2J_____~");
	str_clear(&to);
	glance_append_shown(&to, SPAN_LITERAL("abcdef"), 4);
	assert_string_equal(to.s, "abcd");
	str_free(&to);
}

static void
paths(void **state)
{
	static const char *const cases[][2] = {{"<a@b>", "a@b"}, {"<>", ""},
	    {"a@b", "a@b"}, {"<\"a>b\"@c> x", "\"a>b\"@c"}, {">a<", ">a<"},
	    {"", ""}, {"<a", "<a"}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_true(
		    span_is(glance_path(span_of(cases[i][0])), cases[i][1]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses),
	    cmocka_unit_test(shows),
	    cmocka_unit_test(paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

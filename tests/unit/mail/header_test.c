/* header: what a line is, how a header grows, and what its fields are */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail/header.h"

static const struct {
	const char *what, *line;
	bool first;
	enum header_line want;
} lines[] = {
    {"a field", "Name: v\n", false, HEADER_LINE_FIELD},
    {"no space behind the colon", "Name:v\n", true, HEADER_LINE_FIELD},
    {"white space before the colon", "Name \t: v\n", true, HEADER_LINE_FIELD},
    {"a field without value", "N:\n", true, HEADER_LINE_FIELD},
    {"a field without LF", "N:", true, HEADER_LINE_FIELD},
    {"any printable byte is part of a name", "!~{}()<>@: v\n", true,
	HEADER_LINE_FIELD},
    {"a colon alone is no field", ": v\n", false, HEADER_LINE_BODY},
    {"two words before the colon are no field", "a b: v\n", false,
	HEADER_LINE_BODY},
    {"no colon is no field", "word\n", false, HEADER_LINE_BODY},
    {"bytes over 127 are no name", "n\344me: v\n", false, HEADER_LINE_BODY},
    {"nor are control bytes", "n\001: v\n", false, HEADER_LINE_BODY},
    {"DEL neither", "n\177: v\n", false, HEADER_LINE_BODY},
    {"a line with only CR is no end", "\r\n", false, HEADER_LINE_BODY},
    {"an empty line ends the header", "\n", false, HEADER_LINE_EMPTY},
    {"an empty line may come first", "\n", true, HEADER_LINE_EMPTY},
    {"a space continues", " x\n", false, HEADER_LINE_CONTINUATION},
    {"a tab continues", "\tx\n", false, HEADER_LINE_CONTINUATION},
    {"a space alone continues", " \n", false, HEADER_LINE_CONTINUATION},
    {"there is nothing to continue", " x\n", true, HEADER_LINE_BODY},
    {"a line of an mbox", "From x\n", false, HEADER_LINE_MBOX},
    {"even with a colon", "From : x\n", true, HEADER_LINE_MBOX},
    {"the field From is none", "From: x\n", true, HEADER_LINE_FIELD},
    {"case matters for the mbox line", "from x\n", true, HEADER_LINE_BODY},
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		if (header_line_kind(span_of(lines[i].line), lines[i].first) !=
		    lines[i].want)
			fail_msg("%s", lines[i].what);
	}
}

static void
test_growing(void **state)
{
	static const struct {
		const char *line;
		enum header_added want;
		const char *text;
	} steps[] = {
	    {" x\n", HEADER_BODY, ""},
	    {"From a\n", HEADER_MORE, "MBOX-Line: From a\n"},
	    {"A: b\n", HEADER_MORE, "MBOX-Line: From a\nA: b\n"},
	    {"no field\n", HEADER_BODY, "MBOX-Line: From a\nA: b\n"},
	    {"\n", HEADER_END, "MBOX-Line: From a\nA: b\n"},
	    {" c", HEADER_MORE, "MBOX-Line: From a\nA: b\n c\n"},
	};
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		assert_int_equal(header_add_line(&text, span_of(steps[i].line)),
		    steps[i].want);
		assert_string_equal(text.s, steps[i].text);
	}
	str_free(&text);
}

static void
test_maximum(void **state)
{
	struct str text = STR_INIT, line = STR_INIT;
	enum header_added added = HEADER_MORE;

	(void)state;
	str_append_cstr(&line, "N: ");
	while (line.len < 1000 * 1000)
		str_append_cstr(&line, "0123456789");
	str_append_char(&line, '\n');
	while (added == HEADER_MORE) {
		assert_true(text.len <= HEADER_SIZE_MAX);
		added = header_add_line(&text, str_span(&line));
	}
	assert_int_equal(added, HEADER_LARGE);
	assert_true(text.len > HEADER_SIZE_MAX - 2 * line.len);
	assert_int_equal(
	    header_add_line(&text, SPAN_LITERAL("\n")), HEADER_END);
	str_free(&text);
	str_free(&line);
}

static void
test_fields(void **state)
{
	static const char text[] =
	    "To : a,\n b\nX:\nsubject:x:y\n\t\nLast: z\n";
	static const struct {
		enum header_type type;
		const char *name, *body, *whole;
	} want[] = {
	    {HEADER_TO, "To", " a,\n b", "To : a,\n b\n"},
	    {HEADER_OTHER, "X", "", "X:\n"},
	    {HEADER_OTHER, "subject", "x:y\n\t", "subject:x:y\n\t\n"},
	    {HEADER_OTHER, "Last", " z", "Last: z\n"},
	};
	struct span rest = span_of(text);
	struct header_field field;

	(void)state;
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_int_equal(header_next(&rest, &field), 1);
		assert_int_equal(field.type, want[i].type);
		assert_true(span_is(field.name, want[i].name));
		assert_true(span_is(field.body, want[i].body));
		assert_true(span_is(field.whole, want[i].whole));
	}
	assert_int_equal(header_next(&rest, &field), 0);
}

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		enum header_type type;
		bool recipient, sender, resent;
	} names[] = {
	    {"To", HEADER_TO, true, false, false},
	    {"tO", HEADER_TO, true, false, false},
	    {"Cc", HEADER_CC, true, false, false},
	    {"Bcc", HEADER_BCC, true, false, false},
	    {"Apparently-To", HEADER_APPARENTLY_TO, true, false, false},
	    {"Resent-To", HEADER_RESENT_TO, true, false, true},
	    {"Resent-Cc", HEADER_RESENT_CC, true, false, true},
	    {"Resent-Bcc", HEADER_RESENT_BCC, true, false, true},
	    {"Sender", HEADER_SENDER, false, true, false},
	    {"From", HEADER_FROM, false, true, false},
	    {"Reply-To", HEADER_REPLY_TO, false, true, false},
	    {"Return-Receipt-To", HEADER_RETURN_RECEIPT_TO, false, true, false},
	    {"Errors-To", HEADER_ERRORS_TO, false, true, false},
	    {"Resent-Sender", HEADER_RESENT_SENDER, false, true, true},
	    {"Resent-From", HEADER_RESENT_FROM, false, true, true},
	    {"Resent-Reply-To", HEADER_RESENT_REPLY_TO, false, true, true},
	    {"Return-Path", HEADER_RETURN_PATH, false, true, false},
	    {"Resent-Date", HEADER_RESENT_DATE, false, false, true},
	    {"Resent-Message-ID", HEADER_RESENT_MESSAGE_ID, false, false, true},
	    {"Date", HEADER_DATE, false, false, false},
	    {"Message-Id", HEADER_MESSAGE_ID, false, false, false},
	    {"Content-Length", HEADER_CONTENT_LENGTH, false, false, false},
	    {"Mail-Followup-To", HEADER_MAIL_FOLLOWUP_TO, false, false, false},
	    {"Mail-Reply-To", HEADER_OTHER, false, false, false},
	    {"Too", HEADER_OTHER, false, false, false},
	    {"T", HEADER_OTHER, false, false, false},
	    {"", HEADER_OTHER, false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		enum header_type type = header_type_of(span_of(names[i].name));

		if (type != names[i].type ||
		    header_is_recipient(type) != names[i].recipient ||
		    header_is_sender(type) != names[i].sender ||
		    header_is_resent(type) != names[i].resent)
			fail_msg("%s", names[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_growing),
	    cmocka_unit_test(test_maximum),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

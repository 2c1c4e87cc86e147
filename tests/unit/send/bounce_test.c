/* bounce: the text, byte for byte, and what cannot break out of it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "send/bounce.h"

static struct bounce_head
head_for(enum bounce_kind kind, const char *to)
{
	return (struct bounce_head){kind, 1795373181,
	    SPAN_LITERAL("MAILER-DAEMON"), SPAN_LITERAL("me.example"),
	    span_of(to)};
}

static void
writes_a_bounce(void **state)
{
	static const char want[] =
	    "Date: 22 Nov 2026 18:46:21 -0000\n"
	    "From: MAILER-DAEMON@me.example\n"
	    "To: s@x.example\n"
	    "Subject: failure notice\n"
	    "\n"
	    "Hi. This is the qmail-send program at me.example.\n"
	    "Your message could not be delivered to the following addresses.\n"
	    "This error is permanent: I have given up on them and will not "
	    "try again.\n"
	    "\n"
	    "<a@b.example>:\n"
	    "no such user\n"
	    "\n"
	    "--- Below this line is a copy of the message.\n"
	    "\n"
	    "Return-Path: <s@x.example>\n";
	struct bounce_head head = head_for(BOUNCE_SINGLE, "s@x.example");
	struct str text = STR_INIT;

	(void)state;
	bounce_append_head(&text, &head);
	bounce_append_failure(
	    &text, SPAN_LITERAL("a@b.example"), SPAN_LITERAL("no such user\n"));
	bounce_append_break(
	    &text, BOUNCE_SINGLE, SPAN_LITERAL("s@x.example"), 0);
	assert_string_equal(text.s, want);
	str_free(&text);
}

static void
writes_a_double_bounce(void **state)
{
	static const char want[] =
	    "Date: 22 Nov 2026 18:46:21 -0000\n"
	    "From: MAILER-DAEMON@me.example\n"
	    "To: postmaster@me.example\n"
	    "Subject: failure notice\n"
	    "\n"
	    "Hi. This is the qmail-send program at me.example.\n"
	    "A notice about mail that failed could not be delivered to the "
	    "address\n"
	    "below. The notice bounced!\n"
	    "\n"
	    "--- Below this line is the original bounce.\n"
	    "\n"
	    "Return-Path: <>\n";
	struct bounce_head head =
	    head_for(BOUNCE_DOUBLE, "postmaster@me.example");
	struct str text = STR_INIT;

	(void)state;
	bounce_append_head(&text, &head);
	bounce_append_break(&text, BOUNCE_DOUBLE, SPAN_LITERAL(""), 0);
	assert_string_equal(text.s, want);
	str_free(&text);
}

static void
tells_of_many_double_bounces(void **state)
{
	static const char want[] =
	    "Date: 22 Nov 2026 18:46:21 -0000\n"
	    "From: MAILER-DAEMON@me.example\n"
	    "To: postmaster@me.example\n"
	    "Subject: failure notice\n"
	    "\n"
	    "Hi. This is the qmail-send program at me.example.\n"
	    "Notices about mail that failed could not be delivered to the "
	    "addresses\n"
	    "below. There were so many in a short time that this one message "
	    "tells of all.\n"
	    "\n"
	    "<a@b.example>:\n"
	    "no\n"
	    "\n"
	    "--- The bounces themselves are not returned.\n";
	struct bounce_head head =
	    head_for(BOUNCE_DOUBLES, "postmaster@me.example");
	struct str text = STR_INIT;

	(void)state;
	bounce_append_head(&text, &head);
	bounce_append_failure(
	    &text, SPAN_LITERAL("a@b.example"), SPAN_LITERAL("no\n"));
	bounce_append_break(&text, BOUNCE_DOUBLES, SPAN_LITERAL(""), 0);
	assert_string_equal(text.s, want);
	str_free(&text);
}

static void
says_that_the_copy_is_cut(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	bounce_append_break(&text, BOUNCE_SINGLE, SPAN_LITERAL("s@x"), 50000);
	assert_string_equal(text.s,
	    "--- Below this line is a copy of the message.\n"
	    "--- It is long: only the first 50000 bytes follow.\n"
	    "\n"
	    "Return-Path: <s@x>\n");
	str_free(&text);
}

static void
keeps_a_report_one_paragraph(void **state)
{
	static const struct {
		const char *what, *recipient, *report, *want;
	} rows[] = {
	    {"empty lines in the middle", "a@b", "failing text\n\n\nmore\n",
		"<a@b>:\nfailing text\n//more\n\n"},
	    {"no newline at the end", "a@b", "text", "<a@b>:\ntext\n\n"},
	    {"no report", "a@b", "", "<a@b>:\n\n"},
	    {"newlines at the start", "a@b", "\n\nx\n", "<a@b>:\n//x\n\n"},
	    {"newlines at the end", "a@b", "x\n\n", "<a@b>:\nx\n/\n\n"},
	    {"nothing but newlines", "a@b", "\n\n", "<a@b>:\n//\n\n"},
	    {"an address with newlines", "a\n\n--- x\n@b", "x\n",
		"<a__--- x_@b>:\nx\n\n"},
	    {"an address is not quoted", "a b@c", "x\n", "<a b@c>:\nx\n\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = STR_INIT;

		bounce_append_failure(
		    &text, span_of(rows[i].recipient), span_of(rows[i].report));
		if (strcmp(text.s, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].what, text.s);
		str_free(&text);
	}
}

static void
quotes_the_sender(void **state)
{
	struct bounce_head head =
	    head_for(BOUNCE_SINGLE, "s p\nBcc: x@y\n\nq@x.example");
	struct str text = STR_INIT;

	(void)state;
	bounce_append_head(&text, &head);
	assert_null(strstr(text.s, "\nBcc:"));
	bounce_append_break(&text, BOUNCE_SINGLE, SPAN_LITERAL("s p@x"), 0);
	assert_non_null(strstr(text.s, "\nReturn-Path: <\"s p\"@x>\n"));
	str_free(&text);
}

static void
knows_what_is_called_for(void **state)
{
	struct span to = SPAN_LITERAL("postmaster"), none = SPAN_LITERAL("");

	(void)state;
	assert_int_equal(
	    bounce_kind_of(SPAN_LITERAL("a@b"), to), BOUNCE_SINGLE);
	assert_int_equal(
	    bounce_kind_of(SPAN_LITERAL("a@b"), none), BOUNCE_SINGLE);
	assert_int_equal(bounce_kind_of(none, to), BOUNCE_DOUBLE);
	assert_int_equal(bounce_kind_of(none, none), BOUNCE_DISCARD);
	assert_int_equal(
	    bounce_kind_of(SPAN_LITERAL("#@[]"), to), BOUNCE_DISCARD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_a_bounce),
	    cmocka_unit_test(writes_a_double_bounce),
	    cmocka_unit_test(tells_of_many_double_bounces),
	    cmocka_unit_test(says_that_the_copy_is_cut),
	    cmocka_unit_test(keeps_a_report_one_paragraph),
	    cmocka_unit_test(quotes_the_sender),
	    cmocka_unit_test(knows_what_is_called_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

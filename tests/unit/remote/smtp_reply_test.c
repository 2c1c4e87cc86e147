/* smtp_reply: what servers say, in pieces of any size */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "remote/smtp_reply.h"

/* a literal with its NULs, for static tables */
#define BYTES(text)                                                            \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}

static const struct {
	const char *what;
	struct span in;
	enum smtp_reply_event want;
	unsigned code;
	const char *text;
	size_t left; /* bytes of the next reply */
} rows[] = {
    {"one line", BYTES("250 ok\r\n"), SMTP_REPLY_DONE, 250, "250 ok\n", 0},
    {"a bare LF ends a line too", BYTES("250 ok\n"), SMTP_REPLY_DONE, 250,
	"250 ok\n", 0},
    {"no text", BYTES("354\r\n"), SMTP_REPLY_DONE, 354, "354\n", 0},
    {"several lines", BYTES("450-no\r\n450 later\r\n"), SMTP_REPLY_DONE, 450,
	"450-no\n450 later\n", 0},
    {"the first code counts", BYTES("250-a\r\n550 b\r\n"), SMTP_REPLY_DONE, 250,
	"250-a\n550 b\n", 0},
    {"garbage goes on only with a dash", BYTES("250-a\r\nxyz\r\n250 "),
	SMTP_REPLY_DONE, 250, "250-a\nxyz\n", 4},
    {"the next reply is left alone", BYTES("250 a\r\n354 b\r\n"),
	SMTP_REPLY_DONE, 250, "250 a\n", 7},
    {"NULs are shown", BYTES("550 a\0b\0\r\n"), SMTP_REPLY_DONE, 550,
	"550 a?b?\n", 0},
    {"CRs are dropped", BYTES("550 a\rb\r\r\n"), SMTP_REPLY_DONE, 550,
	"550 ab\n", 0},
    {"not complete", BYTES("250 ok\r"), SMTP_REPLY_MORE, 0, NULL, 0},
    {"not its last line", BYTES("250-ok\r\n"), SMTP_REPLY_MORE, 250, NULL, 0},
    {"nothing", BYTES(""), SMTP_REPLY_MORE, 0, NULL, 0},
    {"words", BYTES("hello\r\n"), SMTP_REPLY_BROKEN, 0, "hello\n", 0},
    {"an empty line", BYTES("\r\n"), SMTP_REPLY_BROKEN, 0, "\n", 0},
    {"two digits", BYTES("25\r\n"), SMTP_REPLY_BROKEN, 0, "25\n", 0},
    {"four digits", BYTES("2500 ok\r\n"), SMTP_REPLY_BROKEN, 0, NULL, 0},
    {"a letter in the code", BYTES("2x0 ok\r\n"), SMTP_REPLY_BROKEN, 0, NULL,
	0},
    {"a sign", BYTES("-50 ok\r\n"), SMTP_REPLY_BROKEN, 0, NULL, 0},
    {"the hundreds go from 2", BYTES("199 ok\r\n"), SMTP_REPLY_BROKEN, 0, NULL,
	0},
    {"to 5", BYTES("600 ok\r\n"), SMTP_REPLY_BROKEN, 0, NULL, 0},
    {"another protocol", BYTES("HTTP/1.1 400 Bad\r\n"), SMTP_REPLY_BROKEN, 0,
	NULL, 0},
};

static void
reads_replies(void **state)
{
	struct smtp_reply reply = SMTP_REPLY_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span in = rows[i].in;

		print_message("%s\n", rows[i].what);
		smtp_reply_reset(&reply);
		assert_int_equal(smtp_reply_feed(&reply, &in), rows[i].want);
		assert_int_equal(reply.code, rows[i].code);
		assert_int_equal(in.len, rows[i].left);
		if (rows[i].text != NULL)
			assert_string_equal(reply.text.s, rows[i].text);
	}
	smtp_reply_free(&reply);
}

static void
pieces_make_no_difference(void **state)
{
	struct smtp_reply reply = SMTP_REPLY_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum smtp_reply_event event = SMTP_REPLY_MORE;
		size_t used = 0;

		print_message("%s\n", rows[i].what);
		smtp_reply_reset(&reply);
		while (event == SMTP_REPLY_MORE && used < rows[i].in.len) {
			struct span one = {rows[i].in.s + used++, 1};

			event = smtp_reply_feed(&reply, &one);
		}
		assert_int_equal(event, rows[i].want);
		assert_int_equal(rows[i].in.len - used, rows[i].left);
		assert_int_equal(reply.code, rows[i].code);
	}
	smtp_reply_free(&reply);
}

/* Feeds count copies of text; the event of the last one. */
static enum smtp_reply_event
feed_many(struct smtp_reply *reply, const char *text, size_t count)
{
	enum smtp_reply_event event = SMTP_REPLY_MORE;

	for (size_t i = 0; i < count && event == SMTP_REPLY_MORE; i++) {
		struct span in = span_of(text);

		event = smtp_reply_feed(reply, &in);
		assert_true(reply->text.len <= SMTP_REPLY_TEXT_MAX);
	}
	return event;
}

static void
keeps_within_limits(void **state)
{
	struct smtp_reply reply = SMTP_REPLY_INIT;
	struct span end = SPAN_LITERAL("250 end\r\n");

	(void)state;
	/* a line without end: cut, but understood */
	assert_int_equal(feed_many(&reply, "550 ", 1), SMTP_REPLY_MORE);
	assert_int_equal(
	    feed_many(&reply, "xxxxxxxxxx", 100000), SMTP_REPLY_MORE);
	assert_int_equal(feed_many(&reply, "\r\n", 1), SMTP_REPLY_DONE);
	assert_int_equal(reply.code, 550);
	assert_int_equal(reply.text.len, SMTP_REPLY_LINE_MAX);
	assert_int_equal(reply.text.s[reply.text.len - 1], '\n');

	/* lines without end */
	smtp_reply_reset(&reply);
	assert_int_equal(
	    feed_many(&reply, "250-line\r\n", 100000), SMTP_REPLY_MORE);
	assert_int_equal(smtp_reply_feed(&reply, &end), SMTP_REPLY_DONE);
	assert_int_equal(reply.code, 250);
	assert_int_equal(reply.text.len, SMTP_REPLY_TEXT_MAX);
	assert_int_equal(reply.text.s[reply.text.len - 1], '\n');

	/* more than anyone has to say */
	smtp_reply_reset(&reply);
	assert_int_equal(
	    feed_many(&reply, "250-line\r\n", SMTP_REPLY_BYTES_MAX / 10 + 1),
	    SMTP_REPLY_BROKEN);
	assert_int_equal(reply.code, 0);
	smtp_reply_free(&reply);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_replies),
	    cmocka_unit_test(pieces_make_no_difference),
	    cmocka_unit_test(keeps_within_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

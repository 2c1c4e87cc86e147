/* smtp_body: no stored byte may end the message early */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "remote/smtp_body.h"

/* a literal with its NULs, for static tables */
#define BYTES(text)                                                            \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}

enum {
	BUFFER = 4096,
};

static const struct {
	const char *what;
	struct span in;
	const char *want;
} rows[] = {
    {"an empty message is the dot", BYTES(""), ".\r\n"},
    {"LF becomes CRLF", BYTES("a\nb\n"), "a\r\nb\r\n.\r\n"},
    {"CRLF stays", BYTES("a\r\nb\r\n"), "a\r\nb\r\n.\r\n"},
    {"a missing end is added", BYTES("a"), "a\r\n.\r\n"},
    {"dots are doubled", BYTES(".\n..\na.\n"), "..\r\n...\r\na.\r\n.\r\n"},
    {"a dot alone without its end", BYTES("."), "..\r\n.\r\n"},
    {"a dot behind CRLF", BYTES("a\r\n.b"), "a\r\n..b\r\n.\r\n"},
    {"a bare CR becomes CRLF", BYTES("a\rb"), "a\r\nb\r\n.\r\n"},
    {"a bare CR at the end", BYTES("a\r"), "a\r\n.\r\n"},
    {"a CR alone", BYTES("\r"), "\r\n.\r\n"},
    {"CR . LF", BYTES("x\r.\nQUIT\n"), "x\r\n..\r\nQUIT\r\n.\r\n"},
    {"CR . CR LF", BYTES("x\r.\r\nQUIT\n"), "x\r\n..\r\nQUIT\r\n.\r\n"},
    {"CR CR . LF", BYTES("x\r\r.\nQUIT\n"), "x\r\n\r\n..\r\nQUIT\r\n.\r\n"},
    {"LF . CR LF", BYTES("x\n.\r\nQUIT\n"), "x\r\n..\r\nQUIT\r\n.\r\n"},
    {"CR LF . CR", BYTES("x\r\n.\rQUIT\n"), "x\r\n..\r\nQUIT\r\n.\r\n"},
    {"CR CR LF", BYTES("x\r\r\n.\n"), "x\r\n\r\n..\r\n.\r\n"},
    {"empty lines", BYTES("\n\n"), "\r\n\r\n.\r\n"},
};

/* Encodes in, cut into parts of at most size bytes. */
static void
encode(struct span in, size_t size, struct str *to)
{
	struct smtp_body body = SMTP_BODY_INIT;

	str_clear(to);
	while (in.len > 0) {
		size_t len = in.len < size ? in.len : size;

		smtp_body_encode(&body, span_until(in, len), to);
		in = span_from(in, len);
	}
	smtp_body_finish(&body, to);
}

static uint64_t
measure(struct span in, size_t size)
{
	struct smtp_measure measure = SMTP_MEASURE_INIT;

	while (in.len > 0) {
		size_t len = in.len < size ? in.len : size;

		smtp_measure_add(&measure, span_until(in, len));
		in = span_from(in, len);
	}
	smtp_measure_finish(&measure);
	return measure.size_bytes;
}

/* What leaves is safe: no CR or LF but in pairs, no line of a dot alone but
   the last. Returns the length without doubled dots and the last line. */
static uint64_t
check_safe(struct span out)
{
	uint64_t len = 0;

	while (!span_is(out, ".\r\n")) {
		size_t end = span_find(out, '\r');

		assert_true(end != SPAN_NONE && end + 1 < out.len);
		assert_int_equal(out.s[end + 1], '\n');
		assert_true(span_find(span_until(out, end), '\n') == SPAN_NONE);
		if (out.s[0] == '.') {
			assert_true(end >= 2);
			assert_int_equal(out.s[1], '.');
			len--;
		}
		len += end + 2;
		out = span_from(out, end + 2);
	}
	return len;
}

static void
encodes(void **state)
{
	struct str out = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].what);
		for (size_t size = 1; size <= 3; size++) {
			encode(rows[i].in, size, &out);
			assert_string_equal(out.s, rows[i].want);
			assert_int_equal(check_safe(str_span(&out)),
			    measure(rows[i].in, size));
		}
	}
	str_free(&out);
}

static void
passes_other_bytes(void **state)
{
	struct str in = STR_INIT, out = STR_INIT, want = STR_INIT;

	(void)state;
	for (int i = 0; i < 256; i++) {
		if (i != '\r' && i != '\n')
			str_append_char(&in, (char)i);
	}
	encode(str_span(&in), SIZE_MAX, &out);
	str_append_span(&want, str_span(&in));
	str_append_cstr(&want, "\r\n.\r\n");
	assert_int_equal(out.len, want.len);
	assert_memory_equal(out.s, want.s, want.len);
	str_free(&in);
	str_free(&out);
	str_free(&want);
}

/* Each vector, its first byte at every position around the end of a buffer. */
static void
cannot_be_smuggled_through(void **state)
{
	static const struct span vectors[] = {
	    BYTES("\r.\n"),
	    BYTES("\r.\r\n"),
	    BYTES("\r\r.\n"),
	    BYTES("\n.\r\n"),
	    BYTES("\r\n.\r"),
	    BYTES("\n.\n"),
	    BYTES("\r.\r"),
	    BYTES("\n.\r"),
	    BYTES("\r\n.\n"),
	    BYTES("\r\r\n.\r\r\n"),
	    BYTES("\n\0.\r\n"),
	    BYTES("\r\0\n.\n"),
	};
	struct str in = STR_INIT, out = STR_INIT;

	(void)state;
	for (size_t v = 0; v < COUNT(vectors); v++) {
		for (size_t at = 0; at <= BUFFER + 1; at++) {
			str_clear(&in);
			str_reserve(&in, BUFFER * 2);
			memset(in.s, 'x', at);
			in.len = at;
			str_append_span(&in, vectors[v]);
			str_append_cstr(&in, "MAIL FROM:<evil@v>\n");
			encode(str_span(&in), BUFFER, &out);
			assert_int_equal(check_safe(str_span(&out)),
			    measure(str_span(&in), BUFFER));
		}
	}
	str_free(&in);
	str_free(&out);
}

static void
sees_8bit(void **state)
{
	struct smtp_measure m = SMTP_MEASURE_INIT;

	(void)state;
	smtp_measure_add(&m, SPAN_LITERAL("plain\177\n"));
	assert_false(m.has_8bit);
	smtp_measure_add(&m, SPAN_LITERAL("\200"));
	assert_true(m.has_8bit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(encodes),
	    cmocka_unit_test(passes_other_bytes),
	    cmocka_unit_test(cannot_be_smuggled_through),
	    cmocka_unit_test(sees_8bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

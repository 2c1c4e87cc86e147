/* reading a message again and again, and the lines of its header */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "local/message.h"

static struct message message;

/* A file with these bytes, deleted already. */
static FILE *
file_of(struct span bytes)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(fwrite(bytes.s, 1, bytes.len, file), bytes.len);
	assert_int_equal(fflush(file), 0);
	return file;
}

static void
reads_any_size_twice(void **state)
{
	static const size_t sizes[] = {0, 1, MESSAGE_CHUNK - 1, MESSAGE_CHUNK,
	    MESSAGE_CHUNK + 1, 3 * MESSAGE_CHUNK, 3 * MESSAGE_CHUNK + 7};
	struct str want = STR_INIT, seen = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		FILE *file;

		str_clear(&want);
		for (size_t n = 0; n < sizes[i]; n++)
			str_append_char(&want, (char)(n * 7 + n / 251));
		file = file_of(str_span(&want));
		message_init(&message, fileno(file));
		for (int round = 0; round < 2; round++) {
			struct span chunk;
			int got;

			str_clear(&seen);
			message_rewind(&message);
			while ((got = message_next(&message, &chunk)) == 1)
				str_append_span(&seen, chunk);
			assert_int_equal(got, 0);
			assert_int_equal(message_next(&message, &chunk), 0);
			assert_int_equal(seen.len, want.len);
			assert_memory_equal(seen.s, want.s, want.len);
		}
		assert_int_equal(fclose(file), 0);
	}
	str_free(&want);
	str_free(&seen);
}

struct row {
	const char *what;
	struct span input;
	int want;
};

#define BYTES(text)                                                            \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}

static const struct row rows[] = {
    {"the line is there", BYTES("A: b\nDelivered-To: j@h\n\n"), 1},
    {"it is the first", BYTES("Delivered-To: j@h\n"), 1},
    {"it is in the body", BYTES("A: b\n\nDelivered-To: j@h\n"), 0},
    {"the header is empty", BYTES("\nDelivered-To: j@h\n"), 0},
    {"another case", BYTES("delivered-to: j@h\n\n"), 0},
    {"more behind it", BYTES("Delivered-To: j@h \n\n"), 0},
    {"less than it", BYTES("Delivered-To: j@\n\n"), 0},
    {"something before it", BYTES(" Delivered-To: j@h\n\n"), 0},
    {"without its LF", BYTES("Delivered-To: j@h"), 0},
    {"a NUL in the line", BYTES("Delivered-To: j@\0\n\n"), 0},
    {"CR is not LF", BYTES("A: b\n\r\nDelivered-To: j@h\n"), 1},
    {"no message", BYTES(""), 0},
};

static void
finds_header_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		FILE *file = file_of(rows[i].input);

		print_message("%s\n", rows[i].what);
		message_init(&message, fileno(file));
		assert_int_equal(message_has_header_line(&message,
				     SPAN_LITERAL("Delivered-To: j@h\n")),
		    rows[i].want);
		assert_int_equal(fclose(file), 0);
	}
}

/* The line lies across the end of a chunk, at each place. */
static void
finds_lines_between_chunks(void **state)
{
	struct str text = STR_INIT;
	struct span line = SPAN_LITERAL("Delivered-To: j@h\n");

	(void)state;
	for (size_t before = 0; before <= line.len; before++) {
		for (int same = 0; same < 2; same++) {
			FILE *file;

			str_clear(&text);
			while (text.len + before + 1 < MESSAGE_CHUNK)
				str_append_char(&text, 'x');
			str_append_char(&text, '\n');
			str_append_span(&text, line);
			if (!same)
				text.s[text.len - 2] = 'z';
			str_append_cstr(&text, "\nbody\n");
			file = file_of(str_span(&text));
			message_init(&message, fileno(file));
			assert_int_equal(
			    message_has_header_line(&message, line), same);
			assert_int_equal(fclose(file), 0);
		}
	}
	str_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_any_size_twice),
	    cmocka_unit_test(finds_header_lines),
	    cmocka_unit_test(finds_lines_between_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Is a line in the header of a message? Against a search that looks at one line
 * after the other. The line is up to the first NUL; the message may be longer
 * than what is read at once, by as many bytes before as the first two say.
 */
#include "../fuzz.h"

#include "base/str.h"
#include "local/message.h"

static bool
has_line(struct span message, struct span line)
{
	while (message.len > 0) {
		size_t end = span_find(message, '\n');

		if (end == 0 || end == SPAN_NONE)
			return false; /* the header is over, or it is cut */
		if (span_equal(span_until(message, end + 1), line))
			return true;
		message = span_from(message, end + 1);
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char filler[] =
	    "a header line of some length, as there are many before the one "
	    "that is wanted\n";
	static FILE *file;
	static struct message message;
	struct span input = {(const char *)data, size}, chunk, rest;
	struct str line = STR_INIT, whole = STR_INIT;
	size_t before = fuzz_byte(&input) * 256u;

	before += fuzz_byte(&input);
	while (whole.len + 78 < before)
		str_append(&whole, filler, 78);
	str_append(&whole, filler, before - whole.len);
	if (whole.len > 0)
		str_append_char(&whole, '\n');
	str_copy(&line, fuzz_until(&input, '\0'));
	str_append_char(&line, '\n');
	str_append_span(&whole, input);
	if (file == NULL)
		file = tmpfile();
	require(file != NULL && ftruncate(fileno(file), 0) == 0);
	require(
	    pwrite(fileno(file), whole.s, whole.len, 0) == (ssize_t)whole.len);
	message_init(&message, fileno(file));
	/* a line of only its end is never in a header */
	if (line.len > 1 && span_find(str_span(&line), '\n') == line.len - 1)
		require(message_has_header_line(&message, str_span(&line)) ==
		    has_line(str_span(&whole), str_span(&line)));
	for (int i = 0; i < 2; i++) {
		message_rewind(&message);
		rest = str_span(&whole);
		while (message_next(&message, &chunk) == 1) {
			require(chunk.len > 0 && chunk.len <= rest.len);
			require(span_equal(chunk, span_until(rest, chunk.len)));
			rest = span_from(rest, chunk.len);
		}
		require(rest.len == 0);
	}
	str_free(&line);
	str_free(&whole);
	return 0;
}

/*
 * Lines, bytes and blocks from a file through a small buffer, as the first
 * bytes order: all of the file comes, once and in its order, and no line is
 * longer than was allowed.
 */
#include "../fuzz.h"

#include "base/in.h"

static struct span rest; /* of the file, that has not come yet */

static void
came(struct span bytes)
{
	require(bytes.len <= rest.len);
	require(span_equal(bytes, span_until(rest, bytes.len)));
	rest = span_from(rest, bytes.len);
}

static bool
take_line(struct in *in, size_t max)
{
	struct str line = STR_INIT;
	int got = in_line(in, &line, max);

	require(got != IN_ERROR);
	if (got == IN_EOF)
		require(rest.len == 0 && line.len == 0);
	if (got == IN_TOO_LONG)
		require(line.len == max &&
		    span_find(str_span(&line), '\n') == SPAN_NONE);
	if (got == 1)
		require(line.len > 0 && line.len <= max &&
		    span_find(span_until(str_span(&line), line.len - 1),
			'\n') == SPAN_NONE &&
		    (line.s[line.len - 1] == '\n' || line.len == rest.len));
	came(str_span(&line));
	str_free(&line);
	return got != IN_EOF;
}

static bool
take(struct in *in, unsigned char order)
{
	size_t count = order >> 3;
	char buf[32];
	ssize_t got;
	int byte;

	switch (order & 7) {
	case 0:
	case 1:
		return take_line(in, count + 1);
	case 2:
		byte = in_byte(in);
		buf[0] = (char)byte;
		if (byte == -1)
			require(rest.len == 0 && in->error == 0);
		else
			came((struct span){buf, 1});
		return byte != -1;
	case 3:
		got = in_read(in, buf, count + 1);
		require(got >= 0 && (got > 0 || rest.len == 0));
		came((struct span){buf, (size_t)got});
		return got > 0;
	case 4:
		if (in_read_full(in, buf, count) == 1) {
			came((struct span){buf, count});
			return true;
		}
		require(rest.len < count);
		return false;
	case 5:
		(void)!in_more(in);
		require(in->end - in->start <= in->size);
		return true;
	default:
		if (in_fill(in) == 0)
			require(rest.len == 0);
		if (count > in_buffered(in).len)
			count = in_buffered(in).len;
		came(span_until(in_buffered(in), count));
		in_skip(in, count);
		return true;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *file;
	struct span input = {(const char *)data, size}, orders;
	char buf[64];
	struct in in;
	size_t room = fuzz_byte(&input) % sizeof(buf) + 1;

	orders = fuzz_some(&input, fuzz_byte(&input));
	rest = input;
	if (file == NULL)
		file = tmpfile();
	require(file != NULL && ftruncate(fileno(file), 0) == 0);
	require(
	    pwrite(fileno(file), input.s, input.len, 0) == (ssize_t)input.len);
	require(lseek(fileno(file), 0, SEEK_SET) == 0);
	in_init(&in, fileno(file), 1, buf, room);
	while (orders.len > 0) {
		if (!take(&in, fuzz_byte(&orders)))
			break;
	}
	return 0;
}

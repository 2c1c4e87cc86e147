/* DATA: line ends, dots, smuggling, hops, at every position of the buffer */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accept/smtp_data.h"
#include "base/attr.h"

#define END SMTP_DATA_END
#define MORE SMTP_DATA_MORE
#define LF SMTP_DATA_BARE_LF
#define CR SMTP_DATA_BARE_CR

static const struct {
	const char *what;
	struct span input;
	enum smtp_data_result result;
	struct span want; /* what is decoded before the result */
	size_t rest;      /* bytes of input that follow the message */
} rows[] = {
    {"an ordinary message", SPAN_LITERAL("S: x\r\n\r\nb\r\n.\r\n"), END,
	SPAN_LITERAL("S: x\n\nb\n"), 0},
    {"an empty message", SPAN_LITERAL(".\r\n"), END, SPAN_LITERAL(""), 0},
    {"what follows is left alone", SPAN_LITERAL("a\r\n.\r\nQUIT\r\n"), END,
	SPAN_LITERAL("a\n"), 6},
    {"even a bare LF that follows", SPAN_LITERAL(".\r\n\n"), END,
	SPAN_LITERAL(""), 1},
    {"one dot goes", SPAN_LITERAL("..\r\n...a\r\n.b\r\n.\r\n"), END,
	SPAN_LITERAL(".\n..a\nb\n"), 0},
    {"dots inside a line stay", SPAN_LITERAL("a.\r\na..b\r\n.\r\n"), END,
	SPAN_LITERAL("a.\na..b\n"), 0},
    {"NUL and bytes over 127 are data", SPAN_LITERAL("\0\xff\r\n.\r\n"), END,
	SPAN_LITERAL("\0\xff\n"), 0},
    {"empty lines", SPAN_LITERAL("\r\n\r\n.\r\n"), END, SPAN_LITERAL("\n\n"),
	0},
    {"not complete", SPAN_LITERAL("a\r\n.\r"), MORE, SPAN_LITERAL("a\n"), 0},
    {"LF alone", SPAN_LITERAL("a\nb\r\n.\r\n"), LF, SPAN_LITERAL("a"), 7},
    {"LF first", SPAN_LITERAL("\n"), LF, SPAN_LITERAL(""), 1},
    {"LF . LF", SPAN_LITERAL("a\n.\n"), LF, SPAN_LITERAL("a"), 3},
    {"LF . CR LF", SPAN_LITERAL("a\n.\r\n"), LF, SPAN_LITERAL("a"), 4},
    {"CR LF . LF", SPAN_LITERAL("a\r\n.\n"), LF, SPAN_LITERAL("a\n"), 1},
    {"CR LF LF", SPAN_LITERAL("a\r\n\n"), LF, SPAN_LITERAL("a\n"), 1},
    {"CR . CR", SPAN_LITERAL("a\r.\r"), CR, SPAN_LITERAL("a"), 2},
    {"CR . LF", SPAN_LITERAL("a\r.\n"), CR, SPAN_LITERAL("a"), 2},
    {"CR . CR LF", SPAN_LITERAL("a\r.\r\n"), CR, SPAN_LITERAL("a"), 3},
    {"CR LF . CR x", SPAN_LITERAL("a\r\n.\rx"), CR, SPAN_LITERAL("a\n"), 0},
    {"CR LF . CR . CR LF", SPAN_LITERAL("a\r\n.\r.\r\n"), CR,
	SPAN_LITERAL("a\n"), 2},
    {"CR LF . CR CR LF", SPAN_LITERAL("a\r\n.\r\r\n"), CR, SPAN_LITERAL("a\n"),
	1},
    {"CR CR LF", SPAN_LITERAL("a\r\r\n.\r\n"), CR, SPAN_LITERAL("a"), 5},
    {"CR NUL LF", SPAN_LITERAL("a\r\0\n"), CR, SPAN_LITERAL("a"), 2},
    {"CR inside a line", SPAN_LITERAL("a\rb\r\n"), CR, SPAN_LITERAL("a"), 3},
    {"CR first", SPAN_LITERAL("\ra"), CR, SPAN_LITERAL(""), 1},
    {"a dotted line with a CR in it", SPAN_LITERAL(".a\rb"), CR,
	SPAN_LITERAL("a"), 1},
};

struct seen {
	enum smtp_data_result result;
	char bytes[70000];
	size_t len, rest;
	struct smtp_data data;
};

/* Decodes input in pieces: the first has first bytes, the others step. */
static void
decode(struct span input, size_t first, size_t step, struct seen *seen)
{
	size_t size = first;

	smtp_data_init(&seen->data);
	seen->result = SMTP_DATA_MORE;
	seen->len = 0;
	while (input.len > 0 && seen->result == SMTP_DATA_MORE) {
		struct span piece =
		    span_until(input, size < input.len ? size : input.len);
		size_t taken = piece.len, len;
		/* an exact allocation, for the address sanitizer */
		char *copy = malloc(piece.len ? piece.len : 1);
		char *to = malloc(piece.len ? piece.len : 1);

		memcpy(copy, piece.s, piece.len);
		piece.s = copy;
		seen->result = smtp_data_decode(&seen->data, &piece, to, &len);
		memcpy(seen->bytes + seen->len, to, len);
		seen->len += len;
		input = span_from(input, taken - piece.len);
		free(to);
		free(copy);
		size = step;
	}
	seen->rest = input.len;
}

static void
check(size_t row, const char *how, size_t at, const struct seen *seen,
    size_t prefix)
{
	struct span got = {seen->bytes + prefix, seen->len - prefix};

	if (seen->result != rows[row].result ||
	    !span_equal(got, rows[row].want) || seen->rest != rows[row].rest ||
	    seen->data.size_bytes != seen->len)
		fail_msg("%s, %s %zu: result %d, %zu bytes, rest %zu",
		    rows[row].what, how, at, (int)seen->result, got.len,
		    seen->rest);
}

static void
decodes_rows_however_they_are_cut(void **state)
{
	static struct seen seen;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t step = 1; step < 6; step++) {
			decode(rows[i].input, step, step, &seen);
			check(i, "step", step, &seen, 0);
		}
		for (size_t cut = 1; cut <= rows[i].input.len; cut++) {
			decode(rows[i].input, cut, 65536, &seen);
			check(i, "cut at", cut, &seen, 0);
		}
	}
}

/* Lines in front, so that the row lies across the end of a buffer. */
static void
decodes_rows_around_the_end_of_a_buffer(void **state)
{
	static const size_t buffers[] = {4096, 32768};
	static char input[70000];
	static struct seen seen;

	(void)state;
	for (size_t b = 0; b < COUNT(buffers); b++) {
		for (size_t i = 0; i < COUNT(rows); i++) {
			for (size_t before = 0; before <= 12; before++) {
				size_t lead = buffers[b] - before;
				struct span all = {
				    input, lead + rows[i].input.len};

				memset(input, 'x', lead);
				memcpy(input + lead - 2, "\r\n", 2);
				memcpy(input + lead, rows[i].input.s,
				    rows[i].input.len);
				decode(all, buffers[b], buffers[b], &seen);
				check(i, "before the end", before, &seen,
				    lead - 1);
			}
		}
	}
}

static const struct {
	const char *what, *input;
	unsigned hops;
} hops[] = {
    {"both words, any case, colon or not",
	"Received: a\r\nDELIVERED-to: b\r\nreceivedx\r\n\r\n.\r\n", 3},
    {"the body does not count", "a: b\r\n\r\nReceived: a\r\n.\r\n", 0},
    {"an empty header", "\r\nReceived: a\r\n.\r\n", 0},
    {"too short", "Receive\r\nDelivere\r\n.\r\n", 0},
    {"just long enough", "Received\r\nDelivered\r\n.\r\n", 2},
    {"not at the start of the line", " Received: a\r\nX-Received: b\r\n.\r\n",
	0},
    {"behind a dot that goes", ".Received: a\r\n.\r\n", 1},
    {"a line with only a dot is not the end of the header",
	"..\r\nReceived: a\r\n.\r\n", 1},
};

static void
counts_hops(void **state)
{
	static struct seen seen;

	(void)state;
	for (size_t i = 0; i < COUNT(hops); i++) {
		for (size_t step = 1; step < 40; step++) {
			decode(span_of(hops[i].input), step, step, &seen);
			if (seen.result != SMTP_DATA_END ||
			    seen.data.hops != hops[i].hops)
				fail_msg("%s, step %zu: %u", hops[i].what, step,
				    seen.data.hops);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decodes_rows_however_they_are_cut),
	    cmocka_unit_test(decodes_rows_around_the_end_of_a_buffer),
	    cmocka_unit_test(counts_hops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

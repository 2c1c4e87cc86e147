/* what RETR and TOP send, and that LIST counts just that */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/attr.h"
#include "base/out.h"
#include "pop3/pop3_text.h"

#define ALL POP3_TEXT_ALL

static const struct {
	const char *what;
	struct span input;
	uint64_t lines;
	struct span want; /* the final dot included */
} rows[] = {
    {"a message", SPAN_LITERAL("S: a\n\n.dot\nl2\nl3\n"), ALL,
	SPAN_LITERAL("S: a\r\n\r\n..dot\r\nl2\r\nl3\r\n.\r\n")},
    {"its header", SPAN_LITERAL("S: a\n\n.dot\nl2\nl3\n"), 0,
	SPAN_LITERAL("S: a\r\n\r\n.\r\n")},
    {"and one line", SPAN_LITERAL("S: a\n\n.dot\nl2\nl3\n"), 1,
	SPAN_LITERAL("S: a\r\n\r\n..dot\r\n.\r\n")},
    {"more lines than there are", SPAN_LITERAL("S: a\n\nb\n"), 9,
	SPAN_LITERAL("S: a\r\n\r\nb\r\n.\r\n")},
    {"empty lines of the body count", SPAN_LITERAL("S: a\n\n\n\nb\n"), 2,
	SPAN_LITERAL("S: a\r\n\r\n\r\n\r\n.\r\n")},
    {"no empty line: all is header", SPAN_LITERAL("a\nb\n"), 0,
	SPAN_LITERAL("a\r\nb\r\n.\r\n")},
    {"nothing", SPAN_LITERAL(""), ALL, SPAN_LITERAL(".\r\n")},
    {"nothing, for TOP", SPAN_LITERAL(""), 0, SPAN_LITERAL(".\r\n")},
    {"the last line is completed", SPAN_LITERAL("a\nb"), ALL,
	SPAN_LITERAL("a\r\nb\r\n.\r\n")},
    {"a last line of one dot", SPAN_LITERAL("a\n."), ALL,
	SPAN_LITERAL("a\r\n..\r\n.\r\n")},
    {"dots", SPAN_LITERAL(".\n..\na.\n"), ALL,
	SPAN_LITERAL("..\r\n...\r\na.\r\n.\r\n")},
    {"a CR is a byte like others", SPAN_LITERAL("a\r\n.\rb\n"), ALL,
	SPAN_LITERAL("a\r\r\n..\rb\r\n.\r\n")},
    {"NUL", SPAN_LITERAL("\0\n"), ALL, SPAN_LITERAL("\0\r\n.\r\n")},
};

/* What a client makes of it: without the final dot and the doubled ones. */
static size_t
count_octets(struct span sent)
{
	size_t octets = 0;
	bool at_start = true;

	sent = span_until(sent, sent.len - 3);
	for (size_t i = 0; i < sent.len; i++) {
		if (!at_start || sent.s[i] != '.')
			octets++;
		at_start = sent.s[i] == '\n';
	}
	return octets;
}

static void
check(size_t row, size_t step)
{
	char buf[256];
	struct out out;
	struct pop3_text text;
	struct pop3_octets octets;
	struct span rest = rows[row].input;

	/* never flushed: what is written stays in buf */
	out_init(&out, -1, 0, buf, sizeof(buf));
	pop3_text_init(&text, rows[row].lines);
	pop3_octets_init(&octets);
	while (rest.len > 0) {
		struct span piece =
		    span_until(rest, step < rest.len ? step : rest.len);

		rest = span_from(rest, piece.len);
		pop3_text_write(&text, &out, piece);
		pop3_octets_add(&octets, piece);
	}
	pop3_text_end(&text, &out);
	if (!span_equal((struct span){buf, out.len}, rows[row].want))
		fail_msg("%s, step %zu: got %.*s", rows[row].what, step,
		    (int)out.len, buf);
	if (rows[row].lines == ALL &&
	    pop3_octets_total(&octets) != count_octets(rows[row].want))
		fail_msg("%s, step %zu: %llu octets", rows[row].what, step,
		    (unsigned long long)pop3_octets_total(&octets));
}

static void
writes_and_counts_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t step = 1; step < 20; step++)
			check(i, step);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_and_counts_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

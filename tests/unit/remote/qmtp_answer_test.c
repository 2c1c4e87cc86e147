/* qmtp_answer: what a QMTP server may answer, and what it may not */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "remote/qmtp_answer.h"

static const struct {
	const char *what;
	struct span in;
	enum qmtp_answer_event event;
	char letter;
	const char *text;
	size_t left; /* bytes that belong to the next one */
} rows[] = {
    {"taken", SPAN_LITERAL("10:Kok 7 qp 9,"), QMTP_ANSWER_DONE, 'K',
	"ok 7 qp 9", 0},
    {"later", SPAN_LITERAL("6:Zlater,"), QMTP_ANSWER_DONE, 'Z', "later", 0},
    {"never", SPAN_LITERAL("6:Dnever,"), QMTP_ANSWER_DONE, 'D', "never", 0},
    {"without words", SPAN_LITERAL("1:K,"), QMTP_ANSWER_DONE, 'K', "", 0},
    {"two at once", SPAN_LITERAL("1:K,3:Zab,"), QMTP_ANSWER_DONE, 'K', "", 6},
    {"CR and NUL", SPAN_LITERAL("6:Ka\r\n\0b,"), QMTP_ANSWER_DONE, 'K', "a\n?b",
	0},
    {"a comma inside", SPAN_LITERAL("3:K,,,"), QMTP_ANSWER_DONE, 'K', ",,", 0},
    {"half a length", SPAN_LITERAL("1"), QMTP_ANSWER_MORE, 0, NULL, 0},
    {"half an answer", SPAN_LITERAL("3:Ka"), QMTP_ANSWER_MORE, 0, NULL, 0},
    {"a comma to come", SPAN_LITERAL("2:Ka"), QMTP_ANSWER_MORE, 0, NULL, 0},
    {"nothing inside", SPAN_LITERAL("0:,"), QMTP_ANSWER_BROKEN, 0, NULL, 1},
    {"no length", SPAN_LITERAL(":K,"), QMTP_ANSWER_BROKEN, 0, NULL, 2},
    {"a zero in front", SPAN_LITERAL("01:K,"), QMTP_ANSWER_BROKEN, 0, NULL, 3},
    {"another letter", SPAN_LITERAL("1:k,"), QMTP_ANSWER_BROKEN, 0, NULL, 1},
    {"no comma", SPAN_LITERAL("1:K;"), QMTP_ANSWER_BROKEN, 0, NULL, 0},
    {"SMTP", SPAN_LITERAL("220 x\r\n"), QMTP_ANSWER_BROKEN, 0, NULL, 3},
    {"the longest", SPAN_LITERAL("65536:K"), QMTP_ANSWER_MORE, 0, NULL, 0},
    {"one byte more", SPAN_LITERAL("65537:K"), QMTP_ANSWER_BROKEN, 0, NULL, 2},
    {"a length that wraps", SPAN_LITERAL("18446744073709551617:K"),
	QMTP_ANSWER_BROKEN, 0, NULL, 16},
};

static void
reads_rows(void **state)
{
	struct qmtp_answer answer = QMTP_ANSWER_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span in = rows[i].in;

		print_message("%s\n", rows[i].what);
		qmtp_answer_reset(&answer);
		assert_int_equal(qmtp_answer_feed(&answer, &in), rows[i].event);
		assert_int_equal(in.len, rows[i].left);
		if (rows[i].event != QMTP_ANSWER_DONE)
			continue;
		assert_int_equal(answer.letter, rows[i].letter);
		assert_string_equal(answer.text.s, rows[i].text);
	}
	qmtp_answer_free(&answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reads_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

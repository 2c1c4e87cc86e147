/*
 * The output of a one-shot qmail-remote, whatever it is; and verdicts: the
 * records that are printed for one recipient are read as the same result that
 * a worker would have given.
 */
#include "../fuzz.h"

#include "net/child.h"
#include "remote/remote_report.h"
#include "remote/verdict.h"

static void
check_verdict(struct span input)
{
	static const char letters[] = "KZD", answers[] = "rhs";
	struct str records = STR_INIT, text = STR_INIT;
	unsigned char choice = fuzz_byte(&input);
	struct verdict verdict;
	struct verdict_recipient *one;
	struct span half;
	char letter, read;

	verdict_init(&verdict, 1);
	one = &verdict.recipients[0];
	verdict.letter = letters[choice % 3];
	one->letter = answers[choice / 4 % 4];
	/* a text of a report is lines without NUL; that of a recipient who was
	   accepted is empty */
	half = fuzz_until(&input, '\0');
	if (one->letter == 'h' || one->letter == 's')
		str_copy(&one->text, half);
	str_copy(&verdict.text, fuzz_until(&input, '\0'));
	verdict_append_records(&records, &verdict);
	read = remote_report(0, str_span(&records), &text);
	half = verdict_result(&verdict, 0, &letter);
	if (one->letter != 'r' || verdict.letter != 'K')
		require(letter == read || one->letter == '\0');
	else
		require(read == 'K');
	/* the words that a worker would report are in those that are read */
	if (one->letter == 'r')
		require(span_equal(half, str_span(&text)));
	if (one->letter == 'h' || one->letter == 's')
		require(text.len >= half.len &&
		    span_equal(half, span_until(str_span(&text), half.len)));
	verdict_free(&verdict);
	str_free(&records);
	str_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct str text = STR_INIT;
	int code = fuzz_byte(&input);
	char letter;

	if (code == 255)
		code = CHILD_KILLED;
	letter = remote_report(code, input, &text);
	require(letter == 'K' || letter == 'Z' || letter == 'D');
	require(span_find(str_span(&text), '\0') == SPAN_NONE);
	if (letter == 'K')
		require(code == 0 && span_find(input, 'K') != SPAN_NONE &&
		    input.s[0] != 'h' && input.s[0] != 's');
	if (code == CHILD_KILLED || code == 111)
		require(letter == 'Z');
	require(text.len <= input.len || code != 0 || input.len == 0);
	require(remote_report_lost(code) != NULL);
	check_verdict(input);
	str_free(&text);
	return 0;
}

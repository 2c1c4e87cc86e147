/* an exit code (the first two bytes) and the output of a delivery process: a
   letter and a text within its limit, without NUL, in which nothing but the
   output is */
#include "../fuzz.h"

#include "local/local_report.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct report report = REPORT_INIT(REPORT_MAX);
	int code = fuzz_byte(&input);
	char letter, fixed_letter = '\0';
	const char *fixed;
	size_t nul;

	if (fuzz_byte(&input) & 1)
		code = -code;
	letter = local_report_output(code, input, &report);
	require(letter == 'K' || letter == 'Z' || letter == 'D');
	require((letter == 'K') == (code == 0));
	require(report.text.len <= REPORT_MAX);
	require(span_find(str_span(&report.text), '\0') == SPAN_NONE);
	fixed = local_report_fixed(code, &fixed_letter);
	if (fixed != NULL) {
		require(letter == fixed_letter && letter != 'K');
		require(span_is(str_span(&report.text), fixed));
	} else {
		nul = span_find(input, '\0');
		if (nul == SPAN_NONE)
			nul = input.len;
		require(report.text.len <= nul || input.len > REPORT_MAX);
		if (input.len <= REPORT_MAX)
			require(span_equal(
			    str_span(&report.text), span_until(input, nul)));
	}
	require(local_report_lost(code) != NULL);
	require(local_report_getpw(code, &letter) != NULL);
	require(letter == 'Z' || letter == 'D');
	str_free(&report.text);
	return 0;
}

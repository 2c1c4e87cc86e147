/* a control file of any kind (the first byte) and any content: findings are
   three lines each, fit for a terminal, and no more than the text has lines */
#include "../fuzz.h"

#include "admin/check_text.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, found, line;
	struct check_report report = CHECK_REPORT_INIT;
	struct check_lines lines = {0};
	size_t number = fuzz_byte(&input) % check_text_count(), count = 0;

	if (strncmp(check_text_name(number), "bad", 3) == 0 &&
	    (input.len > 200 || fuzz_is_for_libc(input)))
		return 0;
	check_text_judge(&report, number, input);
	found = str_span(&report.findings);
	require(fuzz_count(found, '\n') == 3 * report.finding_count);
	require(found.len == 0 || found.s[found.len - 1] == '\n');
	while (found.len > 0)
		require(fuzz_is_printable(fuzz_until(&found, '\n')));
	require(report.trouble_count == 0);
	lines.rest = input;
	while (check_lines_next(&lines, &line) == 1) {
		require(line.len > 0 && line.s[0] != '#');
		require(span_find(line, '\n') == SPAN_NONE);
		count++;
	}
	require(count <= lines.number);
	require(lines.number <= fuzz_count(input, '\n') + 1);
	check_report_free(&report);
	return 0;
}

/* bounce: no address and no report can add a header line or a paragraph */
#include <stdlib.h>
#include <string.h>

#include "send/bounce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
count_lines(struct span text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.s[i] == '\n';
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = {(const char *)data, size};
	size_t cut = size > 0 ? data[0] % size : 0;
	struct span address = span_until(all, cut);
	struct span report = span_from(all, cut);
	struct bounce_head head = {BOUNCE_SINGLE, 0, SPAN_LITERAL("from"),
	    SPAN_LITERAL("host"), address};
	struct str text = STR_INIT;

	bounce_append_head(&text, &head);
	if (count_lines(str_span(&text)) != 9)
		abort();
	str_clear(&text);
	bounce_append_failure(&text, address, report);
	/* one empty line, and that at the end */
	for (size_t i = 1; i < text.len; i++) {
		if (text.s[i - 1] == '\n' && text.s[i] == '\n' &&
		    i + 1 < text.len)
			abort();
	}
	if (text.len < 3 || memcmp(text.s + text.len - 2, "\n\n", 2) != 0)
		abort();
	str_clear(&text);
	bounce_append_break(&text, BOUNCE_SINGLE, address, size);
	if (count_lines(str_span(&text)) != (size > 0 ? 4 : 3))
		abort();
	str_free(&text);
	return 0;
}

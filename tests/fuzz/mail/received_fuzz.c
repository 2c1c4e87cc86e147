/* the trace line: two lines whatever a client says, without a byte that is
   not allowed there, of limited length, and dated for any time */
#include "../fuzz.h"

#include "mail/received.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, text;
	struct str line = STR_INIT;
	struct received received;
	unsigned char flags = fuzz_byte(&input);
	int64_t when_s = (int64_t)(fuzz_number(&input) >> 1);

	received.has_info = flags & 1;
	received.has_helo = flags & 2;
	received.host = fuzz_until(&input, '\0');
	received.ip = fuzz_until(&input, '\0');
	received.info = fuzz_until(&input, '\0');
	received.helo = fuzz_until(&input, '\0');
	received.local = fuzz_until(&input, '\0');
	received.protocol = input;
	received_append(&line, &received, when_s);
	text = str_span(&line);
	require(text.len <= 6 * (RECEIVED_PART_MAX + 1) + 100);
	require(fuzz_count(text, '\n') == 2 && text.s[text.len - 1] == '\n');
	require(memcmp(text.s, "Received: from ", 15) == 0);
	text = span_from(text, span_find(text, '\n'));
	require(memcmp(text.s, "\n  by ", 6) == 0);
	for (size_t i = 0; i < line.len; i++)
		require(line.s[i] == '\n' ||
		    (line.s[i] >= ' ' && line.s[i] <= '~'));
	/* nobody's words can look like the end of what is in parentheses */
	require(fuzz_count(str_span(&line), '(') ==
	    fuzz_count(str_span(&line), ')'));
	require(fuzz_count(str_span(&line), ';') == 1);
	str_free(&line);
	return 0;
}

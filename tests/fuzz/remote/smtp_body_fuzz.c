/* smtp_body: whatever is stored, only the last line that leaves is a dot, and
   CR and LF leave in pairs */
#include <assert.h>

#include "remote/smtp_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_body body = SMTP_BODY_INIT;
	struct smtp_measure measure = SMTP_MEASURE_INIT;
	struct str out = STR_INIT;
	struct span rest = {(const char *)data, size}, left;
	size_t len = 0;

	while (rest.len > 0) { /* in parts whose sizes the bytes choose */
		size_t part = (unsigned char)rest.s[0] % 7 + 1;

		if (part > rest.len)
			part = rest.len;
		smtp_body_encode(&body, span_until(rest, part), &out);
		smtp_measure_add(&measure, span_until(rest, part));
		rest = span_from(rest, part);
	}
	smtp_body_finish(&body, &out);
	smtp_measure_finish(&measure);
	for (left = str_span(&out); !span_is(left, ".\r\n");) {
		size_t end = span_find(left, '\r');

		assert(end != SPAN_NONE && end + 1 < left.len);
		assert(left.s[end + 1] == '\n');
		assert(span_find(span_until(left, end), '\n') == SPAN_NONE);
		assert(left.s[0] != '.' || left.s[1] == '.');
		len += end + 2 - (left.s[0] == '.');
		left = span_from(left, end + 2);
	}
	assert(len == measure.size_bytes);
	str_free(&out);
	return 0;
}

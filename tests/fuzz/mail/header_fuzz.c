/* lines as header_add_line takes them; then its fields must make up the text */
#include <stdlib.h>

#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, rest;
	struct header_field field;
	struct str text = STR_INIT;
	size_t total = 0;

	while (input.len > 0) {
		size_t end = span_find(input, '\n');

		end = end == SPAN_NONE ? input.len : end + 1;
		if (header_add_line(&text, span_until(input, end)) !=
		    HEADER_MORE)
			break;
		input = span_from(input, end);
	}
	rest = str_span(&text);
	while (header_next(&rest, &field)) {
		if (field.whole.s != text.s + total || field.name.len == 0 ||
		    field.name.len + field.body.len >= field.whole.len)
			abort();
		total += field.whole.len;
	}
	if (total != text.len)
		abort();
	str_free(&text);
	return 0;
}

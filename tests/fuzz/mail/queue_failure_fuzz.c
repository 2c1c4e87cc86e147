/* a bounce file of any bytes; what is read must come back when written */
#include <stdlib.h>

#include "mail/queue_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size}, before;
	struct queue_failure failure;
	struct str again = STR_INIT;

	for (;;) {
		before = rest;
		if (queue_failure_next(&rest, 1, &failure) != 1)
			break;
		str_clear(&again);
		queue_failure_append(&again, 1, &failure);
		if (!span_equal(str_span(&again),
			span_until(before, before.len - rest.len)))
			abort();
	}
	str_free(&again);
	return 0;
}

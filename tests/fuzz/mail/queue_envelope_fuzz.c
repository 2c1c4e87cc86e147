/* an env file of any bytes; with its checksum mended, so that the rest of the
   decoder is reached */
#include <stdlib.h>

#include "mail/queue_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(struct span bytes)
{
	struct queue_envelope e;
	struct span one;
	size_t count = 0;

	if (queue_envelope_decode(bytes, &e) == -1)
		return;
	while (queue_envelope_next(&e.recipients, &one))
		count++;
	if (count != e.recipient_count || e.recipients.len != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str env = STR_INIT;

	walk((struct span){(const char *)data, size});
	str_append(&env, (const char *)data, size);
	queue_envelope_append_end(&env, 0);
	walk(str_span(&env));
	str_free(&env);
	return 0;
}

/* DATA, cut into pieces as the first byte says, against a slow decoder that
   looks at one byte after the other */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "accept/smtp_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct slow {
	enum smtp_data_result result;
	char *bytes;
	size_t len, used;
};

/* Judges each line end by what stands around it. */
static void
decode_slowly(const char *in, size_t size, struct slow *slow)
{
	size_t line = 0; /* where the current one starts */

	for (size_t i = 0; i < size; i++) {
		if (i > 0 && in[i - 1] == '\r' && in[i] != '\n') {
			slow->result = SMTP_DATA_BARE_CR;
			return;
		}
		if (in[i] == '\n' && (i == 0 || in[i - 1] != '\r')) {
			slow->result = SMTP_DATA_BARE_LF;
			return;
		}
		if (in[i] == '\n' && i == line + 2 && in[line] == '.') {
			slow->result = SMTP_DATA_END;
			slow->used = i + 1;
			return;
		}
		if (in[i] != '\r' && (in[i] != '.' || i != line))
			slow->bytes[slow->len++] = in[i];
		if (in[i] == '\n')
			line = i + 1;
	}
	slow->result = SMTP_DATA_MORE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size > 0 ? (data[0] & 15) + 1u : 1, made = 0;
	struct span input = {
	    (const char *)data + (size > 0), size - (size > 0)};
	struct slow slow = {.bytes = malloc(size + 1)};
	char *fast = malloc(size + 1);
	enum smtp_data_result result = SMTP_DATA_MORE;
	struct span rest = input;
	struct smtp_data decoder;

	if (fast == NULL || slow.bytes == NULL)
		abort();
	decode_slowly(input.s, input.len, &slow);
	smtp_data_init(&decoder);
	while (rest.len > 0 && result == SMTP_DATA_MORE) {
		struct span piece =
		    span_until(rest, step < rest.len ? step : rest.len);
		size_t taken = piece.len, len;

		result = smtp_data_decode(&decoder, &piece, fast + made, &len);
		made += len;
		rest = span_from(rest, taken - piece.len);
	}
	if (result != slow.result || made != slow.len ||
	    memcmp(fast, slow.bytes, made) != 0 || decoder.size_bytes != made)
		abort();
	if (result == SMTP_DATA_END && input.len - rest.len != slow.used)
		abort();
	free(fast);
	free(slow.bytes);
	return 0;
}

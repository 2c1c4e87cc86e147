/* the envelope on descriptor 1, cut into pieces as the first byte says */
#include <stdlib.h>

#include "mail/address.h"
#include "mail/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope_parser parser = ENVELOPE_PARSER_INIT;
	struct span input = {(const char *)data, size};
	size_t step = size > 0 ? data[0] % 7 + 1u : 1;

	while (input.len > 0) {
		struct span piece =
		    span_until(input, step < input.len ? step : input.len);
		enum envelope_event event;

		input = span_from(input, piece.len);
		do {
			event = envelope_feed(&parser, &piece);
			if (parser.address.len > ADDRESS_MAX)
				abort();
		} while (
		    event == ENVELOPE_SENDER || event == ENVELOPE_RECIPIENT);
		if (event != ENVELOPE_MORE)
			break;
	}
	envelope_parser_free(&parser);
	return 0;
}

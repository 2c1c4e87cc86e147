/* smtp_reply: the bytes of a server, read whole and byte by byte: the same
   replies must come out */
#include <assert.h>

#include "remote/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_reply whole = SMTP_REPLY_INIT, bytes = SMTP_REPLY_INIT;
	struct span rest = {(const char *)data, size}, single = rest;

	while (rest.len > 0) {
		enum smtp_reply_event event = smtp_reply_feed(&whole, &rest);
		enum smtp_reply_event other = SMTP_REPLY_MORE;

		while (single.len > rest.len) {
			struct span one = span_until(single, 1);

			assert(other == SMTP_REPLY_MORE);
			other = smtp_reply_feed(&bytes, &one);
			single = span_from(single, 1);
		}
		assert(event == other && whole.code == bytes.code);
		assert(
		    span_equal(str_span(&whole.text), str_span(&bytes.text)));
		assert(whole.text.len <= SMTP_REPLY_TEXT_MAX);
		assert(event != SMTP_REPLY_DONE ||
		    (whole.code >= 200 && whole.code <= 599));
		assert(span_find(str_span(&whole.text), '\0') == SPAN_NONE);
		assert(span_find(str_span(&whole.text), '\r') == SPAN_NONE);
		smtp_reply_reset(&whole);
		smtp_reply_reset(&bytes);
	}
	smtp_reply_free(&whole);
	smtp_reply_free(&bytes);
	return 0;
}

/* qmtp_answer: the bytes of a server, read whole and byte by byte: the same
   answers must come out */
#include <assert.h>

#include "remote/qmtp_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qmtp_answer whole = QMTP_ANSWER_INIT, bytes = QMTP_ANSWER_INIT;
	struct span rest = {(const char *)data, size}, single = rest;

	while (rest.len > 0) {
		enum qmtp_answer_event event = qmtp_answer_feed(&whole, &rest);
		enum qmtp_answer_event other = QMTP_ANSWER_MORE;

		while (single.len > rest.len) {
			struct span one = span_until(single, 1);

			assert(other == QMTP_ANSWER_MORE);
			other = qmtp_answer_feed(&bytes, &one);
			single = span_from(single, 1);
		}
		assert(event == other);
		assert(
		    span_equal(str_span(&whole.text), str_span(&bytes.text)));
		assert(whole.text.len <= QMTP_ANSWER_TEXT_MAX);
		assert(event != QMTP_ANSWER_DONE ||
		    (whole.letter == bytes.letter &&
			(whole.letter == 'K' || whole.letter == 'Z' ||
			    whole.letter == 'D')));
		assert(span_find(str_span(&whole.text), '\0') == SPAN_NONE);
		assert(span_find(str_span(&whole.text), '\r') == SPAN_NONE);
		qmtp_answer_reset(&whole);
		qmtp_answer_reset(&bytes);
	}
	qmtp_answer_free(&whole);
	qmtp_answer_free(&bytes);
	return 0;
}

#include "remote/qmtp_answer.h"

void
qmtp_answer_reset(struct qmtp_answer *answer)
{
	struct str text = answer->text;

	str_clear(&text);
	*answer = (struct qmtp_answer)QMTP_ANSWER_INIT;
	answer->text = text;
}

void
qmtp_answer_free(struct qmtp_answer *answer)
{
	str_free(&answer->text);
}

/* A byte of the length, or the colon behind it. */
static enum qmtp_answer_event
feed_length(struct qmtp_answer *answer, char byte)
{
	if (byte == ':') {
		answer->in_body = true;
		/* an empty answer has no letter */
		return answer->size > 0 ? QMTP_ANSWER_MORE : QMTP_ANSWER_BROKEN;
	}
	if (byte < '0' || byte > '9' ||
	    (answer->digits > 0 && answer->size == 0))
		return QMTP_ANSWER_BROKEN;
	answer->digits++;
	answer->size = answer->size * 10 + (size_t)(byte - '0');
	return answer->size <= QMTP_ANSWER_MAX ? QMTP_ANSWER_MORE
					       : QMTP_ANSWER_BROKEN;
}

/* A byte of the answer, or the comma behind it. */
static enum qmtp_answer_event
feed_body(struct qmtp_answer *answer, char byte)
{
	if (answer->seen == answer->size)
		return byte == ',' ? QMTP_ANSWER_DONE : QMTP_ANSWER_BROKEN;
	if (answer->seen++ == 0) {
		answer->letter = byte;
		return byte == 'K' || byte == 'Z' || byte == 'D'
		    ? QMTP_ANSWER_MORE
		    : QMTP_ANSWER_BROKEN;
	}
	if (byte != '\r' && answer->text.len < QMTP_ANSWER_TEXT_MAX)
		str_append_char(&answer->text, byte == '\0' ? '?' : byte);
	return QMTP_ANSWER_MORE;
}

enum qmtp_answer_event
qmtp_answer_feed(struct qmtp_answer *answer, struct span *input)
{
	enum qmtp_answer_event event = QMTP_ANSWER_MORE;

	while (event == QMTP_ANSWER_MORE && input->len > 0) {
		char byte = input->s[0];

		*input = span_from(*input, 1);
		event = answer->in_body ? feed_body(answer, byte)
					: feed_length(answer, byte);
	}
	return event;
}

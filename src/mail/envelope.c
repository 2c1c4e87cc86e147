#include "mail/envelope.h"

#include "mail/address.h"

enum {
	WANT_SENDER = 0, /* the letter F */
	IN_SENDER,
	WANT_RECIPIENT, /* the letter T, or the last NUL */
	IN_RECIPIENT,
	AT_END,
	BROKEN, /* after ENVELOPE_BAD; every further call says so again */
	BROKEN_TOO_LONG,
};

static char
take_byte(struct span *input)
{
	char byte = input->s[0];

	*input = span_from(*input, 1);
	return byte;
}

/* Collects the bytes of an address up to its NUL. */
static enum envelope_event
take_address(struct envelope_parser *parser, struct span *input)
{
	size_t nul = span_find(*input, '\0');
	size_t len = nul == SPAN_NONE ? input->len : nul;
	bool is_sender = parser->state == IN_SENDER;

	if (len > ADDRESS_MAX - parser->address.len) {
		parser->state = BROKEN_TOO_LONG;
		return ENVELOPE_TOO_LONG;
	}
	str_append(&parser->address, input->s, len);
	*input = span_from(*input, nul == SPAN_NONE ? len : len + 1);
	if (nul == SPAN_NONE)
		return ENVELOPE_MORE;
	parser->state = WANT_RECIPIENT;
	return is_sender ? ENVELOPE_SENDER : ENVELOPE_RECIPIENT;
}

enum envelope_event
envelope_feed(struct envelope_parser *parser, struct span *input)
{
	char byte;

	for (;;) {
		if (parser->state == AT_END)
			return ENVELOPE_END;
		if (parser->state == BROKEN)
			return ENVELOPE_BAD;
		if (parser->state == BROKEN_TOO_LONG)
			return ENVELOPE_TOO_LONG;
		if (input->len == 0)
			return ENVELOPE_MORE;
		if (parser->state == IN_SENDER || parser->state == IN_RECIPIENT)
			return take_address(parser, input);
		byte = take_byte(input);
		str_clear(&parser->address);
		if (parser->state == WANT_SENDER && byte == 'F')
			parser->state = IN_SENDER;
		else if (parser->state == WANT_RECIPIENT && byte == 'T')
			parser->state = IN_RECIPIENT;
		else if (parser->state == WANT_RECIPIENT && byte == '\0')
			parser->state = AT_END;
		else
			parser->state = BROKEN;
	}
}

void
envelope_parser_free(struct envelope_parser *parser)
{
	str_free(&parser->address);
}

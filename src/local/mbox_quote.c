#include "local/mbox_quote.h"

static const char from[] = "From ";

/*
 * One byte of a line that so far is ">*" and part of "From ". Returns false if
 * the line cannot match any more: then the byte is still to be copied.
 *
 * The new ">" goes in front of the "F", behind those that are there: the bytes
 * are the same as with one at the start, and nothing but "From" is held back.
 */
static bool
match_byte(struct mbox_quote *quote, char byte, struct str *to)
{
	if (quote->matched == 0 && byte == '>') {
		str_append_char(to, byte);
		return true;
	}
	if (byte != from[quote->matched]) {
		str_append(to, from, quote->matched);
		quote->matched = 0;
		quote->in_line = true;
		return false;
	}
	if (++quote->matched == sizeof(from) - 1) {
		str_append_char(to, '>');
		str_append(to, from, sizeof(from) - 1);
		quote->matched = 0;
		quote->in_line = true;
	}
	return true;
}

void
mbox_quote_feed(struct mbox_quote *quote, struct span bytes, struct str *to)
{
	while (bytes.len > 0) {
		size_t len;

		if (!quote->in_line && match_byte(quote, bytes.s[0], to)) {
			quote->is_open = true;
			bytes = span_from(bytes, 1);
			continue;
		}
		len = span_find(bytes, '\n');
		quote->is_open = len == SPAN_NONE;
		quote->in_line = quote->is_open;
		len = quote->is_open ? bytes.len : len + 1;
		str_append(to, bytes.s, len);
		bytes = span_from(bytes, len);
	}
}

void
mbox_quote_end(struct mbox_quote *quote, struct str *to)
{
	str_append(to, from, quote->matched);
	if (quote->is_open)
		str_append_char(to, '\n');
	*quote = (struct mbox_quote)MBOX_QUOTE_INIT;
}

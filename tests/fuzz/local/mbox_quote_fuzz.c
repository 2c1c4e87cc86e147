/* quoted in pieces and at once is the same, and taking it back gives the input
   with a final LF */
#include <stdlib.h>
#include <string.h>

#include "local/mbox_quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Removes one '>' from each line that matches ">+From ". */
static void
unquote(struct span rest, struct str *to)
{
	while (rest.len > 0) {
		size_t lf = span_find(rest, '\n');
		size_t len = lf == SPAN_NONE ? rest.len : lf + 1, i = 0;

		while (i < len && rest.s[i] == '>')
			i++;
		if (i > 0 && len - i >= 5 &&
		    memcmp(rest.s + i, "From ", 5) == 0)
			str_append(to, rest.s + 1, len - 1);
		else
			str_append(to, rest.s, len);
		if (i == 0 && len >= 5 && memcmp(rest.s, "From ", 5) == 0)
			abort(); /* it would start another message */
		rest = span_from(rest, len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, rest = input;
	struct mbox_quote quote = MBOX_QUOTE_INIT;
	struct str whole = STR_INIT, pieces = STR_INIT, back = STR_INIT;
	size_t step = size > 0 ? data[0] % 7 + 1u : 1;

	mbox_quote_feed(&quote, input, &whole);
	mbox_quote_end(&quote, &whole);
	while (rest.len > 0) {
		size_t len = step < rest.len ? step : rest.len;

		mbox_quote_feed(&quote, span_until(rest, len), &pieces);
		rest = span_from(rest, len);
	}
	mbox_quote_end(&quote, &pieces);
	if (!span_equal(str_span(&whole), str_span(&pieces)))
		abort();
	unquote(str_span(&whole), &back);
	if (back.len < size || memcmp(back.s, data, size) != 0 ||
	    back.len > size + 1 ||
	    (back.len > 0 && back.s[back.len - 1] != '\n'))
		abort();
	str_free(&whole);
	str_free(&pieces);
	str_free(&back);
	return 0;
}

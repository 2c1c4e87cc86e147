/* what mbox_quote has made is taken apart to what it was; anything else ends;
   and the times in From_ lines */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "local/mbox_quote.h"
#include "local/mbox_split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns how many messages there are; -1: no mbox. All data goes to *to. */
static int
split_all(struct span rest, struct str *to)
{
	struct mbox_split split = MBOX_SPLIT_INIT;
	int count = 0;

	while (rest.len > 0) {
		size_t lf = span_find(rest, '\n');
		size_t len = lf == SPAN_NONE ? rest.len : lf + 1;
		enum mbox_piece got =
		    mbox_split_feed(&split, span_until(rest, len), to);

		if (got == MBOX_PIECE_WRONG)
			return -1;
		count += got == MBOX_PIECE_START;
		rest = span_from(rest, len);
	}
	mbox_split_end(&split, to);
	return count;
}

/* Times up to the year 9999, in a From_ line, are read as they were. */
static void
check_time(struct span input)
{
	struct str line = STR_INIT;
	int64_t when_s = 0, again_s;

	for (size_t i = 0; i < 5 && i < input.len; i++)
		when_s = when_s << 8 | (unsigned char)input.s[i];
	when_s %= 253402300800;
	str_append_cstr(&line, "From a@b ");
	clock_append_mbox(&line, when_s);
	if (!mbox_from_time(str_span(&line), &again_s) || again_s != when_s)
		abort();
	str_free(&line);
	if (mbox_from_time(input, &when_s) &&
	    (when_s < 0 || when_s > 253402300800 + 31 * 86400))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct mbox_quote quote = MBOX_QUOTE_INIT;
	struct str mbox = STR_INIT, back = STR_INIT;

	check_time(input);
	if (split_all(input, &back) > 0 && back.len > size)
		abort();
	str_clear(&back);
	str_append_cstr(&mbox, "From x\n");
	mbox_quote_feed(&quote, input, &mbox);
	mbox_quote_end(&quote, &mbox);
	str_append_char(&mbox, '\n');
	if (split_all(str_span(&mbox), &back) != 1)
		abort();
	if (size > 0 && data[size - 1] != '\n') {
		if (back.len != size + 1 || back.s[size] != '\n')
			abort();
		str_truncate(&back, size);
	}
	if (back.len != size || (size > 0 && memcmp(back.s, data, size) != 0))
		abort();
	str_free(&mbox);
	str_free(&back);
	return 0;
}

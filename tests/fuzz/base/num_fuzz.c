/* decimal numbers: what is read is what the digits say, and comes back when it
   is written */
#include "../fuzz.h"

#include "base/num.h"
#include "base/str.h"

/* The digits that text starts with, without zeros in front, as text. */
static struct span
digits_of(struct span text)
{
	size_t len = 0;

	while (len < text.len && text.s[len] >= '0' && text.s[len] <= '9')
		len++;
	text = span_until(text, len);
	while (text.len > 1 && text.s[0] == '0')
		text = span_from(text, 1);
	return text;
}

static bool
is_too_large(struct span digits)
{
	static const char most[] = "18446744073709551615";

	return digits.len > 20 ||
	    (digits.len == 20 && memcmp(digits.s, most, 20) > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct span digits = digits_of(text);
	char room[NUM_DIGITS];
	struct str again = STR_INIT;
	uint64_t value = 7, strict = 7;
	size_t len = num_leading_u64(text, &value);

	require((len == 0) == (digits.len == 0) && len >= digits.len);
	require(len == size || text.s[len] < '0' || text.s[len] > '9');
	if (len == 0) {
		require(value == 7);
	} else if (is_too_large(digits)) {
		require(value == UINT64_MAX);
	} else {
		require(span_equal(num_format(room, value), digits));
		str_append_u64(&again, value);
		require(span_equal(str_span(&again), digits));
	}
	if (num_parse_u64(text, &strict) == 0)
		require(len == size && size <= 20 && strict == value &&
		    !is_too_large(digits));
	else
		require(strict == 7 &&
		    (len != size || size == 0 || size > 20 ||
			is_too_large(digits)));
	str_free(&again);
	return 0;
}

#include "base/num.h"

size_t
num_leading_u64(struct span text, uint64_t *value)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < text.len && text.s[i] >= '0' && text.s[i] <= '9'; i++) {
		uint64_t digit = (uint64_t)(text.s[i] - '0');

		if (sum > (UINT64_MAX - digit) / 10)
			sum = UINT64_MAX;
		else
			sum = sum * 10 + digit;
	}
	if (i > 0)
		*value = sum;
	return i;
}

int
num_parse_u64(struct span text, uint64_t *value)
{
	uint64_t sum = 0;

	if (text.len == 0 || text.len > 20)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		uint64_t digit = (uint64_t)(text.s[i] - '0');

		if (text.s[i] < '0' || text.s[i] > '9' ||
		    sum > (UINT64_MAX - digit) / 10)
			return -1;
		sum = sum * 10 + digit;
	}
	*value = sum;
	return 0;
}

struct span
num_format(char room[NUM_DIGITS], uint64_t value)
{
	size_t i = NUM_DIGITS;

	do {
		room[--i] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	return (struct span){room + i, NUM_DIGITS - i};
}

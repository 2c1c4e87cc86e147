/* netstrings: what is decoded must be what encoding gives */
#include <stdlib.h>
#include <string.h>

#include "mail/netstring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size}, body;
	struct str again = STR_INIT;
	uint64_t number;

	while (rest.len > 0) {
		ssize_t used = netstring_decode(rest.s, rest.len, 1000, &body);

		if (used < NETSTRING_TOO_BIG)
			abort();
		if (used <= 0)
			break;
		str_clear(&again);
		netstring_append(&again, body);
		if (again.len != (size_t)used ||
		    memcmp(again.s, rest.s, again.len) != 0)
			abort();
		rest = span_from(rest, (size_t)used);
	}
	rest = (struct span){(const char *)data, size};
	while (netstring_take_u64(&rest, &number) == 0)
		;
	str_free(&again);
	return 0;
}

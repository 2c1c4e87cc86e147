/* the From_ lines end inside the text, and no address has a control byte */
#include <stdint.h>
#include <stdlib.h>

#include "inject/uucp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct str path = STR_INIT, address = STR_INIT;

	for (int is_all = 0; is_all < 2; is_all++) {
		size_t used = 0;
		enum uucp_result result =
		    uucp_take_from(text, is_all == 1, &path, &used);

		if (used > size || (result == UUCP_NONE && used != 0))
			abort();
		if (result != UUCP_FOUND)
			continue;
		str_clear(&address);
		uucp_append_address(&address, str_span(&path), true);
		uucp_append_address(&address, str_span(&path), false);
		for (size_t i = 0; i < address.len; i++) {
			if ((unsigned char)address.s[i] <= ' ')
				abort();
		}
	}
	str_free(&path);
	str_free(&address);
	return 0;
}

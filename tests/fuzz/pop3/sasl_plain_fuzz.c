/* what a client answers to AUTH PLAIN */
#include <stdint.h>
#include <stdlib.h>

#include "pop3/sasl_plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size}, user, password;
	struct str decoded = STR_INIT;

	if (sasl_plain_decode(text, &decoded, &user, &password) == 0 &&
	    (user.len + password.len >= decoded.len ||
		span_find(user, '\0') != SPAN_NONE ||
		span_find(password, '\0') != SPAN_NONE))
		abort();
	str_free(&decoded);
	return 0;
}

/* the argument of MAIL or RCPT: what was read, written for SMTP again, must be
   read as the same address; and nothing unsafe may reach a log */
#include <stdlib.h>

#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span argument = {(const char *)data, size}, rest;
	struct str address = STR_INIT, path = STR_INIT, again = STR_INIT;

	if (address_parse_path(argument, &address, &rest) == 0) {
		if (address.len + rest.len > size)
			abort();
		str_append_char(&path, '<');
		address_append_quoted(&path, str_span(&address));
		str_append_char(&path, '>');
		/* domains are never quoted, so that only plain ones return */
		if (!address_needs_quotes(address_domain(str_span(&address))) &&
		    (address_parse_path(str_span(&path), &again, NULL) != 0 ||
			!span_equal(str_span(&address), str_span(&again))))
			abort();
	}
	str_clear(&path);
	address_append_safe(&path, str_span(&address), true);
	for (size_t i = 0; i < path.len; i++) {
		if (path.s[i] < 33 || path.s[i] > 126 || path.s[i] == '%')
			abort();
	}
	str_free(&address);
	str_free(&path);
	str_free(&again);
	return 0;
}

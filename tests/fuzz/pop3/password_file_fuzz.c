/* users/passwd: the name up to the first NUL, then the file */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pop3/password_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require_inside(struct span part, struct span text)
{
	if (part.len > 0 &&
	    (part.s < text.s || part.s + part.len > text.s + text.len))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = {(const char *)data, size}, user = all, text;
	struct password_entry entry;
	size_t nul = span_find(all, '\0');

	if (nul == SPAN_NONE)
		return 0;
	user = span_until(all, nul);
	text = span_from(all, nul + 1);
	if (password_file_find(text, user, &entry) == PASSWORD_FOUND) {
		require_inside(entry.hash, text);
		require_inside(entry.home, text);
		if (span_find(entry.hash, ':') != SPAN_NONE ||
		    span_find(entry.home, '\n') != SPAN_NONE)
			abort();
	}
	return 0;
}

/* the name of a terminal, as a login record has it: none that is taken leads
   out of /dev or to a hidden file */
#include "../fuzz.h"

#include "local/terminal.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span name = {(const char *)data, size};

	if (!terminal_is_name(name))
		return 0;
	require(size > 0 && name.s[0] != '/' && name.s[size - 1] != '/');
	require(span_find(name, '\0') == SPAN_NONE);
	require(fuzz_is_printable(name));
	for (struct span rest = name, part; rest.len > 0;) {
		part = fuzz_until(&rest, '/');
		require(part.len > 0 && part.s[0] != '.');
	}
	return 0;
}

/* the start of any message: what is kept of it is in it, and what is shown is
   fit for a terminal */
#include "../fuzz.h"

#include "local/glance.h"

static bool
is_in(const struct str *part, struct span whole)
{
	for (size_t i = 0; i + part->len <= whole.len; i++) {
		if (memcmp(whole.s + i, part->s, part->len) == 0)
			return true;
	}
	return part->len == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span start = {(const char *)data, size}, path;
	struct glance glance = GLANCE_INIT;
	struct str shown = STR_INIT;

	glance_parse(&glance, start);
	require(is_in(&glance.return_path, start));
	require(is_in(&glance.delivered_to, start));
	require(is_in(&glance.from, start));
	require(is_in(&glance.subject, start));
	require(is_in(&glance.body, start) && glance.body.len <= GLANCE_BODY);
	require(glance.has_return_path || glance.return_path.len == 0);
	path = glance_path(str_span(&glance.return_path));
	require(path.len <= glance.return_path.len);
	glance_append_shown(&shown, start, 100);
	require(shown.len == (size < 100 ? size : 100));
	require(fuzz_is_printable(str_span(&shown)));
	glance_free(&glance);
	str_free(&shown);
	return 0;
}

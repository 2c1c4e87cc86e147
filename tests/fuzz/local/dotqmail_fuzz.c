/* the lines of a .qmail file: each is text, without NUL, inside the file */
#include <stdlib.h>

#include "local/dotqmail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span whole = {(const char *)data, size};
	struct dotqmail_lines lines = {whole, false};
	struct dotqmail_search search = {
	    .dash = SPAN_LITERAL("-"), .safe_ext = whole};
	struct str name = STR_INIT;
	size_t turns = 0, at;

	for (;;) {
		struct span text = {NULL, 0};
		enum dotqmail_kind kind = dotqmail_next_line(&lines, &text);

		if (kind == DOTQMAIL_END || kind == DOTQMAIL_BLANK_FIRST ||
		    kind == DOTQMAIL_NUL)
			break;
		if (text.s < whole.s || text.s + text.len > whole.s + size ||
		    span_find(text, '\0') != SPAN_NONE ||
		    span_find(text, '\n') != SPAN_NONE || ++turns > size)
			abort();
		if (kind == DOTQMAIL_MAILDIR && text.s[text.len - 1] != '/')
			abort();
	}
	/* as an extension: each name is tried once, and offsets are inside */
	if (size > 2000)
		return 0;
	for (turns = 0; dotqmail_search_next(&search, &name, &at); turns++) {
		if (turns > size + 1 || (at != SPAN_NONE && at > size))
			abort();
	}
	str_free(&name);
	return 0;
}

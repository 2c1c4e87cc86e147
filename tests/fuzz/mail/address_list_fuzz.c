/* the body of an address field: what is written for it must be readable
   again, and none of its lines may start a field of its own */
#include <stdlib.h>

#include "mail/address_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_lines(const struct str *shown)
{
	for (size_t i = 0; i < shown->len; i++) {
		if (shown->s[i] == '\n' && shown->s[i + 1] != ' ' &&
		    shown->s[i + 1] != '\t')
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address_list list = ADDRESS_LIST_INIT;
	struct str shown = STR_INIT, again = STR_INIT, folded = STR_INIT;
	struct rewrite rules = REWRITE_INIT;
	int parsed;

	/* as in a header: a line end is followed by white space */
	for (size_t i = 0; i < size; i++) {
		str_append_char(&folded, (char)data[i]);
		if (data[i] == '\n')
			str_append_char(&folded, ' ');
	}
	rewrite_set(
	    &rules, SPAN_LITERAL("h+"), SPAN_LITERAL("d"), SPAN_LITERAL("p"));
	parsed =
	    address_list_parse(&list, &shown, 3, str_span(&folded), &rules);
	if (parsed == -1 && shown.len > 0)
		abort();
	check_lines(&shown);
	for (size_t i = 0; i < list.count; i++) {
		/* at most a suffix and one byte of folding more */
		if (address_list_get(&list, i).len > folded.len + 8)
			abort();
	}
	if (parsed == 0 &&
	    address_list_parse(&list, &again, 3, str_span(&shown), &rules) ==
		-1)
		abort();
	check_lines(&again);
	address_list_free(&list);
	rewrite_free(&rules);
	str_free(&folded);
	str_free(&shown);
	str_free(&again);
	return 0;
}

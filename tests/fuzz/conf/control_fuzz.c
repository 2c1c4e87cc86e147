/* a list file: each of its lines is found, in any case */
#include <stdlib.h>

#include "conf/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_table table = CONTROL_TABLE_INIT;
	struct str upper = STR_INIT;
	struct span value;

	if (control_list_of((struct span){(const char *)data, size}, &table) ==
	    -1)
		abort();
	for (size_t i = 0; i < table.entry_count; i++) {
		struct span line = table.lines[i];

		if (line.len == 0 || line.s[0] == '#' ||
		    span_trim_right(line).len != line.len)
			abort();
		str_clear(&upper);
		for (size_t j = 0; j < line.len; j++)
			str_append_char(&upper,
			    line.s[j] >= 'a' && line.s[j] <= 'z'
				? (char)(line.s[j] - 'a' + 'A')
				: line.s[j]);
		if (!control_has(&table, str_span(&upper)) ||
		    !control_find_domain(&table, line, false, &value))
			abort();
	}
	control_table_free(&table);
	str_free(&upper);
	return 0;
}

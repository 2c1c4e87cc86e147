/* files of a classic queue, of any bytes; and the list of an import */
#include <stdlib.h>

#include "admin/classic_file.h"
#include "admin/import_record.h"
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(struct span file)
{
	struct span recipient;

	while (classic_next_recipient(&file, &recipient) == 1) {
		if (recipient.len > ADDRESS_MAX ||
		    span_find(recipient, '\0') != SPAN_NONE)
			abort();
	}
	if (file.len != 0)
		abort(); /* it was parsed to its end without complaint */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span file = {(const char *)data, size}, sender;
	struct import_record record = IMPORT_RECORD_INIT;
	struct str text = STR_INIT;
	struct import_entry entry;
	struct classic_todo todo;

	if (classic_parse_todo(file, &todo) == NULL)
		walk(file);
	if (classic_parse_channel(file) == NULL)
		walk(file);
	if (classic_parse_info(file, &sender) == NULL &&
	    sender.len > ADDRESS_MAX)
		abort();
	classic_mend_bounce(file, &text);
	if (text.len < 2 || text.s[text.len - 1] != '\n' ||
	    text.s[text.len - 2] != '\n' ||
	    span_find(str_span(&text), '\0') != SPAN_NONE)
		abort();
	if (import_record_parse(&record, file) == 0)
		import_record_sort(&record);
	for (size_t i = 0; i < record.sorted; i++) {
		if (!import_record_has(&record, &record.entries[i]))
			abort();
	}
	(void)!import_record_parse_origin(file, SPAN_LITERAL("k"), &entry);
	import_record_free(&record);
	str_free(&text);
	return 0;
}

#include "remote/remote_report.h"

#include <stdbool.h>

#include "base/die.h"
#include "net/child.h"

/* Takes the next record off *output. False if no NUL ends it. */
static bool
take_record(struct span *output, struct span *record)
{
	size_t end = span_find(*output, '\0');

	if (end == SPAN_NONE)
		return false;
	*record = span_until(*output, end);
	*output = span_from(*output, end + 1);
	return true;
}

static bool
is_message_record(struct span record)
{
	return record.len > 0 &&
	    (record.s[0] == 'K' || record.s[0] == 'Z' || record.s[0] == 'D');
}

/* K over Z over D. */
static int
rank(char letter)
{
	return letter == 'K' ? 2 : letter == 'Z' ? 1 : 0;
}

static char
read_records(struct span output, struct str *text)
{
	struct span first = {"", 0}, second = {"", 0}, record, rest = output;
	char message = 'D', letter;

	while (take_record(&rest, &record)) {
		if (is_message_record(record)) {
			message = record.s[0];
			break;
		}
	}
	if (take_record(&output, &first) && !take_record(&output, &second))
		second.len = 0;
	letter = message;
	if (first.len > 0 && first.s[0] == 's')
		letter = 'Z';
	if (first.len > 0 && first.s[0] == 'h')
		letter = 'D';
	if (first.len > 0)
		str_append_span(text, span_from(first, 1));
	/* a message that did better than this recipient has nothing to add */
	if (rank(message) <= rank(letter) && is_message_record(second))
		str_append_span(text, span_from(second, 1));
	return letter;
}

/* By shells and the dynamic linker 126 and 127 mean that there was nothing to
   run: that says nothing about the mail, and somebody may mend it. */
static bool
is_temporary(int code)
{
	return code == EXIT_TEMP || code == 126 || code == 127;
}

char
remote_report(int code, struct span output, struct str *text)
{
	str_clear(text);
	if (code == CHILD_KILLED) {
		str_append_cstr(text, "qmail-remote crashed.\n");
		return 'Z';
	}
	if (code != EXIT_OK) {
		str_append_cstr(text, "Unable to run qmail-remote.\n");
		return is_temporary(code) ? 'Z' : 'D';
	}
	if (output.len == 0) {
		str_append_cstr(text, "qmail-remote produced no output.\n");
		return 'Z';
	}
	return read_records(output, text);
}

const char *
remote_report_lost(int code)
{
	if (code == CHILD_KILLED)
		return "qmail-remote crashed.\n";
	if (code == EXIT_OK)
		return "qmail-remote produced no output.\n";
	return "Unable to run qmail-remote.\n";
}

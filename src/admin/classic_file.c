#include "admin/classic_file.h"

#include <stdbool.h>

#include "base/num.h"
#include "mail/address.h"

static const char cut[] = "its last record is not complete";
static const char unknown[] = "it has a record of an unknown type";
static const char too_long[] = "it has an address that is too long";

/* Takes a letter and what follows it up to a NUL off *file. 1, 0 at the end,
   -1 if there is no NUL or no letter. */
static int
take_record(struct span *file, char *letter, struct span *value)
{
	size_t nul;

	if (file->len == 0)
		return 0;
	nul = span_find(*file, '\0');
	if (nul == SPAN_NONE || nul == 0)
		return -1;
	*letter = file->s[0];
	*value = (struct span){file->s + 1, nul - 1};
	*file = span_from(*file, nul + 1);
	return 1;
}

const char *
classic_parse_todo(struct span file, struct classic_todo *todo)
{
	bool has_sender = false;
	struct span value;
	char letter;
	int more;

	*todo = (struct classic_todo){.sender = {"", 0}};
	while ((more = take_record(&file, &letter, &value)) == 1) {
		switch (letter) {
		case 'u':
			if (num_parse_u64(value, &todo->uid) == -1)
				return "it has a uid that is no number";
			break;
		case 'p':
			if (num_parse_u64(value, &todo->pid) == -1)
				return "it has a pid that is no number";
			break;
		case 'F':
			if (has_sender)
				return "it has two senders";
			has_sender = true;
			todo->sender = value;
			break;
		case 'T':
			break;
		default:
			return unknown;
		}
		if (value.len > ADDRESS_MAX)
			return too_long;
	}
	if (more == -1)
		return cut;
	return has_sender ? NULL : "it has no sender";
}

const char *
classic_parse_info(struct span file, struct span *sender)
{
	char letter;
	int more = take_record(&file, &letter, sender);

	if (more == 0)
		return "it is empty";
	if (more == -1)
		return cut;
	if (letter != 'F')
		return unknown;
	/* whatever an add-on may have put behind is none of our business */
	return sender->len > ADDRESS_MAX ? too_long : NULL;
}

const char *
classic_parse_channel(struct span file)
{
	struct span value;
	char letter;
	int more;

	while ((more = take_record(&file, &letter, &value)) == 1) {
		if (letter != 'T' && letter != 'D')
			return unknown;
		if (letter == 'T' && value.len > ADDRESS_MAX)
			return too_long;
	}
	return more == -1 ? cut : NULL;
}

int
classic_next_recipient(struct span *file, struct span *recipient)
{
	char letter;

	while (take_record(file, &letter, recipient) == 1) {
		if (letter == 'T')
			return 1;
	}
	return 0;
}

void
classic_mend_bounce(struct span file, struct str *to)
{
	str_clear(to);
	for (size_t i = 0; i < file.len; i++)
		str_append_char(to, file.s[i] == '\0' ? '_' : file.s[i]);
	if (to->len == 0)
		str_append_cstr(to,
		    "<>:\nWho this was, and why it failed, was lost in a crash "
		    "before this\nmessage came into the present queue.\n");
	else if (to->s[to->len - 1] != '\n')
		str_append_char(to, '\n');
	/* the line that follows must start a paragraph */
	if (to->len < 2 || to->s[to->len - 2] != '\n')
		str_append_char(to, '\n');
}

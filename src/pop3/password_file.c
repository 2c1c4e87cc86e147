#include "pop3/password_file.h"

#include "base/num.h"

/* Takes what precedes the next colon, or all that is left. */
static struct span
take_field(struct span *rest)
{
	size_t colon = span_find(*rest, ':');
	struct span field = *rest;

	if (colon == SPAN_NONE) {
		*rest = span_from(*rest, rest->len);
		return field;
	}
	*rest = span_from(*rest, colon + 1);
	return span_until(field, colon);
}

/* Ids end below UINT32_MAX: (uid_t)-1 means "leave as it is" to some calls. */
static int
parse_id(struct span field, uint32_t *id)
{
	uint64_t number;

	if (num_parse_u64(field, &number) == -1 || number >= UINT32_MAX)
		return -1;
	*id = (uint32_t)number;
	return 0;
}

static enum password_result
parse_line(struct span rest, struct password_entry *entry)
{
	struct span uid, gid;

	*entry = (struct password_entry){.hash = take_field(&rest)};
	uid = take_field(&rest);
	gid = take_field(&rest);
	entry->home = take_field(&rest);
	if (uid.len == 0 && gid.len == 0)
		return PASSWORD_FOUND;
	entry->has_ids = true;
	if (parse_id(uid, &entry->uid) == -1 ||
	    parse_id(gid, &entry->gid) == -1)
		return PASSWORD_BAD_LINE;
	return PASSWORD_FOUND;
}

enum password_result
password_file_find(
    struct span text, struct span user, struct password_entry *entry)
{
	while (text.len > 0) {
		size_t lf = span_find(text, '\n');
		struct span line =
		    lf == SPAN_NONE ? text : span_until(text, lf);

		text = span_from(text, lf == SPAN_NONE ? text.len : lf + 1);
		line = span_trim_right(line);
		if (line.len == 0 || line.s[0] == '#' ||
		    span_find(line, '\0') != SPAN_NONE)
			continue;
		if (span_equal(take_field(&line), user))
			return parse_line(line, entry);
	}
	return PASSWORD_NO_USER;
}

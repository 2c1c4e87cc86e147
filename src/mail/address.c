#include "mail/address.h"

#include <string.h>

size_t
address_at(struct span address)
{
	return span_find_last(address, '@');
}

struct span
address_domain(struct span address)
{
	size_t at = address_at(address);

	return span_from(address, at == SPAN_NONE ? address.len : at + 1);
}

struct span
address_local(struct span address)
{
	size_t at = address_at(address);

	return at == SPAN_NONE ? address : span_until(address, at);
}

bool
address_needs_quotes(struct span local)
{
	if (local.len == 0 || local.s[0] == '.' ||
	    local.s[local.len - 1] == '.')
		return true;
	for (size_t i = 0; i < local.len; i++) {
		unsigned char byte = (unsigned char)local.s[i];

		if (byte <= ' ' || byte >= 127 ||
		    strchr("\"(),:;<>@[\\]", byte) != NULL)
			return true;
		if (byte == '.' && local.s[i + 1] == '.')
			return true; /* i + 1 exists: the last is no dot */
	}
	return false;
}

void
address_append_quoted(struct str *to, struct span address)
{
	struct span local = address_local(address);

	if (address.len == 0)
		return;
	if (!address_needs_quotes(local)) {
		str_append_span(to, address);
		return;
	}
	str_append_char(to, '"');
	for (size_t i = 0; i < local.len; i++) {
		char byte = local.s[i];

		if (byte == '\r' || byte == '\n' || byte == '"' || byte == '\\')
			str_append_char(to, '\\');
		str_append_char(to, byte);
	}
	str_append_char(to, '"');
	str_append_span(to, span_from(address, local.len));
}

/* Where the path starts in argument, and which byte ends it. -1: nowhere. */
static int
find_path(struct span argument, size_t *start, char *end)
{
	size_t at = span_find(argument, '<');

	*end = '>';
	if (at == SPAN_NONE) {
		*end = ' ';
		at = span_find(argument, ':');
		if (at == SPAN_NONE)
			return -1;
		while (at + 1 < argument.len && argument.s[at + 1] == ' ')
			at++;
	}
	*start = at + 1;
	return 0;
}

int
address_parse_path(struct span argument, struct str *address, struct span *rest)
{
	size_t i;
	char end;
	bool quoted = false;

	str_clear(address);
	if (rest != NULL)
		*rest = span_from(argument, argument.len);
	if (find_path(argument, &i, &end) == -1)
		return -1;
	if (i < argument.len && argument.s[i] == '@') {
		/* a source route: everything up to its colon, if that comes
		   before the end of the path */
		struct span path = span_from(argument, i);
		size_t colon = span_find(path, ':');

		if (colon != SPAN_NONE &&
		    span_find(span_until(path, colon), end) == SPAN_NONE)
			i += colon + 1;
	}
	for (; i < argument.len; i++) {
		char byte = argument.s[i];

		if (byte == '\\' && i + 1 < argument.len)
			str_append_char(address, argument.s[++i]);
		else if (byte == '"')
			quoted = !quoted;
		else if (byte == end && !quoted)
			break;
		else if (byte != '\\')
			str_append_char(address, byte);
	}
	if (rest != NULL && i < argument.len)
		*rest = span_from(argument, i + 1);
	return 0;
}

void
address_append_safe(struct str *to, struct span bytes, bool log)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.s[i];

		if (byte == '\n')
			byte = log ? '/' : '_';
		else if (log && (byte < 33 || byte > 126 || byte == '%'))
			byte = '_';
		str_append_char(to, (char)byte);
	}
}

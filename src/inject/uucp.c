#include "inject/uucp.h"

static const struct span remote_from = {" remote from ", 13};

/* The bytes before the first white space or control byte. */
static struct span
first_word(struct span text)
{
	size_t len = 0;

	while (len < text.len && (unsigned char)text.s[len] > ' ' &&
	    text.s[len] != 127)
		len++;
	return span_until(text, len);
}

/* The last host that the line names, or nothing. */
static struct span
remote_host(struct span line)
{
	if (line.len < remote_from.len)
		return span_from(line, line.len);
	for (size_t i = line.len - remote_from.len + 1; i-- > 0;) {
		struct span here = {line.s + i, remote_from.len};

		if (span_equal(here, remote_from))
			return first_word(span_from(line, i + remote_from.len));
	}
	return span_from(line, line.len);
}

/* What follows "From " or ">From ", or a span of no address. */
static struct span
from_rest(struct span line)
{
	struct span rest = line;

	if (rest.len > 0 && rest.s[0] == '>')
		rest = span_from(rest, 1);
	if (rest.len >= 5 && span_is(span_until(rest, 5), "From "))
		return span_from(rest, 5);
	return (struct span){NULL, 0};
}

enum uucp_result
uucp_take_from(struct span text, bool is_all, struct str *path, size_t *used)
{
	struct span user = {NULL, 0};

	str_clear(path);
	*used = 0;
	while (*used < text.len) {
		struct span rest = span_from(text, *used), line, host;
		size_t len = span_find(rest, '\n');

		if (len == SPAN_NONE && !is_all)
			break;
		line = len == SPAN_NONE ? rest : span_until(rest, len);
		rest = from_rest(line);
		if (rest.s == NULL)
			break;
		*used += len == SPAN_NONE ? line.len : len + 1;
		user = first_word(rest);
		if (user.len == 0 || span_find(line, '\0') != SPAN_NONE)
			return UUCP_WRONG;
		host = remote_host(span_from(rest, user.len));
		if (host.len > 0) {
			str_append_span(path, host);
			str_append_char(path, '!');
		}
	}
	if (user.s == NULL)
		return UUCP_NONE;
	str_append_span(path, user);
	return UUCP_FOUND;
}

void
uucp_append_address(struct str *to, struct span path, bool is_sender)
{
	size_t bang = span_find(path, '!'), last = span_find_last(path, '!');
	struct span user = bang == SPAN_NONE ? path : span_from(path, last + 1);

	if (is_sender &&
	    (span_is(user, "<>") ||
		span_equal_nocase(user, SPAN_LITERAL("MAILER-DAEMON"))))
		return;
	if (is_sender && span_find(user, '@') != SPAN_NONE) {
		str_append_span(to, user);
		return;
	}
	/* with both, '@' is the stronger one for a host of the Internet */
	if (bang == SPAN_NONE || bang == 0 ||
	    span_find(path, '@') != SPAN_NONE) {
		str_append_span(to, path);
		return;
	}
	str_append_span(to, span_from(path, bang + 1));
	str_append_char(to, '@');
	str_append_span(to, span_until(path, bang));
}

#include "local/glance.h"

#include <errno.h>
#include <unistd.h>

#include "mail/header.h"

static struct span
trim(struct span text)
{
	while (text.len > 0 && (text.s[0] == ' ' || text.s[0] == '\t'))
		text = span_from(text, 1);
	return span_trim_right(text);
}

/* Keeps a field that we look for, if it is the first of its name. */
static void
keep_field(struct glance *glance, const struct header_field *field)
{
	struct str *to = NULL;

	if (field->type == HEADER_RETURN_PATH && !glance->has_return_path) {
		glance->has_return_path = true;
		to = &glance->return_path;
	} else if (field->type == HEADER_FROM) {
		to = &glance->from;
	} else if (span_equal_nocase(
		       field->name, SPAN_LITERAL("Delivered-To"))) {
		to = &glance->delivered_to;
	} else if (span_equal_nocase(field->name, SPAN_LITERAL("Subject"))) {
		to = &glance->subject;
	}
	if (to != NULL && to->len == 0)
		str_copy(to, trim(field->body));
}

static void
clear(struct glance *glance)
{
	glance->has_return_path = false;
	str_clear(&glance->return_path);
	str_clear(&glance->delivered_to);
	str_clear(&glance->from);
	str_clear(&glance->subject);
	str_clear(&glance->body);
}

void
glance_parse(struct glance *glance, struct span start)
{
	struct str header = STR_INIT;
	struct header_field field;
	enum header_added added = HEADER_MORE;
	struct span fields;

	clear(glance);
	while (added == HEADER_MORE && start.len > 0) {
		size_t len = span_find(start, '\n');

		len = len == SPAN_NONE ? start.len : len + 1;
		added = header_add_line(&header, span_until(start, len));
		if (added == HEADER_MORE || added == HEADER_END)
			start = span_from(start, len);
	}
	fields = str_span(&header);
	while (header_next(&fields, &field) == 1)
		keep_field(glance, &field);
	str_copy(&glance->body,
	    start.len > GLANCE_BODY ? span_until(start, GLANCE_BODY) : start);
	str_free(&header);
}

int
glance_read(struct glance *glance, int fd)
{
	struct str start = STR_INIT;
	int result = -1;

	str_reserve(&start, GLANCE_SIZE);
	while (start.len < GLANCE_SIZE) {
		ssize_t got =
		    read(fd, start.s + start.len, GLANCE_SIZE - start.len);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			goto done;
		if (got == 0)
			break;
		start.len += (size_t)got;
	}
	glance_parse(glance, str_span(&start));
	result = 0;
done:
	str_free(&start);
	return result;
}

void
glance_free(struct glance *glance)
{
	str_free(&glance->return_path);
	str_free(&glance->delivered_to);
	str_free(&glance->from);
	str_free(&glance->subject);
	str_free(&glance->body);
}

struct span
glance_path(struct span return_path)
{
	size_t open = span_find(return_path, '<');
	size_t close = span_find_last(return_path, '>');

	if (open == SPAN_NONE || close == SPAN_NONE || close < open)
		return return_path;
	return span_from(span_until(return_path, close), open + 1);
}

void
glance_append_shown(struct str *to, struct span bytes, size_t max)
{
	for (size_t i = 0; i < bytes.len && i < max; i++) {
		unsigned char byte = (unsigned char)bytes.s[i];

		if (byte == '\n')
			str_append_char(to, '/');
		else if (byte < 32 || byte > 126)
			str_append_char(to, '_');
		else
			str_append_char(to, bytes.s[i]);
	}
}

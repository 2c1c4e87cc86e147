#include "mail/header.h"

#include <assert.h>

enum {
	IS_RECIPIENT = 1,
	IS_SENDER = 2,
	IS_RESENT = 4,
};

static const struct {
	const char *name;
	unsigned flags;
} names[HEADER_TYPES] = {
    [HEADER_OTHER] = {"", 0},
    [HEADER_APPARENTLY_TO] = {"Apparently-To", IS_RECIPIENT},
    [HEADER_BCC] = {"Bcc", IS_RECIPIENT},
    [HEADER_CC] = {"Cc", IS_RECIPIENT},
    [HEADER_CONTENT_LENGTH] = {"Content-Length", 0},
    [HEADER_DATE] = {"Date", 0},
    [HEADER_ERRORS_TO] = {"Errors-To", IS_SENDER},
    [HEADER_FROM] = {"From", IS_SENDER},
    [HEADER_MAIL_FOLLOWUP_TO] = {"Mail-Followup-To", 0},
    [HEADER_MESSAGE_ID] = {"Message-ID", 0},
    [HEADER_REPLY_TO] = {"Reply-To", IS_SENDER},
    [HEADER_RESENT_BCC] = {"Resent-Bcc", IS_RECIPIENT | IS_RESENT},
    [HEADER_RESENT_CC] = {"Resent-Cc", IS_RECIPIENT | IS_RESENT},
    [HEADER_RESENT_DATE] = {"Resent-Date", IS_RESENT},
    [HEADER_RESENT_FROM] = {"Resent-From", IS_SENDER | IS_RESENT},
    [HEADER_RESENT_MESSAGE_ID] = {"Resent-Message-ID", IS_RESENT},
    [HEADER_RESENT_REPLY_TO] = {"Resent-Reply-To", IS_SENDER | IS_RESENT},
    [HEADER_RESENT_SENDER] = {"Resent-Sender", IS_SENDER | IS_RESENT},
    [HEADER_RESENT_TO] = {"Resent-To", IS_RECIPIENT | IS_RESENT},
    [HEADER_RETURN_PATH] = {"Return-Path", IS_SENDER},
    [HEADER_RETURN_RECEIPT_TO] = {"Return-Receipt-To", IS_SENDER},
    [HEADER_SENDER] = {"Sender", IS_SENDER},
    [HEADER_TO] = {"To", IS_RECIPIENT},
};

enum header_type
header_type_of(struct span name)
{
	for (size_t i = 1; i < HEADER_TYPES; i++) {
		if (span_equal_nocase(name, span_of(names[i].name)))
			return (enum header_type)i;
	}
	return HEADER_OTHER;
}

bool
header_is_recipient(enum header_type type)
{
	return (names[type].flags & IS_RECIPIENT) != 0;
}

bool
header_is_sender(enum header_type type)
{
	return (names[type].flags & IS_SENDER) != 0;
}

bool
header_is_resent(enum header_type type)
{
	return (names[type].flags & IS_RESENT) != 0;
}

static bool
is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* Length of the field name that line starts with; 0 if no colon follows. */
static size_t
name_len(struct span line)
{
	size_t len = 0, i;

	while (len < line.len && line.s[len] >= 33 && line.s[len] <= 126 &&
	    line.s[len] != ':')
		len++;
	for (i = len; i < line.len && is_blank(line.s[i]); i++)
		;
	return i < line.len && line.s[i] == ':' ? len : 0;
}

enum header_line
header_line_kind(struct span line, bool first)
{
	static const struct span mbox = {"From ", 5};

	if (span_is(line, "\n"))
		return HEADER_LINE_EMPTY;
	if (line.len > 0 && is_blank(line.s[0]))
		return first ? HEADER_LINE_BODY : HEADER_LINE_CONTINUATION;
	if (line.len >= mbox.len &&
	    span_equal(span_until(line, mbox.len), mbox))
		return HEADER_LINE_MBOX;
	return name_len(line) > 0 ? HEADER_LINE_FIELD : HEADER_LINE_BODY;
}

enum header_added
header_add_line(struct str *text, struct span line)
{
	static const struct span mbox = {"MBOX-Line: ", 11};
	enum header_line kind = header_line_kind(line, text->len == 0);

	if (kind == HEADER_LINE_EMPTY)
		return HEADER_END;
	if (kind == HEADER_LINE_BODY)
		return HEADER_BODY;
	if (line.len + mbox.len + 1 > HEADER_SIZE_MAX - text->len)
		return HEADER_LARGE;
	if (kind == HEADER_LINE_MBOX)
		str_append_span(text, mbox);
	str_append_span(text, line);
	if (line.s[line.len - 1] != '\n')
		str_append_char(text, '\n');
	return HEADER_MORE;
}

int
header_next(struct span *rest, struct header_field *field)
{
	size_t end = 0, colon;

	if (rest->len == 0)
		return 0;
	do {
		size_t line = span_find(span_from(*rest, end), '\n');

		end = line == SPAN_NONE ? rest->len : end + line + 1;
	} while (end < rest->len && is_blank(rest->s[end]));
	field->whole = span_until(*rest, end);
	field->name = span_until(*rest, name_len(field->whole));
	field->type = header_type_of(field->name);
	colon = span_find(field->whole, ':');
	/* header_add_line lets nothing else in */
	assert(field->name.len > 0 && colon != SPAN_NONE);
	field->body = span_from(field->whole, colon + 1);
	if (field->body.len > 0 && field->body.s[field->body.len - 1] == '\n')
		field->body.len--;
	*rest = span_from(*rest, end);
	return 1;
}

/*
 * header - splits the header of a message into fields and knows their names
 * Source: RFC 5322 section 2.2 and 3.6, read as qmail-inject reads it: a line
 * that is no field, no continuation and not empty starts the body. Pure.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	HEADER_SIZE_MAX = 16 * 1024 * 1024, /* bytes of all fields together */
};

enum header_type {
	HEADER_OTHER,
	HEADER_APPARENTLY_TO,
	HEADER_BCC,
	HEADER_CC,
	HEADER_CONTENT_LENGTH,
	HEADER_DATE,
	HEADER_ERRORS_TO,
	HEADER_FROM,
	HEADER_MAIL_FOLLOWUP_TO,
	HEADER_MESSAGE_ID,
	HEADER_REPLY_TO,
	HEADER_RESENT_BCC,
	HEADER_RESENT_CC,
	HEADER_RESENT_DATE,
	HEADER_RESENT_FROM,
	HEADER_RESENT_MESSAGE_ID,
	HEADER_RESENT_REPLY_TO,
	HEADER_RESENT_SENDER,
	HEADER_RESENT_TO,
	HEADER_RETURN_PATH,
	HEADER_RETURN_RECEIPT_TO,
	HEADER_SENDER,
	HEADER_TO,
	HEADER_TYPES
};

enum header_line {
	HEADER_LINE_FIELD,
	HEADER_LINE_CONTINUATION, /* starts with a space or tab */
	HEADER_LINE_MBOX,         /* starts with "From " */
	HEADER_LINE_EMPTY,        /* only LF */
	HEADER_LINE_BODY,         /* none of these: the header has ended */
};

/* What a line is, by its first bytes. first: no line came before it, so that
   it cannot be a continuation. */
enum header_line header_line_kind(struct span line, bool first);

enum header_added {
	HEADER_MORE,  /* taken */
	HEADER_END,   /* an empty line: the body starts behind it */
	HEADER_BODY,  /* not taken: the body starts with it */
	HEADER_LARGE, /* not taken: text would pass HEADER_SIZE_MAX */
};

/*
 * Appends one line to the header in text. "From " lines get the name
 * MBOX-Line; a line without LF, the last of the message, gets it.
 */
MUST_USE enum header_added header_add_line(struct str *text, struct span line);

struct header_field {
	enum header_type type;
	struct span name;  /* without the white space before the colon */
	struct span body;  /* from behind the colon up to the final LF */
	struct span whole; /* name, colon, body and LF */
};

/* Takes the next field off *rest, which header_add_line made. 1, or 0 at the
   end. The spans lie in *rest. */
MUST_USE int header_next(struct span *rest, struct header_field *field);

/* What a field name means; case does not matter. */
enum header_type header_type_of(struct span name);
bool header_is_recipient(enum header_type type); /* To, Resent-Cc ... */
bool header_is_sender(enum header_type type);    /* From, Reply-To ... */
bool header_is_resent(enum header_type type);

#endif

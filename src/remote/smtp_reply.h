/*
 * smtp_reply - one reply of an SMTP server, byte by byte
 * Source: RFC 5321 section 4.2. Pure; the bytes come from a stranger.
 *
 * A reply goes on while the fourth byte of a line is '-'; the code of its
 * first line counts. The text is kept for the report: without CRs, NUL as
 * '?', of each line and of the whole no more than the limits below. What goes
 * beyond is read and dropped, up to SMTP_REPLY_BYTES_MAX.
 */
#ifndef REMOTE_SMTP_REPLY_H
#define REMOTE_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	SMTP_REPLY_LINE_MAX = 4096,             /* kept of one line, with LF */
	SMTP_REPLY_TEXT_MAX = 5000,             /* kept in all */
	SMTP_REPLY_BYTES_MAX = 8 * 1024 * 1024, /* a longer one is an attack */
};

enum smtp_reply_event {
	SMTP_REPLY_MORE,   /* all bytes used: feed more */
	SMTP_REPLY_DONE,   /* complete */
	SMTP_REPLY_BROKEN, /* no code, or without end: who knows what it means
			    */
};

struct smtp_reply {
	unsigned code;   /* 200 to 599 when DONE; 0 when BROKEN */
	struct str text; /* whole lines, each with its LF */
	size_t line_len; /* bytes seen of the current line, CRs included */
	size_t line_kept, bytes;
	char head[4]; /* the first bytes of the current line */
	bool in_first;
};

#define SMTP_REPLY_INIT                                                        \
	{                                                                      \
		.text = STR_INIT, .in_first = true                             \
	}

/* Makes ready for the next reply; keeps the memory. */
void smtp_reply_reset(struct smtp_reply *reply);
void smtp_reply_free(struct smtp_reply *reply);
/* Takes bytes from the front of *input until the reply ends. When DONE, what
   is left belongs to the next one. */
MUST_USE enum smtp_reply_event smtp_reply_feed(
    struct smtp_reply *reply, struct span *input);

#endif

/*
 * qmtp_answer - one answer of a QMTP server, byte by byte
 * Source: D. J. Bernstein, "Quick Mail Transfer Protocol", 1997-02-01. Pure;
 * the bytes come from a stranger.
 *
 * An answer is a netstring: K (taken), Z (later) or D (never), then words. The
 * words are kept for the report, without CRs, NUL as '?', no more than
 * QMTP_ANSWER_TEXT_MAX of them; what goes beyond is read and dropped.
 */
#ifndef REMOTE_QMTP_ANSWER_H
#define REMOTE_QMTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	QMTP_ANSWER_TEXT_MAX = 5000, /* bytes kept */
	QMTP_ANSWER_MAX = 65536,     /* a longer one is an attack */
};

enum qmtp_answer_event {
	QMTP_ANSWER_MORE,   /* all bytes used: feed more */
	QMTP_ANSWER_DONE,   /* complete */
	QMTP_ANSWER_BROKEN, /* no netstring, or none of the three letters */
};

struct qmtp_answer {
	char letter;     /* K, Z or D when DONE */
	struct str text; /* what followed it */
	/* the parser's own */
	bool in_body;
	size_t digits, size, seen;
};

#define QMTP_ANSWER_INIT                                                       \
	{                                                                      \
		.text = STR_INIT                                               \
	}

/* Makes ready for the next answer; keeps the memory. */
void qmtp_answer_reset(struct qmtp_answer *answer);
void qmtp_answer_free(struct qmtp_answer *answer);
/* Takes bytes from the front of *input until the answer ends. When DONE, what
   is left belongs to the next one. */
MUST_USE enum qmtp_answer_event qmtp_answer_feed(
    struct qmtp_answer *answer, struct span *input);

#endif

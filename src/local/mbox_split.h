/*
 * mbox_split - takes an mbox apart: the inverse of mbox_quote
 *
 * A message starts with a line "From ..." at the start of the file or behind an
 * empty line. It ends before the empty line in front of the next one or of the
 * end. A line that matches ">+From " has lost one '>'. Pure; any bytes.
 */
#ifndef LOCAL_MBOX_SPLIT_H
#define LOCAL_MBOX_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

struct mbox_split {
	bool has_begun; /* there was a From_ line */
	bool in_line;   /* the last piece had no LF */
	bool in_from;   /* that is the rest of a From_ line */
	bool is_blank;  /* the line before was empty; it is held back */
	bool in_quotes; /* a line of nothing but '>' so far, one held back */
};

#define MBOX_SPLIT_INIT                                                        \
	{                                                                      \
		false, false, false, false, false                              \
	}

enum mbox_piece {
	MBOX_PIECE_DATA,  /* part of the message: appended */
	MBOX_PIECE_START, /* a From_ line: a new message, nothing appended */
	MBOX_PIECE_WRONG, /* the file does not start with a From_ line */
};

/*
 * Takes the next piece of the file: a line with its LF, or a part of a line
 * that is long (of at least 6 bytes, if it is not the last one). Appends what
 * belongs to the message. "From " that is cut behind many '>' by the end of a
 * piece keeps its '>'.
 */
MUST_USE enum mbox_piece mbox_split_feed(
    struct mbox_split *split, struct span piece, struct str *to);
/* The end of the file: appends what is left of the last message. */
void mbox_split_end(struct mbox_split *split, struct str *to);

/* The time in a From_ line, "From ... Sun Nov 02 18:46:21 2026", as UTC. True,
   or false if there is none. */
bool mbox_from_time(struct span line, int64_t *when_s);

#endif

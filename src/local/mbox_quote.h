/*
 * mbox_quote - From_ quoting, so that no line of a message looks like the
 * start of the next one: ">" before each line that matches ">*From "
 * Source: mbox as qmail writes it ("mboxrd"). Pure; any bytes, in any pieces.
 */
#ifndef LOCAL_MBOX_QUOTE_H
#define LOCAL_MBOX_QUOTE_H

#include <stdbool.h>

#include "base/span.h"
#include "base/str.h"

struct mbox_quote {
	bool in_line;     /* a line is open that cannot match any more */
	bool is_open;     /* the last byte was not LF */
	unsigned matched; /* bytes of "From " seen, and still held back */
};

#define MBOX_QUOTE_INIT                                                        \
	{                                                                      \
		false, false, 0                                                \
	}

/* Appends the quoted form of bytes. */
void mbox_quote_feed(
    struct mbox_quote *quote, struct span bytes, struct str *to);
/* Appends what was held back, and LF if the last line lacks it. */
void mbox_quote_end(struct mbox_quote *quote, struct str *to);

#endif

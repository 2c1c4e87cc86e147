/*
 * queue_interface - what a program that stands in for qmail-queue does first:
 *                   its signals, its descriptors, message and envelope
 *
 * The message is on descriptor 0, the envelope of mail/envelope.h on 1. Codes
 * are those of qmail-queue(8). For one-shot programs: trouble ends the process.
 */
#ifndef INJECT_QUEUE_INTERFACE_H
#define INJECT_QUEUE_INTERFACE_H

#include "base/attr.h"
#include "base/span.h"

enum {
	QUEUE_TOO_LONG = 11, /* an address */
	QUEUE_TIMEOUT = 52,
	QUEUE_READ = 54,
	QUEUE_HOME = 61,
	QUEUE_BUG = 81,
	QUEUE_ENVELOPE = 91,

	QUEUE_LIFE_S = 86400, /* for the whole run */
};

struct queue_reader {
	/* Pieces of the message, then the sender, then each recipient; the
	   bytes are the caller's until it returns. */
	void (*message)(struct span piece);
	void (*sender)(struct span address);
	void (*recipient)(struct span address);
	void (*give_up)(int code); /* lets go of what was begun */
	int short_code;            /* for an envelope that is cut off */
};

/* Ignores what qmail-queue ignores, sets the alarm, checks that descriptors 0
   and 1 are open, and changes to the home. */
void queue_interface_open(void);
/* Reads all of both. Returns only if the envelope was complete. */
void queue_interface_read(const struct queue_reader *reader);

#endif

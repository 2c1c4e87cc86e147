/*
 * message - the message of a delivery, read again for each line of .qmail
 *
 * A file that can be read at any offset. Up to MESSAGE_CHUNK bytes stay in
 * memory, so that a small message is read once, whatever is done with it.
 * Bytes may be anything. The descriptor's own offset is used by nobody but
 * message_seek_start. Calls return -1 with errno.
 */
#ifndef LOCAL_MESSAGE_H
#define LOCAL_MESSAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"

enum {
	MESSAGE_CHUNK = 64 * 1024, /* bytes */
};

struct message {
	int fd;
	off_t next;   /* offset that message_next reads */
	off_t start;  /* offset of buf[0] */
	size_t len;   /* bytes in buf */
	bool at_end;  /* the file ends with buf */
	bool is_read; /* buf holds something at all */
	char buf[MESSAGE_CHUNK];
};

void message_init(struct message *message, int fd); /* fd stays the caller's */
void message_rewind(struct message *message);
/* The next bytes, valid until the next call: 1; 0 at the end; -1. */
MUST_USE int message_next(struct message *message, struct span *chunk);
/*
 * True (1) if one line of the header, up to the first empty line, is exactly
 * line, which ends in LF. 0 no, -1. Reads from the start.
 */
MUST_USE int message_has_header_line(struct message *message, struct span line);
/* Puts the descriptor's offset at 0, for a program. 0 or -1. */
MUST_USE int message_seek_start(struct message *message);

#endif

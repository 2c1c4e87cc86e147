/*
 * message - the stored message on a descriptor, read from where it stands
 *
 * A file is read with pread, so that it can be measured first and its offset
 * stays; a pipe is read once.
 */
#ifndef REMOTE_MESSAGE_H
#define REMOTE_MESSAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "remote/smtp_body.h"

enum {
	MESSAGE_CHUNK = 32 * 1024, /* bytes read at a time */
};

struct message {
	int fd; /* borrowed */
	bool is_file, is_measured;
	off_t start, at;
	struct smtp_measure measure; /* valid if is_measured */
};

void message_init(struct message *message, int fd);
/* Reads the next bytes. Returns how many, 0 at the end, or -1 with errno. */
MUST_USE ssize_t message_read(struct message *message, char *buf, size_t len);
/* Reads all of a file for message->measure; of a pipe nothing, then
   is_measured stays false. 0, or -1 with errno. */
MUST_USE int message_measure(struct message *message);

#endif

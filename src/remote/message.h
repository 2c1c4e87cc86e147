/*
 * message - the stored message on a descriptor, read from where it stands
 *
 * A file is read with pread, so that it can be measured first and its offset
 * stays; a pipe is read once, or collected in memory first.
 */
#ifndef REMOTE_MESSAGE_H
#define REMOTE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"
#include "remote/smtp_body.h"

enum {
	MESSAGE_CHUNK = 32 * 1024, /* bytes read at a time */
};

struct message {
	int fd; /* borrowed */
	bool is_file, is_measured;
	bool is_held; /* a pipe, of which all is in held */
	off_t start, at;
	struct str held;
	struct smtp_measure measure; /* valid if is_measured */
};

void message_init(struct message *message, int fd);
void message_free(struct message *message);
/* Reads the next bytes. Returns how many, 0 at the end, or -1 with errno. */
MUST_USE ssize_t message_read(struct message *message, char *buf, size_t len);
/* Reads all of a file for message->measure; of a pipe nothing, then
   is_measured stays false. 0, or -1 with errno. */
MUST_USE int message_measure(struct message *message);
/* Starts again: message_read gives the first bytes next. Of no use for a pipe
   that is not held. */
void message_rewind(struct message *message);
/*
 * How many bytes message_read gives from the start. Collects a pipe, of which
 * nothing may have been read, into memory, max bytes of it. 0; or -1 with
 * errno, EFBIG if there are more.
 */
MUST_USE int message_size(
    struct message *message, uint64_t max, uint64_t *size_bytes);

#endif

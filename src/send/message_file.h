/*
 * message_file - opens and reads the plain files of one message
 * Relative to a descriptor of queue/. Files that are not regular are refused.
 */
#ifndef SEND_MESSAGE_FILE_H
#define SEND_MESSAGE_FILE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "mail/queue_file.h"

enum {
	MESSAGE_FILE_ENV_MAX = 1024 * 1024 * 1024, /* bytes of an envelope */
	MESSAGE_FILE_DONE_MAX = 512 * 1024 * 1024, /* one byte a recipient */
};

/* The message itself, which must have as many bytes as its envelope says: part
   of one is never delivered. A descriptor, close-on-exec, at offset 0; or -1
   with errno, EBADMSG if the size is another. */
MUST_USE int message_file_open_mess(
    int queue_dir, uint64_t id, uint64_t size_bytes);
/* Replaces *to by the whole file, of max bytes at most. 0, or -1 with errno. */
MUST_USE int message_file_read(int queue_dir, enum queue_kind kind, uint64_t id,
    size_t max, struct str *to);

#endif

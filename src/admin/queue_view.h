/*
 * queue_view - reads the queue from outside, while others write it
 *
 * Nothing is locked: a message may end between being listed and being read,
 * which is no error. Files that are not regular are refused. A descriptor of
 * queue/ is the caller's to close.
 */
#ifndef ADMIN_QUEUE_VIEW_H
#define ADMIN_QUEUE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "mail/queue_file.h"

enum {
	QUEUE_VIEW_ENV_MAX = 1024 * 1024 * 1024, /* bytes of an envelope */
	QUEUE_VIEW_DONE_MAX = 512 * 1024 * 1024, /* one byte a recipient */
};

/*
 * Opens queue/ of the current directory. A process of root becomes the owner
 * of queue/ for good, before it sees anything that strangers wrote. Waits a
 * while for the files of what was just accepted. Returns a descriptor, or -1
 * with errno.
 */
MUST_USE int queue_view_open(void);
/*
 * Lists the ids of all messages, in growing order. *ids is the caller's to
 * free. 0, or -1 with errno and nothing to free.
 */
MUST_USE int queue_view_list(int queue_dir, uint64_t **ids, size_t *count);
/* Replaces *to by a file of a message. 1; 0 if it is not there; -1 with errno.
 */
MUST_USE int queue_view_read(int queue_dir, enum queue_kind kind, uint64_t id,
    size_t max, struct str *to);
/* True if the message has such a file. */
bool queue_view_has(int queue_dir, enum queue_kind kind, uint64_t id);

#endif

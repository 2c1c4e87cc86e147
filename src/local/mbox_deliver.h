/*
 * mbox_deliver - appends one message to an mbox file, under its locks
 *
 * Another program that locks the file the same way never sees half a message.
 * If the bytes do not reach the disk the file is cut back to what it was. A
 * file system without locks is written without; then nothing is cut back.
 */
#ifndef LOCAL_MBOX_DELIVER_H
#define LOCAL_MBOX_DELIVER_H

#include "base/attr.h"
#include "base/span.h"
#include "local/message.h"
#include "local/report.h"

/* Writes head, the quoted message and an empty line. 0, or -1 with errno. */
MUST_USE int mbox_write_message(
    int fd, struct span head, struct message *message);
/*
 * Appends head (From_ line and the lines to add), the quoted message and an
 * empty line to path, which is created with mode 0600. Returns EXIT_OK, or
 * EXIT_TEMP with a line in the report.
 */
MUST_USE int mbox_deliver(const char *path, struct span head,
    struct message *message, struct report *report);

#endif

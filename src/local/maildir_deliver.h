/*
 * maildir_deliver - writes one message into a maildir, for good
 *
 * The message is in new/, whole and on the disk, when this says so; before,
 * no reader can see it. The name is TIME.PID.HOST, from the second message of
 * a process on TIME.PID_N.HOST.
 */
#ifndef LOCAL_MAILDIR_DELIVER_H
#define LOCAL_MAILDIR_DELIVER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "local/message.h"
#include "local/report.h"

enum {
	MAILDIR_TIME_MAX = 24 * 60 * 60, /* seconds for one message */
};

/* Appends the name of the count-th message (from 1) of process pid. */
void maildir_append_name(struct str *to, int64_t when_s, pid_t pid,
    uint64_t count, struct span host);
/* Appends the next name of this process, for now and this host. 0, or -1 with
   errno. */
MUST_USE int maildir_append_next_name(struct str *to);

/*
 * Delivers head and message to the maildir dir (relative to the current
 * directory), which ends in '/'. Returns EXIT_OK, or EXIT_TEMP with a line in
 * the report; then nothing is left behind.
 */
MUST_USE int maildir_deliver(const char *dir, struct span head,
    struct message *message, struct report *report);

#endif

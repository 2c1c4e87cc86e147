/*
 * program_deliver - runs a command line of .qmail
 *
 * The command is given to /bin/sh with the message on descriptor 0. What it
 * prints goes to our own descriptors 1 and 2, or, collected, into the report:
 * then it is read as long as the command runs and thrown away beyond the
 * report's maximum. Processes that the command leaves behind are not waited
 * for; what they print after it has ended meets a closed pipe.
 */
#ifndef LOCAL_PROGRAM_DELIVER_H
#define LOCAL_PROGRAM_DELIVER_H

#include <stdbool.h>

#include "base/attr.h"
#include "local/message.h"
#include "local/report.h"

enum {
	PROGRAM_TIME_MAX = 24 * 60 * 60, /* seconds, then it is killed */
};

enum program_verdict {
	PROGRAM_OK,
	PROGRAM_STOP, /* done, and the lines after it do not count */
	PROGRAM_PERM,
	PROGRAM_TEMP,
};

struct program {
	const char *command;
	char *const *env;
	bool is_collected;
	unsigned timeout_s; /* PROGRAM_TIME_MAX */
};

/* What an exit code means. Pure. */
enum program_verdict program_judge(int exit_code);
/* Runs it and waits. A line is added to the report only if it was not the
   command that spoke: killed, too slow, could not be started. */
MUST_USE enum program_verdict program_deliver(const struct program *program,
    struct message *message, struct report *report);

#endif

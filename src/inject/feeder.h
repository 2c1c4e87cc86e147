/*
 * feeder - runs a program on a message that gets some lines in front
 *
 * The program gets head and then the rest of our descriptor 0 through a pipe,
 * and shares descriptors 1 and 2 with us. For programs that serve one message
 * and end: what fails here is said on stderr, and ends the process with 111.
 */
#ifndef INJECT_FEEDER_H
#define INJECT_FEEDER_H

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/* Opens 0, 1 and 2 if they are closed, ignores SIGPIPE. */
void feeder_init(const char *name);
/* Appends the path of a program of the home. */
void feeder_append_path(struct str *to, const char *program);
/*
 * Runs file, found through PATH if it has no slash. Returns its exit code;
 * 111 if it could not be run or a signal ended it. A program that does not
 * read to the end is no failure. If the message cannot be read to its end the
 * program is killed, since half a message must not look whole.
 */
MUST_USE int feeder_run(struct span head, const char *file, char **argv);

#endif

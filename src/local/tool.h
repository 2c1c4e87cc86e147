/*
 * tool - what the helpers for .qmail have in common
 *
 * For programs that serve one message and end: the functions that cannot go on
 * say why on stderr, which is the delivery report, and exit.
 */
#ifndef LOCAL_TOOL_H
#define LOCAL_TOOL_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"

/* Ignores SIGPIPE and ensures that 0, 1 and 2 are open. */
void tool_init(const char *name);
/* The variable's value; exits 100 if it is not set. */
const char *tool_env(const char *name);
/* In a child: becomes the program, found through PATH, with SIGPIPE at its
   default. Exits 111 for a passing error of the system, else 100. */
NORETURN void tool_exec(char **argv);
/* The exit code of the child; 111 if a signal killed it. */
MUST_USE int tool_wait(pid_t child);
/* Runs the program with our descriptors: its exit code as above. */
MUST_USE int tool_run(char **argv);
/*
 * Queues head and the message on descriptor 0, from its current position, from
 * sender to the recipients (NULL at the end; there may be none), and prints
 * "NAME: qp N". Exits 100 or 111 with the queue's words if it is refused.
 */
void tool_forward(struct span head, struct span sender, char **recipients);
/* Queues text from sender to one recipient. Exits as above if it is refused. */
void tool_send(struct span text, struct span sender, struct span recipient);

#endif

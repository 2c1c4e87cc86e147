/*
 * run - one run of a program that is given a job on its command line, prints a
 *       report and ends
 *
 * Its output goes into a string of limited size; what is over is read and
 * dropped. It is over when the process has ended: a grandchild that keeps the
 * pipe open does not hold us up. After timeout_s it is killed.
 */
#ifndef NET_RUN_H
#define NET_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"
#include "net/child.h"
#include "net/loop.h"

enum {
	RUN_OUTPUT_MAX = 64 * 1024, /* bytes that are kept */
};

struct run {
	struct str output;
	bool timed_out, cut; /* cut: there was more output */
	/* code: the exit code, or CHILD_KILLED. The run may be freed. */
	void (*done)(void *owner, int code);
	void *owner;
	/* the run's own */
	struct loop *loop;
	struct loop_watch watch;
	struct loop_child child;
};

/*
 * Starts plan with 1 (and, if with_stderr, 2) on a pipe to us; plan->fds[1]
 * and [2] are replaced. *run has done and owner set and stays where it is until
 * done was called and run_free. 0, or -1 with errno and nothing to free.
 */
MUST_USE int run_start(struct run *run, struct loop *loop,
    struct child_plan *plan, bool with_stderr, unsigned timeout_s);
/* Only after done. */
void run_free(struct run *run);

#endif

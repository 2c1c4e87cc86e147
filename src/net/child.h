/*
 * child - starts a program under an account, with three descriptors
 *
 * The child gets 0, 1 and 2 and nothing else (all others must be
 * close-on-exec, and 0 to 2 open in this process), SIGPIPE at its default, and
 * the working directory and environment of this process.
 */
#ifndef NET_CHILD_H
#define NET_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct child_plan {
	const char *path; /* with search: a name to be found in PATH */
	bool search;
	char *const *argv;
	int fds[3]; /* what becomes 0, 1, 2; CHILD_KEEP, CHILD_NULL */
	bool drop;  /* to uid and gid */
	uid_t uid;
	gid_t gid;
	/* with drop, for a user with more groups: privilege_drop_user, and
	   the name; or NULL */
	int (*drop_user)(uid_t uid, gid_t gid, const char *user);
	const char *user;
	int drop_failed, exec_failed; /* exit codes of the child */
};

enum {
	CHILD_KEEP = -1, /* this process's own */
	CHILD_NULL = -2, /* /dev/null */

	CHILD_KILLED = -1, /* not an exit code: a signal ended it */
};

/* How many descriptors a process may have; UINT64_MAX: no limit. */
uint64_t child_fd_limit(void);
/* What waitpid says of a child, as an exit code or CHILD_KILLED. */
int child_code(int status);
/* The pid, or -1 with errno. */
MUST_USE pid_t child_start(const struct child_plan *plan);

#endif

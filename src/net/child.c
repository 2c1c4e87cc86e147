#include "net/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/privilege.h"
#include "base/sig.h"

uint64_t
child_fd_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == -1 ||
	    files.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return (uint64_t)files.rlim_cur;
}

int
child_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_KILLED;
}

static int
put_at(int fd, int to)
{
	if (fd == CHILD_KEEP)
		return 0;
	if (fd == CHILD_NULL) {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd == -1)
			return -1;
	}
	/* the sources are all above 2, so none is overwritten before its turn,
	   and a copy is never close-on-exec */
	while (dup2(fd, to) == -1) {
		if (errno != EINTR)
			return -1;
	}
	return 0;
}

/* In the child, so that nobody waits for the group database but itself. */
static int
drop(const struct child_plan *plan)
{
	if (plan->drop_user != NULL)
		return plan->drop_user(plan->uid, plan->gid, plan->user);
	return privilege_drop(plan->uid, plan->gid);
}

pid_t
child_start(const struct child_plan *plan)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (int to = 0; to < 3; to++) {
		if (put_at(plan->fds[to], to) == -1)
			_exit(plan->drop_failed);
	}
	if (sig_default(SIGPIPE) == -1)
		_exit(plan->drop_failed);
	if (plan->drop && drop(plan) == -1)
		_exit(plan->drop_failed);
	if (plan->search)
		(void)execvp(plan->path, plan->argv);
	else
		(void)execv(plan->path, plan->argv);
	_exit(plan->exec_failed);
}

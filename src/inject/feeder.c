#include "inject/feeder.h"

#include <errno.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/sig.h"
#include "conf/control.h"

enum {
	CHUNK = 64 * 1024, /* bytes of message at a time */
};

void
feeder_init(const char *name)
{
	die_init(name);
	/* SIGCHLD may have been ignored by whoever started us */
	if (fd_guard_standard() == -1 || sig_ignore(SIGPIPE) == -1 ||
	    sig_default(SIGCHLD) == -1)
		die_sys("cannot start");
}

void
feeder_append_path(struct str *to, const char *program)
{
	str_append_format(to, "%s/bin/%s", control_home_path(), program);
}

/* Copies head and message. 0, or -1 with errno. */
static int
feed(int to, struct span head)
{
	static char buf[CHUNK];

	if (fd_write_all(to, head.s, head.len) == -1)
		return -1;
	for (;;) {
		ssize_t got = read(0, buf, sizeof(buf));

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		if (fd_write_all(to, buf, (size_t)got) == -1)
			return -1;
	}
}

static NORETURN void
become(int input, const char *file, char **argv)
{
	if (fd_move(input, 0) == -1 || sig_default(SIGPIPE) == -1)
		warn_sys("cannot start %s", quote(file));
	else {
		(void)execvp(file, argv); /* returns if it failed */
		warn_sys("cannot run %s", quote(file));
	}
	_exit(EXIT_TEMP);
}

static int
wait_for(pid_t child, const char *file)
{
	int status;

	while (waitpid(child, &status, 0) == -1) {
		if (errno != EINTR)
			die_sys("cannot wait for %s", quote(file));
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	warn_plain("%s was killed by signal %d", quote(file), WTERMSIG(status));
	return EXIT_TEMP;
}

int
feeder_run(struct span head, const char *file, char **argv)
{
	int ends[2];
	pid_t child;

	if (fd_pipe(ends) == -1)
		die_sys("cannot make a pipe");
	child = fork();
	if (child == -1)
		die_sys("cannot fork");
	if (child == 0)
		become(ends[0], file, argv);
	fd_close(ends[0]);
	if (feed(ends[1], head) == -1 && errno != EPIPE) {
		int error = errno;

		/* before the pipe ends */
		(void)kill(child, SIGKILL);
		errno = error;
		die_sys("cannot copy the message");
	}
	fd_close(ends[1]);
	return wait_for(child, file);
}

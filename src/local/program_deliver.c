#include "local/program_deliver.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/sig.h"

enum {
	POLL_MAX_MS = 60 * 60 * 1000,
	/* what may still be in the pipe when the command has ended */
	DRAIN_MAX = 1024 * 1024,
};

static struct {
	int child_ended; /* readable after a SIGCHLD; 0: not yet opened */
} program_state;

/* A command that runs. */
struct run {
	pid_t child;
	int out; /* our end of its output, or -1 */
	int status;
	bool has_group; /* it leads a process group of its own */
};

enum program_verdict
program_judge(int exit_code)
{
	switch (exit_code) {
	case 0:
		return PROGRAM_OK;
	case 99:
		return PROGRAM_STOP;
	case 100:
	case 64: /* EX_USAGE */
	case 65: /* EX_DATAERR */
	case 70: /* EX_SOFTWARE */
	case 76: /* EX_PROTOCOL */
	case 77: /* EX_NOPERM */
	case 78: /* EX_CONFIG */
	case 112:
		return PROGRAM_PERM;
	default:
		return PROGRAM_TEMP;
	}
}

static int
watch_children(void)
{
	int fd;

	if (program_state.child_ended != 0)
		return 0;
	fd = sig_open();
	if (fd == -1 || sig_watch(SIGCHLD) == -1)
		return -1;
	program_state.child_ended = fd;
	return 0;
}

NORETURN static void
become(const struct program *program, int message, int out)
{
	static char shell[] = "sh", option[] = "-c";
	char *argv[] = {
	    shell, option, (char *)(uintptr_t)program->command, NULL};

	if (sig_default(SIGPIPE) == -1 || sig_default(SIGXFSZ) == -1 ||
	    sig_default(SIGCHLD) == -1)
		_exit(EXIT_TEMP);
	if (out != -1) {
		/* so that a late end can take all of it */
		(void)setpgid(0, 0); /* it is a new process: cannot fail */
		if (dup2(out, 1) == -1 || dup2(out, 2) == -1)
			_exit(EXIT_TEMP);
	}
	if (fd_move(message, 0) == -1)
		_exit(EXIT_TEMP);
	(void)execve("/bin/sh", argv, program->env); /* returns if it failed */
	_exit(EXIT_TEMP);
}

static int
start(const struct program *program, int message, struct run *run)
{
	int ends[2] = {-1, -1};

	if (program->is_collected && fd_pipe(ends) == -1)
		return -1;
	run->child = fork();
	if (run->child == 0)
		become(program, message, ends[1]);
	fd_close(ends[1]);
	run->out = ends[0];
	run->has_group = program->is_collected;
	if (run->child != -1 && (run->out == -1 || fd_nonblock(run->out) == 0))
		return 0;
	fd_close(run->out);
	run->out = -1;
	return -1;
}

/* Reads what is there now. Returns how much; 0 nothing or the end. */
static size_t
read_output(struct run *run, struct report *report)
{
	char buf[4096];
	ssize_t got;

	do
		got = read(run->out, buf, sizeof(buf));
	while (got == -1 && errno == EINTR);
	if (got > 0) {
		report_add(report, (struct span){buf, (size_t)got});
		return (size_t)got;
	}
	if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
		fd_close(run->out);
		run->out = -1;
	}
	return 0;
}

static bool
has_ended(struct run *run)
{
	pid_t got;

	do
		got = waitpid(run->child, &run->status, WNOHANG);
	while (got == -1 && errno == EINTR);
	return got == run->child;
}

static void
kill_run(struct run *run)
{
	/* the group may have gone, or not yet be there */
	if (run->has_group)
		(void)kill(-run->child, SIGKILL);
	(void)kill(run->child, SIGKILL); /* not waited for: the pid is ours */
	while (waitpid(run->child, &run->status, 0) == -1 && errno == EINTR)
		continue;
}

/* Waits for the end and collects the output. 0; -1 after the deadline. */
static int
attend(struct run *run, int64_t end_ms, struct report *report)
{
	for (;;) {
		int64_t left_ms = end_ms - clock_mono_ms();
		struct pollfd items[2] = {
		    {.fd = program_state.child_ended, .events = POLLIN},
		    {.fd = run->out, .events = POLLIN}};

		if (has_ended(run))
			return 0;
		if (left_ms <= 0) {
			kill_run(run);
			return -1;
		}
		if (left_ms > POLL_MAX_MS)
			left_ms = POLL_MAX_MS;
		if (poll(items, 2, (int)left_ms) <= 0)
			continue;
		if (items[0].revents != 0) {
			while (sig_next() != 0)
				continue;
		}
		if (items[1].revents != 0)
			(void)read_output(run, report); /* more comes round */
	}
}

/* After the end: what is left in the pipe, but not what others add to it. */
static void
drain(struct run *run, struct report *report)
{
	size_t total = 0, got;

	while (run->out != -1 && total < DRAIN_MAX) {
		got = read_output(run, report);
		if (got == 0)
			break;
		total += got;
	}
	fd_close(run->out);
	run->out = -1;
}

enum program_verdict
program_deliver(const struct program *program, struct message *message,
    struct report *report)
{
	int64_t end_ms = clock_mono_ms() + program->timeout_s * INT64_C(1000);
	struct run run = {.out = -1};
	int attended;

	if (message_seek_start(message) == -1 || watch_children() == -1 ||
	    start(program, message->fd, &run) == -1) {
		(void)report_temp(report,
		    "Unable to run a program: %s. (#4.3.0)", strerror(errno));
		return PROGRAM_TEMP;
	}
	attended = attend(&run, end_ms, report);
	drain(&run, report);
	if (attended == -1) {
		(void)report_temp(
		    report, "The program took too long. (#4.3.0)");
		return PROGRAM_TEMP;
	}
	if (!WIFEXITED(run.status)) {
		(void)report_temp(report,
		    "The program was killed by signal %d. (#4.3.0)",
		    WTERMSIG(run.status));
		return PROGRAM_TEMP;
	}
	return program_judge(WEXITSTATUS(run.status));
}

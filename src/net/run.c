#include "net/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

static void
close_pipe(struct run *run)
{
	fd_close(run->watch.fd);
	run->watch.fd = -1;
}

/* Reads what is there. */
static void
drain(struct run *run)
{
	char buf[8192];
	ssize_t got;

	/* a writer that never stops must not keep us here */
	for (int turn = 0; turn < 64 && run->watch.fd != -1; turn++) {
		got = read(run->watch.fd, buf, sizeof(buf));
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (got <= 0) {
			close_pipe(run);
			return;
		}
		run->cut =
		    run->cut || (size_t)got > RUN_OUTPUT_MAX - run->output.len;
		if (run->cut)
			got = (ssize_t)(RUN_OUTPUT_MAX - run->output.len);
		str_append(&run->output, buf, (size_t)got);
	}
}

static void
on_ready(void *owner, short events)
{
	struct run *run = owner;

	if (events != 0) {
		drain(run);
		return;
	}
	run->timed_out = true;
	(void)kill(run->child.pid, SIGKILL); /* not yet waited for: is there */
}

static void
on_ended(void *owner, int status)
{
	struct run *run = owner;

	drain(run);
	close_pipe(run);
	loop_remove(run->loop, &run->watch);
	run->done(run->owner, child_code(status));
}

int
run_start(struct run *run, struct loop *loop, struct child_plan *plan,
    bool with_stderr, unsigned timeout_s)
{
	int ends[2];
	pid_t pid;

	if (fd_pipe(ends) == -1)
		return -1;
	if (fd_nonblock(ends[0]) == -1)
		goto fail;
	plan->fds[1] = ends[1];
	plan->fds[2] = with_stderr ? ends[1] : CHILD_KEEP;
	pid = child_start(plan);
	if (pid == -1)
		goto fail;
	fd_close(ends[1]);
	run->output = (struct str)STR_INIT;
	run->timed_out = run->cut = false;
	run->loop = loop;
	run->watch = (struct loop_watch){.fd = ends[0],
	    .events = POLLIN,
	    .deadline_ms = clock_mono_ms() + (int64_t)timeout_s * 1000,
	    .ready = on_ready,
	    .owner = run};
	run->child =
	    (struct loop_child){.pid = pid, .ended = on_ended, .owner = run};
	loop_add(loop, &run->watch);
	loop_add_child(loop, &run->child);
	return 0;
fail:
	fd_close(ends[0]);
	fd_close(ends[1]);
	return -1;
}

void
run_free(struct run *run)
{
	str_free(&run->output);
}

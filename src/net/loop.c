#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sig.h"

int
loop_open(struct loop *loop)
{
	*loop = (struct loop){0};
	loop->signals = sig_open();
	if (loop->signals == -1)
		return -1;
	return sig_watch(SIGCHLD);
}

void
loop_add(struct loop *loop, struct loop_watch *watch)
{
	if (loop->count == loop->room) {
		loop->room = loop->room * 2 + 16;
		loop->watches = mem_resize(
		    loop->watches, loop->room, sizeof(struct loop_watch *));
		/* and one for the signals */
		loop->polls = mem_resize(
		    loop->polls, loop->room + 1, sizeof(struct pollfd));
	}
	watch->slot = loop->count;
	loop->watches[loop->count++] = watch;
}

void
loop_remove(struct loop *loop, struct loop_watch *watch)
{
	assert(loop->watches[watch->slot] == watch);
	loop->watches[watch->slot] = NULL;
	loop->removed++;
}

/* Closes the gaps that removed watches left. */
static void
compact(struct loop *loop)
{
	size_t kept = 0;

	if (loop->removed == 0)
		return;
	for (size_t i = 0; i < loop->count; i++) {
		if (loop->watches[i] == NULL)
			continue;
		loop->watches[i]->slot = kept;
		loop->watches[kept++] = loop->watches[i];
	}
	loop->count = kept;
	loop->removed = 0;
}

void
loop_add_child(struct loop *loop, struct loop_child *child)
{
	child->next = loop->children;
	child->link = &loop->children;
	if (child->next != NULL)
		child->next->link = &child->next;
	loop->children = child;
}

static void
remove_child(struct loop_child *child)
{
	*child->link = child->next;
	if (child->next != NULL)
		child->next->link = child->link;
}

static void
reap(struct loop *loop)
{
	struct loop_child *child;
	pid_t pid;
	int status;

	while (sig_next() != 0)
		continue;
	for (;;) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid == -1 && errno == EINTR)
			continue;
		if (pid <= 0)
			return;
		for (child = loop->children; child != NULL; child = child->next)
			if (child->pid == pid)
				break;
		if (child == NULL)
			continue; /* somebody's from before our exec */
		remove_child(child);
		child->ended(child->owner, status);
	}
}

/* Milliseconds until the first deadline, as poll wants them. */
static int
fill_polls(struct loop *loop)
{
	int64_t first = INT64_MAX, left;

	for (size_t i = 0; i < loop->count; i++) {
		const struct loop_watch *watch = loop->watches[i];

		loop->polls[i] =
		    (struct pollfd){.fd = watch->fd, .events = watch->events};
		if (watch->deadline_ms != 0 && watch->deadline_ms < first)
			first = watch->deadline_ms;
	}
	loop->polls[loop->count] =
	    (struct pollfd){.fd = loop->signals, .events = POLLIN};
	if (first == INT64_MAX)
		return -1;
	left = first - clock_mono_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int
loop_turn(struct loop *loop)
{
	size_t count;
	int64_t now;
	int wait_ms;

	compact(loop);
	assert(loop->room > 0); /* nothing to wait for would be for ever */
	wait_ms = fill_polls(loop);
	/* what a callback adds, or moves, is looked at in the next turn */
	count = loop->count;
	if (poll(loop->polls, count + 1, wait_ms) == -1)
		return errno == EINTR || errno == EAGAIN ? 0 : -1;
	now = clock_mono_ms();
	for (size_t i = 0; i < count; i++) {
		struct loop_watch *watch = loop->watches[i];
		short events = loop->polls[i].revents;

		if (watch == NULL)
			continue;
		if (events != 0) {
			watch->ready(watch->owner, events);
		} else if (watch->deadline_ms != 0 &&
		    watch->deadline_ms <= now) {
			watch->deadline_ms = 0;
			watch->ready(watch->owner, 0);
		}
	}
	if (loop->polls[count].revents != 0)
		reap(loop);
	return 0;
}

void
loop_free(struct loop *loop)
{
	free(loop->watches);
	free(loop->polls);
	loop->watches = NULL;
	loop->polls = NULL;
	loop->count = loop->room = 0;
}

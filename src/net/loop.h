/*
 * loop - the event loop of a spawn: descriptors, deadlines and children
 *
 * Callbacks run one at a time, from loop_turn. A callback may add and remove
 * any watch or child, its own too, and free what holds it after removing it.
 * Watches and children are embedded in their owners and never copied.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct loop_watch {
	int fd;       /* borrowed; -1: a timer alone */
	short events; /* POLLIN, POLLOUT or both; may be changed at any time */
	/* by clock_mono_ms, 0: none; when it passes it becomes 0 and ready
	   is called with events 0 */
	int64_t deadline_ms;
	void (*ready)(void *owner, short events); /* as poll reports them */
	void *owner;
	size_t slot; /* the loop's own */
};

struct loop_child {
	pid_t pid;
	void (*ended)(void *owner, int status); /* already off the loop */
	void *owner;
	struct loop_child *next, **link; /* the loop's own */
};

struct loop {
	int signals;
	struct loop_watch **watches; /* NULL: removed */
	struct pollfd *polls;
	size_t count, room, removed;
	struct loop_child *children;
};

/* Watches SIGCHLD: one loop a process. 0, or -1 with errno. */
MUST_USE int loop_open(struct loop *loop);
void loop_add(struct loop *loop, struct loop_watch *watch);
void loop_remove(struct loop *loop, struct loop_watch *watch);
/* child->pid must not have been waited for. */
void loop_add_child(struct loop *loop, struct loop_child *child);
/* Waits for something to happen and calls whom it concerns. 0, or -1 with
   errno if poll fails. */
MUST_USE int loop_turn(struct loop *loop);
void loop_free(struct loop *loop);

#endif

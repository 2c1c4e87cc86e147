/*
 * cleaners - the qmail-clean processes of qmail-queued and the work they get
 *
 * Each has one job at a time. Syncs of large messages go first, then removals,
 * then checkpoints; but before a kind gets a second process, every other that
 * waits has one. Of the long ones (checkpoints and new segments) at most half
 * of the processes have one.
 * A process that ends, or cannot do its job, is reported as a failure; what it
 * had is not given to another.
 */
#ifndef QUEUE_CLEANERS_H
#define QUEUE_CLEANERS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"
#include "queue/clean_job.h"

enum {
	CLEANERS = 4,
	CLEANERS_LONG = 2,
};

struct cleaner {
	int fd; /* -1: not running */
	bool busy;
	struct clean_job job;
};

struct cleaners_task { /* a job that is not a removal */
	enum clean_job_kind kind;
	uint64_t a, b;
	struct cleaners_task *next;
};

struct cleaners {
	struct cleaner workers[CLEANERS];
	struct cleaners_task *syncs, **syncs_end, *longs, **longs_end;
	uint64_t *removals; /* ids, from start to end */
	size_t removals_start, removals_end, removals_size;
	/* ok: it was done. error: why not, without the newline. */
	void (*done)(void *owner, const struct clean_job *job, bool ok,
	    struct span error);
	void *owner;
};

/*
 * Starts them: program is a path, or a name for PATH. Each holds the lock too,
 * as its descriptor 1: what it still does when we are killed ends before the
 * next qmail-queued may begin. 0, or -1 with errno.
 */
MUST_USE int cleaners_start(
    struct cleaners *cleaners, const char *program, int lock);
void cleaners_stop(struct cleaners *cleaners); /* does not wait for them */

/* id: as in a job, with CLEAN_PLAIN if that is known. */
void cleaners_remove(struct cleaners *cleaners, uint64_t id);
void cleaners_add(struct cleaners *cleaners, enum clean_job_kind kind,
    uint64_t a, uint64_t b);
/* Gives work to whoever is idle. 0, or -1 if one is gone. */
MUST_USE int cleaners_dispatch(struct cleaners *cleaners);

/* Fills items with what to poll for: CLEANERS of them. */
void cleaners_poll(const struct cleaners *cleaners, struct pollfd *items);
/* Reads the answers that are there and calls done. 0, or -1 if one is gone. */
MUST_USE int cleaners_receive(
    struct cleaners *cleaners, const struct pollfd *items);
/* True if nobody works and nothing waits. */
bool cleaners_are_idle(const struct cleaners *cleaners);
/* Works on until they are idle, for recovery. 0, or -1. */
MUST_USE int cleaners_finish(struct cleaners *cleaners);

#endif

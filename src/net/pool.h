/*
 * pool - what both spawns share: jobs come in on descriptor 0, go to workers
 *        that are kept for a while, and results go back
 *
 * Packets are those of net/job.h. A worker is a process with a socket on its
 * descriptor 0; it gets one job at a time and answers each recipient with a
 * result packet. It has a key (a host, or a uid and gid) and only ever gets
 * jobs of that key. A worker that says anything but what it owes is killed.
 * A worker that ends with a job in hand makes what is left of it a deferral.
 */
#ifndef NET_POOL_H
#define NET_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "net/child.h"
#include "net/job.h"
#include "net/loop.h"
#include "net/packet_queue.h"

enum {
	POOL_JOBS_MAX = 1000,     /* at a time */
	POOL_BUSY_S = 86400,      /* for one job; then the worker is killed */
	POOL_END_S = 10,          /* for a worker to end when it is told to */
	POOL_QUEUE_MAX = 1 << 20, /* bytes of results that wait, before we
				     take neither jobs nor results */
};

struct pool_worker;

struct pool_job {
	struct job job; /* borrowed from packet */
	struct str packet;
	int message; /* descriptor; the job's own, -1 once a worker has it */
	/* the pool's own */
	struct pool_job *next;
	bool reported[JOB_RECIPIENTS_MAX];
	size_t left;
};

struct pool_plan {
	uint64_t recipients; /* in one job at most */
	unsigned idle_s, worker_jobs;
	size_t text_max; /* longer texts of results are cut, and say so */
	/* A new job, whose shape and descriptor are right. It must come to
	   pool_assign, or to pool_report for each recipient, sooner or later.
	 */
	void (*take)(void *owner, struct pool_job *job);
	/* Starts a worker for what is being assigned, with its end of the
	   socket on 0. The pid, or -1 with errno. */
	pid_t (*start)(void *owner, void *subject, int socket);
	/* Why a job is deferred whose worker ended with this exit code, or
	   with CHILD_KILLED. */
	const char *(*lost)(int code);
	void *owner;
};

struct pool {
	const struct pool_plan *plan;
	struct loop loop;
	struct loop_watch upstream;
	bool upstream_ended, upstream_gone; /* no more jobs; no more ears */
	struct packet_queue queue;          /* results */
	bool full;                          /* it has passed its maximum */
	uint64_t limit, job_count;
	uint64_t worker_count;  /* idle or busy */
	uint64_t process_count; /* and those that have yet to end */
	struct pool_job *jobs;
	struct pool_worker *workers; /* newest first */
	char *buffer;                /* FD_PACKET_MAX bytes */
};

/* Takes descriptor 0 and says hello. 0, or -1 with errno. */
MUST_USE int pool_open(struct pool *pool, const struct pool_plan *plan);
/* Works until descriptor 0 ends and every job is done. 0, or -1 with errno. */
MUST_USE int pool_run(struct pool *pool);
void pool_free(struct pool *pool);

/*
 * Gives packet and the job's message to a worker with key: an idle one, or a
 * new one, for which start gets subject. Trouble becomes deferrals.
 */
void pool_assign(struct pool *pool, struct pool_job *job, struct span key,
    struct span packet, void *subject);
/* Reports recipient index, which was not reported before. After the last one
   the job is gone. */
void pool_report(struct pool *pool, struct pool_job *job, size_t index,
    char letter, struct span text);
/* The same for every recipient that has no report yet. */
void pool_report_rest(
    struct pool *pool, struct pool_job *job, char letter, const char *text);

#endif

#include "net/pool.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sig.h"
#include "mail/netstring.h"

enum {
	UPSTREAM = 0,
	/* descriptors that are neither a job's nor a worker's, with some to
	   spare for databases and pipes while they are open */
	OTHER_FDS = 48,
	FDS_A_JOB = 2, /* its message and the pipe or socket of its process */
	FLUSH_MS = 60 * 1000, /* for the last results, when no job is left */
};

enum worker_state {
	WORKER_IDLE, /* deadline: when to close it */
	WORKER_BUSY, /* deadline: when to kill it */
	WORKER_GONE, /* socket closed; deadline: when to kill it */
};

struct pool_worker {
	struct pool *pool;
	struct pool_worker *next, **link;
	enum worker_state state;
	struct str key;
	struct pool_job *job; /* or NULL */
	unsigned jobs_given;
	const char *why; /* the text of its job, if we know better, or NULL */
	struct loop_watch watch;
	struct loop_child child;
};

/* Decides whom we listen to: nobody while results pile up. */
static void
set_flow(struct pool *pool)
{
	bool full = pool->queue.bytes >= POOL_QUEUE_MAX;
	struct pool_worker *worker;

	pool->upstream.events = 0;
	if (pool->queue.first != NULL)
		pool->upstream.events |= POLLOUT;
	if (!pool->upstream_ended && !full && pool->job_count < pool->limit)
		pool->upstream.events |= POLLIN;
	/* asked nothing, it would still report its end, over and over */
	pool->upstream.fd = pool->upstream.events != 0 ? UPSTREAM : -1;
	if (full == pool->full)
		return;
	pool->full = full;
	for (worker = pool->workers; worker != NULL; worker = worker->next)
		worker->watch.events = full ? 0 : POLLIN;
}

/* ---- results, upwards ---------------------------------------------------- */

static void
flush_results(struct pool *pool)
{
	if (!pool->upstream_gone &&
	    packet_queue_send(&pool->queue, UPSTREAM) == -1) {
		warn_sys("cannot report");
		pool->upstream_gone = true;
	}
	if (pool->upstream_gone) /* nobody is left to hear them */
		packet_queue_clear(&pool->queue);
}

static void
send_upstream(struct pool *pool, struct span packet)
{
	bool idle = pool->queue.first == NULL; /* else the socket is full */

	packet_queue_add(&pool->queue, packet);
	if (idle)
		flush_results(pool);
}

static void
free_job(struct pool *pool, struct pool_job *job)
{
	struct pool_job **link = &pool->jobs;

	while (*link != job)
		link = &(*link)->next;
	*link = job->next;
	pool->job_count--;
	fd_close(job->message);
	str_free(&job->packet);
	free(job);
}

static void
send_result(struct pool *pool, struct job_result *result)
{
	static const char too_long[] = "\n(The report was too long and is cut "
				       "here.)\n";
	struct str packet = STR_INIT, text = STR_INIT;
	size_t max = pool->plan->text_max;

	if (result->text.len > max) {
		str_append(&text, result->text.s, max);
		str_append_cstr(&text, too_long);
		result->text = str_span(&text);
	}
	job_encode_result(&packet, result);
	send_upstream(pool, str_span(&packet));
	str_free(&packet);
	str_free(&text);
}

/* Reports one recipient; the job stays. */
static void
note_result(struct pool *pool, struct pool_job *job, size_t index, char letter,
    struct span text)
{
	struct job_result result = {.number = job->job.number,
	    .index = index,
	    .letter = letter,
	    .text = text};

	assert(index < job->job.recipient_count && !job->reported[index]);
	job->reported[index] = true;
	job->left--;
	send_result(pool, &result);
}

void
pool_report(struct pool *pool, struct pool_job *job, size_t index, char letter,
    struct span text)
{
	note_result(pool, job, index, letter, text);
	if (job->left == 0)
		free_job(pool, job);
	set_flow(pool);
}

void
pool_report_rest(
    struct pool *pool, struct pool_job *job, char letter, const char *text)
{
	for (size_t i = 0; i < job->job.recipient_count; i++) {
		if (!job->reported[i])
			note_result(pool, job, i, letter, span_of(text));
	}
	free_job(pool, job);
	set_flow(pool);
}

/* ---- workers ------------------------------------------------------------- */

/* Closes the socket: an idle worker takes that as the end. */
static void
let_go(struct pool_worker *worker)
{
	struct pool *pool = worker->pool;

	if (worker->state == WORKER_GONE)
		return;
	worker->state = WORKER_GONE;
	fd_close(worker->watch.fd);
	worker->watch.fd = -1;
	worker->watch.deadline_ms = clock_mono_ms() + POOL_END_S * 1000;
	pool->worker_count--;
}

static void
kill_worker(struct pool_worker *worker, const char *why)
{
	if (worker->why == NULL)
		worker->why = why;
	let_go(worker);
	if (worker->child.pid > 0) /* not yet waited for: is still its own */
		(void)kill(worker->child.pid, SIGKILL);
}

static void
become_idle(struct pool_worker *worker)
{
	const struct pool_plan *plan = worker->pool->plan;

	worker->job = NULL;
	worker->state = WORKER_IDLE;
	worker->watch.deadline_ms =
	    clock_mono_ms() + (int64_t)plan->idle_s * 1000;
	if (plan->idle_s == 0 || worker->jobs_given >= plan->worker_jobs ||
	    worker->pool->upstream_ended)
		let_go(worker);
}

/* One packet from a worker. -1 if it may not say that. */
static int
take_result(struct pool_worker *worker, struct span packet)
{
	struct pool_job *job = worker->job;
	struct job_result result;

	if (worker->state != WORKER_BUSY ||
	    job_decode_result(packet, &result) == -1 ||
	    result.number != job->job.number ||
	    result.index >= job->job.recipient_count ||
	    job->reported[result.index])
		return -1;
	note_result(
	    worker->pool, job, result.index, result.letter, result.text);
	if (job->left == 0) {
		free_job(worker->pool, job);
		become_idle(worker);
	}
	return 0;
}

/* Takes what a worker has said, at most as much as one job allows. */
static void
read_worker(struct pool_worker *worker)
{
	struct pool *pool = worker->pool;

	for (int i = 0; i <= JOB_RECIPIENTS_MAX; i++) {
		struct span packet = {pool->buffer, 0};
		ssize_t got;
		int passed;

		if (i > 0 && worker->state != WORKER_BUSY) /* all is said */
			return;
		got = fd_receive_packet(
		    worker->watch.fd, pool->buffer, FD_PACKET_MAX, &passed);
		if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (got == 0 || (got == -1 && errno != EMSGSIZE)) {
			/* it ends (perhaps before it took its job: then that
			   is an error here); its status says more */
			let_go(worker);
			return;
		}
		if (got > 0)
			packet.len = (size_t)got;
		if (got == -1 || passed != -1 ||
		    take_result(worker, packet) == -1) {
			fd_close(passed);
			warn_plain("worker %ld sent garbage: killed",
			    (long)worker->child.pid);
			kill_worker(worker,
			    "The delivery process sent a report that makes no "
			    "sense. (#4.3.0)\n");
			return;
		}
	}
}

static void
on_worker(void *owner, short events)
{
	struct pool_worker *worker = owner;

	if (events != 0)
		read_worker(worker);
	else if (worker->state == WORKER_IDLE)
		let_go(worker);
	else
		kill_worker(worker,
		    worker->state == WORKER_BUSY
			? "The delivery took too long. (#4.3.0)\n"
			: NULL);
	set_flow(worker->pool);
}

static void
on_worker_ended(void *owner, int status)
{
	struct pool_worker *worker = owner;
	struct pool *pool = worker->pool;

	worker->child.pid = 0;
	pool->process_count--;
	read_worker(worker); /* it may have reported before */
	let_go(worker);
	if (worker->job != NULL)
		pool_report_rest(pool, worker->job, 'Z',
		    worker->why != NULL ? worker->why
					: pool->plan->lost(child_code(status)));
	loop_remove(&pool->loop, &worker->watch);
	*worker->link = worker->next;
	if (worker->next != NULL)
		worker->next->link = worker->link;
	str_free(&worker->key);
	free(worker);
	set_flow(pool);
}

static struct pool_worker *
find_idle(const struct pool *pool, struct span key)
{
	struct pool_worker *worker;

	for (worker = pool->workers; worker != NULL; worker = worker->next) {
		if (worker->state == WORKER_IDLE &&
		    span_equal(str_span(&worker->key), key))
			return worker;
	}
	return NULL;
}

/*
 * Before a worker is started: if there are as many as there may be, lets the
 * one go that has been idle for the longest time (each busy one has a job, so
 * that one is idle then); if too many take their time to end, kills the oldest.
 */
static void
make_room(struct pool *pool)
{
	struct pool_worker *worker, *idle = NULL, *gone = NULL;

	if (pool->worker_count < pool->limit &&
	    pool->process_count < 2 * pool->limit)
		return;
	for (worker = pool->workers; worker != NULL; worker = worker->next) {
		if (worker->state == WORKER_GONE && worker->watch.deadline_ms)
			gone = worker;
		if (worker->state == WORKER_IDLE &&
		    (idle == NULL ||
			worker->watch.deadline_ms < idle->watch.deadline_ms))
			idle = worker;
	}
	if (pool->worker_count >= pool->limit && idle != NULL)
		let_go(idle);
	if (pool->process_count >= 2 * pool->limit && gone != NULL) {
		gone->watch.deadline_ms = 0;
		kill_worker(gone, NULL);
	}
}

/* A new worker, idle; or NULL with errno. */
static struct pool_worker *
start_worker(struct pool *pool, struct span key, void *subject)
{
	struct pool_worker *worker;
	int ends[2];
	pid_t pid;

	make_room(pool);
	if (fd_packet_pair(ends) == -1)
		return NULL;
	if (fd_nonblock(ends[0]) == -1)
		goto fail;
	pid = pool->plan->start(pool->plan->owner, subject, ends[1]);
	if (pid == -1)
		goto fail;
	fd_close(ends[1]);
	worker = mem_alloc(1, sizeof(*worker));
	worker->pool = pool;
	worker->state = WORKER_IDLE;
	worker->key = (struct str)STR_INIT;
	str_copy(&worker->key, key);
	worker->watch = (struct loop_watch){.fd = ends[0],
	    .events = POLLIN,
	    .ready = on_worker,
	    .owner = worker};
	worker->child = (struct loop_child){
	    .pid = pid, .ended = on_worker_ended, .owner = worker};
	worker->next = pool->workers;
	worker->link = &pool->workers;
	if (worker->next != NULL)
		worker->next->link = &worker->next;
	pool->workers = worker;
	pool->worker_count++;
	pool->process_count++;
	loop_add(&pool->loop, &worker->watch);
	loop_add_child(&pool->loop, &worker->child);
	return worker;
fail:
	fd_close(ends[0]);
	fd_close(ends[1]);
	return NULL;
}

/* From here on the end of the worker is the end of the job. */
static void
occupy(struct pool_worker *worker, struct pool_job *job)
{
	worker->state = WORKER_BUSY;
	worker->job = job;
	worker->jobs_given++;
	worker->watch.deadline_ms =
	    clock_mono_ms() + (int64_t)POOL_BUSY_S * 1000;
	fd_close(job->message);
	job->message = -1;
}

void
pool_assign(struct pool *pool, struct pool_job *job, struct span key,
    struct span packet, void *subject)
{
	struct pool_worker *worker;

	if (packet.len > FD_PACKET_MAX) {
		pool_report_rest(
		    pool, job, 'D', "Sorry, that is too long. (#5.1.3)\n");
		return;
	}
	while ((worker = find_idle(pool, key)) != NULL) {
		if (fd_send_packet(worker->watch.fd, packet, job->message) ==
		    0) {
			occupy(worker, job);
			return;
		}
		/* it ended in the meantime, or is stuck: try another */
		kill_worker(worker, NULL);
	}
	worker = start_worker(pool, key, subject);
	if (worker == NULL) {
		warn_sys("cannot start a delivery process");
		pool_report_rest(pool, job, 'Z',
		    "Unable to start a delivery process. (#4.3.0)\n");
		return;
	}
	if (fd_send_packet(worker->watch.fd, packet, job->message) == -1 &&
	    errno != EPIPE && errno != ECONNRESET) {
		warn_sys("cannot pass on a job");
		kill_worker(worker, NULL);
		pool_report_rest(
		    pool, job, 'Z', "Unable to pass on the job. (#4.3.0)\n");
		return;
	}
	occupy(worker, job); /* it may be dead already: that is its report */
}

/* ---- jobs, from above ---------------------------------------------------- */

/* A packet that is no job: the first recipient of whatever it was is deferred,
   if the packet lets us say whose. */
static void
refuse_packet(struct pool *pool, struct span packet)
{
	struct job_result result = {.index = 0,
	    .letter = 'Z',
	    .text = SPAN_LITERAL("Internal error: a job that makes no sense. "
				 "(#4.3.0)\n")};
	struct span kind;

	warn_plain("a packet that is not a job: dropped");
	if (netstring_take(&packet, &kind) == 0 && span_is(kind, "J") &&
	    netstring_take_u64(&packet, &result.number) == 0)
		send_result(pool, &result);
}

static void
take_packet(struct pool *pool, struct span packet, int passed)
{
	const struct pool_plan *plan = pool->plan;
	struct pool_job *job = mem_alloc(1, sizeof(*job));

	job->packet = (struct str)STR_INIT;
	str_copy(&job->packet, packet);
	job->message = passed;
	if (job_decode(str_span(&job->packet), &job->job) == -1 ||
	    job->job.recipient_count > plan->recipients) {
		refuse_packet(pool, packet);
		fd_close(job->message);
		str_free(&job->packet);
		free(job);
		return;
	}
	job->left = job->job.recipient_count;
	job->next = pool->jobs;
	pool->jobs = job;
	pool->job_count++;
	if (!job_is_message(job->message)) {
		warn_plain("a job without a message");
		pool_report_rest(pool, job, 'Z',
		    "Internal error: a job without a message. (#4.3.0)\n");
		return;
	}
	plan->take(plan->owner, job);
}

static void
end_upstream(struct pool *pool)
{
	struct pool_worker *worker;

	pool->upstream_ended = true;
	for (worker = pool->workers; worker != NULL; worker = worker->next) {
		if (worker->state == WORKER_IDLE)
			let_go(worker);
	}
}

static void
on_upstream(void *owner, short events)
{
	struct pool *pool = owner;
	int passed;
	ssize_t got;

	if (events == 0) /* nobody takes the last results */
		pool->upstream_gone = true;
	flush_results(pool);
	while (!pool->upstream_ended && pool->job_count < pool->limit &&
	    pool->queue.bytes < POOL_QUEUE_MAX) {
		got = fd_receive_packet(
		    UPSTREAM, pool->buffer, FD_PACKET_MAX, &passed);
		if (got > 0) {
			take_packet(pool,
			    (struct span){pool->buffer, (size_t)got}, passed);
		} else if (got == 0) {
			end_upstream(pool);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			break;
		} else if (errno == EMSGSIZE) {
			warn_plain("a packet that is too long: dropped");
		} else {
			if (errno != ECONNRESET)
				warn_sys("cannot read jobs");
			end_upstream(pool);
		}
	}
	set_flow(pool);
}

/* How many jobs the descriptors suffice for. */
static uint64_t
find_limit(void)
{
	uint64_t files = child_fd_limit();

	if (files < OTHER_FDS + FDS_A_JOB)
		return 1;
	files = (files - OTHER_FDS) / FDS_A_JOB;
	return files < POOL_JOBS_MAX ? files : POOL_JOBS_MAX;
}

int
pool_open(struct pool *pool, const struct pool_plan *plan)
{
	struct job_hello hello = {.recipients = plan->recipients};
	struct str packet = STR_INIT;

	*pool = (struct pool){.plan = plan, .limit = find_limit()};
	if (fd_nonblock(UPSTREAM) == -1 || sig_ignore(SIGPIPE) == -1 ||
	    loop_open(&pool->loop) == -1)
		return -1;
	pool->buffer = mem_alloc(1, FD_PACKET_MAX);
	pool->upstream = (struct loop_watch){
	    .fd = UPSTREAM, .ready = on_upstream, .owner = pool};
	loop_add(&pool->loop, &pool->upstream);
	hello.limit = pool->limit;
	job_encode_hello(&packet, &hello);
	send_upstream(pool, str_span(&packet));
	str_free(&packet);
	set_flow(pool);
	return 0;
}

int
pool_run(struct pool *pool)
{
	for (;;) {
		/* our end tells the peer that results were lost */
		if (pool->upstream_gone && !pool->upstream_ended)
			end_upstream(pool);
		if (pool->upstream_ended && pool->job_count == 0) {
			if (pool->queue.first == NULL)
				return 0;
			if (pool->upstream.deadline_ms == 0)
				pool->upstream.deadline_ms =
				    clock_mono_ms() + FLUSH_MS;
		}
		if (loop_turn(&pool->loop) == -1)
			return -1;
	}
}

void
pool_free(struct pool *pool)
{
	while (pool->workers != NULL) {
		struct pool_worker *worker = pool->workers;

		pool->workers = worker->next;
		fd_close(worker->watch.fd);
		str_free(&worker->key);
		free(worker);
	}
	while (pool->jobs != NULL)
		free_job(pool, pool->jobs);
	packet_queue_clear(&pool->queue);
	loop_free(&pool->loop);
	free(pool->buffer);
}

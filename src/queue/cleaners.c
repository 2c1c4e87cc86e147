#include "queue/cleaners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "net/child.h"

enum {
	ANSWER_MAX = 4096,
};

static int
start_one(struct cleaner *cleaner, const char *program, int lock)
{
	static char name[] = "qmail-clean";
	char *argv[] = {name, NULL};
	struct child_plan plan = {.path = program,
	    .search = strchr(program, '/') == NULL,
	    .argv = argv,
	    .exec_failed = 111,
	    .drop_failed = 111};
	int ends[2];
	pid_t child;

	if (fd_packet_pair(ends) == -1)
		return -1;
	plan.fds[0] = ends[1];
	plan.fds[1] = lock;
	plan.fds[2] = CHILD_KEEP;
	child = child_start(&plan);
	fd_close(ends[1]);
	if (child == -1) {
		fd_close(ends[0]);
		return -1;
	}
	cleaner->fd = ends[0];
	return 0;
}

int
cleaners_start(struct cleaners *cleaners, const char *program, int lock)
{
	*cleaners = (struct cleaners){.removals = NULL};
	cleaners->syncs_end = &cleaners->syncs;
	cleaners->longs_end = &cleaners->longs;
	for (size_t i = 0; i < CLEANERS; i++)
		cleaners->workers[i].fd = -1;
	for (size_t i = 0; i < CLEANERS; i++) {
		if (start_one(&cleaners->workers[i], program, lock) == -1) {
			cleaners_stop(cleaners);
			return -1;
		}
	}
	return 0;
}

static void
free_tasks(struct cleaners_task *task)
{
	while (task != NULL) {
		struct cleaners_task *next = task->next;

		free(task);
		task = next;
	}
}

void
cleaners_stop(struct cleaners *cleaners)
{
	for (size_t i = 0; i < CLEANERS; i++) {
		fd_close(cleaners->workers[i].fd);
		cleaners->workers[i].fd = -1;
	}
	free_tasks(cleaners->syncs);
	free_tasks(cleaners->longs);
	free(cleaners->removals);
	cleaners->syncs = cleaners->longs = NULL;
	cleaners->removals = NULL;
	cleaners->removals_start = cleaners->removals_end = 0;
	cleaners->removals_size = 0;
}

/* ---- what waits --------------------------------------------------------- */

void
cleaners_remove(struct cleaners *cleaners, uint64_t id)
{
	size_t waiting = cleaners->removals_end - cleaners->removals_start;

	if (cleaners->removals_end == cleaners->removals_size &&
	    cleaners->removals_start > waiting) {
		memmove(cleaners->removals,
		    cleaners->removals + cleaners->removals_start,
		    waiting * sizeof(*cleaners->removals));
		cleaners->removals_start = 0;
		cleaners->removals_end = waiting;
	} else if (cleaners->removals_end == cleaners->removals_size) {
		cleaners->removals_size = cleaners->removals_size * 2 + 64;
		cleaners->removals = mem_resize(cleaners->removals,
		    cleaners->removals_size, sizeof(*cleaners->removals));
	}
	cleaners->removals[cleaners->removals_end++] = id;
}

void
cleaners_add(
    struct cleaners *cleaners, enum clean_job_kind kind, uint64_t a, uint64_t b)
{
	struct cleaners_task *task = mem_alloc(1, sizeof(*task));
	struct cleaners_task ***end =
	    kind == CLEAN_SYNC ? &cleaners->syncs_end : &cleaners->longs_end;

	*task = (struct cleaners_task){.kind = kind, .a = a, .b = b};
	**end = task;
	*end = &task->next;
}

/* Takes the first task off a list into job. */
static void
take_task(struct cleaners_task **list, struct cleaners_task ***end,
    struct clean_job *job)
{
	struct cleaners_task *task = *list;

	job->kind = task->kind;
	job->a = task->a;
	job->b = task->b;
	*list = task->next;
	if (*list == NULL)
		*end = list;
	free(task);
}

/* The three kinds of work that compete for the processes. */
enum task_class {
	CLASS_SYNC,
	CLASS_REMOVE,
	CLASS_LONG,
};

static size_t
count_busy(const struct cleaners *cleaners, enum task_class class)
{
	size_t count = 0;

	for (size_t i = 0; i < CLEANERS; i++) {
		const struct cleaner *worker = &cleaners->workers[i];
		enum task_class its = CLASS_LONG;

		if (worker->job.kind == CLEAN_SYNC)
			its = CLASS_SYNC;
		else if (worker->job.kind == CLEAN_REMOVE)
			its = CLASS_REMOVE;
		count += worker->busy && its == class;
	}
	return count;
}

static bool
has_waiting(const struct cleaners *cleaners, enum task_class class)
{
	switch (class) {
	case CLASS_SYNC:
		return cleaners->syncs != NULL;
	case CLASS_REMOVE:
		return cleaners->removals_end > cleaners->removals_start;
	case CLASS_LONG:
		return cleaners->longs != NULL &&
		    count_busy(cleaners, CLASS_LONG) < CLEANERS_LONG;
	}
	return false;
}

static void
take_removals(struct cleaners *cleaners, struct clean_job *job)
{
	size_t waiting = cleaners->removals_end - cleaners->removals_start;

	job->kind = CLEAN_REMOVE;
	job->id_count =
	    waiting < CLEAN_JOB_IDS_MAX ? waiting : CLEAN_JOB_IDS_MAX;
	memcpy(job->ids, cleaners->removals + cleaners->removals_start,
	    job->id_count * sizeof(*job->ids));
	cleaners->removals_start += job->id_count;
	if (cleaners->removals_start == cleaners->removals_end)
		cleaners->removals_start = cleaners->removals_end = 0;
}

static void
take_waiting(
    struct cleaners *cleaners, enum task_class class, struct clean_job *job)
{
	job->id_count = 0;
	if (class == CLASS_REMOVE)
		take_removals(cleaners, job);
	else if (class == CLASS_SYNC)
		take_task(&cleaners->syncs, &cleaners->syncs_end, job);
	else
		take_task(&cleaners->longs, &cleaners->longs_end, job);
}

/* Chooses the next job; false if there is none. First whatever nobody works
   at: a stream of large messages must not keep removals waiting for ever. */
static bool
choose_job(struct cleaners *cleaners, struct clean_job *job)
{
	static const enum task_class order[] = {
	    CLASS_SYNC, CLASS_REMOVE, CLASS_LONG};

	for (int second = 0; second < 2; second++) {
		for (size_t i = 0; i < COUNT(order); i++) {
			if (!has_waiting(cleaners, order[i]) ||
			    (!second && count_busy(cleaners, order[i]) > 0))
				continue;
			take_waiting(cleaners, order[i], job);
			return true;
		}
	}
	return false;
}

int
cleaners_dispatch(struct cleaners *cleaners)
{
	struct str packet = STR_INIT;
	int result = 0;

	for (size_t i = 0; i < CLEANERS && result == 0; i++) {
		struct cleaner *worker = &cleaners->workers[i];

		if (worker->busy || !choose_job(cleaners, &worker->job))
			continue;
		clean_job_encode(&packet, &worker->job);
		result = fd_send_packet(worker->fd, str_span(&packet), -1);
		worker->busy = true;
	}
	str_free(&packet);
	return result;
}

/* ---- what comes back ---------------------------------------------------- */

void
cleaners_poll(const struct cleaners *cleaners, struct pollfd *items)
{
	for (size_t i = 0; i < CLEANERS; i++)
		items[i] = (struct pollfd){
		    .fd = cleaners->workers[i].fd, .events = POLLIN};
}

static int
receive_one(struct cleaners *cleaners, struct cleaner *worker)
{
	char buf[ANSWER_MAX];
	struct span error = SPAN_LITERAL("");
	ssize_t got;
	int passed, verdict;

	got = fd_receive_packet(worker->fd, buf, sizeof(buf), &passed);
	fd_close(passed); /* none is expected */
	if (got <= 0 || !worker->busy)
		return -1;
	verdict =
	    clean_job_decode_answer((struct span){buf, (size_t)got}, &error);
	if (verdict == -1)
		return -1;
	worker->busy = false;
	cleaners->done(cleaners->owner, &worker->job, verdict == 1, error);
	return 0;
}

int
cleaners_receive(struct cleaners *cleaners, const struct pollfd *items)
{
	for (size_t i = 0; i < CLEANERS; i++) {
		if (items[i].revents != 0 &&
		    receive_one(cleaners, &cleaners->workers[i]) == -1)
			return -1;
	}
	return 0;
}

bool
cleaners_are_idle(const struct cleaners *cleaners)
{
	for (size_t i = 0; i < CLEANERS; i++) {
		if (cleaners->workers[i].busy)
			return false;
	}
	return cleaners->syncs == NULL && cleaners->longs == NULL &&
	    cleaners->removals_start == cleaners->removals_end;
}

int
cleaners_finish(struct cleaners *cleaners)
{
	struct pollfd items[CLEANERS];

	for (;;) {
		if (cleaners_dispatch(cleaners) == -1)
			return -1;
		if (cleaners_are_idle(cleaners))
			return 0;
		cleaners_poll(cleaners, items);
		if (poll(items, CLEANERS, -1) == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		if (cleaners_receive(cleaners, items) == -1)
			return -1;
	}
}

/*
 * A spawn's pool between a qmail-send that sends any packets and workers that
 * do: jobs come, workers answer rightly or not, close, end, take too long, in
 * any order. In the end each recipient of each job has one report, and no
 * process is signalled that may be another's by now.
 *
 * The module is taken in whole, to be called without processes and waiting.
 */
#include "../fuzz.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>

static void kill_stand_in(pid_t pid);
#define kill(pid, signal) (kill_stand_in(pid), (void)(signal), 0)
#include "../../../src/net/pool.c"
#undef kill

enum {
	WORKERS_MAX = 64, /* of one input */
	JOBS_MAX = 64,
	RECIPIENTS = 3,
};

/* Numbers of jobs that are ours start here: no other packet has one. */
static const uint64_t first_job = 5000000000;

static struct pool pool;
static int send_end; /* of qmail-send */
static struct {
	int fd; /* its end; -1: closed */
	bool has_ended;
} workers[WORKERS_MAX];
static size_t worker_count;
static struct {
	unsigned reports[RECIPIENTS];
	size_t count;
	bool is_given;
} jobs[JOBS_MAX];

static void
kill_stand_in(pid_t pid)
{
	require(pid > 0 && (size_t)pid <= worker_count);
	/* until it has ended it may be killed again */
	require(!workers[pid - 1].has_ended);
}

static void
take(void *owner, struct pool_job *job)
{
	struct str packet = STR_INIT;

	(void)owner;
	require(job->left == job->job.recipient_count);
	if (span_is(job->job.host, "none")) {
		pool_report_rest(&pool, job, 'D', "nobody");
		return;
	}
	str_copy(&packet, str_span(&job->packet));
	pool_assign(&pool, job, job->job.host, str_span(&packet), NULL);
	str_free(&packet);
}

static pid_t
start(void *owner, void *subject, int socket)
{
	(void)owner;
	(void)subject;
	if (worker_count == WORKERS_MAX) {
		errno = EAGAIN;
		return -1;
	}
	workers[worker_count].fd = dup(socket);
	require(workers[worker_count].fd != -1);
	workers[worker_count].has_ended = false;
	return (pid_t)++worker_count;
}

static const char *
lost(int code)
{
	(void)code;
	return "lost";
}

static const struct pool_plan plan = {.recipients = RECIPIENTS,
    .idle_s = 1,
    .worker_jobs = 2,
    .text_max = 100,
    .take = take,
    .start = start,
    .lost = lost};

/* ---- what happens ------------------------------------------------------- */

/* Reads what qmail-send is told. */
static void
read_reports(void)
{
	static char buf[FD_PACKET_MAX];
	struct job_result result;
	struct job_hello hello;
	ssize_t got;
	int passed;

	while ((got = fd_receive_packet(send_end, buf, sizeof(buf), &passed)) >
	    0) {
		struct span packet = {buf, (size_t)got};

		require(passed == -1);
		if (job_decode_hello(packet, &hello) == 0)
			continue;
		require(job_decode_result(packet, &result) == 0);
		require(result.text.len < plan.text_max + 100);
		if (result.number >= first_job) {
			size_t number = (size_t)(result.number - first_job);

			require(number < JOBS_MAX);
			require(result.index < jobs[number].count);
			jobs[number].reports[result.index]++;
		}
	}
}

/* As poll would have it. */
static void
look_up(void)
{
	if ((pool.upstream.events & POLLIN) != 0)
		on_upstream(&pool, POLLIN);
}

static void
pass_packet(struct span packet, int fd, bool *is_sent)
{
	if (packet.len == 0)
		return; /* it would be the end */
	/* a full socket, or a closed one, takes none */
	*is_sent = fd_send_packet(send_end, packet, fd) == 0;
	look_up();
}

static void
give_job(size_t number, unsigned char how)
{
	static int message = -1;
	struct str packet = STR_INIT;
	char host[2] = {(char)('a' + how % 3), '\0'};

	if (pool.upstream_ended || pool.job_count == pool.limit)
		return;
	if (message == -1) {
		fuzz_enter_directory();
		fuzz_write_file("message", SPAN_LITERAL("hello\n"));
		message = open("message", O_RDONLY | O_CLOEXEC);
		require(message != -1);
	}
	jobs[number].count = how / 4 % RECIPIENTS + 1u;
	job_encode_head(&packet, first_job + number, 7,
	    how & 128 ? SPAN_LITERAL("none") : span_of(host),
	    SPAN_LITERAL("s"));
	for (size_t i = 0; i < jobs[number].count; i++)
		netstring_append(&packet, SPAN_LITERAL("r@h"));
	pass_packet(
	    str_span(&packet), how & 64 ? -1 : message, &jobs[number].is_given);
	str_free(&packet);
}

static struct pool_worker *
find_worker(unsigned char which)
{
	struct pool_worker *worker = pool.workers;
	uint64_t n = pool.process_count > 0 ? which % pool.process_count : 0;

	while (worker != NULL && n-- > 0)
		worker = worker->next;
	return worker;
}

static int *
end_of(const struct pool_worker *worker)
{
	return &workers[worker->child.pid - 1].fd;
}

/* The worker says something; then the pool looks. */
static void
say(struct pool_worker *worker, struct span packet)
{
	if (*end_of(worker) == -1 || worker->watch.fd == -1)
		return;
	if (fd_send_packet(*end_of(worker), packet, -1) == 0)
		on_worker(worker, POLLIN);
}

static void
report(struct pool_worker *worker, unsigned char how)
{
	struct str packet = STR_INIT, text = STR_INIT;
	struct job_result result = {.letter = "KZD"[how % 3]};

	if (worker->job == NULL)
		return;
	while (text.len < how)
		str_append_char(&text, 'x');
	result.number = worker->job->job.number;
	result.index = how / 4 % RECIPIENTS;
	result.text = str_span(&text);
	job_encode_result(&packet, &result);
	say(worker, str_span(&packet));
	str_free(&packet);
	str_free(&text);
}

static void
end_worker(struct pool_worker *worker)
{
	int *fd = end_of(worker);
	bool *has_ended = &workers[worker->child.pid - 1].has_ended;
	struct loop_child *child = &worker->child;

	fd_close(*fd);
	*fd = -1;
	/* as the loop takes it off */
	*child->link = child->next;
	if (child->next != NULL)
		child->next->link = child->link;
	*has_ended = true;
	on_worker_ended(worker, 0);
}

static void
happen(struct span *input, size_t *job_number)
{
	unsigned char what = fuzz_byte(input), how = fuzz_byte(input);
	struct pool_worker *worker = find_worker(how >> 4);
	bool is_sent;

	switch (what % 10) {
	case 0:
	case 1:
	case 2:
		if (*job_number < JOBS_MAX)
			give_job((*job_number)++, how);
		break;
	case 3:
		pass_packet(fuzz_some(input, how), -1, &is_sent);
		break;
	case 4:
	case 5:
		if (worker != NULL)
			report(worker, fuzz_byte(input));
		break;
	case 6:
		if (worker != NULL)
			say(worker, fuzz_some(input, how & 63));
		break;
	case 7:
		if (worker != NULL)
			on_worker(worker, 0); /* its time is over */
		break;
	case 8:
		if (worker != NULL)
			end_worker(worker);
		break;
	default:
		if (how < 8 && !pool.upstream_ended) {
			require(shutdown(send_end, SHUT_WR) == 0);
			look_up();
		}
	}
	require(pool.worker_count <= pool.process_count);
	require(pool.job_count <= pool.limit);
	read_reports();
}

static void
open_pool(void)
{
	int ends[2];

	/* one that would be the other is not to be had: 0 stays open */
	require(fd_guard_standard() == 0 && fd_packet_pair(ends) == 0);
	require(dup2(ends[0], UPSTREAM) == UPSTREAM);
	require(close(ends[0]) == 0);
	send_end = ends[1];
	require(fd_nonblock(UPSTREAM) == 0 && fd_nonblock(send_end) == 0);
	pool = (struct pool){.plan = &plan, .limit = 4};
	pool.buffer = mem_alloc(1, FD_PACKET_MAX);
	pool.upstream = (struct loop_watch){
	    .fd = UPSTREAM, .ready = on_upstream, .owner = &pool};
	loop_add(&pool.loop, &pool.upstream);
	set_flow(&pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	size_t job_number = 0;

	fuzz_hush();
	memset(jobs, 0, sizeof(jobs));
	worker_count = 0;
	open_pool();
	while (input.len > 0)
		happen(&input, &job_number);
	/* all workers end: no job may be left without its reports */
	while (pool.workers != NULL) {
		end_worker(pool.workers);
		read_reports();
		if (pool.workers == NULL) /* jobs that had to wait */
			look_up();
	}
	flush_results(&pool);
	read_reports();
	require(pool.job_count == 0 && pool.jobs == NULL);
	for (size_t i = 0; i < job_number; i++) {
		for (size_t j = 0; jobs[i].is_given && j < jobs[i].count; j++)
			require(jobs[i].reports[j] == 1);
	}
	pool_free(&pool);
	require(close(send_end) == 0);
	fuzz_speak();
	return 0;
}

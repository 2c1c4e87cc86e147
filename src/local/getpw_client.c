#include "local/getpw_client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/num.h"
#include "local/getpw.h"
#include "local/local_report.h"
#include "mail/netstring.h"
#include "net/child.h"

#define PROGRAM "bin/qmail-getpw"

enum {
	END_S = 5, /* for the process to end when its pipe has */
};

/* ---- one run for one query ----------------------------------------------- */

static void
on_run_done(void *owner, int code)
{
	struct getpw_query *query = owner;
	struct str output = query->run.output; /* query may go first */

	query->answered(query->owner, code, str_span(&output));
	str_free(&output);
}

static void
run_once(struct getpw_client *client, struct getpw_query *query)
{
	struct str local = STR_INIT;
	char name[] = "qmail-getpw";
	char *argv[] = {name, NULL, NULL};
	struct child_plan plan = {.path = PROGRAM,
	    .argv = argv,
	    .fds = {CHILD_NULL, 0, 0},
	    .drop = client->drop,
	    .uid = client->uid,
	    .gid = client->gid,
	    .drop_failed = LOCAL_SYSTEM,
	    .exec_failed = LOCAL_GETPW_EXEC};

	str_copy(&local, query->local);
	str_append_char(&local, '\0');
	argv[1] = local.s;
	query->run.done = on_run_done;
	query->run.owner = query;
	if (run_start(&query->run, client->loop, &plan, false, GETPW_WAIT_S) ==
	    -1) {
		warn_sys("cannot start " PROGRAM);
		query->answered(
		    query->owner, LOCAL_SYSTEM, (struct span){"", 0});
	}
	str_free(&local);
}

/* ---- the one that is kept running ---------------------------------------- */

static struct getpw_query *
take_first(struct getpw_client *client)
{
	struct getpw_query *query = client->first;

	client->first = query->next;
	return query;
}

/* Closes both pipes; what becomes of the queries is decided when the process
   has been waited for. */
static void
stop(struct getpw_client *client, unsigned wait_s)
{
	client->state = GETPW_ENDING;
	if (client->writer.fd != -1) {
		loop_remove(client->loop, &client->writer);
		fd_close(client->writer.fd);
		client->writer.fd = -1;
	}
	fd_close(client->reader.fd);
	client->reader.fd = -1; /* now it is only a timer */
	client->reader.deadline_ms = clock_mono_ms() + (int64_t)wait_s * 1000;
	if (wait_s == 0) {
		client->reader.deadline_ms = 0;
		/* not yet waited for: the number is still its own */
		(void)kill(client->child.pid, SIGKILL);
	}
	str_clear(&client->to_ask);
	str_clear(&client->answers);
}

static void
send_queries(struct getpw_client *client)
{
	while (client->to_ask.len > 0) {
		ssize_t put = write(
		    client->writer.fd, client->to_ask.s, client->to_ask.len);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (put == -1) {
			stop(client, END_S);
			return;
		}
		str_remove_front(&client->to_ask, (size_t)put);
	}
	client->writer.events = client->to_ask.len > 0 ? POLLOUT : 0;
}

static void
on_writer(void *owner, short events)
{
	/* without a reader, waiting for the other pipe to end is no use */
	if (events & (POLLERR | POLLHUP | POLLNVAL))
		stop(owner, END_S);
	else
		send_queries(owner);
}

/* As netstring_decode, for the two of an answer. */
static ssize_t
decode_answer(
    const struct getpw_client *client, struct span *local, struct span *payload)
{
	struct span have = str_span(&client->answers);
	ssize_t first =
	    netstring_decode(have.s, have.len, GETPW_LOCAL_MAX, local);
	ssize_t second;

	if (first <= 0)
		return first;
	have = span_from(have, (size_t)first);
	second = netstring_decode(have.s, have.len, GETPW_ANSWER_MAX, payload);
	return second <= 0 ? second : first + second;
}

/* Takes the first answer of what has come. 1 if there was one, 0, or -1 if it
   is nonsense. */
static int
take_answer(struct getpw_client *client)
{
	struct span local, payload, entry = {"", 0};
	struct str answer = STR_INIT;
	struct getpw_query *query;
	uint64_t code = 0;
	ssize_t used = decode_answer(client, &local, &payload);

	if (used == NETSTRING_MORE)
		return 0;
	if (used < 0 || client->first == NULL || payload.len == 0 ||
	    !span_equal(local, client->first->local))
		return -1;
	if (payload.s[0] == 'K')
		entry = span_from(payload, 1);
	else if (payload.s[0] != 'E' ||
	    num_parse_u64(span_from(payload, 1), &code) == -1 || code == 0 ||
	    code > 255)
		return -1;
	str_copy(&answer, entry);
	str_remove_front(&client->answers, (size_t)used);
	client->has_answered = true;
	query = take_first(client);
	client->reader.deadline_ms = client->first == NULL
	    ? 0
	    : clock_mono_ms() + (int64_t)GETPW_WAIT_S * 1000;
	query->answered(query->owner, (int)code, str_span(&answer));
	str_free(&answer);
	return 1;
}

static void
read_answers(struct getpw_client *client)
{
	char buf[4096];
	ssize_t got = read(client->reader.fd, buf, sizeof(buf));
	int taken = 1;

	if (got == -1 &&
	    (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (got <= 0) {
		stop(client, END_S);
		return;
	}
	str_append(&client->answers, buf, (size_t)got);
	/* an answer may bring the next query, and that the end of the process
	 */
	while (taken == 1 && client->state == GETPW_ON)
		taken = take_answer(client);
	if (taken == -1) {
		warn_plain(PROGRAM " talks nonsense: killed");
		stop(client, 0);
	}
}

static void
on_reader(void *owner, short events)
{
	struct getpw_client *client = owner;
	struct getpw_query *query;

	if (events != 0) {
		read_answers(client);
		return;
	}
	if (client->state == GETPW_ON && client->first != NULL) {
		warn_plain(PROGRAM " does not answer: killed");
		query = take_first(client);
		stop(client, 0);
		query->answered(
		    query->owner, LOCAL_SYSTEM, (struct span){"", 0});
		return;
	}
	stop(client, 0);
}

static void
on_ended(void *owner, int status)
{
	struct getpw_client *client = owner;
	struct getpw_query *left;
	int code = child_code(status);

	if (client->state == GETPW_ON)
		stop(client, END_S);
	loop_remove(client->loop, &client->reader);
	client->state = GETPW_OFF;
	if (!client->has_answered && code != LOCAL_GETPW_EXEC &&
	    code != LOCAL_SYSTEM) {
		warn_plain(PROGRAM " cannot be kept running: it is run for "
				   "each recipient");
		client->state = GETPW_CLASSIC;
	}
	left = client->first;
	client->first = NULL;
	while (left != NULL) {
		struct getpw_query *query = left;

		left = query->next;
		run_once(client, query);
	}
}

/* 0, or -1 with errno. */
static int
start(struct getpw_client *client)
{
	int queries[2], answers[2];
	char name[] = "qmail-getpw";
	char *argv[] = {name, NULL};
	struct child_plan plan = {.path = PROGRAM,
	    .argv = argv,
	    .drop = client->drop,
	    .uid = client->uid,
	    .gid = client->gid,
	    .drop_failed = LOCAL_SYSTEM,
	    .exec_failed = LOCAL_GETPW_EXEC};
	pid_t pid;

	if (fd_pipe(queries) == -1)
		return -1;
	if (fd_pipe(answers) == -1)
		goto fail_queries;
	plan.fds[0] = queries[0];
	plan.fds[1] = answers[1];
	plan.fds[2] = CHILD_KEEP;
	if (fd_nonblock(queries[1]) == -1 || fd_nonblock(answers[0]) == -1)
		goto fail;
	pid = child_start(&plan);
	if (pid == -1)
		goto fail;
	fd_close(queries[0]);
	fd_close(answers[1]);
	client->writer = (struct loop_watch){
	    .fd = queries[1], .ready = on_writer, .owner = client};
	client->reader = (struct loop_watch){.fd = answers[0],
	    .events = POLLIN,
	    .ready = on_reader,
	    .owner = client};
	client->child =
	    (struct loop_child){.pid = pid, .ended = on_ended, .owner = client};
	loop_add(client->loop, &client->writer);
	loop_add(client->loop, &client->reader);
	loop_add_child(client->loop, &client->child);
	client->state = GETPW_ON;
	return 0;
fail:
	fd_close(answers[0]);
	fd_close(answers[1]);
fail_queries:
	fd_close(queries[0]);
	fd_close(queries[1]);
	return -1;
}

void
getpw_client_init(struct getpw_client *client)
{
	client->state = GETPW_OFF;
	client->to_ask = (struct str)STR_INIT;
	client->answers = (struct str)STR_INIT;
}

void
getpw_client_ask(struct getpw_client *client, struct getpw_query *query)
{
	if (client->state == GETPW_OFF && start(client) == -1) {
		warn_sys("cannot start " PROGRAM);
		query->answered(
		    query->owner, LOCAL_SYSTEM, (struct span){"", 0});
		return;
	}
	if (client->state == GETPW_CLASSIC) {
		run_once(client, query);
		return;
	}
	query->next = NULL;
	if (client->first == NULL)
		client->first = query;
	else
		client->last->next = query;
	client->last = query;
	if (client->state != GETPW_ON)
		return; /* it is run when the old process is gone */
	if (client->reader.deadline_ms == 0)
		client->reader.deadline_ms =
		    clock_mono_ms() + (int64_t)GETPW_WAIT_S * 1000;
	netstring_append(&client->to_ask, query->local);
	send_queries(client);
}

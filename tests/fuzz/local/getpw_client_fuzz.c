/*
 * qmail-lspawn's side of a qmail-getpw that says anything, late, or ends: each
 * query is answered once, and an entry is only taken from an answer that names
 * the query.
 *
 * The module is taken in whole, to be called without processes and waiting.
 */
#include "../fuzz.h"

#include <signal.h>
#include <sys/types.h>

#include "net/child.h"
#include "net/run.h"

static void kill_stand_in(pid_t pid);
static pid_t start_stand_in(const struct child_plan *plan);
static int run_stand_in(struct run *run);
#define kill(pid, signal) (kill_stand_in(pid), (void)(signal), 0)
#define child_start(plan) start_stand_in(plan)
#define run_start(run, loop, plan, with_stderr, timeout_s)                     \
	((void)(plan), (void)(timeout_s), run_stand_in(run))
#include "../../../src/local/getpw_client.c"
#undef kill
#undef child_start
#undef run_start

enum {
	QUERIES_MAX = 32,
};

static struct loop loop;
static struct getpw_client client;
static int say_end, hear_end; /* of the process */
static bool is_running;
static struct {
	struct getpw_query query;
	char name[16];
	unsigned answers;
} queries[QUERIES_MAX];
static size_t query_count;
static struct str said; /* all that the process has said */

static void
kill_stand_in(pid_t pid)
{
	require(pid == 7 && is_running);
}

static pid_t
start_stand_in(const struct child_plan *plan)
{
	require(!is_running);
	hear_end = dup(plan->fds[0]);
	say_end = dup(plan->fds[1]);
	require(hear_end != -1 && say_end != -1);
	require(fd_nonblock(say_end) == 0 && fd_nonblock(hear_end) == 0);
	is_running = true;
	str_clear(&said);
	return 7;
}

static int
run_stand_in(struct run *run)
{
	(void)run;
	errno = EAGAIN;
	return -1;
}

static bool
contains(struct span text, struct span part)
{
	for (size_t i = 0; i + part.len <= text.len; i++) {
		if (span_equal(span_until(span_from(text, i), part.len), part))
			return true;
	}
	return false;
}

static void
answered(void *owner, int code, struct span entry)
{
	size_t index = (size_t)(uintptr_t)owner;
	struct str named = STR_INIT;

	queries[index].answers++;
	require(code >= 0 && code < 256);
	if (code == 0) {
		netstring_append(&named, queries[index].query.local);
		require(contains(str_span(&said), str_span(&named)));
		require(contains(str_span(&said), entry));
	} else {
		require(entry.len == 0);
	}
	str_free(&named);
}

static void
ask(unsigned char how)
{
	size_t i = query_count;

	if (i == QUERIES_MAX)
		return;
	query_count++;
	(void)snprintf(
	    queries[i].name, sizeof(queries[i].name), "u%d", how % 3);
	queries[i].answers = 0;
	queries[i].query =
	    (struct getpw_query){.local = span_of(queries[i].name),
		.answered = answered,
		.owner = (void *)(uintptr_t)i};
	getpw_client_ask(&client, &queries[i].query);
}

static void
say(struct span bytes)
{
	if (!is_running || say_end == -1)
		return;
	if (write(say_end, bytes.s, bytes.len) == (ssize_t)bytes.len)
		str_append_span(&said, bytes);
	if (client.state == GETPW_ON && client.reader.fd != -1)
		on_reader(&client, POLLIN);
}

/* A whole answer, to a query or to none. */
static void
say_answer(unsigned char how, struct span *input)
{
	struct str answer = STR_INIT, payload = STR_INIT;
	char name[3] = {'u', (char)('0' + how % 3), '\0'};

	netstring_append(&answer, span_of(name));
	str_append_char(&payload, how & 64 ? 'E' : 'K');
	str_append_span(&payload, fuzz_until(input, '\n'));
	netstring_append(&answer, str_span(&payload));
	say(str_span(&answer));
	str_free(&answer);
	str_free(&payload);
}

static void
end_process(void)
{
	struct loop_child *child = &client.child;

	if (!is_running)
		return;
	fd_close(say_end);
	fd_close(hear_end);
	say_end = hear_end = -1;
	is_running = false;
	*child->link = child->next;
	if (child->next != NULL)
		child->next->link = child->link;
	on_ended(&client, 0);
}

static void
happen(struct span *input)
{
	unsigned char what = fuzz_byte(input);

	switch (what % 8) {
	case 0:
	case 1:
	case 2:
		ask(what / 8);
		break;
	case 3:
		say(fuzz_some(input, what / 8));
		break;
	case 4:
	case 5:
		say_answer(what / 8, input);
		break;
	case 6:
		if (what < 64)
			end_process();
		break;
	default:
		if (is_running && what < 32)
			on_reader(&client, 0); /* time is over */
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};

	require(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	fuzz_hush();
	loop = (struct loop){0};
	client = (struct getpw_client){.loop = &loop};
	said = (struct str)STR_INIT;
	query_count = 0;
	getpw_client_init(&client);
	while (input.len > 0)
		happen(&input);
	end_process();
	end_process(); /* a new one may have begun */
	for (size_t i = 0; i < query_count; i++)
		require(queries[i].answers == 1);
	str_free(&client.to_ask);
	str_free(&client.answers);
	str_free(&said);
	loop_free(&loop);
	fuzz_speak();
	return 0;
}

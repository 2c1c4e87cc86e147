/*
 * qmail-rspawn - gives remote jobs to qmail-remote
 * Runs as: qmailr:nofiles    Trusts: descriptor 0 (qmail-send); not its workers
 * Reads:   control/remoteidle, control/remotemessages
 * Writes:  descriptors 0 and 2, run/tcpto
 * Children: bin/qmail-remote -w with 0 a socket, 1 and 2 the log; or, one for
 *          each recipient, QMAILREMOTE with 0 the message, 1 and 2 a pipe
 * Exit:    0 descriptor 0 ended and all jobs are done; 100 wrong usage; 111
 *          failed
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "conf/control.h"
#include "mail/netstring.h"
#include "net/child.h"
#include "net/pool.h"
#include "net/run.h"
#include "net/tcpto.h"
#include "remote/remote_report.h"

#define WORKER "bin/qmail-remote"

enum {
	IDLE_S = 2,        /* if there is no control/remoteidle */
	WORKER_JOBS = 100, /* if there is no control/remotemessages */
};

/* A job that QMAILREMOTE does, one recipient after the other. */
struct delivery {
	struct pool_job *job;
	struct span rest; /* recipients that follow */
	size_t index;     /* of the one that runs */
	struct run run;
};

static struct {
	struct pool pool;
	const char *program; /* QMAILREMOTE, or NULL: workers */
} rspawn;

/* With what qmail-remote needs, which inherits it and then gives up more. */
static const struct sandbox rights = {
    .may = SANDBOX_START | SANDBOX_NET,
    .read = {"/"},
    .write = {"/"}, /* a script in its place may keep a log */
};

/* ---- QMAILREMOTE --------------------------------------------------------- */

static void run_next(struct delivery *d);

/* Reports the recipient whose turn it was, and goes on with the next. */
static void
report(struct delivery *d, char letter, struct span text)
{
	bool is_last = d->index + 1 == d->job->job.recipient_count;

	pool_report(&rspawn.pool, d->job, d->index, letter, text);
	if (is_last) {
		free(d);
		return;
	}
	d->index++;
	run_next(d);
}

static void
on_run_done(void *owner, int code)
{
	struct delivery *d = owner;
	struct str text = STR_INIT;
	char letter = remote_report(code, str_span(&d->run.output), &text);

	if (d->run.cut && letter == 'D')
		letter = 'Z'; /* the verdict may have been further down */
	if (d->run.timed_out)
		str_copy(&text,
		    SPAN_LITERAL("The delivery took too long. (#4.3.0)\n"));
	run_free(&d->run);
	report(d, letter, str_span(&text));
	str_free(&text);
}

/* prog host sender recipient */
static int
start_program(struct delivery *d, struct span recipient)
{
	const struct span fields[] = {span_of(rspawn.program), d->job->job.host,
	    d->job->job.sender, recipient};
	struct str copies[COUNT(fields)];
	char *argv[COUNT(fields) + 1] = {NULL};
	struct child_plan plan = {.path = rspawn.program,
	    .search = true,
	    .argv = argv,
	    .fds = {d->job->message, 0, 0},
	    .drop_failed = EXIT_TEMP,
	    .exec_failed = EXIT_TEMP};
	int result;

	/* the run before has read it to its end */
	if (lseek(d->job->message, 0, SEEK_SET) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(fields); i++) {
		copies[i] = (struct str)STR_INIT;
		str_copy(&copies[i], fields[i]);
		str_append_char(&copies[i], '\0');
		argv[i] = copies[i].s;
	}
	d->run.done = on_run_done;
	d->run.owner = d;
	result =
	    run_start(&d->run, &rspawn.pool.loop, &plan, true, POOL_BUSY_S);
	for (size_t i = 0; i < COUNT(fields); i++)
		str_free(&copies[i]);
	return result;
}

static void
run_next(struct delivery *d)
{
	struct span recipient;

	if (netstring_take(&d->rest, &recipient) == 0 &&
	    start_program(d, recipient) == 0)
		return;
	warn_sys("cannot start %s", quote(rspawn.program));
	report(d, 'Z', SPAN_LITERAL("Unable to run qmail-remote.\n"));
}

/* ---- jobs ---------------------------------------------------------------- */

static bool
has_nul(struct span text)
{
	return span_find(text, '\0') != SPAN_NONE;
}

static bool
is_address(struct span text)
{
	return span_find_last(text, '@') != SPAN_NONE && !has_nul(text);
}

/* Reports on a job that has a recipient that is none: that one fails, and the
   others wait for a job without it. True if it was such a job, now over. */
static bool
refuse_job(struct pool_job *job)
{
	static const char bad[] = "Sorry, that is not an address that mail "
				  "can be sent to. (#5.1.3)\n";
	struct span rest = job->job.recipients, one;
	bool is_bad = has_nul(job->job.host) || has_nul(job->job.sender);
	size_t left = job->job.recipient_count;

	if (is_bad) {
		pool_report_rest(&rspawn.pool, job, 'D', bad);
		return true;
	}
	while (netstring_take(&rest, &one) == 0)
		is_bad = is_bad || !is_address(one);
	if (!is_bad)
		return false;
	rest = job->job.recipients;
	/* the job is gone with its last report, and the spans with it */
	for (size_t i = 0; left > 0; i++, left--) {
		if (netstring_take(&rest, &one) == 0 && !is_address(one))
			pool_report(&rspawn.pool, job, i, 'D', span_of(bad));
		else
			pool_report(&rspawn.pool, job, i, 'Z',
			    SPAN_LITERAL("Another recipient was not an "
					 "address. (#4.1.3)\n"));
	}
	return true;
}

static void
take(void *owner, struct pool_job *job)
{
	struct str key = STR_INIT;

	(void)owner;
	if (refuse_job(job))
		return;
	if (rspawn.program != NULL) {
		struct delivery *d = mem_alloc(1, sizeof(*d));

		d->job = job;
		d->rest = job->job.recipients;
		run_next(d);
		return;
	}
	for (size_t i = 0; i < job->job.host.len; i++)
		str_append_char(&key, span_lower(job->job.host.s[i]));
	pool_assign(
	    &rspawn.pool, job, str_span(&key), str_span(&job->packet), NULL);
	str_free(&key);
}

static pid_t
start(void *owner, void *subject, int socket)
{
	char name[] = "qmail-remote", option[] = "-w";
	char *argv[] = {name, option, NULL};
	const struct child_plan plan = {.path = WORKER,
	    .argv = argv,
	    .fds = {socket, CHILD_KEEP, CHILD_KEEP},
	    .drop_failed = EXIT_TEMP,
	    .exec_failed = EXIT_TEMP};

	(void)owner;
	(void)subject;
	return child_start(&plan);
}

/* ---- start --------------------------------------------------------------- */

static unsigned
load_number(const char *path, unsigned long number, unsigned long max)
{
	if (control_number(path, &number) == -1)
		die_sys("cannot read %s", path);
	return (unsigned)(number < max ? number : max);
}

int
main(int argc, char **argv)
{
	struct pool_plan plan = {.recipients = JOB_RECIPIENTS_MAX,
	    .text_max = JOB_TEXT_MAX,
	    .take = take,
	    .start = start,
	    .lost = remote_report_lost};

	(void)argv;
	die_init("qmail-rspawn");
	if (argc != 1)
		die_usage("qmail-rspawn");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	rspawn.program = getenv("QMAILREMOTE");
	if (rspawn.program != NULL && rspawn.program[0] == '\0')
		rspawn.program = NULL;
	if (rspawn.program != NULL)
		plan.recipients = 1;
	plan.idle_s = load_number("control/remoteidle", IDLE_S, POOL_BUSY_S);
	plan.worker_jobs =
	    load_number("control/remotemessages", WORKER_JOBS, 1000000);
	/* a new start is a new chance for hosts that timed out; without the
	   table qmail-remote has no memory, but works */
	if (tcpto_clear(true) == -1)
		warn_sys("cannot clear " TCPTO_PATH);
	if (rspawn.program == NULL)
		sandbox_enter(&rights);
	if (pool_open(&rspawn.pool, &plan) == -1)
		die_sys("cannot use descriptor 0");
	if (pool_run(&rspawn.pool) == -1)
		die_sys("cannot wait");
	/* what is left ends as it sees its descriptor 0 end */
	pool_free(&rspawn.pool);
	return EXIT_OK;
}

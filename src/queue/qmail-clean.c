/*
 * qmail-clean - slow file work for qmail-queued: unlink, fsync
 * Runs as: qmailq:qmail          Trusts: qmail-queued, at the other end of fd 0
 * Reads:   fd 0 jobs, queue/     Writes: fd 0 answers; removes and syncs files
 *                                under queue/, makes journal segments
 * Exit:    0 at the end of fd 0; 100 not started by qmail-queued; 111 trouble
 *
 * qmail-queued starts several, so that its loop never waits for these things.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/sig.h"
#include "conf/control.h"
#include "queue/clean_job.h"
#include "queue/clean_work.h"

static const struct sandbox rights = {
    .write = {"."}, /* queue/ */
};

static void
answer(const struct clean_job *job)
{
	struct str packet = STR_INIT, what = STR_INIT, error = STR_INIT;

	if (clean_work_do(job, &what) == -1) {
		str_format(&error, "%s: %s", what.s, strerror(errno));
		clean_job_encode_answer(&packet, error.s);
	} else {
		clean_job_encode_answer(&packet, NULL);
	}
	/* if qmail-queued is gone, the next start repeats the job */
	if (fd_send_packet(0, str_span(&packet), -1) == -1)
		_exit(EXIT_OK);
	str_free(&packet);
	str_free(&what);
	str_free(&error);
}

int
main(int argc, char **argv)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};
	static char packet[CLEAN_JOB_PACKET_MAX];
	static struct clean_job job;
	ssize_t got;
	int passed;

	(void)argv;
	die_init("qmail-clean");
	if (argc != 1)
		die_usage("qmail-clean (run by qmail-queued)");
	/* the end of fd 0 is what ends it: what was begun is finished */
	for (size_t i = 0; i < COUNT(ignored); i++) {
		if (sig_ignore(ignored[i]) == -1)
			die_sys("cannot ignore signals");
	}
	(void)umask(027);
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	if (chdir("queue") == -1)
		die_sys("cannot change to queue");
	mem_warm();
	sandbox_enter(&rights);
	for (;;) {
		got = fd_receive_packet(0, packet, sizeof(packet), &passed);
		fd_close(passed); /* none is expected */
		if (got == 0 || (got == -1 && errno == ECONNRESET))
			return EXIT_OK;
		if (got == -1)
			die_sys("cannot read from qmail-queued");
		if (clean_job_decode(
			(struct span){packet, (size_t)got}, &job) == -1)
			die_perm("unknown job");
		answer(&job);
	}
}

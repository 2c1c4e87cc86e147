/*
 * qmail-remote - deliver a message to other hosts by SMTP or QMTP
 * Runs as: qmailr             Trusts: its arguments or jobs; no server
 * Reads:   fd 0 (the message, or with -w jobs), control/, run/tcpto
 * Writes:  fd 1 (records), run/tcpto, the network
 * Exit:    0 the records tell what happened, or with -w the socket ended; 111
 *          the output cannot be written, or with -w a packet is no job
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/sandbox.h"
#include "base/sig.h"
#include "mail/netstring.h"
#include "net/dns.h"
#include "net/job.h"
#include "remote/delivery.h"

static struct {
	struct delivery delivery;
	const char *trouble; /* why nothing can be delivered, or NULL */
	bool is_loaded;      /* delivery was, with trouble or without */
	uint64_t stamp;      /* of the control files that it was loaded from */
	char packet[FD_PACKET_MAX];
} remote;

static const struct sandbox rights = {
    .may = SANDBOX_NET,
    /* read again when they change; the resolver does the same */
    .read = {"control", "/etc/resolv.conf"},
    .write = {"run"}, /* run/tcpto */
};

static void
say_trouble(struct verdict *verdict)
{
	verdict_set_name(
	    verdict, 'Z', "", span_of(remote.trouble), " (#4.3.0)");
}

static void
load(void)
{
	if (remote.trouble != NULL)
		return;
	if (control_home() == -1) {
		remote.trouble = "Unable to change to my home.";
		return;
	}
	remote.stamp = delivery_stamp(); /* first: a change shows later */
	remote.trouble = delivery_load(&remote.delivery);
	if (!remote.is_loaded)
		sandbox_enter(&rights);
	remote.is_loaded = true;
}

/* ---- one shot: arguments and records ------------------------------------- */

static void
print_records(const struct verdict *verdict)
{
	struct str records = STR_INIT;

	verdict_append_records(&records, verdict);
	/* whoever does not read it takes it for a failure, and tries again */
	if (fd_write_all(STDOUT_FILENO, records.s, records.len) == -1)
		_exit(EXIT_TEMP);
	str_free(&records);
}

static void
run_once(int argc, char **argv)
{
	struct verdict verdict;

	verdict_init(&verdict, argc < 4 ? 0 : (size_t)argc - 3);
	for (size_t i = 0; i < verdict.count; i++)
		verdict.recipients[i].address = span_of(argv[3 + i]);
	if (argc < 4) {
		verdict_set(&verdict, 'D',
		    "Sorry, qmail-remote needs a host, a sender and a "
		    "recipient. (#5.3.5)");
	} else {
		load();
		if (remote.trouble != NULL)
			say_trouble(&verdict);
		else
			delivery_run(&remote.delivery, span_of(argv[1]),
			    span_of(argv[2]), STDIN_FILENO, &verdict);
	}
	print_records(&verdict);
	if (argc >= 4 && remote.trouble == NULL)
		delivery_finish(&remote.delivery);
	verdict_free(&verdict);
}

/* ---- worker: jobs and results -------------------------------------------- */

/* What an administrator has changed counts for the next job, as if each had a
   process of its own, and what could not be read is tried again. The open
   connection may be one of the old route. */
static void
refresh(void)
{
	if (remote.trouble == NULL && delivery_stamp() == remote.stamp)
		return;
	if (remote.trouble == NULL)
		delivery_finish(&remote.delivery);
	if (remote.is_loaded)
		delivery_free(&remote.delivery);
	remote.is_loaded = false;
	remote.trouble = NULL;
	load();
}

/* One packet to the spawn, however slowly it reads. 0, or -1 with errno. */
static int
send_packet(struct span packet)
{
	while (fd_send_packet(STDIN_FILENO, packet, -1) == -1) {
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return -1;
		if (fd_wait_writable(STDIN_FILENO, -1) == -1)
			return -1;
	}
	return 0;
}

/* Sends the results of a job. 0, or -1 with errno. */
static int
send_results(const struct job *job, const struct verdict *verdict)
{
	struct str packet = STR_INIT;
	int status = 0;

	for (size_t i = 0; i < verdict->count && status == 0; i++) {
		struct job_result result = {.number = job->number, .index = i};

		result.text = verdict_result(verdict, i, &result.letter);
		job_encode_result(&packet, &result);
		status = send_packet(str_span(&packet));
	}
	str_free(&packet);
	return status;
}

/* Delivers one job. 0, or -1 with errno if its results cannot be sent. */
static int
run_job(const struct job *job, int message)
{
	struct verdict verdict;
	struct span rest = job->recipients;
	int status;

	verdict_init(&verdict, job->recipient_count);
	for (size_t i = 0; i < verdict.count; i++) {
		/* job_decode has seen that they are all there */
		if (netstring_take(&rest, &verdict.recipients[i].address) == -1)
			abort();
	}
	if (remote.trouble != NULL)
		say_trouble(&verdict);
	else if (message == -1)
		verdict_set(&verdict, 'Z',
		    "Unable to read the message: there is none. (#4.3.0)");
	else
		delivery_run(&remote.delivery, job->host, job->sender, message,
		    &verdict);
	status = send_results(job, &verdict);
	verdict_free(&verdict);
	return status;
}

static void
run_worker(void)
{
	load();
	for (;;) {
		struct job job;
		int message, status;
		ssize_t got = fd_receive_packet(STDIN_FILENO, remote.packet,
		    sizeof(remote.packet), &message);

		if (got == 0)
			break;
		if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK) &&
		    fd_wait_readable(STDIN_FILENO, -1) == 1)
			continue;
		if (got == -1)
			die_sys("cannot receive a job");
		if (job_decode(
			(struct span){remote.packet, (size_t)got}, &job) == -1)
			die_temp("received a packet that is no job");
		refresh();
		status = run_job(&job, message);
		fd_close(message);
		if (status == -1)
			die_sys("cannot send a result");
		if (dns_is_lost())
			return; /* the next worker may have one */
	}
	if (remote.trouble == NULL)
		delivery_finish(&remote.delivery);
}

int
main(int argc, char **argv)
{
	die_init("qmail-remote");
	/* else the guard's /dev/null would pass for an empty message */
	if (fcntl(STDIN_FILENO, F_GETFD) == -1)
		remote.trouble = "Unable to read the message: there is none.";
	if (fd_guard_standard() == -1 || sig_ignore(SIGPIPE) == -1 ||
	    sig_default(SIGALRM) == -1)
		die_sys("cannot start");
	if (argc == 2 && strcmp(argv[1], "-w") == 0)
		run_worker();
	else
		run_once(argc, argv);
	return 0;
}

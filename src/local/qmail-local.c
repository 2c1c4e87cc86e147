/*
 * qmail-local - deliver one message to one local recipient, or many in turn
 * Runs as: the recipient          Trusts: its arguments, or its descriptor 0
 * Reads:   the message, .qmail    Writes: what .qmail names; run/submit.sock
 * Started: qmail-local [-nN] user homedir local dash ext domain sender default
 *            0 message, 1 and 2 report
 *          qmail-local -w, by qmail-lspawn: serves jobs until the socket ends
 *            0 socket (local/local_job.h), 1 and 2 log
 * Exit:    0 delivered; 100 failed for good; 111 try again later.
 *          As a worker: 0 no more jobs; 111 the socket failed
 *
 * Addresses, message and .qmail file are foreign bytes. They reach a shell
 * only as what the recipient wrote in his .qmail file, as descriptor 0 and as
 * values in the environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sig.h"
#include "base/str.h"
#include "local/delivery.h"
#include "local/local_job.h"
#include "local/message.h"
#include "local/report.h"
#include "net/job.h"

enum {
	ARGUMENTS = 8,
};

static const char synopsis[] =
    "qmail-local [-nN] user homedir local dash ext domain sender"
    " defaultdelivery | qmail-local -w";

static struct {
	struct message message;
	char packet[FD_PACKET_MAX];
} local_state;

/* ---- one message ---- */

static int
run_once(char **args, bool is_dry)
{
	struct local_job job = {
	    .user = span_of(args[0]),
	    .homedir = span_of(args[1]),
	    .local = span_of(args[2]),
	    .dash = span_of(args[3]),
	    .ext = span_of(args[4]),
	    .domain = span_of(args[5]),
	    .sender = span_of(args[6]),
	    .default_delivery = span_of(args[7]),
	};
	struct delivery_mode mode = {.is_dry = is_dry, .is_collected = false};
	struct report report = REPORT_INIT(0);
	int result;

	if (args[1][0] != '/')
		die_perm("home directory %s is not absolute", quote(args[1]));
	/* descriptor 0 is never ours to pass on by accident */
	if (fd_cloexec(0) == -1)
		die_sys("cannot prepare the message");
	message_init(&local_state.message, 0);
	result = delivery_run(&job, &local_state.message, mode, &report);
	if (fd_write_all(result == EXIT_OK ? 1 : 2, report.text.s,
		report.text.len) == -1) {
		/* all is done: that nobody reads of it changes nothing */
	}
	str_free(&report.text);
	return result;
}

/* ---- many in turn ---- */

/* Moves the socket away from 0, where programs expect the message. */
static int
take_socket(void)
{
	int sock = fcntl(0, F_DUPFD_CLOEXEC, 3);
	int null;

	if (sock == -1)
		die_sys("cannot keep the socket");
	null = open("/dev/null", O_RDWR);
	if (null == -1 || fd_move(null, 0) == -1)
		die_sys("cannot open /dev/null");
	return sock;
}

static char
letter_of(int result)
{
	if (result == EXIT_OK)
		return 'K';
	return result == EXIT_PERM ? 'D' : 'Z';
}

/* Closes message. */
static void
do_job(int sock, const struct local_job *job, int message)
{
	struct delivery_mode mode = {.is_dry = false, .is_collected = true};
	struct report report = REPORT_INIT(REPORT_MAX);
	struct job_result result = {.number = job->number};
	struct str packet = STR_INIT;

	if (message == -1) {
		result.letter = letter_of(report_temp(
		    &report, "The message did not come along. (#4.3.0)"));
	} else {
		message_init(&local_state.message, message);
		result.letter = letter_of(
		    delivery_run(job, &local_state.message, mode, &report));
	}
	fd_close(message); /* an idle worker holds no file of the queue */
	report_finish(&report);
	result.text = str_span(&report.text);
	job_encode_result(&packet, &result);
	if (fd_send_packet(sock, str_span(&packet), -1) == -1)
		die_sys("cannot report a delivery");
	str_free(&packet);
	str_free(&report.text);
}

static int
run_worker(void)
{
	int sock = take_socket();

	mem_warm();

	for (;;) {
		struct local_job job;
		int message;
		ssize_t got = fd_receive_packet(sock, local_state.packet,
		    sizeof(local_state.packet), &message);

		if (got == 0)
			return EXIT_OK;
		if (got == -1)
			die_sys("cannot receive a job");
		if (local_job_decode(
			(struct span){local_state.packet, (size_t)got}, &job) ==
		    -1)
			die_temp("received something that is not a job");
		do_job(sock, &job, message);
	}
}

int
main(int argc, char **argv)
{
	bool is_dry = false, is_worker = false;
	int option;

	die_init("qmail-local");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	while ((option = getopt(argc, argv, "nNw")) != -1) {
		switch (option) {
		case 'n':
			is_dry = true;
			break;
		case 'N':
			is_dry = false;
			break;
		case 'w':
			is_worker = true;
			break;
		default:
			die_usage(synopsis);
		}
	}
	argc -= optind;
	argv += optind;
	if (argc != (is_worker ? 0 : ARGUMENTS))
		die_usage(synopsis);
	(void)umask(077);
	/* a write over the file size limit must fail, not kill */
	if (sig_ignore(SIGPIPE) == -1 || sig_ignore(SIGXFSZ) == -1)
		die_sys("cannot set up signals");
	return is_worker ? run_worker() : run_once(argv, is_dry);
}

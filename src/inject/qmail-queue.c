/*
 * qmail-queue - put one message into the queue
 * Runs as: whoever calls it      Trusts: nothing; the kernel tells its uid
 * Reads:   fd 0 the message, fd 1 the envelope    Writes: run/submit.sock
 * Exit:    0 queued and on disk; else a code of the table in qmail-queue(8):
 *          11 address too long, 51 memory, 52 timeout, 53 write, 54 read,
 *          61 home, 66 no qmail-queued, 91 envelope; says nothing
 *
 * It is the program behind QMAILQUEUE's default, so it ignores that variable.
 * Nothing is queued unless the whole envelope was read: whoever started us may
 * change its mind by closing descriptor 1 early.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/sig.h"
#include "conf/control.h"
#include "mail/envelope.h"
#include "net/submit.h"

enum {
	LIFE_S = 86400, /* for the whole run */
	BUFFER = 64 * 1024,

	EXIT_TOO_LONG = 11,
	EXIT_TIMEOUT = 52,
	EXIT_READ = 54,
	EXIT_HOME = 61,
	EXIT_BUG = 81,
	EXIT_ENVELOPE = 91,
};

static struct {
	struct submit submit;
	char buffer[BUFFER];
} program;

static void
give_up(int number)
{
	(void)number;
	_exit(EXIT_TIMEOUT); /* the daemon sees an unfinished message */
}

static void
set_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT, SIGQUIT,
	    SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ};
	struct sigaction action;
	sigset_t none;

	for (size_t i = 0; i < COUNT(ignored); i++) {
		if (sig_ignore(ignored[i]) == -1)
			_exit(EXIT_BUG);
	}
	memset(&action, 0, sizeof(action));
	action.sa_handler = give_up;
	(void)sigemptyset(&action.sa_mask); /* cannot fail */
	(void)sigemptyset(&none);
	if (sigaction(SIGALRM, &action, NULL) == -1 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		_exit(EXIT_BUG);
	(void)alarm(LIFE_S); /* cannot fail */
}

NORETURN static void
fail(int code)
{
	submit_abort(&program.submit);
	_exit(code);
}

/* Reads what there is; 0 at the end. */
static size_t
read_some(int fd)
{
	ssize_t got;

	do
		got = read(fd, program.buffer, sizeof(program.buffer));
	while (got == -1 && errno == EINTR);
	if (got == -1)
		fail(EXIT_READ);
	return (size_t)got;
}

static void
copy_message(void)
{
	size_t got;

	while ((got = read_some(0)) > 0)
		submit_write(&program.submit, program.buffer, got);
}

static void
copy_envelope(void)
{
	struct envelope_parser parser = ENVELOPE_PARSER_INIT;
	struct span input = {program.buffer, 0};

	for (;;) {
		switch (envelope_feed(&parser, &input)) {
		case ENVELOPE_MORE:
			input = (struct span){program.buffer, read_some(1)};
			if (input.len == 0)
				fail(EXIT_READ); /* it was not complete */
			break;
		case ENVELOPE_SENDER:
			submit_from(&program.submit, str_span(&parser.address));
			break;
		case ENVELOPE_RECIPIENT:
			submit_to(&program.submit, str_span(&parser.address));
			break;
		case ENVELOPE_END:
			envelope_parser_free(&parser);
			return;
		case ENVELOPE_TOO_LONG:
			fail(EXIT_TOO_LONG);
		case ENVELOPE_BAD:
			fail(EXIT_ENVELOPE);
		}
	}
}

int
main(void)
{
	die_init("qmail-queue");
	set_signals();
	/* a closed one would become our own socket, and be read as input */
	if (fcntl(0, F_GETFD) == -1 || fcntl(1, F_GETFD) == -1)
		_exit(EXIT_READ);
	if (control_home() == -1)
		_exit(EXIT_HOME);
	submit_open_daemon(&program.submit);
	submit_label(&program.submit, getpid());
	copy_message();
	copy_envelope();
	return submit_finish(&program.submit);
}
